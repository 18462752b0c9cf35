//! The service control policies of the organization's pass: which are to stand where now, by the course of rollouts, and whom they
//! spare, by the exemptions in force. The pass is due again when the first exemption ends. What has become of both in AWS is
//! told when it was seen.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use landfall_controls::registry;
use landfall_model::cell::CellStatus;
use landfall_model::consent::ConsentState;
use landfall_model::ids::{ControlId, TargetId};
use landfall_model::landing_zone::LandingZone;
use landfall_model::scp::{self, Exemption, InForce, ScpCourse, ScpSet, ScpSettings};
use tracing::{info, warn};

use super::cells::Work;
use super::{Engine, PassError, held};
use crate::store::{Account, AtWork, Lease};

/// The policies of one pass.
pub(super) struct Policies {
    as_of: Timestamp,
    exemptions: Vec<AtWork>,
    /// Whether a rollout has reached targets that AWS was not seen to have them on.
    unseen: bool,
    /// As they are to stand.
    pub(super) in_force: Arc<InForce>,
}

impl Policies {
    fn is_in_force(&self, exemption: &AtWork) -> bool {
        is_in_force(exemption, self.as_of)
    }

    /// When the first of those in force ends.
    pub(super) fn first_end(&self) -> Option<Timestamp> {
        let in_force = self.exemptions.iter().filter(|one| self.is_in_force(one));
        in_force.map(|one| one.exemption.consent.expires_at).min()
    }
}

fn is_in_force(one: &AtWork, now: Timestamp) -> bool {
    !one.closed && one.exemption.consent.state(now) == ConsentState::InForce
}

/// The policies with all exemptions in force that fit; `None` where none is in force. Each was measured when it was asked for and
/// approved; one that does not fit since then keeps no other from its effect, and adds a sentence to `shortcomings`.
fn sparing(
    scps: &ScpSet,
    settings: ScpSettings,
    at_work: &[AtWork],
    now: Timestamp,
    shortcomings: &mut BTreeSet<String>,
) -> Option<ScpSet> {
    let sparing = |some: &[&AtWork]| {
        let some = some.iter();
        scps.sparing(some.map(|one| (&one.exemption, one.unit.as_ref())))
    };
    let in_force: Vec<&AtWork> = at_work.iter().filter(|one| is_in_force(one, now)).collect();
    if in_force.is_empty() {
        return None;
    }
    let all = sparing(&in_force);
    if all.packed(settings).is_ok() {
        return Some(all);
    }
    let mut fitting: Vec<&AtWork> = Vec::new();
    for one in in_force {
        fitting.push(one);
        if let Err(error) = sparing(&fitting).packed(settings) {
            shortcomings.insert(format!(
                "exemption {} from {} has no effect: {error}",
                one.exemption.id, one.exemption.policy
            ));
            fitting.pop();
        }
    }
    Some(sparing(&fitting))
}

/// The policies as they are to stand now: what the course of rollouts says of each target, sparing whoever is exempted. With
/// sentences about what they cannot do.
pub fn in_force(
    course: &ScpCourse,
    files: &ScpSet,
    zone: &LandingZone,
    at_work: &[AtWork],
    now: Timestamp,
) -> (InForce, BTreeSet<String>) {
    let targets = zone.scp_targets();
    let mut shortcomings = BTreeSet::new();
    let (in_force, crowded) = course.in_force(&targets, files, zone.scps, |set| {
        sparing(set, zone.scps, at_work, now, &mut shortcomings).unwrap_or_else(|| set.clone())
    });
    shortcomings.extend(crowded.into_iter().map(|target| {
        format!(
            "{target} has no room to try what is to come from above: it gets that when those above do"
        )
    }));
    (in_force, shortcomings)
}

