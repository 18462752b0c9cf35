//! What AWS gets: for each target as few policies as say what its files say.
//!
//! A packed policy is named by what is in it. So it is never edited: other content is another policy, which is made and
//! attached before the old one is detached. Targets that want the same share it, and whether a policy is right is told
//! by its name.

use std::collections::{BTreeMap, BTreeSet};

use landfall_policy::Policy;
use landfall_policy::lint::Limits;
use landfall_policy::pack::{self, PackError, PackedPolicy, Source};
use serde::{Deserialize, Serialize};

use super::exemption::spare;
use super::{PREFIX, ScpSet, ScpSettings, ScpTarget};
use crate::ids::Revision;

/// What the descriptions of Landfall's policies begin with. Those from before policies were packed have it too.
const MARK: &str = "Kept by Landfall";

/// The description goes on so, and then names the files.
const FROM: &str = ". Packed from ";

/// What tags of packed policies begin with; the name of a file follows, and the value names its statements.
const SOURCE_TAG: &str = "landfall:scp:";

/// What AWS takes (Organizations API reference: `PolicySummary`, `Tag`, quotas of tags).
const LONGEST_DESCRIPTION: usize = 512;
const LONGEST_TAG: usize = 256;
const MOST_TAGS: usize = 50;

/// A policy to keep in AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    pub content: String,
    /// For whoever finds the policy in AWS: which files it was packed from.
    pub description: String,
    /// The same with the statements of each file.
    pub tags: BTreeMap<String, String>,
}

/// Everything that is to stand in AWS.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PackedSet {
    /// By name.
    pub documents: BTreeMap<String, Document>,
    /// The names of each target.
    pub attachments: BTreeMap<ScpTarget, BTreeSet<String>>,
}

/// Why a target cannot have what it is to have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what {target} is to have does not fit: {why}")]
pub struct Unpackable {
    pub target: ScpTarget,
    pub why: PackError,
}

impl ScpSet {
    /// Packs what each target is to have. `FullAWSAccess` has its place, and one place stays free: a changeover needs it.
    ///
    /// # Errors
    ///
    /// With figures, where it does not fit.
    pub fn packed(&self, settings: ScpSettings) -> Result<PackedSet, Unpackable> {
        let limits = Limits {
            attached: settings.attached.saturating_sub(2),
            ..settings.limits()
        };
        let mut set = PackedSet::default();
        for target in self.attachments.keys() {
            let sources: Vec<Source> = self.sources(target).collect();
            let packed = pack::pack(&sources, limits).map_err(|why| Unpackable {
                target: target.clone(),
                why,
            })?;
            let documents = packed.policies.into_iter().map(|policy| {
                let document = Document::of(policy);
                (document.name(), document)
            });
            let documents: BTreeMap<String, Document> = documents.collect();
            let names = documents.keys().cloned().collect();
            set.attachments.insert(target.clone(), names);
            set.documents.extend(documents);
        }
        Ok(set)
    }

    /// The policies of a target, as they are to be packed.
    fn sources(&self, target: &ScpTarget) -> impl Iterator<Item = Source> {
        let names = self.attachments.get(target).into_iter().flatten();
        let spared = self.spared.get(target);
        names.filter_map(move |name| {
            let document = self.documents.get(name)?;
            let policy = match spared.and_then(|spared| spared.get(name)) {
                None => Policy::parse(document),
                Some(principals) => {
                    let mut document = serde_json::from_str(document).ok()?;
                    spare(&mut document, principals);
                    Policy::parse(&document.to_string())
                }
            };
            Some(Source {
                name: name.clone(),
                // All were parsed at start, and sparing somebody keeps them well-formed.
                policy: policy.ok()?,
            })
        })
    }
}

impl Document {
    fn of(packed: PackedPolicy) -> Self {
        let mut sids: BTreeMap<&str, BTreeSet<(usize, &str)>> = BTreeMap::new();
        for origin in packed.origins.iter().flatten() {
            let sid = origin.sid.as_deref().unwrap_or("without-Sid");
            let of_source = sids.entry(&origin.source).or_default();
            of_source.insert((origin.statement, sid));
        }
        let names = sids.keys().copied();
        let description = listed(&format!("{MARK}{FROM}"), names, ", ", LONGEST_DESCRIPTION);
        // AWS takes no commas in tags.
        let tag = |(source, sids): (&&str, &BTreeSet<(usize, &str)>)| {
            let sids = sids.iter().map(|(_, sid)| *sid);
            let value = listed("", sids, " ", LONGEST_TAG);
            (format!("{SOURCE_TAG}{source}"), value)
        };
        let tags = sids.iter().take(MOST_TAGS).map(tag).collect();
        Document {
            description,
            tags,
            content: packed.text,
        }
    }

    /// `landfall-` and the hash of all that it is.
    pub fn name(&self) -> String {
        let all = format!("{}\n{}\n{:?}", self.content, self.description, self.tags);
        format!("{PREFIX}{}", Revision::of(all.as_bytes()))
    }
}

/// `head` and the words, or as many as there is room for in `most` characters and how many more there are.
fn listed<'a>(
    head: &str,
    words: impl Iterator<Item = &'a str>,
    between: &str,
    most: usize,
) -> String {
    /// Room for ` and 1000 more`.
    const TAIL: usize = 14;
    let words: Vec<&str> = words.collect();
    let whole = format!("{head}{}", words.join(between));
    if whole.chars().count() <= most {
        return whole;
    }
    let mut text = head.to_owned();
    for (index, word) in words.iter().enumerate() {
        let between = if index == 0 { "" } else { between };
        if text.chars().count() + between.len() + word.chars().count() + TAIL > most {
            text.push_str(&format!(" and {} more", words.len() - index));
            break;
        }
        text.push_str(between);
        text.push_str(word);
    }
    text
}

