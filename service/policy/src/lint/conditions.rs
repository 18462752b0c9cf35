//! Condition keys that there are not, that the actions never have, and operators that do not suit them.

use super::actions::listed;
use super::nearest::suggestion;
use super::{Lint, Place, Severity, pointer};
use crate::catalogue::{Action, Key, KeyType, Service, catalogue};
use crate::{Condition, Effect, Quantifier};

impl Lint<'_> {
    pub(super) fn conditions(&mut self, place: Place<'_>) {
        let document = self.node;
        for condition in place.statement.conditions() {
            let at = |value| {
                let names = ["Condition", condition.operator(), condition.key()];
                pointer(document, place.index, &names, value)
            };
            if condition.values().is_empty() {
                let pointer = at(None);
                self.add(
                    ("empty-values", Severity::Error),
                    pointer,
                    "no value is listed, so nothing can fit",
                    "write the values, or leave the condition out",
                );
                continue;
            }
            for (index, value) in condition.values().iter().enumerate() {
                let exact = matches!(
                    condition.base(),
                    "StringEquals"
                        | "StringNotEquals"
                        | "StringEqualsIgnoreCase"
                        | "StringNotEqualsIgnoreCase"
                );
                let plain = value.replace("${*}", "").replace("${?}", "");
                if exact && plain.contains(['*', '?']) {
                    let pointer = at(Some(index));
                    let like = if condition.is_negated() {
                        "StringNotLike"
                    } else {
                        "StringLike"
                    };
                    self.add(
                        ("wildcard-not-read", Severity::Warning),
                        pointer,
                        format!(
                            "`{}` reads the `*` or `?` in `{value}` as a character",
                            condition.operator()
                        ),
                        format!("write `{like}` for a wildcard, or `${{*}}` for the character"),
                    );
                }
            }
            let pointer = at(None);
            let Some(key) = find(condition.key(), place) else {
                self.unknown(condition, pointer);
                continue;
            };
            self.operator(place, condition, key, pointer.clone());
            self.presence(place, condition, key, pointer);
        }
    }

    fn unknown(&mut self, condition: &Condition, pointer: String) {
        let name = condition.key();
        let prefix = name.split_once(':').map_or("", |(prefix, _)| prefix);
        let mut names: Vec<&str> = catalogue().globals().iter().map(|key| key.name).collect();
        if let Some(service) = catalogue().service(prefix) {
            names.extend(service.keys().iter().map(|key| key.name));
        }
        self.add(
            ("unknown-key", Severity::Error),
            pointer,
            format!(
                "there is no condition key `{name}` (as of {}): a request never has it",
                catalogue().date()
            ),
            suggestion(
                name,
                names,
                "look it up in AWS's Service Authorization Reference, or leave the condition out",
            ),
        );
    }

    fn operator(&mut self, place: Place<'_>, condition: &Condition, key: &Key, pointer: String) {
        let base = condition.base();
        if base == "Null" {
            return;
        }
        let suits = match key.kind {
            KeyType::String => base.starts_with("String"),
            KeyType::Numeric => base.starts_with("Numeric"),
            KeyType::Date => {
                base.starts_with("Date") || base.starts_with("Numeric") && key.is("aws:EpochTime")
            }
            KeyType::Bool => base == "Bool",
            KeyType::Binary => base == "BinaryEquals",
            KeyType::IpAddress => base.ends_with("IpAddress"),
            // Text compares ARNs as well, but case by case and over colons.
            KeyType::Arn => base.starts_with("Arn") || base.starts_with("String"),
        };
        // Tags and the like hold whatever people wrote, numbers and dates too.
        let free = key.name.ends_with('*') && key.kind == KeyType::String;
        if !suits && !free {
            let instead = match key.kind {
                KeyType::String => "an operator such as `StringEquals`",
                KeyType::Numeric => "an operator such as `NumericEquals`",
                KeyType::Date => "an operator such as `DateLessThan`",
                KeyType::Bool => "`Bool`",
                KeyType::Binary => "`BinaryEquals`",
                KeyType::IpAddress => "`IpAddress` or `NotIpAddress`",
                KeyType::Arn => "`ArnLike` or `ArnNotLike`",
            };
            self.add(
                ("type-mismatch", Severity::Error),
                pointer,
                format!(
                    "`{}` is of type {}, which `{}` cannot compare",
                    condition.key(),
                    key.kind.as_str(),
                    condition.operator()
                ),
                format!("write {instead}"),
            );
            return;
        }
        match (condition.quantifier(), key.several) {
            (None, true) => self.add(
                ("set-operator-missing", Severity::Error),
                pointer,
                format!("`{}` can have several values, and AWS does not say what `{}` means then", condition.key(), condition.operator()),
                format!("write `ForAnyValue:{0}` or `ForAllValues:{0}`", condition.operator()),
            ),
            (Some(Quantifier::All), false) if place.statement.effect() == Effect::Allow => self.add(
                ("set-operator-on-single", Severity::SecurityWarning),
                pointer,
                format!("`{}` has one value, and `ForAllValues` also holds where a request has none", condition.key()),
                format!("write `{}`", condition.base()),
            ),
            (Some(_), false) => self.add(
                ("set-operator-on-single", Severity::Warning),
                pointer,
                format!("`{}` has one value at most, so a set operator says something else than it seems", condition.key()),
                format!("write `{}`", condition.base()),
            ),
            (Some(Quantifier::All), true) if !guarded(place, condition) => {
                let effect = place.statement.effect();
                let (severity, applies) = match effect {
                    Effect::Allow => (Severity::SecurityWarning, "allows"),
                    Effect::Deny => (Severity::Warning, "denies"),
                };
                self.add(
                    ("for-all-values-without-key", severity),
                    pointer,
                    format!("`ForAllValues` holds where a request has no `{}`, so the statement {applies} that too", condition.key()),
                    format!("add `\"Null\": {{\"{}\": \"false\"}}`, or write `ForAnyValue`", condition.key()),
                );
            }
            _ => {}
        }
    }

    /// Whether the actions of the statement have the key at all.
    fn presence(&mut self, place: Place<'_>, condition: &Condition, key: &Key, pointer: String) {
        let by_action = ["aws:RequestTag/*", "aws:ResourceTag/*", "aws:TagKeys"];
        if condition.key().to_ascii_lowercase().starts_with("aws:")
            && !by_action.contains(&key.name)
        {
            return;
        }
        let Some(services) = listed(place.statement) else {
            return;
        };
        let has = |service: &Service, action: &Action| {
            service
                .keys_of(action)
                .any(|known| known.is(condition.key()))
        };
        let (mut with, mut without) = (0_usize, Vec::new());
        for (prefix, actions) in &services {
            let Some(service) = catalogue().service(prefix) else {
                continue;
            };
            for action in actions {
                if has(service, action) {
                    with += 1;
                } else {
                    without.push(format!("{prefix}:{}", action.name));
                }
            }
        }
        if without.is_empty() {
            return;
        }
        let shown = without
            .get(..3.min(without.len()))
            .unwrap_or_default()
            .join("`, `");
        let more = if without.len() > 3 {
            format!(" and {} more", without.len() - 3)
        } else {
            String::new()
        };
        // What a condition on an absent key does.
        let holds = condition.if_exists()
            || condition.quantifier() == Some(Quantifier::All)
            || (condition.quantifier().is_none() && condition.is_negated())
            || (condition.base() == "Null"
                && condition
                    .values()
                    .iter()
                    .any(|v| v.eq_ignore_ascii_case("true")));
        let then = if holds { "always holds" } else { "never holds" };
        if with == 0 {
            self.add(
                ("key-never-present", Severity::Error),
                pointer,
                format!(
                    "no action of the statement has `{}`, so the condition {then}",
                    condition.key()
                ),
                "leave the condition out, or write the actions that have the key",
            );
        } else if without.iter().all(|name| is_named(place, name)) {
            self.add(
                ("key-missing-for-some", Severity::Warning),
                pointer,
                format!(
                    "`{shown}`{more} never have `{}`, so for them the condition {then}",
                    condition.key()
                ),
                "write those actions in a statement of their own",
            );
        }
    }
}

/// Whether the statement names the action, rather than covering it by a wildcard.
fn is_named(place: Place<'_>, action: &str) -> bool {
    let mut patterns = place.statement.actions().patterns().iter();
    patterns.any(|pattern| pattern.as_str().eq_ignore_ascii_case(action))
}

/// Whether the statement asks by `Null` that the key is there.
fn guarded(place: Place<'_>, condition: &Condition) -> bool {
    place.statement.conditions().iter().any(|other| {
        other.base() == "Null"
            && other.key().eq_ignore_ascii_case(condition.key())
            && other
                .values()
                .iter()
                .all(|value| value.eq_ignore_ascii_case("false"))
    })
}

/// The key of that name: a global one, one of the statement's services, or one of the service that its prefix names.
fn find(name: &str, place: Place<'_>) -> Option<&'static Key> {
    let prefix = name.split_once(':').map_or("", |(prefix, _)| prefix);
    let services = listed(place.statement).unwrap_or_default();
    let services = services.keys().copied().chain([prefix, "sts"]);
    // Keys of tags are listed with the services that have them.
    catalogue().global(name).or_else(|| {
        services
            .filter_map(|service| catalogue().service(service))
            .find_map(|service| service.keys().iter().find(|key| key.is(name)))
    })
}
