//! `landfall scp check` as a pipeline runs it: with files alone, no server and no credentials.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use awsim::faults::Kind;
use awsim::{MANAGEMENT_ACCESS_KEY, Options, Sim};
use flate2::Compression;
use flate2::write::GzEncoder;
use landfall_tests::process::command;
use landfall_tests::world::{LANDING_ZONE, every};
use serde_json::{Value, json};
use tempfile::TempDir;

const ACCOUNT: &str = "222222222222";

/// A directory with a landing zone, the repository's policies and a list of accounts.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Desk(tempfile::tempdir().expect("a directory"));
        desk.file("landing-zone.toml", LANDING_ZONE);
        let accounts = json!([{"account_id": ACCOUNT, "organizational_unit": "Applications/Sandbox", "name": "Payments"}]);
        desk.file("accounts.json", &accounts.to_string());
        let scp = Path::new("../scp");
        for folder in ["", "decisions"] {
            for entry in fs::read_dir(scp.join(folder)).expect("the policies are there") {
                let path = entry.expect("a file").path();
                if path.is_file() {
                    let name = path.file_name().expect("it has a name").to_string_lossy();
                    let text = fs::read_to_string(&path).expect("it is text");
                    desk.file(&format!("scp/{folder}/{name}"), &text);
                }
            }
        }
        desk
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        self.bytes(name, text.as_bytes())
    }

    fn bytes(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("a file stands in a directory"))
            .expect("the directory is ours");
        fs::write(&path, bytes).expect("the directory is ours");
        path
    }

    fn edit(&self, name: &str, right: &str, wrong: &str) {
        let path = self.0.path().join(name);
        let text = fs::read_to_string(&path).expect("the file is there");
        assert!(text.contains(right), "{name} has no {right}");
        fs::write(path, text.replace(right, wrong)).expect("the directory is ours");
    }

    async fn check(&self, arguments: &[&str]) -> (i32, String, String) {
        self.check_with(&[], arguments).await
    }

    /// With further variables.
    async fn check_with(
        &self,
        variables: &[(&str, &str)],
        arguments: &[&str],
    ) -> (i32, String, String) {
        let zone = [("LANDFALL_LANDING_ZONE", "landing-zone.toml")];
        let variables = [&zone[..], variables].concat();
        let all: Vec<&str> = ["scp", "check"].iter().chain(arguments).copied().collect();
        command(self.0.path(), &variables, &all).await
    }

    async fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let all: Vec<&str> = ["--json"].iter().chain(arguments).copied().collect();
        let (status, out, error) = self.check(&all).await;
        let report = serde_json::from_str(&out);
        (status, report.unwrap_or_else(|_| panic!("{out}\n{error}")))
    }
}

fn record(id: usize, name: &str, region: &str) -> Value {
    json!({
        "eventVersion": "1.09",
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDA", "arn": format!("arn:aws:iam::{ACCOUNT}:user/alice"),
            "accountId": ACCOUNT, "userName": "alice",
        },
        "eventTime": "2026-11-02T10:00:00Z", "eventSource": "ec2.amazonaws.com", "eventName": name,
        "awsRegion": region, "sourceIPAddress": "203.0.113.7", "eventID": format!("e-{id}"),
        "eventType": "AwsApiCall", "recipientAccountId": ACCOUNT, "eventCategory": "Management",
    })
}

