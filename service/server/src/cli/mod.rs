//! The commands. `serve`, `migrate` and `doctor` are the server's; all others speak HTTP to one.

use std::process::ExitCode;

use clap::Subcommand;

use crate::config::{DatabaseSettings, DoctorSettings, ServeSettings};

mod accounts;
mod assets;
mod baselines;
mod client;
mod doctor;
mod drift;
mod exemptions;
mod history;
mod out;
mod plan_text;
mod plans;
mod progress;
mod requests;
mod rollouts;
mod scp;
mod scp_events;
mod scp_text;
mod serve;
mod sse;
mod standing;
mod tokens;
mod waivers;
mod watch;

/// What `landfall` is to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server: the engine, the HTTP API.
    Serve(ServeSettings),
    /// Bring the database's schema up to date, and end.
    Migrate(DatabaseSettings),
    /// Say what the organization lacks before anything is changed, and what mends it.
    Doctor(DoctorSettings),
    /// Ask for accounts, follow and decide on requests.
    Request(requests::RequestCommand),
    /// Look at accounts and their cells; repair, pause, move and close them.
    Account(accounts::AccountCommand),
    /// What differs from its baseline now.
    Drift(drift::DriftCommand),
    /// Accepted deviations: propose, approve, revoke them.
    Waiver(waivers::WaiverCommand),
    /// Check service control policies before anybody attaches them.
    Scp(scp::ScpCommand),
    /// Exemptions from service control policies: propose, approve, revoke them.
    Exemption(exemptions::ExemptionCommand),
    /// Look at baselines: what accounts must have, and where each value comes from.
    Baseline(baselines::BaselineCommand),
    /// Follow how a new baseline reaches accounts; pause, resume and roll it back.
    Rollout(rollouts::RolloutCommand),
    /// See what would have to change, before it is changed.
    Plan(plans::PlanCommand),
    /// Apply a plan.
    Apply(plans::ApplyCommand),
    /// Search the CMDB.
    Asset(assets::AssetCommand),
    /// Make, list and revoke bearer tokens.
    Token(tokens::TokenCommand),
}

/// Runs a command to its end. The status is 0 when what was wanted is so, and 1 when it is not or could not be told, a wrong
/// argument among it; 2 says that something was found that the command looks for.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(settings) => serve::serve(settings).await,
        Command::Migrate(settings) => serve::migrate(&settings).await,
        Command::Doctor(settings) => doctor::run(settings).await,
        Command::Request(command) => requests::run(command).await,
        Command::Account(command) => accounts::run(command).await,
        Command::Drift(command) => drift::run(command).await,
        Command::Waiver(command) => waivers::run(command).await,
        Command::Scp(command) => scp::run(command).await,
        Command::Exemption(command) => exemptions::run(command).await,
        Command::Baseline(command) => baselines::run(command).await,
        Command::Rollout(command) => rollouts::run(command).await,
        Command::Plan(command) => plans::plan(command).await,
        Command::Apply(command) => plans::apply(command).await,
        Command::Asset(command) => assets::run(command).await,
        Command::Token(command) => tokens::run(command).await,
    }
}
