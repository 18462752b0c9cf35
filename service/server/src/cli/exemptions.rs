//! `landfall exemption`: who may for a while do what a service control policy denies.

use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::{ArgGroup, Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use landfall_model::scp::ExemptionForm;
use serde_json::json;
use uuid::Uuid;

use super::client::{Client, path, query};
use super::out;
use super::waivers::{Decide, Reject, words};
use crate::api::exemptions::Exemption;
use crate::config::ClientSettings;
use crate::engine::clock::{Clock, SystemClock};

#[derive(Debug, Args)]
pub struct ExemptionCommand {
    #[command(flatten)]
    client: ClientSettings,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List exemptions that are proposed or in force, newest first.
    List(List),
    /// Show one exemption, what was said about it, and since when AWS obeys it.
    Show { id: Uuid },
    /// Ask that a policy spares somebody for a while. Somebody else has to approve it.
    Propose(Propose),
    /// Agree to an exemption that somebody else proposed: the policies are changed at once.
    Approve(Decide),
    /// Turn a proposed exemption down.
    Reject(Reject),
    /// Take an exemption back: the policies are changed back at once.
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
    /// Only those from this policy.
    #[arg(long)]
    policy: Option<String>,
    /// Only those that name this account.
    #[arg(long = "account", value_name = "ACCOUNT_ID")]
    account_id: Option<String>,
    /// Only those that name this OU.
    #[arg(long = "ou", value_name = "PATH")]
    organizational_unit: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
}

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("whose").required(true).args(["account_id", "organizational_unit"]),
    group = ArgGroup::new("end").required(true).args(["expires_at", "days"]),
)]
struct Propose {
    /// The policy, as its file in `scp/` is called: `deny-unused-regions`.
    policy: String,
    /// The account whose principals are to be spared.
    #[arg(long = "account", value_name = "ACCOUNT_ID")]
    account_id: Option<String>,
    /// The OU whose accounts' principals are to be spared, and those of the OUs below.
    #[arg(long = "ou", value_name = "PATH")]
    organizational_unit: Option<String>,
    /// Who: `role/NAME`, `user/NAME` or `root`, with `*` and `?`. May be given several times; everybody without it.
    #[arg(long = "principal", value_name = "PRINCIPAL")]
    principals: Vec<String>,
    /// Why they are to do what everybody else must not.
    #[arg(long)]
    reason: String,
    /// When it ends, `2027-03-31T00:00:00Z`.
    #[arg(long, value_name = "TIME")]
    expires_at: Option<Timestamp>,
    /// After how many days it ends.
    #[arg(long, value_name = "DAYS")]
    days: Option<u16>,
}

pub(super) async fn run(command: ExemptionCommand) -> anyhow::Result<ExitCode> {
    let client = Client::new(&command.client)?;
    match command.verb {
        Verb::List(filter) => list(&client, filter).await?,
        Verb::Show { id } => {
            let exemption = client
                .get(&path(["scp-exemptions", &id.to_string()]))
                .await?;
            show(&client, exemption)?;
        }
        Verb::Propose(proposal) => {
            let form = proposal.form(SystemClock.now());
            let exemption = client.post(&path(["scp-exemptions"]), &form).await?;
            show(&client, exemption)?;
        }
        Verb::Approve(Decide { id, reason }) => decide(&client, id, "approve", &reason).await?,
        Verb::Reject(Reject { id, reason }) => decide(&client, id, "reject", &reason).await?,
        Verb::Revoke(Decide { id, reason }) => decide(&client, id, "revoke", &reason).await?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Propose {
    fn form(self, now: Timestamp) -> ExemptionForm {
        let in_days = |days: u16| now + SignedDuration::from_hours(24 * i64::from(days));
        ExemptionForm {
            policy: self.policy,
            account_id: self.account_id,
            organizational_unit: self.organizational_unit,
            principals: self.principals,
            reason: self.reason,
            expires_at: self.expires_at.or(self.days.map(in_days)),
        }
    }
}

async fn decide(client: &Client, id: Uuid, verb: &str, reason: &str) -> anyhow::Result<()> {
    let path = path(["scp-exemptions", &id.to_string(), verb]);
    let exemption = client.post(&path, &json!({ "reason": reason })).await?;
    show(client, exemption)?;
    Ok(())
}

async fn list(client: &Client, filter: List) -> anyhow::Result<()> {
    let parameters = query([
        ("state", filter.state),
        ("ended", filter.ended.then(|| "true".to_owned())),
        ("policy", filter.policy),
        ("account_id", filter.account_id),
        ("organizational_unit", filter.organizational_unit),
    ]);
    let exemptions = client
        .list::<Exemption>(&path(["scp-exemptions"]), &parameters, filter.limit)
        .await?;
    if client.json {
        out::json(&exemptions)?;
    } else if exemptions.is_empty() {
        out::line("There are no such exemptions.")?;
    } else {
        out::table(
            [
                "ID",
                "STATE",
                "POLICY",
                "FOR",
                "PRINCIPALS",
                "ENDS",
                "REASON",
            ],
            exemptions.into_iter().map(|exemption| {
                [
                    exemption.id.to_string(),
                    exemption.state.name().replace('_', " "),
                    exemption.policy.clone(),
                    whose(&exemption),
                    exemption.principals.join(" "),
                    format!("{:.0}", exemption.expires_at),
                    exemption.reason,
                ]
            }),
        )?;
    }
    Ok(())
}

fn whose(exemption: &Exemption) -> String {
    let names = [&exemption.account_id, &exemption.organizational_unit];
    names.into_iter().flatten().cloned().collect()
}

fn show(client: &Client, exemption: Exemption) -> std::io::Result<()> {
    if client.json {
        return out::json(&exemption);
    }
    let whose = whose(&exemption);
    let mut fields = vec![
        ("exemption", exemption.id.to_string()),
        ("state", exemption.state.name().replace('_', " ")),
        ("policy", exemption.policy),
        ("for", whose),
        ("principals", exemption.principals.join(" ")),
        ("reason", exemption.reason),
        (
            "proposed",
            format!(
                "{:.0} by {}",
                exemption.requested_at, exemption.requested_by
            ),
        ),
    ];
    fields.extend(words([
        ("approved", exemption.approved),
        ("rejected", exemption.rejected),
        ("revoked", exemption.revoked),
    ]));
    fields.push(("ends", format!("{:.0}", exemption.expires_at)));
    for (name, at) in [
        ("in force in AWS since", exemption.effective_at),
        ("ended in AWS", exemption.ended_at),
    ] {
        fields.extend(at.map(|at| (name, format!("{at:.0}"))));
    }
    out::fields(&fields)
}
