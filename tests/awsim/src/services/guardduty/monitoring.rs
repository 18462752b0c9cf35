//! What administrators do to the detectors of their members.

use serde_json::{Value, json};

use super::features::{Features, Kind};
use super::members::{NOT_A_MEMBER, each_member, enabled, refuse_while_all};
use crate::call::{Answer, Call};
use crate::world::World;

/// `StartMonitoringMembers` and `StopMonitoringMembers`: the members' detectors go on or are suspended.
pub(super) fn monitor(world: &mut World, call: &Call<'_>, on: bool) -> Answer {
    each_member(world, call, |regional, account| {
        enabled(regional, call, account)?;
        if !on {
            refuse_while_all(regional, call, account)?;
        }
        let Some(detector) = regional.detector_mut(account) else {
            return Err(NOT_A_MEMBER);
        };
        detector.enabled = on;
        detector.updated_at = call.now;
        Ok(())
    })
}

/// `GetMemberDetectors`.
pub(super) fn detectors(world: &mut World, call: &Call<'_>) -> Answer {
    let mut found = Vec::new();
    let mut answer = each_member(world, call, |regional, account| {
        enabled(regional, call, account)?;
        let Some(detector) = regional.detector_mut(account) else {
            return Err(NOT_A_MEMBER);
        };
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
    each_member(world, call, |regional, account| {
        enabled(regional, call, account)?;
        let Some(detector) = regional.detector_mut(account) else {
            return Err(NOT_A_MEMBER);
        };
        detector
            .features
            .merge(&call.input, call.now)
            .map_err(|_| "the features are not valid")?;
        detector.updated_at = call.now;
        Ok(())
    })
}
