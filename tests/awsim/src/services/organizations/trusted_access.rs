//! Trusted access for AWS services, and the member accounts that administer them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::accounts::Standing;
use super::{State, constraint, invalid, page};
use crate::call::{AccountId, Answer, AwsError, Call};
use crate::world::MANAGEMENT_ACCOUNT;

/// Service principals that work with Organizations, and how many delegated administrators each takes.
/// None: trusted access only. From "AWS services that you can use with AWS Organizations" and the services' own pages.
const SERVICES: [(&str, usize); 30] = [
    ("access-analyzer.amazonaws.com", 1),
    ("account.amazonaws.com", 1),
    ("auditmanager.amazonaws.com", 1),
    ("backup.amazonaws.com", 5),
    ("cloudtrail.amazonaws.com", 3),
    ("compute-optimizer.amazonaws.com", 1),
    ("config-multiaccountsetup.amazonaws.com", 3),
    ("config.amazonaws.com", 3),
    ("controltower.amazonaws.com", 0),
    ("cost-optimization-hub.bcm.amazonaws.com", 1),
    ("detective.amazonaws.com", 1),
    ("fms.amazonaws.com", 10),
    ("guardduty.amazonaws.com", 1),
    ("health.amazonaws.com", 5),
    ("iam.amazonaws.com", 1),
    ("inspector2.amazonaws.com", 1),
    ("ipam.amazonaws.com", 1),
    ("license-manager.amazonaws.com", 1),
    ("macie.amazonaws.com", 1),
    ("malware-protection.guardduty.amazonaws.com", 0),
    ("member.org.stacksets.cloudformation.amazonaws.com", 5),
    ("ram.amazonaws.com", 0),
    ("reachabilityanalyzer.networkinsights.amazonaws.com", 1),
    ("resource-explorer-2.amazonaws.com", 1),
    ("securityhub.amazonaws.com", 1),
    ("securitylake.amazonaws.com", 1),
    ("servicecatalog.amazonaws.com", 50),
    ("servicequotas.amazonaws.com", 0),
    ("sso.amazonaws.com", 1),
    ("ssm.amazonaws.com", 1),
];

/// How many delegated administrators a known service takes.
fn known(principal: &str) -> Result<usize, AwsError> {
    let found = SERVICES.iter().find(|(name, _)| *name == principal);
    found.map(|(_, most)| *most).ok_or_else(|| {
        invalid(
            "UNRECOGNIZED_SERVICE_PRINCIPAL",
            "You specified an unrecognized service principal.",
        )
    })
}

impl State {
    pub(super) fn enable_service_access(&mut self, call: &Call<'_>) -> Answer {
        let principal = call.required("ServicePrincipal");
        known(principal)?;
        self.enable_trusted_access(principal, call.now);
        Ok(json!({}))
    }

    pub(super) fn disable_service_access(&mut self, call: &Call<'_>) -> Answer {
        let principal = call.required("ServicePrincipal");
        known(principal)?;
        self.trusted.remove(principal);
        Ok(json!({}))
    }

    pub(super) fn list_service_access(&self, call: &Call<'_>) -> Answer {
        let view = |principal: &str| {
            let since = self.trusted.get(principal).map(Timestamp::to_string);
            json!({ "ServicePrincipal": principal, "DateEnabled": since })
        };
        page(
            call,
            "EnabledServicePrincipals",
            self.trusted.keys().cloned(),
            view,
        )
    }

