//! `landfall plan` and `landfall apply`: what would have to change, and having it changed.

use std::io::{self, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use landfall_model::plan::PlanState;
use owo_colors::OwoColorize;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::client::{Client, path};
use super::{out, plan_text};
use crate::api::plan_changes::{PlanTarget, PlannedCell};
use crate::api::plan_scope::PlanForm;
use crate::api::plans::Plan;
use crate::config::ClientSettings;
use crate::engine::clock;

/// So many plans are listed unless told otherwise.
const FEW: NonZeroUsize = NonZeroUsize::new(20).expect("twenty is not zero");

/// How often a plan is asked how far it has come.
const ASK: Duration = Duration::from_millis(250);

/// Makes a plan and shows it. The exit status is 0 when nothing would change, 2 when something would, and 1 when that
/// cannot be told.
#[derive(Debug, Args)]
pub struct PlanCommand {
    #[command(flatten)]
    client: ClientSettings,
    #[command(flatten)]
    make: Make,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Args)]
struct Make {
    /// Only this account; the management account stands for the organization. May be given many times, as all of these.
    #[arg(long = "account", value_name = "ACCOUNT_ID")]
    accounts: Vec<String>,
    /// Only accounts in this OU and below it.
    #[arg(long = "ou", value_name = "PATH")]
    organizational_units: Vec<String>,
    /// Only this Region.
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
    /// Only this control.
    #[arg(long = "control", value_name = "CONTROL")]
    controls: Vec<String>,
    /// Also write the whole plan to a file, as JSON.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List plans, newest first.
    List {
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = FEW)]
        limit: NonZeroUsize,
    },
    /// Show a plan, and what became of it.
    Show { id: Uuid },
    /// Agree to a plan that somebody else made.
    Approve { id: Uuid },
}

