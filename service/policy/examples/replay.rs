//! What replaying a million CloudTrail records costs, as a ratio to what it may cost: from the text of log files to the report.
//! The records are of 4,000 roles and as many users in 200 accounts, each with a session of its own, and of some 4,000 different
//! events, few of them frequent.
//!
//! ```text
//! cargo run --release -p landfall-policy --example replay
//! ```

#![expect(clippy::print_stdout, reason = "a program whose output is its result")]

#[path = "shared/random.rs"]
mod random;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use landfall_policy::catalogue::catalogue;
use landfall_policy::replay::{GROUPS, Organization, Place, Replay};
use landfall_policy::{Attached, Levels, Policy};
use random::Random;

const FILES: usize = 200;
const IN_A_FILE: usize = 5_000;
const ACCOUNTS: usize = 200;
const ROLES: usize = 20;
const RARE_EVENTS: usize = 4_000;
const LIMIT: Duration = Duration::from_secs(10);

const FULL_AWS_ACCESS: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// Asks for what differs from record to record, so that verdicts are hardly ever the same.
const FROM_OFFICES: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"DenyOutsideOffices","Effect":"Deny","Action":"*","Resource":"*",
    "Condition":{"NotIpAddress":{"aws:SourceIp":["198.51.100.0/24","203.0.113.0/25"]},"DateGreaterThan":{"aws:CurrentTime":"2026-11-03T00:00:00Z"},
    "StringNotLike":{"aws:UserAgent":"*terraform*"},"Bool":{"aws:ViaAWSService":"false"}}}]}"#;

/// Frequent events and their weights.
const FREQUENT: [(&str, &str, usize); 16] = [
    ("sts", "AssumeRole", 20),
    ("ec2", "DescribeInstances", 14),
    ("kms", "Decrypt", 12),
    ("s3", "GetBucketAcl", 8),
    ("s3", "ListBuckets", 4),
    ("logs", "CreateLogStream", 8),
    ("monitoring", "PutMetricAlarm", 4),
    ("lambda", "GetFunction20150331v2", 4),
    ("iam", "GetRole", 6),
    ("iam", "CreateAccessKey", 1),
    ("ec2", "RunInstances", 3),
    ("config", "PutConfigurationRecorder", 2),
    ("guardduty", "DeleteDetector", 1),
    ("cloudtrail", "StopLogging", 1),
    ("dynamodb", "DescribeTable", 10),
    ("ssm", "UpdateInstanceInformation", 2),
];

const REGIONS: [&str; 6] = [
    "eu-central-1",
    "eu-central-1",
    "eu-central-1",
    "eu-west-1",
    "us-east-1",
    "us-west-2",
];

