//! The server reads the organization trail's log files itself, for a check of policies: the days and accounts that were asked for,
//! whatever became of the files, and no more than it may.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use landfall_model::ids::AccountId;
use landfall_server::api::{self, Api};
use landfall_server::engine::clock::SystemClock;
use landfall_server::log_reading::{Bounds, Cursor, Fetched, LogReader, Wanted};
use landfall_server::scp_check::report::LogFiles;
use landfall_server::store::{Purpose, Store};
use landfall_server::{listening, telemetry};
use landfall_tests::process::{Serve, TOKEN};
use landfall_tests::world::{
    Running, TIME_SCALE, World, ask, ask_in, governed, in_two_regions, landing_zone_in,
    organization_in_sync,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Not governed, so that a policy of the catalogue denies calls there.
const ELSEWHERE: &str = "ap-southeast-3";

/// An account of the organization that Landfall does not know.
const STRANGER: &str = "999999999999";

/// The log bucket of a vended organization.
struct LogBucket<'a> {
    world: &'a World,
    name: String,
    organization: String,
    today: Date,
}

impl LogBucket<'_> {
    fn put(&self, key: &str, bytes: &[u8]) {
        self.world.tamper(&json!({
            "service": "s3", "action": "put_object", "bucket": self.name, "key": key, "body": STANDARD.encode(bytes),
        }));
    }

    /// Where a log file of so many days ago lies.
    fn key(&self, account: &str, region: &str, days_ago: i64, name: &str) -> String {
        let day = self.today.saturating_sub(days_ago.days());
        format!(
            "AWSLogs/{}/{account}/CloudTrail/{region}/{}/{account}_CloudTrail_{region}_{name}.json.gz",
            self.organization,
            day.strftime("%Y/%m/%d")
        )
    }

    /// A log file with so many calls that the policies deny.
    fn log(&self, account: &AccountId, region: &str, days_ago: i64, name: &str, calls: usize) {
        let account = account.as_str();
        let key = self.key(account, region, days_ago, name);
        self.put(&key, &packed(&log_file(account, calls)));
    }

    fn deny(&self, key: &str) {
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{}/{key}", self.name),
        }]});
        self.world.tamper(&json!({
            "service": "s3", "action": "set_bucket_policy", "bucket": self.name, "policy": policy.to_string(),
        }));
    }
}

