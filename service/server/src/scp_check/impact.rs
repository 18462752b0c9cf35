//! What the policies would have done to recorded calls, for people to read: rows that differ in the Region alone are one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use landfall_model::ids::{AccountId, OuPath};
use landfall_model::landing_zone::LandingZone;
use landfall_policy::replay::{self, Change, Group, Organization, Place};

use super::Recorded;
use super::policies::{Policies, units};
use super::report::{Calls, CauseImpact, Impact, UnknownEvents};

/// The organization that records are from, with what is in force and what would be.
pub(super) fn organization(
    before: &Policies,
    after: &Policies,
    zone: &LandingZone,
    id: Option<&str>,
    accounts: &BTreeMap<AccountId, Option<OuPath>>,
) -> Organization {
    let places: BTreeMap<Option<&OuPath>, Arc<Place>> = units(zone)
        .map(|(unit, _)| (unit, place(before, after, unit)))
        .collect();
    let place_of = |unit: Option<&OuPath>| {
        // What the landing zone does not name obeys what is above it.
        let above = unit.map(OuPath::with_ancestors).unwrap_or_default();
        let nearest = above.iter().rev().find_map(|path| places.get(&Some(path)));
        nearest.or_else(|| places.get(&None)).map(Arc::clone)
    };
    Organization {
        id: id.map(str::to_owned),
        management_account: Some(zone.management_account.to_string()),
        accounts: accounts
            .iter()
            .filter_map(|(account, unit)| Some((account.to_string(), place_of(unit.as_ref())?)))
            .collect(),
        principal_tags: BTreeMap::new(),
    }
}

/// What binds the accounts of a unit.
pub(super) fn place(before: &Policies, after: &Policies, unit: Option<&OuPath>) -> Arc<Place> {
    Arc::new(Place {
        org_path: None,
        before: before.levels(unit),
        after: after.levels(unit),
    })
}

/// What a replay found.
pub(super) fn impact(recorded: Recorded<'_>) -> Impact {
    let report = recorded.replay.report();
    let calls = calls(&report.groups);
    Impact {
        causes: causes(&calls),
        calls,
        left_out: report
            .other
            .iter()
            .map(|(change, calls)| (name(*change).to_owned(), *calls))
            .collect(),
        unknown_events: report
            .unknown_events
            .into_iter()
            .map(|event| UnknownEvents {
                source: event.source,
                name: event.name,
                events: event.count,
            })
            .collect(),
        totals: report.totals,
        first_seen: report.first,
        last_seen: report.last,
        data_events: report.data_events,
        denied_besides: Vec::new(),
        denied_data: Vec::new(),
        actions_known_until: replay::knows_actions_until().to_owned(),
        unread: recorded.unread,
        log_files: recorded.log_files,
    }
}

/// A change as it stands in JSON.
fn name(change: Change) -> &'static str {
    match change {
        Change::Denied => "denied",
        Change::Uncertain => "uncertain",
        Change::Allowed => "allowed",
        Change::MayBeAllowed => "may_be_allowed",
    }
}

/// Whom a statement meets, and how many times.
#[derive(Default)]
struct Met<'a> {
    calls: u64,
    principals: BTreeSet<&'a str>,
    accounts: BTreeSet<&'a str>,
}

/// What each cause changes, by the rows in which it stands.
pub(super) fn causes(calls: &[Calls]) -> Vec<CauseImpact> {
    let mut found: BTreeMap<(Change, String), Met<'_>> = BTreeMap::new();
    for row in calls {
        for cause in &row.causes {
            let met = found.entry((row.change, cause.clone())).or_default();
            met.calls += row.calls;
            met.principals.insert(&row.principal);
            met.accounts.insert(&row.account);
        }
    }
    let mut causes: Vec<CauseImpact> = found
        .into_iter()
        .map(|((change, cause), met)| CauseImpact {
            change,
            cause,
            calls: met.calls,
            principals: met.principals.len(),
            accounts: met.accounts.len(),
        })
        .collect();
    causes.sort_by_key(|cause| (cause.change, std::cmp::Reverse(cause.calls)));
    causes
}

fn calls(groups: &[Group]) -> Vec<Calls> {
    let mut rows: Vec<Calls> = Vec::new();
    let mut indexes = BTreeMap::new();
    for group in groups {
        let causes: Vec<String> = group.causes.iter().map(ToString::to_string).collect();
        let key = (
            group.change,
            &group.account,
            &group.principal,
            &group.actions,
            causes.clone(),
            &group.unless,
        );
        let index = *indexes.entry(key).or_insert_with(|| {
            rows.push(Calls {
                change: group.change,
                account: group.account.clone(),
                principal: group.principal.clone(),
                actions: group.actions.clone(),
                regions: Vec::new(),
                calls: 0,
                first_seen: group.first.clone(),
                last_seen: group.last.clone(),
                causes,
                depends_on: group.unless.clone(),
                example: group.example.clone(),
            });
            rows.len() - 1
        });
        let Some(row) = rows.get_mut(index) else {
            continue;
        };
        row.calls += group.count;
        if !group.region.is_empty() {
            row.regions.push(group.region.clone());
        }
        // Times are RFC 3339 in UTC, as CloudTrail writes them: their order is that of their texts.
        if is_earlier((&group.first, &group.example), row) {
            row.first_seen.clone_from(&group.first);
            row.example.clone_from(&group.example);
        }
        if group.last > row.last_seen {
            row.last_seen.clone_from(&group.last);
        }
    }
    for row in &mut rows {
        row.regions.sort();
    }
    sort(&mut rows);
    rows
}

/// Whether a call (its time and event) stands for a row rather than the one that does: the first, and of several the least.
pub(super) fn is_earlier(call: (&str, &str), row: &Calls) -> bool {
    let (known, new) = (!row.first_seen.is_empty(), !call.0.is_empty());
    match (known, new) {
        (_, false) => false,
        (false, true) => true,
        (true, true) => call < (row.first_seen.as_str(), row.example.as_str()),
    }
}

/// Puts rows into the order of reports.
pub(super) fn sort(rows: &mut [Calls]) {
    rows.sort_by(|a, b| {
        let order = |row: &Calls| (row.change, std::cmp::Reverse(row.calls));
        let what = |row: &'_ Calls| {
            let Calls {
                account,
                principal,
                actions,
                causes,
                depends_on,
                ..
            } = row.clone();
            (principal, actions, account, causes, depends_on)
        };
        order(a).cmp(&order(b)).then_with(|| what(a).cmp(&what(b)))
    });
}
