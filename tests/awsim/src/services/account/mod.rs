//! Account Management: which Regions an account has opted in to, whom AWS writes to, what the account is called.

use jiff::Timestamp;
use serde_json::json;

use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::world::{MANAGEMENT_ACCOUNT, World};

mod contacts;
mod opt_in;
mod tamper;

pub use tamper::tamper;

/// What the service is called in Organizations.
const PRINCIPAL: &str = "account.amazonaws.com";

#[derive(Default)]
pub struct State {
    contacts: contacts::Contacts,
    opted: opt_in::Opted,
}

/// Answers an authorized call.
pub fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    world.settle(call.now);
    let account = subject(world, call)?;
    match call.operation {
        "ListRegions" => world.account.opted.list(call, account),
        "GetRegionOptStatus" => world.account.opted.get(call, account),
        "EnableRegion" => opt_in::enable(world, call, account),
        "DisableRegion" => opt_in::disable(world, call, account),

        "GetAlternateContact" => world.account.contacts.get_alternate(call, account),
        "PutAlternateContact" => Ok(world.account.contacts.put_alternate(call, account)),
        "DeleteAlternateContact" => world.account.contacts.delete_alternate(call, account),
        "GetContactInformation" => Ok(world.account.contacts.get(account)),
        "PutContactInformation" => Ok(world.account.contacts.put(call, account)),

        "GetAccountInformation" => information(world, account),
        "GetPrimaryEmail" => Ok(json!({ "PrimaryEmail": world.organizations.email(account) })),
        "PutAccountName" => {
            world
                .organizations
                .rename_account(account, call.required("AccountName"));
            Ok(json!({}))
        }
        _ => Err(AwsError::not_built()),
    }
}

/// The ARN of the account that a call is about, as policies name it.
pub fn resource(world: &World, call: &Call<'_>) -> String {
    match call.text("AccountId") {
        Some(member) => {
            let organization = world.organizations.organization_id();
            format!("arn:aws:account::{MANAGEMENT_ACCOUNT}:account/{organization}/{member}")
        }
        None => format!("arn:aws:account::{}:account", call.account()),
    }
}

/// Carries out what has come due by `now`.
pub fn settle(world: &mut World, now: Timestamp) {
    opt_in::settle(world, now);
}

/// The account that a call is about: the caller's own, or with `AccountId` a member's. The latter is for the
/// management account and its delegated administrator for Account Management, needs trusted access, and never names the
/// management account.
fn subject(world: &World, call: &Call<'_>) -> Result<AccountId, AwsError> {
    let caller = call.account();
    let Some(id) = call.text("AccountId") else {
        return Ok(caller);
    };
    let organizations = &world.organizations;
    let refuse = |why: &str| {
        let message = format!(
            "User: {} is not authorized to perform: account:{} ({why})",
            call.principal.arn, call.operation
        );
        Err(AwsError::new("AccessDeniedException", message).status(403))
    };
    if caller != MANAGEMENT_ACCOUNT && !organizations.is_delegated_administrator(caller, PRINCIPAL)
    {
        return refuse(
            "You are not in the management account or a delegated administrator for Account Management.",
        );
    }
    if !organizations.trusted_access(PRINCIPAL) {
        return refuse(
            "Your organization must first enable trusted access with AWS Account Management.",
        );
    }
    let member = id
        .parse()
        .ok()
        .filter(|id| organizations.describe(*id).is_some());
    match member {
        Some(MANAGEMENT_ACCOUNT) => refuse(
            "The management account can only be managed using the standalone context from the management account.",
        ),
        Some(member) => Ok(member),
        None => refuse("The account is not a member of your organization."),
    }
}

