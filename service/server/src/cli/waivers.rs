//! `landfall waiver`: accepted deviations.

use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::{ArgGroup, Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use landfall_model::waiver_form::WaiverForm;
use serde_json::json;
use uuid::Uuid;

use super::client::{Client, path, query};
use super::out;
use crate::api::consent::Word;
use crate::api::waivers::Waiver;
use crate::config::ClientSettings;
use crate::engine::clock::{Clock, SystemClock};

#[derive(Debug, Args)]
pub struct WaiverCommand {
    #[command(flatten)]
    client: ClientSettings,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List waivers that are proposed or in force, newest first.
    List(List),
    /// Show one waiver and what was said about it.
    Show { id: Uuid },
    /// Ask for a deviation to be accepted. Somebody else has to approve it.
    Propose(Propose),
    /// Accept a deviation that somebody else proposed.
    Approve(Decide),
    /// Turn a proposed waiver down.
    Reject(Reject),
    /// Take a waiver back: what it covered is drift again at once.
    Revoke(Decide),
}

#[derive(Debug, Args)]
struct List {
    /// Only in this state: `proposed`, `in_force`, `rejected`, `revoked`, `expired`.
    #[arg(long)]
    state: Option<String>,
    /// Also those that came to an end.
    #[arg(long)]
    ended: bool,
    /// Only those that name this account.
    #[arg(long = "account", value_name = "ACCOUNT_ID")]
    account_id: Option<String>,
    /// Only those that name this OU.
    #[arg(long = "ou", value_name = "PATH")]
    organizational_unit: Option<String>,
    /// Only those that name this Region.
    #[arg(long)]
    region: Option<String>,
    /// Only those of this control.
    #[arg(long)]
    control: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
}

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("whose").required(true).args(["account_id", "organizational_unit", "organization"]),
    group = ArgGroup::new("end").required(true).args(["expires_at", "days"]),
)]
struct Propose {
    /// The account whose deviation it is.
    #[arg(long = "account", value_name = "ACCOUNT_ID")]
    account_id: Option<String>,
    /// The OU whose accounts' deviation it is.
    #[arg(long = "ou", value_name = "PATH")]
    organizational_unit: Option<String>,
    /// Also of the accounts of the OUs below.
    #[arg(long, requires = "organizational_unit")]
    and_below: bool,
    /// It is the organization's own.
    #[arg(long)]
    organization: bool,
    /// Only in this Region; in all without it.
    #[arg(long)]
    region: Option<String>,
    #[arg(long)]
    control: String,
    /// Why the deviation is acceptable.
    #[arg(long)]
    reason: String,
    /// Who answers for it.
    #[arg(long = "owner", value_name = "EMAIL")]
    owner_email: String,
    /// When it ends, `2027-03-31T00:00:00Z`.
    #[arg(long, value_name = "TIME")]
    expires_at: Option<Timestamp>,
    /// After how many days it ends.
    #[arg(long, value_name = "DAYS")]
    days: Option<u16>,
}

#[derive(Debug, Args)]
pub(super) struct Decide {
    pub(super) id: Uuid,
    /// Why, for the history.
    #[arg(long, default_value = "")]
    pub(super) reason: String,
}

#[derive(Debug, Args)]
pub(super) struct Reject {
    pub(super) id: Uuid,
    /// Why: who proposed it reads it.
    #[arg(long)]
    pub(super) reason: String,
}

