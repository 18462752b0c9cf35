//! The check as its callers use it: what is embedded passes, and each way to break it is found and named.

use landfall_model::landing_zone::LandingZone;

use super::files::ScpFiles;
use super::report::{ScpReport, Severity, by_principal};
use super::{Check, Known, Recorded, gate, page};

const ZONE: &str = include_str!("../../../../deploy/landing-zone.toml");
const ACCOUNT: &str = "222222222222";

fn zone() -> LandingZone {
    LandingZone::parse("landing-zone.toml", ZONE).unwrap()
}

/// The embedded catalogue with one text of one file changed.
fn broken(file: &str, right: &str, wrong: &str) -> ScpFiles {
    let mut files = ScpFiles::embedded();
    let all = files
        .documents
        .iter_mut()
        .chain(&mut files.tables)
        .chain(&mut files.attachments);
    let (_, text) = all
        .into_iter()
        .find(|(name, _)| name == file)
        .unwrap_or_else(|| panic!("there is no {file}"));
    assert!(text.contains(right), "{file} has no {right}");
    *text = text.replacen(right, wrong, 1);
    files
}

fn report(files: &ScpFiles) -> ScpReport {
    Check::new(files, &zone(), &Known::default()).report(None)
}

fn known(unit: &str) -> Known {
    Known {
        accounts: [(ACCOUNT.parse().unwrap(), Some(unit.parse().unwrap()))].into(),
        ..Known::default()
    }
}

/// A call by a role of the account, as CloudTrail records it.
fn called(id: usize, service: &str, name: &str, region: &str, role: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.09","userIdentity":{{"type":"AssumedRole","principalId":"AROA:job",
        "arn":"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/job","accountId":"{ACCOUNT}","sessionContext":{{"sessionIssuer":
        {{"type":"Role","arn":"arn:aws:iam::{ACCOUNT}:role/{role}","accountId":"{ACCOUNT}","userName":"{role}"}}}}}},
        "eventTime":"2026-11-{:02}T10:00:00Z","eventSource":"{service}.amazonaws.com","eventName":"{name}","awsRegion":"{region}",
        "sourceIPAddress":"203.0.113.7","userAgent":"aws-cli","requestParameters":null,"responseElements":null,
        "eventID":"event-{id}","eventType":"AwsApiCall","recipientAccountId":"{ACCOUNT}","eventCategory":"Management"}}"#,
        1 + id % 28
    )
}

#[test]
fn nothing_bars_what_is_embedded() {
    let report = report(&ScpFiles::embedded());
    assert!(report.can_be_attached, "{:#?}", report.bars);
    assert_eq!(report.bars, Vec::<String>::new());
    assert!(report.decisions.cases > 100 && report.decisions.without_table.is_empty());
    assert!(report.subject.actions > 100 && report.subject.regions == 17);
    assert_eq!(report.sizes.len(), report.subject.units);
    assert!(
        report
            .sizes
            .iter()
            .all(|size| size.problem.is_none() && size.free > 0)
    );
    assert!(report.impact.is_none());
    assert_eq!(report.not_looked_at.len(), 3);
    gate(
        &ScpFiles::embedded(),
        &ScpFiles::embedded().parse(&zone()).unwrap(),
        &zone(),
    )
    .unwrap();
}

#[test]
fn a_policy_that_locks_landfall_out_is_named_with_what_to_write() {
    let files = broken(
        "scp/quarantine.json",
        "role/${execution_role}",
        "role/SomebodyElse",
    );
    let report = report(&files);
    assert!(!report.can_be_attached);
    // What is called in one Region alone stands apart.
    let lockout = &report.lockouts[0];
    assert_eq!(lockout.policy.as_deref(), Some("quarantine"));
    assert!(
        lockout
            .cause
            .contains("`DenyAllUntilGoverned` of `quarantine`"),
        "{lockout:?}"
    );
    assert_eq!(lockout.units, ["Quarantine"]);
    assert_eq!(lockout.regions.len(), report.subject.regions);
    assert!(
        lockout
            .instead
            .contains("arn:aws:iam::*:role/LandfallExecution"),
        "{lockout:?}"
    );
    let actions = report.lockouts.iter().map(|lockout| lockout.actions.len());
    assert_eq!(actions.sum::<usize>(), report.subject.actions);
    assert_eq!(report.bars[0], "Landfall is locked out by 1 cause");
    // The table says so too.
    assert!(!report.decisions.failed.is_empty());
    let decision = &report.decisions.failed[0];
    assert_eq!(decision.expected, "allow");
    assert!(
        decision
            .denied_by
            .as_deref()
            .unwrap()
            .contains("DenyAllUntilGoverned")
    );

    let error = gate(&files, &files.parse(&zone()).unwrap(), &zone()).unwrap_err();
    assert_eq!(error.file, "scp/quarantine.json");
    for words in [
        "lock Landfall out",
        "DenyAllUntilGoverned",
        "Quarantine",
        "LandfallExecution",
    ] {
        assert!(error.rule.contains(words), "{error}");
    }
}