fn information(world: &World, account: AccountId) -> Answer {
    let message = "We can't find the account.";
    let missing = || AwsError::new("ResourceNotFoundException", message).status(404);
    let described = world.organizations.describe(account).ok_or_else(missing)?;
    // The service knows no pending closure; the account works until it is closed.
    let state = if described.state == "PENDING_CLOSURE" {
        "ACTIVE"
    } else {
        described.state
    };
    Ok(json!({
        "AccountId": account.to_string(),
        "AccountName": described.name,
        "AccountCreatedDate": described.created.to_string(),
        "AccountState": state,
    }))
}

fn invalid(message: &str) -> AwsError {
    AwsError::new("ValidationException", message)
}

impl State {
    /// Whether the Region answers for this account: enabled by default, or opted in.
    pub fn region_enabled(&self, account: AccountId, region: Region) -> bool {
        self.opted.enabled(account, region)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::call::{AccountId, Answer};
    use crate::services::scene::Scene;
    use crate::world::MANAGEMENT_ACCOUNT;

    fn call(scene: &mut Scene, caller: AccountId, operation: &'static str, input: Value) -> Answer {
        scene.call(("account", operation), caller, "us-east-1", input)
    }

    fn trust(scene: &mut Scene) {
        let input = json!({ "ServicePrincipal": "account.amazonaws.com" });
        scene
            .call(
                ("organizations", "EnableAWSServiceAccess"),
                MANAGEMENT_ACCOUNT,
                "us-east-1",
                input,
            )
            .unwrap();
    }

    #[test]
    fn a_member_is_named_by_the_management_account_or_its_delegate_only() {
        let mut scene = Scene::new();
        let [member, delegate, stranger] =
            ["member", "delegate", "stranger"].map(|name| scene.account(name));
        let named = |id: AccountId| json!({ "AccountId": id.to_string() });
        let outcome = |scene: &mut Scene, caller, subject| {
            let answer = call(scene, caller, "GetAccountInformation", named(subject));
            answer.map_or_else(
                |error| format!("{} {}", error.status, error.code),
                |_| "ok".to_owned(),
            )
        };
        let denied = "403 AccessDeniedException";
        assert_eq!(
            outcome(&mut scene, MANAGEMENT_ACCOUNT, member),
            denied,
            "no trusted access"
        );
        trust(&mut scene);
        let delegation = json!({ "AccountId": delegate.to_string(), "ServicePrincipal": "account.amazonaws.com" });
        let register = ("organizations", "RegisterDelegatedAdministrator");
        scene
            .call(register, MANAGEMENT_ACCOUNT, "us-east-1", delegation)
            .unwrap();
        for (caller, subject, expect) in [
            (MANAGEMENT_ACCOUNT, member, "ok"),
            (delegate, member, "ok"),
            (stranger, member, denied),
            (member, member, denied),
            (MANAGEMENT_ACCOUNT, MANAGEMENT_ACCOUNT, denied),
            (delegate, MANAGEMENT_ACCOUNT, denied),
            (MANAGEMENT_ACCOUNT, AccountId(999_999_999_999), denied),
        ] {
            assert_eq!(
                outcome(&mut scene, caller, subject),
                expect,
                "{caller} about {subject}"
            );
        }
        assert!(
            call(&mut scene, stranger, "GetAccountInformation", json!({})).is_ok(),
            "about oneself"
        );
    }

    #[test]
    fn an_account_can_be_renamed() {
        let mut scene = Scene::new();
        let member = scene.account("member");
        call(
            &mut scene,
            member,
            "PutAccountName",
            json!({ "AccountName": "Renamed" }),
        )
        .unwrap();
        let told = call(&mut scene, member, "GetAccountInformation", json!({})).unwrap();
        assert_eq!(
            (&told["AccountName"], &told["AccountState"]),
            (&json!("Renamed"), &json!("ACTIVE"))
        );
        let input = json!({ "AccountId": member.to_string() });
        let listed = scene
            .call(
                ("organizations", "DescribeAccount"),
                MANAGEMENT_ACCOUNT,
                "us-east-1",
                input,
            )
            .unwrap();
        assert_eq!(listed["Account"]["Name"], "Renamed");
    }
}
