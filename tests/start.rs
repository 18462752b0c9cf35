//! What keeps `landfall serve` from starting, and what it says then: the file, the line and the rule, or the setting.

use awsim::{Options, Sim};
use landfall_tests::database::Database;
use landfall_tests::process::Serve;
use landfall_tests::world::LANDING_ZONE;

const FOUNDATION: &str = include_str!("../baselines/foundation.toml");
const ORGANIZATION: &str = include_str!("../baselines/organization.toml");
const ATTACHMENTS: &str = include_str!("../scp/attachments.toml");
const QUARANTINE: &str = include_str!("../scp/quarantine.json");

/// A server that would start if nothing were changed about it.
async fn server() -> (Sim, Database, Serve) {
    let sim = Sim::start(Options::default()).expect("awsim starts");
    let database = Database::empty_sqlite().await;
    let serve = Serve::new(&sim, database.url());
    (sim, database, serve)
}

/// The server gives up at once, with a status that is an error's, and says all of this.
async fn refuses(serve: &Serve, says: &[&str]) {
    let (status, log) = serve.fails().await;
    assert_eq!(status.code(), Some(1), "{log}");
    for words in says {
        assert!(log.contains(words), "`{words}` is not said:\n{log}");
    }
    assert!(!log.contains("panicked"), "{log}");
}

