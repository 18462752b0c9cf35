//! `landfall drift`: what differs from its baseline now.

use std::process::ExitCode;

use clap::Args;

use super::client::{Client, path, query};
use super::out;
use crate::api::drift::Drift;
use crate::config::ClientSettings;

/// The exit status when something differs.
const FOUND: u8 = 2;

#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 when nothing differs, 2 when something does, 1 when it could not be told. \
                  What a waiver accepts does not count."
)]
pub struct DriftCommand {
    #[command(flatten)]
    client: ClientSettings,
    /// Only this account; `organization` for what is the organization's own.
    #[arg(long = "account", value_name = "ACCOUNT_ID")]
    account_id: Option<String>,
    /// Only accounts of this OU.
    #[arg(long = "ou", value_name = "PATH")]
    organizational_unit: Option<String>,
    /// Only this Region.
    #[arg(long)]
    region: Option<String>,
    /// Only this control.
    #[arg(long)]
    control: Option<String>,
    /// Only this status: `drifted`, `contested`, `blocked`, `stuck`, …
    #[arg(long)]
    status: Option<String>,
    /// Also what waivers accept.
    #[arg(long)]
    all: bool,
    /// At most so many.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

pub(super) async fn run(command: DriftCommand) -> anyhow::Result<ExitCode> {
    let client = Client::new(&command.client)?;
    let parameters = query([
        ("account_id", command.account_id),
        ("organizational_unit", command.organizational_unit),
        ("region", command.region),
        ("control", command.control),
        ("status", command.status),
        ("waived", command.all.then(|| "true".to_owned())),
    ]);
    let drift = client
        .list::<Drift>(&path(["drift"]), &parameters, command.limit)
        .await?;
    let found = drift.iter().any(|drift| drift.waiver_id.is_none());
    if client.json {
        out::json(&drift)?;
    } else if drift.is_empty() {
        out::line("Nothing differs.")?;
    } else {
        show(drift)?;
    }
    Ok(if found {
        ExitCode::from(FOUND)
    } else {
        ExitCode::SUCCESS
    })
}

fn show(drift: Vec<Drift>) -> std::io::Result<()> {
    out::table(
        [
            "SINCE", "ACCOUNT", "NAME", "REGION", "CONTROL", "STATUS", "EXPECTED", "BY",
        ],
        drift.into_iter().map(|drift| {
            let since = drift.drifted_since.map(|at| format!("{at:.0}"));
            let status = match drift.waived_until {
                Some(until) => format!("{} until {until:.0}", drift.status),
                None => drift.status.replace('_', " "),
            };
            [
                since.unwrap_or_default(),
                drift
                    .account_id
                    .unwrap_or_else(|| "organization".to_owned()),
                drift.account_name.unwrap_or_default(),
                drift.region,
                drift.control,
                status,
                drift.expected.join("; "),
                drift.changed_by.map(|by| by.actor).unwrap_or_default(),
            ]
        }),
    )
}
