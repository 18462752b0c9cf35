//! What waivers and exemptions have in common: they are asked for, decided on, listed, and told of in the history. What each
//! of them is about, and who is concerned by it, is its own ([`Consented`]).

use jiff::Timestamp;
use uuid::Uuid;

use landfall_model::consent::{Consent, ConsentState, Decision, Objection, Word};
use landfall_model::event::EventKind;
use landfall_model::ids::{AccountId, TargetId};

use super::db::Tx;
use super::error::StoreError;
use super::events::{self, NewEvent};
use super::sql::{BadColumn, Builder, Query, Row, Stored, Value};
use super::{Page, Store, Tell, accounts, lease};

/// What became of a proposal.
#[derive(Clone, Debug, PartialEq)]
pub enum Proposed<T> {
    Added,
    /// It says no more than this one, which is in force or waits for a decision. Nothing was added.
    Already(T),
}

/// What became of a decision.
#[derive(Clone, Debug, PartialEq)]
pub enum Settled<T> {
    /// It stands; what it is about as it is now.
    Done(T),
    Refused(Objection),
    NotFound,
}

/// Something that one asks for and another agrees to: a row with a consent.
pub(super) trait Consented: Stored + Send + Sync {
    /// All columns, without a condition.
    const SELECT: &'static str;

    fn id(&self) -> Uuid;
    fn consent(&self) -> &Consent;
    fn consent_mut(&mut self) -> &mut Consent;
    /// Why it is asked for.
    fn reason(&self) -> &str;
    /// The account that it names; where it names none, its history is the organization's.
    fn account(&self) -> Option<&AccountId>;
    /// What it is, as a sentence of history begins.
    fn sentence(&self) -> String;
    /// The event without a target, a kind and a sentence: what else is said of it.
    fn detail(&self, event: NewEvent) -> NewEvent;
    /// What is told when it is asked for, and when it is decided on.
    fn kind(decision: Option<Decision>) -> EventKind;
    fn insert(&self) -> Query;
    /// Conditions that all have to keep that it may repeat.
    fn similar(&self, list: &mut Builder);
    fn repeats(&self, other: &Self, now: Timestamp) -> bool;
    /// Has everybody looked at whom it concerns.
    async fn wake(&self, tx: &mut Tx, now: Timestamp) -> Result<(), StoreError>;

    /// Whose history tells of it.
    async fn target(&self, tx: &mut Tx) -> Result<TargetId, StoreError> {
        match self.account() {
            Some(account) => accounts::target_of(tx, account).await,
            None => Ok(TargetId::Organization),
        }
    }

    /// Writes into the history what somebody did about it.
    async fn tell(
        &self,
        tx: &mut Tx,
        kind: EventKind,
        verb: &str,
        said: &Word,
    ) -> Result<Tell, StoreError> {
        let target = self.target(tx).await?;
        // Before the engine has run for the first time there is no organization whose history could be written.
        if lease::lock(tx, target).await? {
            let mut sentence = format!("{} {verb}", self.sentence());
            if !said.reason.is_empty() {
                sentence = format!("{sentence}: {}", said.reason);
            }
            let event = self.detail(NewEvent::by(&said.by, target, kind, sentence));
            events::append(tx, &[event], said.at).await?;
        }
        Ok(Tell::Events(target))
    }
}

/// Reads the columns that every consent has.
pub(super) fn read(row: &Row) -> Result<Consent, BadColumn> {
    Ok(Consent {
        requested_by: row.text("requested_by")?,
        requested_at: row.time("requested_at")?,
        expires_at: row.time("expires_at")?,
        approved: row.maybe_json("approved")?,
        rejected: row.maybe_json("rejected")?,
        revoked: row.maybe_json("revoked")?,
    })
}

impl Store {
    /// Adds what somebody asks for, unless that is there.
    pub(super) async fn propose<T: Consented>(&self, new: &T) -> Result<Proposed<T>, StoreError> {
        let consent = new.consent();
        let now = consent.requested_at;
        let mut tx = self.db().begin().await?;
        // Two who ask for the same at once stand in line here.
        let target = new.target(&mut tx).await?;
        lease::lock(&mut tx, target).await?;
        let mut list = Builder::new(T::SELECT);
        list.push(" where ");
        new.similar(&mut list);
        let states = [ConsentState::Proposed, ConsentState::InForce];
        in_states(&mut list, &states, now);
        list.push(" order by id");
        let similar: Vec<T> = tx.all(list.query()).await?;
        if let Some(other) = similar.into_iter().find(|other| new.repeats(other, now)) {
            tx.rollback().await?;
            return Ok(Proposed::Already(other));
        }
        tx.execute(new.insert()).await?;
        let said = Word {
            by: consent.requested_by.clone(),
            at: now,
            reason: new.reason().to_owned(),
        };
        let told = new.tell(&mut tx, T::kind(None), "proposed", &said).await?;
        self.commit(tx, &[told]).await?;
        Ok(Proposed::Added)
    }

