//! `landfall account`: look at accounts and their cells; repair, pause, move and close them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use landfall_model::aws_state::AwsState;
use landfall_model::ids::AccountId;
use serde_json::json;

use super::client::{Client, path, query};
use super::history::{self, History};
use super::{doctor, out, progress, requests, standing};
use crate::api::accounts::{Account, AccountState};
use crate::api::baselines::BaselineRevision;
use crate::api::cells::Cells;
use crate::api::drift::{ORGANIZATION, RepairForm, RepairReply};
use crate::api::enrollment::{EnrollForm, EnrollmentReport};
use crate::api::requests::AccountRequest;
use crate::config::ClientSettings;
use crate::engine::clock::{Clock, SystemClock};

#[derive(Debug, Args)]
pub struct AccountCommand {
    #[command(flatten)]
    client: ClientSettings,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List accounts, newest first.
    List(List),
    /// Show one account.
    Show { account_id: AccountId },
    /// Show each Region × control of an account.
    Cells(ShowCells),
    /// Show what happened to an account, newest first.
    History(History),
    /// Repair what differs, also where the baseline wants to be asked first.
    Repair(Repair),
    /// Keep Landfall from changing an account.
    Pause {
        account_id: AccountId,
        /// Why, for the history.
        #[arg(long)]
        reason: String,
        /// When the pause ends by itself, `2026-12-01T08:00:00Z`.
        #[arg(long, value_name = "TIME", conflicts_with = "hours")]
        until: Option<Timestamp>,
        /// After how many hours the pause ends by itself; without this and --until somebody has to resume the account.
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=8_784))]
        hours: Option<u16>,
    },
    /// Let Landfall look after an account again.
    Resume { account_id: AccountId },
    /// Take over an account of the organization that Landfall did not make.
    Enroll(Enroll),
    /// Move an account into another OU; it gets the baseline and the policies of that OU.
    Move {
        account_id: AccountId,
        /// Where to, `Applications/Production`.
        #[arg(long = "ou", value_name = "PATH")]
        organizational_unit: String,
        /// Why, for the history.
        #[arg(long)]
        reason: String,
    },
    /// Close an account, once another person approved it.
    Close {
        account_id: AccountId,
        /// Why, for the history and for whoever has to approve it.
        #[arg(long)]
        reason: String,
    },
    /// Agree to what somebody else wants done with an account: its move, its closure.
    Approve(Decide),
    /// Turn down what somebody wants done with an account.
    Reject(Decide),
    /// Take back what you wanted done with an account.
    Cancel(Decide),
}

#[derive(Debug, Args)]
struct Enroll {
    account_id: AccountId,
    /// Only say what is there, and what would happen. Changes nothing.
    #[arg(long)]
    check: bool,
    /// Who answers for the account.
    #[arg(
        long = "owner",
        value_name = "EMAIL",
        required_unless_present = "check"
    )]
    owner_email: Option<String>,
    #[arg(long, required_unless_present = "check")]
    cost_center: Option<String>,
    #[arg(long, required_unless_present = "check")]
    environment: Option<String>,
    /// Why it is enrolled.
    #[arg(long, required_unless_present = "check")]
    justification: Option<String>,
    /// Where it is to go; it stays where it is when this is left out.
    #[arg(long = "ou", value_name = "PATH")]
    organizational_unit: Option<String>,
    /// Follow it until it is governed.
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
struct Decide {
    account_id: AccountId,
    /// Why, for the history.
    #[arg(long, default_value = "")]
    reason: String,
}

#[derive(Debug, Args)]
struct List {
    /// Only accounts in this phase.
    #[arg(long)]
    phase: Option<String>,
    /// Only accounts of this OU.
    #[arg(long = "ou", value_name = "PATH")]
    organizational_unit: Option<String>,
    /// Only accounts of this owner.
    #[arg(long = "owner", value_name = "EMAIL")]
    owner_email: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
}

#[derive(Debug, Args)]
struct ShowCells {
    /// Twelve digits, or `organization` for the organization's own.
    account_id: String,
    /// Only cells of this Region.
    #[arg(long)]
    region: Option<String>,
    /// Only cells of this control.
    #[arg(long)]
    control: Option<String>,
    /// Only cells with this status.
    #[arg(long)]
    status: Option<String>,
}

#[derive(Debug, Args)]
struct Repair {
    /// Twelve digits, or `organization` for the organization's own cells.
    account_id: String,
    /// Only this control; may be given many times.
    #[arg(long = "control", value_name = "CONTROL")]
    controls: Vec<String>,
    /// Only this Region; may be given many times.
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
}

