//! Whether the policies fit, and how much room is left.

use std::collections::BTreeMap;

use landfall_model::landing_zone::LandingZone;
use landfall_model::scp::FULL_AWS_ACCESS;
use landfall_policy::lint::Limits;
use landfall_policy::pack::{Target, forecast, pack};

use super::policies::{Policies, target, units};
use super::report::TargetSize;

/// A place that stays free on each target, so that one set of policies can take the place of another without a gap.
const KEPT_FREE: usize = 1;

/// What the root and each OU would have. `others`: the names of policies that are not Landfall's, by the target's name in
/// reports; where nobody knows, AWS's own alone.
pub(super) fn sizes(
    policies: &Policies,
    zone: &LandingZone,
    others: &BTreeMap<String, Vec<String>>,
    limits: Limits,
) -> Vec<TargetSize> {
    let size = |(unit, name): (_, String)| {
        let others = others
            .get(&name)
            .cloned()
            .unwrap_or_else(|| vec![FULL_AWS_ACCESS.to_owned()]);
        size(policies, &target(unit), name, others, limits)
    };
    units(zone).map(size).collect()
}

fn size(
    policies: &Policies,
    target: &landfall_model::scp::ScpTarget,
    name: String,
    others: Vec<String>,
    limits: Limits,
) -> TargetSize {
    let sources = policies.sources(target);
    let characters = sources
        .iter()
        .map(|source| source.policy.to_minified().chars().count())
        .sum();
    let room = Limits {
        attached: limits.attached.saturating_sub(others.len() + KEPT_FREE),
        ..limits
    };
    let packed = pack(&sources, room);
    let ours = packed.as_ref().map_or(0, |packed| packed.policies.len());
    let of_target = Target {
        name: name.clone(),
        ours,
        foreign: others.clone(),
    };
    let free = forecast(&[of_target], limits)
        .first()
        .and_then(landfall_policy::pack::Forecast::free);
    let problem = packed.as_ref().err().map(|error| {
        format!(
            "{error} ({} of {} places are taken by others, and {KEPT_FREE} stays free for changes)",
            others.len(),
            limits.attached
        )
    });
    TargetSize {
        target: name,
        policies: policies.names_on(target),
        characters,
        packed_policies: packed.as_ref().ok().map(|packed| packed.policies.len()),
        packed_characters: packed.as_ref().ok().map(|packed| packed.characters()),
        others,
        limit: limits.attached,
        free: free.unwrap_or_default(),
        problem,
    }
}
