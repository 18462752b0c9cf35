//! Exemptions: added and decided on, never removed. The organization is looked at as soon as one begins or ends by somebody's
//! decision; that it ends by its time, the organization's pass knows by itself.

use jiff::Timestamp;
use uuid::Uuid;

use landfall_model::account::Phase;
use landfall_model::consent::{Consent, ConsentState, Decision, Word};
use landfall_model::event::EventKind;
use landfall_model::ids::{AccountId, OuPath, TargetId};
use landfall_model::scp::{Exempted, Exemption};

use super::consent::{self, Consented, Proposed, Settled};
use super::db::Tx;
use super::error::StoreError;
use super::events::{LANDFALL, NewEvent};
use super::lease::{self, Lease, LeaseState};
use super::sql::{BadColumn, Builder, Query, Row, Stored, Value, query};
use super::{Page, Store};

/// Which exemptions a list shows; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExemptionFilter {
    /// Only in one of these states; all of them when it is empty.
    pub states: Vec<ConsentState>,
    pub policy: Option<String>,
    /// Only those that name this account.
    pub account_id: Option<AccountId>,
    /// Only those that name this OU.
    pub organizational_unit: Option<OuPath>,
}

/// An exemption that AWS spares somebody for, or is to, or is to no more.
#[derive(Clone, Debug, PartialEq)]
pub struct AtWork {
    pub exemption: Exemption,
    /// The OU where its account belongs.
    pub unit: Option<OuPath>,
    /// Whether its account is being closed, or is.
    pub closed: bool,
}

impl Stored for Exemption {
    const TABLE: &'static str = "scp_exemption";
    const KEY: &'static str = "id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        let exempted = match row.maybe_name("account_id")? {
            Some(account) => Exempted::Account(account),
            // The schema wants one of the two.
            None => Exempted::Unit(row.name("organizational_unit")?),
        };
        Ok(Exemption {
            id: row.name("id")?,
            policy: row.text("policy")?,
            exempted,
            principals: row.json("principals")?,
            reason: row.text("reason")?,
            consent: consent::read(row)?,
            effective_at: row.maybe_time("effective_at")?,
            ended_at: row.maybe_time("ended_at")?,
        })
    }
}

impl Consented for Exemption {
    const SELECT: &'static str = "select id, policy, account_id, organizational_unit, principals, reason,
        requested_by, requested_at, expires_at, approved, rejected, revoked, effective_at, ended_at from scp_exemption";

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
        match &self.exempted {
            Exempted::Account(account) => Some(account),
            Exempted::Unit(_) => None,
        }
    }

    fn sentence(&self) -> String {
        let of = match &self.exempted {
            Exempted::Account(account) => account.as_str(),
            Exempted::Unit(unit) => unit.as_str(),
        };
        format!("Exemption from {} for {of}", self.policy)
    }

    fn detail(&self, event: NewEvent) -> NewEvent {
        NewEvent {
            detail: serde_json::json!({
                "exemption": self.id,
                "principals": self.principals,
                "expires_at": self.consent.expires_at,
            }),
            ..event
        }
    }

    fn kind(decision: Option<Decision>) -> EventKind {
        match decision {
            None => EventKind::ExemptionProposed,
            Some(Decision::Approve) => EventKind::ExemptionApproved,
            Some(Decision::Reject) => EventKind::ExemptionRejected,
            Some(Decision::Revoke) => EventKind::ExemptionRevoked,
        }
    }

    fn insert(&self) -> Query {
        let (account, unit) = match &self.exempted {
            Exempted::Account(account) => (Some(account.as_str()), None),
            Exempted::Unit(unit) => (None, Some(unit.as_str())),
        };
        query(
            "insert into scp_exemption (id, policy, account_id, organizational_unit, principals, reason, requested_by,
                requested_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(self.id)
        .bind(self.policy.as_str())
        .bind(account)
        .bind(unit)
        .bind(Value::json(&self.principals))
        .bind(self.reason.as_str())
        .bind(self.consent.requested_by.as_str())
        .bind(self.consent.requested_at)
        .bind(self.consent.expires_at)
    }

    fn similar(&self, list: &mut Builder) {
        list.push("policy = ").value(self.policy.as_str());
    }

    fn repeats(&self, other: &Self, now: Timestamp) -> bool {
        Exemption::repeats(self, other, now)
    }

    async fn wake(&self, tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
        lease::wake_in(tx, TargetId::Organization, now, 0).await
    }
}

/// Where an account belongs and what becomes of it.
struct Standing {
    unit: OuPath,
    phase: Phase,
}

impl Stored for Standing {
    const TABLE: &'static str = "account";
    const KEY: &'static str = "account_id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(Standing {
            unit: row.name("organizational_unit")?,
            phase: row.word("phase")?,
        })
    }
}

