//! `landfall request`: ask for accounts, follow and decide on requests.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use landfall_model::request::RequestForm;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::{Client, path, query};
use super::{out, standing, watch};
use crate::api::requests::AccountRequest;
use crate::config::ClientSettings;
use crate::engine::clock::{Clock, SystemClock};

#[derive(Debug, Args)]
pub struct RequestCommand {
    #[command(flatten)]
    client: ClientSettings,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Ask for an account.
    Create(Create),
    /// List requests, newest first.
    List(List),
    /// Show one request.
    Show { id: Uuid },
    /// Let a request go ahead.
    Approve(Decide),
    /// Turn a request down.
    Reject(Decide),
    /// Take a request back before its account is made.
    Cancel(Decide),
    /// Try a failed request again, with corrections if need be.
    Retry(Retry),
    /// Follow a request until its account is governed.
    Watch { id: Uuid },
}

#[derive(Debug, Args)]
struct Create {
    /// The account's name.
    #[arg(long)]
    name: String,
    /// Who answers for the account.
    #[arg(long = "owner", value_name = "EMAIL")]
    owner_email: String,
    /// Where it goes, `Applications/Production`.
    #[arg(long = "ou", value_name = "PATH")]
    organizational_unit: String,
    #[arg(long)]
    cost_center: String,
    #[arg(long)]
    environment: String,
    /// Why it is needed.
    #[arg(long)]
    justification: String,
    /// The account's root e-mail; made up when it is left out.
    #[arg(long)]
    email: Option<String>,
    /// A tag of the account; may be given many times.
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    tags: Vec<(String, String)>,
    /// Follow the request until its account is governed.
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
struct List {
    /// Only requests in this phase, `awaiting_approval`.
    #[arg(long)]
    phase: Option<String>,
    /// Only requests for this OU.
    #[arg(long = "ou", value_name = "PATH")]
    organizational_unit: Option<String>,
    /// Only requests of this owner.
    #[arg(long = "owner", value_name = "EMAIL")]
    owner_email: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
}

#[derive(Debug, Args)]
struct Decide {
    id: Uuid,
    /// Why, for the history.
    #[arg(long, default_value = "")]
    reason: String,
}

#[derive(Debug, Args)]
struct Retry {
    id: Uuid,
    #[arg(long)]
    name: Option<String>,
    #[arg(long = "owner", value_name = "EMAIL")]
    owner_email: Option<String>,
    #[arg(long = "ou", value_name = "PATH")]
    organizational_unit: Option<String>,
    #[arg(long)]
    cost_center: Option<String>,
    #[arg(long)]
    environment: Option<String>,
    #[arg(long)]
    justification: Option<String>,
    /// Another root e-mail.
    #[arg(long)]
    email: Option<String>,
    /// Follow the request until its account is governed.
    #[arg(long)]
    wait: bool,
}

fn tag(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| format!("`{text}` is not of the form KEY=VALUE"))
}

