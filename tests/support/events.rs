//! The way of events, wired up in a simulated AWS by the templates of `deploy/events`.

use std::collections::BTreeMap;

use awsim::call::{Call, Principal};
use awsim::regions;
use awsim::stacks::{self, Deployment};
use awsim::world::MANAGEMENT_ACCOUNT;
use landfall_controls::queue::QueueAddress;
use landfall_model::ids::AccountId;
use landfall_server::store::{Purpose, Store};
use serde_json::json;

use crate::world::World;

const HUB: &str = include_str!("../../deploy/events/hub.json");
const RULES: &str = include_str!("../../deploy/events/rules.json");

/// The queue of the template, by its name.
pub fn queue() -> QueueAddress {
    "landfall-events".parse().expect("it is a name")
}

/// Deploys the hub in the security account, which must be there, and the rules everywhere: in the members as a stack set,
/// and in the management account, which stack sets leave out.
pub async fn wire(world: &World, store: &Store) {
    let security = security_account(store).await;
    let home = world.zone.home_region.to_string();
    let shared = world.sim.shared();
    let now = shared.clock.now();
    let mut aws = shared.world();
    let organization = aws.organizations.organization_id().to_owned();
    let mut deploy = |template: &str, parameter: (&str, String), accounts, regions| {
        let deployment = Deployment {
            template: serde_json::from_str(template).expect("the template is JSON"),
            parameters: BTreeMap::from([(parameter.0.to_owned(), parameter.1)]),
            accounts,
            regions,
        };
        stacks::deploy(&mut aws, deployment, now).expect("the template can be deployed")
    };
    let organization = ("OrganizationId", organization);
    let outputs = deploy(
        HUB,
        organization,
        Some(vec![security.to_string()]),
        vec![home],
    );
    let bus = || {
        (
            "BusArn",
            outputs["BusArn"].as_str().expect("an output").to_owned(),
        )
    };
    let mut everywhere: Vec<String> = world
        .zone
        .governed_regions
        .iter()
        .map(ToString::to_string)
        .collect();
    if !everywhere.iter().any(|region| region == regions::GLOBAL) {
        everywhere.push(regions::GLOBAL.to_owned());
    }
    deploy(RULES, bus(), None, everywhere.clone());
    deploy(
        RULES,
        bus(),
        Some(vec![MANAGEMENT_ACCOUNT.to_string()]),
        everywhere,
    );
}

async fn security_account(store: &Store) -> AccountId {
    let security = store
        .account_by_purpose(Purpose::Security)
        .await
        .expect("the store answers");
    security
        .and_then(|account| account.account_id)
        .expect("the security account is there")
}

/// Puts a message into the queue, as anybody could who may send there.
pub async fn send(world: &World, store: &Store, body: &str) {
    let account = security_account(store).await.to_string();
    let region = regions::find(world.zone.home_region.as_str()).expect("a Region");
    let shared = world.sim.shared();
    let principal = Principal {
        account: account.parse().expect("an account id"),
        arn: format!("arn:aws:iam::{account}:root"),
        unique_id: account.clone(),
        role: None,
        session_policy: None,
        source_identity: None,
        tags: Vec::new(),
    };
    let url = format!("https://sqs.{region}.amazonaws.com/{account}/landfall-events");
    let call = Call {
        service: "sqs",
        operation: "SendMessage",
        principal: &principal,
        region,
        now: shared.clock.now(),
        input: json!({"QueueUrl": url, "MessageBody": body}),
    };
    awsim::services::answer(&mut shared.world(), &call).expect("the queue takes it");
}

/// How many messages are in the queue, received ones included.
pub fn left(world: &World) -> u64 {
    let report = awsim::services::sqs::report(&world.sim.shared().world());
    let queues = report.as_array().into_iter().flatten();
    let ours = queues.filter(|row| {
        row["url"]
            .as_str()
            .is_some_and(|url| url.ends_with("/landfall-events"))
    });
    ours.filter_map(|row| row["messages"].as_u64()).sum()
}
