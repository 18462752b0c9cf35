//! The services, actions and condition keys that IAM knows, as of a date.
//!
//! The data is a text of the library (`catalogue/README.md` tells where it comes from and its form). It is taken apart when it is
//! first asked for, and each service when that is first asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, OnceLock};

use crate::glob::{self, Glob};

const TEXT: &str = include_str!("../catalogue/iam.txt");

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::read(TEXT));

/// All that is known.
#[derive(Debug)]
pub struct Catalogue {
    source: &'static str,
    date: &'static str,
    globals: Vec<Key>,
    services: BTreeMap<&'static str, Service>,
}

/// A service by its prefix in actions.
#[derive(Debug)]
pub struct Service {
    /// `s3`
    pub prefix: &'static str,
    /// Whether resource control policies reach it.
    pub has_rcps: bool,
    /// The services in the ARNs of its resources; none if it has no resources.
    pub arn_services: Vec<&'static str>,
    lines: &'static str,
    details: OnceLock<Details>,
}

#[derive(Debug, Default)]
struct Details {
    keys: Vec<Key>,
    /// By name in lower case.
    actions: BTreeMap<String, Action>,
}

/// An action of a service.
#[derive(Clone, Debug)]
pub struct Action {
    /// `GetObject`
    pub name: &'static str,
    /// `s3:getobject`, as patterns are compared.
    folded: String,
    /// Indexes into the service's keys.
    keys: Arc<[usize]>,
}

/// A condition key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// `s3:prefix`; `*` stands for any text, as in `aws:PrincipalTag/*`.
    pub name: &'static str,
    /// The type of its values.
    pub kind: KeyType,
    /// Whether a request can have several values of it.
    pub several: bool,
    pattern: Glob,
}

/// The type of a condition key's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    String,
    Numeric,
    Date,
    Bool,
    Binary,
    IpAddress,
    Arn,
}

impl KeyType {
    /// AWS's name for the type.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyType::String => "String",
            KeyType::Numeric => "Numeric",
            KeyType::Date => "Date",
            KeyType::Bool => "Bool",
            KeyType::Binary => "Binary",
            KeyType::IpAddress => "IPAddress",
            KeyType::Arn => "ARN",
        }
    }
}

/// The catalogue that the library was built with.
pub fn catalogue() -> &'static Catalogue {
    &CATALOGUE
}

impl Catalogue {
    fn read(text: &'static str) -> Self {
        let mut catalogue = Catalogue {
            source: "",
            date: "",
            globals: Vec::new(),
            services: BTreeMap::new(),
        };
        let mut blocks = text.split("\ns ");
        for line in blocks.next().unwrap_or_default().lines() {
            match line.split_once(' ') {
                Some(("source", source)) => catalogue.source = source,
                Some(("date", date)) => catalogue.date = date,
                Some(("g", key)) => catalogue.globals.extend(Key::read(key)),
                _ => {}
            }
        }
        for block in blocks {
            let (head, lines) = block.split_once('\n').unwrap_or((block, ""));
            let mut words = head.split(' ');
            let prefix = words.next().unwrap_or_default();
            let service = Service {
                prefix,
                has_rcps: words.next() == Some("rcp"),
                arn_services: words
                    .next()
                    .unwrap_or_default()
                    .split(',')
                    .filter(|name| *name != ".")
                    .collect(),
                lines,
                details: OnceLock::new(),
            };
            catalogue.services.insert(prefix, service);
        }
        catalogue
    }

    /// The package that the data was made of, with its version.
    pub fn source(&self) -> &'static str {
        self.source
    }

    /// The date of the data, `2026-09-26`.
    pub fn date(&self) -> &'static str {
        self.date
    }

    /// All services, by prefix.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.values()
    }

    /// The service with this prefix; case does not count.
    pub fn service(&self, prefix: &str) -> Option<&Service> {
        self.services.get(prefix.to_ascii_lowercase().as_str())
    }

    /// The keys that requests to any service may have.
    pub fn globals(&self) -> &[Key] {
        &self.globals
    }

    /// The global key of this name. Case does not count.
    pub fn global(&self, name: &str) -> Option<&Key> {
        let folded = glob::fold(name);
        self.globals.iter().find(|key| key.is_folded(&folded))
    }
}