pub(super) async fn run(command: WaiverCommand) -> anyhow::Result<ExitCode> {
    let client = Client::new(&command.client)?;
    match command.verb {
        Verb::List(filter) => list(&client, filter).await?,
        Verb::Show { id } => {
            let waiver = client.get(&path(["waivers", &id.to_string()])).await?;
            show(&client, waiver)?;
        }
        Verb::Propose(proposal) => {
            let form = proposal.form(SystemClock.now());
            let waiver = client.post(&path(["waivers"]), &form).await?;
            show(&client, waiver)?;
        }
        Verb::Approve(Decide { id, reason }) => decide(&client, id, "approve", &reason).await?,
        Verb::Reject(Reject { id, reason }) => decide(&client, id, "reject", &reason).await?,
        Verb::Revoke(Decide { id, reason }) => decide(&client, id, "revoke", &reason).await?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Propose {
    fn form(self, now: Timestamp) -> WaiverForm {
        let in_days = |days: u16| now + SignedDuration::from_hours(24 * i64::from(days));
        WaiverForm {
            account_id: self.account_id,
            organizational_unit: self.organizational_unit,
            and_below: self.and_below,
            organization: self.organization,
            region: self.region,
            control: self.control,
            reason: self.reason,
            owner_email: self.owner_email,
            expires_at: self.expires_at.or(self.days.map(in_days)),
        }
    }
}

async fn decide(client: &Client, id: Uuid, verb: &str, reason: &str) -> anyhow::Result<()> {
    let path = path(["waivers", &id.to_string(), verb]);
    let waiver = client.post(&path, &json!({ "reason": reason })).await?;
    show(client, waiver)?;
    Ok(())
}

async fn list(client: &Client, filter: List) -> anyhow::Result<()> {
    let parameters = query([
        ("state", filter.state),
        ("ended", filter.ended.then(|| "true".to_owned())),
        ("account_id", filter.account_id),
        ("organizational_unit", filter.organizational_unit),
        ("region", filter.region),
        ("control", filter.control),
    ]);
    let waivers = client
        .list::<Waiver>(&path(["waivers"]), &parameters, filter.limit)
        .await?;
    if client.json {
        out::json(&waivers)?;
    } else if waivers.is_empty() {
        out::line("There are no such waivers.")?;
    } else {
        out::table(
            [
                "ID", "STATE", "FOR", "REGION", "CONTROL", "OWNER", "ENDS", "REASON",
            ],
            waivers.into_iter().map(|waiver| {
                [
                    waiver.id.to_string(),
                    waiver.state.name().replace('_', " "),
                    whose(&waiver),
                    waiver.region.unwrap_or_else(|| "all".to_owned()),
                    waiver.control,
                    waiver.owner_email,
                    format!("{:.0}", waiver.expires_at),
                    waiver.reason,
                ]
            }),
        )?;
    }
    Ok(())
}

fn whose(waiver: &Waiver) -> String {
    match (&waiver.account_id, &waiver.organizational_unit) {
        (Some(account), _) => account.clone(),
        (None, Some(unit)) if waiver.and_below => format!("{unit} and below"),
        (None, Some(unit)) => unit.clone(),
        (None, None) => "organization".to_owned(),
    }
}

fn show(client: &Client, waiver: Waiver) -> std::io::Result<()> {
    if client.json {
        return out::json(&waiver);
    }
    let whose = whose(&waiver);
    let mut fields = vec![
        ("waiver", waiver.id.to_string()),
        ("state", waiver.state.name().replace('_', " ")),
        ("for", whose),
        ("Region", waiver.region.unwrap_or_else(|| "all".to_owned())),
        ("control", waiver.control),
        ("reason", waiver.reason),
        ("owner", waiver.owner_email),
        (
            "proposed",
            format!("{:.0} by {}", waiver.requested_at, waiver.requested_by),
        ),
    ];
    fields.extend(words([
        ("approved", waiver.approved),
        ("rejected", waiver.rejected),
        ("revoked", waiver.revoked),
    ]));
    fields.push(("ends", format!("{:.0}", waiver.expires_at)));
    out::fields(&fields)
}

/// What was decided, as fields.
pub(super) fn words(
    words: [(&'static str, Option<Word>); 3],
) -> impl Iterator<Item = (&'static str, String)> {
    words.into_iter().filter_map(|(name, word)| {
        let word = word?;
        let said = format!("{:.0} by {} {}", word.at, word.by, word.reason);
        Some((name, said.trim_end().to_owned()))
    })
}
