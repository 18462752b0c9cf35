//! What a session may do at most: the policy that `AssumeRole` is given, and how many sessions the controls of an
//! account take.
//!
//! STS takes 2,048 characters, which hold some sixty actions. A baseline's controls list more, so they are dealt to as
//! few sessions as hold them, each control as a whole. A policy that is still too long is an error: nothing is left out,
//! and nothing is widened to a wildcard.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::control::Descriptor;
use landfall_model::ids::ControlId;

use crate::error::CloudError;

/// The longest session policy that `AssumeRole` takes, in characters (STS API, parameter `Policy`).
pub const LONGEST: usize = 2_048;

/// The IAM actions that a session may do. Every try at every cell carries one and looks for its session, and the sessions of
/// hundreds of accounts are kept by them: so equal ones are one, which is cheap to clone and to compare.
#[derive(Clone, Debug)]
pub struct Actions(Arc<BTreeSet<&'static str>>);

impl Default for Actions {
    fn default() -> Self {
        [].into()
    }
}

impl Ord for Actions {
    fn cmp(&self, other: &Self) -> Ordering {
        match Arc::ptr_eq(&self.0, &other.0) {
            true => Ordering::Equal,
            false => self.0.cmp(&other.0),
        }
    }
}

impl PartialOrd for Actions {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Actions {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Actions {}

/// All that were ever made: there are no more than controls, and the sessions that they are dealt to.
static KNOWN: Mutex<BTreeSet<Arc<BTreeSet<&'static str>>>> = Mutex::new(BTreeSet::new());

impl FromIterator<&'static str> for Actions {
    fn from_iter<I: IntoIterator<Item = &'static str>>(actions: I) -> Self {
        let actions: BTreeSet<&'static str> = actions.into_iter().collect();
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(&actions) {
            return Actions(known.clone());
        }
        let actions = Arc::new(actions);
        known.insert(actions.clone());
        Actions(actions)
    }
}

impl<const N: usize> From<[&'static str; N]> for Actions {
    fn from(actions: [&'static str; N]) -> Self {
        actions.into_iter().collect()
    }
}

impl Deref for Actions {
    type Target = BTreeSet<&'static str>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// The policy that narrows a session to its actions.
pub(crate) fn document(actions: &BTreeSet<&'static str>) -> Result<String, CloudError> {
    let document = landfall_policy::allow_actions(actions.iter().copied()).to_minified();
    if document.len() <= LONGEST {
        return Ok(document);
    }
    Err(CloudError::new(
        CloudErrorKind::Invalid,
        "sts:AssumeRole",
        format!(
            "a session policy with {} actions has {} characters; STS takes {LONGEST}",
            actions.len(),
            document.len()
        ),
    ))
}

/// Whether an action is one of Organizations, which controls of accounts call from the management account alone.
pub(crate) fn is_of_management(action: &str) -> bool {
    action.starts_with("organizations:")
}

/// The actions of a control that it takes in the target's account.
fn in_target(control: &Descriptor) -> impl Iterator<Item = &'static str> {
    let actions = control.actions.iter().copied();
    actions.filter(|action| !is_of_management(action))
}

/// The sessions in a target's account, by what each may do.
#[derive(Debug)]
pub struct Sessions(Vec<Actions>);

impl Sessions {
    /// Deals controls to sessions: each to the first that has room for it, in the order of their ids, so that the same
    /// controls always make the same sessions.
    pub fn of<'a>(controls: impl IntoIterator<Item = &'a Descriptor>) -> Self {
        let controls: BTreeMap<&ControlId, &Descriptor> = controls
            .into_iter()
            .map(|control| (&control.id, control))
            .collect();
        let mut sessions: Vec<BTreeSet<&'static str>> = Vec::new();
        for control in controls.values() {
            let actions = || in_target(control);
            let with_room = sessions.iter_mut().find(|session| {
                length(&session.iter().copied().chain(actions()).collect()) <= LONGEST
            });
            match with_room {
                Some(session) => session.extend(actions()),
                None => sessions.push(actions().collect()),
            }
        }
        Sessions(sessions.into_iter().map(Actions::from_iter).collect())
    }

    /// The session that a control works in.
    pub fn of_control(&self, control: &Descriptor) -> Actions {
        let holds = |session: &&Actions| in_target(control).all(|action| session.contains(action));
        self.0.iter().find(holds).cloned().unwrap_or_default()
    }

    /// The session to try first, while it is not known whether the account lets Landfall in.
    pub fn first(&self) -> Actions {
        self.0.first().cloned().unwrap_or_default()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The length of the policy for distinct actions without wildcards, without writing it.
fn length(actions: &BTreeSet<&'static str>) -> usize {
    const FRAME: &str =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[],"Resource":"*"}]}"#;
    const QUOTES_AND_COMMA: usize = 3;
    let list: usize = actions
        .iter()
        .map(|action| action.len() + QUOTES_AND_COMMA)
        .sum();
    FRAME.len() + list
}

