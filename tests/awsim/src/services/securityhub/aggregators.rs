//! The finding aggregator: which Regions' findings show up in the home Region too.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{access_denied, invalid_input, not_found, paging, subscriber};
use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::regions;
use crate::world::World;

pub(super) struct Aggregator {
    /// `arn:aws:securityhub:REGION:ACCOUNT:finding-aggregator/UUID`.
    arn: String,
    home: Region,
    mode: Mode,
    regions: Vec<String>,
}

/// `RegionLinkingMode`.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    All,
    AllExcept,
    Specified,
    None,
}

const MODES: [(&str, Mode); 4] = [
    ("ALL_REGIONS", Mode::All),
    ("ALL_REGIONS_EXCEPT_SPECIFIED", Mode::AllExcept),
    ("SPECIFIED_REGIONS", Mode::Specified),
    ("NO_REGIONS", Mode::None),
];

impl Aggregator {
    /// Whether findings of `region` are seen in `home`.
    pub(super) fn links(&self, home: Region, region: &str) -> bool {
        let named = self.regions.iter().any(|linked| linked == region);
        self.home == home
            && match self.mode {
                Mode::All => true,
                Mode::AllExcept => !named,
                Mode::Specified => named,
                Mode::None => false,
            }
    }

    fn describe(&self) -> Value {
        let mode = MODES
            .iter()
            .find(|(_, mode)| *mode == self.mode)
            .map(|(name, _)| name);
        let mut answer = json!({
            "FindingAggregatorArn": self.arn,
            "FindingAggregationRegion": self.home,
            "RegionLinkingMode": mode,
        });
        if !self.regions.is_empty() {
            answer["Regions"] = json!(self.regions);
        }
        answer
    }
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Answer {
    configurable(world, call)?;
    let (mode, regions) = linking(call)?;
    if world.securityhub.aggregators.contains_key(&call.account()) {
        return Err(invalid_input(
            "A finding aggregator already exists for this account",
        ));
    }
    let id = [8, 4, 4, 4, 12]
        .map(|length| world.random_hex(length))
        .join("-");
    let arn = format!(
        "arn:aws:securityhub:{}:{}:finding-aggregator/{id}",
        call.region,
        call.account()
    );
    let aggregator = Aggregator {
        arn,
        home: call.region,
        mode,
        regions,
    };
    let answer = aggregator.describe();
    world
        .securityhub
        .aggregators
        .insert(call.account(), aggregator);
    Ok(answer)
}

pub(super) fn get(world: &mut World, call: &Call<'_>) -> Answer {
    subscriber(world, call)?;
    named(world, call).map(|aggregator| aggregator.describe())
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Answer {
    subscriber(world, call)?;
    let aggregator = world
        .securityhub
        .aggregators
        .get(&call.account())
        .into_iter();
    let arns = aggregator
        .map(|aggregator| json!({ "FindingAggregatorArn": aggregator.arn }))
        .collect();
    paging("FindingAggregators", 100)
        .page(call, arns)
        .map(Value::Object)
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Answer {
    configurable(world, call)?;
    let (mode, regions) = linking(call)?;
    let aggregator = at_home(world, call)?;
    aggregator.mode = mode;
    aggregator.regions = regions;
    Ok(aggregator.describe())
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    configurable(world, call)?;
    at_home(world, call)?;
    world.securityhub.aggregators.remove(&call.account());
    Ok(json!({}))
}

/// A member's findings are aggregated by its administrator, not by itself.
fn configurable(world: &mut World, call: &Call<'_>) -> Result<(), AwsError> {
    subscriber(world, call)?;
    match world.securityhub.membership.administrator_of_caller(call) {
        Some(_) => Err(access_denied(
            "A member account cannot configure finding aggregation",
        )),
        None => Ok(()),
    }
}

fn linking(call: &Call<'_>) -> Result<(Mode, Vec<String>), AwsError> {
    let mode = call.required("RegionLinkingMode");
    let Some((_, mode)) = MODES.iter().find(|(name, _)| *name == mode) else {
        return Err(invalid_input(format!("Invalid RegionLinkingMode: {mode}")));
    };
    let regions: Vec<String> = call
        .list("Regions")
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let takes_regions = matches!(mode, Mode::AllExcept | Mode::Specified);
    if takes_regions == regions.is_empty() {
        return Err(invalid_input(
            "Regions goes with ALL_REGIONS_EXCEPT_SPECIFIED and SPECIFIED_REGIONS, and only with them",
        ));
    }
    if regions.iter().any(|region| region == call.region) {
        return Err(invalid_input("The home Region cannot be a linked Region"));
    }
    Ok((*mode, regions))
}

fn named<'w>(world: &'w mut World, call: &Call<'_>) -> Result<&'w mut Aggregator, AwsError> {
    let aggregator = world.securityhub.aggregators.get_mut(&call.account());
    aggregator
        .filter(|aggregator| aggregator.arn == call.required("FindingAggregatorArn"))
        .ok_or_else(|| not_found("The finding aggregator does not exist"))
}

/// The aggregator that the call names, which only its home Region may change.
fn at_home<'w>(world: &'w mut World, call: &Call<'_>) -> Result<&'w mut Aggregator, AwsError> {
    let aggregator = named(world, call)?;
    if aggregator.home == call.region {
        Ok(aggregator)
    } else {
        Err(access_denied(format!(
            "The finding aggregator can be changed in {} only",
            aggregator.home
        )))
    }
}

/// The Regions whose findings the account sees in `home`.
pub(super) fn visible_regions(world: &World, account: AccountId, home: Region) -> BTreeSet<Region> {
    let aggregator = world.securityhub.aggregators.get(&account);
    let linked =
        |region: &Region| *region == home || aggregator.is_some_and(|it| it.links(home, region));
    regions::all().filter(linked).collect()
}