    /// Decides, when `Consent::may` allows it. Who is concerned is looked at at once.
    pub(super) async fn settle<T: Consented>(
        &self,
        id: Uuid,
        decision: Decision,
        by: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<Settled<T>, StoreError> {
        let mut tx = self.db().begin().await?;
        let (row, changed, word) = match decide(&mut tx, id, decision, by, reason, now).await? {
            Settled::Done(done) => done,
            Settled::Refused(objection) => {
                tx.rollback().await?;
                return Ok(Settled::Refused(objection));
            }
            Settled::NotFound => {
                tx.rollback().await?;
                return Ok(Settled::NotFound);
            }
        };
        if changed {
            T::wake(&row, &mut tx, now).await?;
        }
        let kind = T::kind(Some(decision));
        let told = row.tell(&mut tx, kind, decision.past(), &word).await?;
        self.commit(tx, &[Tell::Due, told]).await?;
        Ok(Settled::Done(row))
    }

    pub(super) async fn consented<T: Consented>(&self, id: Uuid) -> Result<Option<T>, StoreError> {
        let mut one = Builder::new(T::SELECT);
        one.push(" where id = ").value(id);
        self.db().one(one.query()).await
    }

    /// Those in one of these states, newest first, by whatever else `filter` says. `cursor` is the `next` of the page before.
    pub(super) async fn page_of<T: Consented>(
        &self,
        states: &[ConsentState],
        filter: &[(&'static str, Option<&str>)],
        now: Timestamp,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<T>, StoreError> {
        let mut list = Builder::new(T::SELECT);
        list.push(" where 1 = 1");
        in_states(&mut list, states, now);
        for (column, value) in filter {
            if let Some(value) = *value {
                list.push(" and ").push(column).push(" = ").value(value);
            }
        }
        if let Some(cursor) = cursor {
            list.push(" and id < ").value(cursor);
        }
        list.push(" order by id desc limit ")
            .value(limit.saturating_add(1));
        let rows = self.db().all(list.query()).await?;
        Ok(Page::of(rows, limit, |row: &T| row.id().to_string()))
    }
}

/// Puts a decision down, when `Consent::may` allows it: what was decided on, whether it begins or ends to be in force, and the
/// decision as it is remembered. The rest of the transaction is the caller's.
pub(super) async fn decide<T: Consented>(
    tx: &mut Tx,
    id: Uuid,
    decision: Decision,
    by: &str,
    reason: &str,
    now: Timestamp,
) -> Result<Settled<(T, bool, Word)>, StoreError> {
    let mut one = Builder::new(T::SELECT);
    one.push(" where id = ")
        .value(id)
        .push(tx.dialect().for_update);
    let Some(mut row) = tx.one::<T>(one.query()).await? else {
        return Ok(Settled::NotFound);
    };
    if let Err(objection) = row.consent().may(decision, by, now) {
        return Ok(Settled::Refused(objection));
    }
    let is_in_force = |row: &T| row.consent().state(now) == ConsentState::InForce;
    let was_in_force = is_in_force(&row);
    let word = Word {
        by: by.to_owned(),
        at: now,
        reason: reason.to_owned(),
    };
    row.consent_mut().decide(decision, word.clone());
    let mut update = Builder::new("update ");
    update
        .push(T::TABLE)
        .push(" set ")
        .push(decision.past())
        .push(" = ")
        .value(Value::json(&word))
        .push(" where id = ")
        .value(id);
    tx.execute(update.query()).await?;
    let changed = was_in_force != is_in_force(&row);
    Ok(Settled::Done((row, changed, word)))
}

/// Those in one of these states; all of them when there are none.
pub(super) fn in_states(list: &mut Builder, states: &[ConsentState], now: Timestamp) {
    if states.is_empty() {
        return;
    }
    list.push(" and (1 = 0");
    for state in states {
        list.push(" or ");
        in_state(list, *state, now);
    }
    list.push(")");
}

/// `Consent::state` as a condition: a test compares the two.
pub(super) fn in_state(list: &mut Builder, state: ConsentState, now: Timestamp) {
    match state {
        ConsentState::Rejected => list.push("rejected is not null"),
        ConsentState::Revoked => list.push("rejected is null and revoked is not null"),
        ConsentState::Expired => list
            .push("rejected is null and revoked is null and expires_at <= ")
            .value(now),
        ConsentState::InForce => list
            .push("rejected is null and revoked is null and approved is not null and expires_at > ")
            .value(now),
        ConsentState::Proposed => list
            .push("rejected is null and revoked is null and approved is null and expires_at > ")
            .value(now),
    };
}
