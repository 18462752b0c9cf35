//! An account's life, and what to do next in it.
//!
//! `next` is the whole of vending: a pure, exhaustive function from where an account is and what was observed to the
//! one step that is worth taking now. The engine takes it, records what came of it, and asks again; so a restart, a
//! second replica and an ordinary next look are the same case.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::aws_state::AwsState;
use crate::closure::ClosurePace;
use crate::cloud_error::Help;
use crate::creation::{Creation, CreationPace, FailureAction, Sighting};
use crate::ids::{AccountId, OuPath};

/// Where an account is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Requested,
    AwaitingApproval,
    Creating,
    Placing,
    Baselining,
    Governed,
    Closing,
    Closed,
    Rejected,
    Failed,
}

impl Phase {
    pub const ALL: [Phase; 10] = [
        Phase::Requested,
        Phase::AwaitingApproval,
        Phase::Creating,
        Phase::Placing,
        Phase::Baselining,
        Phase::Governed,
        Phase::Closing,
        Phase::Closed,
        Phase::Rejected,
        Phase::Failed,
    ];

    /// The word in the database and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Requested => "requested",
            Phase::AwaitingApproval => "awaiting_approval",
            Phase::Creating => "creating",
            Phase::Placing => "placing",
            Phase::Baselining => "baselining",
            Phase::Governed => "governed",
            Phase::Closing => "closing",
            Phase::Closed => "closed",
            Phase::Rejected => "rejected",
            Phase::Failed => "failed",
        }
    }

    pub fn from_name(name: &str) -> Option<Phase> {
        Phase::ALL.into_iter().find(|phase| phase.name() == name)
    }

    /// Whether nothing more happens by itself.
    pub fn is_final(self) -> bool {
        match self {
            Phase::Closed | Phase::Rejected | Phase::Failed => true,
            Phase::Requested
            | Phase::AwaitingApproval
            | Phase::Creating
            | Phase::Placing
            | Phase::Baselining
            | Phase::Governed
            | Phase::Closing => false,
        }
    }

    /// Whether the account carries a baseline that is looked after.
    pub fn has_cells(self) -> bool {
        match self {
            Phase::Baselining | Phase::Governed => true,
            Phase::Requested
            | Phase::AwaitingApproval
            | Phase::Creating
            | Phase::Placing
            | Phase::Closing
            | Phase::Closed
            | Phase::Rejected
            | Phase::Failed => false,
        }
    }
}

/// What an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Somebody's application.
    Application,
    /// The landing zone's log archive.
    LogArchive,
    /// The landing zone's security account: the delegated administrator.
    Security,
    /// The organization's management account. It was there before everything else, and is neither placed nor closed.
    Management,
}

impl Purpose {
    /// The word in the database and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Purpose::Application => "application",
            Purpose::LogArchive => "log_archive",
            Purpose::Security => "security",
            Purpose::Management => "management",
        }
    }
}

/// Why a request ended without an account, and who can change that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable word, AWS's own where it gave one.
    pub reason: String,
    /// What happened and what to do, for people.
    pub message: String,
    pub who_can_help: Help,
}

/// What was found out about an account before asking what is next. Only what the phase needs is filled in.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub needs_approval: bool,
    pub creation: Creation,
    pub pace: CreationPace,
    /// What Organizations shows, where it was asked.
    pub sighting: Option<Sighting>,
    /// Where the account is: `None` is the root.
    pub parent: Option<OuPath>,
    pub quarantine: Option<OuPath>,
    pub wanted: Option<OuPath>,
    /// Whether every cell of the account is as the present baseline wants it, or its deviation is accepted.
    pub all_settled: bool,
    /// Whether the execution role is missing and can be made.
    pub role_to_make: bool,
    /// What Organizations says of the account, where it was asked.
    pub aws_state: AwsState,
    /// Where closed accounts go.
    pub suspended: Option<OuPath>,
    /// Whether somebody asked for the account's closure and another agreed.
    pub closure_agreed: bool,
    pub closure_pace: ClosurePace,
}