fn log_file(count: usize) -> String {
    let records: Vec<Value> = (0..count)
        .map(|id| record(id, "RunInstances", "ap-southeast-3"))
        .collect();
    json!({ "Records": records }).to_string()
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policies_of_the_program_and_of_the_directory_pass() {
    let desk = Desk::new();
    for arguments in [&[][..], &["--scps", "scp"]] {
        let (status, out, error) = desk.check(arguments).await;
        assert_eq!(status, 0, "{out}{error}");
        assert!(
            out.contains("Nothing bars attaching these policies"),
            "{out}"
        );
        assert!(out.contains("no events were given"), "{out}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_bars_is_said_and_ends_with_status_two() {
    let desk = Desk::new();
    desk.edit("scp/quarantine.json", "${execution_role}", "Nobody");
    let (status, out, error) = desk
        .check(&["--scps", "scp", "--html", "report.html"])
        .await;
    assert_eq!(status, 2, "{out}{error}");
    for words in [
        "Do not attach these policies: Landfall is locked out by 1 cause",
        "statement `DenyAllUntilGoverned` of `quarantine` denies",
        "in Quarantine, in every governed Region",
        "arn:aws:iam::*:role/LandfallExecution",
    ] {
        assert!(out.contains(words), "{words}: {out}");
    }
    let page = fs::read_to_string(desk.0.path().join("report.html")).expect("it was written");
    assert!(page.contains("<h1>Do not attach these policies"), "{page}");
}

/// Log files as a trail writes them, as people unpack them, as `lookup-events` prints them, and as they break.
#[tokio::test(flavor = "multi_thread")]
async fn log_files_of_every_form_are_read_and_broken_ones_are_named() {
    let desk = Desk::new();
    let whole = packed(&log_file(50));
    desk.bytes("logs/a/CloudTrail/2026/11/02/one.json.gz", &whole);
    desk.bytes(
        "logs/a/CloudTrail-Digest/2026/digest.json.gz",
        &packed("{}"),
    );
    desk.file("logs/plain.json", &log_file(3));
    let twice: Vec<u8> = [packed(&log_file(2)), Vec::new()].concat();
    desk.bytes("logs/two.json.gz", &twice);
    let found = json!({"Events": [{"EventId": "e", "CloudTrailEvent": record(1, "RunInstances", "ap-southeast-3").to_string()}]});
    desk.file("logs/found.json", &found.to_string());
    desk.file("logs/notes.txt", "not a log");
    let arguments = ["--accounts", "accounts.json", "--events", "logs"];
    let (status, report) = desk.json(&arguments).await;
    assert_eq!(status, 0, "{report:#}");
    let impact = &report["impact"];
    assert_eq!(impact["totals"]["records"], 56, "{impact:#}");
    assert_eq!(impact["totals"]["denied"], 56);
    assert_eq!(impact["unread"], json!([]));
    assert_eq!(impact["calls"][0]["calls"], 56);
    assert_eq!(impact["calls"][0]["actions"], json!(["ec2:RunInstances"]));

    desk.bytes("logs/cut.json.gz", &whole[..whole.len() - whole.len() / 3]);
    desk.file("logs/cut.json", &log_file(3)[..900]);
    desk.file("logs/garbage.json", "not json");
    desk.file("logs/other.json", "{\"Config\": []}");
    let (status, report) = desk.json(&arguments).await;
    assert_eq!(
        status, 0,
        "a broken file is no reason not to attach: {report:#}"
    );
    let impact = &report["impact"];
    let unread = impact["unread"].as_array().expect("a list");
    assert_eq!(unread.len(), 4, "{unread:#?}");
    for (file, words) in [
        ("logs/cut.json.gz", "ends early"),
        ("logs/cut.json", "beyond its record"),
        ("logs/garbage.json", "beyond its record 0"),
        ("logs/other.json", "neither `Records` nor `Events`"),
    ] {
        let told = unread.iter().any(|problem| {
            let problem = problem.as_str().expect("a text");
            problem.starts_with(&format!("{file}: ")) && problem.contains(words)
        });
        assert!(told, "{file}: {unread:#?}");
    }
    let denied = impact["totals"]["denied"].as_u64().expect("a number");
    assert!(
        denied > 56,
        "what was read before the break counts: {denied}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_force_and_where_accounts_stand_can_be_said() {
    let desk = Desk::new();
    desk.file("logs/one.json", &log_file(4));
    let (_, report) = desk
        .json(&[
            "--scps",
            "scp",
            "--in-force",
            "scp",
            "--events",
            "logs",
            "--ou",
            "Applications",
        ])
        .await;
    assert_eq!(report["compared_with"], "the policies of scp");
    assert_eq!(report["impact"]["totals"]["unchanged"], 4);
    let (_, report) = desk
        .json(&["--events", "logs", "--ou", "Applications"])
        .await;
    assert_eq!(report["impact"]["totals"]["denied"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_checked_ends_with_status_one_and_says_what_to_give() {
    let desk = Desk::new();
    desk.file("logs/one.json", &log_file(1));
    desk.file("empty/notes.txt", "");
    desk.file("bad.json", "{}");
    for (arguments, words) in [
        (&["--scps", "nowhere"][..], "nowhere cannot be read"),
        (
            &["--scps", "empty"],
            "empty holds no service control policies",
        ),
        (
            &["--landing-zone", "nowhere.toml"],
            "nowhere.toml cannot be read",
        ),
        (&["--events", "logs"], "give --accounts FILE"),
        (
            &["--events", "nowhere", "--ou", "Applications"],
            "nowhere cannot be read",
        ),
        (
            &["--events", "empty", "--ou", "Applications"],
            "no log files in empty",
        ),
        (
            &["--events", "logs", "--ou", "Aplications"],
            "no organizational unit Aplications",
        ),
        (
            &["--events", "logs", "--accounts", "bad.json"],
            "bad.json is no list of accounts",
        ),
        (
            &["--in-force", "empty"],
            "empty holds no service control policies",
        ),
        (&["--html", "nowhere/report.html"], "nowhere/report.html"),
    ] {
        let (status, out, error) = desk.check(arguments).await;
        assert_eq!(status, 1, "{arguments:?}: {out}{error}");
        assert!(error.contains(words), "{arguments:?}: {error}");
        assert!(out.is_empty(), "{arguments:?}: {out}");
    }
}

/// What AWS finds itself is merged with what lint finds, and its refusal bars nothing.
#[tokio::test(flavor = "multi_thread")]
async fn aws_is_asked_for_its_own_findings_where_somebody_wants_them() {
    let desk = Desk::new();
    let sim = Sim::start(Options::default()).expect("awsim starts");
    let url = sim.url();
    let credentials = [
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", MANAGEMENT_ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", "any"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    let ask = ["--scps", "scp", "--validate"];
    let (status, out, error) = desk.check_with(&credentials, &ask).await;
    assert_eq!(status, 0, "{out}{error}");
    assert!(!out.contains("ValidatePolicy"), "{out}");

    desk.edit(
        "scp/deny-leave-organization.json",
        "organizations:LeaveOrganization",
        "organizations:LeaveOrganisation",
    );
    let all = [&["--json"], &ask[..]].concat();
    let (status, out, error) = desk.check_with(&credentials, &all).await;
    assert_eq!(status, 2, "{out}{error}");
    let report: Value = serde_json::from_str(&out).expect("a report");
    let findings = report["findings"].as_array().expect("a list");
    let mut of_action = findings.iter().filter(|finding| {
        finding["aws_code"] == "INVALID_ACTION" || finding["code"] == "unknown-action"
    });
    let both = of_action.next().expect("both find it");
    assert!(of_action.next().is_none(), "it is said once: {findings:#?}");
    assert_eq!(both["found_by"], "both", "{both:#}");
    assert_eq!(both["code"], "unknown-action");
    assert_eq!(both["severity"], "error");
    let link = both["learn_more"].as_str().expect("a link");
    assert!(link.starts_with("https://docs.aws.amazon.com/"), "{link}");
    let (_, out, _) = desk.check_with(&credentials, &ask).await;
    assert!(
        out.contains("unknown-action, INVALID_ACTION of Access Analyzer"),
        "{out}"
    );
    desk.edit(
        "scp/deny-leave-organization.json",
        "organizations:LeaveOrganisation",
        "organizations:LeaveOrganization",
    );

    let refusal = every(
        "access-analyzer",
        Some("ValidatePolicy"),
        Kind::AccessDenied,
    );
    sim.shared().faults().plan(refusal);
    let (status, out, error) = desk.check_with(&credentials, &ask).await;
    assert_eq!(status, 0, "{out}{error}");
    for words in [
        "what AWS's own ValidatePolicy finds in the policies",
        "AccessDenied",
    ] {
        assert!(out.contains(words), "{words}: {out}");
    }
    // And without any credentials.
    let (status, out, error) = desk.check_with(&credentials[4..], &ask).await;
    assert_eq!(status, 0, "{out}{error}");
    assert!(out.contains("what AWS's own ValidatePolicy finds"), "{out}");
    let calls = sim.shared().calls();
    assert!(calls.mistakes().is_empty(), "{:?}", calls.mistakes());
}