/// Whether a policy is Landfall's, by its name and description in AWS: its name is one that only Landfall makes, or, from
/// before policies were packed, it says so. Any other is somebody else's, whatever its name begins with.
pub fn is_ours(name: &str, description: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|rest| {
        let hash = rest.len() == 16
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        hash || description.starts_with(MARK)
    })
}

/// The files that a policy of Landfall's was packed from, by its description; nothing of one from before.
pub fn sources(description: &str) -> Option<&str> {
    description.strip_prefix(MARK)?.strip_prefix(FROM)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(sid: &str, action: &str) -> String {
        format!(r#"{{"Sid":"{sid}","Effect":"Deny","Action":"{action}","Resource":"*"}}"#)
    }

    fn set(attachments: &[(ScpTarget, &[&str])], documents: &[(&str, &[&str])]) -> ScpSet {
        let document = |(name, statements): &(&str, &[&str])| {
            let text = format!(
                r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
                statements.join(",")
            );
            ((*name).to_owned(), text)
        };
        let attached = |(target, names): &(ScpTarget, &[&str])| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            (target.clone(), names)
        };
        ScpSet {
            documents: documents.iter().map(document).collect(),
            attachments: attachments.iter().map(attached).collect(),
            ..ScpSet::default()
        }
    }

    fn unit(path: &str) -> ScpTarget {
        ScpTarget::Unit(path.parse().unwrap())
    }

    #[test]
    fn targets_that_want_the_same_share_policies_and_each_tells_where_it_came_from() {
        let (stop, get) = (
            statement("NoStop", "cloudtrail:StopLogging"),
            statement("NoGet", "s3:GetObject"),
        );
        let set = set(
            &[
                (unit("Admin"), &["trail", "data"]),
                (unit("Applications"), &["data", "trail"]),
                (unit("Applications/Sandbox"), &[]),
                (ScpTarget::Root, &["trail"]),
            ],
            &[("trail", &[&stop]), ("data", &[&get])],
        );
        let packed = set.packed(ScpSettings::default()).unwrap();
        assert_eq!(packed.documents.len(), 2);
        let both = &packed.attachments[&unit("Admin")];
        assert_eq!(both, &packed.attachments[&unit("Applications")]);
        assert_ne!(both, &packed.attachments[&ScpTarget::Root]);
        assert!(packed.attachments[&unit("Applications/Sandbox")].is_empty());
        let name = both.first().unwrap();
        let document = &packed.documents[name];
        assert_eq!(
            document.description,
            "Kept by Landfall. Packed from data, trail"
        );
        assert_eq!(sources(&document.description), Some("data, trail"));
        assert_eq!(document.tags["landfall:scp:trail"], "NoStop");
        assert!(is_ours(name, ""), "{name}");
        assert_eq!(packed, set.packed(ScpSettings::default()).unwrap());
    }

    #[test]
    fn other_content_and_other_sources_are_other_policies() {
        let one = statement("One", "s3:GetObject");
        let with = |name: &str, statement: &str| {
            let set = set(&[(ScpTarget::Root, &[name])], &[(name, &[statement])]);
            let packed = set.packed(ScpSettings::default()).unwrap();
            packed.documents.into_keys().next().unwrap()
        };
        assert_eq!(with("a", &one), with("a", &one));
        assert_ne!(with("a", &one), with("b", &one));
        assert_ne!(
            with("a", &one),
            with("a", &statement("Two", "s3:GetObject"))
        );
        assert_ne!(
            with("a", &one),
            with("a", &statement("One", "s3:PutObject"))
        );
    }

    #[test]
    fn what_does_not_fit_is_refused_with_figures() {
        let statements: Vec<String> = (0..40)
            .map(|n| {
                format!(
                    r#"{{"Sid":"S{n}","Effect":"Deny","NotAction":"service{n}:*","Resource":"*","Condition":{{"StringEquals":{{"aws:RequestedRegion":"{}"}}}}}}"#,
                    "x".repeat(400)
                )
            })
            .collect();
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        let set = set(&[(unit("Admin"), &["long"])], &[("long", &statements)]);
        let older = ScpSettings {
            characters: 5_120,
            attached: 5,
            ..ScpSettings::default()
        };
        let error = set.packed(older).unwrap_err().to_string();
        assert!(
            error.contains("Admin")
                && error.contains("need 5 policies")
                && error.contains("room for 3"),
            "{error}"
        );
        assert!(set.packed(ScpSettings::default()).is_ok());
    }

    #[test]
    fn descriptions_and_tags_stay_within_what_aws_takes() {
        let words: Vec<String> = (0..60)
            .map(|n| format!("a-policy-with-number-{n}"))
            .collect();
        let words = || words.iter().map(String::as_str);
        for most in [LONGEST_DESCRIPTION, LONGEST_TAG] {
            let text = listed("From ", words(), ", ", most);
            assert!(text.chars().count() <= most, "{text}");
            assert!(text.contains(" and ") && text.ends_with(" more"), "{text}");
        }
        assert_eq!(listed("", words().take(2), " ", 256).split(' ').count(), 2);
    }

    #[test]
    fn ours_are_told_by_what_only_we_name_so() {
        for (name, description, ours) in [
            ("landfall-0123456789abcdef", "", true),
            ("landfall-deny-root-user", "Kept by Landfall", true),
            ("landfall-deny-root-user", "Our own", false),
            ("landfall-0123456789abcdeg", "", false),
            ("deny-root-user", "Kept by Landfall", false),
        ] {
            assert_eq!(is_ours(name, description), ours, "{name} {description}");
        }
    }
}
