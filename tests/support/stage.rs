//! A world made ready for one control: what it waits for is in sync, it itself was never applied.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use landfall_controls::aws::Aws;
use landfall_controls::cloud::Errand;
use landfall_controls::control::{AnyControl, Look, PlannedChange};
use landfall_controls::error::CloudError;
use landfall_controls::session::Session;
use landfall_controls::{organizational_units, registry, vending};
use landfall_model::baseline;
use landfall_model::cloud_error::Help;
use landfall_model::creation::Sighting;
use landfall_model::ids::{AccountId, ControlId, Email, OuPath, Region};
use landfall_model::place::{Organization, Place};
use landfall_model::scp::ScpTarget;
use serde_json::{Value, json};

use crate::world::World;

/// The second Region of tests: any governed one that is not the home Region.
pub const ELSEWHERE: &str = "eu-central-1";

/// A world with the landing zone's own accounts and one account of an application.
pub struct Stage {
    pub world: World,
    organization: Arc<Organization>,
    pub account: AccountId,
    /// The root e-mail that Landfall believes the account to have.
    pub email: Email,
}

impl Stage {
    /// Ready for `control`.
    pub async fn ready_for(control: &dyn AnyControl) -> Self {
        let stage = Stage::new(World::new().await).await;
        stage.converge_before(control).await;
        stage
    }

    /// The accounts, and nothing else.
    pub async fn new(world: World) -> Self {
        let aws = management(&world).await;
        let found = vending::describe_organization(&aws)
            .await
            .expect("the organization is there");
        let zone = world.zone.clone();
        let log_archive = create(
            &world,
            &aws,
            "Log Archive",
            &zone.accounts.log_archive.email,
        )
        .await;
        let security = create(&world, &aws, "Security", &zone.accounts.security.email).await;
        let email: Email = "aws+application@example.com".parse().expect("an e-mail");
        let account = create(&world, &aws, "Application", &email).await;
        let organization = Arc::new(Organization {
            id: found.id,
            root_id: found.root_id,
            management_account: found.management_account,
            log_archive_account: Some(log_archive),
            security_account: Some(security),
        });
        Stage {
            world,
            organization,
            account,
            email,
        }
    }

    pub fn security_account(&self) -> &AccountId {
        self.organization
            .security_account
            .as_ref()
            .expect("the stage made it")
    }

    pub fn root_id(&self) -> &str {
        &self.organization.root_id
    }

    pub fn log_bucket(&self) -> String {
        let account = self
            .organization
            .log_archive_account
            .as_ref()
            .expect("the stage made it");
        self.world.zone.log_bucket(account)
    }

    /// The id of an OU of the landing zone.
    pub async fn unit_id(&self, path: &str) -> String {
        let aws = management(&self.world).await;
        let units = organizational_units::list(&aws, self.root_id())
            .await
            .expect("the OUs can be listed");
        units[&path.parse::<OuPath>().expect("a path")].clone()
    }

    /// The name of the first packed policy of a target.
    pub fn packed(&self, target: &ScpTarget) -> String {
        let scps = &self.world.catalogue.scps;
        let packed = scps.packed(self.world.zone.scps).expect("they fit");
        let names = &packed.attachments[target];
        names.first().expect("it has one").clone()
    }

    /// Another account of an application, which nothing was applied to.
    pub async fn another_account(&mut self, n: usize) {
        let aws = management(&self.world).await;
        let email: Email = format!("aws+application-{n}@example.com")
            .parse()
            .expect("an e-mail");
        self.account = create(&self.world, &aws, "Application", &email).await;
        self.email = email;
    }

    /// Brings all that a control waits for in sync, one after the other.
    pub async fn converge_before(&self, control: &dyn AnyControl) {
        let mut done = BTreeSet::new();
        for id in &control.descriptor().after {
            Box::pin(self.converge_with_what_is_before(id, &mut done)).await;
        }
        if !control.descriptor().scope.is_organization()
            || control.descriptor().id.as_str() == "organizations.policies"
        {
            Box::pin(self.converge_with_what_is_before(
                &"organizations.units".parse().expect("an id"),
                &mut done,
            ))
            .await;
        }
    }

    async fn converge_with_what_is_before(&self, id: &ControlId, done: &mut BTreeSet<ControlId>) {
        if !done.insert(id.clone()) {
            return;
        }
        let control = registry::control(id).expect("it is registered");
        for before in &control.descriptor().after {
            Box::pin(self.converge_with_what_is_before(before, done)).await;
        }
        for region in self.governed(control) {
            self.converge(control, &region).await;
        }
    }

    /// The Regions in which tests try a control: home first, but where it is about Regions themselves.
    pub fn regions(&self, control: &dyn AnyControl) -> Vec<Region> {
        if control.descriptor().id.as_str() == "account.regions" {
            return ["af-south-1", "eu-south-1"]
                .map(|region| region.parse().expect("a Region"))
                .into();
        }
        self.governed(control)
    }

    /// The Regions in which what a control waits for is to hold.
    fn governed(&self, control: &dyn AnyControl) -> Vec<Region> {
        let home = self.world.zone.home_region.clone();
        if control.descriptor().scope.is_regional() {
            vec![home, ELSEWHERE.parse().expect("a Region")]
        } else {
            vec![home]
        }
    }

