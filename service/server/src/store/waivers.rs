//! Waivers: added and decided on, never removed. Whoever they concern is looked at as soon as one begins or ends by
//! somebody's decision; that it ends by its time, its cells know themselves.

use jiff::Timestamp;
use uuid::Uuid;

use landfall_model::consent::{Consent, ConsentState, Decision};
use landfall_model::event::EventKind;
use landfall_model::ids::{AccountId, ControlId, OuPath, Region, TargetId};
use landfall_model::waiver::{Beneficiary, Waiver};

use super::consent::{self, Consented, Proposed, Settled};
use super::db::Tx;
use super::error::StoreError;
use super::events::NewEvent;
use super::lease;
use super::sql::{BadColumn, Builder, Query, Row, Stored, query};
use super::{Page, Store};

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
    const SELECT: &'static str = "select id, beneficiary, account_id, organizational_unit, region, control, reason, owner_email,
        requested_by, requested_at, expires_at, approved, rejected, revoked from waiver";

    fn id(&self) -> Uuid {
        self.id
    }

    fn consent(&self) -> &Consent {
        &self.consent
    }

    fn consent_mut(&mut self) -> &mut Consent {
        &mut self.consent
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn account(&self) -> Option<&AccountId> {
        match &self.beneficiary {
            Beneficiary::Account(account) => Some(account),
            Beneficiary::Organization | Beneficiary::Unit(_) | Beneficiary::Subtree(_) => None,
        }
    }

    fn sentence(&self) -> String {
        let of = match &self.beneficiary {
            Beneficiary::Organization => "the organization".to_owned(),
            Beneficiary::Account(account) => account.to_string(),
            Beneficiary::Unit(unit) => unit.to_string(),
            Beneficiary::Subtree(unit) => format!("{unit} and below"),
        };
        format!("Waiver of {} for {of}", self.control)
    }

    fn detail(&self, event: NewEvent) -> NewEvent {
        NewEvent {
            region: self.region.clone(),
            control: Some(self.control.clone()),
            detail: serde_json::json!({ "waiver": self.id, "expires_at": self.consent.expires_at }),
            ..event
        }
    }

    fn kind(decision: Option<Decision>) -> EventKind {
        match decision {
            None => EventKind::WaiverProposed,
            Some(Decision::Approve) => EventKind::WaiverApproved,
            Some(Decision::Reject) => EventKind::WaiverRejected,
            Some(Decision::Revoke) => EventKind::WaiverRevoked,
        }
    }

    fn insert(&self) -> Query {
        let (kind, account, unit) = columns(&self.beneficiary);
        query(
            "insert into waiver (id, beneficiary, account_id, organizational_unit, region, control, reason, owner_email,
                requested_by, requested_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(self.id)
        .bind(kind)
        .bind(account)
        .bind(unit)
        .bind(self.region.as_ref().map(Region::as_str))
        .bind(self.control.as_str())
        .bind(self.reason.as_str())
        .bind(self.owner_email.as_str())
        .bind(self.consent.requested_by.as_str())
        .bind(self.consent.requested_at)
        .bind(self.consent.expires_at)
    }

    fn similar(&self, list: &mut Builder) {
        list.push("control = ").value(self.control.as_str());
    }

    fn repeats(&self, other: &Self, now: Timestamp) -> bool {
        Waiver::repeats(self, other, now)
    }

    async fn wake(&self, tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
        wake_concerned(tx, &self.beneficiary, now).await
    }
}

impl Store {
    /// Adds a waiver that somebody proposes, unless there is one that says as much.
    pub async fn propose_waiver(&self, waiver: &Waiver) -> Result<Proposed<Waiver>, StoreError> {
        self.propose(waiver).await
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
        self.settle(id, decision, by, reason, now).await
    }

    pub async fn waiver(&self, id: Uuid) -> Result<Option<Waiver>, StoreError> {
        self.consented(id).await
    }

    /// The waivers that are in force at `now`.
    pub async fn waivers_in_force(&self, now: Timestamp) -> Result<Vec<Waiver>, StoreError> {
        let mut list = Builder::new(Waiver::SELECT);
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
        let unit = filter.organizational_unit.as_ref();
        let filters = [
            (
                "account_id",
                filter.account_id.as_ref().map(AccountId::as_str),
            ),
            ("organizational_unit", unit.map(OuPath::as_str)),
            ("region", filter.region.as_ref().map(Region::as_str)),
            ("control", filter.control.as_ref().map(ControlId::as_str)),
        ];
        self.page_of(&filter.states, &filters, now, cursor, limit)
            .await
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
