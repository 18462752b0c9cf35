//! `landfall baseline`: what accounts must have, and where each value comes from.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use landfall_model::repair::Repair;
use serde_json::Value;

use super::client::{Client, path};
use super::out;
use crate::api::baselines::{Baseline, BaselineContent, BaselineControl, BaselineParameter};
use crate::config::ClientSettings;

#[derive(Debug, Args)]
pub struct BaselineCommand {
    #[command(flatten)]
    client: ClientSettings,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List baselines, with their revisions and how many accounts have them.
    List,
    /// Show all that a baseline says, with what it inherits, and the file of each value.
    Show { name: String },
}

pub(super) async fn run(command: BaselineCommand) -> anyhow::Result<ExitCode> {
    let client = Client::new(&command.client)?;
    match command.verb {
        Verb::List => list(&client).await?,
        Verb::Show { name } => {
            let content: BaselineContent = client.get(&path(["baselines", &name])).await?;
            if client.json {
                out::json(&content)?;
            } else {
                show(content)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(client: &Client) -> anyhow::Result<()> {
    let baselines = client
        .list::<Baseline>(&path(["baselines"]), "", None)
        .await?;
    if client.json {
        out::json(&baselines)?;
        return Ok(());
    }
    out::table(
        [
            "NAME",
            "REVISION",
            "ACCOUNTS",
            "OTHER REVISIONS",
            "EXTENDS",
            "OUS",
        ],
        baselines.into_iter().map(|baseline| {
            let here = baseline.accounts.get(&baseline.revision);
            let others: u64 = baseline.accounts.values().sum::<u64>() - here.unwrap_or(&0);
            [
                baseline.name,
                baseline.revision,
                here.unwrap_or(&0).to_string(),
                others.to_string(),
                baseline.extends.unwrap_or_default(),
                baseline.organizational_units.join(" "),
            ]
        }),
    )?;
    Ok(())
}

fn show(content: BaselineContent) -> std::io::Result<()> {
    let baseline = content.baseline;
    out::fields(&[
        ("name", baseline.name),
        ("description", baseline.description),
        ("revision", baseline.revision),
        ("file", baseline.file),
        (
            "extends",
            baseline.extends.unwrap_or_else(|| "nothing".to_owned()),
        ),
        ("OUs", baseline.organizational_units.join(" ")),
        ("accounts", accounts(&baseline.accounts)),
    ])?;
    for control in content.controls {
        out::line("")?;
        out::line(format_args!(
            "{}  {} ({})",
            control.id, control.title, control.file
        ))?;
        if let Some(file) = &control.regions_file {
            let regions = control.regions.as_deref().unwrap_or_default();
            out::line(format_args!("  only in {} ({file})", regions.join(" ")))?;
        }
        if control.repair == Repair::Ask {
            let file = control.repair_file.as_deref().unwrap_or_default();
            out::line(format_args!("  repaired once somebody asks ({file})"))?;
        }
        for parameter in &control.parameters {
            out::line(sentence(&control, parameter))?;
        }
    }
    for left_out in content.without {
        out::line("")?;
        out::line(format_args!(
            "without {}: {} ({})",
            left_out.id, left_out.reason, left_out.file
        ))?;
    }
    Ok(())
}

fn accounts(by_revision: &std::collections::BTreeMap<String, u64>) -> String {
    if by_revision.is_empty() {
        return "none".to_owned();
    }
    let each: Vec<String> = by_revision
        .iter()
        .map(|(revision, accounts)| format!("{accounts} at {revision}"))
        .collect();
    each.join(", ")
}

/// One value, and where it comes from where that is not the control's own file.
fn sentence(control: &BaselineControl, parameter: &BaselineParameter) -> String {
    let place = match (&parameter.organizational_unit, &parameter.region) {
        (Some(unit), _) => format!(" in {unit}"),
        (None, Some(region)) => format!(" in {region}"),
        (None, None) => String::new(),
    };
    let value = match &parameter.value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut line = format!("  {}{place} = {value}", parameter.name);
    if parameter.file != control.file {
        line += &format!(" ({})", parameter.file);
    }
    line
}
