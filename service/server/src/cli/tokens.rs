//! `landfall token`: make, list and revoke bearer tokens.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::client::{Client, path};
use super::out;
use crate::api::auth::Role;
use crate::api::tokens::{NewTokenReply, Token, TokenForm};
use crate::config::ClientSettings;

#[derive(Debug, Args)]
pub struct TokenCommand {
    #[command(flatten)]
    client: ClientSettings,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a token. It is shown once.
    Create {
        /// Whose it will be; the history names it.
        #[arg(long)]
        name: String,
        #[arg(long, value_enum)]
        role: Role,
        /// After how many days it lets nobody in any more.
        #[arg(long, value_name = "DAYS")]
        expires_in_days: Option<u16>,
    },
    /// List tokens, oldest first.
    List,
    /// Revoke a token: it lets nobody in any more.
    Revoke { id: Uuid },
}

pub(super) async fn run(command: TokenCommand) -> anyhow::Result<ExitCode> {
    let client = Client::new(&command.client)?;
    match command.verb {
        Verb::Create {
            name,
            role,
            expires_in_days,
        } => {
            let form = TokenForm {
                name,
                role,
                expires_in_days,
            };
            let made: NewTokenReply = client.post(&path(["tokens"]), &form).await?;
            if client.json {
                out::json(&made)?;
            } else {
                // Alone on standard output, so that a script can take it.
                out::line(made.secret.unwrap_or_default())?;
                anstream::eprintln!(
                    "This token of {} is shown once. Its id is {}.",
                    made.token.name,
                    made.token.id
                );
            }
        }
        Verb::List => {
            let tokens = client.list::<Token>(&path(["tokens"]), "", None).await?;
            if client.json {
                out::json(&tokens)?;
            } else {
                show(tokens)?;
            }
        }
        Verb::Revoke { id } => client.delete(&path(["tokens", &id.to_string()])).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(tokens: Vec<Token>) -> std::io::Result<()> {
    out::table(
        ["ID", "NAME", "ROLE", "BEGINS", "CREATED", "ENDS"],
        tokens.into_iter().map(|token| {
            let end = match (token.revoked_at, token.expires_at) {
                (Some(at), _) => format!("revoked {at:.0}"),
                (None, Some(at)) => format!("{at:.0}"),
                (None, None) => "never".to_owned(),
            };
            [
                token.id.to_string(),
                token.name,
                token.role.name().to_owned(),
                token.prefix,
                format!("{:.0}", token.created_at),
                end,
            ]
        }),
    )
}
