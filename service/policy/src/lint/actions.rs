//! Services and actions that there are not.

use std::collections::BTreeMap;

use super::nearest::suggestion;
use super::{Lint, Place, Severity};
use crate::catalogue::{Action, catalogue};
use crate::{Selection, Statement};

impl Lint<'_> {
    pub(super) fn actions(&mut self, place: Place<'_>) {
        if place.invalid {
            return;
        }
        let actions = place.statement.actions();
        let name = element(actions);
        for (index, pattern) in actions.patterns().iter().enumerate() {
            let pointer = || self.pointer(place.index, &[name], Some(index));
            let text = pattern.as_str();
            let Some((prefix, operation)) = text.split_once(':') else {
                continue;
            };
            if prefix == "*" {
                continue;
            }
            let Some(service) = catalogue().service(prefix) else {
                let prefixes = catalogue().services().map(|service| service.prefix);
                self.add(
                    ("unknown-service", Severity::Error),
                    pointer(),
                    format!(
                        "there is no service `{prefix}` (as of {})",
                        catalogue().date()
                    ),
                    suggestion(
                        prefix,
                        prefixes,
                        "look the prefix up in AWS's Service Authorization Reference",
                    ),
                );
                continue;
            };
            if service.actions().any(|action| action.fits(pattern)) {
                continue;
            }
            let names: Vec<String> = service
                .actions()
                .map(|action| format!("{}:{}", service.prefix, action.name))
                .collect();
            if operation.contains(['*', '?']) {
                self.add(
                    ("pattern-matches-nothing", Severity::Error),
                    pointer(),
                    format!(
                        "no action of `{prefix}` fits `{text}` (as of {})",
                        catalogue().date()
                    ),
                    suggestion(
                        &text.replace(['*', '?'], ""),
                        names.iter().map(String::as_str),
                        "leave it out",
                    ),
                );
            } else {
                self.add(
                    ("unknown-action", Severity::Error),
                    pointer(),
                    format!("there is no action `{text}` (as of {})", catalogue().date()),
                    suggestion(
                        text,
                        names.iter().map(String::as_str),
                        "leave it out, or look it up in AWS's Service Authorization Reference",
                    ),
                );
            }
        }
        for (index, pattern) in actions.patterns().iter().enumerate() {
            let other = actions.patterns().iter().enumerate().find(|(other, wide)| {
                *other != index
                    && crate::cover::pattern(*wide, pattern)
                    && (*other < index || !crate::cover::pattern(pattern, *wide))
            });
            if let Some((_, wide)) = other {
                self.add(
                    ("redundant-action", Severity::Suggestion),
                    self.pointer(place.index, &[name], Some(index)),
                    format!("`{wide}` covers `{pattern}` already"),
                    "leave it out",
                );
            }
        }
    }
}

pub(super) fn element<T>(selection: &Selection<T>) -> &'static str {
    if selection.is_inverted() {
        "NotAction"
    } else {
        "Action"
    }
}

/// The actions that a statement lists, by service, as far as the catalogue knows them. `None` if it speaks of actions of all
/// services (`*`, `NotAction`), or of so many that there is no use in looking at each.
pub(super) fn listed(
    statement: &Statement,
) -> Option<BTreeMap<&'static str, Vec<&'static Action>>> {
    let Selection::Only(patterns) = statement.actions() else {
        return None;
    };
    let mut found: BTreeMap<&'static str, Vec<&'static Action>> = BTreeMap::new();
    for pattern in patterns {
        let prefix = pattern.as_str().split_once(':').map(|(prefix, _)| prefix)?;
        if prefix == "*" {
            return None;
        }
        let Some(service) = catalogue().service(prefix) else {
            continue;
        };
        let actions = found.entry(service.prefix).or_default();
        for action in service.actions() {
            if action.fits(pattern) && !actions.iter().any(|a| a.name == action.name) {
                actions.push(action);
            }
        }
    }
    Some(found)
}
