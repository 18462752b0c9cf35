//! What a pass does about cells that differ: which waivers cover them, and whether they are repaired now or left.

use jiff::Timestamp;
use landfall_model::cell::{Cell, CellWaiver};
use landfall_model::repair::{self, Response, Situation};
use landfall_model::waiver::{self, Holder};

use super::board::Board;
use super::cells::Work;
use super::{Engine, PassError};

impl Engine {
    /// Puts with each cell the waiver that covers it now. A cell whose waiver has begun or ended is due.
    pub(super) async fn cover(
        &self,
        board: &mut Board<'_>,
        work: &Work<'_>,
        now: Timestamp,
    ) -> Result<(), PassError> {
        let waivers = self.store.waivers_in_force(now).await?;
        let holder = match &work.unit {
            None => Holder::Organization,
            Some(organizational_unit) => Holder::Account {
                account_id: &work.place.account,
                organizational_unit,
            },
        };
        for (key, slot) in &mut board.slots {
            let covering = waiver::covering(&waivers, &holder, key, now).map(|waiver| CellWaiver {
                id: waiver.id,
                until: waiver.consent.expires_at,
            });
            if slot.cell.waiver != covering {
                slot.cell.waiver = covering;
                slot.cell.due_at = now;
            }
        }
        Ok(())
    }

    /// Whether a cell that differs is repaired now. One that is left has its next time.
    pub(super) fn is_to_be_repaired(
        &self,
        work: &Work<'_>,
        cell: &mut Cell,
        now: Timestamp,
    ) -> bool {
        let since = cell.drifted_since.unwrap_or(now);
        let situation = Situation {
            repair: work.baseline.repair(&cell.key.control),
            vending: work.vending,
            asked: cell.repair_asked_at.is_some(),
            waived_until: cell.waiver.map(|waiver| waiver.until),
            paused_until: cell.repairs.pause_until(since),
        };
        let next_look = now + self.settings.look_every;
        let due_at = match repair::decide(&situation, now) {
            Response::Repair => return true,
            Response::LeaveUntil(until) => until.min(next_look),
            Response::Leave => next_look,
        };
        cell.due_at = due_at;
        cell.attempts = 0;
        false
    }
}