pub(super) async fn run(command: AccountCommand) -> anyhow::Result<ExitCode> {
    let client = Client::new(&command.client)?;
    match command.verb {
        Verb::List(filter) => list(&client, filter).await?,
        Verb::Show { account_id } => {
            show(
                &client,
                client.get(&path(["accounts", account_id.as_str()])).await?,
            )?;
        }
        Verb::Cells(wanted) => cells(&client, wanted).await?,
        Verb::History(wanted) => history::run(&client, wanted).await?,
        Verb::Repair(wanted) => repair(&client, wanted).await?,
        Verb::Pause {
            account_id,
            reason,
            until,
            hours,
        } => {
            let path = path(["accounts", account_id.as_str(), "pause"]);
            let after = |hours: u16| SystemClock.now() + SignedDuration::from_hours(hours.into());
            let until = until.or(hours.map(after));
            let form = json!({ "reason": reason, "until": until });
            show(&client, client.post(&path, &form).await?)?;
        }
        Verb::Resume { account_id } => {
            let path = path(["accounts", account_id.as_str(), "resume"]);
            show(&client, client.post(&path, &json!({})).await?)?;
        }
        Verb::Enroll(form) => return enroll(&client, form).await,
        Verb::Move {
            account_id,
            organizational_unit,
            reason,
        } => {
            let path = path(["accounts", account_id.as_str(), "move"]);
            let form = json!({ "organizational_unit": organizational_unit, "reason": reason });
            show(&client, client.post(&path, &form).await?)?;
        }
        Verb::Close { account_id, reason } => {
            let path = path(["accounts", account_id.as_str(), "close"]);
            let form = json!({ "reason": reason });
            show(&client, client.post(&path, &form).await?)?;
        }
        Verb::Approve(decide) => decision(&client, &decide, "approve").await?,
        Verb::Reject(decide) => decision(&client, &decide, "reject").await?,
        Verb::Cancel(decide) => decision(&client, &decide, "cancel").await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn repair(client: &Client, wanted: Repair) -> anyhow::Result<()> {
    let path = match wanted.account_id.as_str() {
        ORGANIZATION => path(["organization", "repair"]),
        account_id => path(["accounts", account_id, "repair"]),
    };
    let form = RepairForm {
        controls: wanted.controls,
        regions: wanted.regions,
    };
    let reply: RepairReply = client.post(&path, &form).await?;
    if client.json {
        out::json(&reply)?;
        return Ok(());
    }
    for line in asked(&reply) {
        out::line(line)?;
    }
    Ok(())
}

/// What a wish for repair met, and what it leaves alone.
fn asked(reply: &RepairReply) -> Vec<String> {
    let cells = |cells: u64| match cells {
        1 => "1 cell is".to_owned(),
        cells => format!("{cells} cells are"),
    };
    let looked_at = format!(
        "{} looked at now, and repaired if anything differs.",
        cells(reply.cells)
    );
    let left = format!(
        "{} left alone, since a waiver accepts what differs there (landfall waiver list).",
        cells(reply.waived)
    );
    match (reply.cells, reply.waived) {
        (_, 0) => vec![looked_at],
        (0, _) => vec![left],
        (_, _) => vec![looked_at, left],
    }
}

/// The status of `--check` is 1 when something has to be mended first.
async fn enroll(client: &Client, form: Enroll) -> anyhow::Result<ExitCode> {
    let account = form.account_id.as_str();
    if form.check {
        let parameters = query([("organizational_unit", form.organizational_unit)]);
        let path = path(["accounts", account, "enrollment"]);
        let report: EnrollmentReport = client.get(&format!("{path}{parameters}")).await?;
        if client.json {
            out::json(&report)?;
        } else {
            doctor::lines(&report.findings)?;
            let verdict = if report.can_be_enrolled {
                "It can be enrolled"
            } else {
                "Something has to be mended first"
            };
            out::line(format_args!("\n{verdict}. Nothing was changed."))?;
        }
        return Ok(if report.can_be_enrolled {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    let body = EnrollForm {
        owner_email: form.owner_email.unwrap_or_default(),
        cost_center: form.cost_center.unwrap_or_default(),
        environment: form.environment.unwrap_or_default(),
        justification: form.justification.unwrap_or_default(),
        organizational_unit: form.organizational_unit,
        tags: BTreeMap::new(),
    };
    let path = path(["accounts", account, "enroll"]);
    let request: AccountRequest = client.post(&path, &body).await?;
    requests::follow(client, request, form.wait).await
}

async fn decision(client: &Client, decide: &Decide, verb: &str) -> anyhow::Result<()> {
    let path = path(["accounts", decide.account_id.as_str(), verb]);
    let form = json!({ "reason": decide.reason });
    show(client, client.post(&path, &form).await?)?;
    Ok(())
}

async fn list(client: &Client, filter: List) -> anyhow::Result<()> {
    let parameters = query([
        ("phase", filter.phase),
        ("organizational_unit", filter.organizational_unit),
        ("owner_email", filter.owner_email),
    ]);
    let accounts = client
        .list::<Account>(&path(["accounts"]), &parameters, filter.limit)
        .await?;
    if client.json {
        out::json(&accounts)?;
    } else if accounts.is_empty() {
        out::line("There are no such accounts.")?;
    } else {
        out::table(
            ["ACCOUNT", "NAME", "OU", "OWNER", "PHASE", ""],
            accounts.into_iter().map(|account| {
                let remarks = standing::remarks(&account);
                [
                    account.account_id,
                    account.name,
                    account.organizational_unit,
                    account.owner_email,
                    account.phase.name().to_owned(),
                    remarks,
                ]
            }),
        )?;
    }
    Ok(())
}

fn show(client: &Client, state: AccountState) -> std::io::Result<()> {
    if client.json {
        return out::json(&state);
    }
    let AccountState {
        account,
        baseline,
        cells,
    } = state;
    let tags: Vec<String> = account
        .tags
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let mut fields = vec![
        ("account", account.account_id),
        ("name", account.name),
        ("phase", account.phase.name().to_owned()),
        ("unit", account.organizational_unit),
        ("owner", account.owner_email),
        ("root e-mail", account.email),
        ("environment", account.environment),
        ("cost center", account.cost_center),
        ("tags", tags.join(" ")),
        ("request", account.request_id.to_string()),
        ("cells", summary(&cells)),
    ];
    if let Some(BaselineRevision { name, revision }) = baseline {
        fields.push(("baseline", format!("{name} at {revision}")));
    }
    if account.aws_state != AwsState::Active {
        let since = account
            .aws_state_since
            .map(|at| format!(" Since {at:.0}."))
            .unwrap_or_default();
        let what = format!("{}{since}", account.aws_state.sentence());
        fields.push(("in AWS", what));
    }
    fields.extend(standing::fields(&account.standing, SystemClock.now()));
    out::fields(&fields)
}

/// How many cells there are of each status that there are any of.
fn summary(cells: &BTreeMap<String, u64>) -> String {
    let some: Vec<String> = cells
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(status, count)| format!("{count} {}", status.replace('_', " ")))
        .collect();
    if some.is_empty() {
        "none".to_owned()
    } else {
        some.join(", ")
    }
}

async fn cells(client: &Client, wanted: ShowCells) -> anyhow::Result<()> {
    let parameters = query([
        ("region", wanted.region),
        ("control", wanted.control),
        ("status", wanted.status),
    ]);
    let path = match wanted.account_id.as_str() {
        ORGANIZATION => path(["organization", "cells"]),
        account_id => path(["accounts", account_id, "cells"]),
    };
    let cells: Cells = client.get(&format!("{path}{parameters}")).await?;
    if client.json {
        out::json(&cells)?;
        return Ok(());
    }
    for line in progress::grid(&cells.items, out::width()) {
        out::line(line)?;
    }
    for cell in &cells.items {
        let wrong = match (&cell.error, &cell.waiting_for) {
            (Some(error), _) => format!("{}: {} {}", error.operation, error.message, error.advice),
            (None, Some(control)) => format!("waits for {control}"),
            (None, None) => cell.drift.join("; "),
        };
        if !wrong.is_empty() {
            out::line(format_args!(
                "{} {} {}: {wrong}",
                cell.region, cell.control, cell.status
            ))?;
        }
    }
    out::line(format_args!("\n{}", summary(&cells.counts)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_repair_leaves_alone_is_said() {
        for (cells, waived, said) in [
            (
                2,
                0,
                "2 cells are looked at now, and repaired if anything differs.",
            ),
            (
                1,
                3,
                "1 cell is looked at now, and repaired if anything differs.\n3 cells are left alone, since a waiver accepts what differs there (landfall waiver list).",
            ),
            (
                0,
                1,
                "1 cell is left alone, since a waiver accepts what differs there (landfall waiver list).",
            ),
        ] {
            assert_eq!(asked(&RepairReply { cells, waived }).join("\n"), said);
        }
    }
}
