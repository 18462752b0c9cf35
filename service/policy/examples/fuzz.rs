//! Throws broken and odd documents, contexts and requests at everything that takes them, for a time, from a seed.
//!
//! ```text
//! cargo run --release -p landfall-policy --example fuzz -- --seconds 600 --seed 1
//! ```
//!
//! It prints how many it tried, every panic with its input, and the slowest input. An execution of more than ten seconds is
//! a hang: the input is printed and the program ends.

#![expect(clippy::print_stdout, reason = "a program whose output is its result")]

#[path = "agreement_cases/conditions.rs"]
mod conditions;
#[path = "shared/random.rs"]
mod random;
#[path = "agreement_cases/statements.rs"]
mod statements;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use landfall_policy::lint::{Limits, lint};
use landfall_policy::lockout::{self, Keeper, Unit};
use landfall_policy::pack::{Source, pack};
use landfall_policy::replay::{Organization, Place, Replay};
use landfall_policy::{
    Attached, Context, Glob, Kind, Layers, Levels, Policy, PrincipalView, Request, decide, explain,
};
use random::Random;
use serde_json::json;

const KINDS: [Kind; 7] = [
    Kind::Identity,
    Kind::Resource,
    Kind::Trust,
    Kind::ServiceControl,
    Kind::ResourceControl,
    Kind::Session,
    Kind::Boundary,
];

/// Pieces of policies, right and wrong.
const PIECES: [&str; 40] = [
    "*",
    "?",
    "**",
    "${aws:username}",
    "${aws:PrincipalTag/t, 'x'}",
    "${*}",
    "${",
    "}",
    "${$}",
    "arn:",
    "arn:aws:s3:::b/*",
    ":",
    "::::::",
    "s3:*",
    "S3:GetObject",
    "\\u0000",
    "\u{1F600}",
    "ß",
    "2012-10-17",
    "2008-10-17",
    "Deny",
    "Allow",
    "NotAction",
    "NotResource",
    "Condition",
    "ForAllValues:",
    "ForAnyValue:",
    "IfExists",
    "StringLike",
    "ArnNotLike",
    "NumericLessThan",
    "DateEquals",
    "IpAddress",
    "2026-02-29T25:61:61Z",
    "0.0.0.0/0",
    "::/129",
    "1e400",
    "-0",
    "QQ==",
    "a*a*a*a*a*a*a*a*",
];

struct Figures {
    executions: u64,
    parsed: u64,
    panics: u64,
    slowest: (Duration, String),
}

fn main() {
    let (mut seconds, mut seed) = (60, 1);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok());
        match (name.as_str(), value) {
            ("--seconds", Some(value)) => seconds = value,
            ("--seed", Some(value)) => seed = value,
            _ => {
                println!("usage: fuzz [--seconds N] [--seed N]");
                std::process::exit(2);
            }
        }
    }
    let under_way: Arc<Mutex<Option<(Instant, String)>>> = Arc::default();
    watch(Arc::clone(&under_way));
    std::panic::set_hook(Box::new(|_| {}));

    let mut random = Random::new(seed);
    let mut figures = Figures {
        executions: 0,
        parsed: 0,
        panics: 0,
        slowest: (Duration::ZERO, String::new()),
    };
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        let text = document(&mut random);
        let start = Instant::now();
        *under_way.lock().expect("no thread panics with it") = Some((start, text.clone()));
        let outcome = catch_unwind(AssertUnwindSafe(|| try_all(&text, &mut random)));
        let took = start.elapsed();
        figures.executions += 1;
        match outcome {
            Ok(parsed) => figures.parsed += u64::from(parsed),
            Err(_) => {
                figures.panics += 1;
                println!("panic: {text:?}");
            }
        }
        if took > figures.slowest.0 {
            figures.slowest = (took, text);
        }
    }
    println!(
        "seed {seed}, {seconds} s: {} executions, {} documents parsed, {} panics, 0 hangs",
        figures.executions, figures.parsed, figures.panics
    );
    let (took, text) = figures.slowest;
    let shown: String = text.chars().take(2_000).collect();
    println!("slowest: {took:.2?} for {} bytes: {shown}", text.len());
    std::process::exit(i32::from(figures.panics > 0));
}

/// Ends the program with the input if one execution takes more than ten seconds.
fn watch(under_way: Arc<Mutex<Option<(Instant, String)>>>) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let under_way = under_way.lock().expect("no thread panics with it");
            if let Some((start, text)) = &*under_way
                && start.elapsed() > Duration::from_secs(10)
            {
                println!("hang: {text:?}");
                std::process::exit(1);
            }
        }
    });
}

