//! Which actions IAM authorises for an event of CloudTrail.
//!
//! Mostly an event has the name of its action, and its source the action's prefix. `catalogue/operations.txt` lists where not, made
//! of AWS's models and API references, and `catalogue/events.txt` what those do not tell. What stands nowhere is not guessed.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use crate::catalogue::catalogue;

const OPERATIONS: &str = include_str!("../../catalogue/operations.txt");
const EVENTS: &str = include_str!("../../catalogue/events.txt");

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(&[OPERATIONS, EVENTS]));

/// What the files in `catalogue/` say; `catalogue/README.md` describes their form.
#[derive(Debug, Default)]
struct Table {
    prefixes: HashMap<&'static str, &'static str>,
    dated: HashSet<&'static str>,
    /// By prefix and name.
    named: HashMap<(&'static str, &'static str), Asked>,
    /// The same where one version of an object is meant.
    of_version: HashMap<(&'static str, &'static str), Asked>,
}

/// What an event asks IAM for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// All of these, `s3:GetObject`. Never empty.
    Actions(Vec<String>),
    /// Nothing: no policy can deny it.
    Nothing,
    /// Nobody knows.
    Unknown,
}

impl Table {
    fn read(texts: &[&'static str]) -> Self {
        let mut table = Table::default();
        for line in texts.iter().flat_map(|text| text.lines()) {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["p", source, prefix] => {
                    table.prefixes.insert(source, prefix);
                }
                ["d", prefix] => {
                    table.dated.insert(prefix);
                }
                ["e", prefix, name, actions] => {
                    table.named.insert((prefix, name), Asked::read(actions));
                }
                ["v", prefix, name, actions] => {
                    table
                        .of_version
                        .insert((prefix, name), Asked::read(actions));
                }
                _ => {}
            }
        }
        table
    }

    fn asked(&self, prefix: &str, name: &str, of_version: bool) -> Option<Asked> {
        let listed = of_version.then(|| self.of_version.get(&(prefix, name)));
        if let Some(asked) = listed.flatten().or(self.named.get(&(prefix, name))) {
            return Some(asked.clone());
        }
        let service = catalogue().service(prefix)?;
        let action = service.action(name)?;
        let action = format!("{}:{}", service.prefix, action.name);
        Some(Asked::Actions(vec![action]))
    }
}

impl Asked {
    fn read(actions: &str) -> Self {
        match actions {
            "-" => Asked::Nothing,
            "?" => Asked::Unknown,
            actions => Asked::Actions(actions.split(',').map(str::to_owned).collect()),
        }
    }
}

/// What an event asks IAM for. `source` is written as in the record, `s3.amazonaws.com`; `of_version` says that the request named
/// one version of an object.
pub(super) fn asked(source: &str, name: &str, of_version: bool) -> Asked {
    let table = &*TABLE;
    let Some(source) = source.strip_suffix(".amazonaws.com") else {
        return Asked::Unknown;
    };
    let prefix = table.prefixes.get(source).copied().unwrap_or(source);
    let asked = |name| table.asked(prefix, name, of_version);
    let dated = || {
        let dated = table.dated.contains(prefix);
        without_date(name).filter(|_| dated).and_then(asked)
    };
    asked(name).or_else(dated).unwrap_or(Asked::Unknown)
}

