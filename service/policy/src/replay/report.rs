//! What a replay found.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::Cause;

/// What the new policies change for recorded calls, each taken by its own actions. What a call needs besides (`iam:PassRole`, a key of
/// KMS) is in no record of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many records there were, and what became of them.
    pub totals: Totals,
    /// Calls that are decided otherwise: surely denied ones first, then those that may be, then those that are allowed anew;
    /// of each the most frequent first.
    pub groups: Vec<Group>,
    /// Calls that are decided otherwise and fit into no group any more, since there are as many as may be kept.
    pub other: BTreeMap<Change, u64>,
    /// The time of the first record, as recorded. Empty if none has one.
    pub first: String,
    /// The time of the last.
    pub last: String,
    /// How many records are of data events (objects, items, messages), which a trail records where somebody asked for them.
    pub data_events: u64,
    /// Events of which nobody knows the action, the most frequent first; `catalogue/README.md` says how they become known.
    pub unknown_events: Vec<UnknownEvent>,
}

/// Every record is counted in exactly one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// All.
    pub records: u64,
    /// The old and the new policies decide alike.
    pub unchanged: u64,
    /// The new policies deny it.
    pub denied: u64,
    /// The new policies may deny it: that depends on what the record does not tell.
    pub uncertain: u64,
    /// The old policies denied it, and the new ones allow it, at least perhaps.
    pub allowed: u64,
    /// AWS refused it at the time: no policy that denies changes anything for it.
    pub refused: u64,
    /// SCPs do not bind who called.
    pub unbound: Unbound,
    /// No call that IAM authorises: a sign-in, an event of a service, a call that needs no permission.
    pub not_calls: u64,
    /// What could not be judged.
    pub unjudged: Unjudged,
}

/// Calls that no SCP restricts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unbound {
    /// Of the management account.
    pub management_account: u64,
    /// Of service-linked roles.
    pub service_linked_roles: u64,
    /// Of AWS services that call for themselves.
    pub services: u64,
    /// Of somebody whom an identity provider vouches for, who has no session yet.
    pub federated: u64,
}

/// Calls that may matter and could not be judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unjudged {
    /// No record, or not readable.
    pub unreadable: u64,
    /// Nobody knows which action the event is for.
    pub unknown_event: u64,
    /// The account is none of those that were given.
    pub unknown_account: u64,
    /// The record does not tell who called.
    pub unknown_principal: u64,
    /// Another account's principal called. That account's own records have the call, if they are replayed too.
    pub other_account: u64,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It went through and is denied.
    Denied,
    /// It went through and may be denied.
    Uncertain,
    /// It was denied and is allowed.
    Allowed,
    /// It was denied and may be allowed.
    MayBeAllowed,
}

/// Calls of one principal that are decided otherwise for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// What becomes of them.
    pub change: Change,
    /// The account of the principal.
    pub account: String,
    /// The ARN of the user or role, of the root user, or of the federated user.
    pub principal: String,
    /// All that the call needs, `s3:GetObject`.
    pub actions: Vec<String>,
    /// Empty if the records do not tell.
    pub region: String,
    /// What denies, or denied: of several the first from the root, where it is certain.
    pub causes: Vec<Cause>,
    /// What the record does not tell and the verdict depends on: condition keys, or `the resource`. Empty if it is certain.
    pub unless: Vec<String>,
    /// How many calls.
    pub count: u64,
    /// The time of the first call, as recorded. Empty if no record of the group has one.
    pub first: String,
    /// The time of the last.
    pub last: String,
    /// The event id of the first call; of several, the least.
    pub example: String,
}

/// An event of which nobody knows the action.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct UnknownEvent {
    /// `s3.amazonaws.com`
    pub source: String,
    /// `PutThing`
    pub name: String,
    /// How often.
    pub count: u64,
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Totals) {
        let Totals {
            records,
            unchanged,
            denied,
            uncertain,
            allowed,
            refused,
            unbound,
            not_calls,
            unjudged,
        } = other;
        self.records += records;
        self.unchanged += unchanged;
        self.denied += denied;
        self.uncertain += uncertain;
        self.allowed += allowed;
        self.refused += refused;
        self.not_calls += not_calls;
        let Unbound {
            management_account,
            service_linked_roles,
            services,
            federated,
        } = unbound;
        self.unbound.management_account += management_account;
        self.unbound.service_linked_roles += service_linked_roles;
        self.unbound.services += services;
        self.unbound.federated += federated;
        let Unjudged {
            unreadable,
            unknown_event,
            unknown_account,
            unknown_principal,
            other_account,
        } = unjudged;
        self.unjudged.unreadable += unreadable;
        self.unjudged.unknown_event += unknown_event;
        self.unjudged.unknown_account += unknown_account;
        self.unjudged.unknown_principal += unknown_principal;
        self.unjudged.other_account += other_account;
    }
}

impl Totals {
    /// Whether every record was counted once.
    pub fn is_consistent(&self) -> bool {
        let Unbound {
            management_account,
            service_linked_roles,
            services,
            federated,
        } = self.unbound;
        let Unjudged {
            unreadable,
            unknown_event,
            unknown_account,
            unknown_principal,
            other_account,
        } = self.unjudged;
        let counted = [
            self.unchanged,
            self.denied,
            self.uncertain,
            self.allowed,
            self.refused,
            self.not_calls,
            management_account,
            service_linked_roles,
            services,
            federated,
            unreadable,
            unknown_event,
            unknown_account,
            unknown_principal,
            other_account,
        ];
        counted.iter().sum::<u64>() == self.records
    }

    pub(super) fn count(&mut self, change: Change) {
        match change {
            Change::Denied => self.denied += 1,
            Change::Uncertain => self.uncertain += 1,
            Change::Allowed | Change::MayBeAllowed => self.allowed += 1,
        }
    }
}

impl Group {
    /// What becomes of the calls, in words: `denied`, `denied unless …`, `allowed`.
    pub fn verdict(&self) -> String {
        let unless = self.unless.join(" or ");
        match self.change {
            Change::Denied => "denied".to_owned(),
            Change::Uncertain => format!("denied unless it is spared by {unless}"),
            Change::Allowed => "allowed".to_owned(),
            Change::MayBeAllowed => format!("allowed if it is spared by {unless}"),
        }
    }
}
