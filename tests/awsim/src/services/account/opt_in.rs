//! Opting in to Regions. It takes minutes, and only so many can be under way.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::invalid;
use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::paging::Paging;
use crate::regions;
use crate::services::events::{self, Event};
use crate::world::World;

/// Quota: Regions being enabled or disabled at once in one account, and in the organization.
const MOST_IN_ACCOUNT: usize = 6;
const MOST_IN_ORGANIZATION: usize = 50;

/// What accounts did about opt-in Regions. A Region that is not in here is disabled.
#[derive(Default)]
pub(super) struct Opted {
    regions: HashMap<AccountId, BTreeMap<Region, Opt>>,
    /// With the account that asked, which hears of the end.
    due: BTreeMap<(Timestamp, AccountId, Region), (Opt, AccountId)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Opt {
    Enabling,
    Enabled,
    Disabling,
    Disabled,
}

/// `EnableRegion`. Enabled within two to five minutes.
pub(super) fn enable(world: &mut World, call: &Call<'_>, account: AccountId) -> Answer {
    change(
        world,
        call,
        account,
        [Opt::Disabled, Opt::Enabling, Opt::Enabled],
        Opt::Disabling,
    )
}

/// `DisableRegion`.
pub(super) fn disable(world: &mut World, call: &Call<'_>, account: AccountId) -> Answer {
    change(
        world,
        call,
        account,
        [Opt::Enabled, Opt::Disabling, Opt::Disabled],
        Opt::Enabling,
    )
}

/// Takes a Region from one state over another to a third. While the opposite change is under way, that is a conflict.
fn change(
    world: &mut World,
    call: &Call<'_>,
    account: AccountId,
    [from, over, to]: [Opt; 3],
    opposite: Opt,
) -> Answer {
    let wait = SignedDuration::from_secs(120 + world.random_below(181).cast_signed());
    let at = call.now + world.wait(wait);
    let region = region(call)?;
    let opted = &mut world.account.opted;
    let now = opted.opt(account, region);
    if now == opposite {
        let message = "The request could not be processed because of a conflict in the current status of the Region.";
        return Err(AwsError::new("ConflictException", message).status(409));
    }
    if !regions::is_opt_in(region) || now != from {
        return Err(invalid(
            "Unable to switch region status because of its current opt-in status.",
        ));
    }
    let in_account = opted
        .due
        .keys()
        .filter(|(_, one, _)| *one == account)
        .count();
    if in_account >= MOST_IN_ACCOUNT || opted.due.len() >= MOST_IN_ORGANIZATION {
        let message = "Too many Regions are being enabled or disabled. Try again later.";
        return Err(AwsError::new("TooManyRequestsException", message).status(429));
    }
    opted
        .regions
        .entry(account)
        .or_default()
        .insert(region, over);
    opted
        .due
        .insert((at, account, region), (to, call.account()));
    tell(world, (account, region, over), call.account(), call.now);
    Ok(json!({}))
}

/// Carries out what has come due by `now`.
pub(super) fn settle(world: &mut World, now: Timestamp) {
    let opted = &mut world.account.opted;
    let mut done = Vec::new();
    while let Some(next) = opted.due.first_entry().filter(|next| next.key().0 <= now) {
        let ((at, account, region), (opt, caller)) = next.remove_entry();
        opted
            .regions
            .entry(account)
            .or_default()
            .insert(region, opt);
        done.push((at, (account, region, opt), caller));
    }
    for (at, change, caller) in done {
        tell(world, change, caller, at);
    }
}

/// The event that goes to the account that asked, at the begin of a change and at its end ("Monitoring Account Management
/// events with EventBridge", Account Management Reference Guide).
fn tell(
    world: &mut World,
    (account, region, opt): (AccountId, Region, Opt),
    caller: AccountId,
    at: Timestamp,
) {
    let event = Event {
        account: caller,
        region: regions::GLOBAL,
        source: "aws.account".to_owned(),
        detail_type: "Region Opt-In Status Change",
        detail: json!({"accountId": account.to_string(), "regionName": region, "status": opt.name()}),
        resources: vec![format!("arn:aws:account::{account}:account")],
        at,
    };
    events::publish(world, &event);
}

impl Opt {
    fn name(self) -> &'static str {
        match self {
            Opt::Enabling => "ENABLING",
            Opt::Enabled => "ENABLED",
            Opt::Disabling => "DISABLING",
            Opt::Disabled => "DISABLED",
        }
    }
}

fn region(call: &Call<'_>) -> Result<Region, AwsError> {
    let name = call.required("RegionName");
    regions::find(name).ok_or_else(|| invalid("The Region is not valid."))
}

impl Opted {
    /// Turns a Region off behind everyone's back, without the time that it takes.
    pub(super) fn disable_at_once(&mut self, account: AccountId, region: Region) {
        self.due
            .retain(|(_, one, under_way), _| (*one, *under_way) != (account, region));
        self.regions
            .entry(account)
            .or_default()
            .insert(region, Opt::Disabled);
    }

    pub(super) fn enabled(&self, account: AccountId, region: Region) -> bool {
        !regions::is_opt_in(region) || self.opt(account, region) == Opt::Enabled
    }

    fn opt(&self, account: AccountId, region: Region) -> Opt {
        self.regions
            .get(&account)
            .and_then(|regions| regions.get(region))
            .copied()
            .unwrap_or(Opt::Disabled)
    }