/// Groups say no more than was found: what is denied in one Region alone is not said of others.
#[test]
fn lockouts_are_told_apart_by_region_and_action() {
    let deny = r#"{"Sid":"NoDetectors","Effect":"Deny","Action":["guardduty:CreateDetector","config:DeleteRetentionConfiguration"],
        "Resource":"*","Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-3"}}},"#;
    let files = broken(
        "scp/deny-root-user.json",
        "\"Statement\": [",
        &format!("\"Statement\": [{deny}"),
    );
    let report = report(&files);
    let [lockout] = report.lockouts.as_slice() else {
        panic!("{:#?}", report.lockouts);
    };
    assert_eq!(lockout.regions, ["eu-west-3"]);
    assert!(
        lockout
            .actions
            .contains(&"guardduty:CreateDetector".to_owned())
    );
    assert!(lockout.units.contains(&"Applications/Sandbox".to_owned()));
    assert!(
        !lockout.units.contains(&"Quarantine".to_owned()),
        "{:?}",
        lockout.units
    );
}

#[test]
fn each_mistake_in_a_file_is_found_and_all_of_them_at_once() {
    for (file, right, wrong, place, problem) in [
        (
            "scp/quarantine.json",
            "\"Statement\": [",
            "\"Statement\": [,",
            "scp/quarantine.json:3",
            "expected value",
        ),
        (
            "scp/quarantine.json",
            "\"Effect\": \"Deny\"",
            "\"Effect\": \"Denied\"",
            "scp/quarantine.json /Statement/0/Effect",
            "Denied",
        ),
        (
            "scp/deny-leave-organization.json",
            "organizations:LeaveOrganization",
            "organizations:LeaveOrganisation",
            "scp/deny-leave-organization.json /Statement/0/Action",
            "LeaveOrganisation",
        ),
        (
            "scp/attachments.toml",
            "[\"deny-leave-organization\"]",
            "[\"deny-leaving\"]",
            "scp/attachments.toml:16",
            "deny-leaving",
        ),
        (
            "scp/attachments.toml",
            "\"Suspended\" =",
            "\"Suspects\" =",
            "scp/attachments.toml:",
            "Suspects",
        ),
        (
            "scp/decisions/quarantine.toml",
            "result = \"deny\"",
            "result = \"denied\"",
            "scp/decisions/quarantine.toml:",
            "denied",
        ),
        (
            "scp/decisions/quarantine.toml",
            "arn:aws:iam::222222222222:root",
            "root",
            "scp/decisions/quarantine.toml",
            "`root` is no role",
        ),
    ] {
        let report = report(&broken(file, right, wrong));
        assert!(!report.can_be_attached, "{wrong}");
        let (errors, _) = report.findings_by_weight();
        let found = errors.iter().any(|finding| {
            let said = format!("{} {}", finding.problem, finding.instead);
            finding.place().starts_with(place) && said.contains(problem)
        });
        assert!(found, "{wrong}: {errors:#?}");
    }
    let mut files = broken(
        "scp/quarantine.json",
        "\"Statement\": [",
        "\"Statement\": [,",
    );
    files.attachments = None;
    let report = report(&files);
    let (errors, _) = report.findings_by_weight();
    assert_eq!(errors.len(), 2, "{errors:#?}");
    assert!(report.sizes.is_empty() && report.lockouts.is_empty());
    assert!(report.not_looked_at[0].contains("mend the files first"));
}

#[test]
fn a_policy_that_stands_nowhere_is_told() {
    let report = report(&broken(
        "scp/attachments.toml",
        "[\"deny-leave-organization\"]",
        "[]",
    ));
    assert!(report.can_be_attached, "{:?}", report.bars);
    let idle = report
        .findings
        .iter()
        .find(|finding| finding.code == "attached-nowhere")
        .unwrap();
    assert_eq!(idle.file, "scp/deny-leave-organization.json");
    assert_eq!(idle.severity, Severity::Warning);
}