fn log_file(account: &str, calls: usize) -> String {
    let record = |n: usize| {
        json!({
            "eventVersion": "1.09",
            "userIdentity": {
                "type": "IAMUser", "principalId": "AIDA", "arn": format!("arn:aws:iam::{account}:user/alice"),
                "accountId": account, "userName": "alice",
            },
            "eventTime": "2026-11-02T10:00:00Z", "eventSource": "ec2.amazonaws.com", "eventName": "RunInstances",
            "awsRegion": ELSEWHERE, "sourceIPAddress": "203.0.113.7", "eventID": format!("e-{n}"),
            "eventType": "AwsApiCall", "recipientAccountId": account, "eventCategory": "Management",
        })
    };
    let records: Vec<Value> = (0..calls).map(record).collect();
    json!({ "Records": records }).to_string()
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

async fn number(store: &Store, purpose: Purpose) -> AccountId {
    let account = store.account_by_purpose(purpose).await.expect("the store");
    let account = account.expect("it was vended");
    account.account_id.expect("it has a number")
}

/// What `landfall scp check` answers as JSON.
async fn report(serve: &Serve, server: SocketAddr, arguments: &[&str]) -> Value {
    let all = [&["scp", "check", "--json"], arguments].concat();
    let (status, out, error) = serve.client(server, &all).await;
    assert_eq!(status, 0, "{arguments:?}: {out}{error}\n{}", serve.log());
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}\n{error}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_days_are_read_from_the_log_bucket() {
    let (world, database) = in_two_regions().await;
    let store = &database.store;
    let running = Running::start(&world, store).await;
    let asked = [
        ask(&world, store, "Payments").await,
        ask_in(&world, store, "Ideas", "Applications/Sandbox").await,
    ];
    let mut numbers = Vec::new();
    for account in &asked {
        let account = governed(store, account).await;
        numbers.push(account.account_id.expect("it is governed"));
    }
    organization_in_sync(store).await;
    running.stop().await;
    let [payments, ideas] = numbers.as_slice() else {
        panic!("two accounts were asked for");
    };
    let archive = number(store, Purpose::LogArchive).await;
    let reader = LogReader::new(world.fresh_cloud().await, world.zone.clone());
    let opened = reader.open(&archive).await.expect("AWS lets it look");
    let opened = opened.expect("nobody else reads");
    let bucket = LogBucket {
        world: &world,
        name: world.zone.log_bucket(&archive),
        organization: opened.organization.clone(),
        today: Timestamp::now().to_zoned(TimeZone::UTC).date(),
    };
    assert!(
        reader
            .open(&archive)
            .await
            .expect("AWS is not asked")
            .is_none(),
        "one reading at a time"
    );
    drop(opened);

    bucket.log(payments, "us-east-1", 0, "T0210Z_a", 3);
    bucket.log(payments, "ap-southeast-3", 1, "T0210Z_b", 5);
    bucket.log(ideas, "eu-west-1", 2, "T0210Z_c", 7);
    bucket.log(payments, "us-east-1", 3, "T0210Z_too-old", 100);
    let whole = packed(&log_file(payments.as_str(), 50));
    let cut = bucket.key(payments.as_str(), "us-east-1", 0, "T0215Z_cut");
    bucket.put(&cut, &whole[..12]);
    let denied = bucket.key(ideas.as_str(), "eu-west-1", 0, "T0210Z_denied");
    bucket.put(&denied, &whole);
    bucket.deny(&denied);
    let strange = bucket.key(STRANGER, "us-east-1", 0, "T0210Z_s");
    bucket.put(&strange, &whole);
    bucket.put(
        &format!("AWSLogs/{payments}/Config/us-east-1/x.json.gz"),
        &whole,
    );

    of_many_files_only_so_many_are_read(&bucket, reader, &archive, [payments, ideas]).await;

    let mut serve = Serve::new(&world.sim, database.url());
    let zone = serve.file(
        "two-regions.toml",
        &landing_zone_in(&["us-east-1", "eu-west-1"]),
    );
    serve
        .set("LANDFALL_LANDING_ZONE", zone.to_string_lossy())
        .set("LANDFALL_AWS_TIME_SCALE", TIME_SCALE.to_string());
    let mut process = serve.start();
    let server = process.ready().await;

    let got = || {
        world
            .calls_of("s3")
            .get("GetObject")
            .copied()
            .unwrap_or_default()
    };
    let before = got();
    let found = report(
        &serve,
        server,
        &["--days", "2", "--validate", "--html", "report.html"],
    )
    .await;
    let impact = &found["impact"];
    // And the file that is cut off, as one that is no record.
    assert_eq!(impact["totals"]["records"], 16, "{impact:#}");
    assert_eq!(impact["totals"]["denied"], 15, "{impact:#}");
    assert_eq!(impact["totals"]["unjudged"]["unreadable"], 1, "{impact:#}");
    let logs = &impact["log_files"];
    assert_eq!(
        (&logs["files"], logs["accounts"].as_array().map(Vec::len)),
        (&json!(4), Some(2)),
        "{logs:#}"
    );
    assert!(logs["next_cursor"].is_null(), "{logs:#}");
    assert_eq!(logs["bucket"], bucket.name);
    assert_eq!(logs["to"], bucket.today.to_string());
    let unread: Vec<String> = serde_json::from_value(impact["unread"].clone()).expect("sentences");
    assert_eq!(unread.len(), 2, "{unread:#?}");
    for (key, words) in [(&cut, "ends early"), (&denied, "AccessDenied")] {
        let told = |line: &String| {
            line.starts_with(&format!("s3://{}/{key}: ", bucket.name)) && line.contains(words)
        };
        assert!(unread.iter().any(told), "{key}: {unread:#?}");
    }
    let left_out = found["not_looked_at"].to_string();
    // The server's own role may ask.
    assert!(!left_out.contains("ValidatePolicy"), "{left_out}");
    for words in [
        "no log files of 2 accounts",
        archive.as_str(),
        "1 account (999999999999), of which Landfall does not know",
    ] {
        assert!(left_out.contains(words), "{words}: {left_out}");
    }
    assert_eq!(
        got() - before,
        5,
        "no file of another day or account is touched"
    );
    let page = std::fs::read_to_string(serve.file("x", "").with_file_name("report.html"));
    let page = page.expect("it was written");
    assert!(
        page.contains(&format!(
            "Read from {}: 4 log files of 2 accounts",
            bucket.name
        )),
        "{page}"
    );

    the_command_adds_up_what_takes_several_parts(&bucket, store, &serve, impact).await;

    // For people, of one account alone, and of days on which there is nothing.
    let one = ["scp", "check", "--days", "1", "--account", ideas.as_str()];
    let (status, out, error) = serve.client(server, &one).await;
    assert_eq!(status, 0, "{out}{error}");
    let yesterday = bucket.today.saturating_sub(1.day());
    for words in [
        "0 log files of 0 accounts",
        "see also what was not looked at",
        "AccessDenied",
        &format!("{yesterday}: there are no log files"),
    ] {
        assert!(out.contains(words), "{words}: {out}");
    }

    // What bars attaching is told as ever; what cannot be asked is told with what to write.
    serve.file("scps/x.json", "{");
    for (arguments, expected, words) in [
        (
            &["--days", "1", "--scps", "scps"][..],
            2,
            "Do not attach these policies",
        ),
        (&["--days", "0"], 1, "must be 1 to 90"),
        (
            &["--days", "1", "--account", STRANGER],
            1,
            "no account of Landfall's",
        ),
        (
            &["--days", "1", "--events", "scps"],
            1,
            "cannot be used with",
        ),
        (&["--account", STRANGER], 1, "--days"),
    ] {
        let all = [&["scp", "check"], arguments].concat();
        let (status, out, error) = serve.client(server, &all).await;
        assert_eq!(status, expected, "{arguments:?}: {out}{error}");
        assert!(
            format!("{out}{error}").contains(words),
            "{arguments:?}: {out}{error}"
        );
    }
    world.assert_sound();
    process.stop().await;
    database.remove().await;
}

/// With bounds of two files the newest two are read, and what is left is said.
async fn of_many_files_only_so_many_are_read(
    bucket: &LogBucket<'_>,
    mut reader: LogReader,
    archive: &AccountId,
    accounts: [&AccountId; 2],
) {
    let mut wanted = Wanted {
        days: 2,
        until: bucket.today,
        after: None,
        accounts: accounts.into_iter().cloned().collect(),
        others: [STRANGER.parse().expect("a number")].into(),
    };
    reader.bounds.files = 2;
    let (names, read) = all(&reader, archive, &wanted).await;
    // The newest day first; there, the home Region; there, the newest file.
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(
        names.iter().all(|name| name.contains("/us-east-1/")),
        "{names:?}"
    );
    assert_eq!(read.files, 2);
    let before = bucket.today.saturating_sub(1.day());
    let first = bucket.today.saturating_sub(2.days());
    let left = read.cut_off.join("\n");
    for words in [
        &format!(
            "1 of the 3 folders of {} (an account in a Region each)",
            bucket.today
        ),
        "a reading takes 2 log files and no more",
        &before.to_string(),
        &first.to_string(),
    ] {
        assert!(left.contains(words), "{words}: {left}");
    }

    // Whoever goes on where it ended reads the same files as somebody with no bounds, each once.
    let mut unbound = reader.clone();
    unbound.bounds = Bounds::default();
    let (everything, whole) = all(&unbound, archive, &wanted).await;
    assert!(everything.len() >= 4, "{everything:?}");
    for files in [1, 2, 3] {
        reader.bounds.files = files;
        let mut read_so_far = BTreeSet::new();
        wanted.after = None;
        loop {
            let (names, read) = all(&reader, archive, &wanted).await;
            for name in names {
                assert!(read_so_far.insert(name.clone()), "{name} is read twice");
            }
            let Some(next) = read.next_cursor else {
                assert_eq!(read.cut_off, Vec::<String>::new());
                break;
            };
            let next: Option<Cursor> = Some(next.parse().expect("it is a cursor"));
            assert_ne!(wanted.after, next, "it goes on");
            wanted.after = next;
        }
        assert_eq!(read_so_far, everything, "{files} at a time");
    }
    assert_eq!(whole.next_cursor, None);
    wanted.after = None;

    reader.bounds = Bounds {
        time: Duration::ZERO,
        ..Bounds::default()
    };
    let (names, read) = all(&reader, archive, &wanted).await;
    assert!(names.is_empty(), "{names:?}");
    assert_eq!(read.next_cursor, None, "nobody knows what there is");
    let left = read.cut_off.join("\n");
    assert!(left.contains("2 accounts: not even listed"), "{left}");
}

/// Of a server that reads one file at a time the command asks for part after part, until it has what one reading finds.
async fn the_command_adds_up_what_takes_several_parts(
    bucket: &LogBucket<'_>,
    store: &Store,
    serve: &Serve,
    whole: &Value,
) {
    let world = bucket.world;
    let mut reader = LogReader::new(world.fresh_cloud().await, world.zone.clone());
    reader.bounds.files = 1;
    let shutdown = CancellationToken::new();
    let catalogue = &world.catalogue;
    let api = Api::new(
        store.clone(),
        world.zone.clone(),
        Arc::new(catalogue.baselines.clone()),
        Some(&TOKEN.into()),
        Arc::new(SystemClock),
        telemetry::metrics().expect("nobody else counts in this process"),
        shutdown.clone(),
    )
    .with_scps(catalogue.scps.clone(), catalogue.scp_files.clone())
    .with_log_reader(reader);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let server = listener.local_addr().expect("it has one");
    let serving = tokio::spawn(listening::serve(
        listener,
        api::router(api),
        listening::HEAD,
        shutdown.clone(),
    ));
    let arguments = ["scp", "check", "--json", "--days", "2"];
    let (status, out, error) = serve.client(server, &arguments).await;
    assert_eq!(status, 0, "{out}{error}");
    let parts = error.matches("; now at ").count();
    let files = whole["log_files"]["files"].as_u64().expect("a number");
    assert!(parts as u64 >= files, "a file in each: {error}");
    let found: Value = serde_json::from_str(&out).expect("a report");
    let sorted = |impact: &Value| {
        let mut impact = impact.clone();
        for list in ["/unread", "/log_files/left_out"] {
            let list = impact.pointer_mut(list).and_then(Value::as_array_mut);
            list.expect("a list").sort_by_key(Value::to_string);
        }
        impact
    };
    assert_eq!(sorted(&found["impact"]), sorted(whole));
    let not_looked_at = found["not_looked_at"].to_string();
    assert!(!not_looked_at.contains("no more"), "{not_looked_at}");
    shutdown.cancel();
    serving.await.expect("it does not panic");
}

/// Reads everything, and keeps the names.
async fn all(
    reader: &LogReader,
    archive: &AccountId,
    wanted: &Wanted,
) -> (BTreeSet<String>, LogFiles) {
    let opened = reader.open(archive).await.expect("AWS lets it look");
    let opened = opened.expect("nobody else reads");
    let (into, mut from) = tokio::sync::mpsc::channel::<Fetched>(1);
    let taking = tokio::spawn(async move {
        let mut names = BTreeSet::new();
        while let Some(file) = from.recv().await {
            names.insert(file.name);
        }
        names
    });
    let (read, _) = opened.read(wanted, into).await;
    (taking.await.expect("it does not panic"), read)
}
