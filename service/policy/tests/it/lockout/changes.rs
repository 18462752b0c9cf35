//! Ways to change the catalogue.

use landfall_policy::Glob;
use serde_json::json;

use super::{ACCOUNT, Documents, ROLE, list, statements};
use crate::random::Random;

/// Statements (name and index) without which Landfall could not do its work if they did not spare it.
fn sparing(documents: &Documents, needed: &[String]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (name, document) in documents {
        for (index, statement) in document["Statement"].as_array().unwrap().iter().enumerate() {
            let spares = !statement["Condition"]["ArnNotLike"].is_null();
            let in_regions = !statement["Condition"]["StringNotEquals"].is_null();
            if !spares || in_regions {
                continue;
            }
            let globs: Vec<Glob> = list(&statement["Action"])
                .iter()
                .map(|action| Glob::new(action))
                .collect();
            if needed
                .iter()
                .any(|action| globs.iter().any(|glob| glob.matches(action)))
            {
                found.push((name.clone(), index));
            }
        }
    }
    assert!(found.len() >= 8, "{found:?}");
    found
}

fn misspelt(random: &mut Random, role: &str) -> String {
    let start = role.rfind('/').unwrap() + 1;
    let mut letters: Vec<char> = role.chars().collect();
    let at = start + random.below(letters.len() - start);
    match random.below(3) {
        0 => {
            letters.remove(at);
        }
        1 => letters.insert(at, 'x'),
        _ => {
            letters[at] = if letters[at].is_lowercase() {
                letters[at].to_ascii_uppercase()
            } else {
                letters[at].to_ascii_lowercase()
            }
        }
    }
    letters.into_iter().collect()
}

/// Changes the documents so that Landfall is locked out. Returns the name of the changed policy and what was done.
pub(super) fn lock_out(
    random: &mut Random,
    documents: &mut Documents,
    needed: &[String],
) -> (String, &'static str) {
    let sparing = sparing(documents, needed);
    let (name, index) = random.pick(&sparing).clone();
    let kind = random.below(12);
    let statement = &mut statements(documents.get_mut(&name).unwrap())[index];
    let condition = &mut statement["Condition"];
    let what = match kind {
        0 => {
            statement.as_object_mut().unwrap().remove("Condition");
            "the exemption is gone"
        }
        1 | 2 => {
            condition["ArnNotLike"]["aws:PrincipalArn"] = json!(misspelt(random, ROLE));
            "the role is misspelt"
        }
        3 => {
            condition["ArnNotLike"]["aws:PrincipalArn"] = json!(ROLE.replace('*', ACCOUNT));
            "one account alone is spared"
        }
        4 => {
            *condition = json!({"ArnLike": {"aws:PrincipalArn": ROLE}});
            "the operator is the wrong way round"
        }
        5 => {
            *condition = json!({"StringNotEquals": {"aws:PrincipalArn": ROLE}});
            "the operator takes no wildcards"
        }
        6 => {
            *condition = json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:sts::*:assumed-role/LandfallExecution/*"}});
            "the session is spared, not the role"
        }
        7 => {
            *condition = json!({"Bool": {"aws:MultiFactorAuthPresent": "false"}});
            "only MFA is spared"
        }
        8 => {
            let action = if random.percent(50) {
                "*".to_owned()
            } else {
                let action = random.pick(needed);
                format!("{}:*", action.split_once(':').unwrap().0)
            };
            let name = random
                .pick(&[
                    "deny-leave-organization",
                    "deny-root-user",
                    "protect-baseline",
                ])
                .to_string();
            let deny =
                json!({"Sid": "DenyMore", "Effect": "Deny", "Action": action, "Resource": "*"});
            statements(documents.get_mut(&name).unwrap()).push(deny);
            return (name, "a statement denies all");
        }
        9 => {
            let name = "deny-unused-regions".to_owned();
            let statement = &mut statements(documents.get_mut(&name).unwrap())[0];
            statement["Condition"]
                .as_object_mut()
                .unwrap()
                .remove("ArnNotLike");
            if random.percent(50) {
                let spared = random.pick(&["iam:*", "account:*"]);
                statement["NotAction"]
                    .as_array_mut()
                    .unwrap()
                    .retain(|action| action != spared);
                return (name, "a global service is not spared");
            }
            let region = *random.pick(&["eu-central-1", "eu-west-1", "eu-north-1"]);
            statement["Condition"]["StringNotEquals"]["aws:RequestedRegion"] = json!([region]);
            return (name, "a governed Region is missing");
        }
        10 => {
            let name = "FullAWSAccess".to_owned();
            let action = random.pick(needed).clone();
            let document = documents.get_mut(&name).unwrap();
            let statement = &mut statements(document)[0];
            statement.as_object_mut().unwrap().remove("Action");
            statement["NotAction"] = json!([action]);
            return (name, "something is not allowed");
        }
        _ => {
            let name = "deny-root-user".to_owned();
            let value = *random.pick(&[
                "arn:aws:iam::*:ro*",
                "arn:aws:iam::*:*",
                "*",
                "arn:aws:iam::*:role/Landfall*",
            ]);
            statements(documents.get_mut(&name).unwrap())[0]["Condition"]["ArnLike"]["aws:PrincipalArn"] =
                json!(value);
            return (name, "more than root users are denied");
        }
    };
    (name, what)
}

/// Changes the documents so that Landfall works on.
pub(super) fn leave_alone(
    random: &mut Random,
    documents: &mut Documents,
    needed: &[String],
) -> (String, &'static str) {
    let sparing = sparing(documents, needed);
    let (name, index) = random.pick(&sparing).clone();
    let all = statements(documents.get_mut(&name).unwrap());
    let what = match random.below(7) {
        0 => {
            all.reverse();
            "the order"
        }
        1 => {
            all[index]["Sid"] = json!("Renamed");
            "a Sid"
        }
        2 => {
            all[index]["Condition"]["ArnNotLike"]["aws:PrincipalArn"] =
                json!([ROLE, "arn:aws:iam::*:role/Breakglass"]);
            "another role is spared too"
        }
        3 => {
            all[index]["Condition"]["StringNotEquals"] =
                json!({"aws:ResourceTag/team": "platform"});
            "a further condition"
        }
        4 => {
            all[index]["Resource"] = json!("*");
            all[index]["Action"] = json!("*");
            "more is denied to others"
        }
        5 => {
            all.push(json!({"Sid": "DenyOthers", "Effect": "Deny", "Action": ["aws-marketplace:*", "gamelift:*"], "Resource": "*"}));
            "what nobody needs is denied"
        }
        _ => {
            all[index]["Condition"] = json!({"ArnNotEquals": {"aws:PrincipalArn": ROLE}});
            "the same operator by its other name"
        }
    };
    (name, what)
}
