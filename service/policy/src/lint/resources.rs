//! ARNs that AWS does not take as they are meant, or that no action of the statement works on.

use super::actions::listed;
use super::{Lint, Place, Severity, pointer};
use crate::Selection;
use crate::catalogue::catalogue;
use crate::glob::Glob;

impl Lint<'_> {
    pub(super) fn resources(&mut self, place: Place<'_>) {
        let Some(resources) = place.statement.resources() else {
            return;
        };
        let name = if resources.is_inverted() {
            "NotResource"
        } else {
            "Resource"
        };
        let document = self.node;
        let mut services = Vec::new();
        for (index, resource) in resources.patterns().iter().enumerate() {
            let text = resource.as_str();
            let Some(rest) = text.strip_prefix("arn:") else {
                services.push("*");
                continue;
            };
            let at = || pointer(document, place.index, &[name], Some(index));
            let mut front = String::new();
            for part in rest.splitn(5, ':').take(4) {
                front.push_str(part);
                front.push(':');
                if part.contains("${") {
                    break;
                }
            }
            if front.contains("${") {
                self.add(
                    ("variable-in-front", Severity::Error),
                    at(),
                    format!("`{text}` has a variable before its fifth colon, where AWS does not fill it in"),
                    "write a `*` there, and a condition such as `aws:ResourceAccount`",
                );
            }
            let service = rest.split(':').nth(1).unwrap_or("*");
            services.push(service);
            if service != "*" && service.contains(['*', '?']) {
                self.add(
                    ("wildcard-in-service", Severity::Warning),
                    at(),
                    format!("`{text}` has a wildcard in its service, which AWS does not allow"),
                    "name the service, or write `*` for all resources",
                );
            }
        }
        let Selection::Only(_) = resources else {
            return;
        };
        let Some(actions) = listed(place.statement) else {
            return;
        };
        if actions.is_empty() || services.contains(&"*") {
            return;
        }
        let works_on = |service: &str| {
            let wanted = Glob::new(service);
            actions.keys().any(|prefix| {
                catalogue()
                    .service(prefix)
                    .is_some_and(|known| known.arn_services.iter().any(|arn| wanted.matches(arn)))
            })
        };
        if !services.iter().any(|service| works_on(service)) {
            let prefixes: Vec<&str> = actions.keys().copied().collect();
            self.add(
                ("resource-never-fits", Severity::Error),
                self.pointer(place.index, &[name], None),
                format!(
                    "actions of `{}` work on no resource of `{}`, so the statement has no effect",
                    prefixes.join("`, `"),
                    services.join("`, `")
                ),
                "write ARNs of the services that the actions belong to, or `*`",
            );
        }
    }
}
