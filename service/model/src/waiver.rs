//! Waivers: accepted deviations. Somebody asks for one with a reason, somebody else agrees, and it ends by itself.
//!
//! A waiver has one life: proposed, then approved or rejected; an approved one may be revoked, and every one expires.
//! Nothing of it is ever removed. What state it is in follows from what was decided and from the time.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::cell::CellKey;
use crate::ids::{AccountId, ControlId, Email, OuPath, Region};

/// Whose deviation is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Beneficiary {
    /// The organization's own cells.
    Organization,
    Account(AccountId),
    /// The accounts that stand in this OU, and not those of OUs below it.
    Unit(OuPath),
    /// The accounts of this OU and of all OUs below it.
    Subtree(OuPath),
}

/// Whose cells are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder<'a> {
    Organization,
    Account {
        account_id: &'a AccountId,
        /// Where the account belongs; while it is vended it may still stand in quarantine.
        organizational_unit: &'a OuPath,
    },
}

impl Beneficiary {
    /// Whether the holder's cells are meant.
    pub fn includes(&self, holder: &Holder<'_>) -> bool {
        match (self, holder) {
            (Beneficiary::Organization, Holder::Organization) => true,
            (Beneficiary::Account(wanted), Holder::Account { account_id, .. }) => {
                wanted == *account_id
            }
            (
                Beneficiary::Unit(unit),
                Holder::Account {
                    organizational_unit,
                    ..
                },
            ) => unit == *organizational_unit,
            (
                Beneficiary::Subtree(unit),
                Holder::Account {
                    organizational_unit,
                    ..
                },
            ) => organizational_unit.with_ancestors().contains(unit),
            (Beneficiary::Organization, Holder::Account { .. })
            | (
                Beneficiary::Account(_) | Beneficiary::Unit(_) | Beneficiary::Subtree(_),
                Holder::Organization,
            ) => false,
        }
    }
}

/// What somebody said about a waiver, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    pub by: String,
    pub at: Timestamp,
    /// Empty where none was given.
    pub reason: String,
}

/// An accepted deviation, or one that somebody would like to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    pub id: Uuid,
    pub beneficiary: Beneficiary,
    /// Every Region when it is `None`.
    pub region: Option<Region>,
    pub control: ControlId,
    pub reason: String,
    /// Who answers for the deviation.
    pub owner_email: Email,
    pub requested_by: String,
    pub requested_at: Timestamp,
    pub expires_at: Timestamp,
    pub approved: Option<Word>,
    pub rejected: Option<Word>,
    pub revoked: Option<Word>,
}

/// Where a waiver is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaiverState {
    /// Somebody has to agree.
    Proposed,
    /// The deviation is accepted.
    InForce,
    Rejected,
    /// Taken back before its time, by its requester or by an approver.
    Revoked,
    /// Its time is over, whether it was approved or not.
    Expired,
}

impl WaiverState {
    pub const ALL: [WaiverState; 5] = [
        WaiverState::Proposed,
        WaiverState::InForce,
        WaiverState::Rejected,
        WaiverState::Revoked,
        WaiverState::Expired,
    ];

    /// The word in JSON and in filters.
    pub fn name(self) -> &'static str {
        match self {
            WaiverState::Proposed => "proposed",
            WaiverState::InForce => "in_force",
            WaiverState::Rejected => "rejected",
            WaiverState::Revoked => "revoked",
            WaiverState::Expired => "expired",
        }
    }

    pub fn from_name(name: &str) -> Option<WaiverState> {
        WaiverState::ALL
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// What can be decided about a waiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaiverDecision {
    Approve,
    Reject,
    Revoke,
}

/// Why somebody cannot decide so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objection {
    /// Who asks for a deviation does not accept it.
    OwnWaiver,
    /// It is in a state in which this cannot be decided.
    WrongState(WaiverState),
}

impl Waiver {
    pub fn state(&self, now: Timestamp) -> WaiverState {
        if self.rejected.is_some() {
            WaiverState::Rejected
        } else if self.revoked.is_some() {
            WaiverState::Revoked
        } else if self.expires_at <= now {
            WaiverState::Expired
        } else if self.approved.is_some() {
            WaiverState::InForce
        } else {
            WaiverState::Proposed
        }
    }