/// How long this process has been running on a core: the time that others had it does not count. Where the system does not tell,
/// the time of the wall.
fn on_core() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let told = fs::read_to_string("/proc/self/schedstat").ok();
    let nanoseconds = told.and_then(|told| told.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

fn account(number: usize) -> String {
    format!("{:012}", 111_100_000_000_usize + number * 7_919)
}

/// Events that are named like their actions, from all services.
fn rare_events(random: &mut Random) -> Vec<(&'static str, &'static str)> {
    let services = catalogue().services();
    let all: Vec<_> = services
        .flat_map(|service| {
            service
                .actions()
                .map(|action| (service.prefix, action.name))
        })
        .collect();
    (0..RARE_EVENTS).map(|_| *random.pick(&all)).collect()
}

fn frequent_event(random: &mut Random) -> (&'static str, &'static str) {
    let weights: usize = FREQUENT.iter().map(|(_, _, weight)| weight).sum();
    let mut at = random.below(weights);
    let (source, name, _) = FREQUENT
        .iter()
        .find(|(_, _, weight)| match at.checked_sub(*weight) {
            Some(rest) => {
                at = rest;
                false
            }
            None => true,
        })
        .expect("below the sum of weights");
    (source, name)
}

fn record(random: &mut Random, rare: &[(&str, &str)], number: usize) -> String {
    let account = account(random.below(ACCOUNTS));
    let (source, name) = if random.percent(20) {
        *random.pick(rare)
    } else {
        frequent_event(random)
    };
    let region = if source == "iam" {
        "us-east-1"
    } else {
        random.pick(&REGIONS)
    };
    let role = random.below(ROLES);
    let identity = match random.below(100) {
        0 => format!(
            r#"{{"type":"Root","principalId":"{account}","arn":"arn:aws:iam::{account}:root","accountId":"{account}","accessKeyId":"ASIAIOSFODNN7EXAMPLE"}}"#
        ),
        1..10 => format!(
            r#"{{"type":"IAMUser","principalId":"AIDAJ45Q7YFFAREXAMPLE","arn":"arn:aws:iam::{account}:user/ci-{role}","accountId":"{account}","accessKeyId":"AKIAIOSFODNN7EXAMPLE","userName":"ci-{role}"}}"#
        ),
        10..15 => r#"{"type":"AWSService","invokedBy":"autoscaling.amazonaws.com"}"#.to_owned(),
        _ => format!(
            r#"{{"type":"AssumedRole","principalId":"AROAIDPPEZS35WEXAMPLE:job-{number}","arn":"arn:aws:sts::{account}:assumed-role/team-{role}/job-{number}","accountId":"{account}","accessKeyId":"ASIAIOSFODNN7EXAMPLE","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAIDPPEZS35WEXAMPLE","arn":"arn:aws:iam::{account}:role/teams/team-{role}","accountId":"{account}","userName":"team-{role}"}},"webIdFederationData":{{}},"attributes":{{"creationDate":"2026-11-02T01:06:28Z","mfaAuthenticated":"false"}}}}}}"#
        ),
    };
    let error = if random.percent(3) {
        r#""errorCode":"AccessDenied","errorMessage":"User is not authorized to perform this action",""#
    } else {
        "\""
    };
    let parameters = match source {
        "s3" => {
            format!(r#""bucketName":"team-{role}-data","key":"reports/{number}.csv""#)
        }
        "iam" => format!(r#""roleName":"team-{role}""#),
        _ => format!(r#""name":"team-{role}""#),
    };
    let ip = format!("203.0.113.{}", random.below(256));
    let (day, second) = (1 + random.below(28), random.below(86_400));
    let time = format!(
        "2026-11-{day:02}T{:02}:{:02}:{:02}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    );
    let id = random.next();
    format!(
        r#"{{"eventVersion":"1.09","userIdentity":{identity},"eventTime":"{time}","eventSource":"{source}.amazonaws.com","eventName":"{name}","awsRegion":"{region}","sourceIPAddress":"{ip}","userAgent":"aws-sdk-rust/1.3.9 os/linux lang/rust/1.94.0 md/\"a\" app/job-{role}",{error}requestParameters":{{{parameters},"durationSeconds":3600,"filterSet":{{"items":[{{"name":"tag:team","valueSet":{{"items":[{{"value":"team-{role}"}}]}}}}]}}}},"responseElements":{{"requestId":"b1c2d3e4-{id:016x}","credentials":{{"accessKeyId":"ASIAIOSFODNN7EXAMPLE","sessionToken":"FwoGZXIvYXdzEBYaDHqa0AP1BlahB2lahXcyUgqMEXAMPLETOKEN{id:016x}","expiration":"Nov 2, 2026, 2:06:28 AM"}}}},"additionalEventData":{{"SignatureVersion":"SigV4"}},"requestID":"c2d3e4f5-{id:016x}","eventID":"d3e4f5a6-0000-4000-8000-{id:016x}","readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"{account}","eventCategory":"Management","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{source}.{region}.amazonaws.com"}}}}"#
    )
}

fn levels(names: &[&str], further: Option<&str>) -> Levels {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scp");
    let policy = |text: &str| Policy::parse(text).expect("it is a policy");
    let mut attached = vec![Attached::new("FullAWSAccess", policy(FULL_AWS_ACCESS))];
    attached.extend(names.iter().map(|name| {
        let text =
            fs::read_to_string(folder.join(format!("{name}.json"))).expect("the policy is there");
        let text = text
            .replace(r#""${governed_regions}""#, r#""eu-central-1","eu-west-1""#)
            .replace("${execution_role}", "LandfallExecution")
            .replace("${log_bucket}", "example-logs");
        Attached::new(name, policy(&text))
    }));
    attached.extend(further.map(|text| Attached::new("from-offices", policy(text))));
    let full = Attached::new("FullAWSAccess", policy(FULL_AWS_ACCESS));
    vec![
        vec![Arc::new(full)],
        attached.into_iter().map(Arc::new).collect(),
    ]
}

fn main() -> ExitCode {
    let mut within = true;
    for (what, further) in [
        ("the catalogue", None),
        (
            "the catalogue and a policy that asks for address, time and program",
            Some(FROM_OFFICES),
        ),
    ] {
        let place = Arc::new(Place {
            org_path: Some("o-a1b2c3d4e5/r-f6g7/ou-f6g7-apps/".to_owned()),
            before: levels(&["deny-leave-organization"], None),
            after: levels(
                &[
                    "deny-leave-organization",
                    "protect-baseline",
                    "deny-root-user",
                    "deny-unused-regions",
                ],
                further,
            ),
        });
        let organization = Organization {
            id: Some("o-a1b2c3d4e5".to_owned()),
            management_account: Some("999999999999".to_owned()),
            accounts: (0..ACCOUNTS)
                .map(|number| (account(number), Arc::clone(&place)))
                .collect(),
            principal_tags: BTreeMap::new(),
        };
        let mut replay = Replay::new(&organization, GROUPS);
        let mut random = Random::new(4);
        let rare = rare_events(&mut random);
        let (mut took, mut bytes) = (Duration::ZERO, 0);
        let mut file = String::new();
        for number in 0..FILES {
            file.clear();
            file.push_str(r#"{"Records":["#);
            for index in 0..IN_A_FILE {
                let comma = if index == 0 { "" } else { "," };
                let record = record(&mut random, &rare, number * IN_A_FILE + index);
                write!(file, "{comma}{record}").expect("a string takes everything");
            }
            file.push_str("]}");
            bytes += file.len();
            let start = on_core();
            replay.log_file(&file).expect("it is a log file");
            took += on_core() - start;
        }
        let start = on_core();
        let report = replay.report();
        took += on_core() - start;
        let ratio = took.as_secs_f64() / LIMIT.as_secs_f64();
        let totals = &report.totals;
        println!(
            "{what}: {} records of {} MB in {took:.2?}, limit {LIMIT:.0?}, ratio {ratio:.3}",
            totals.records,
            bytes / 1_000_000,
        );
        println!(
            "  {totals:?}\n  {} groups, beyond them {:?}",
            report.groups.len(),
            report.other
        );
        if let Some(group) = report.groups.first() {
            let cause = group.causes.first().map(ToString::to_string);
            println!(
                "  most often {}: {} {} by {} in {}: {}",
                group.verdict(),
                group.count,
                group.actions.join(", "),
                group.principal,
                group.region,
                cause.unwrap_or_default()
            );
        }
        within &= ratio <= 1.0 && totals.is_consistent();
    }
    if within {
        ExitCode::SUCCESS
    } else {
        println!("over the limit");
        ExitCode::FAILURE
    }
}