impl Service {
    fn details(&self) -> &Details {
        self.details.get_or_init(|| {
            let mut details = Details::default();
            for line in self.lines.lines() {
                match line.split_once(' ') {
                    Some(("k", key)) => details.keys.extend(Key::read(key)),
                    Some(("a", rest)) => {
                        let (set, names) = rest.split_once(' ').unwrap_or((rest, ""));
                        let keys = numbers(set);
                        details.actions.extend(names.split(' ').map(|name| {
                            let keys = Arc::clone(&keys);
                            let lower = name.to_ascii_lowercase();
                            let folded = format!("{}:{lower}", self.prefix);
                            (lower, Action { name, folded, keys })
                        }));
                    }
                    _ => {}
                }
            }
            details
        })
    }

    /// The action of this name; case does not count.
    pub fn action(&self, name: &str) -> Option<&Action> {
        self.details().actions.get(&name.to_ascii_lowercase())
    }

    /// All actions, by name.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.details().actions.values()
    }

    /// The condition keys that some of its actions have.
    pub fn keys(&self) -> &[Key] {
        &self.details().keys
    }

    /// The condition keys of one of its actions.
    pub fn keys_of<'s>(&'s self, action: &'s Action) -> impl Iterator<Item = &'s Key> {
        let keys = self.keys();
        action.keys.iter().filter_map(|index| keys.get(*index))
    }
}

impl Action {
    /// Whether a pattern of actions covers it.
    pub(crate) fn fits(&self, pattern: &Glob) -> bool {
        pattern.matches_folded(&self.folded)
    }
}

impl Key {
    fn read(text: &'static str) -> Option<Self> {
        let (name, kind) = text.rsplit_once(' ')?;
        let (several, kind) = match kind.strip_prefix('+') {
            Some(kind) => (true, kind),
            None => (false, kind),
        };
        let kind = match kind {
            "S" => KeyType::String,
            "N" => KeyType::Numeric,
            "D" => KeyType::Date,
            "B" => KeyType::Bool,
            "X" => KeyType::Binary,
            "I" => KeyType::IpAddress,
            "A" => KeyType::Arn,
            _ => return None,
        };
        Some(Key {
            name,
            kind,
            several,
            pattern: Glob::new(name),
        })
    }

    /// Whether this is the key of that name. Case does not count.
    pub fn is(&self, name: &str) -> bool {
        self.is_folded(&glob::fold(name))
    }

    fn is_folded(&self, folded: &str) -> bool {
        self.pattern.matches_folded(folded)
    }
}

/// `0-2,5` as numbers; `.` for none.
fn numbers(text: &str) -> Arc<[usize]> {
    text.split(',')
        .filter_map(|range| {
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            Some(from.parse::<usize>().ok()?..=to.parse().ok()?)
        })
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{KeyType, TEXT, catalogue, numbers};

    #[test]
    fn every_line_is_read() {
        let count = |start: &str| TEXT.lines().filter(|line| line.starts_with(start)).count();
        let services = || catalogue().services();
        assert_eq!(services().count(), count("s "));
        assert_eq!(catalogue().globals().len(), count("g "));
        assert_eq!(
            services()
                .map(|service| service.keys().len())
                .sum::<usize>(),
            count("k ")
        );
        let names: usize = TEXT
            .lines()
            .filter(|line| line.starts_with("a "))
            .map(|line| line.split(' ').count() - 2)
            .sum();
        assert_eq!(
            services()
                .map(|service| service.actions().count())
                .sum::<usize>(),
            names
        );
        assert!(
            names > 20_000 && catalogue().date() >= "2026-09-26",
            "{names}"
        );
        for service in services() {
            for action in service.actions() {
                assert_eq!(
                    service.keys_of(action).count(),
                    action.keys.len(),
                    "{}",
                    action.name
                );
            }
        }
    }

    #[test]
    fn some_that_everybody_knows() {
        let s3 = catalogue().service("S3").unwrap();
        assert!(s3.has_rcps && s3.arn_services.contains(&"s3"));
        let list = s3.action("listbucket").unwrap();
        assert_eq!(list.name, "ListBucket");
        assert!(
            s3.keys_of(list)
                .any(|key| key.is("s3:Prefix") && key.kind == KeyType::String)
        );
        assert!(s3.action("GetObjects").is_none());
        assert!(!catalogue().service("ec2").unwrap().has_rcps);
        assert!(catalogue().service("s4").is_none());
        let tag = catalogue().global("aws:principaltag/team").unwrap();
        assert_eq!((tag.name, tag.several), ("aws:PrincipalTag/*", false));
        assert!(catalogue().global("aws:TagKeys").unwrap().several);
        assert!(catalogue().global("aws:PrincipalTags").is_none());
        assert_eq!(*numbers("0-2,5"), [0, 1, 2, 5]);
        assert!(numbers(".").is_empty());
    }
}
