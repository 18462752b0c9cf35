//! `landfall asset`: search the CMDB.

use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::client::{Client, path, query};
use super::out;
use crate::api::assets::{Asset, LookupForm, MatchedBy, Matches};
use crate::config::ClientSettings;

#[derive(Debug, Args)]
pub struct AssetCommand {
    #[command(flatten)]
    client: ClientSettings,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List assets, in the order of their ARNs.
    List(List),
    /// Show one asset with its configuration.
    Show { arn: String },
    /// Whose is this? Takes ARNs, account ids and ids of resources.
    Lookup {
        #[arg(required = true)]
        keys: Vec<String>,
    },
}

#[derive(Debug, Args)]
struct List {
    /// Only this type, `AWS::GuardDuty::Detector`.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    #[arg(long = "account", value_name = "ACCOUNT_ID")]
    account_id: Option<String>,
    #[arg(long)]
    region: Option<String>,
    /// Only what this owner answers for.
    #[arg(long)]
    owner: Option<String>,
    /// Only names that begin so.
    #[arg(long)]
    name: Option<String>,
    /// Only what has this tag.
    #[arg(long, value_name = "KEY=VALUE")]
    tag: Option<String>,
    /// Also what is no longer there.
    #[arg(long)]
    gone: bool,
    /// At most so many.
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
}

pub(super) async fn run(command: AssetCommand) -> anyhow::Result<ExitCode> {
    let client = Client::new(&command.client)?;
    match command.verb {
        Verb::List(filter) => list(&client, filter).await?,
        Verb::Show { arn } => {
            let asset: Asset = client.get(&path(["assets", &arn])).await?;
            if client.json {
                out::json(&asset)?;
            } else {
                show(asset)?;
            }
        }
        Verb::Lookup { keys } => {
            return lookup(&client, &LookupForm { keys }).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(client: &Client, filter: List) -> anyhow::Result<()> {
    let parameters = query([
        ("type", filter.kind),
        ("account_id", filter.account_id),
        ("region", filter.region),
        ("owner", filter.owner),
        ("name", filter.name),
        ("tag", filter.tag),
        ("gone", filter.gone.then(|| "true".to_owned())),
    ]);
    let assets = client
        .list::<Asset>(&path(["assets"]), &parameters, filter.limit)
        .await?;
    if client.json {
        out::json(&assets)?;
    } else if assets.is_empty() {
        out::line("There are no such assets.")?;
    } else {
        out::table(
            ["TYPE", "ACCOUNT", "REGION", "NAME", "OWNER", "LAST SEEN"],
            assets.into_iter().map(|asset| {
                [
                    asset.kind,
                    asset.account_id,
                    asset.region.unwrap_or_else(|| "global".to_owned()),
                    asset.name,
                    asset.owner,
                    format!("{:.0}", asset.last_seen_at),
                ]
            }),
        )?;
    }
    Ok(())
}

fn show(asset: Asset) -> std::io::Result<()> {
    let configuration = serde_json::to_string_pretty(&asset.configuration).unwrap_or_default();
    let tags: Vec<String> = asset
        .tags
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let mut fields = vec![
        ("id", asset.id),
        ("type", asset.kind),
        ("account", asset.account_id),
        (
            "Region",
            asset.region.unwrap_or_else(|| "global".to_owned()),
        ),
        ("name", asset.name),
        ("owner", asset.owner),
        ("tags", tags.join(" ")),
        ("source", asset.source),
        ("first seen", asset.first_seen_at.to_string()),
        ("last seen", asset.last_seen_at.to_string()),
    ];
    if let Some(gone_at) = asset.gone_at {
        fields.push(("gone", format!("since {gone_at}")));
    }
    out::fields(&fields)?;
    out::line(configuration)
}

/// The status is 1 when nothing is known of one of the keys: a script may ask.
async fn lookup(client: &Client, form: &LookupForm) -> anyhow::Result<ExitCode> {
    let matches: Matches = client.post(&path(["assets", "lookup"]), form).await?;
    let all_known = matches.items.iter().all(|found| found.matched_by.is_some());
    if client.json {
        out::json(&matches)?;
    } else {
        out::table(
            [
                "KEY",
                "OWNER",
                "ACCOUNT",
                "NAME",
                "OU",
                "ENVIRONMENT",
                "MATCHED BY",
            ],
            matches.items.into_iter().map(|found| {
                let matched_by = match found.matched_by {
                    Some(MatchedBy::Arn) => "ARN",
                    Some(MatchedBy::ResourceId) => "resource id",
                    Some(MatchedBy::Account) => "account",
                    None => "unknown",
                };
                [
                    found.key,
                    found.owner.unwrap_or_default(),
                    found.account_id.unwrap_or_default(),
                    found.account_name.unwrap_or_default(),
                    found.organizational_unit.unwrap_or_default(),
                    found.environment.unwrap_or_default(),
                    matched_by.to_owned(),
                ]
            }),
        )?;
    }
    Ok(if all_known {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
