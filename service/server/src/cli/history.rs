//! `landfall account history`: what happened to an account, newest first.

use std::num::NonZeroUsize;

use clap::Args;

use super::client::{Client, path, query};
use super::out;
use crate::api::events::Event;

/// So many lines are shown unless told otherwise.
const LINES: u32 = 50;
/// The most that the server puts on a page.
const PAGE: u32 = 500;

#[derive(Debug, Args)]
pub(super) struct History {
    /// Twelve digits, or `organization` for the organization itself.
    account_id: String,
    /// Only what concerns this Region.
    #[arg(long)]
    region: Option<String>,
    /// Only what concerns this control.
    #[arg(long)]
    control: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = LINES, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

pub(super) async fn run(client: &Client, wanted: History) -> anyhow::Result<()> {
    let path = match wanted.account_id.as_str() {
        "organization" => path(["organization", "events"]),
        account_id => path(["accounts", account_id, "events"]),
    };
    let parameters = query([
        ("region", wanted.region),
        ("control", wanted.control),
        ("limit", Some(wanted.limit.min(PAGE).to_string())),
    ]);
    let events = client
        .list::<Event>(&path, &parameters, NonZeroUsize::new(wanted.limit as usize))
        .await?;
    if client.json {
        out::json(&events)?;
    } else if events.is_empty() {
        out::line("Nothing of that kind has happened.")?;
    } else {
        let rows = events
            .into_iter()
            .map(|event| [format!("{:.0}", event.at), event.actor, event.sentence]);
        out::table(["AT", "BY", "WHAT"], rows)?;
    }
    Ok(())
}