/// The one thing to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: somebody has to decide.
    AwaitDecision,
    Enter(Phase),
    /// As soon as AWS lets us: write the intent, call `CreateAccount`, record its answer.
    Create,
    /// The account exists: remember its id.
    Adopt(AccountId),
    /// Make the execution role through the one that Organizations gives by default.
    MakeExecutionRole,
    /// Move from where it is to an OU.
    Move {
        from: Option<OuPath>,
        to: OuPath,
    },
    /// Bring every cell in sync.
    Reconcile,
    /// Leave the account alone, and see later whether that has changed.
    Rest,
    /// As soon as AWS lets us: call `CloseAccount`.
    Close,
    Fail(Failure),
    /// Forget the former attempt and begin the creation anew.
    Restart {
        not_before: Timestamp,
    },
    LookAgain(Timestamp),
}

/// What to do next with an account in `phase`.
pub fn next(phase: Phase, facts: &Facts, now: Timestamp) -> Step {
    match phase {
        Phase::Placing | Phase::Baselining | Phase::Governed
            if !facts.aws_state.is_looked_after() =>
        {
            left_alone(facts.aws_state)
        }
        Phase::Requested if facts.needs_approval => Step::Enter(Phase::AwaitingApproval),
        Phase::Requested => Step::Enter(Phase::Creating),
        Phase::AwaitingApproval => Step::AwaitDecision,
        Phase::Creating => next_in_creation(facts, now),
        Phase::Placing if facts.role_to_make => Step::MakeExecutionRole,
        Phase::Placing => match (&facts.parent, &facts.quarantine, &facts.wanted) {
            // An adopted account that is where it belongs needs no quarantine.
            (parent, _, wanted) if parent == wanted => Step::Enter(Phase::Baselining),
            (parent, quarantine, _) if parent == quarantine => Step::Enter(Phase::Baselining),
            (parent, Some(quarantine), _) => Step::Move {
                from: parent.clone(),
                to: quarantine.clone(),
            },
            (_, None, _) => Step::Enter(Phase::Baselining),
        },
        Phase::Baselining if !facts.all_settled => Step::Reconcile,
        Phase::Baselining => match &facts.wanted {
            Some(wanted) if facts.parent.as_ref() != Some(wanted) => Step::Move {
                from: facts.parent.clone(),
                to: wanted.clone(),
            },
            _ => Step::Enter(Phase::Governed),
        },
        Phase::Governed => Step::Reconcile,
        Phase::Closing => next_in_closure(facts, now),
        // AWS Support opened it again.
        Phase::Closed if facts.aws_state == AwsState::Active => Step::Enter(Phase::Placing),
        Phase::Closed | Phase::Rejected | Phase::Failed => Step::AwaitDecision,
    }
}

/// What becomes of an account that does not answer, or soon will not. Whoever closes one behind Landfall's back is met
/// where Landfall's own closures go on.
fn left_alone(state: AwsState) -> Step {
    match state {
        AwsState::Active | AwsState::PendingActivation | AwsState::Suspended | AwsState::Left => {
            Step::Rest
        }
        AwsState::PendingClosure | AwsState::Closed => Step::Enter(Phase::Closing),
    }
}

/// First out of the way of people, then closed. What was not agreed to is never closed: an account whose closure by
/// somebody else did not come about goes back to where accounts are placed.
fn next_in_closure(facts: &Facts, now: Timestamp) -> Step {
    let out_of_the_way = match &facts.suspended {
        Some(suspended) if facts.parent.as_ref() != Some(suspended) => Some(Step::Move {
            from: facts.parent.clone(),
            to: suspended.clone(),
        }),
        _ => None,
    };
    match facts.aws_state {
        AwsState::Active | AwsState::PendingActivation | AwsState::Suspended
            if !facts.closure_agreed =>
        {
            Step::Enter(Phase::Placing)
        }
        AwsState::Active | AwsState::PendingActivation | AwsState::Suspended => {
            out_of_the_way.unwrap_or(Step::Close)
        }
        AwsState::PendingClosure => Step::LookAgain(now + facts.closure_pace.poll),
        AwsState::Closed => out_of_the_way.unwrap_or(Step::Enter(Phase::Closed)),
        AwsState::Left => Step::Enter(Phase::Closed),
    }
}

