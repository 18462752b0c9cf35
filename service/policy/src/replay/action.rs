//! Which actions IAM authorises for an event of CloudTrail.
//!
//! Mostly an event has the name of its action, and its source the action's prefix. `catalogue/events.txt` lists where not, with
//! where AWS says so.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::catalogue::catalogue;

const TEXT: &str = include_str!("../../catalogue/events.txt");

static EVENTS: LazyLock<Events> = LazyLock::new(|| Events::read(TEXT));

#[derive(Debug, Default)]
struct Events {
    prefixes: HashMap<&'static str, &'static str>,
    dated: Vec<&'static str>,
    /// By source and name.
    named: HashMap<(&'static str, &'static str), Vec<&'static str>>,
    /// Source and the beginning of the name.
    beginning: Vec<(&'static str, &'static str, Vec<&'static str>)>,
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

impl Events {
    fn read(text: &'static str) -> Self {
        let mut events = Events::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["p", source, prefix] => {
                    events.prefixes.insert(source, prefix);
                }
                ["d", source] => events.dated.push(source),
                ["e", source, name, actions] => {
                    let actions = actions.split(',').filter(|action| *action != "-");
                    let actions = actions.collect();
                    match name.strip_suffix('*') {
                        Some(start) => events.beginning.push((source, start, actions)),
                        None => {
                            events.named.insert((source, name), actions);
                        }
                    }
                }
                _ => {}
            }
        }
        events
    }

    fn listed(&self, source: &str, name: &str) -> Option<Asked> {
        let actions = self.named.get(&(source, name))?;
        Some(Asked::of(actions))
    }
}

impl Asked {
    fn of(actions: &[&str]) -> Self {
        if actions.is_empty() {
            Asked::Nothing
        } else {
            Asked::Actions(actions.iter().map(|action| (*action).to_owned()).collect())
        }
    }
}

/// What an event asks IAM for. `source` is written as in the record, `s3.amazonaws.com`.
pub(super) fn asked(source: &str, name: &str) -> Asked {
    let events = &*EVENTS;
    let Some(source) = source
        .strip_suffix(".amazonaws.com")
        .or_else(|| source.strip_suffix(".amazonaws.com.cn"))
    else {
        return Asked::Unknown;
    };
    let prefix = events.prefixes.get(source).copied().unwrap_or(source);
    let known = |name: &str| {
        if let Some(listed) = events.listed(source, name) {
            return Some(listed);
        }
        let service = catalogue().service(prefix)?;
        let action = service.action(name)?;
        Some(Asked::Actions(vec![format!(
            "{}:{}",
            service.prefix, action.name
        )]))
    };
    if let Some(asked) = known(name) {
        return asked;
    }
    if events.dated.contains(&source)
        && let Some(asked) = without_date(name).and_then(known)
    {
        return asked;
    }
    let begins =
        |(of, start, _): &&(&str, &str, Vec<&str>)| *of == source && name.starts_with(start);
    match events.beginning.iter().find(begins) {
        Some((_, _, actions)) => Asked::of(actions),
        None => Asked::Unknown,
    }
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
    use super::{Asked, TEXT, asked};
    use crate::catalogue::catalogue;

    #[test]
    fn events_become_actions() {
        for (source, name, actions) in [
            ("ec2", "RunInstances", "ec2:RunInstances"),
            ("monitoring", "PutMetricAlarm", "cloudwatch:PutMetricAlarm"),
            ("email", "SendEmail", "ses:SendEmail"),
            ("tagging", "GetResources", "tag:GetResources"),
            ("s3", "ListObjects", "s3:ListBucket"),
            ("s3", "GetBucketEncryption", "s3:GetEncryptionConfiguration"),
            ("s3", "GetBucketCors", "s3:GetBucketCORS"),
            ("s3", "CopyObject", "s3:GetObject,s3:PutObject"),
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
            ("apigateway", "UpdateStage", "apigateway:PATCH"),
            ("sts", "AssumeRoleWithSAML", "sts:AssumeRoleWithSAML"),
            ("sts", "GetCallerIdentity", ""),
            ("signin", "ConsoleLogin", ""),
            ("ec2", "RunInstances20150331", "?"),
            ("lambda", "CreateFunction2015", "?"),
            ("lambda", "20150331", "?"),
            ("nowhere", "DoThings", "?"),
            ("iam", "DoThings", "?"),
        ] {
            let expected = match actions {
                "?" => Asked::Unknown,
                "" => Asked::Nothing,
                actions => Asked::Actions(actions.split(',').map(str::to_owned).collect()),
            };
            assert_eq!(
                asked(&format!("{source}.amazonaws.com"), name),
                expected,
                "{source} {name}"
            );
        }
        assert_eq!(asked("aws.example", "RunInstances"), Asked::Unknown);
        assert_eq!(asked("", ""), Asked::Unknown);
    }

    #[test]
    fn every_line_of_the_table_is_of_use() {
        for line in TEXT
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["p", source, prefix] => {
                    assert!(
                        catalogue().service(prefix).is_some(),
                        "{line}: no such service"
                    );
                    assert!(catalogue().service(source).is_none(), "{line}: needless");
                }
                ["d", source] => assert!(catalogue().service(source).is_some(), "{line}"),
                ["e", source, name, actions] => {
                    for action in actions.split(',').filter(|action| *action != "-") {
                        let (prefix, action) = action.split_once(':').unwrap();
                        let service = catalogue().service(prefix).unwrap();
                        assert!(
                            service.action(action).is_some(),
                            "{line}: IAM knows no {action}"
                        );
                    }
                    let same = catalogue()
                        .service(source)
                        .and_then(|service| service.action(name));
                    let itself = format!("{source}:{name}");
                    assert!(
                        same.is_none() || *actions == "-" || *actions != itself,
                        "{line}: needless"
                    );
                }
                _ => panic!("{line}: what is this?"),
            }
        }
    }
}
