//! `landfall rollout`: follow how a new baseline reaches accounts; start, pause, resume and roll it back.

use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use super::client::{Client, path};
use super::out;
use crate::api::rollouts::{Rollout, RolloutStanding};
use crate::config::ClientSettings;

#[derive(Debug, Args)]
pub struct RolloutCommand {
    #[command(flatten)]
    client: ClientSettings,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List rollouts, newest first.
    List {
        /// At most so many.
        #[arg(long, value_name = "N")]
        limit: Option<NonZeroUsize>,
    },
    /// Show a rollout, and how its accounts stand.
    Show { id: Uuid },
    /// Start one that was proposed, or one that was rolled back again.
    Start(Decision),
    /// Keep it from reaching further accounts; those that it has reached keep what it brought.
    Pause(Decision),
    /// Let one go on that is paused or stopped.
    Resume(Decision),
    /// Give all accounts back what they had before it.
    RollBack {
        id: Uuid,
        /// Why, for the history.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, Args)]
struct Decision {
    id: Uuid,
    /// Why, for the history.
    #[arg(long, default_value = "")]
    reason: String,
}

pub(super) async fn run(command: RolloutCommand) -> anyhow::Result<ExitCode> {
    let client = Client::new(&command.client)?;
    let (id, verb, reason) = match command.verb {
        Verb::List { limit } => {
            list(&client, limit).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Verb::Show { id } => {
            let path = path(["rollouts", &id.to_string()]);
            show(&client, client.get(&path).await?)?;
            return Ok(ExitCode::SUCCESS);
        }
        Verb::Start(Decision { id, reason }) => (id, "start", reason),
        Verb::Pause(Decision { id, reason }) => (id, "pause", reason),
        Verb::Resume(Decision { id, reason }) => (id, "resume", reason),
        Verb::RollBack { id, reason } => (id, "roll-back", reason),
    };
    let path = path(["rollouts", &id.to_string(), verb]);
    let reason = json!({ "reason": reason });
    show(&client, client.post(&path, &reason).await?)?;
    Ok(ExitCode::SUCCESS)
}

async fn list(client: &Client, limit: Option<NonZeroUsize>) -> anyhow::Result<()> {
    let rollouts = client
        .list::<Rollout>(&path(["rollouts"]), "", limit)
        .await?;
    if client.json {
        out::json(&rollouts)?;
    } else if rollouts.is_empty() {
        out::line("There are no rollouts.")?;
    } else {
        out::table(
            ["ROLLOUT", "BEGAN", "STATE", "SINCE", "WHY"],
            rollouts.into_iter().map(|rollout| {
                [
                    rollout.id.to_string(),
                    format!("{:.0}", rollout.created_at),
                    rollout.state.name().replace('_', " "),
                    format!("{:.0}", rollout.changed_at),
                    rollout.reason,
                ]
            }),
        )?;
    }
    Ok(())
}

fn show(client: &Client, standing: RolloutStanding) -> std::io::Result<()> {
    if client.json {
        return out::json(&standing);
    }
    let rollout = standing.rollout;
    let baselines: Vec<String> = rollout
        .baselines
        .iter()
        .map(|baseline| format!("{} at {}", baseline.name, baseline.revision))
        .collect();
    let mut fields = vec![
        ("rollout", rollout.id.to_string()),
        ("state", rollout.state.name().replace('_', " ")),
        (
            "since",
            format!("{:.0} by {}", rollout.changed_at, rollout.changed_by),
        ),
        ("why", rollout.reason),
        ("baselines", baselines.join(", ")),
    ];
    for wave in &standing.waves {
        let counts: Vec<String> = wave
            .accounts
            .iter()
            .map(|(standing, accounts)| format!("{accounts} {}", standing.replace('_', " ")))
            .collect();
        fields.push((wave.wave.name(), counts.join(", ")));
    }
    fields.push(("behind", standing.behind.to_string()));
    for policies in &standing.policies {
        let state = match policies.attached_at {
            Some(at) => format!("attached since {at:.0}"),
            None => policies.state.name().to_owned(),
        };
        let value = format!(
            "{}: {state}, {} accounts",
            policies.target, policies.accounts
        );
        fields.push(("policies", value));
    }
    out::fields(&fields)?;
    for account in &standing.failed {
        let number = account.account_id.as_deref().unwrap_or("without a number");
        out::line(format_args!(
            "failed: {} ({}), account {number}: `landfall account cells {number}` says why",
            account.name, account.organizational_unit
        ))?;
    }
    Ok(())
}
