//! Requests, and statements that speak of them more often than not.

use landfall_policy::{Kind, PrincipalView};
use serde_json::{Map, Value, json};

use crate::conditions;
use crate::random::Random;

const ACCOUNT: &str = "111122223333";
const OTHER: &str = "444455556666";

/// Who wants to do what to what.
pub(crate) struct Asked {
    pub(crate) principal: &'static str,
    pub(crate) view: PrincipalView,
    pub(crate) action: &'static str,
    pub(crate) resource: String,
    pub(crate) resource_account: &'static str,
}

const ACTIONS: [&str; 7] = [
    "s3:GetObject",
    "s3:PutObject",
    "ec2:RunInstances",
    "sqs:SendMessage",
    "dynamodb:GetItem",
    "lambda:InvokeFunction",
    "ec2:DescribeRegions",
];

const USER: &str = "arn:aws:iam::111122223333:user/team/alice";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/Deploy/job";
const ROLE: &str = "arn:aws:iam::111122223333:role/ci/Deploy";
const LINKED: &str = "arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForConfig/config";
const LINKED_ROLE: &str =
    "arn:aws:iam::111122223333:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig";
const FEDERATED: &str = "arn:aws:sts::111122223333:federated-user/bob";
const ROOT: &str = "arn:aws:iam::111122223333:root";
const SERVICE: &str = "config.amazonaws.com";

pub(crate) fn ask(random: &mut Random) -> Asked {
    let principal = *random.pick(&[
        USER, USER, USER, USER, SESSION, SESSION, SESSION, SESSION, FEDERATED, LINKED, ROOT,
        SERVICE,
    ]);
    let read = || PrincipalView::from_arn(principal).expect("all of these are principals");
    let view = match principal {
        SERVICE => PrincipalView::service(SERVICE),
        SESSION => read()
            .with_role(ROLE)
            .with_unique_id("AROAEXAMPLEEXAMPLE:job"),
        LINKED => read()
            .with_role(LINKED_ROLE)
            .with_unique_id("AROALINKEDLINKEDLI:config"),
        FEDERATED => read().with_role("arn:aws:iam::111122223333:user/bob"),
        USER => read().with_unique_id("AIDAEXAMPLEEXAMPLE"),
        _ => read(),
    };
    let action = *random.pick(&ACTIONS);
    let resource_account = if random.percent(70) { ACCOUNT } else { OTHER };
    let resource = match action {
        "s3:GetObject" | "s3:PutObject" => {
            let key = *random.pick(&["alice/a.txt", "blue/x", "logs/2026/*", "bob", "a:b"]);
            format!("arn:aws:s3:::bucket-{}/{key}", random.pick(&["one", "two"])).replace('*', "s")
        }
        "ec2:RunInstances" => {
            format!("arn:aws:ec2:eu-west-1:{resource_account}:instance/i-0a1b2c")
        }
        "sqs:SendMessage" => format!("arn:aws:sqs:eu-west-1:{resource_account}:alice-queue"),
        "dynamodb:GetItem" => {
            format!("arn:aws:dynamodb:eu-west-1:{resource_account}:table/prod-orders")
        }
        "lambda:InvokeFunction" => {
            format!("arn:aws:lambda:eu-west-1:{resource_account}:function:job:7")
        }
        _ => "*".to_owned(),
    };
    Asked {
        principal,
        view,
        action,
        resource,
        resource_account,
    }
}

pub(crate) fn document(random: &mut Random, kind: Kind, asked: &Asked) -> Value {
    let variables = !random.percent(6);
    let statements: Vec<Value> = (0..=random.below(3))
        .map(|_| statement(random, kind, asked, variables))
        .collect();
    let mut document = Map::new();
    match (variables, random.percent(50)) {
        (true, _) => {
            document.insert("Version".to_owned(), json!("2012-10-17"));
        }
        (false, true) => {
            document.insert("Version".to_owned(), json!("2008-10-17"));
        }
        (false, false) => {}
    }
    let listed = statements.len() > 1 || random.percent(50);
    let statements = if listed {
        json!(statements)
    } else {
        statements.into_iter().next().unwrap_or_default()
    };
    document.insert("Statement".to_owned(), statements);
    Value::Object(document)
}