    /// Whether the deviation of this cell is accepted now.
    pub fn covers(&self, holder: &Holder<'_>, key: &CellKey, now: Timestamp) -> bool {
        self.state(now) == WaiverState::InForce
            && self.control == key.control
            && self
                .region
                .as_ref()
                .is_none_or(|region| *region == key.region)
            && self.beneficiary.includes(holder)
    }

    /// Whether `by` may decide so now. Which roles may decide at all is another question.
    pub fn may(&self, decision: WaiverDecision, by: &str, now: Timestamp) -> Result<(), Objection> {
        let state = self.state(now);
        match (decision, state) {
            (WaiverDecision::Approve, WaiverState::Proposed) if by == self.requested_by => {
                Err(Objection::OwnWaiver)
            }
            (WaiverDecision::Approve | WaiverDecision::Reject, WaiverState::Proposed)
            | (WaiverDecision::Revoke, WaiverState::Proposed | WaiverState::InForce) => Ok(()),
            (
                WaiverDecision::Approve | WaiverDecision::Reject,
                WaiverState::InForce
                | WaiverState::Rejected
                | WaiverState::Revoked
                | WaiverState::Expired,
            )
            | (
                WaiverDecision::Revoke,
                WaiverState::Rejected | WaiverState::Revoked | WaiverState::Expired,
            ) => Err(Objection::WrongState(state)),
        }
    }
}

/// The waiver under which a cell stands now: of several, the one that lasts longest.
pub fn covering<'a>(
    waivers: &'a [Waiver],
    holder: &Holder<'_>,
    key: &CellKey,
    now: Timestamp,
) -> Option<&'a Waiver> {
    waivers
        .iter()
        .filter(|waiver| waiver.covers(holder, key, now))
        .max_by_key(|waiver| (waiver.expires_at, waiver.id))
}