#[test]
fn what_does_not_fit_beside_others_is_refused_with_figures() {
    let others = (0..9).map(|n| format!("aws-guardrails-{n}")).collect();
    let known = Known {
        others: [("Applications".to_owned(), others)].into(),
        ..Known::default()
    };
    let files = ScpFiles::embedded();
    let report = Check::new(&files, &zone(), &known).report(None);
    assert!(!report.can_be_attached);
    let full: Vec<_> = report
        .sizes
        .iter()
        .filter(|size| size.problem.is_some())
        .collect();
    let [size] = full.as_slice() else {
        panic!("{full:#?}");
    };
    assert_eq!(size.target, "Applications");
    let problem = size.problem.as_deref().unwrap();
    assert!(
        problem.contains("room for 0") && problem.contains("9 of 10 places"),
        "{problem}"
    );
}

#[test]
fn recorded_calls_are_told_by_principal_action_and_statement() {
    let (files, zone) = (ScpFiles::embedded(), zone());
    let known = known("Applications/Development");
    let check = Check::new(&files, &zone, &known);
    let mut replay = check.replay().unwrap();
    for (id, region) in [
        "ap-southeast-3",
        "af-south-1",
        "ap-southeast-3",
        "us-east-1",
    ]
    .iter()
    .enumerate()
    {
        replay.record(&called(id, "ec2", "RunInstances", region, "deployer"));
    }
    replay.record(&called(
        9,
        "guardduty",
        "DeleteDetector",
        "us-east-1",
        "admin",
    ));
    let report = check.report(Some(Recorded::given(
        replay,
        vec!["one.json: broken".to_owned()],
    )));
    assert!(report.can_be_attached, "{:?}", report.bars);
    let impact = report.impact.as_ref().unwrap();
    assert_eq!((impact.totals.records, impact.totals.denied), (5, 4));
    let [first, second] = impact.calls.as_slice() else {
        panic!("{:#?}", impact.calls);
    };
    assert_eq!(first.calls, 3);
    assert_eq!(first.regions, ["af-south-1", "ap-southeast-3"]);
    assert_eq!(
        first.principal,
        format!("arn:aws:iam::{ACCOUNT}:role/deployer")
    );
    assert_eq!(first.period(), "2026-11-01 to 2026-11-03");
    assert!(
        first.causes[0].contains("`DenyUnusedRegions` of `deny-unused-regions`"),
        "{first:?}"
    );
    assert_eq!(second.actions, ["guardduty:DeleteDetector"]);
    assert_eq!(impact.causes.len(), 2);
    assert_eq!(impact.causes[0].calls, 3);
    assert_eq!(by_principal(&impact.calls).len(), 2);

    // What was in force before counts for nothing new.
    let known = Known {
        in_force: Some((files.parse(&zone).unwrap().into(), "the same".to_owned())),
        ..known
    };
    let check = Check::new(&files, &zone, &known);
    let mut replay = check.replay().unwrap();
    replay.record(&called(
        1,
        "ec2",
        "RunInstances",
        "ap-southeast-3",
        "deployer",
    ));
    let report = check.report(Some(Recorded::given(replay, Vec::new())));
    let totals = report.impact.unwrap().totals;
    assert_eq!((totals.denied, totals.unchanged), (0, 1));
}

