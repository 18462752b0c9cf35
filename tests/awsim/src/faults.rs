//! Faults that tests plan: a throttle, a refusal, a connection cut before or after the deed, a stale answer.

use std::collections::HashMap;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::{AccountId, Answer, Region};
use crate::services;

/// What a test asks for: which calls, how many of them or how likely, and what befalls them.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// A service as awsim names it, or what its IAM actions begin with: `s3` is S3 and S3 Control.
    pub service: String,
    /// All operations where absent; so with account and Region.
    pub operation: Option<String>,
    pub account: Option<String>,
    pub region: Option<String>,
    /// How many calls it befalls; without it, and without a probability, all.
    pub count: Option<u64>,
    /// How many fitting calls are let through first.
    #[serde(default)]
    pub skip: u64,
    /// The chance, from 0 to 1, that it befalls a fitting call.
    pub probability: Option<f64>,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The service's own throttling error.
    Throttle,
    /// The service's own internal error.
    #[serde(rename = "error_5xx")]
    Error5xx,
    AccessDenied,
    /// The connection is cut and nothing was done.
    TimeoutBefore,
    /// It was done, and the connection is cut instead of the answer.
    TimeoutAfter,
    /// The answer is what the same question was answered before the last change. From when the fault is planned on,
    /// the answers to fitting questions are remembered; the fault befalls a question whose answer has changed since.
    StaleRead,
    /// What befalls an event that `events` delivers. The operation of the plan is the event's name, `DeleteDetector`.
    #[serde(untagged)]
    Delivery(Delivery),
    /// An error of the test's own choosing.
    #[serde(untagged)]
    Error {
        code: String,
        status: u16,
        message: String,
    },
}

/// How events fare on their way from a bus to the queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    Lost,
    Duplicated,
    /// It arrives up to two seconds late, so that later ones overtake it.
    Reordered,
    Delayed {
        milliseconds: u32,
    },
}

/// A planned fault and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Fault {
    pub id: u64,
    #[serde(flatten)]
    pub plan: Plan,
    /// How many calls it has befallen.
    pub fired: u64,
    /// How many fitting calls there were.
    pub matched: u64,
    /// The operation that it befell last.
    pub befell: Option<String>,
}

/// A call as faults see it.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    pub service: &'a str,
    pub operation: &'a str,
    pub account: AccountId,
    pub region: Region,
}

impl Fault {
    fn fits(&self, target: Target<'_>) -> bool {
        let plan = &self.plan;
        (plan.service == target.service || plan.service == services::prefix(target.service))
            && plan
                .operation
                .as_deref()
                .is_none_or(|operation| operation == target.operation)
            && plan
                .account
                .as_ref()
                .is_none_or(|account| *account == target.account.to_string())
            && plan
                .region
                .as_deref()
                .is_none_or(|region| region == target.region)
    }

    /// Whether it befalls this fitting call.
    fn fires(&mut self, target: Target<'_>, random: &mut SmallRng) -> bool {
        self.matched += 1;
        let fires = self.matched > self.plan.skip
            && self.plan.count.is_none_or(|count| self.fired < count)
            && self
                .plan
                .probability
                .is_none_or(|probability| random.random_bool(probability.clamp(0.0, 1.0)));
        if fires {
            self.fired += 1;
            self.befell = Some(target.operation.to_owned());
        }
        fires
    }
}

/// All faults that are planned.
pub struct Faults {
    faults: Vec<Fault>,
    planned: u64,
    random: SmallRng,
    /// While stale reads are planned: by question, the answer now and the different one before.
    answers: HashMap<String, (Answer, Option<Answer>)>,
}

impl Faults {
    pub fn new(seed: u64) -> Self {
        Faults {
            faults: Vec::new(),
            planned: 0,
            random: SmallRng::seed_from_u64(seed),
            answers: HashMap::new(),
        }
    }

    /// Plans a fault and answers its id.
    pub fn plan(&mut self, plan: Plan) -> u64 {
        self.planned += 1;
        self.faults.push(Fault {
            id: self.planned,
            plan,
            fired: 0,
            matched: 0,
            befell: None,
        });
        self.planned
    }

    pub fn list(&self) -> &[Fault] {
        &self.faults
    }

    /// Takes a fault back; `false` if there is none of that id.
    pub fn remove(&mut self, id: u64) -> bool {
        let before = self.faults.len();
        self.faults.retain(|fault| fault.id != id);
        self.forget();
        self.faults.len() < before
    }

    pub fn clear(&mut self) {
        self.faults.clear();
        self.forget();
    }

    fn forget(&mut self) {
        if !self
            .faults
            .iter()
            .any(|fault| fault.plan.kind == Kind::StaleRead)
        {
            self.answers.clear();
        }
    }