/// `CreateFunction` for `CreateFunction20150331`, `GetFunction` for `GetFunction20150331v2`, `GetDistribution` for
/// `GetDistribution2020_05_31`.
fn without_date(name: &str) -> Option<&str> {
    let name = match name.rsplit_once('v') {
        Some((front, version))
            if version.len() == 1 && version.bytes().all(|b| b.is_ascii_digit()) =>
        {
            front
        }
        _ => name,
    };
    let front = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_');
    let digits = name
        .bytes()
        .skip(front.len())
        .filter(u8::is_ascii_digit)
        .count();
    (digits == 8 && !front.is_empty()).then_some(front)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Asked, EVENTS, OPERATIONS, asked};
    use crate::catalogue::catalogue;

    #[test]
    fn events_become_actions() {
        for (source, name, actions) in [
            ("ec2", "RunInstances", "ec2:RunInstances"),
            ("monitoring", "PutMetricAlarm", "cloudwatch:PutMetricAlarm"),
            ("email", "SendEmail", "ses:SendEmail"),
            ("tagging", "GetResources", "tag:GetResources"),
            ("bedrock-runtime", "Converse", "bedrock:InvokeModel"),
            ("bedrock", "Converse", "bedrock:InvokeModel"),
            ("s3", "ListObjects", "s3:ListBucket"),
            ("s3", "GetBucketEncryption", "s3:GetEncryptionConfiguration"),
            ("s3", "GetBucketCors", "s3:GetBucketCORS"),
            ("s3", "CopyObject", "s3:GetObject,s3:PutObject"),
            (
                "s3",
                "DeleteAccountPublicAccessBlock",
                "s3:PutAccountPublicAccessBlock",
            ),
            ("lambda", "CreateFunction20150331", "lambda:CreateFunction"),
            (
                "lambda",
                "UpdateFunctionCode20150331v2",
                "lambda:UpdateFunctionCode",
            ),
            ("lambda", "Invoke", "lambda:InvokeFunction"),
            (
                "cloudfront",
                "GetDistribution2020_05_31",
                "cloudfront:GetDistribution",
            ),
            ("kms", "ReEncrypt", "kms:ReEncryptFrom,kms:ReEncryptTo"),
            ("apigateway", "CreateRestApi", "apigateway:POST"),
            ("apigateway", "FlushStageCache", "apigateway:DELETE"),
            ("apigateway", "CreatePortal", "apigateway:CreatePortal"),
            // By PUT in one API, by POST in the other.
            ("apigateway", "TagResource", "?"),
            ("sts", "AssumeRoleWithSAML", "sts:AssumeRoleWithSAML"),
            ("sts", "GetCallerIdentity", ""),
            ("ec2", "RunInstances20150331", "?"),
            ("lambda", "CreateFunction2015", "?"),
            ("lambda", "20150331", "?"),
            ("dynamodb", "TransactWriteItems", "?"),
            ("signin", "ConsoleLogin", "?"),
            ("nowhere", "DoThings", "?"),
            ("iam", "DoThings", "?"),
        ] {
            assert_eq!(
                asked(&format!("{source}.amazonaws.com"), name, false),
                expected(actions),
                "{source} {name}"
            );
        }
        assert_eq!(asked("aws.example", "RunInstances", false), Asked::Unknown);
        assert_eq!(asked("", "", false), Asked::Unknown);
    }

    #[test]
    fn a_version_of_an_object_has_actions_of_its_own() {
        for (name, actions) in [
            ("GetObject", "s3:GetObjectVersion"),
            ("HeadObject", "?"),
            ("PutObject", "s3:PutObject"),
        ] {
            assert_eq!(
                asked("s3.amazonaws.com", name, true),
                expected(actions),
                "{name}"
            );
        }
    }

    fn expected(actions: &str) -> Asked {
        match actions {
            "" => Asked::Nothing,
            actions => Asked::read(actions),
        }
    }

    #[test]
    fn every_line_of_the_tables_is_of_use() {
        let of_service = |prefix: &str, name: &str| {
            let service = catalogue().service(prefix)?;
            service.action(name)
        };
        let lines = || OPERATIONS.lines().chain(EVENTS.lines());
        let of_use = lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut seen = HashSet::new();
        for line in of_use {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["source", _, _] => {}
                ["p", source, prefix] => {
                    let service = catalogue().service(prefix);
                    assert!(service.is_some(), "{line}: no such service");
                    assert!(catalogue().service(source).is_none(), "{line}: needless");
                }
                ["d", prefix] => assert!(catalogue().service(prefix).is_some(), "{line}"),
                [kind @ ("e" | "v"), prefix, name, actions] => {
                    assert!(catalogue().service(prefix).is_some(), "{line}");
                    for action in actions.split(',').filter(|it| !["-", "?"].contains(it)) {
                        let known = action
                            .split_once(':')
                            .and_then(|(prefix, action)| of_service(prefix, action));
                        assert!(known.is_some(), "{line}: IAM knows no {action}");
                    }
                    let itself = format!("{prefix}:{name}");
                    let same = *kind == "e" && of_service(prefix, name).is_some();
                    assert!(!same || *actions != itself, "{line}: needless");
                    assert!(seen.insert((*kind, *prefix, *name)), "{line}: twice");
                }
                _ => panic!("{line}: what is this?"),
            }
        }
    }
}