#[test]
fn what_records_cannot_tell_is_said_only_of_what_the_policies_deny() {
    let zone = zone();
    let files = |actions: &str| {
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"Deny","Effect":"Deny","Action":{actions},"Resource":"*"}}]}}"#
        );
        let texts = [
            ("deny.json", policy),
            ("attachments.toml", "root = [\"deny\"]".to_owned()),
        ];
        let texts = texts.map(|(name, text)| (name.to_owned(), text));
        ScpFiles::named(texts.into()).unwrap()
    };
    let untold = |files: &ScpFiles, known: &Known, records: &[String]| {
        let check = Check::new(files, &zone, known);
        let mut replay = check.replay().unwrap();
        for record in records {
            replay.record(record);
        }
        let report = check.report(Some(Recorded::given(replay, Vec::new())));
        report.impact.unwrap().untold().join("\n")
    };
    let call = |id| called(id, "s3", "PutObject", "us-east-1", "deployer");
    let [first, last] = [call(2), call(9)];
    let of_data = last.replace("\"Management\"", "\"Data\"");
    let calls = [first.clone(), last];
    let period =
        "The records are of 2026-11-03 to 2026-11-10: what is done at other times was not judged.";
    let known = Known::default();
    for (actions, words) in [
        (r#""ec2:RunInstances""#, &[][..]),
        (
            r#""iam:*""#,
            &["deny such: `iam:PassRole` to hand on a role. "],
        ),
        (
            r#"["kms:Decrypt","kms:GenerateDataKey"]"#,
            &["`kms:Decrypt` and `kms:GenerateDataKey` for a key behind"],
        ),
        (
            r#"["s3:PutObject","sns:Publish"]"#,
            &[
                "deny calls on objects in S3, messages of SQS and SNS. ",
                "none of these records",
            ],
        ),
    ] {
        let told = untold(&files(actions), &known, &calls);
        let lines = usize::from(!words.is_empty()) + 1;
        assert_eq!(told.lines().count(), lines, "{actions}: {told}");
        assert!(told.ends_with(period), "{told}");
        for words in words {
            assert!(told.contains(words), "{words}: {told}");
        }
    }
    let objects = files(r#""s3:PutObject""#);
    let told = untold(&objects, &known, &[first, of_data]);
    assert!(told.contains("events: 1 of these records are"), "{told}");
    assert_eq!(untold(&files(r#""ec2:RunInstances""#), &known, &[]), "");
    // What stood there before is nothing new.
    let known = Known {
        in_force: Some((objects.parse(&zone).unwrap().into(), "the same".to_owned())),
        ..known
    };
    assert_eq!(untold(&objects, &known, &calls), period);
}

#[test]
fn accounts_that_nobody_names_are_judged_where_they_are_said_to_stand() {
    let (files, zone) = (ScpFiles::embedded(), zone());
    let denied = |known: &Known| {
        let check = Check::new(&files, &zone, known);
        let mut replay = check.replay().unwrap();
        replay.record(&called(
            1,
            "ec2",
            "RunInstances",
            "ap-southeast-3",
            "deployer",
        ));
        let totals = check
            .report(Some(Recorded::given(replay, Vec::new())))
            .impact
            .unwrap()
            .totals;
        (totals.denied, totals.unjudged.unknown_account)
    };
    assert_eq!(denied(&Known::default()), (0, 1));
    let elsewhere = Known {
        elsewhere: Some("Applications".parse().unwrap()),
        ..Known::default()
    };
    assert_eq!(denied(&elsewhere), (1, 0));
    // An OU that the landing zone does not name obeys what stands above it.
    assert_eq!(denied(&known("Applications/Elsewhere")), (1, 0));
}

#[test]
fn parts_add_up_to_what_one_reading_finds() {
    let (files, zone) = (ScpFiles::embedded(), zone());
    let known = known("Applications");
    let check = Check::new(&files, &zone, &known);
    let calls = [
        ("ec2", "RunInstances", "ap-southeast-3", "deployer"),
        ("ec2", "RunInstances", "af-south-1", "deployer"),
        ("guardduty", "DeleteDetector", "us-east-1", "admin"),
        ("ec2", "RunInstances", "us-east-1", "deployer"),
        ("made-up", "DoWhatNobodyKnows", "us-east-1", "deployer"),
    ];
    let records: Vec<String> = (0..40)
        .map(|id| {
            let (service, name, region, role) = calls[id * 7 % calls.len()];
            called(id * 11, service, name, region, role)
        })
        .collect();
    let report = |records: &[String]| {
        let mut replay = check.replay().unwrap();
        for record in records {
            replay.record(record);
        }
        check.report(Some(Recorded::given(replay, Vec::new())))
    };
    let whole = serde_json::to_value(report(&records)).unwrap();
    assert!(whole["impact"]["totals"]["denied"].as_u64() > Some(20));
    assert!(whole["impact"]["unknown_events"][0]["events"].as_u64() > Some(1));
    for cut in 0..=records.len() {
        let (before, after) = records.split_at(cut);
        let joined = report(before).joined(report(after));
        assert_eq!(serde_json::to_value(joined).unwrap(), whole, "{cut}");
    }
}

#[test]
fn what_others_wrote_is_only_text_on_the_page() {
    let (files, zone) = (ScpFiles::embedded(), zone());
    let known = known("Applications");
    let check = Check::new(&files, &zone, &known);
    let mut replay = check.replay().unwrap();
    replay.record(&called(
        1,
        "ec2",
        "RunInstances",
        "ap-southeast-3",
        "<script>x</script>",
    ));
    let unread = vec!["<img src=x>.json".to_owned()];
    let page = page::page(&check.report(Some(Recorded::given(replay, unread))));
    assert!(page.contains("&lt;script&gt;x&lt;/script&gt;"), "{page}");
    assert!(
        !page.contains("<script") && !page.contains("<img"),
        "{page}"
    );
    for part in [
        "<h1>Nothing bars",
        "By principal and action",
        "<h2>Sizes",
        "Not looked at",
    ] {
        assert!(page.contains(part), "{part}");
    }
}