pub(super) async fn run(command: RequestCommand) -> anyhow::Result<ExitCode> {
    let client = Client::new(&command.client)?;
    match command.verb {
        Verb::Create(create) => {
            let wait = create.wait;
            let form = RequestForm {
                name: create.name,
                owner_email: create.owner_email,
                organizational_unit: create.organizational_unit,
                cost_center: create.cost_center,
                environment: create.environment,
                justification: create.justification,
                email: create.email,
                tags: create.tags.into_iter().collect::<BTreeMap<_, _>>(),
            };
            let request: AccountRequest = client.post(&path(["account-requests"]), &form).await?;
            follow(&client, request, wait).await
        }
        Verb::List(filter) => {
            let parameters = [
                ("phase", filter.phase),
                ("organizational_unit", filter.organizational_unit),
                ("owner_email", filter.owner_email),
            ];
            let requests = client
                .list::<AccountRequest>(
                    &path(["account-requests"]),
                    &query(parameters),
                    filter.limit,
                )
                .await?;
            if client.json {
                out::json(&requests)?;
            } else {
                show_list(&requests)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Verb::Show { id } => {
            let request = client
                .get(&path(["account-requests", &id.to_string()]))
                .await?;
            show(&client, &request)
        }
        Verb::Approve(decide) => decision(&client, &decide, "approve").await,
        Verb::Reject(decide) => decision(&client, &decide, "reject").await,
        Verb::Cancel(decide) => decision(&client, &decide, "cancel").await,
        Verb::Retry(retry) => {
            let wait = retry.wait;
            let request = client
                .post(
                    &path(["account-requests", &retry.id.to_string(), "retry"]),
                    &corrections(retry),
                )
                .await?;
            follow(&client, request, wait).await
        }
        Verb::Watch { id } => {
            let request = client
                .get(&path(["account-requests", &id.to_string()]))
                .await?;
            to_its_end(&client, request).await
        }
    }
}

/// Only what was given: what is left out stays as it is.
fn corrections(retry: Retry) -> Value {
    let given = [
        ("name", retry.name),
        ("owner_email", retry.owner_email),
        ("organizational_unit", retry.organizational_unit),
        ("cost_center", retry.cost_center),
        ("environment", retry.environment),
        ("justification", retry.justification),
        ("email", retry.email),
    ];
    given
        .into_iter()
        .filter_map(|(field, value)| Some((field.to_owned(), Value::String(value?))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

async fn decision(client: &Client, decide: &Decide, verb: &str) -> anyhow::Result<ExitCode> {
    let path = path(["account-requests", &decide.id.to_string(), verb]);
    let request = client
        .post(&path, &json!({ "reason": decide.reason }))
        .await?;
    show(client, &request)
}

/// Shows a request, or follows it to its end. Whoever breaks that off can find it again: the request goes on.
pub(super) async fn follow(
    client: &Client,
    request: AccountRequest,
    wait: bool,
) -> anyhow::Result<ExitCode> {
    if !wait {
        return show(client, &request);
    }
    let id = request.id;
    anstream::eprintln!("landfall: request {id} (to follow it again: landfall request watch {id})");
    to_its_end(client, request).await
}

async fn to_its_end(client: &Client, request: AccountRequest) -> anyhow::Result<ExitCode> {
    let request = watch::watch(client, request).await?;
    if client.json {
        out::json(&request)?;
    }
    watch::verdict(&request)
}

fn show_list(requests: &[AccountRequest]) -> std::io::Result<()> {
    if requests.is_empty() {
        return out::line("There are no such requests.");
    }
    out::table(
        ["ID", "NAME", "OU", "OWNER", "PHASE", "ACCOUNT"],
        requests.iter().map(|request| {
            [
                request.id.to_string(),
                request.name.clone(),
                request.organizational_unit.clone(),
                request.owner_email.clone(),
                request.phase.name().to_owned(),
                request.account_id.clone().unwrap_or_default(),
            ]
        }),
    )
}

fn show(client: &Client, request: &AccountRequest) -> anyhow::Result<ExitCode> {
    if client.json {
        out::json(request)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut fields = vec![
        ("request", request.id.to_string()),
        ("name", request.name.clone()),
        ("phase", request.phase.name().to_owned()),
        ("unit", request.organizational_unit.clone()),
        ("owner", request.owner_email.clone()),
        ("root e-mail", request.email.clone()),
        ("environment", request.environment.clone()),
        ("cost center", request.cost_center.clone()),
        (
            "requested",
            format!("{:.0} by {}", request.requested_at, request.requested_by),
        ),
        ("why", request.justification.clone()),
    ];
    if let Some(account) = &request.account_id {
        fields.insert(3, ("account", account.clone()));
    }
    if let Some(failure) = &request.failure {
        fields.push((
            "failed",
            format!("{} ({})", failure.message, failure.reason),
        ));
    }
    fields.extend(standing::fields(&request.standing, SystemClock.now()));
    out::fields(&fields)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::Config;

    #[test]
    fn a_mistyped_command_is_answered_with_the_right_one() {
        let error = Config::try_parse_from(["landfall", "request", "aprove"]).unwrap_err();
        assert!(error.to_string().contains("approve"), "{error}");
        let error =
            Config::try_parse_from(["landfall", "request", "create", "--ownr", "x"]).unwrap_err();
        assert!(error.to_string().contains("--owner"), "{error}");
    }

    #[test]
    fn tags_are_key_and_value() {
        assert_eq!(
            tag("team=payments=x").unwrap(),
            ("team".to_owned(), "payments=x".to_owned())
        );
        assert!(tag("team").is_err());
    }
}
