//! What waivers and exemptions have in common: the columns of their consent, and the decisions about it.

use jiff::Timestamp;
use uuid::Uuid;

use landfall_model::consent::{Consent, ConsentState, Decision, Objection, Word};

use super::db::Tx;
use super::error::StoreError;
use super::sql::{BadColumn, Builder, Row, Stored, Value};

/// What became of a decision.
#[derive(Clone, Debug, PartialEq)]
pub enum Settled<T> {
    /// It stands; what it is about as it is now.
    Done(T),
    Refused(Objection),
    NotFound,
}

/// A row with a consent.
pub(super) trait Consented: Stored {
    /// All columns, without a condition.
    const SELECT: &'static str;

    fn consent(&mut self) -> &mut Consent;
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
    let consent = row.consent();
    if let Err(objection) = consent.may(decision, by, now) {
        return Ok(Settled::Refused(objection));
    }
    let in_force = |consent: &Consent| consent.state(now) == ConsentState::InForce;
    let was_in_force = in_force(consent);
    let word = Word {
        by: by.to_owned(),
        at: now,
        reason: reason.to_owned(),
    };
    consent.decide(decision, word.clone());
    let changed = was_in_force != in_force(consent);
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
