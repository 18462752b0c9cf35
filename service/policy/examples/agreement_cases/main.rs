//! Cases for `tests/policy-agreement`: requests and policies of all kinds, as lines of JSON, each with our decision.
//!
//! ```text
//! cargo run -p landfall-policy --example agreement_cases -- --seed 1 --cases 20000
//! ```

#![expect(clippy::print_stdout, reason = "a program whose output is its result")]

#[path = "../shared/random.rs"]
mod random;

mod conditions;
mod statements;

use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use landfall_policy::{Context, Decision, Kind, Layers, Policy, Reason, Request, decide};
use random::Random;
use serde_json::{Map, Value, json};
use statements::Asked;

fn main() -> io::Result<()> {
    let (mut seed, mut cases) = (1, 20_000);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok());
        match (name.as_str(), value) {
            ("--seed", Some(value)) => seed = value,
            ("--cases", Some(value)) => cases = value,
            _ => {
                println!("usage: agreement_cases [--seed N] [--cases N]");
                std::process::exit(2);
            }
        }
    }
    let mut out = BufWriter::new(io::stdout().lock());
    for number in 0..cases {
        let mut random = Random::new(seed ^ (number << 32));
        writeln!(out, "{}", case(&mut random, number))?;
    }
    out.flush()
}

/// Documents as JSON, for the other side, and parsed, for ours.
struct Documents {
    json: Vec<Value>,
    parsed: Vec<Arc<Policy>>,
}

fn documents(random: &mut Random, kind: Kind, asked: &Asked, most: usize) -> Documents {
    let json: Vec<Value> = (0..random.below(most + 1))
        .map(|_| statements::document(random, kind, asked))
        .collect();
    let parsed = json
        .iter()
        .map(|document| {
            let text = document.to_string();
            Arc::new(Policy::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}")))
        })
        .collect();
    Documents { json, parsed }
}

/// A policy that allows everything.
fn full(kind: Kind) -> Documents {
    let mut statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    if kind == Kind::ResourceControl
        && let Value::Object(fields) = &mut statement
    {
        fields.insert("Principal".to_owned(), json!("*"));
    }
    let document = json!({"Version": "2012-10-17", "Statement": [statement]});
    let parsed = Policy::parse(&document.to_string()).expect("it is a policy");
    Documents {
        json: vec![document],
        parsed: vec![Arc::new(parsed)],
    }
}

/// One level for each step of the path from the root.
fn levels(random: &mut Random, kind: Kind, asked: &Asked) -> Vec<Documents> {
    (0..=random.below(3))
        .map(|_| {
            let mut level = documents(random, kind, asked, 2);
            if random.percent(85) || kind == Kind::ResourceControl {
                let full = full(kind);
                level.json.extend(full.json);
                level.parsed.extend(full.parsed);
            }
            level
        })
        .collect()
}

fn case(random: &mut Random, number: u64) -> Value {
    let asked = statements::ask(random);
    let context = conditions::context(random, &asked);
    let own = asked.view.account().is_some();
    let is_root = asked.view.kind() == landfall_policy::PrincipalKind::Root;
    let with_session = asked.view.issuer_arn().is_some();
    // Half of the cases turn on one kind of policy alone, so that nothing else hides what it says.
    let kinds = [
        Kind::Identity,
        Kind::Boundary,
        Kind::Session,
        Kind::ServiceControl,
        Kind::ResourceControl,
        Kind::Resource,
    ];
    let focus = random.percent(50).then(|| *random.pick(&kinds));
    let mut has = |kind: Kind, percent: usize| match focus {
        Some(focus) => focus == kind,
        None => random.percent(percent),
    };
    let (by_identity, by_resource) = (has(Kind::Identity, 80), has(Kind::Resource, 45));
    let (by_boundary, by_session) = (has(Kind::Boundary, 25), has(Kind::Session, 25));
    let (by_scp, by_rcp) = (
        has(Kind::ServiceControl, 50),
        has(Kind::ResourceControl, 20),
    );
    let none = || Documents {
        json: Vec::new(),
        parsed: Vec::new(),
    };
    let identity = match (own && !is_root, by_identity) {
        (false, _) => none(),
        (true, true) => documents(random, Kind::Identity, &asked, 3),
        (true, false) => full(Kind::Identity),
    };
    let mut some = |kind, yes: bool, most| {
        if yes {
            documents(random, kind, &asked, most)
        } else {
            none()
        }
    };
    let resource_policy = some(Kind::Resource, by_resource, 1);
    let boundary = some(Kind::Boundary, by_boundary && own && !is_root, 1);
    let session = some(Kind::Session, by_session && with_session, 1);
    let mut path = |kind, yes: bool| {
        if yes {
            levels(random, kind, &asked)
        } else {
            Vec::new()
        }
    };
    let scps = path(Kind::ServiceControl, by_scp && own);
    let rcps = path(Kind::ResourceControl, by_rcp);
    let parsed = |levels: &[Documents]| -> Vec<Vec<Arc<Policy>>> {
        levels.iter().map(|level| level.parsed.clone()).collect()
    };
    let json = |levels: &[Documents]| -> Vec<Vec<Value>> {
        levels.iter().map(|level| level.json.clone()).collect()
    };
    let (scps_parsed, rcps_parsed) = (parsed(&scps), parsed(&rcps));
    let layers = Layers {
        identity: &identity.parsed,
        resource: resource_policy.parsed.first().map(Arc::as_ref),
        resource_account: Some(asked.resource_account),
        resource_must_allow: false,
        boundary: boundary.parsed.first().map(Arc::as_ref),
        session: session.parsed.first().map(Arc::as_ref),
        scps: &scps_parsed,
        rcps: &rcps_parsed,
    };
    let request = Request {
        principal: &asked.view,
        action: asked.action,
        resource: &asked.resource,
        context: &context,
    };
    let decision = decide(&layers, &request);
    let (verdict, why) = match &decision {
        Decision::Allowed => ("Allowed", String::new()),
        Decision::Denied(denial) => match denial.reason {
            Reason::Explicit(_) => ("ExplicitlyDenied", denial.to_string()),
            Reason::NoAllow { .. } => ("ImplicitlyDenied", denial.to_string()),
        },
    };
    json!({
        "case": number,
        "principal": asked.principal,
        "action": asked.action,
        "resource": asked.resource,
        "resource_account": asked.resource_account,
        "context": context_json(&context),
        "identity": identity.json,
        "resource_policy": resource_policy.json.first(),
        "boundary": boundary.json.first(),
        "session": session.json.first(),
        "scps": json(&scps),
        "rcps": json(&rcps),
        "verdict": verdict,
        "why": why,
    })
}

/// The keys that cases use, where the request has them. A key of one value is text, one of several a list.
fn context_json(context: &Context) -> Value {
    let derived = [
        "aws:PrincipalAccount",
        "aws:userid",
        "aws:PrincipalType",
        "aws:PrincipalIsAWSService",
        "aws:PrincipalServiceName",
        "aws:username",
        "aws:PrincipalArn",
    ];
    let keys = derived
        .into_iter()
        .chain(conditions::KEYS.iter().map(|key| key.name));
    let mut json = Map::new();
    for key in keys {
        match context.get(key) {
            [] => {}
            [value] => {
                json.insert(key.to_owned(), json!(value));
            }
            values => {
                json.insert(key.to_owned(), json!(values));
            }
        }
    }
    Value::Object(json)
}