    /// Looks and applies until nothing differs; what AWS is not ready for is tried again. Panics when it never ends.
    pub async fn converge(&self, control: &dyn AnyControl, region: &Region) {
        let mut last = String::new();
        for _ in 0..600 {
            match self.look_and_apply(control, region, 1).await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind.help() == Help::Nobody => last = error.to_string(),
                Err(error) => panic!("{} in {region}: {error}", control.descriptor().id),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!(
            "{} in {region} never gets in sync; the last error: {last}; the last look: {:?}",
            control.descriptor().id,
            self.look(control, region).await
        );
    }

    /// One round: the number of changes that were planned. Each is applied `times` times.
    pub async fn look_and_apply(
        &self,
        control: &dyn AnyControl,
        region: &Region,
        times: usize,
    ) -> Result<usize, CloudError> {
        let session = self.session(control, region);
        let desired = control.desired(&self.parameters(control), session.place())?;
        let look = control.look(&session, &desired).await?;
        for change in &look.changes {
            for _ in 0..times {
                control.apply(&session, change).await?;
            }
        }
        Ok(look.changes.len())
    }

    /// Takes one step that was planned before.
    pub async fn apply(
        &self,
        control: &dyn AnyControl,
        region: &Region,
        change: &PlannedChange,
    ) -> Result<(), CloudError> {
        control.apply(&self.session(control, region), change).await
    }

    pub async fn look(
        &self,
        control: &dyn AnyControl,
        region: &Region,
    ) -> Result<Look, CloudError> {
        let session = self.session(control, region);
        let desired = control.desired(&self.parameters(control), session.place())?;
        control.look(&session, &desired).await
    }

    fn session(&self, control: &dyn AnyControl, region: &Region) -> Session {
        let actions = control.descriptor().actions;
        let place = self.place(control, region);
        Session::new(
            self.world.cloud.clone(),
            Arc::new(place),
            "test".to_owned(),
            true,
            actions.iter().copied().collect(),
            actions,
        )
    }

    fn place(&self, control: &dyn AnyControl, region: &Region) -> Place {
        let of_organization = control.descriptor().scope.is_organization();
        Place {
            landing_zone: self.world.zone.clone(),
            scps: Arc::new(self.world.catalogue.scps.clone().into()),
            organization: self.organization.clone(),
            account: if of_organization {
                self.organization.management_account.clone()
            } else {
                self.account.clone()
            },
            account_name: (!of_organization).then(|| "Application".to_owned()),
            account_tags: if of_organization {
                BTreeMap::new()
            } else {
                account_tags()
            },
            email: self.email.clone(),
            organizational_unit: (!of_organization)
                .then(|| "Applications/Production".parse::<OuPath>().expect("a path")),
            region: region.clone(),
        }
    }

    /// What the baselines say of a control.
    fn parameters(&self, control: &dyn AnyControl) -> Value {
        let id = &control.descriptor().id;
        if id.as_str() == "iam.bootstrap-role" {
            // The embedded baseline keeps the role, which would try nothing.
            return json!({ "organization_account_access_role": "remove" });
        }
        let baselines = &self.world.catalogue.baselines;
        let of = |name: &str| baselines.get(name)?.controls.get(id);
        let entry = of(baseline::ORGANIZATION)
            .or_else(|| of(baseline::FOUNDATION))
            .or_else(|| baselines.iter().find_map(|baseline| of(&baseline.name)))
            .unwrap_or_else(|| {
                panic!("{id} is in no baseline: give it an entry in baselines/foundation.toml")
            });
        entry.parameters_at(&self.world.zone.home_region, None)
    }
}

/// The tags that accounts are to have. They are made with the first alone.
fn account_tags() -> BTreeMap<String, String> {
    [
        ("landfall:request", "test"),
        ("landfall:owner", "owner@example.com"),
        ("team", "blue"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

async fn management(world: &World) -> Aws {
    let errand = Errand {
        account: world.zone.management_account.clone(),
        region: world.zone.home_region.clone(),
        actions: vending::ACTIONS.iter().copied().collect(),
        reason: "test".to_owned(),
        young: false,
        shared: true,
    };
    world
        .cloud
        .assume(&errand)
        .await
        .expect("the management role can be assumed")
}

async fn create(world: &World, aws: &Aws, name: &str, email: &Email) -> AccountId {
    let role = &world.zone.roles.execution;
    let status = vending::create_account(
        aws,
        name,
        email,
        role,
        &[("landfall:request".to_owned(), "test".to_owned())].into(),
    )
    .await;
    let status = status.expect("AWS takes the request");
    let started = Timestamp::now();
    loop {
        match vending::creation_status(aws, &status)
            .await
            .expect("the status can be read")
        {
            Sighting::Exists(account) => {
                role_reaches(world, &account).await;
                world.tamper(&bootstrap_role(&account));
                return account;
            }
            Sighting::InProgress => tokio::time::sleep(Duration::from_millis(5)).await,
            other => panic!("{name} was not made: {other:?}"),
        }
        assert!(
            Timestamp::now().duration_since(started).as_secs() < 60,
            "{name} takes too long"
        );
    }
}

/// The role that an account has which AWS made with its own defaults, as one that was enrolled would have it.
pub fn bootstrap_role(account: &AccountId) -> Value {
    json!({ "service": "iam", "action": "create_organization_role", "account": account, "role": "OrganizationAccountAccessRole" })
}

/// Waits until the role of a new account can be assumed, which takes AWS some seconds.
async fn role_reaches(world: &World, account: &AccountId) {
    let errand = Errand {
        account: account.clone(),
        region: world.zone.home_region.clone(),
        actions: ["sts:GetCallerIdentity"].into(),
        reason: "test".to_owned(),
        young: true,
        shared: false,
    };
    for _ in 0..600 {
        if world.cloud.assume(&errand).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the role of {account} can never be assumed");
}
