//! `landfall drift`: what differs from its baseline now.

use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::Args;

use super::client::{Client, path, query};
use super::out;
use crate::api::drift::{Drift, DriftPage, ORGANIZATION, UnseenCells};
use crate::config::ClientSettings;
use crate::store::OVERDUE;

/// The exit status when something differs.
const FOUND: u8 = 2;

#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 when nothing differs, 2 when something does, 1 when it could not be told, also because \
                  cells could not be looked at, or were not when it was time. What a waiver accepts does not count."
)]
pub struct DriftCommand {
    #[command(flatten)]
    client: ClientSettings,
    /// Only this account; `organization` for what is the organization's own.
    #[arg(long = "account", value_name = "ACCOUNT_ID")]
    account_id: Option<String>,
    /// Only accounts of this OU and of those below it.
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
    limit: Option<NonZeroUsize>,
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
    let drift = path(["drift"]);
    let first: DriftPage = client.get(&format!("{drift}{parameters}")).await?;
    let items = match first.next_cursor {
        None => first.items,
        Some(_) => {
            client
                .list::<Drift>(&drift, &parameters, command.limit)
                .await?
        }
    };
    let unseen = first.unseen.unwrap_or_default();
    let status = match items.iter().any(|drift| drift.waiver_id.is_none()) {
        true => ExitCode::from(FOUND),
        false if unseen.cells > 0 => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    };
    let most = command.limit.map_or(usize::MAX, NonZeroUsize::get);
    let items: Vec<Drift> = items.into_iter().take(most).collect();
    if client.json {
        out::json(&items)?;
        if let Some(text) = untold(&unseen) {
            anstream::eprintln!("landfall: {text}");
        }
        return Ok(status);
    }
    match (items.is_empty(), unseen.cells) {
        (true, 0) => out::line("Nothing differs.")?,
        (true, _) => out::line("Nothing differs of what could be looked at.")?,
        (false, _) => show(items)?,
    }
    if let Some(text) = untold(&unseen) {
        out::line(text)?;
    }
    Ok(status)
}

/// What the list cannot tell of, and where to read why; `None` when it tells of all.
fn untold(unseen: &UnseenCells) -> Option<String> {
    let cells = match unseen.cells {
        0 => return None,
        1 => "1 cell".to_owned(),
        cells => format!("{cells} cells"),
    };
    let counts: Vec<String> = unseen
        .counts
        .iter()
        .map(|(status, cells)| format!("{cells} {status}"))
        .collect();
    let whose = match unseen.accounts.len() {
        0 | 1 => String::new(),
        accounts => format!(" of {accounts} accounts"),
    };
    let account = unseen.accounts.first().map_or(ORGANIZATION, String::as_str);
    let (were, look) = match unseen.counts.get(OVERDUE) {
        // Why says the account: its cells are as they were.
        Some(overdue) if *overdue == unseen.cells && account != ORGANIZATION => {
            ("were not looked at when it was time", "show")
        }
        _ => ("could not be looked at", "cells"),
    };
    Some(format!(
        "{cells}{whose} {were} ({}): landfall account {look} {account}",
        counts.join(", ")
    ))
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
                drift.account_id.unwrap_or_else(|| ORGANIZATION.to_owned()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_looked_at_is_told() {
        let unseen = |accounts: &[&str]| UnseenCells {
            cells: 177,
            counts: [("blocked".to_owned(), 176), ("unknown".to_owned(), 1)].into(),
            accounts: accounts.iter().map(ToString::to_string).collect(),
        };
        for (unseen, text) in [
            (UnseenCells::default(), None),
            (
                unseen(&["222222222222"]),
                Some(
                    "177 cells could not be looked at (176 blocked, 1 unknown): landfall account cells 222222222222",
                ),
            ),
            (
                UnseenCells {
                    cells: 2,
                    counts: [(OVERDUE.to_owned(), 2)].into(),
                    accounts: ["222222222222".to_owned()].into(),
                },
                Some(
                    "2 cells were not looked at when it was time (2 overdue): landfall account show 222222222222",
                ),
            ),
            (
                unseen(&["222222222222", ORGANIZATION]),
                Some(
                    "177 cells of 2 accounts could not be looked at (176 blocked, 1 unknown): landfall account cells 222222222222",
                ),
            ),
        ] {
            assert_eq!(untold(&unseen).as_deref(), text);
        }
    }
}