/// A text with one thing wrong in it, and the line where it is.
fn broken(text: &str, right: &str, wrong: &str) -> (String, usize) {
    let (before, _) = text
        .split_once(right)
        .expect("the text holds what is to be broken");
    (
        text.replacen(right, wrong, 1),
        before.lines().count().max(1) + usize::from(before.ends_with('\n')),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn with_everything_right_it_serves() {
    let (_sim, database, serve) = server().await;
    let mut process = serve.start();
    process.ready().await;
    process.stop().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_landing_zone_is_named_with_file_line_and_rule() {
    let (_sim, _database, mut serve) = server().await;
    for (right, wrong, rule) in [
        (
            "home_region = \"us-east-1\"",
            "home_region = \"ap-east-1\"",
            "not one of governed_regions",
        ),
        (
            "quarantine = \"Quarantine\"",
            "quarantine = \"Nowhere\"",
            "not among the organizational units",
        ),
        (
            "management_account = \"111111111111\"",
            "management_account = \"11111\"",
            "twelve digits",
        ),
        (
            "membership = \"organization\"",
            "membership = \"friends\"",
            "friends",
        ),
        ("suspended = \"Suspended\"", "suspended = ", "expected"),
    ] {
        let (text, line) = broken(LANDING_ZONE, right, wrong);
        let file = serve.file("bad-zone.toml", &text);
        serve.set("LANDFALL_LANDING_ZONE", file.to_string_lossy());
        refuses(&serve, &[&format!("{}:{line}: ", file.display()), rule]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_baseline_is_named_with_file_line_and_rule() {
    let (_sim, _database, mut serve) = server().await;
    for (right, wrong, rule) in [
        (
            "id = \"guardduty.detector\"",
            "id = \"guardduty.detectors\"",
            "guardduty.detectors",
        ),
        (
            "description = ",
            "descripton = ",
            "unknown field `descripton`",
        ),
    ] {
        let (text, line) = broken(FOUNDATION, right, wrong);
        let file = serve.file("baselines/foundation.toml", &text);
        serve.file("baselines/organization.toml", ORGANIZATION);
        let directory = file.parent().expect("a file stands in a directory");
        serve.set("LANDFALL_BASELINES", directory.to_string_lossy());
        refuses(&serve, &[&format!("{}:{line}: ", file.display()), rule]).await;
    }
    // A baseline that a unit names and no file defines.
    let file = serve.file(
        "baselines/foundation.toml",
        &FOUNDATION.replace("name = \"foundation\"", "name = \"basis\""),
    );
    assert!(file.exists());
    refuses(&serve, &["there is no baseline foundation", "needs"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_attachments_of_policies_are_named_with_file_line_and_rule() {
    let (_sim, _database, mut serve) = server().await;
    let attachments =
        "# Two units.\n\n[units]\n\"Quarantine\" = [\"quarantine\"]\n\"Suspended\" = []\n";
    assert!(
        ATTACHMENTS.contains("[units]"),
        "written as the documented file is"
    );
    for (right, wrong, rule) in [
        (
            "[\"quarantine\"]",
            "[\"quarantined\"]",
            "there is no scp/quarantined.json",
        ),
        (
            "\"Suspended\" =",
            "\"Suspects\" =",
            "no organizational unit Suspects",
        ),
        ("[units]", "[unit]", "unknown field `unit`"),
    ] {
        let (text, line) = broken(attachments, right, wrong);
        serve.file("policies/quarantine.json", QUARANTINE);
        let file = serve.file("policies/attachments.toml", &text);
        let directory = file.parent().expect("a file stands in a directory");
        serve.set("LANDFALL_SCPS", directory.to_string_lossy());
        refuses(&serve, &[&format!("{}:{line}: ", file.display()), rule]).await;
    }
    serve.file("policies/attachments.toml", attachments);
    let file = serve.file(
        "policies/quarantine.json",
        "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [,]\n}\n",
    );
    refuses(&serve, &[&format!("{}:3: ", file.display())]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_cannot_be_used_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = listener
        .local_addr()
        .expect("it has an address")
        .to_string();
    for (variable, value, says) in [
        (
            "LANDFALL_LANDING_ZONE",
            "nowhere.toml",
            vec!["nowhere.toml cannot be read", "LANDFALL_LANDING_ZONE"],
        ),
        (
            "LANDFALL_DATABASE_URL",
            "sqlite:///no/such/directory/landfall.db",
            vec![
                "LANDFALL_DATABASE_URL",
                "/no/such/directory/landfall.db",
                "unable to open database file",
            ],
        ),
        (
            "LANDFALL_DATABASE_URL",
            "postgres://landfall:hunter2@127.0.0.1:1/landfall",
            vec![
                "LANDFALL_DATABASE_URL",
                "PostgreSQL at 127.0.0.1:1, database landfall, user landfall",
                "Connection refused",
            ],
        ),
        (
            "LANDFALL_DATABASE_URL",
            "mysql://localhost/landfall",
            vec!["LANDFALL_DATABASE_URL", "mysql"],
        ),
        (
            "LANDFALL_BOOTSTRAP_TOKEN",
            "too-short",
            vec!["LANDFALL_BOOTSTRAP_TOKEN", "at least 32 characters"],
        ),
        (
            "LANDFALL_LISTEN",
            &taken,
            vec![taken.as_str(), "LANDFALL_LISTEN"],
        ),
        (
            "LANDFALL_LEASE",
            "10ms",
            vec!["--lease", "at least one second"],
        ),
        (
            "LANDFALL_LISTEN",
            "nowhere.invalid:8080",
            vec![
                "cannot listen on nowhere.invalid:8080",
                "lookup",
                "LANDFALL_LISTEN",
            ],
        ),
        ("LANDFALL_LISTEN", "8080", vec!["--listen", "HOST:PORT"]),
        ("LANDFALL_AWS_TIME_SCALE", "0", vec!["--aws-time-scale"]),
        ("LANDFALL_TARGETS_AT_ONCE", "0", vec!["--targets-at-once"]),
        ("LANDFALL_CALLS_IN_FLIGHT", "0", vec!["--calls-in-flight"]),
    ] {
        let (_sim, _database, mut serve) = server().await;
        serve.set(variable, value);
        refuses(&serve, &says).await;
        assert!(
            !serve.log().contains("hunter2"),
            "a password shows:\n{}",
            serve.log()
        );
        assert!(
            !serve.log().contains("too-short"),
            "a token shows:\n{}",
            serve.log()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_listened_on_and_the_log_says_where() {
    let (_sim, database, mut serve) = server().await;
    serve.set("LANDFALL_LISTEN", "localhost:0");
    let mut process = serve.start();
    let address = process.ready().await;
    assert!(address.ip().is_loopback(), "{address}");
    process.stop().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn time_is_shortened_for_a_simulated_aws_only() {
    let (_sim, _database, mut serve) = server().await;
    serve
        .set("LANDFALL_AWS_TIME_SCALE", "2")
        .unset("AWS_ENDPOINT_URL");
    refuses(&serve, &["LANDFALL_AWS_TIME_SCALE", "AWS_ENDPOINT_URL"]).await;
}

/// What would lock Landfall out is not attached: the process does not start.
#[tokio::test(flavor = "multi_thread")]
async fn policies_that_lock_landfall_out_are_named_with_file_and_statement() {
    let (_sim, _database, mut serve) = server().await;
    serve.file(
        "policies/attachments.toml",
        "[units]\n\"Quarantine\" = [\"quarantine\"]\n",
    );
    let file = serve.file(
        "policies/quarantine.json",
        &QUARANTINE.replace("${execution_role}", "SomebodyElse"),
    );
    let directory = file.parent().expect("a file stands in a directory");
    serve.set("LANDFALL_SCPS", directory.to_string_lossy());
    let place = format!("{}: it would lock Landfall out", file.display());
    refuses(
        &serve,
        &[
            &place,
            "DenyAllUntilGoverned",
            "in Quarantine",
            "arn:aws:iam::*:role/LandfallExecution",
            "landfall scp check",
        ],
    )
    .await;
    // It is the role's name in this landing zone that counts.
    serve.file("policies/quarantine.json", QUARANTINE);
    let (text, _) = broken(LANDING_ZONE, "LandfallExecution", "SomebodyElse");
    let zone = serve.file("other-zone.toml", &text);
    serve.set("LANDFALL_LANDING_ZONE", zone.to_string_lossy());
    let mut process = serve.start();
    process.ready().await;
    process.stop().await;
}
