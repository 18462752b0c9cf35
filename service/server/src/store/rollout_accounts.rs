//! The accounts of a rollout: how each stands, and pinning them, forth and back.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use landfall_model::account::Purpose;
use landfall_model::cell::CellStatus;
use landfall_model::cloud_error::{Help, StoredError};
use landfall_model::event::EventKind;
use landfall_model::ids::{AccountId, OuPath, TargetId};
use landfall_model::rollout::{
    Member, Pin, RolloutSettings, RolloutState, Seen, Standing, Wanted, Wave,
};

use super::cells::{self, TargetCell};
use super::error::StoreError;
use super::events::{self, LANDFALL, NewEvent};
use super::lease::{self, Lease, LeaseState};
use super::pins::{self, pin_in};
use super::rollouts::{Rollout, change, done_before, is_still};
use super::sql::{BadColumn, Builder, Query, Row, Stored, query};
use super::{Store, Tell, scp_pins};

/// An account as a rollout sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct RolloutAccount {
    pub id: Uuid,
    pub account_id: Option<AccountId>,
    pub name: String,
    pub purpose: Purpose,
    pub organizational_unit: OuPath,
    /// What it is pinned to.
    pub pin: Pin,
    /// The wave in which this rollout pinned it.
    pub wave: Option<Wave>,
    was_in_sync: bool,
    complete: bool,
    /// Whether a pass tried everything for what is wanted now.
    tried: bool,
    broken: bool,
    left: bool,
    paused: bool,
}

/// What is the matter with a target's cells.
#[derive(Clone, Copy, Debug, Default)]
struct Trouble {
    /// One is blocked or stuck.
    broken: bool,
    /// One differs and is left so, for a person to ask or for time.
    left: bool,
    /// One is being put right, or waits for another.
    on_its_way: bool,
}

impl RolloutAccount {
    /// How it stands; `None` when it has what is wanted by other ways than this rollout.
    pub fn standing(&self, wanted: &Wanted) -> Option<Standing> {
        let seen = Seen {
            pinned: self.wanted(wanted).is_none_or(|pin| self.pin == *pin),
            was_in_sync: self.was_in_sync,
            complete: self.complete,
            broken: self.broken,
            paused: self.paused,
            left: self.left,
        };
        (self.wave.is_some() || !seen.pinned).then(|| Standing::of(seen))
    }

    /// What it is to have; `None` where nothing is said of it.
    pub fn wanted<'a>(&self, wanted: &'a Wanted) -> Option<&'a Pin> {
        wanted.of(self.purpose, &self.organizational_unit)
    }

    /// Whether it is bound by service control policies: every account but the management account.
    pub fn is_member(&self) -> bool {
        self.purpose != Purpose::Management
    }

    /// The same for deciding what is next.
    pub fn member(&self, wanted: &Wanted, settings: &RolloutSettings) -> Option<Member> {
        Some(Member {
            id: self.id,
            canary: self.is_member() && settings.is_canary(&self.organizational_unit),
            last: !self.is_member(),
            wave: self.wave,
            standing: self.standing(wanted)?,
        })
    }

    fn target(&self) -> TargetId {
        TargetId::Account(self.id)
    }

    /// Whether it is whole now: for the question later whether it was.
    fn is_in_sync(&self) -> bool {
        self.complete && !self.broken
    }
}

impl Stored for RolloutAccount {
    const TABLE: &'static str = "rollout_account";
    const KEY: &'static str = "id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        let error: Option<StoredError> = row.maybe_json("last_error")?;
        Ok(RolloutAccount {
            id: row.name("id")?,
            account_id: row.maybe_name("account_id")?,
            name: row.text("name")?,
            purpose: row.word("purpose")?,
            organizational_unit: row.name("organizational_unit")?,
            pin: pins::pin(row, "baseline", "revision")?,
            wave: row.maybe_word("wave")?,
            was_in_sync: row.boolean("was_in_sync")?,
            complete: row.boolean("complete")?,
            tried: row.boolean("tried")?,
            left: false,
            // A pass that cannot begin leaves no cell broken.
            broken: error.is_some_and(|error| error.kind.help() != Help::Nobody),
            paused: row.boolean("paused")?,
        })
    }
}

impl Store {
    /// The accounts that carry a baseline, as a rollout sees them.
    pub async fn rollout_accounts(&self, id: Uuid) -> Result<Vec<RolloutAccount>, StoreError> {
        let accounts = query(
            "select a.id as id, a.account_id as account_id, a.name as name, a.purpose as purpose,
                a.organizational_unit as organizational_unit, p.baseline as baseline, p.revision as revision,
                r.wave as wave, coalesce(r.was_in_sync, false) as was_in_sync, t.observed_generation = t.generation as complete,
                t.tried_generation >= t.generation as tried,
                t.last_error as last_error, t.paused_at is not null as paused
             from account a
             join target t on t.id = a.id
             join pin p on p.target_id = a.id
             left join rollout_account r on r.target_id = a.id and r.rollout_id = $1
             where a.phase in ('baselining', 'governed') order by a.id",
        );
        let mut accounts: Vec<RolloutAccount> = self.db().all(accounts.bind(id)).await?;
        let troubles = self.troubles().await?;
        for account in &mut accounts {
            if let Some(trouble) = troubles.get(&account.target()) {
                account.broken |= trouble.broken;
                account.left = account.tried && trouble.left && !trouble.on_its_way;
            }
        }
        Ok(accounts)
    }

