//! Aggregators: one account's view of what the recorders of others recorded.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Cell, SERVICE, done, role, tags, texts};
use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::paging::Paging;
use crate::regions;
use crate::world::{MANAGEMENT_ACCOUNT, World};

/// The most aggregators of one account in one Region.
const MOST: usize = 50;

pub(super) struct Aggregator {
    pub(super) arn: String,
    source: Source,
    filters: Option<Value>,
    created: Timestamp,
    updated: Timestamp,
}

enum Source {
    Accounts {
        accounts: Vec<AccountId>,
        regions: Regions,
    },
    Organization {
        role: String,
        regions: Regions,
    },
}

enum Regions {
    All,
    These(Vec<Region>),
}

impl Regions {
    fn read(source: &Value) -> Result<Self, AwsError> {
        let all = source["AllAwsRegions"].as_bool().unwrap_or_default();
        let named = source["AwsRegions"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        let these: Option<Vec<Region>> = texts(named).into_iter().map(regions::find).collect();
        match (all, these.as_deref()) {
            (true, Some([])) => Ok(Regions::All),
            (false, Some([_, ..])) => Ok(Regions::These(these.unwrap_or_default())),
            (_, None) => Err(invalid(
                "The list of AwsRegions names one that does not exist.",
            )),
            _ => Err(invalid(
                "Give either AllAwsRegions or a list of AwsRegions.",
            )),
        }
    }

    fn describe(&self, source: &mut Value) {
        source["AllAwsRegions"] = matches!(self, Regions::All).into();
        if let Regions::These(regions) = self {
            source["AwsRegions"] = regions.clone().into();
        }
    }
}

impl Aggregator {
    fn describe(&self, name: &str) -> Value {
        let mut aggregator = json!({
            "ConfigurationAggregatorName": name,
            "ConfigurationAggregatorArn": self.arn,
            "CreationTime": self.created.to_string(),
            "LastUpdatedTime": self.updated.to_string(),
        });
        match &self.source {
            Source::Accounts { accounts, regions } => {
                let ids: Vec<String> = accounts.iter().map(AccountId::to_string).collect();
                let mut source = json!({ "AccountIds": ids });
                regions.describe(&mut source);
                aggregator["AccountAggregationSources"] = json!([source]);
            }
            Source::Organization { role, regions } => {
                let mut source = json!({ "RoleArn": role });
                regions.describe(&mut source);
                aggregator["OrganizationAggregationSource"] = source;
            }
        }
        if let Some(filters) = &self.filters {
            aggregator["AggregatorFilters"] = filters.clone();
        }
        aggregator
    }
}

pub(super) fn put(world: &mut World, call: &Call<'_>) -> Answer {
    let name = call.required("ConfigurationAggregatorName");
    let tags = tags::read(call.list("Tags"))?;
    let cell = world.config.here(call);
    let existing = cell.and_then(|cell| cell.aggregators.get(name));
    if existing.is_none() && cell.is_some_and(|cell| cell.aggregators.len() >= MOST) {
        return Err(AwsError::new(
            "LimitExceededException",
            format!("The account already has the maximum of {MOST} aggregators."),
        ));
    }
    let identity = existing.map(|aggregator| (aggregator.arn.clone(), aggregator.created));
    let source = read_source(world, call)?;
    let (arn, created) = identity.unwrap_or_else(|| {
        let (account, region, id) = (call.account(), call.region, world.random_id(8));
        let arn =
            format!("arn:aws:config:{region}:{account}:config-aggregator/config-aggregator-{id}");
        (arn, call.now)
    });
    let aggregator = Aggregator {
        arn: arn.clone(),
        source,
        filters: call.input.get("AggregatorFilters").cloned(),
        created,
        updated: call.now,
    };
    let described = aggregator.describe(name);
    let cell = world.config.here_mut(call);
    // Tags of a repeated call are ignored, as PutConfigurationAggregator's documentation says.
    if cell
        .aggregators
        .insert(name.to_owned(), aggregator)
        .is_none()
    {
        cell.keep_tags(arn, tags);
    }
    Ok(json!({ "ConfigurationAggregator": described }))
}

/// Reads the one source that an aggregator has, and switches on what an organization's needs.
fn read_source(world: &mut World, call: &Call<'_>) -> Result<Source, AwsError> {
    match (
        call.list("AccountAggregationSources"),
        call.input.get("OrganizationAggregationSource"),
    ) {
        ([source], None) => {
            let ids = source["AccountIds"]
                .as_array()
                .map_or(&[][..], Vec::as_slice);
            let accounts = texts(ids).into_iter().map(str::parse);
            Ok(Source::Accounts {
                accounts: accounts
                    .collect::<Result<_, ()>>()
                    .map_err(|()| invalid("An account id has twelve digits."))?,
                regions: Regions::read(source)?,
            })
        }
        ([], Some(source)) => {
            let regions = Regions::read(source)?;
            may_see_organization(world, call)?;
            let role = source["RoleArn"].as_str().unwrap_or_default();
            role::check_pass(world, call, role)?;
            if !role::is_assumable(world, call.account(), role) {
                return Err(AwsError::new(
                    "InvalidRoleException",
                    format!("AWS Config cannot assume the IAM role '{role}'."),
                ));
            }
            if call.account() == MANAGEMENT_ACCOUNT {
                world.organizations.enable_trusted_access(SERVICE, call.now);
            }
            Ok(Source::Organization {
                role: role.to_owned(),
                regions,
            })
        }
        _ => Err(invalid(
            "Give either one account aggregation source or an organization aggregation source.",
        )),
    }
}

/// The management account may always: Config then switches on its own trusted access. Another account must be Config's
/// delegated administrator, and the trusted access must be on (PutConfigurationAggregator's documentation).
fn may_see_organization(world: &World, call: &Call<'_>) -> Result<(), AwsError> {
    let account = call.account();
    if world.organizations.created_at(account).is_none() {
        return Err(AwsError::new(
            "NoAvailableOrganizationException",
            "The account is not a member of an organization.",
        ));
    }
    let administers = account == MANAGEMENT_ACCOUNT
        || (world
            .organizations
            .is_delegated_administrator(account, SERVICE)
            && world.organizations.trusted_access(SERVICE));
    if administers {
        Ok(())
    } else {
        Err(AwsError::new(
            "OrganizationAccessDeniedException",
            "This action can only be performed by the management account or a registered delegated administrator for AWS Config.",
        ))
    }
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let name = call.required("ConfigurationAggregatorName");
    let cell = world.config.here_mut(call);
    let aggregator = cell.aggregators.remove(name);
    let aggregator = aggregator.ok_or_else(|| no_such_aggregator(name))?;
    cell.tags.remove(&aggregator.arn);
    done()
}

pub(super) fn describe(world: &World, call: &Call<'_>) -> Answer {
    let none = Cell::default();
    let all = &world.config.here(call).unwrap_or(&none).aggregators;
    let names = texts(call.list("ConfigurationAggregatorNames"));
    let items = if names.is_empty() {
        all.iter()
            .map(|(name, found)| found.describe(name))
            .collect()
    } else {
        let found = names.into_iter().map(|name| {
            let aggregator = all.get(name).ok_or_else(|| no_such_aggregator(name))?;
            Ok(aggregator.describe(name))
        });
        found.collect::<Result<_, AwsError>>()?
    };
    paging("ConfigurationAggregators")
        .page(call, items)
        .map(Value::Object)
}

pub(super) fn describe_sources(world: &World, call: &Call<'_>) -> Answer {
    let name = call.required("ConfigurationAggregatorName");
    let cell = world.config.here(call);
    let aggregator = cell
        .and_then(|cell| cell.aggregators.get(name))
        .ok_or_else(|| no_such_aggregator(name))?;
    let mut items = Vec::new();
    let (accounts, regions) = match &aggregator.source {
        Source::Accounts { accounts, regions } => (accounts.clone(), regions),
        Source::Organization { regions, .. } => {
            items.push(organization_status(world, call, aggregator));
            (world.organizations.accounts(), regions)
        }
    };
    for account in accounts {
        items.extend(account_statuses(world, call, aggregator, account, regions));
    }
    let wanted = texts(call.list("UpdateStatus"));
    if !wanted.is_empty() {
        items.retain(|item| {
            wanted
                .iter()
                .any(|status| item["LastUpdateStatus"] == **status)
        });
    }
    paging("AggregatedSourceStatusList")
        .page(call, items)
        .map(Value::Object)
}

/// Whether the aggregator may still ask Organizations for the members.
fn organization_status(world: &World, call: &Call<'_>, aggregator: &Aggregator) -> Value {
    let mut status = json!({
        "SourceId": "Organization",
        "SourceType": "ORGANIZATION",
        "LastUpdateStatus": "SUCCEEDED",
        "LastUpdateTime": aggregator.updated.to_string(),
    });
    if let Err(refusal) = may_see_organization(world, call) {
        status["LastUpdateStatus"] = "FAILED".into();
        status["LastErrorCode"] = refusal.code.into();
        status["LastErrorMessage"] = refusal.message.into();
    }
    status
}

/// One row for each Region of an account where Config was ever used: data are fresh where it records.
fn account_statuses(
    world: &World,
    call: &Call<'_>,
    aggregator: &Aggregator,
    account: AccountId,
    regions: &Regions,
) -> Vec<Value> {
    let cells = world.config.cells.range((account, "")..);
    let cells = cells.take_while(|((owner, _), _)| *owner == account);
    let wanted = cells.filter(|((_, region), _)| match regions {
        Regions::All => true,
        Regions::These(these) => these.contains(region),
    });
    let row = |((_, region), cell): (&(AccountId, &str), &Cell)| {
        let (status, time) = match cell.is_recording() {
            true => ("SUCCEEDED", call.now),
            false => ("OUTDATED", aggregator.updated),
        };
        let mut row = Map::new();
        row.insert("SourceId".to_owned(), account.to_string().into());
        row.insert("SourceType".to_owned(), "ACCOUNT".into());
        row.insert("AwsRegion".to_owned(), (*region).into());
        row.insert("LastUpdateStatus".to_owned(), status.into());
        row.insert("LastUpdateTime".to_owned(), time.to_string().into());
        Value::Object(row)
    };
    wanted.map(row).collect()
}

fn paging(items: &'static str) -> Paging {
    Paging {
        items,
        limit: "Limit",
        token: ("NextToken", "NextToken"),
        most: 100,
        bad_token: "InvalidNextTokenException",
        empty_first: false,
    }
}

fn invalid(message: &str) -> AwsError {
    AwsError::new("InvalidParameterValueException", message)
}

fn no_such_aggregator(name: &str) -> AwsError {
    AwsError::new(
        "NoSuchConfigurationAggregatorException",
        format!("The configuration aggregator '{name}' does not exist."),
    )
}