    /// What befalls a call before it acts (or, for [`Kind::TimeoutAfter`], once it has acted).
    pub fn strike(&mut self, target: Target<'_>) -> Option<Kind> {
        let random = &mut self.random;
        let mut fitting = self
            .faults
            .iter_mut()
            .filter(|fault| !matches!(fault.plan.kind, Kind::StaleRead | Kind::Delivery(_)))
            .filter(|fault| fault.fits(target));
        fitting.find_map(|fault| fault.fires(target, random).then(|| fault.plan.kind.clone()))
    }

    /// What befalls an event on its way.
    pub fn befall_delivery(&mut self, target: Target<'_>) -> Option<Delivery> {
        let random = &mut self.random;
        self.faults.iter_mut().find_map(|fault| {
            let Kind::Delivery(delivery) = fault.plan.kind else {
                return None;
            };
            (fault.fits(target) && fault.fires(target, random)).then_some(delivery)
        })
    }

    /// Remembers an answer if a stale read is planned for the call, and answers what is to be said instead.
    pub fn stale(&mut self, target: Target<'_>, input: &Value, answer: Answer) -> Answer {
        let mut fitting = self
            .faults
            .iter_mut()
            .filter(|fault| fault.plan.kind == Kind::StaleRead && fault.fits(target));
        let Some(fault) = fitting.next() else {
            return answer;
        };
        let Target {
            service,
            operation,
            account,
            region,
        } = target;
        let question = format!("{service} {operation} {account} {region} {input}");
        let (now, before) = self
            .answers
            .entry(question)
            .or_insert_with(|| (answer.clone(), None));
        if *now != answer {
            *before = Some(std::mem::replace(now, answer.clone()));
        }
        match before {
            Some(before) if fault.fires(target, &mut self.random) => before.clone(),
            _ => answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TARGET: Target<'static> = Target {
        service: "guardduty",
        operation: "ListDetectors",
        account: AccountId(7),
        region: "eu-west-1",
    };

    fn faults(plans: &[Value]) -> Faults {
        let mut faults = Faults::new(1);
        for plan in plans {
            faults.plan(serde_json::from_value(plan.clone()).unwrap());
        }
        faults
    }

    #[test]
    fn a_fault_befalls_the_calls_it_names_as_often_as_it_says() {
        let plan = json!({"service": "guardduty", "operation": "ListDetectors", "account": "000000000007", "region": "eu-west-1",
            "count": 2, "skip": 1, "kind": "timeout_after"});
        let mut faults = faults(&[plan]);
        for other in [
            Target {
                service: "config",
                ..TARGET
            },
            Target {
                operation: "GetDetector",
                ..TARGET
            },
            Target {
                account: AccountId(8),
                ..TARGET
            },
            Target {
                region: "eu-west-2",
                ..TARGET
            },
        ] {
            assert_eq!(faults.strike(other), None);
        }
        let struck: Vec<bool> = (0..4).map(|_| faults.strike(TARGET).is_some()).collect();
        assert_eq!(struck, [false, true, true, false]);
        assert_eq!((faults.list()[0].fired, faults.list()[0].matched), (2, 4));
        assert!(faults.remove(1) && !faults.remove(1));
    }

    #[test]
    fn kinds_are_read() {
        let mut faults = faults(&[
            json!({"service": "guardduty", "count": 1, "kind": {"code": "Oops", "status": 418, "message": "m"}}),
            json!({"service": "guardduty", "probability": 0.0, "kind": "throttle"}),
            json!({"service": "guardduty", "kind": "error_5xx"}),
        ]);
        assert_eq!(
            faults.strike(TARGET),
            Some(Kind::Error {
                code: "Oops".into(),
                status: 418,
                message: "m".into()
            })
        );
        assert_eq!(faults.strike(TARGET), Some(Kind::Error5xx));
        for (kind, delivery) in [
            (json!("lost"), Delivery::Lost),
            (
                json!({"delayed": {"milliseconds": 5}}),
                Delivery::Delayed { milliseconds: 5 },
            ),
        ] {
            let plan = json!({"service": "guardduty", "count": 1, "kind": kind});
            faults.plan(serde_json::from_value(plan).unwrap());
            assert_eq!(faults.befall_delivery(TARGET), Some(delivery));
            assert_eq!(faults.befall_delivery(TARGET), None);
        }
        assert!(serde_json::from_value::<Plan>(json!({"service": "s3", "kind": "flood"})).is_err());
        assert!(
            serde_json::from_value::<Plan>(
                json!({"service": "s3", "kind": "throttle", "cuont": 1})
            )
            .is_err()
        );
    }

    #[test]
    fn a_stale_read_is_the_answer_before_the_last_change() {
        let mut faults =
            faults(&[json!({"service": "guardduty", "count": 1, "kind": "stale_read"})]);
        let input = json!({});
        let mut ask = |answer: &str| faults.stale(TARGET, &input, Ok(answer.into())).unwrap();
        assert_eq!(ask("none"), "none");
        assert_eq!(ask("none"), "none");
        assert_eq!(ask("one"), "none");
        assert_eq!(ask("one"), "one");
        assert_eq!(ask("two"), "two");
    }
}
