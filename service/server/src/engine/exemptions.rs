//! Exemptions from service control policies, in the organization's pass: the policies are packed so that they spare whoever
//! is exempted now, and the pass is due again when the first exemption ends. What has become of them in AWS is told.

use std::sync::Arc;

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

/// The exemptions of one pass.
pub(super) struct Exemptions {
    as_of: Timestamp,
    at_work: Vec<AtWork>,
    /// The policies, sparing whoever is exempted.
    pub(super) scps: Arc<InForce>,
}

impl Exemptions {
    pub(super) fn as_of(&self) -> Timestamp {
        self.as_of
    }

    fn is_in_force(&self, exemption: &AtWork) -> bool {
        is_in_force(exemption, self.as_of)
    }

    /// When the first of those in force ends.
    pub(super) fn first_end(&self) -> Option<Timestamp> {
        let in_force = self.at_work.iter().filter(|one| self.is_in_force(one));
        in_force.map(|one| one.exemption.consent.expires_at).min()
    }
}

fn is_in_force(one: &AtWork, now: Timestamp) -> bool {
    !one.closed && one.exemption.consent.state(now) == ConsentState::InForce
}

/// The policies with all exemptions in force that fit; `None` where none is in force. Each was measured when it was asked for and
/// approved; one that does not fit since then keeps no other from its effect.
pub fn sparing(
    scps: &ScpSet,
    settings: ScpSettings,
    at_work: &[AtWork],
    now: Timestamp,
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
            warn!(exemption = %one.exemption.id, %error, "an exemption from {} has no effect", one.exemption.policy);
            fitting.pop();
        }
    }
    Some(sparing(&fitting))
}

/// The policies as they are to stand now: what the course of rollouts says of each target, sparing whoever is exempted.
pub fn in_force(
    course: &ScpCourse,
    files: &ScpSet,
    zone: &LandingZone,
    at_work: &[AtWork],
    now: Timestamp,
) -> InForce {
    let targets = zone.scp_targets();
    let (in_force, crowded) = course.in_force(&targets, files, zone.scps, |set| {
        sparing(set, zone.scps, at_work, now).unwrap_or_else(|| set.clone())
    });
    for target in crowded {
        warn!(
            "{target} has no room to try what is to come from above: it gets that when those above do"
        );
    }
    in_force
}

impl Engine {
    /// The exemptions as they are now, and the policies.
    pub(super) async fn exemptions(&self) -> Result<Exemptions, PassError> {
        let as_of = self.clock.now();
        let at_work = self.store.exemptions_at_work(as_of).await?;
        let course = self.store.scp_course().await?;
        let scps = in_force(&course, &self.scps, &self.landing_zone, &at_work, as_of);
        Ok(Exemptions {
            as_of,
            at_work,
            scps: Arc::new(scps),
        })
    }

    /// Ends the exemptions of accounts that are being closed.
    pub(super) async fn end_exemptions(
        &self,
        lease: &Lease,
        exemptions: &Exemptions,
    ) -> Result<(), PassError> {
        let now = exemptions.as_of;
        let open = |one: &&AtWork| one.exemption.consent.state(now) == ConsentState::InForce;
        for one in exemptions
            .at_work
            .iter()
            .filter(|one| one.closed)
            .filter(open)
        {
            let reason = "the account is closed";
            held(
                self.store
                    .end_exemption(lease, one.exemption.id, reason, now)
                    .await?,
            )?;
        }
        Ok(())
    }

    /// Whether AWS was seen to have the policies as this pass wants them.
    pub(super) async fn policies_stand(&self, work: &Work<'_>) -> Result<bool, PassError> {
        let id: ControlId = scp::CONTROL.parse().expect("it is a control's name");
        let region = &work.place.region;
        let (Some(control), Some(entry)) =
            (registry::control(&id), work.baseline.controls.get(&id))
        else {
            return Ok(false);
        };
        let desired = control.desired(&entry.parameters_at(region, None), &work.place)?;
        let cells = self.store.cells(TargetId::Organization).await?;
        Ok(cells.iter().any(|cell| {
            cell.key.control == id
                && cell.status() == CellStatus::InSync
                && cell.revision == desired.revision
        }))
    }

    /// Tells which exemptions took effect and which ended, once the policies stand in AWS as this pass wants them.
    pub(super) async fn tell_exemptions(
        &self,
        lease: &Lease,
        exemptions: &Exemptions,
    ) -> Result<(), PassError> {
        let (begun, over): (Vec<&AtWork>, Vec<&AtWork>) = exemptions
            .at_work
            .iter()
            .filter(|one| exemptions.is_in_force(one) == one.exemption.effective_at.is_none())
            .partition(|one| exemptions.is_in_force(one));
        if begun.is_empty() && over.is_empty() {
            return Ok(());
        }
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
                .exemptions_seen(lease, &begun, &over, self.clock.now())
                .await?,
        )
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
