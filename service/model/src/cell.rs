//! A cell: one control on one target in one Region, what was last seen of it, and what that means.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::cloud_error::{CloudErrorKind, Help, StoredError};
use crate::ids::{ControlId, Region, Revision};
use crate::json_text::JsonText;
use crate::repair::Repairs;

/// Which cell of a target. Cells that are not regional stand under the home Region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CellKey {
    pub region: Region,
    pub control: ControlId,
}

impl fmt::Display for CellKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.control, self.region)
    }
}

/// What is remembered of a cell. Cheap to clone while it is in sync.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    pub key: CellKey,
    /// The desired state that the rest was compared with.
    pub revision: Revision,
    /// `false` from before a mutating call until AWS was looked at again: what is there may be anything.
    pub known: bool,
    /// What AWS had at `observed_at`, in the control's words.
    pub observed: Option<JsonText>,
    pub observed_at: Option<Timestamp>,
    /// What would have to change, as sentences; empty when observed is as desired.
    pub drift: Vec<String>,
    /// Since when it differs.
    pub drifted_since: Option<Timestamp>,
    /// What it must have, in the control's words; kept while it differs.
    pub desired: Option<JsonText>,
    /// When somebody asked for its repair, until it is in sync.
    pub repair_asked_at: Option<Timestamp>,
    pub repairs: Repairs,
    /// The accepted deviation that it was last looked at under.
    pub waiver: Option<CellWaiver>,
    /// The control that has to be in sync first.
    pub waiting_for: Option<ControlId>,
    /// Why the last look or change failed.
    pub error: Option<StoredError>,
    /// Looks since it was last in sync.
    pub attempts: u32,
    /// When it is worth looking again.
    pub due_at: Timestamp,
}

/// The waiver that covers a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellWaiver {
    pub id: Uuid,
    pub until: Timestamp,
}

impl Cell {
    /// A cell that nobody has looked at.
    pub fn unseen(key: CellKey, revision: Revision, due_at: Timestamp) -> Self {
        Cell {
            key,
            revision,
            known: false,
            observed: None,
            observed_at: None,
            drift: Vec::new(),
            drifted_since: None,
            desired: None,
            repair_asked_at: None,
            repairs: Repairs::default(),
            waiver: None,
            waiting_for: None,
            error: None,
            attempts: 0,
            due_at,
        }
    }

    /// Whether nothing but the times of looks tells the cell from what it was: somebody looked, and all was as before.
    pub fn is_as(&self, before: &Cell) -> bool {
        let Cell {
            key,
            revision,
            known,
            observed,
            observed_at: _,
            drift,
            drifted_since,
            desired,
            repair_asked_at,
            repairs,
            waiver,
            waiting_for,
            error,
            attempts,
            due_at: _,
        } = self;
        *key == before.key
            && *revision == before.revision
            && *known == before.known
            && *observed == before.observed
            && *drift == before.drift
            && *drifted_since == before.drifted_since
            && *desired == before.desired
            && *repair_asked_at == before.repair_asked_at
            && *repairs == before.repairs
            && *waiver == before.waiver
            && *waiting_for == before.waiting_for
            && *error == before.error
            && *attempts == before.attempts
    }

    /// What the cell's fields mean together. Derived here and nowhere else: API, pages, command line and metrics ask this.
    pub fn status(&self) -> CellStatus {
        let as_wanted = self.known && self.drift.is_empty();
        if self.waiver.is_some() && !(as_wanted && self.error.is_none()) {
            return CellStatus::Waived;
        }
        if let Some(control) = &self.waiting_for {
            return CellStatus::Waiting {
                on: control.clone(),
            };
        }
        if let Some(error) = &self.error {
            return match error.kind.help() {
                Help::Nobody if self.attempts >= error.kind.stuck_after() => CellStatus::Stuck,
                Help::Nobody => CellStatus::Converging,
                Help::Requester | Help::PlatformTeam | Help::AwsSupport => CellStatus::Blocked {
                    error: error.clone(),
                },
            };
        }
        if !self.known {
            return CellStatus::Unknown;
        }
        if self.drift.is_empty() {
            return CellStatus::InSync;
        }
        if self.repairs.contested() {
            return CellStatus::Contested;
        }
        match self.attempts {
            0 => CellStatus::Drifted,
            // AWS took the changes and does not show them.
            n if n >= CloudErrorKind::NotReady.stuck_after() => CellStatus::Stuck,
            _ => CellStatus::Converging,
        }
    }
}

