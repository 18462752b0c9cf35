//! Waivers: added and decided on, never removed. Whoever they concern is looked at as soon as one begins or ends by
//! somebody's decision; that it ends by its time, its cells know themselves.

use jiff::Timestamp;
use uuid::Uuid;

use landfall_model::consent::{Consent, ConsentState, Decision, Word};
use landfall_model::event::EventKind;
use landfall_model::ids::{AccountId, ControlId, OuPath, Region, TargetId};
use landfall_model::waiver::{Beneficiary, Waiver};

use super::consent::{self, Consented, Settled};
use super::db::Tx;
use super::error::StoreError;
use super::events::{self, NewEvent};
use super::lease;
use super::sql::{BadColumn, Builder, Row, Stored, query};
use super::{Page, Store, Tell, accounts};

/// Which waivers a list shows; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WaiverFilter {
    /// Only in one of these states; all of them when it is empty.
    pub states: Vec<ConsentState>,
    /// Only those that name this account.
    pub account_id: Option<AccountId>,
    /// Only those that name this OU.
    pub organizational_unit: Option<OuPath>,
    pub region: Option<Region>,
    pub control: Option<ControlId>,
}

const SELECT: &str =
    "select id, beneficiary, account_id, organizational_unit, region, control, reason, owner_email,
    requested_by, requested_at, expires_at, approved, rejected, revoked from waiver";

impl Stored for Waiver {
    const TABLE: &'static str = "waiver";
    const KEY: &'static str = "id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        let beneficiary = match row.text("beneficiary")?.as_str() {
            "organization" => Beneficiary::Organization,
            "account" => Beneficiary::Account(row.name("account_id")?),
            "unit" => Beneficiary::Unit(row.name("organizational_unit")?),
            // The schema knows no fifth.
            _ => Beneficiary::Subtree(row.name("organizational_unit")?),
        };
        Ok(Waiver {
            id: row.name("id")?,
            beneficiary,
            region: row.maybe_name("region")?,
            control: row.name("control")?,
            reason: row.text("reason")?,
            owner_email: row.name("owner_email")?,
            consent: consent::read(row)?,
        })
    }
}

impl Consented for Waiver {
    const SELECT: &'static str = SELECT;

    fn consent(&mut self) -> &mut Consent {
        &mut self.consent
    }
}

impl Store {
    /// Adds a waiver that somebody proposes.
    pub async fn propose_waiver(&self, waiver: &Waiver) -> Result<(), StoreError> {
        let insert = query(
            "insert into waiver (id, beneficiary, account_id, organizational_unit, region, control, reason, owner_email,
                requested_by, requested_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        );
        let (kind, account, unit) = columns(&waiver.beneficiary);
        let insert = insert
            .bind(waiver.id)
            .bind(kind)
            .bind(account)
            .bind(unit)
            .bind(waiver.region.as_ref().map(Region::as_str))
            .bind(waiver.control.as_str())
            .bind(waiver.reason.as_str())
            .bind(waiver.owner_email.as_str())
            .bind(waiver.consent.requested_by.as_str())
            .bind(waiver.consent.requested_at)
            .bind(waiver.consent.expires_at);
        let mut tx = self.db().begin().await?;
        tx.execute(insert).await?;
        let said = Word {
            by: waiver.consent.requested_by.clone(),
            at: waiver.consent.requested_at,
            reason: waiver.reason.clone(),
        };
        let told = tell(
            &mut tx,
            waiver,
            (EventKind::WaiverProposed, "proposed"),
            &said,
        )
        .await?;
        self.commit(tx, &[Tell::Events(told)]).await
    }