#[cfg(test)]
mod tests {
    use landfall_model::control::Scope;

    use super::*;
    use crate::registry;

    fn set(actions: &[&'static str]) -> BTreeSet<&'static str> {
        actions.iter().copied().collect()
    }

    #[test]
    fn equal_actions_are_one() {
        let one = Actions::from(["a:A", "b:B"]);
        let same = Actions::from(["b:B", "a:A"]);
        let other = Actions::from(["a:A"]);
        assert!(Arc::ptr_eq(&one.0, &same.0));
        assert_eq!((one.cmp(&same), &one), (Ordering::Equal, &same));
        assert_eq!((other.cmp(&one), one == other), (Ordering::Less, false));
    }

    #[test]
    fn a_session_may_do_its_actions_and_no_more() {
        let policy = document(&set(&[
            "guardduty:CreateDetector",
            "config:PutConfigurationRecorder",
        ]))
        .unwrap();
        assert_eq!(
            policy,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["config:PutConfigurationRecorder","guardduty:CreateDetector"],"Resource":"*"}]}"#
        );
    }

    #[test]
    fn a_policy_that_sts_would_refuse_is_an_error_and_never_left_out() {
        let all: BTreeSet<&'static str> = registry::controls()
            .values()
            .flat_map(|control| control.descriptor().actions)
            .copied()
            .collect();
        let error = document(&all).unwrap_err();
        assert_eq!(error.kind, CloudErrorKind::Invalid);
        assert!(error.message.contains("2048"), "{error}");
    }

    #[test]
    fn the_length_is_foretold() {
        for control in registry::controls().values() {
            let actions = set(control.descriptor().actions);
            let foretold = length(&actions);
            let found = document(&actions).unwrap().len();
            assert!(
                found <= foretold && foretold <= found + 3,
                "{found} {foretold}"
            );
        }
    }

    #[test]
    fn controls_share_sessions_as_far_as_they_fit_and_none_is_cut() {
        let long = |n: usize| -> &'static [&'static str] {
            let actions: Vec<&'static str> = (0..30)
                .map(|action| &*format!("service{n}:SomethingThatIsLong{action:02}").leak())
                .collect();
            actions.leak()
        };
        let control = |n: usize, actions| Descriptor {
            id: format!("service.control-{n}").parse().unwrap(),
            title: "",
            scope: Scope::Account,
            actions,
            after: Vec::new(),
            first_region_alone: false,
            members_only: false,
        };
        let controls = [
            control(1, long(1)),
            control(2, long(2)),
            control(3, &["service3:Short"]),
        ];
        let sessions = Sessions::of(&controls);
        assert_eq!(sessions.len(), 2);
        for control in &controls {
            let session = sessions.of_control(control);
            assert!(
                control
                    .actions
                    .iter()
                    .all(|action| session.contains(action))
            );
            assert!(document(&session).is_ok());
        }
        assert_eq!(
            sessions.of_control(&controls[0]),
            sessions.of_control(&controls[2])
        );
        assert_eq!(sessions.first(), sessions.of_control(&controls[0]));
    }
}
