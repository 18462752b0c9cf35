//! Waivers: accepted deviations. Somebody asks for one with a reason, somebody else agrees, and it ends by itself.
//!
//! Its life is that of every consent: see `consent`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::cell::CellKey;
use crate::consent::{Consent, ConsentState};
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
    pub consent: Consent,
}

impl Waiver {
    /// Whether the deviation of this cell is accepted now.
    pub fn covers(&self, holder: &Holder<'_>, key: &CellKey, now: Timestamp) -> bool {
        self.consent.state(now) == ConsentState::InForce
            && self.control == key.control
            && self
                .region
                .as_ref()
                .is_none_or(|region| *region == key.region)
            && self.beneficiary.includes(holder)
    }

    /// Whether it accepts nothing that the other, of the same cells, does not accept or wait to.
    pub fn repeats(&self, other: &Waiver, now: Timestamp) -> bool {
        self.control == other.control
            && self.region == other.region
            && self.beneficiary == other.beneficiary
            && self.consent.adds_nothing_to(&other.consent, now)
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
        .max_by_key(|waiver| (waiver.consent.expires_at, waiver.id))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::consent::{Decision, Word};

    fn at(days: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * days)
    }

    /// Proposed by alice, approved by bob.
    fn approved(expires_at: Timestamp) -> Consent {
        let mut consent = Consent::asked("alice", at(0), expires_at);
        let word = Word {
            by: "bob".to_owned(),
            at: at(1),
            reason: String::new(),
        };
        consent.decide(Decision::Approve, word);
        consent
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
            consent: approved(at(10)),
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
    fn of_several_waivers_the_one_counts_that_lasts_longest() {
        let account_id: AccountId = "222222222222".parse().unwrap();
        let unit: OuPath = "Applications".parse().unwrap();
        let holder = Holder::Account {
            account_id: &account_id,
            organizational_unit: &unit,
        };
        let longer = Waiver {
            id: Uuid::from_u128(2),
            consent: approved(at(20)),
            ..waiver()
        };
        let waivers = [longer, waiver()];
        let key = key("eu-west-1", "config.recorder");
        for (day, id) in [(2, Some(2)), (15, Some(2)), (20, None)] {
            let found = covering(&waivers, &holder, &key, at(day));
            assert_eq!(found.map(|waiver| waiver.id.as_u128()), id, "day {day}");
        }
    }
}