impl Engine {
    /// The policies as they are to stand now.
    pub(super) async fn policies(&self) -> Result<Policies, PassError> {
        let as_of = self.clock.now();
        let exemptions = self.store.exemptions_at_work(as_of).await?;
        let course = self.store.scp_course().await?;
        let zone = &self.landing_zone;
        let (in_force, shortcomings) = in_force(&course, &self.scps, zone, &exemptions, as_of);
        self.warn_of(shortcomings);
        Ok(Policies {
            as_of,
            exemptions,
            unseen: course.pins.values().any(|pin| pin.seen_at.is_none()),
            in_force: Arc::new(in_force),
        })
    }

    /// Writes what the policies cannot do to the log, unless the pass before did.
    fn warn_of(&self, shortcomings: BTreeSet<String>) {
        let mut known = self
            .shortcomings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for new in shortcomings.difference(&known) {
            warn!("{new}");
        }
        *known = shortcomings;
    }

    /// Ends the exemptions of accounts that are being closed.
    pub(super) async fn end_exemptions(
        &self,
        lease: &Lease,
        policies: &Policies,
    ) -> Result<(), PassError> {
        let now = policies.as_of;
        let exemptions = policies.exemptions.iter();
        let of_closed = exemptions
            .filter(|one| one.closed)
            .filter(|one| one.exemption.consent.state(now) == ConsentState::InForce);
        for one in of_closed {
            let reason = "the account is closed";
            held(
                self.store
                    .end_exemption(lease, one.exemption.id, reason, now)
                    .await?,
            )?;
        }
        Ok(())
    }

    /// Tells what AWS has since this pass: the policies of a rollout's targets, exemptions that took effect and others that
    /// ended.
    pub(super) async fn tell_policies(
        &self,
        lease: &Lease,
        policies: &Policies,
        work: &Work<'_>,
    ) -> Result<(), PassError> {
        let exemptions = policies.exemptions.iter();
        let (begun, over): (Vec<&AtWork>, Vec<&AtWork>) = exemptions
            .filter(|one| policies.is_in_force(one) == one.exemption.effective_at.is_none())
            .partition(|one| policies.is_in_force(one));
        let exempted_anew = !begun.is_empty() || !over.is_empty();
        if !(exempted_anew || policies.unseen) || !self.policies_stand(work).await? {
            return Ok(());
        }
        let now = self.clock.now();
        if exempted_anew {
            let of = |some: Vec<&'_ AtWork>| -> Vec<Exemption> {
                let some = some.into_iter();
                some.map(|one| one.exemption.clone()).collect()
            };
            let (begun, over) = (of(begun), of(over));
            info!(
                begun = begun.len(),
                ended = over.len(),
                "exemptions changed in AWS"
            );
            held(
                self.store
                    .exemptions_seen(lease, &begun, &over, now)
                    .await?,
            )?;
        }
        if policies.unseen {
            held(self.store.scps_seen(lease, policies.as_of, now).await?)?;
        }
        Ok(())
    }

    /// Whether AWS was seen to have the policies as this pass wants them.
    async fn policies_stand(&self, work: &Work<'_>) -> Result<bool, PassError> {
        let id: ControlId = scp::CONTROL.parse().expect("it is a control's name");
        let (Some(control), Some(entry)) =
            (registry::control(&id), work.baseline.controls.get(&id))
        else {
            return Ok(false);
        };
        let parameters = entry.parameters_at(&work.place.region, None);
        // Where they do not fit, the cell says so.
        let Ok(desired) = control.desired(&parameters, &work.place) else {
            return Ok(false);
        };
        let cells = self.store.cells(TargetId::Organization).await?;
        Ok(cells.iter().any(|cell| {
            cell.key.control == id
                && cell.status() == CellStatus::InSync
                && cell.revision == desired.revision
        }))
    }

    /// An account was moved or closed: the policies that spare somebody of it may be others now.
    pub(super) async fn wake_for_exemptions(&self, account: &Account) -> Result<(), PassError> {
        if let Some(number) = &account.account_id
            && self.store.has_exemptions(number).await?
        {
            let now = self.clock.now();
            self.store.wake(TargetId::Organization, now).await?;
        }
        Ok(())
    }
}
