//! A world and a clock for the services' tests: who calls what, where, with which input.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use landfall_policy::Policy;
use serde_json::{Value, json};

use crate::call::{AccountId, Answer, Call, Principal, Region};
use crate::world::{MANAGEMENT_ACCOUNT, Settings, World};

pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) now: Timestamp,
    session_policy: Option<Arc<Policy>>,
}

impl Scene {
    /// A bare organization; simulated waits have their full length.
    pub(crate) fn new() -> Self {
        let settings = Settings {
            seed: 1,
            create_account: SignedDuration::from_secs(1),
            time_scale: 1,
        };
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(500_000);
        Scene {
            world: World::new(settings, now),
            now,
            session_policy: None,
        }
    }

    /// Lets the callers from now on do nothing but `actions`, as far as services ask on their behalf.
    pub(crate) fn session_policy(&mut self, actions: &Value) {
        let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": "*" });
        let policy = json!({ "Version": "2012-10-17", "Statement": [statement] });
        let policy = Policy::parse(&policy.to_string()).expect("the actions are actions");
        self.session_policy = Some(Arc::new(policy));
    }

    pub(crate) fn after(&mut self, duration: SignedDuration) -> &mut Self {
        self.now += duration;
        self
    }

    pub(crate) fn call(
        &mut self,
        (service, operation): (&'static str, &'static str),
        account: AccountId,
        region: Region,
        input: Value,
    ) -> Answer {
        let principal = Principal {
            account,
            arn: format!("arn:aws:iam::{account}:root"),
            unique_id: account.to_string(),
            role: None,
            session_policy: self.session_policy.clone(),
            source_identity: None,
            tags: Vec::new(),
        };
        let call = Call {
            service,
            operation,
            principal: &principal,
            region,
            now: self.now,
            input,
        };
        super::answer(&mut self.world, &call)
    }

    /// Creates an account of the organization and waits until it is there.
    pub(crate) fn account(&mut self, name: &str) -> AccountId {
        let email = format!("{name}@example.com");
        let input = json!({ "AccountName": name, "Email": email });
        let call = |scene: &mut Self, operation, input| {
            let answer = scene.call(
                ("organizations", operation),
                MANAGEMENT_ACCOUNT,
                "us-east-1",
                input,
            );
            answer.expect("Organizations creates accounts")["CreateAccountStatus"].clone()
        };
        let status = call(self, "CreateAccount", input);
        self.after(SignedDuration::from_mins(1));
        let request = json!({ "CreateAccountRequestId": status["Id"] });
        let status = call(self, "DescribeCreateAccountStatus", request);
        status["AccountId"]
            .as_str()
            .and_then(|id| id.parse().ok())
            .expect("the account is there after a minute")
    }
}
