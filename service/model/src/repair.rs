//! What is done about a cell that differs: it is repaired, or left as it is for a while.
//!
//! Four things speak for leaving it: an accepted deviation (a waiver), a baseline that wants to be asked first, somebody
//! who keeps undoing what Landfall does, and nothing else. They are weighed in one place, [`decide`].

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Whether drift of a control is repaired by itself. A baseline says so for each of its controls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// As soon as it is seen.
    #[default]
    Auto,
    /// Once somebody asks for it. What an account never had is still put on while it is vended.
    Ask,
}

/// Repairs in a row after which a cell counts as contested.
pub const CONTESTED_AFTER: u32 = 3;

/// A cell that drifts again within this time of its last repair is still the same fight; one that stayed in sync for so
/// long is at peace.
pub const PEACE: SignedDuration = SignedDuration::from_hours(3);

/// How long a contested cell is left alone after its last repair, the first time; then twice as long, and so on.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// The longest pause. No longer than the sweep takes to come round: who drifts on purpose gains nothing by going on.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// How often a cell was repaired without peace in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repairs {
    /// Repairs, each within [`PEACE`] of the one before.
    pub in_a_row: u32,
    pub last_at: Option<Timestamp>,
}

impl Repairs {
    /// Whether somebody keeps undoing what Landfall does.
    pub fn contested(&self) -> bool {
        self.in_a_row >= CONTESTED_AFTER
    }

    /// Until when a cell that drifted at `since` is left alone, unless somebody asks for its repair. `None` once the repair
    /// of this drift has begun.
    pub fn pause_until(&self, since: Timestamp) -> Option<Timestamp> {
        let last_at = self
            .last_at
            .filter(|last_at| self.contested() && *last_at < since)?;
        let doublings = (self.in_a_row - CONTESTED_AFTER).min(16);
        Some(last_at + (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE))
    }

    /// A repair begins of what drifted at `since`. The tries of one repair count once.
    pub fn begin(&mut self, since: Timestamp, now: Timestamp) {
        let in_a_row = match self.last_at {
            Some(last_at) if last_at >= since => return,
            Some(last_at) if since.duration_since(last_at) < PEACE => self.in_a_row + 1,
            _ => 1,
        };
        *self = Repairs {
            in_a_row,
            last_at: Some(now),
        };
    }

    /// The cell was seen in sync.
    pub fn in_sync(&mut self, now: Timestamp) {
        if self
            .last_at
            .is_some_and(|at| now.duration_since(at) >= PEACE)
        {
            *self = Repairs::default();
        }
    }
}

/// What speaks for and against the repair of a cell that differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Situation {
    pub repair: Repair,
    /// The account is being vended: what it lacks, it never had.
    pub vending: bool,
    /// Somebody asked for this repair.
    pub asked: bool,
    /// Until when the deviation is accepted.
    pub waived_until: Option<Timestamp>,
    /// Until when the repair of a contested cell waits.
    pub paused_until: Option<Timestamp>,
}

/// What to do about a cell that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    Repair,
    /// Leave it as it is, and look again by then.
    LeaveUntil(Timestamp),
    /// Leave it as it is; look again when its time comes.
    Leave,
}

/// What to do about a cell that differs.
///
/// An accepted deviation stands above everybody's wish: whoever wants it repaired revokes the waiver. A person's wish
/// stands above what the baseline says and above the pause of a contested cell.
pub fn decide(situation: &Situation, now: Timestamp) -> Response {
    if let Some(until) = situation.waived_until.filter(|until| *until > now) {
        return Response::LeaveUntil(until);
    }
    if situation.asked || situation.vending {
        return Response::Repair;
    }
    match (situation.repair, situation.paused_until) {
        (Repair::Ask, _) => Response::Leave,
        (Repair::Auto, Some(until)) if until > now => Response::LeaveUntil(until),
        (Repair::Auto, _) => Response::Repair,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    #[test]
    fn what_is_done_follows_from_the_situation() {
        use Response::{Leave, LeaveUntil, Repair as Mend};

        let plain = Situation::default();
        let ask = Situation {
            repair: Repair::Ask,
            ..plain
        };
        let contested = Situation {
            paused_until: Some(at(5)),
            ..plain
        };
        let waived = |until| Situation {
            waived_until: Some(at(until)),
            ..plain
        };
        for (why, situation, now, response) in [
            ("drift is repaired", plain, 0, Mend),
            ("a control that asks waits", ask, 0, Leave),
            (
                "what an account never had is put on",
                Situation {
                    vending: true,
                    ..ask
                },
                0,
                Mend,
            ),
            ("a person asked", Situation { asked: true, ..ask }, 0, Mend),
            ("an accepted deviation", waived(9), 0, LeaveUntil(at(9))),
            ("that has ended", waived(9), 9, Mend),
            (
                "a wish does not break a waiver",
                Situation {
                    asked: true,
                    ..waived(9)
                },
                0,
                LeaveUntil(at(9)),
            ),
            (
                "nor does vending",
                Situation {
                    vending: true,
                    ..waived(9)
                },
                0,
                LeaveUntil(at(9)),
            ),
            ("a fight is slowed down", contested, 1, LeaveUntil(at(5))),
            ("and goes on", contested, 5, Mend),
            (
                "a person may not want to wait",
                Situation {
                    asked: true,
                    ..contested
                },
                1,
                Mend,
            ),
            (
                "a control that asks is not repaired when the pause ends",
                Situation {
                    repair: Repair::Ask,
                    ..contested
                },
                9,
                Leave,
            ),
        ] {
            assert_eq!(decide(&situation, at(now)), response, "{why}");
        }
    }

    #[test]
    fn pauses_grow_and_have_an_end() {
        let pauses: Vec<i64> = (1..9)
            .map(|in_a_row| {
                let repairs = Repairs {
                    in_a_row,
                    last_at: Some(at(0)),
                };
                let until = repairs.pause_until(at(1)).unwrap_or(at(0));
                until.duration_since(at(0)).as_mins()
            })
            .collect();
        assert_eq!(pauses, [0, 0, 5, 10, 20, 40, 60, 60]);
        let many = Repairs {
            in_a_row: u32::MAX,
            last_at: Some(at(0)),
        };
        assert_eq!(many.pause_until(at(1)), Some(at(60)));
        assert_eq!(many.pause_until(at(0)), None, "it is being repaired");
    }

    #[test]
    fn repairs_count_while_there_is_no_peace() {
        let mut repairs = Repairs::default();
        // The minute at which it drifts, and is repaired; how many repairs in a row that makes.
        for (since, now, in_a_row) in [
            (0, 1, 1),
            (10, 11, 2),
            // Another try at the same drift.
            (10, 12, 2),
            (100, 130, 3),
            // A repair that had to wait for its pause: what counts is how long it stayed in sync.
            (140, 500, 4),
            (680, 680, 1),
        ] {
            repairs.begin(at(since), at(now));
            assert_eq!(repairs.in_a_row, in_a_row, "drifted at {since}");
            assert_eq!(repairs.contested(), in_a_row >= 3);
        }
        repairs.in_sync(at(680 + 179));
        assert_eq!(repairs.in_a_row, 1);
        repairs.in_sync(at(680 + 180));
        assert_eq!(repairs, Repairs::default());
    }
}