    pub(super) fn register(&mut self, call: &Call<'_>) -> Answer {
        let (id, principal) = (
            self.member(call.required("AccountId"))?,
            call.required("ServicePrincipal"),
        );
        let most = known(principal)?;
        if id == MANAGEMENT_ACCOUNT {
            let message = "You cannot register master account/yourself as delegated administrator for your organization.";
            return Err(constraint(
                "CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR",
                message,
            ));
        }
        if self.accounts[&id].standing != Standing::Active {
            let message = "You cannot register a suspended account as a delegated administrator.";
            return Err(constraint(
                "CANNOT_REGISTER_SUSPENDED_ACCOUNT_AS_DELEGATED_ADMINISTRATOR",
                message,
            ));
        }
        if !self.trusted.contains_key(principal) {
            let message =
                "You must enable service access before you register a delegated administrator.";
            return Err(constraint("SERVICE_ACCESS_NOT_ENABLED", message));
        }
        if most == 0 {
            let message = "The service does not support delegated administrators.";
            return Err(invalid("UNRECOGNIZED_SERVICE_PRINCIPAL", message));
        }
        if self.is_delegated_administrator(id, principal) {
            let message =
                "The provided account is already a delegated administrator for your organization.";
            return Err(AwsError::new("AccountAlreadyRegisteredException", message));
        }
        let registered = self
            .delegated
            .keys()
            .filter(|(service, _)| service == principal)
            .count();
        if registered >= most {
            let reason = match most {
                1 => "DELEGATED_ADMINISTRATOR_EXISTS_FOR_THIS_SERVICE",
                _ => "MAX_DELEGATED_ADMINISTRATORS_FOR_SERVICE_LIMIT_EXCEEDED",
            };
            return Err(constraint(
                reason,
                "The service already has as many delegated administrators as it can have.",
            ));
        }
        self.delegated.insert((principal.to_owned(), id), call.now);
        Ok(json!({}))
    }

    pub(super) fn deregister(&mut self, call: &Call<'_>) -> Answer {
        let (id, principal) = (
            self.member(call.required("AccountId"))?,
            call.required("ServicePrincipal"),
        );
        known(principal)?;
        self.delegated
            .remove(&(principal.to_owned(), id))
            .ok_or_else(not_registered)?;
        Ok(json!({}))
    }

    pub(super) fn list_delegated_administrators(&self, call: &Call<'_>) -> Answer {
        let principal = call.text("ServicePrincipal");
        if let Some(principal) = principal {
            known(principal)?;
        }
        let wanted = |service: &str| principal.is_none_or(|principal| principal == service);
        let registered = self
            .delegated
            .iter()
            .filter(|((service, _), _)| wanted(service));
        let ids: BTreeSet<AccountId> = registered.map(|((_, account), _)| *account).collect();
        let view = |id: &str| {
            let account = id.parse().ok();
            let mut view = account.map_or(Value::Null, |account| self.account_view(account));
            let since = self
                .delegated
                .iter()
                .filter(|((_, one), _)| Some(*one) == account)
                .map(|(_, since)| since)
                .min();
            if let Value::Object(members) = &mut view {
                members.remove("Paths");
                members.insert(
                    "DelegationEnabledDate".to_owned(),
                    json!(since.map(Timestamp::to_string)),
                );
            }
            view
        };
        page(
            call,
            "DelegatedAdministrators",
            ids.iter().map(AccountId::to_string),
            view,
        )
    }

    pub(super) fn list_delegated_services(&self, call: &Call<'_>) -> Answer {
        let id = self.member(call.required("AccountId"))?;
        let mine = || {
            self.delegated
                .iter()
                .filter(|((_, account), _)| *account == id)
        };
        if mine().next().is_none() {
            return Err(not_registered());
        }
        let view = |principal: &str| {
            let since = self
                .delegated
                .get(&(principal.to_owned(), id))
                .map(Timestamp::to_string);
            json!({ "ServicePrincipal": principal, "DelegationEnabledDate": since })
        };
        page(
            call,
            "DelegatedServices",
            mine().map(|((service, _), _)| service.clone()),
            view,
        )
    }
}