/// What is wrong with an expiry: a waiver ends in the future, and not later than the landing zone allows.
pub fn check_expiry(
    expires_at: Timestamp,
    now: Timestamp,
    longest_days: u16,
) -> Result<(), String> {
    let longest = SignedDuration::from_hours(24 * i64::from(longest_days));
    if expires_at <= now {
        Err("must be in the future".to_owned())
    } else if expires_at > now + longest {
        Err(format!(
            "must be within {longest_days} days, as the landing zone sets it: at {:.0} at the latest",
            now + longest
        ))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(days: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * days)
    }

    fn word(days: i64) -> Option<Word> {
        Some(Word {
            by: "bob".to_owned(),
            at: at(days),
            reason: String::new(),
        })
    }

    /// Of one account in every Region, for ten days.
    fn waiver() -> Waiver {
        Waiver {
            id: Uuid::from_u128(1),
            beneficiary: Beneficiary::Account("222222222222".parse().unwrap()),
            region: None,
            control: "config.recorder".parse().unwrap(),
            reason: "the vendor's appliance records".to_owned(),
            owner_email: "pay@example.com".parse().unwrap(),
            requested_by: "alice".to_owned(),
            requested_at: at(0),
            expires_at: at(10),
            approved: word(1),
            rejected: None,
            revoked: None,
        }
    }

    fn key(region: &str, control: &str) -> CellKey {
        CellKey {
            region: region.parse().unwrap(),
            control: control.parse().unwrap(),
        }
    }

    #[test]
    fn a_waiver_covers_what_it_says_and_nothing_else() {
        let account_id: AccountId = "222222222222".parse().unwrap();
        let unit: OuPath = "Applications/Production".parse().unwrap();
        let account = Holder::Account {
            account_id: &account_id,
            organizational_unit: &unit,
        };
        let of = |beneficiary| Waiver {
            beneficiary,
            ..waiver()
        };
        let path = |text: &str| text.parse::<OuPath>().unwrap();
        for (waiver, holder, region, control, covered) in [
            (waiver(), &account, "eu-west-1", "config.recorder", true),
            (waiver(), &account, "eu-west-1", "config.aggregator", false),
            (
                waiver(),
                &Holder::Organization,
                "eu-west-1",
                "config.recorder",
                false,
            ),
            (
                Waiver {
                    region: Some("eu-west-1".parse().unwrap()),
                    ..waiver()
                },
                &account,
                "eu-west-2",
                "config.recorder",
                false,
            ),
            (
                of(Beneficiary::Account("333333333333".parse().unwrap())),
                &account,
                "eu-west-1",
                "config.recorder",
                false,
            ),
            (
                of(Beneficiary::Unit(path("Applications/Production"))),
                &account,
                "eu-west-1",
                "config.recorder",
                true,
            ),
            (
                of(Beneficiary::Unit(path("Applications"))),
                &account,
                "eu-west-1",
                "config.recorder",
                false,
            ),
            (
                of(Beneficiary::Subtree(path("Applications"))),
                &account,
                "eu-west-1",
                "config.recorder",
                true,
            ),
            (
                of(Beneficiary::Subtree(path("Applications/Prod"))),
                &account,
                "eu-west-1",
                "config.recorder",
                false,
            ),
            (
                of(Beneficiary::Organization),
                &Holder::Organization,
                "eu-west-1",
                "config.recorder",
                true,
            ),
            (
                of(Beneficiary::Organization),
                &account,
                "eu-west-1",
                "config.recorder",
                false,
            ),
        ] {
            assert_eq!(
                waiver.covers(holder, &key(region, control), at(2)),
                covered,
                "{waiver:?}"
            );
        }
    }

    #[test]
    fn the_state_follows_from_what_was_decided_and_when() {
        let proposed = Waiver {
            approved: None,
            ..waiver()
        };
        let rejected = Waiver {
            rejected: word(1),
            ..proposed.clone()
        };
        let revoked = Waiver {
            revoked: word(2),
            ..waiver()
        };
        for (waiver, day, state) in [
            (&proposed, 2, "proposed"),
            (&proposed, 10, "expired"),
            (&waiver(), 9, "in_force"),
            (&waiver(), 10, "expired"),
            (&rejected, 2, "rejected"),
            (&rejected, 20, "rejected"),
            (&revoked, 20, "revoked"),
        ] {
            assert_eq!(waiver.state(at(day)).name(), state, "{waiver:?}");
        }
    }

    #[test]
    fn of_several_waivers_the_one_counts_that_lasts_longest() {
        let account_id: AccountId = "222222222222".parse().unwrap();
        let unit: OuPath = "Applications".parse().unwrap();
        let holder = Holder::Account {
            account_id: &account_id,
            organizational_unit: &unit,
        };
        let longer = Waiver {
            id: Uuid::from_u128(2),
            expires_at: at(20),
            ..waiver()
        };
        let waivers = [longer, waiver()];
        let key = key("eu-west-1", "config.recorder");
        for (day, id) in [(2, Some(2)), (15, Some(2)), (20, None)] {
            let found = covering(&waivers, &holder, &key, at(day));
            assert_eq!(found.map(|waiver| waiver.id.as_u128()), id, "day {day}");
        }
    }

    #[test]
    fn who_asks_does_not_approve_and_every_decision_has_its_time() {
        use WaiverDecision::{Approve, Reject, Revoke};

        let proposed = Waiver {
            approved: None,
            ..waiver()
        };
        let wrong = |state| Err(Objection::WrongState(state));
        for (waiver, decision, by, day, answer) in [
            (&proposed, Approve, "bob", 2, Ok(())),
            (&proposed, Approve, "alice", 2, Err(Objection::OwnWaiver)),
            (&proposed, Reject, "bob", 2, Ok(())),
            (&proposed, Revoke, "alice", 2, Ok(())),
            (&proposed, Approve, "bob", 10, wrong(WaiverState::Expired)),
            (&waiver(), Approve, "bob", 2, wrong(WaiverState::InForce)),
            (&waiver(), Revoke, "alice", 2, Ok(())),
            (&waiver(), Revoke, "alice", 10, wrong(WaiverState::Expired)),
        ] {
            assert_eq!(waiver.may(decision, by, at(day)), answer);
        }
    }

    #[test]
    fn a_waiver_ends_and_not_too_late() {
        for (day, ok) in [(0, false), (1, true), (180, true), (181, false)] {
            assert_eq!(check_expiry(at(day), at(0), 180).is_ok(), ok, "day {day}");
        }
    }
}