    /// Decides about a waiver, when `Consent::may` allows it. An approved or revoked one concerns its targets at once.
    pub async fn decide_waiver(
        &self,
        id: Uuid,
        decision: Decision,
        by: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<Settled<Waiver>, StoreError> {
        let mut tx = self.db().begin().await?;
        let decided = consent::decide::<Waiver>(&mut tx, id, decision, by, reason, now).await?;
        let (waiver, changed, word) = match decided {
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
        let kind = match decision {
            Decision::Approve => EventKind::WaiverApproved,
            Decision::Reject => EventKind::WaiverRejected,
            Decision::Revoke => EventKind::WaiverRevoked,
        };
        if changed {
            wake_concerned(&mut tx, &waiver.beneficiary, now).await?;
        }
        let told = tell(&mut tx, &waiver, (kind, decision.past()), &word).await?;
        self.commit(tx, &[Tell::Due, Tell::Events(told)]).await?;
        Ok(Settled::Done(waiver))
    }

    pub async fn waiver(&self, id: Uuid) -> Result<Option<Waiver>, StoreError> {
        let mut one = Builder::new(SELECT);
        one.push(" where id = ").value(id);
        self.db().one(one.query()).await
    }

    /// The waivers that are in force at `now`.
    pub async fn waivers_in_force(&self, now: Timestamp) -> Result<Vec<Waiver>, StoreError> {
        let mut list = Builder::new(SELECT);
        list.push(" where ");
        consent::in_state(&mut list, ConsentState::InForce, now);
        self.db().all(list.query()).await
    }

    /// Waivers, newest first. `cursor` is the `next` of the page before.
    pub async fn waivers(
        &self,
        filter: &WaiverFilter,
        now: Timestamp,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Waiver>, StoreError> {
        let mut list = Builder::new(SELECT);
        list.push(" where 1 = 1");
        consent::in_states(&mut list, &filter.states, now);
        if let Some(account) = &filter.account_id {
            list.push(" and account_id = ").value(account.as_str());
        }
        if let Some(unit) = &filter.organizational_unit {
            list.push(" and organizational_unit = ")
                .value(unit.as_str());
        }
        if let Some(region) = &filter.region {
            list.push(" and region = ").value(region.as_str());
        }
        if let Some(control) = &filter.control {
            list.push(" and control = ").value(control.as_str());
        }
        if let Some(cursor) = cursor {
            list.push(" and id < ").value(cursor);
        }
        list.push(" order by id desc limit ")
            .value(limit.saturating_add(1));
        let waivers = self.db().all(list.query()).await?;
        Ok(Page::of(waivers, limit, |waiver: &Waiver| {
            waiver.id.to_string()
        }))
    }
}

fn columns(beneficiary: &Beneficiary) -> (&'static str, Option<&str>, Option<&str>) {
    match beneficiary {
        Beneficiary::Organization => ("organization", None, None),
        Beneficiary::Account(account) => ("account", Some(account.as_str()), None),
        Beneficiary::Unit(unit) => ("unit", None, Some(unit.as_str())),
        Beneficiary::Subtree(unit) => ("subtree", None, Some(unit.as_str())),
    }
}

/// Has every target looked at whose cells a waiver may concern.
async fn wake_concerned(
    tx: &mut Tx,
    beneficiary: &Beneficiary,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut wake = lease::waking(now, 0);
    match beneficiary {
        Beneficiary::Organization => wake.push("= ").value(TargetId::Organization),
        Beneficiary::Account(account) => wake
            .push("in (select id from account where account_id = ")
            .value(account.as_str())
            .push(")"),
        Beneficiary::Unit(unit) => wake
            .push("in (select id from account where organizational_unit = ")
            .value(unit.as_str())
            .push(")"),
        Beneficiary::Subtree(unit) => {
            let below = format!("{unit}/");
            wake.push("in (select id from account where organizational_unit = ")
                .value(unit.as_str())
                .push(" or substr(organizational_unit, 1, length(")
                .value(below.as_str())
                .push(")) = ")
                .value(below.as_str())
                .push(")")
        }
    };
    tx.execute(wake.query()).await?;
    Ok(())
}

/// Writes into the history of the account that a waiver names, and of the organization where it names none.
async fn tell(
    tx: &mut Tx,
    waiver: &Waiver,
    (kind, verb): (EventKind, &str),
    said: &Word,
) -> Result<TargetId, StoreError> {
    let target = match &waiver.beneficiary {
        Beneficiary::Account(account) => accounts::target_of(tx, account).await?,
        Beneficiary::Organization | Beneficiary::Unit(_) | Beneficiary::Subtree(_) => {
            TargetId::Organization
        }
    };
    // Before the engine has run for the first time there is no organization whose history could be written.
    if lease::lock(tx, target).await? {
        let of = match &waiver.beneficiary {
            Beneficiary::Organization => "the organization".to_owned(),
            Beneficiary::Account(account) => account.to_string(),
            Beneficiary::Unit(unit) => unit.to_string(),
            Beneficiary::Subtree(unit) => format!("{unit} and below"),
        };
        let sentence = match said.reason.as_str() {
            "" => format!("Waiver of {} for {of} {verb}", waiver.control),
            reason => format!("Waiver of {} for {of} {verb}: {reason}", waiver.control),
        };
        let event = NewEvent {
            region: waiver.region.clone(),
            control: Some(waiver.control.clone()),
            detail: serde_json::json!({ "waiver": waiver.id, "expires_at": waiver.consent.expires_at }),
            ..NewEvent::by(&said.by, target, kind, sentence)
        };
        events::append(tx, std::slice::from_ref(&event), said.at).await?;
    }
    Ok(target)
}
