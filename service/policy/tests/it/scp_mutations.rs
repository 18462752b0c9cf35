//! Each part of each policy is there for a decision of its table: without the part, the table no longer holds.

use landfall_policy::Policy;
use serde_json::Value;

use crate::scp;

/// A policy without one part, and which.
struct Mutation {
    what: String,
    document: Value,
}

/// The document without each statement, condition, limit to resources, and element of a list.
fn mutations(document: &Value) -> Vec<Mutation> {
    let mut all = Vec::new();
    let statements = document["Statement"].as_array().unwrap();
    for (index, statement) in statements.iter().enumerate() {
        let sid = statement["Sid"].as_str().unwrap();
        let mut without = |what: String, remove: &dyn Fn(&mut Value)| {
            let mut document = document.clone();
            remove(&mut document["Statement"][index]);
            all.push(Mutation {
                what: format!("{sid} without {what}"),
                document,
            });
        };
        for element in ["Action", "NotAction", "Resource"] {
            for (at, pattern) in several(&statement[element]).iter().enumerate() {
                without(format!("{element} {pattern}"), &|statement| {
                    statement[element].as_array_mut().unwrap().remove(at);
                });
            }
        }
        if statement["Resource"] != "*" {
            without("its Resource".to_owned(), &|statement| {
                statement["Resource"] = Value::from("*");
            });
        }
        let conditions = statement["Condition"].as_object();
        for (operator, keys) in conditions.into_iter().flatten() {
            for (key, values) in keys.as_object().unwrap() {
                without(format!("{operator} {key}"), &|statement| {
                    let keys = statement["Condition"][operator].as_object_mut();
                    keys.unwrap().remove(key);
                });
                for (at, value) in several(values).iter().enumerate() {
                    without(format!("{operator} {key} {value}"), &|statement| {
                        let values = statement["Condition"][operator][key].as_array_mut();
                        values.unwrap().remove(at);
                    });
                }
            }
        }
        let mut document = document.clone();
        document["Statement"].as_array_mut().unwrap().remove(index);
        all.push(Mutation {
            what: format!("without {sid}"),
            document,
        });
    }
    all
}

/// The elements of a list that stays one without any of them.
fn several(value: &Value) -> &[Value] {
    value
        .as_array()
        .map_or(&[], |list| if list.len() > 1 { list } else { &[] })
}

#[test]
fn every_part_of_a_policy_stands_in_its_table() {
    let mut unseen = Vec::new();
    for name in scp::policy_names() {
        let table = scp::table(&name);
        let document: Value = serde_json::from_str(&scp::filled_in(&name)).unwrap();
        let whole = Policy::parse(&document.to_string()).unwrap();
        assert!(scp::broken(whole, &table).is_none(), "{name}");
        for Mutation { what, document } in mutations(&document) {
            // A policy without statements denies nothing, and would not be attached.
            if document["Statement"] == Value::Array(Vec::new()) {
                continue;
            }
            let policy = Policy::parse(&document.to_string()).unwrap();
            if scp::broken(policy, &table).is_none() {
                unseen.push(format!("{name}: {what}"));
            }
        }
    }
    assert!(
        unseen.is_empty(),
        "no decision of the table needs these:\n{}",
        unseen.join("\n")
    );
}