/// A document that is right, or was before it was broken.
fn document(random: &mut Random) -> String {
    let asked = statements::ask(random);
    let kind = *random.pick(&KINDS);
    let mut text = statements::document(random, kind, &asked).to_string();
    if random.percent(10) {
        text = format!("{{\"Statement\":{}}}", nested(random, 6));
    }
    for _ in 0..random.below(6) {
        text = broken(random, &text);
    }
    text
}

fn nested(random: &mut Random, depth: usize) -> String {
    let piece = json!(random.pick(&PIECES)).to_string();
    match random.below(if depth == 0 { 4 } else { 8 }) {
        0 => "null".to_owned(),
        1 => random.percent(50).to_string(),
        2 => format!("{}", random.next() as i64),
        3 => piece,
        4 | 5 => {
            let items: Vec<String> = (0..random.below(4))
                .map(|_| nested(random, depth - 1))
                .collect();
            format!("[{}]", items.join(","))
        }
        _ => {
            let fields: Vec<String> = (0..random.below(4))
                .map(|_| {
                    format!(
                        "{}:{}",
                        json!(random.pick(&PIECES)),
                        nested(random, depth - 1)
                    )
                })
                .collect();
            format!("{{{}}}", fields.join(","))
        }
    }
}

/// One change: a part cut out, doubled or swapped, a piece put in, a byte changed, a string filled up.
fn broken(random: &mut Random, text: &str) -> String {
    let bounds: Vec<usize> = text
        .char_indices()
        .map(|(at, _)| at)
        .chain([text.len()])
        .collect();
    let (mut from, mut to) = (*random.pick(&bounds), *random.pick(&bounds));
    if random.percent(70) {
        to = bounds
            .iter()
            .copied()
            .find(|at| *at >= from + 6)
            .unwrap_or(text.len());
    }
    if from > to {
        std::mem::swap(&mut from, &mut to);
    }
    let (front, part, back) = (&text[..from], &text[from..to], &text[to..]);
    match random.below(7) {
        0 => format!("{front}{back}"),
        1 => format!("{front}{part}{part}{back}"),
        2 => format!("{front}{}{part}{back}", random.pick(&PIECES)),
        3 => format!("{front}{}{back}", random.pick(&PIECES)),
        4 => format!(
            "{front}{}{part}{back}",
            random.pick(&PIECES).repeat(random.below(40))
        ),
        5 => {
            // A value in quotes becomes another.
            match (part.find('"'), part.rfind('"')) {
                (Some(start), Some(end)) if start < end => {
                    format!(
                        "{front}{}{}{}{back}",
                        &part[..start],
                        json!(random.pick(&PIECES)),
                        &part[end + 1..]
                    )
                }
                _ => format!("{front}{part}{back}"),
            }
        }
        _ => {
            let mut bytes = text.as_bytes().to_vec();
            if !bytes.is_empty() {
                let at = random.below(bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = (random.next() & 0x7f) as u8;
                }
            }
            String::from_utf8_lossy(&bytes).into_owned()
        }
    }
}

fn odd(random: &mut Random) -> String {
    (0..random.below(5))
        .map(|_| *random.pick(&PIECES))
        .collect()
}