fn next_in_creation(facts: &Facts, now: Timestamp) -> Step {
    let pace = &facts.pace;
    let Some(intended_at) = facts.creation.intended_at else {
        return Step::Create;
    };
    match &facts.sighting {
        Some(Sighting::Exists(account)) => Step::Adopt(account.clone()),
        Some(Sighting::InProgress) => Step::LookAgain(now + pace.poll),
        Some(Sighting::TakenBy(account)) => Step::Fail(Failure {
            reason: "EMAIL_IN_ORGANIZATION".to_owned(),
            message: format!(
                "Account {account} of this organization already has this root e-mail. Choose another e-mail and retry the request, or enroll that account."
            ),
            who_can_help: Help::Requester,
        }),
        Some(Sighting::Failed(failure)) => match failure.action() {
            FailureAction::Again => Step::Restart {
                not_before: now + SignedDuration::from_secs(15),
            },
            FailureAction::Later => Step::Restart {
                not_before: now + SignedDuration::from_mins(15),
            },
            FailureAction::Stop(who_can_help) => Step::Fail(Failure {
                reason: failure.reason.clone(),
                message: failure.sentence(),
                who_can_help,
            }),
        },
        // The call may have been lost before AWS saw it, or AWS does not show it yet.
        Some(Sighting::Nothing) | None if now < intended_at + pace.settle => {
            Step::LookAgain(now + pace.poll)
        }
        Some(Sighting::Nothing) => Step::Restart { not_before: now },
        None => Step::LookAgain(now + pace.poll),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::creation::CreateFailure;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn ou(path: &str) -> Option<OuPath> {
        Some(path.parse().unwrap())
    }

    fn id() -> AccountId {
        "222222222222".parse().unwrap()
    }

    #[test]
    fn an_intent_without_an_id_never_leads_straight_to_a_second_call() {
        let mut facts = Facts {
            creation: Creation {
                intended_at: Some(at(0)),
                status_id: None,
            },
            ..Facts::default()
        };
        for sighting in [None, Some(Sighting::Nothing)] {
            facts.sighting = sighting;
            assert!(matches!(
                next(Phase::Creating, &facts, at(5)),
                Step::LookAgain(_)
            ));
        }
        assert!(matches!(
            next(Phase::Creating, &facts, at(61)),
            Step::Restart { .. }
        ));
        facts.sighting = None;
        assert!(
            matches!(
                next(Phase::Creating, &facts, at(1_000_000)),
                Step::LookAgain(_)
            ),
            "not having looked is not the same as nothing there"
        );
        facts.sighting = Some(Sighting::InProgress);
        assert!(matches!(
            next(Phase::Creating, &facts, at(1_000)),
            Step::LookAgain(_)
        ));
        facts.sighting = Some(Sighting::Exists(id()));
        assert_eq!(next(Phase::Creating, &facts, at(5)), Step::Adopt(id()));
    }

    #[test]
    fn failures_go_to_whoever_can_help() {
        let mut facts = Facts {
            creation: Creation {
                intended_at: Some(at(0)),
                status_id: Some("car-1".to_owned()),
            },
            ..Facts::default()
        };
        facts.sighting = Some(Sighting::Failed(CreateFailure {
            reason: "EMAIL_ALREADY_EXISTS".to_owned(),
        }));
        let Step::Fail(failure) = next(Phase::Creating, &facts, at(9)) else {
            panic!("a taken e-mail ends the request")
        };
        assert_eq!(failure.who_can_help, Help::Requester);
        facts.sighting = Some(Sighting::Failed(CreateFailure {
            reason: "INTERNAL_FAILURE".to_owned(),
        }));
        assert!(matches!(
            next(Phase::Creating, &facts, at(9)),
            Step::Restart { .. }
        ));
        facts.sighting = Some(Sighting::TakenBy(id()));
        assert!(matches!(
            next(Phase::Creating, &facts, at(9)),
            Step::Fail(_)
        ));
    }

    #[test]
    fn an_account_waits_in_quarantine_until_its_baseline_is_on() {
        let mut facts = Facts {
            quarantine: ou("Quarantine"),
            wanted: ou("Applications/Production"),
            ..Facts::default()
        };
        let to = "Quarantine".parse().unwrap();
        assert_eq!(
            next(Phase::Placing, &facts, at(0)),
            Step::Move { from: None, to }
        );
        facts.parent = ou("Quarantine");
        assert_eq!(
            next(Phase::Placing, &facts, at(0)),
            Step::Enter(Phase::Baselining)
        );
        assert_eq!(next(Phase::Baselining, &facts, at(0)), Step::Reconcile);
        facts.all_settled = true;
        let to = "Applications/Production".parse().unwrap();
        assert_eq!(
            next(Phase::Baselining, &facts, at(0)),
            Step::Move {
                from: ou("Quarantine"),
                to
            }
        );
        facts.parent = ou("Applications/Production");
        assert_eq!(
            next(Phase::Baselining, &facts, at(0)),
            Step::Enter(Phase::Governed)
        );
        assert_eq!(next(Phase::Governed, &facts, at(0)), Step::Reconcile);
        assert_eq!(
            next(Phase::Placing, &facts, at(0)),
            Step::Enter(Phase::Baselining),
            "what is in place already is not moved out"
        );
    }

    #[test]
    fn an_account_that_does_not_answer_is_left_alone() {
        for phase in [Phase::Placing, Phase::Baselining, Phase::Governed] {
            for (aws_state, expected) in [
                (AwsState::Suspended, Step::Rest),
                (AwsState::Left, Step::Rest),
                (AwsState::PendingClosure, Step::Enter(Phase::Closing)),
                (AwsState::Closed, Step::Enter(Phase::Closing)),
            ] {
                let facts = Facts {
                    aws_state,
                    ..Facts::default()
                };
                assert_eq!(
                    next(phase, &facts, at(0)),
                    expected,
                    "{phase:?} {aws_state:?}"
                );
            }
        }
    }

    #[test]
    fn an_account_is_closed_only_where_two_agreed() {
        let mut facts = Facts {
            suspended: ou("Suspended"),
            parent: ou("Applications/Sandbox"),
            ..Facts::default()
        };
        assert_eq!(
            next(Phase::Closing, &facts, at(0)),
            Step::Enter(Phase::Placing),
            "nobody agreed to this"
        );
        facts.closure_agreed = true;
        let to = "Suspended".parse().unwrap();
        assert_eq!(
            next(Phase::Closing, &facts, at(0)),
            Step::Move {
                from: ou("Applications/Sandbox"),
                to
            }
        );
        facts.parent = ou("Suspended");
        assert_eq!(next(Phase::Closing, &facts, at(0)), Step::Close);
        facts.aws_state = AwsState::PendingClosure;
        assert!(matches!(
            next(Phase::Closing, &facts, at(0)),
            Step::LookAgain(_)
        ));
        facts.aws_state = AwsState::Closed;
        assert_eq!(
            next(Phase::Closing, &facts, at(0)),
            Step::Enter(Phase::Closed)
        );
        assert_eq!(next(Phase::Closed, &facts, at(0)), Step::AwaitDecision);
        facts.aws_state = AwsState::Active;
        assert_eq!(
            next(Phase::Closed, &facts, at(0)),
            Step::Enter(Phase::Placing),
            "AWS Support opened it again"
        );
    }

    #[test]
    fn phases_keep_their_names() {
        for phase in Phase::ALL {
            assert_eq!(Phase::from_name(phase.name()), Some(phase));
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.name());
        }
    }
}
