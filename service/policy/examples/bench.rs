//! What deciding and packing cost, as ratios to what they may cost.
//!
//! ```text
//! cargo run --release -p landfall-policy --example bench
//! ```

#![expect(clippy::print_stdout, reason = "a program whose output is its result")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use landfall_policy::lint::{Limits, lint};
use landfall_policy::pack::{Source, pack};
use landfall_policy::{Context, Kind, Policy, PrincipalView, Request};
use serde_json::{Value, json};

const STATEMENTS: usize = 50;
const PACKED: usize = 200;

/// The least of several times, divided by how often it was done in each.
fn least(rounds: usize, times: usize, mut act: impl FnMut()) -> Duration {
    let one = |_| {
        let start = Instant::now();
        for _ in 0..times {
            act();
        }
        start.elapsed() / u32::try_from(times).unwrap_or(u32::MAX)
    };
    (0..rounds).map(one).min().unwrap_or_default()
}

fn report(what: &str, took: Duration, limit: Duration) -> bool {
    let ratio = took.as_secs_f64() / limit.as_secs_f64();
    println!("{what}: {took:.2?}, limit {limit:.0?}, ratio {ratio:.3}");
    ratio <= 1.0
}

/// Statements like those of SCPs, none of which denies the request, so that all of them are looked at.
fn statements(count: usize) -> Vec<Value> {
    let services = [
        "ec2",
        "s3",
        "rds",
        "iam",
        "kms",
        "sqs",
        "sns",
        "lambda",
        "config",
        "guardduty",
    ];
    let conditions = [
        json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/LandfallExecution"}}),
        json!({"StringNotEquals": {"aws:RequestedRegion": ["eu-central-1", "eu-west-1"]}}),
        json!({"Bool": {"aws:SecureTransport": "false"}}),
        json!({"StringNotEqualsIfExists": {"ec2:InstanceType": ["t3.micro", "t3.small"]}}),
    ];
    (0..count)
        .map(|number| {
            let service = services
                .get(number % services.len())
                .copied()
                .unwrap_or("s3");
            let actions: Vec<String> = (0..6)
                .map(|action| match action {
                    0 => format!("{service}:Delete{number}*"),
                    1 => format!("{service}:*Policy{number}"),
                    _ => format!("{service}:PutThing{number}x{action}"),
                })
                .collect();
            let every = number % 8 == 0;
            let resource = match number % 3 {
                0 => json!("*"),
                1 => json!(format!("arn:aws:{service}:*:*:thing/landfall{number}*")),
                _ => json!([
                    format!("arn:aws:{service}:*:*:a/{number}"),
                    format!("arn:aws:{service}:*:*:b/{number}/*")
                ]),
            };
            json!({
                "Sid": format!("Statement{number}"),
                "Effect": "Deny",
                "Action": if every { json!(["*"]) } else { json!(actions) },
                "Resource": if every { json!("*") } else { resource },
                "Condition": conditions.get(if every { 1 } else { number % conditions.len() }),
            })
        })
        .collect()
}

fn main() {
    let document =
        json!({"Version": "2012-10-17", "Statement": statements(STATEMENTS)}).to_string();
    let policy = Policy::parse(&document).expect("it is a policy");
    let ask = || {
        let principal =
            PrincipalView::role_session("arn:aws:iam::111122223333:role/team/Deploy", "job")
                .expect("it is a role");
        let context = Context::of(&principal)
            .with("aws:RequestedRegion", "eu-west-1")
            .with("aws:SecureTransport", "true")
            .with("ec2:InstanceType", "t3.micro");
        let request = Request {
            principal: &principal,
            action: "ec2:RunInstances",
            resource: "arn:aws:ec2:eu-west-1:111122223333:instance/i-0a1b2c3d4e5f",
            context: &context,
        };
        black_box(policy.evaluate(black_box(&request)));
    };
    let mut within = report(
        &format!("read a request and decide it by {STATEMENTS} statements"),
        least(50, 2_000, ask),
        Duration::from_micros(5),
    );
    let parse = least(20, 50, || {
        black_box(Policy::parse(black_box(&document)).is_ok());
    });
    println!(
        "parse those {} characters: {parse:.2?}, no limit",
        document.len()
    );

    let files = |statements: Vec<Value>| -> Vec<Source> {
        let chunks = statements.chunks(10).enumerate();
        chunks
            .map(|(number, chunk)| {
                let document = json!({"Version": "2012-10-17", "Statement": chunk});
                Source {
                    name: format!("file-{number}"),
                    policy: Policy::parse(&document.to_string()).expect("it is a policy"),
                }
            })
            .collect()
    };
    let limits = Limits {
        attached: 100,
        ..Limits::default()
    };
    let apart: Vec<Value> = statements(PACKED)
        .into_iter()
        .enumerate()
        .map(|(number, mut statement)| {
            if let Value::Object(fields) = &mut statement {
                let condition =
                    json!({"StringNotEquals": {"aws:PrincipalTag/team": format!("team{number}")}});
                fields.insert("Condition".to_owned(), condition);
            }
            statement
        })
        .collect();
    for (kind, statements) in [
        ("like an SCP's", statements(PACKED)),
        ("that must stay apart", apart),
    ] {
        let sources = files(statements);
        let packed = pack(&sources, limits).expect("there is room");
        let written: usize = sources
            .iter()
            .map(|source| source.policy.to_minified().len())
            .sum();
        let what = format!(
            "pack {PACKED} statements {kind} ({written} characters into {} in {} policies)",
            packed.characters(),
            packed.policies.len()
        );
        let took = least(10, 1, || {
            black_box(pack(black_box(&sources), limits).is_ok());
        });
        within &= report(&what, took, Duration::from_millis(50));
    }

    let first = Instant::now();
    let _ = lint(&document, Kind::ServiceControl, Limits::default());
    let first = first.elapsed();
    let took = least(5, 1, || {
        black_box(
            lint(
                black_box(&document),
                Kind::ServiceControl,
                Limits::default(),
            )
            .is_ok(),
        );
    });
    println!("lint {STATEMENTS} statements: {took:.2?}, the first time {first:.2?}, no limit");
    if !within {
        println!("over the limit");
        std::process::exit(1);
    }
}
