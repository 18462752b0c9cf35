//! Denials of Regions that forget services which answer in one Region only.

use super::actions::element;
use super::{Lint, Place, Severity};
use crate::cover;
use crate::glob::Glob;
use crate::{Effect, Selection};

/// Services whose endpoint is in us-east-1 alone (AWS General Reference, *Service endpoints*), and what breaks without them.
const IN_US_EAST_1: [&str; 16] = [
    "account:*",
    "budgets:*",
    "ce:*",
    "cloudfront:*",
    "cur:*",
    "ecr-public:*",
    "health:*",
    "iam:*",
    "organizations:*",
    "pricing:*",
    "route53:*",
    "route53domains:*",
    "shield:*",
    "sts:*",
    "support:*",
    "trustedadvisor:*",
];

/// Services whose endpoint is in us-west-2 alone.
const IN_US_WEST_2: [&str; 4] = [
    "globalaccelerator:*",
    "networkmanager:*",
    "route53-recovery-control-config:*",
    "route53-recovery-readiness:*",
];

/// The one Region that actions of this service are called in, `iam` in us-east-1. `None` if it has endpoints in many, or if
/// nobody listed it.
pub(crate) fn only_region(service: &str) -> Option<&'static str> {
    // STS answers everywhere; us-east-1 is where its oldest endpoint is.
    let listed = |list: &[&str]| {
        service != "sts"
            && list
                .iter()
                .any(|pattern| pattern.strip_suffix(":*") == Some(service))
    };
    if listed(&IN_US_EAST_1) {
        Some("us-east-1")
    } else if listed(&IN_US_WEST_2) {
        Some("us-west-2")
    } else {
        None
    }
}

impl Lint<'_> {
    pub(super) fn regions(&mut self, place: Place<'_>) {
        let statement = place.statement;
        if statement.effect() != Effect::Deny {
            return;
        }
        let Some(regions) = statement.conditions().iter().find(|condition| {
            condition.is_negated() && condition.key().eq_ignore_ascii_case("aws:RequestedRegion")
        }) else {
            return;
        };
        let admits = |region: &str| {
            let context = crate::Context::new().with("aws:RequestedRegion", region);
            !regions.holds(&context)
        };
        let everything = match statement.actions() {
            Selection::Only(patterns) => patterns.iter().any(cover::is_everything),
            Selection::AllBut(_) => true,
        };
        if !everything {
            return;
        }
        let spared = |service: &str| match statement.actions() {
            Selection::Only(_) => false,
            Selection::AllBut(patterns) => {
                let wanted = Glob::new(service);
                // Some of it is enough: what of a service may be used is the author's choice.
                patterns
                    .iter()
                    .any(|pattern| !cover::disjoint(pattern, &wanted))
            }
        };
        let mut forgotten: Vec<&str> = Vec::new();
        for (home, services) in [
            ("us-east-1", &IN_US_EAST_1[..]),
            ("us-west-2", &IN_US_WEST_2[..]),
        ] {
            if !admits(home) {
                forgotten.extend(services.iter().filter(|service| !spared(service)));
            }
        }
        if forgotten.is_empty() {
            return;
        }
        let listed = statement.actions();
        self.add(
            ("region-denial-forgets", Severity::Error),
            self.pointer(place.index, &[element(listed)], None),
            format!(
                "`{}` answer in us-east-1 or us-west-2 alone, so they are denied wherever they are called from",
                forgotten.join("`, `")
            ),
            "add them to NotAction, or their Region to the condition",
        );
    }
}