    fn status(&self, account: AccountId, region: Region) -> &'static str {
        if !regions::is_opt_in(region) {
            return "ENABLED_BY_DEFAULT";
        }
        self.opt(account, region).name()
    }

    pub(super) fn get(&self, call: &Call<'_>, account: AccountId) -> Answer {
        let region = region(call)?;
        Ok(json!({ "RegionName": region, "RegionOptStatus": self.status(account, region) }))
    }

    pub(super) fn list(&self, call: &Call<'_>, account: AccountId) -> Answer {
        let wanted = call.list("RegionOptStatusContains");
        let paging = Paging {
            items: "Regions",
            limit: "MaxResults",
            token: ("NextToken", "NextToken"),
            most: 50,
            bad_token: "ValidationException",
            empty_first: false,
        };
        let regions = regions::all().map(|region| (region, self.status(account, region)));
        let regions = regions
            .filter(|(_, status)| wanted.is_empty() || wanted.iter().any(|one| one == status));
        let items = regions
            .map(|(region, status)| json!({ "RegionName": region, "RegionOptStatus": status }));
        paging.page(call, items.collect()).map(Value::Object)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use serde_json::{Value, json};

    use crate::call::AccountId;
    use crate::regions;
    use crate::services::scene::Scene;

    fn outcome(
        scene: &mut Scene,
        account: AccountId,
        operation: &'static str,
        region: &str,
    ) -> String {
        let answer = scene.call(
            ("account", operation),
            account,
            "us-east-1",
            json!({ "RegionName": region }),
        );
        answer.map_or_else(|error| error.code, |_| "ok".to_owned())
    }

    fn status(scene: &mut Scene, account: AccountId, region: &str) -> String {
        let input = json!({ "RegionName": region });
        let answer = scene
            .call(
                ("account", "GetRegionOptStatus"),
                account,
                "us-east-1",
                input,
            )
            .unwrap();
        answer["RegionOptStatus"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_region_takes_minutes_to_answer() {
        let mut scene = Scene::new();
        let account = scene.account("member");
        assert_eq!(status(&mut scene, account, "eu-south-1"), "DISABLED");
        assert!(!scene.world.answers(account, "eu-south-1"));
        assert!(
            scene.world.answers(account, "eu-west-1"),
            "enabled by default"
        );
        assert_eq!(
            outcome(&mut scene, account, "EnableRegion", "eu-south-1"),
            "ok"
        );
        scene.after(SignedDuration::from_secs(119));
        assert_eq!(status(&mut scene, account, "eu-south-1"), "ENABLING");
        assert!(!scene.world.answers(account, "eu-south-1"));
        assert_eq!(
            outcome(&mut scene, account, "DisableRegion", "eu-south-1"),
            "ConflictException"
        );
        scene.after(SignedDuration::from_secs(181));
        assert_eq!(status(&mut scene, account, "eu-south-1"), "ENABLED");
        assert!(scene.world.answers(account, "eu-south-1"));
        assert_eq!(
            outcome(&mut scene, account, "DisableRegion", "eu-south-1"),
            "ok"
        );
        assert_eq!(status(&mut scene, account, "eu-south-1"), "DISABLING");
        assert_eq!(
            outcome(&mut scene, account, "EnableRegion", "eu-south-1"),
            "ConflictException"
        );
        scene.after(SignedDuration::from_mins(5));
        assert_eq!(status(&mut scene, account, "eu-south-1"), "DISABLED");
    }

    #[test]
    fn only_what_changes_something_is_accepted() {
        let mut scene = Scene::new();
        let account = scene.account("member");
        assert_eq!(
            outcome(&mut scene, account, "EnableRegion", "af-south-1"),
            "ok"
        );
        for (operation, region) in [
            ("EnableRegion", "us-east-1"),
            ("DisableRegion", "us-east-1"),
            ("EnableRegion", "af-south-1"),
            ("DisableRegion", "eu-south-1"),
            ("EnableRegion", "eu-west-9"),
            ("GetRegionOptStatus", "eu-west-9"),
        ] {
            assert_eq!(
                outcome(&mut scene, account, operation, region),
                "ValidationException",
                "{operation} {region}"
            );
        }
    }

    #[test]
    fn six_in_an_account_and_fifty_in_the_organization() {
        let mut scene = Scene::new();
        let accounts: Vec<AccountId> = (0..9)
            .map(|n| scene.account(&format!("member{n}")))
            .collect();
        for account in &accounts[..8] {
            for region in &regions::OPT_IN[..6] {
                assert_eq!(outcome(&mut scene, *account, "EnableRegion", region), "ok");
            }
            assert_eq!(
                outcome(&mut scene, *account, "EnableRegion", "mx-central-1"),
                "TooManyRequestsException"
            );
        }
        for (region, expect) in [
            ("af-south-1", "ok"),
            ("ap-east-1", "ok"),
            ("ap-east-2", "TooManyRequestsException"),
        ] {
            assert_eq!(
                outcome(&mut scene, accounts[8], "EnableRegion", region),
                expect
            );
        }
        scene.after(SignedDuration::from_mins(5));
        assert_eq!(
            outcome(&mut scene, accounts[8], "EnableRegion", "ap-east-2"),
            "ok"
        );
    }

    #[test]
    fn regions_are_listed_by_status() {
        let mut scene = Scene::new();
        let account = scene.account("member");
        outcome(&mut scene, account, "EnableRegion", "af-south-1");
        let mut listed = |filter: Value| {
            let input = json!({ "RegionOptStatusContains": filter });
            let page = scene
                .call(("account", "ListRegions"), account, "us-east-1", input)
                .unwrap();
            page["Regions"].as_array().unwrap().len()
        };
        assert_eq!(listed(json!([])), 34);
        assert_eq!(listed(json!(["ENABLED_BY_DEFAULT"])), 17);
        assert_eq!(listed(json!(["ENABLED", "ENABLING"])), 1);
    }
}