/// The meaning of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum CellStatus {
    InSync,
    /// It differs and nothing was tried yet.
    Drifted,
    /// Being put right: what is wrong passes by itself or is being changed.
    Converging,
    /// Another control has to be in sync first.
    Waiting {
        on: ControlId,
    },
    /// Somebody has to do something.
    Blocked {
        error: StoredError,
    },
    /// It should have got in sync long ago.
    Stuck,
    /// It may be anything: never looked at, or a change was begun and its end was not seen.
    Unknown,
    /// It is not as its baseline wants it, or cannot be looked at, and that is accepted for a while.
    Waived,
    /// Somebody keeps undoing what Landfall does: it is repaired more and more seldom.
    Contested,
}

impl CellStatus {
    pub const NAMES: [&'static str; 9] = [
        "in_sync",
        "drifted",
        "converging",
        "waiting",
        "blocked",
        "stuck",
        "unknown",
        "waived",
        "contested",
    ];

    /// The word in JSON and in a metric's label.
    pub fn name(&self) -> &'static str {
        match self {
            CellStatus::InSync => "in_sync",
            CellStatus::Drifted => "drifted",
            CellStatus::Converging => "converging",
            CellStatus::Waiting { .. } => "waiting",
            CellStatus::Blocked { .. } => "blocked",
            CellStatus::Stuck => "stuck",
            CellStatus::Unknown => "unknown",
            CellStatus::Waived => "waived",
            CellStatus::Contested => "contested",
        }
    }

    /// The cells of a grid are drawn with one character each.
    pub fn symbol(&self) -> char {
        match self {
            CellStatus::InSync => '●',
            CellStatus::Drifted => '◐',
            CellStatus::Converging => '◔',
            CellStatus::Waiting { .. } => '○',
            CellStatus::Blocked { .. } => '✗',
            CellStatus::Stuck => '!',
            CellStatus::Unknown => '·',
            CellStatus::Waived => '~',
            CellStatus::Contested => '⇄',
        }
    }

    /// Whether nothing more is to be done for now: what waits for the cell need not wait any longer.
    pub fn is_settled(&self) -> bool {
        match self {
            CellStatus::InSync | CellStatus::Waived => true,
            CellStatus::Drifted
            | CellStatus::Converging
            | CellStatus::Waiting { .. }
            | CellStatus::Blocked { .. }
            | CellStatus::Stuck
            | CellStatus::Unknown
            | CellStatus::Contested => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repair::CONTESTED_AFTER;

    fn cell() -> Cell {
        let key = CellKey {
            region: "eu-west-1".parse().unwrap(),
            control: "config.recorder".parse().unwrap(),
        };
        Cell::unseen(key, Revision::of(b"1"), Timestamp::UNIX_EPOCH)
    }

    fn error(kind: CloudErrorKind) -> Option<StoredError> {
        Some(StoredError {
            kind,
            operation: "config:PutConfigurationRecorder".to_owned(),
            message: "no".to_owned(),
            request_id: None,
        })
    }

    #[test]
    fn only_times_may_differ_of_a_cell_that_is_as_it_was() {
        let before = Cell {
            observed: Some(JsonText::of(&1)),
            ..cell()
        };
        let later = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(1);
        let seen_again = Cell {
            observed_at: Some(later),
            due_at: later,
            ..before.clone()
        };
        assert!(seen_again.is_as(&before));
        type Change = fn(&mut Cell);
        let changes: [Change; 12] = [
            |cell| cell.key.region = "us-east-1".parse().unwrap(),
            |cell| cell.revision = Revision::of(b"2"),
            |cell| cell.known = true,
            |cell| cell.observed = Some(JsonText::of(&2)),
            |cell| cell.drift = vec!["it".to_owned()],
            |cell| cell.drifted_since = Some(Timestamp::UNIX_EPOCH),
            |cell| cell.desired = Some(JsonText::of(&())),
            |cell| cell.repair_asked_at = Some(Timestamp::UNIX_EPOCH),
            |cell| cell.repairs.in_a_row = 1,
            |cell| cell.waiting_for = Some("a.b".parse().unwrap()),
            |cell| cell.error = error(CloudErrorKind::NotReady),
            |cell| cell.attempts = 1,
        ];
        for change in changes {
            let mut other = seen_again.clone();
            change(&mut other);
            assert!(!other.is_as(&before), "{other:?}");
        }
    }

    #[test]
    fn status_follows_from_the_fields() {
        let drift = vec!["start the recorder".to_owned()];
        let looked = Cell {
            known: true,
            ..cell()
        };
        let fought_over = Repairs {
            in_a_row: CONTESTED_AFTER,
            last_at: Some(Timestamp::UNIX_EPOCH),
        };
        let waiver = Some(CellWaiver {
            id: Uuid::from_u128(1),
            until: Timestamp::UNIX_EPOCH,
        });
        for (expected, cell) in [
            ("unknown", cell()),
            ("in_sync", looked.clone()),
            (
                "drifted",
                Cell {
                    drift: drift.clone(),
                    ..looked.clone()
                },
            ),
            (
                "converging",
                Cell {
                    drift: drift.clone(),
                    attempts: 1,
                    ..looked.clone()
                },
            ),
            (
                "stuck",
                Cell {
                    drift: drift.clone(),
                    attempts: CloudErrorKind::NotReady.stuck_after(),
                    ..looked.clone()
                },
            ),
            (
                "unknown",
                Cell {
                    known: false,
                    drift: drift.clone(),
                    attempts: 1,
                    ..looked.clone()
                },
            ),
            (
                "converging",
                Cell {
                    error: error(CloudErrorKind::NotReady),
                    attempts: 1,
                    ..looked.clone()
                },
            ),
            (
                "stuck",
                Cell {
                    error: error(CloudErrorKind::Unavailable),
                    attempts: CloudErrorKind::Unavailable.stuck_after(),
                    ..looked.clone()
                },
            ),
            (
                "blocked",
                Cell {
                    error: error(CloudErrorKind::AccessDenied),
                    attempts: 1,
                    ..looked.clone()
                },
            ),
            (
                "waiting",
                Cell {
                    waiting_for: Some("iam.service-linked-roles".parse().unwrap()),
                    ..looked.clone()
                },
            ),
            (
                "contested",
                Cell {
                    repairs: fought_over,
                    drift: drift.clone(),
                    attempts: 1,
                    ..looked.clone()
                },
            ),
            (
                "in_sync",
                Cell {
                    repairs: fought_over,
                    ..looked.clone()
                },
            ),
            ("waived", Cell { waiver, ..cell() }),
            (
                "waived",
                Cell {
                    waiver,
                    drift,
                    ..looked.clone()
                },
            ),
            (
                "waived",
                Cell {
                    waiver,
                    error: error(CloudErrorKind::AccessDenied),
                    ..looked.clone()
                },
            ),
            ("in_sync", Cell { waiver, ..looked }),
        ] {
            assert_eq!(cell.status().name(), expected, "{cell:?}");
            assert!(CellStatus::NAMES.contains(&cell.status().name()));
            assert_eq!(
                serde_json::to_value(cell.status()).unwrap()["status"],
                expected
            );
        }
    }
}