fn not_registered() -> AwsError {
    let message =
        "The provided account is not a registered delegated administrator for your organization.";
    AwsError::new("AccountNotRegisteredException", message)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::Org;

    fn delegation(account: &str, service: &str) -> Value {
        json!({ "AccountId": account, "ServicePrincipal": service })
    }

    #[test]
    fn trusted_access_is_switched_on_and_off() {
        let mut org = Org::new();
        let service = |name: &str| json!({ "ServicePrincipal": name });
        org.call(
            "EnableAWSServiceAccess",
            service("cloudtrail.amazonaws.com"),
        );
        org.call(
            "EnableAWSServiceAccess",
            service("cloudtrail.amazonaws.com"),
        );
        assert!(
            org.world
                .organizations
                .trusted_access("cloudtrail.amazonaws.com")
        );
        let since = org.now.to_string();
        let listed = org.list(
            "ListAWSServiceAccessForOrganization",
            json!({}),
            "EnabledServicePrincipals",
        );
        assert_eq!(
            listed,
            [json!({ "ServicePrincipal": "cloudtrail.amazonaws.com", "DateEnabled": since })]
        );
        org.call(
            "DisableAWSServiceAccess",
            service("cloudtrail.amazonaws.com"),
        );
        assert!(
            !org.world
                .organizations
                .trusted_access("cloudtrail.amazonaws.com")
        );
        let unknown = "InvalidInputException UNRECOGNIZED_SERVICE_PRINCIPAL";
        assert_eq!(
            org.refusal(
                "EnableAWSServiceAccess",
                service("cloudtrial.amazonaws.com")
            ),
            unknown
        );
    }

    #[test]
    fn a_delegated_administrator_is_an_active_member_of_a_trusted_service() {
        let mut org = Org::new();
        let [one, other] = ["a@example.com", "b@example.com"].map(|email| org.account(email));
        let (guardduty, cloudtrail) = ("guardduty.amazonaws.com", "cloudtrail.amazonaws.com");
        let refusal = org.refusal(
            "RegisterDelegatedAdministrator",
            delegation(&one, guardduty),
        );
        assert_eq!(
            refusal,
            "ConstraintViolationException SERVICE_ACCESS_NOT_ENABLED"
        );
        for service in [guardduty, cloudtrail] {
            org.call(
                "EnableAWSServiceAccess",
                json!({ "ServicePrincipal": service }),
            );
        }
        org.call(
            "RegisterDelegatedAdministrator",
            delegation(&one, guardduty),
        );
        org.call(
            "RegisterDelegatedAdministrator",
            delegation(&one, cloudtrail),
        );
        org.call(
            "RegisterDelegatedAdministrator",
            delegation(&other, cloudtrail),
        );
        for (account, service, expect) in [
            (one.as_str(), guardduty, "AccountAlreadyRegisteredException"),
            (
                &other,
                guardduty,
                "ConstraintViolationException DELEGATED_ADMINISTRATOR_EXISTS_FOR_THIS_SERVICE",
            ),
            (
                "111111111111",
                guardduty,
                "ConstraintViolationException CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR",
            ),
            ("999999999999", guardduty, "AccountNotFoundException"),
        ] {
            assert_eq!(
                org.refusal(
                    "RegisterDelegatedAdministrator",
                    delegation(account, service)
                ),
                expect
            );
        }
        let mut listed = |filter: Value| {
            org.list(
                "ListDelegatedAdministrators",
                filter,
                "DelegatedAdministrators",
            )
            .len()
        };
        assert_eq!(listed(json!({})), 2);
        assert_eq!(listed(json!({ "ServicePrincipal": guardduty })), 1);
        let services = org.list(
            "ListDelegatedServicesForAccount",
            json!({ "AccountId": one }),
            "DelegatedServices",
        );
        assert_eq!(services.len(), 2);

        org.call(
            "DeregisterDelegatedAdministrator",
            delegation(&one, guardduty),
        );
        let gone = org.refusal(
            "DeregisterDelegatedAdministrator",
            delegation(&one, guardduty),
        );
        assert_eq!(gone, "AccountNotRegisteredException");
        org.tamper(&json!({ "action": "suspend_account", "account": other }))
            .unwrap();
        let refusal = org.refusal(
            "RegisterDelegatedAdministrator",
            delegation(&other, guardduty),
        );
        assert_eq!(
            refusal,
            "ConstraintViolationException CANNOT_REGISTER_SUSPENDED_ACCOUNT_AS_DELEGATED_ADMINISTRATOR"
        );
    }
}
