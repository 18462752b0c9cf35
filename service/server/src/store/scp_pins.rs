//! Which set of service control policies each root or OU is to have while a rollout brings another, and what each set says.
//! A target without a row has what is settled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value as Json, json};
use tracing::warn;
use uuid::Uuid;

use landfall_model::event::EventKind;
use landfall_model::ids::{OuPath, Revision, TargetId};
use landfall_model::rollout::{Wanted, Wave};
use landfall_model::scp::{ScpCourse, ScpPin, ScpSet, ScpTarget};

use super::db::Tx;
use super::error::StoreError;
use super::events::{self, NewEvent};
use super::lease::{self, Lease, LeaseState};
use super::rollout_accounts::{RolloutAccount, remember};
use super::rollouts::{Rollout, is_still};
use super::sql::{BadColumn, Builder, Query, Row, Stored, Value, query};
use super::{Store, Tell};

/// What a target is pinned to.
struct TargetPin(ScpTarget, ScpPin);

impl Stored for TargetPin {
    const TABLE: &'static str = "scp_pin";
    const KEY: &'static str = "scp_target";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        let pin = ScpPin {
            revision: Revision::stored(row.text("revision")?),
            rollout: row.name("rollout_id")?,
            wave: row.maybe_word("wave")?,
            pinned_at: row.time("pinned_at")?,
            seen_at: row.maybe_time("seen_at")?,
        };
        Ok(TargetPin(row.name("scp_target")?, pin))
    }
}

/// A revision as it was stored.
struct StoredSet(Revision, Json);

impl Stored for StoredSet {
    const TABLE: &'static str = "scp_revision";
    const KEY: &'static str = "revision";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        let revision = Revision::stored(row.text("revision")?);
        Ok(StoredSet(revision, row.json("content")?))
    }
}

/// The id of an account.
struct Id(Uuid);

impl Stored for Id {
    const TABLE: &'static str = "account";
    const KEY: &'static str = "id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        row.name("id").map(Id)
    }
}

const SELECT: &str =
    "select scp_target, revision, rollout_id, wave, pinned_at, seen_at from scp_pin";

impl Store {
    /// Remembers what a set says, unless it is known.
    pub async fn keep_scps(&self, set: &ScpSet, now: Timestamp) -> Result<(), StoreError> {
        let keep = query(
            "insert into scp_revision (revision, content, first_seen_at) values ($1, $2, $3)
             on conflict (revision) do nothing",
        )
        .bind(set.revision().as_str())
        .bind(Value::json(&set.content()))
        .bind(now);
        self.db().execute(keep).await?;
        Ok(())
    }

    /// Every set that matters now, and where.
    pub async fn scp_course(&self) -> Result<ScpCourse, StoreError> {
        let Some(course) = self.course().await? else {
            return Ok(ScpCourse::default());
        };
        let pins: Vec<TargetPin> = self.db().all(query(SELECT)).await?;
        let mut scps = ScpCourse {
            settled: course.settled.scps,
            wanted: course.latest.wanted.scps,
            pins: pins.into_iter().map(|one| (one.0, one.1)).collect(),
            ..ScpCourse::default()
        };
        let mut revisions: BTreeSet<Revision> =
            scps.pins.values().map(|pin| pin.revision.clone()).collect();
        revisions.extend(scps.settled.iter().chain(&scps.wanted).cloned());
        if !scps.pins.is_empty() {
            let since = self.wanted_since_settled().await?.into_iter();
            revisions.extend(since.filter_map(|wanted| wanted.scps));
        }
        scps.sets = self.scp_sets(revisions).await?;
        Ok(scps)
    }

    /// What revisions say, as far as they are known and still are policies.
    async fn scp_sets(
        &self,
        mut revisions: BTreeSet<Revision>,
    ) -> Result<BTreeMap<Revision, Arc<ScpSet>>, StoreError> {
        let mut sets = BTreeMap::new();
        revisions.retain(|revision| match self.0.scps.get(revision) {
            Some(set) => {
                sets.insert(revision.clone(), set);
                false
            }
            None => true,
        });
        if revisions.is_empty() {
            return Ok(sets);
        }
        let mut stored =
            Builder::new("select revision, content from scp_revision where revision in (");
        stored
            .list(revisions.iter().map(|one| one.as_str().into()))
            .push(")");
        let stored: Vec<StoredSet> = self.db().all(stored.query()).await?;
        for StoredSet(revision, content) in stored {
            match ScpSet::stored(content) {
                Ok(set) => {
                    let set = Arc::new(set);
                    self.0.scps.add(&revision, &set);
                    sets.insert(revision, set);
                }
                Err(error) => warn!(
                    %revision,
                    "what the service control policies said is no policy any more, and what the files say stands instead: {error}"
                ),
            }
        }
        Ok(sets)
    }

