//! Every control there is.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use landfall_model::ids::ControlId;
use serde_json::Value;

use crate::control::{AnyControl, erase};
use crate::guardduty_detector::GuardDutyDetector;
use crate::iam_service_linked_roles::IamServiceLinkedRoles;
use crate::organizations_placement::OrganizationsPlacement;
use crate::organizations_trusted_access::OrganizationsTrustedAccess;
use crate::organizations_units::OrganizationsUnits;

/// All controls by id.
pub fn controls() -> &'static BTreeMap<ControlId, Box<dyn AnyControl>> {
    static CONTROLS: LazyLock<BTreeMap<ControlId, Box<dyn AnyControl>>> = LazyLock::new(|| {
        [
            erase::<GuardDutyDetector>(),
            erase::<IamServiceLinkedRoles>(),
            erase::<OrganizationsPlacement>(),
            erase::<OrganizationsTrustedAccess>(),
            erase::<OrganizationsUnits>(),
        ]
        .into_iter()
        .map(|control| (control.descriptor().id.clone(), control))
        .collect()
    });
    &CONTROLS
}

/// A control by id.
pub fn control(id: &ControlId) -> Option<&'static dyn AnyControl> {
    controls().get(id).map(AsRef::as_ref)
}

/// Judges a baseline's entry: for `Baselines::parse`.
pub fn check(id: &ControlId, parameters: &Value) -> Result<(), String> {
    let control =
        control(id).ok_or_else(|| format!("there is no such control; there are {}", names()))?;
    control.check(parameters)
}

fn names() -> String {
    controls()
        .keys()
        .map(ControlId::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_waits_only_for_controls_that_exist_and_never_in_a_circle() {
        for control in controls().values() {
            let mut path = vec![&control.descriptor().id];
            let mut rest: Vec<&ControlId> = control.descriptor().after.iter().collect();
            while let Some(id) = rest.pop() {
                assert!(
                    controls().contains_key(id),
                    "{} waits for {id}, which does not exist",
                    path[0]
                );
                assert!(id != path[0], "{id} waits for itself");
                if !path.contains(&id) {
                    path.push(id);
                    rest.extend(&controls()[id].descriptor().after);
                }
            }
        }
    }
}
