//! What administrators do to the detectors of their members.

use serde_json::{Value, json};

use super::features::{Features, Kind};
use super::members::{each_enabled, refuse_while_all};
use crate::call::{Answer, Call};
use crate::services::membership::Refusal;
use crate::world::World;

/// `StartMonitoringMembers` and `StopMonitoringMembers`: the members' detectors go on or are suspended.
pub(super) fn monitor(world: &mut World, call: &Call<'_>, on: bool) -> Answer {
    each_enabled(world, call, |world, account| {
        if !on {
            refuse_while_all(world, call, account)?;
        }
        let detector = world.guardduty.detector_mut(call.region, account);
        let detector = detector.ok_or(Refusal::NotMember)?;
        detector.enabled = on;
        detector.updated_at = call.now;
        Ok(())
    })
}

/// `GetMemberDetectors`.
pub(super) fn detectors(world: &mut World, call: &Call<'_>) -> Answer {
    let mut found = Vec::new();
    let mut answer = each_enabled(world, call, |world, account| {
        let detector = world.guardduty.detector(call.region, account);
        let detector = detector.ok_or(Refusal::NotMember)?;
        found.push(json!({
            "AccountId": account.to_string(),
            "DataSources": detector.features.data_sources(),
            "Features": detector.features.list(),
        }));
        Ok(())
    })?;
    answer["MemberDataSourceConfigurations"] = Value::Array(found);
    Ok(answer)
}

pub(super) fn update_detectors(world: &mut World, call: &Call<'_>) -> Answer {
    // A request that no detector would take is refused as a whole.
    Features::off(Kind::Detector, call.now).merge(&call.input, call.now)?;
    each_enabled(world, call, |world, account| {
        let detector = world.guardduty.detector_mut(call.region, account);
        let detector = detector.ok_or(Refusal::NotMember)?;
        detector
            .features
            .merge(&call.input, call.now)
            .map_err(|_| Refusal::Own("the features are not valid"))?;
        detector.updated_at = call.now;
        Ok(())
    })
}
