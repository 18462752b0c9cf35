//! Impact replay: what recorded calls would have come to under other service control policies.
//!
//! ```text
//! record ─▶ who called ─▶ where the account stands ─▶ what the event asks for ─▶ what old and new policies say ─▶ a group
//!           principal     place                       action                     facts, resource, partial         report
//! ```
//!
//! CloudTrail tells much of a request, and not all. What it does not tell is never guessed: a call whose verdict depends on it
//! is reported as *uncertain*, with the condition keys that it depends on. What nobody can judge (an event of which nobody
//! knows the action, an account that was not given) is counted by its reason.
//!
//! A call that AWS let through says something about what its record does not tell: no policy that was in force denied it. So a
//! new statement that denies no more than an old one leaves no doubt (`place.rs`). This holds as far as the old policies that
//! are given were those in force; a call that they surely deny shows that they were not, and is reported as allowed anew.
//!
//! A call that AWS refused at the time loses nothing: it is counted, and not judged.
//!
//! Most records are like others. What an event asks for, and which statements speak of that, is kept for each place; a verdict
//! is kept for the values of the keys that those statements ask for, those that they cannot tell apart being one. What is kept is
//! bounded, as the report is: memory does not grow with the records.

mod action;
mod classes;
mod facts;
mod json;
mod log_file;
mod place;
mod plan;
mod principal;
mod record;
mod report;
mod resource;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::catalogue::catalogue;
use classes::Classes;
use plan::{Finding, Plan, Step};
use principal::{Outside, Principal};
use record::{Record, Sort};

pub use log_file::LogFileError;
pub use place::{Organization, Place};
pub use report::{Change, Group, Report, Totals, Unbound, Unjudged, UnknownEvent};

/// How many groups a report may have, unless somebody says otherwise.
pub const GROUPS: usize = 10_000;

/// How much is kept of each sort of what is only kept for speed.
const KEPT: usize = 65_536;

/// How many different unknown events are named.
const UNKNOWN_EVENTS: usize = 1_000;

/// Takes records one after another.
#[derive(Debug)]
pub struct Replay<'o> {
    organization: &'o Organization,
    room: usize,
    places: Vec<(Arc<Place>, place::Settled)>,
    /// Each account's index in `places`.
    accounts: HashMap<&'o str, usize>,
    /// The index of the place of all other accounts.
    elsewhere: Option<usize>,
    classes: Classes,
    steps: HashMap<String, Step>,
    made: usize,
    verdicts: HashMap<String, Option<usize>>,
    findings: Vec<Arc<Finding>>,
    numbers: BTreeMap<Arc<Finding>, usize>,
    groups: HashMap<String, Group>,
    other: BTreeMap<Change, u64>,
    unknown: HashMap<String, UnknownEvent>,
    totals: Totals,
    first: String,
    last: String,
    data_events: u64,
    /// Written anew for each look into a map.
    key: String,
}

impl<'o> Replay<'o> {
    /// A replay of calls in this organization, with a report of at most `groups` groups ([`GROUPS`] suits most).
    pub fn new(organization: &'o Organization, groups: usize) -> Self {
        let mut places: Vec<(Arc<Place>, place::Settled)> = Vec::new();
        let mut accounts = HashMap::new();
        for (account, place) in &organization.accounts {
            let mut known = places.iter();
            let index = known.position(|(known, _)| Arc::ptr_eq(known, place));
            let index = index.unwrap_or_else(|| {
                places.push((Arc::clone(place), place::Settled::of(place)));
                places.len() - 1
            });
            accounts.insert(account.as_str(), index);
        }
        let classes = Classes::of(places.iter().map(|(place, _)| place.as_ref()));
        Replay {
            organization,
            room: groups,
            places,
            accounts,
            elsewhere: None,
            steps: HashMap::new(),
            classes,
            made: 0,
            verdicts: HashMap::new(),
            findings: Vec::new(),
            numbers: BTreeMap::new(),
            groups: HashMap::new(),
            other: BTreeMap::new(),
            unknown: HashMap::new(),
            totals: Totals::default(),
            first: String::new(),
            last: String::new(),
            data_events: 0,
            key: String::new(),
        }
    }