/// Whether it parsed. What holds for every document is asserted on the way.
fn try_all(text: &str, random: &mut Random) -> bool {
    let policy = match Policy::parse(text) {
        Ok(policy) => policy,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    for kind in KINDS {
        for problem in policy.problems(kind) {
            assert!(!problem.to_string().is_empty());
        }
    }
    let minified = policy.to_minified();
    let again = Policy::parse(&minified).expect("what was written is read");
    assert_eq!(again.to_minified(), minified);

    let asked = statements::ask(random);
    let mut context = conditions::context(random, &asked);
    for key in conditions::KEYS
        .iter()
        .filter(|_| random.percent(20))
        .collect::<Vec<_>>()
    {
        context.set_all(
            key.name,
            (0..random.below(3))
                .map(|_| odd(random))
                .collect::<Vec<_>>(),
        );
    }
    let (action, resource) = (odd(random), odd(random));
    let odd_arn = PrincipalView::from_arn(&format!(
        "arn:aws:sts::111122223333:assumed-role/{}/{}",
        odd(random),
        odd(random)
    ));
    let shared = [Arc::new(policy.clone())];
    let level = [shared.to_vec()];
    let layers = Layers {
        identity: &shared,
        resource: Some(&policy),
        resource_account: random.percent(50).then_some(asked.resource_account),
        resource_must_allow: random.percent(20),
        boundary: random.percent(50).then_some(&policy),
        session: random.percent(50).then_some(&policy),
        scps: &level,
        rcps: &level,
    };
    for principal in [Some(&asked.view), odd_arn.as_ref()].into_iter().flatten() {
        for (action, resource, context) in [
            (asked.action, asked.resource.as_str(), &context),
            (action.as_str(), resource.as_str(), &Context::of(principal)),
        ] {
            let request = Request {
                principal,
                action,
                resource,
                context,
            };
            let verdict = policy.evaluate(&request);
            assert_eq!(verdict, again.evaluate(&request));
            let explanation = explain(&layers, &request);
            assert_eq!(explanation.decision, decide(&layers, &request));
            assert!(!explanation.to_string().is_empty());
        }
    }
    Glob::new(&action).matches(&resource);
    if random.percent(25) {
        judge(&policy, random);
    }
    if random.percent(25) {
        let findings = lint(text, *random.pick(&KINDS), Limits::OLDER).expect("it parsed before");
        assert!(
            findings
                .iter()
                .all(|finding| !finding.to_string().is_empty())
        );
    }
    if random.percent(25) {
        let source = |name: &str, policy: Policy| Source {
            name: name.to_owned(),
            policy,
        };
        let limits = Limits {
            characters: 200 + random.below(2_000),
            attached: random.below(12),
        };
        let other =
            Policy::parse(&statements::document(random, Kind::ServiceControl, &asked).to_string());
        let sources: Vec<Source> = [Some(policy), other.ok()]
            .into_iter()
            .flatten()
            .map(|policy| source("any", policy))
            .collect();
        match pack(&sources, limits) {
            Ok(packed) => assert!(
                packed
                    .policies
                    .iter()
                    .all(|policy| policy.text.chars().count() <= limits.characters)
            ),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    true
}

/// A recorded call, to be broken.
const RECORD: &str = r#"{"eventVersion":"1.09","userIdentity":{"type":"AssumedRole","principalId":"AROA:x","arn":"arn:aws:sts::222222222222:assumed-role/Developer/alice","accountId":"222222222222","sessionContext":{"sessionIssuer":{"type":"Role","arn":"arn:aws:iam::222222222222:role/Developer","accountId":"222222222222"},"attributes":{"mfaAuthenticated":"false"}}},"eventTime":"2026-11-02T12:00:00Z","eventSource":"s3.amazonaws.com","eventName":"DeleteBucket","awsRegion":"eu-west-1","sourceIPAddress":"203.0.113.7","userAgent":"[aws-cli]","requestParameters":{"bucketName":"b","Host":"s3.eu-west-1.amazonaws.com"},"resources":[{"type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::b"}],"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"222222222222"}"#;

/// What is judged by policies of anybody's: recorded calls, broken or not, and whether a role can still work.
fn judge(policy: &Policy, random: &mut Random) {
    let level = |policy: &Policy| vec![vec![Arc::new(Attached::new("any", policy.clone()))]];
    let place = Arc::new(Place {
        org_path: random.percent(50).then(|| odd(random)),
        before: Levels::new(),
        after: level(policy),
    });
    let organization = Organization {
        id: random.percent(50).then(|| odd(random)),
        management_account: None,
        accounts: [("222222222222".to_owned(), Arc::clone(&place))].into(),
        principal_tags: BTreeMap::new(),
    };
    let mut replay = Replay::new(&organization, 1 + random.below(3));
    for records in 1..=4 {
        let mut record = RECORD.to_owned();
        for _ in 0..random.below(4) {
            record = broken(random, &record);
        }
        replay.record(&record);
        let totals = replay.report().totals;
        assert_eq!(totals.records, records, "every record is counted");
    }
    let mut file = format!("{{\"Records\":[{RECORD},{RECORD}]}}");
    for _ in 0..random.below(4) {
        file = broken(random, &file);
    }
    if let Err(error) = replay.log_file(&file) {
        assert!(!error.to_string().is_empty());
    }
    let unit = Unit {
        name: odd(random),
        org_path: None,
        accounts: vec!["222222222222".to_owned()],
        before: Levels::new(),
        after: level(policy),
    };
    let keeper = Keeper {
        role: "arn:aws:iam::*:role/Keeper".to_owned(),
        actions: vec!["s3:GetObject".to_owned(), odd(random)],
        known: BTreeMap::new(),
    };
    let found = lockout::check(&lockout::Check {
        organization: None,
        units: &[unit],
        keepers: &[keeper],
        regions: &["eu-west-1".to_owned()],
    });
    assert!(found.iter().all(|lockout| !lockout.to_string().is_empty()));
}