impl Store {
    /// Adds an exemption that somebody asks for, unless there is one that says as much.
    pub async fn propose_exemption(
        &self,
        exemption: &Exemption,
    ) -> Result<Proposed<Exemption>, StoreError> {
        self.propose(exemption).await
    }

    /// Decides about an exemption, when `Consent::may` allows it. The organization is looked at at once.
    pub async fn decide_exemption(
        &self,
        id: Uuid,
        decision: Decision,
        by: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<Settled<Exemption>, StoreError> {
        self.settle(id, decision, by, reason, now).await
    }

    pub async fn exemption(&self, id: Uuid) -> Result<Option<Exemption>, StoreError> {
        self.consented(id).await
    }

    /// Ends an exemption before its time because its account is closed.
    pub async fn end_exemption(
        &self,
        lease: &Lease,
        id: Uuid,
        reason: &str,
        now: Timestamp,
    ) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        let revoke = Decision::Revoke;
        let decided =
            consent::decide::<Exemption>(&mut tx, id, revoke, LANDFALL, reason, now).await?;
        let Settled::Done((exemption, _, word)) = decided else {
            // Somebody was faster.
            tx.rollback().await?;
            return Ok(LeaseState::Held);
        };
        let kind = EventKind::ExemptionRevoked;
        let told = exemption.tell(&mut tx, kind, revoke.past(), &word).await?;
        self.commit(tx, &[told]).await?;
        Ok(LeaseState::Held)
    }

    /// Writes down what AWS was seen to do: since now it spares whoever the first name, and those of the second no more.
    pub async fn exemptions_seen(
        &self,
        lease: &Lease,
        effective: &[Exemption],
        ended: &[Exemption],
        now: Timestamp,
    ) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        let mut tell_of = Vec::new();
        let said = Word {
            by: LANDFALL.to_owned(),
            at: now,
            reason: String::new(),
        };
        for (exemptions, update, kind, verb) in [
            (
                effective,
                "update scp_exemption set effective_at = $1 where id = $2",
                EventKind::ExemptionEffective,
                "is in force: AWS spares them",
            ),
            (
                ended,
                "update scp_exemption set ended_at = $1 where id = $2",
                EventKind::ExemptionEnded,
                "has ended: AWS denies them again",
            ),
        ] {
            for exemption in exemptions {
                tx.execute(query(update).bind(now).bind(exemption.id))
                    .await?;
                tell_of.push(exemption.tell(&mut tx, kind, verb, &said).await?);
            }
        }
        self.commit(tx, &tell_of).await?;
        Ok(LeaseState::Held)
    }

    /// The exemptions that are in force at `now`, and those that were and are not known to have ended in AWS, oldest first.
    pub async fn exemptions_at_work(&self, now: Timestamp) -> Result<Vec<AtWork>, StoreError> {
        let mut list = Builder::new(Exemption::SELECT);
        list.push(" where ended_at is null and (effective_at is not null or (");
        consent::in_state(&mut list, ConsentState::InForce, now);
        list.push(")) order by id");
        let exemptions: Vec<Exemption> = self.db().all(list.query()).await?;
        let mut all = Vec::new();
        for exemption in exemptions {
            let standing = match &exemption.exempted {
                Exempted::Account(account) => self.standing(account).await?,
                Exempted::Unit(_) => None,
            };
            all.push(AtWork {
                closed: standing.as_ref().is_some_and(|standing| {
                    matches!(standing.phase, Phase::Closing | Phase::Closed)
                }),
                unit: standing.map(|standing| standing.unit),
                exemption,
            });
        }
        Ok(all)
    }

    async fn standing(&self, account: &AccountId) -> Result<Option<Standing>, StoreError> {
        let one = query(
            "select account_id, organizational_unit, phase from account where account_id = $1",
        );
        self.db().one(one.bind(account.as_str())).await
    }

    /// Whether an account has exemptions that are at work, or may come to be.
    pub async fn has_exemptions(&self, account: &AccountId) -> Result<bool, StoreError> {
        let some = query(
            "select id from scp_exemption where account_id = $1 and approved is not null and ended_at is null limit 1",
        );
        Ok(!self
            .db()
            .rows(some.bind(account.as_str()))
            .await?
            .is_empty())
    }

    /// Exemptions, newest first. `cursor` is the `next` of the page before.
    pub async fn exemptions(
        &self,
        filter: &ExemptionFilter,
        now: Timestamp,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Exemption>, StoreError> {
        let unit = filter.organizational_unit.as_ref();
        let filters = [
            ("policy", filter.policy.as_deref()),
            (
                "account_id",
                filter.account_id.as_ref().map(AccountId::as_str),
            ),
            ("organizational_unit", unit.map(OuPath::as_str)),
        ];
        self.page_of(&filter.states, &filters, now, cursor, limit)
            .await
    }
}