    /// Lets targets have the policies that a rollout wants, if it still runs. `accounts` are those that stand right there: they
    /// are looked at when AWS was seen to have the policies ([`Store::scps_seen`]), and how they are now is remembered.
    pub async fn attach_wave(
        &self,
        lease: &Lease,
        rollout: &Rollout,
        (wave, targets): (Option<Wave>, &[ScpTarget]),
        accounts: &[&RolloutAccount],
        now: Timestamp,
    ) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        let Some(revision) = &rollout.wanted.scps else {
            return Ok(LeaseState::Held);
        };
        if !is_still(&mut tx, rollout).await? {
            return Ok(LeaseState::Held);
        }
        for target in targets {
            tx.execute(pin(target, revision, rollout.id, wave, now))
                .await?;
        }
        if let Some(wave) = wave {
            for account in accounts {
                lease::lock(&mut tx, TargetId::Account(account.id)).await?;
                tx.execute(remember(rollout, wave, account, now)).await?;
            }
            let names: Vec<String> = targets.iter().map(ToString::to_string).collect();
            let names = names.join(", ");
            let sentence = format!(
                "Rollout {}: the service control policies of {names} ({})",
                rollout.id,
                wave.name()
            );
            let event = NewEvent {
                detail: json!({ "rollout": rollout.id, "wave": wave, "scp_targets": targets }),
                ..NewEvent::new(TargetId::Organization, EventKind::Rollout, sentence)
            };
            events::append(&mut tx, &[event], now).await?;
        }
        self.commit(tx, &[Tell::Events(TargetId::Organization)])
            .await?;
        Ok(LeaseState::Held)
    }

    /// AWS was seen to have the policies that were wanted at `as_of`. The accounts that stand right on the targets are looked at
    /// as a whole, anew where somebody works on them: what he saw may have been before.
    pub async fn scps_seen(
        &self,
        lease: &Lease,
        as_of: Timestamp,
        now: Timestamp,
    ) -> Result<LeaseState, StoreError> {
        let mut unseen = Builder::new(SELECT);
        unseen
            .push(" where seen_at is null and pinned_at <= ")
            .value(as_of);
        let unseen: Vec<TargetPin> = self.db().all(unseen.query()).await?;
        if unseen.is_empty() {
            return Ok(LeaseState::Held);
        }
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        let mut told = vec![Tell::Due];
        for TargetPin(target, pin) in unseen {
            let seen = query("update scp_pin set seen_at = $1 where scp_target = $2");
            tx.execute(seen.bind(now).bind(target.word())).await?;
            if let (Some(wave), ScpTarget::Unit(unit)) = (pin.wave, &target) {
                let accounts = query(
                    "select id from account where organizational_unit = $1 and phase in ('baselining', 'governed')",
                );
                let accounts: Vec<Id> = tx.all(accounts.bind(unit.as_str())).await?;
                for Id(account) in accounts {
                    let account = TargetId::Account(account);
                    look_anew(&mut tx, account, now).await?;
                    let sentence = format!(
                        "The service control policies of {unit} changed, by rollout {} ({})",
                        pin.rollout,
                        wave.name()
                    );
                    let event = NewEvent {
                        detail: json!({ "rollout": pin.rollout, "wave": wave, "revision": pin.revision }),
                        ..NewEvent::new(account, EventKind::Rollout, sentence)
                    };
                    events::append(&mut tx, &[event], now).await?;
                    told.push(Tell::Events(account));
                }
            }
        }
        self.commit(tx, &told).await?;
        Ok(LeaseState::Held)
    }
}

async fn look_anew(tx: &mut Tx, account: TargetId, now: Timestamp) -> Result<(), StoreError> {
    lease::lock(tx, account).await?;
    lease::revoke(tx, account, now).await?;
    let cells = query("update cell set due_at = $1 where target_id = $2 and due_at > $1");
    tx.execute(cells.bind(now).bind(account)).await?;
    Ok(())
}

fn pin(
    target: &ScpTarget,
    revision: &Revision,
    rollout: Uuid,
    wave: Option<Wave>,
    now: Timestamp,
) -> Query {
    query(
        "insert into scp_pin (scp_target, revision, rollout_id, wave, pinned_at, seen_at)
         values ($1, $2, $3, $4, $5, null)
         on conflict (scp_target) do update set revision = excluded.revision, rollout_id = excluded.rollout_id,
            wave = excluded.wave, pinned_at = excluded.pinned_at, seen_at = null",
    )
    .bind(target.word())
    .bind(revision.as_str())
    .bind(rollout)
    .bind(wave.map(Wave::name))
    .bind(now)
}

/// Lets OUs that were in none of the landing zones `before` have what a rollout wants for themselves, before it reaches anybody:
/// nothing that runs there is used to anything else, and without policies they would be a hole.
pub(super) async fn pin_new_units(
    tx: &mut Tx,
    rollout: &Rollout,
    before: &[&Wanted],
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(revision) = &rollout.wanted.scps else {
        return Ok(());
    };
    for unit in rollout.wanted.new_units(before) {
        let target = ScpTarget::Unit(unit.clone());
        tx.execute(pin(&target, revision, rollout.id, None, now))
            .await?;
    }
    Ok(())
}

/// Everything is settled.
pub(super) async fn forget(tx: &mut Tx) -> Result<(), StoreError> {
    tx.execute(query("delete from scp_pin")).await?;
    Ok(())
}

/// Everything is back where it was, before a rollout. OUs that were not there keep what they have, without what was to come from
/// above.
pub(super) async fn take_back(
    tx: &mut Tx,
    rollout: &Rollout,
    settled: &Wanted,
    now: Timestamp,
) -> Result<(), StoreError> {
    let pins: Vec<TargetPin> = tx.all(query(SELECT)).await?;
    forget(tx).await?;
    let before = [settled];
    pin_new_units(tx, rollout, &before, now).await?;
    let new: BTreeSet<&OuPath> = rollout.wanted.new_units(&before).collect();
    for TargetPin(target, had) in pins {
        if matches!(&target, ScpTarget::Unit(unit) if new.contains(unit)) {
            tx.execute(pin(&target, &had.revision, had.rollout, None, now))
                .await?;
        }
    }
    Ok(())
}
