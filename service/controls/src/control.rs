//! What a control is, and how the engine sees one.

use std::any::Any;
use std::fmt::Display;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use landfall_model::asset::Asset;
use landfall_model::control::{Descriptor, Scope};
use landfall_model::ids::{ControlId, Revision};
use landfall_model::json_text::JsonText;
use landfall_model::place::Place;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::CloudError;
use crate::session::Session;

/// One guaranteed property of a cell.
///
/// `observe` does I/O and decides nothing; `plan` decides and does no I/O; `apply` takes one idempotent step and has no
/// choices left. A dry run is a plan that nobody applies.
pub trait Control: Send + Sync + 'static {
    /// `service.noun`. Stored and written in baselines: never renamed.
    const ID: &'static str;
    /// What is guaranteed, in a few words for people.
    const TITLE: &'static str;
    const SCOPE: Scope;
    /// Every IAM action that `observe` and `apply` may call: the session policy, the roles in `deploy/` and the simulator obey this list.
    const ACTIONS: &'static [&'static str];
    /// Controls that must be in sync first: in the same Region where both are regional.
    const AFTER: &'static [&'static str] = &[];
    /// Whether AWS wants the home Region finished before the others begin.
    const FIRST_REGION_ALONE: bool = false;
    /// Whether it is for member accounts alone: what it guarantees makes no sense in the management account, or is not
    /// Landfall's to change there. Of all other controls of accounts, the management role has the actions.
    const MEMBERS_ONLY: bool = false;

    /// What a baseline file says. `deny_unknown_fields`, so that a typo is an error at start.
    type Parameters: DeserializeOwned + Serialize + Send + Sync;
    /// What this very account and Region must have.
    type Desired: Serialize + Send + Sync + 'static;
    /// What AWS has, in our words. Absent is a value; *could not tell* is an error.
    type Observed: Serialize + Send + Sync;
    /// One mutating step. `Display` is the sentence that people read.
    type Change: Serialize + DeserializeOwned + Display + Send + Sync;

    /// Resolves a baseline's parameters for a place. An error means that a fact is missing, for instance that there is no
    /// log archive account yet.
    fn desired(parameters: &Self::Parameters, place: &Place) -> Result<Self::Desired, CloudError>;

    /// Looks. `desired` says only *where* to look, for instance for which standards.
    fn observe(
        aws: &Session,
        desired: &Self::Desired,
    ) -> impl Future<Output = Result<Self::Observed, CloudError>> + Send;

    /// The steps from observed to desired, in order; none when there is nothing to do.
    fn plan(desired: &Self::Desired, observed: &Self::Observed) -> Vec<Self::Change>;

    /// Takes one step.
    fn apply(
        aws: &Session,
        change: &Self::Change,
    ) -> impl Future<Output = Result<(), CloudError>> + Send;

    /// The resources behind what was observed, for the CMDB.
    fn assets(_place: &Place, _observed: &Self::Observed) -> Vec<Asset> {
        Vec::new()
    }
}

/// A planned step with its type erased: it can be stored, shown, and applied later exactly as it was planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedChange {
    pub sentence: String,
    pub change: Value,
}

/// A desired state with its type erased.
pub struct Desired {
    pub revision: Revision,
    value: Box<dyn Any + Send + Sync>,
    to_json: fn(&(dyn Any + Send + Sync)) -> JsonText,
}

impl Desired {
    /// What a cell must have, in the control's words.
    pub fn to_json(&self) -> JsonText {
        (self.to_json)(self.value.as_ref())
    }
}

/// What came of a look.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// In the control's words.
    pub observed: JsonText,
    pub changes: Vec<PlannedChange>,
    pub assets: Vec<Asset>,
}

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A control as the engine sees it: any of them.
pub trait AnyControl: Send + Sync {
    fn descriptor(&self) -> &Descriptor;

    /// What is wrong with parameters from a baseline file.
    fn check(&self, parameters: &Value) -> Result<(), String>;

    fn desired(&self, parameters: &Value, place: &Place) -> Result<Desired, CloudError>;

    /// Observes and plans.
    fn look<'a>(
        &'a self,
        aws: &'a Session,
        desired: &'a Desired,
    ) -> BoxFuture<'a, Result<Look, CloudError>>;

    fn apply<'a>(
        &'a self,
        aws: &'a Session,
        change: &'a PlannedChange,
    ) -> BoxFuture<'a, Result<(), CloudError>>;
}

struct Erased<C> {
    descriptor: Descriptor,
    control: PhantomData<fn() -> C>,
}

/// Makes a control one of many.
pub fn erase<C: Control>() -> Box<dyn AnyControl> {
    let id = |text: &str| {
        text.parse::<ControlId>()
            .expect("control ids are checked by the registry's test")
    };
    Box::new(Erased::<C> {
        descriptor: Descriptor {
            id: id(C::ID),
            title: C::TITLE,
            scope: C::SCOPE,
            actions: C::ACTIONS,
            after: C::AFTER.iter().copied().map(id).collect(),
            first_region_alone: C::FIRST_REGION_ALONE,
            members_only: C::MEMBERS_ONLY,
        },
        control: PhantomData,
    })
}

impl<C: Control> AnyControl for Erased<C> {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn check(&self, parameters: &Value) -> Result<(), String> {
        C::Parameters::deserialize(parameters)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    fn desired(&self, parameters: &Value, place: &Place) -> Result<Desired, CloudError> {
        let parameters = C::Parameters::deserialize(parameters)
            .expect("parameters are checked when a baseline is read");
        let desired = C::desired(&parameters, place)?;
        let revision =
            Revision::of(&serde_json::to_vec(&desired).expect("desired states are plain data"));
        Ok(Desired {
            revision,
            value: Box::new(desired),
            to_json: |value| {
                let desired: &C::Desired = value
                    .downcast_ref()
                    .expect("a desired state goes with the control that made it");
                JsonText::of(desired)
            },
        })
    }

    fn look<'a>(
        &'a self,
        aws: &'a Session,
        desired: &'a Desired,
    ) -> BoxFuture<'a, Result<Look, CloudError>> {
        Box::pin(async move {
            let desired: &C::Desired = desired
                .value
                .downcast_ref()
                .expect("a desired state goes back to the control that made it");
            let observed = C::observe(aws, desired).await?;
            let changes = C::plan(desired, &observed);
            Ok(Look {
                assets: C::assets(aws.place(), &observed),
                observed: JsonText::of(&observed),
                changes: changes
                    .iter()
                    .map(|change| PlannedChange {
                        sentence: change.to_string(),
                        change: serde_json::to_value(change).expect("changes are plain data"),
                    })
                    .collect(),
            })
        })
    }

    fn apply<'a>(
        &'a self,
        aws: &'a Session,
        change: &'a PlannedChange,
    ) -> BoxFuture<'a, Result<(), CloudError>> {
        Box::pin(async move {
            let change = C::Change::deserialize(&change.change).map_err(|error| {
                CloudError::new(
                    landfall_model::cloud_error::CloudErrorKind::Invalid,
                    "landfall:Apply",
                    format!("a stored change cannot be read: {error}"),
                )
            })?;
            let applied = C::apply(aws, &change).await;
            // Whatever came of it: AWS may have acted.
            aws.changed();
            applied
        })
    }
}