    /// What is the matter with the targets that have a cell which is not in order.
    async fn troubles(&self) -> Result<BTreeMap<TargetId, Trouble>, StoreError> {
        let mut cells = Builder::new(cells::SELECT);
        cells.push(
            " where error is not null or waiting_for is not null or not known or cast(drift as text) <> '[]'",
        );
        let cells: Vec<TargetCell> = self.db().all(cells.query()).await?;
        let mut troubles: BTreeMap<TargetId, Trouble> = BTreeMap::new();
        for TargetCell { target, cell } in cells {
            let trouble = troubles.entry(target).or_default();
            match cell.status() {
                CellStatus::InSync | CellStatus::Waived => {}
                CellStatus::Blocked { .. } | CellStatus::Stuck => trouble.broken = true,
                CellStatus::Drifted | CellStatus::Contested => trouble.left = true,
                CellStatus::Converging | CellStatus::Waiting { .. } | CellStatus::Unknown => {
                    trouble.on_its_way = true;
                }
            }
        }
        Ok(troubles)
    }

    /// Pins accounts to what a rollout wants, if it still runs. They are due now.
    pub async fn pin_wave(
        &self,
        lease: &Lease,
        rollout: &Rollout,
        wave: Wave,
        accounts: &[&RolloutAccount],
        now: Timestamp,
    ) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        if is_still(&mut tx, rollout).await? {
            let mut told = vec![Tell::Due, Tell::Events(TargetId::Organization)];
            for account in accounts {
                lease::lock(&mut tx, account.target()).await?;
                tx.execute(remember(rollout, wave, account, now)).await?;
                let Some(to) = account.wanted(&rollout.wanted) else {
                    continue;
                };
                let why = format!("by rollout {} ({})", rollout.id, wave.name());
                pin_in(&mut tx, account.target(), to, &why, now).await?;
                told.push(Tell::Events(account.target()));
            }
            let n = accounts.len();
            let sentence = format!(
                "Rollout {}: {n} more {} of the {} wave",
                rollout.id,
                if n == 1 { "account" } else { "accounts" },
                wave.name()
            );
            let event = NewEvent {
                detail: json!({ "rollout": rollout.id, "wave": wave, "accounts": n }),
                ..NewEvent::new(TargetId::Organization, EventKind::Rollout, sentence)
            };
            events::append(&mut tx, &[event], now).await?;
            self.commit(tx, &told).await?;
        }
        Ok(LeaseState::Held)
    }

    /// Pins accounts back, each to what `to` says; the rollout is rolled back then, for the `reason`.
    pub async fn pin_back(
        &self,
        lease: &Lease,
        rollout: &Rollout,
        to: &[(&RolloutAccount, &Pin)],
        reason: &str,
        now: Timestamp,
    ) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        if is_still(&mut tx, rollout).await? {
            let mut told = vec![Tell::Due, Tell::Events(TargetId::Organization)];
            for (account, pin) in to {
                lease::lock(&mut tx, account.target()).await?;
                let why = format!("since rollout {} was rolled back", rollout.id);
                pin_in(&mut tx, account.target(), pin, &why, now).await?;
                told.push(Tell::Events(account.target()));
            }
            // Begun again, it begins with the first wave.
            let forget = query("delete from rollout_account where rollout_id = $1");
            tx.execute(forget.bind(rollout.id)).await?;
            let settled = tx.one::<Rollout>(done_before(rollout.id)).await?;
            let settled = settled.as_ref().unwrap_or(rollout);
            scp_pins::take_back(&mut tx, rollout, &settled.wanted, now).await?;
            let state = RolloutState::RolledBack;
            change(&mut tx, rollout, state, LANDFALL, reason, now).await?;
            self.commit(tx, &told).await?;
        }
        Ok(LeaseState::Held)
    }
}

/// That a rollout has reached an account, and whether it was whole then. Reached before, it was reached then.
pub(super) fn remember(
    rollout: &Rollout,
    wave: Wave,
    account: &RolloutAccount,
    now: Timestamp,
) -> Query {
    query(
        "insert into rollout_account (rollout_id, target_id, wave, was_in_sync, pinned_at)
         values ($1, $2, $3, $4, $5) on conflict (rollout_id, target_id) do nothing",
    )
    .bind(rollout.id)
    .bind(account.target())
    .bind(wave.name())
    .bind(account.is_in_sync())
    .bind(now)
}