fn statement(random: &mut Random, kind: Kind, asked: &Asked, variables: bool) -> Value {
    let mut statement = Map::new();
    let deny = kind == Kind::ResourceControl || random.percent(25);
    let effect = if deny { "Deny" } else { "Allow" };
    statement.insert("Effect".to_owned(), json!(effect));
    match kind {
        Kind::Resource => {
            let inverted = deny && random.percent(40);
            let name = if inverted {
                "NotPrincipal"
            } else {
                "Principal"
            };
            statement.insert(name.to_owned(), principal(random, asked));
        }
        Kind::ResourceControl => {
            statement.insert("Principal".to_owned(), json!("*"));
        }
        _ => {}
    }
    let inverted = kind != Kind::ResourceControl && random.percent(20);
    let name = if inverted { "NotAction" } else { "Action" };
    statement.insert(
        name.to_owned(),
        list(random, |random| action(random, asked)),
    );
    let inverted = random.percent(20);
    let name = if inverted { "NotResource" } else { "Resource" };
    // AWS refuses ARNs that are cut short without a wildcard here.
    let short = matches!(kind, Kind::Identity | Kind::Boundary);
    statement.insert(
        name.to_owned(),
        list(random, |random| resource(random, asked, short)),
    );
    if random.percent(if deny { 85 } else { 45 }) {
        let condition = conditions::element(random, asked, variables);
        statement.insert("Condition".to_owned(), condition);
    }
    Value::Object(statement)
}

fn list(random: &mut Random, mut item: impl FnMut(&mut Random) -> String) -> Value {
    let items: Vec<String> = (0..=random.below(3)).map(|_| item(random)).collect();
    match items.as_slice() {
        [only] if random.percent(60) => json!(only),
        _ => json!(items),
    }
}

fn principal(random: &mut Random, asked: &Asked) -> Value {
    if random.percent(25) {
        return json!("*");
    }
    let names = [
        ACCOUNT,
        "arn:aws:iam::111122223333:root",
        USER,
        ROLE,
        SESSION,
        FEDERATED,
        "arn:aws:iam::111122223333:user/bob",
        LINKED_ROLE,
        OTHER,
    ];
    let mut map = Map::new();
    if asked.principal == SERVICE || random.percent(15) {
        let service = *random.pick(&[SERVICE, "sns.amazonaws.com"]);
        map.insert("Service".to_owned(), json!(service));
    }
    if map.is_empty() || random.percent(40) {
        let listed = list(random, |random| (*random.pick(&names)).to_owned());
        map.insert("AWS".to_owned(), listed);
    }
    Value::Object(map)
}

fn action(random: &mut Random, asked: &Asked) -> String {
    let (service, operation) = asked.action.split_once(':').expect("an action has a colon");
    let (head, tail) = operation.split_at(3);
    match random.below(10) {
        0 => "*".to_owned(),
        1 => format!("{service}:*"),
        2 => format!("{service}:{head}*"),
        3 => format!("{service}:*{}", tail.get(1..).unwrap_or(tail)),
        4 => format!("{service}:?{}", operation.get(1..).unwrap_or(operation)),
        5 => asked.action.to_uppercase(),
        6 | 7 => (*random.pick(&ACTIONS)).to_owned(),
        _ => asked.action.to_owned(),
    }
}

/// `short`: whether an ARN may have fewer than six parts.
fn resource(random: &mut Random, asked: &Asked, short: bool) -> String {
    let arn = asked.resource.as_str();
    if arn == "*" || random.percent(12) {
        return "*".to_owned();
    }
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, _, service, region, account, name] = parts.as_slice() else {
        return "*".to_owned();
    };
    let type_end = name.find(['/', ':']).map_or(0, |at| at + 1);
    let (sort, id) = name.split_at(type_end);
    let cut = |at: usize| id.get(..at.min(id.len())).unwrap_or(id);
    let front = format!("arn:aws:{service}:{region}:{account}:");
    match random.below(18) {
        0 => format!("arn:aws:{service}:*:*:*"),
        1 => format!("arn:aws:{service}:*"),
        2 if short => format!("arn:aws:{service}"),
        3 if short => format!("arn:aws:{service}:{region}"),
        2 | 3 => format!("arn:aws:{service}:*:{account}:{name}"),
        4 => format!("{front}{sort}{}*", cut(2)),
        5 => format!("{front}{sort}*{}", id.get(1..).unwrap_or("")),
        6 => format!("{front}{sort}?{}", id.get(1..).unwrap_or("")),
        7 => format!("{front}{sort}${{aws:username}}*"),
        8 => format!("{front}{sort}${{aws:PrincipalTag/team, 'alice'}}/*"),
        9 => format!("{front}{sort}${{aws:PrincipalTag/team}}/x"),
        10 => format!("{front}{sort}{}${{*}}", cut(3)),
        11 => format!("arn:aws:{service}:e*1:*:{name}"),
        // With six parts or more only where the name has a colon of its own.
        12 if short || name.contains(':') => format!("arn:aws:{service}:eu-*:{name}"),
        13 => format!("arn:aws:{service}:{region}:1111*3333:{sort}*"),
        14 => "arn:aws:s3:::bucket-two/*".to_owned(),
        15 => format!("{front}{sort}other"),
        _ => arn.to_owned(),
    }
}