    /// The same where accounts that the organization does not list stand in one place too.
    pub fn with_others_in(mut self, place: &Arc<Place>) -> Self {
        let settled = place::Settled::of(place);
        self.elsewhere = Some(self.places.len());
        self.places.push((Arc::clone(place), settled));
        self.classes = Classes::of(self.places.iter().map(|(place, _)| place.as_ref()));
        self
    }

    /// Takes one record, as LookupEvents gives it in `CloudTrailEvent`.
    pub fn record(&mut self, json: &str) {
        match serde_json::from_str::<Record<'_>>(json) {
            Ok(record) => self.add(&record),
            Err(_) => self.unreadable(),
        }
    }

    /// What was found so far.
    pub fn report(&self) -> Report {
        let mut groups: Vec<Group> = self.groups.values().cloned().collect();
        groups.sort_by(|a, b| {
            (a.change, b.count)
                .cmp(&(b.change, a.count))
                .then_with(|| a.identity().cmp(&b.identity()))
        });
        let mut unknown_events: Vec<UnknownEvent> = self.unknown.values().cloned().collect();
        unknown_events.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.cmp(b)));
        Report {
            totals: self.totals.clone(),
            groups,
            other: self.other.clone(),
            first: self.first.clone(),
            last: self.last.clone(),
            data_events: self.data_events,
            unknown_events,
        }
    }

    fn unreadable(&mut self) {
        self.totals.records += 1;
        self.totals.unjudged.unreadable += 1;
    }

    fn add(&mut self, record: &Record<'_>) {
        self.totals.records += 1;
        self.data_events += u64::from(record.category.get() == Some("Data"));
        if let Some(time) = record.time() {
            if self.first.is_empty() || time < self.first.as_str() {
                time.clone_into(&mut self.first);
            }
            if time > self.last.as_str() {
                time.clone_into(&mut self.last);
            }
        }
        let (Some(source), Some(name)) = (record.source.get(), record.name.get()) else {
            self.totals.unjudged.unreadable += 1;
            return;
        };
        if record.sort() == Sort::Event {
            self.totals.not_calls += 1;
            return;
        }
        if record.is_refused() {
            self.totals.refused += 1;
            return;
        }
        let principal = match Principal::of(record) {
            Ok(principal) => principal,
            Err(outside) => {
                *match outside {
                    Outside::Service => &mut self.totals.unbound.services,
                    Outside::Federated => &mut self.totals.unbound.federated,
                    Outside::OtherAccount => &mut self.totals.unjudged.other_account,
                    Outside::Untold => &mut self.totals.unjudged.unknown_principal,
                } += 1;
                return;
            }
        };
        if self.organization.management_account.as_deref() == Some(principal.account) {
            self.totals.unbound.management_account += 1;
            return;
        }
        if principal.is_service_linked() {
            self.totals.unbound.service_linked_roles += 1;
            return;
        }
        let listed = self.accounts.get(principal.account).copied();
        let Some(place) = listed.or(self.elsewhere) else {
            self.totals.unjudged.unknown_account += 1;
            return;
        };
        match self.step(place, source, name, record) {
            Step::Nothing => self.totals.not_calls += 1,
            Step::Unknown => self.count_unknown(source, name),
            Step::Unchanged => self.totals.unchanged += 1,
            Step::Judge(plan) => match self.judge(place, &plan, record, &principal) {
                Some(finding) => self.group(&plan, finding, record, &principal),
                None => self.totals.unchanged += 1,
            },
        }
    }

    /// What is to be done about an event.
    fn step(&mut self, place: usize, source: &str, name: &str, record: &Record<'_>) -> Step {
        if record.sort() == Sort::Other {
            return Step::Unknown;
        }
        let of_version = record.parameters.version.get().is_some();
        self.key.clear();
        let version = if of_version { "v" } else { "" };
        plan::write(&mut self.key, &[&place.to_string(), source, name, version]);
        if let Some(step) = self.steps.get(&self.key) {
            return step.clone();
        }
        if self.steps.len() >= KEPT {
            self.steps.clear();
            self.verdicts.clear();
        }
        self.made += 1;
        let step = match self.places.get(place) {
            Some((place, _)) => Step::of(place, action::asked(source, name, of_version), self.made),
            None => Step::Unknown,
        };
        self.steps.insert(self.key.clone(), step.clone());
        step
    }

    /// The number of what the policies change for a call, if they do.
    fn judge(
        &mut self,
        place: usize,
        plan: &Plan,
        record: &Record<'_>,
        principal: &Principal<'_>,
    ) -> Option<usize> {
        let (place, settled) = self.places.get(place)?;
        let tags = &self.organization.principal_tags;
        let around = facts::Surroundings {
            org_id: self.organization.id.as_deref(),
            org_path: place.org_path.as_deref(),
            tags: principal.arn.and_then(|arn| tags.get(arn)),
        };
        let facts = plan.facts(record, principal, around);
        self.key.clear();
        plan.write_key(&mut self.key, &facts, &mut self.classes);
        plan.write_resource(&mut self.key, record, principal);
        if let Some(verdict) = self.verdicts.get(&self.key) {
            return *verdict;
        }
        let finding = plan.judge(place, settled, facts, record, principal);
        let number = finding.map(|finding| match self.numbers.get(&finding) {
            Some(number) => *number,
            None => {
                let finding = Arc::new(finding);
                self.findings.push(Arc::clone(&finding));
                self.numbers.insert(finding, self.findings.len() - 1);
                self.findings.len() - 1
            }
        });
        if self.verdicts.len() >= KEPT {
            self.verdicts.clear();
        }
        self.verdicts.insert(self.key.clone(), number);
        number
    }

    fn group(
        &mut self,
        plan: &Plan,
        finding: usize,
        record: &Record<'_>,
        principal: &Principal<'_>,
    ) {
        let Some(finding) = self
            .findings
            .get(finding)
            .map(|it| (finding, Arc::clone(it)))
        else {
            return;
        };
        let (number, finding) = finding;
        self.totals.count(finding.change);
        let name = principal.arn.unwrap_or(principal.name);
        let region = record.region().unwrap_or_default();
        self.key.clear();
        let number = number.to_string();
        plan::write(&mut self.key, &[principal.account, name, region, &number]);
        plan::write_all(&mut self.key, &plan.actions);
        if let Some(group) = self.groups.get_mut(&self.key) {
            group.add(record);
            return;
        }
        if self.groups.len() >= self.room {
            *self.other.entry(finding.change).or_default() += 1;
            return;
        }
        let mut group = Group {
            change: finding.change,
            account: principal.account.to_owned(),
            principal: name.to_owned(),
            actions: plan.actions.clone(),
            region: region.to_owned(),
            causes: finding.causes.clone(),
            unless: finding.unless.clone(),
            count: 0,
            first: String::new(),
            last: String::new(),
            example: String::new(),
        };
        group.add(record);
        self.groups.insert(self.key.clone(), group);
    }

    fn count_unknown(&mut self, source: &str, name: &str) {
        self.totals.unjudged.unknown_event += 1;
        self.key.clear();
        plan::write(&mut self.key, &[source, name]);
        if let Some(event) = self.unknown.get_mut(&self.key) {
            event.count += 1;
        } else if self.unknown.len() < UNKNOWN_EVENTS {
            let event = UnknownEvent {
                source: source.to_owned(),
                name: name.to_owned(),
                count: 1,
            };
            self.unknown.insert(self.key.clone(), event);
        }
    }
}

/// The date of what is known of actions, to be told with a report: events younger than it may be unknown.
pub fn knows_actions_until() -> &'static str {
    catalogue().date()
}