/// Applies a plan exactly as it was made, or refuses where something has moved since.
#[derive(Debug, Args)]
pub struct ApplyCommand {
    #[command(flatten)]
    client: ClientSettings,
    /// The plan's id, as `landfall plan` shows it.
    plan: Uuid,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// A plan with all that it found.
#[derive(Debug, Serialize)]
struct Whole {
    #[serde(flatten)]
    plan: Plan,
    targets: Vec<PlanTarget>,
    changes: Vec<PlannedCell>,
}

pub(super) async fn plan(command: PlanCommand) -> anyhow::Result<ExitCode> {
    let client = Client::new(&command.client)?;
    let Make {
        accounts,
        organizational_units,
        regions,
        controls,
        out: file,
    } = command.make;
    let form = PlanForm {
        accounts,
        organizational_units,
        regions,
        controls,
    };
    let Some(verb) = command.verb else {
        let plan: Plan = client.post(&path(["plans"]), &form).await?;
        let whole = whole(&client, follow(&client, plan).await?).await?;
        if let Some(file) = file {
            let json = serde_json::to_string_pretty(&whole)?;
            std::fs::write(&file, json + "\n")
                .with_context(|| format!("{} cannot be written", file.display()))?;
        }
        show(&client, &whole)?;
        return Ok(verdict(&whole.plan));
    };
    if form != PlanForm::default() || file.is_some() {
        bail!(
            "what to look at is said when a plan is made: leave out the options, or the command after them"
        );
    }
    match verb {
        Verb::List { limit } => list(&client, limit).await?,
        Verb::Show { id } => {
            let plan = client.get(&one(id)).await?;
            show(&client, &whole(&client, plan).await?)?;
        }
        Verb::Approve { id } => {
            let plan: Plan = client
                .post(&path(["plans", &id.to_string(), "approve"]), &json!({}))
                .await?;
            if client.json {
                out::json(&plan)?;
            } else {
                let by = plan.approval.approved_by.unwrap_or_default();
                out::line(format_args!("Plan {id} is approved by {by}."))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn apply(command: ApplyCommand) -> anyhow::Result<ExitCode> {
    let client = Client::new(&command.client)?;
    let id = command.plan;
    let plan: Plan = client.get(&one(id)).await?;
    if plan.state == PlanState::Planned && plan.counts.changes == 0 {
        if client.json {
            out::json(&plan)?;
        } else {
            out::line("The plan would change nothing.")?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    // What cannot be applied is refused by the server, with the reason; nobody has to be asked for that.
    if plan.state == PlanState::Planned && !command.yes {
        if client.json || !io::stdin().is_terminal() {
            bail!("nobody can be asked here: look at `landfall plan show {id}`, then say --yes");
        }
        show(&client, &whole(&client, plan).await?)?;
        if !confirmed()? {
            bail!("nothing was applied");
        }
    }
    let plan: Plan = client
        .post(&path(["plans", &id.to_string(), "apply"]), &json!({}))
        .await?;
    let whole = whole(&client, follow(&client, plan).await?).await?;
    show(&client, &whole)?;
    Ok(match whole.plan.state {
        PlanState::Applied => ExitCode::SUCCESS,
        PlanState::Planning
        | PlanState::Planned
        | PlanState::Applying
        | PlanState::Refused
        | PlanState::Failed => ExitCode::FAILURE,
    })
}

fn one(id: Uuid) -> String {
    path(["plans", &id.to_string()])
}

/// Follows a plan until the server has nothing to do for it.
async fn follow(client: &Client, mut plan: Plan) -> anyhow::Result<Plan> {
    let shown = !client.json && out::is_terminal();
    while matches!(plan.state, PlanState::Planning | PlanState::Applying) {
        if shown {
            over(&plan_text::progress(&plan))?;
        }
        clock::pause(ASK).await;
        plan = client.get(&one(plan.id)).await?;
    }
    if shown {
        over("")?;
    }
    Ok(plan)
}

/// Writes over the terminal's last line.
fn over(text: &str) -> io::Result<()> {
    let mut stdout = anstream::stdout();
    write!(stdout, "\r\x1b[K{text}")?;
    stdout.flush()
}

async fn whole(client: &Client, plan: Plan) -> anyhow::Result<Whole> {
    let id = plan.id.to_string();
    let query = "?limit=500";
    Ok(Whole {
        targets: client
            .list(&path(["plans", &id, "targets"]), query, None)
            .await?,
        changes: client
            .list(&path(["plans", &id, "changes"]), query, None)
            .await?,
        plan,
    })
}

fn show(client: &Client, whole: &Whole) -> anyhow::Result<()> {
    if client.json {
        out::json(whole)?;
        return Ok(());
    }
    for line in plan_text::lines(&whole.plan, &whole.targets, &whole.changes) {
        out::line(coloured(&line))?;
    }
    Ok(())
}

/// Marks are coloured as in a difference of two files.
fn coloured(line: &str) -> String {
    let mark = line.trim_start().split(' ').next().unwrap_or_default();
    match mark {
        "+" => line.green().to_string(),
        "-" | "!" => line.red().to_string(),
        "~" => line.yellow().to_string(),
        _ => line.to_owned(),
    }
}

/// As Terraform's `-detailed-exitcode`.
fn verdict(plan: &Plan) -> ExitCode {
    match (&plan.counts.changes, plan.counts.cells_not_looked_at) {
        _ if plan.state == PlanState::Failed => ExitCode::FAILURE,
        (1.., _) => ExitCode::from(2),
        (0, 0) if !plan.counts.stages.contains_key("unseen") => ExitCode::SUCCESS,
        (0, _) => ExitCode::FAILURE,
    }
}

fn confirmed() -> io::Result<bool> {
    let mut stdout = anstream::stdout();
    write!(stdout, "\nApply this plan? Only `yes` applies it: ")?;
    stdout.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

async fn list(client: &Client, limit: NonZeroUsize) -> anyhow::Result<()> {
    let plans: Vec<Plan> = client.list(&path(["plans"]), "", Some(limit)).await?;
    if client.json {
        out::json(&plans)?;
    } else if plans.is_empty() {
        out::line("There are no plans. `landfall plan` makes one.")?;
    } else {
        out::table(
            ["ID", "MADE", "BY", "STATE", "CHANGES", "ACCOUNTS", "SCOPE"],
            plans.into_iter().map(|plan| {
                [
                    plan.id.to_string(),
                    format!("{:.0}", plan.made_at),
                    plan.made_by.clone(),
                    plan.state.name().to_owned(),
                    plan.counts.changes.to_string(),
                    plan.counts.targets_to_change.to_string(),
                    plan_text::scope(&plan.scope),
                ]
            }),
        )?;
    }
    Ok(())
}
