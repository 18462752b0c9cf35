//! Every setting of the process, as flags and `LANDFALL_…` variables: here and nowhere else.
//!
//! What an account must have is never a setting (that is a baseline), and what an operator may turn is never in a
//! baseline. `docs/settings.md` is rendered from this file, and a test compares the two.

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser};
use jiff::SignedDuration;
use landfall_controls::queue::QueueAddress;
use secrecy::SecretString;
use url::Url;

use crate::cli::Command;
use crate::telemetry::LogFormat;

/// Calls to AWS at once where nobody sets another number.
pub const CALLS_IN_FLIGHT: u16 = 256;

/// Vends AWS accounts and keeps them as their baseline wants them.
#[derive(Debug, Parser)]
#[command(name = "landfall", version, about, propagate_version = true)]
pub struct Config {
    #[command(flatten)]
    pub log: LogSettings,
    #[command(subcommand)]
    pub command: Command,
}

/// What is logged, and how.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Logging")]
pub struct LogSettings {
    /// A level (error, warn, info, debug, trace) or a list of module=level.
    #[arg(
        long = "log",
        env = "LANDFALL_LOG",
        default_value = "info",
        value_name = "FILTER",
        global = true
    )]
    pub filter: String,
    /// How lines are written.
    #[arg(
        long = "log-format",
        env = "LANDFALL_LOG_FORMAT",
        value_enum,
        default_value = "text",
        value_name = "FORMAT",
        global = true
    )]
    pub format: LogFormat,
}

/// Where the rows are.
#[derive(Clone, Debug, Args)]
pub struct DatabaseSettings {
    /// `sqlite://FILE` or `postgres://…`. It may hold a password: give it as a variable rather than as a flag.
    #[arg(
        long,
        env = "LANDFALL_DATABASE_URL",
        default_value = "sqlite://landfall.db",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub database_url: SecretString,
}

/// What is wanted: files, and directories that take the place of what is in the program.
#[derive(Clone, Debug, Args)]
pub struct WantedSettings {
    /// The landing zone's TOML file; see deploy/landing-zone.toml.
    #[arg(long, env = "LANDFALL_LANDING_ZONE", value_name = "FILE")]
    pub landing_zone: PathBuf,
    /// A directory of baselines (TOML) instead of the ones in the program.
    #[arg(long, env = "LANDFALL_BASELINES", value_name = "DIRECTORY")]
    pub baselines: Option<PathBuf>,
    /// A directory of service control policies (JSON) instead of the ones in the program.
    #[arg(long, env = "LANDFALL_SCPS", value_name = "DIRECTORY")]
    pub scps: Option<PathBuf>,
}

/// What `landfall doctor` needs: what `serve` does, as far as it looks.
#[derive(Clone, Debug, Args)]
pub struct DoctorSettings {
    #[command(flatten)]
    pub database: DatabaseSettings,
    #[command(flatten)]
    pub wanted: WantedSettings,
    /// Write the findings as JSON.
    #[arg(long)]
    pub json: bool,
    /// Show only what is not fine.
    #[arg(long)]
    pub quiet: bool,
}

/// What the server needs.
#[derive(Clone, Debug, Args)]
pub struct ServeSettings {
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// The address and port to listen on. Of a name's addresses it is the first that is this machine's; the log says which.
    #[arg(
        long,
        env = "LANDFALL_LISTEN",
        default_value = "127.0.0.1:8080",
        value_parser = listen,
        value_name = "HOST:PORT"
    )]
    pub listen: String,
    #[command(flatten)]
    pub wanted: WantedSettings,
    /// How long a target rests after the server that worked on it crashed: at least one second.
    #[arg(long, env = "LANDFALL_LEASE", default_value = "30s", value_parser = lease, value_name = "DURATION")]
    pub lease: SignedDuration,
    /// How many accounts are worked on at once. Each takes up to a MiB while everything is looked at; with half as many a look at
    /// everything takes little longer.
    #[arg(
        long,
        env = "LANDFALL_TARGETS_AT_ONCE",
        default_value_t = 24,
        value_parser = clap::value_parser!(u16).range(1..=1_000),
        value_name = "N"
    )]
    pub targets_at_once: u16,
    /// How many calls to AWS are under way at once, of all accounts together. More of them look at everything sooner, and take
    /// a tenth of a MiB each.
    #[arg(
        long,
        env = "LANDFALL_CALLS_IN_FLIGHT",
        default_value_t = CALLS_IN_FLIGHT,
        value_parser = clap::value_parser!(u16).range(1..=4_000),
        value_name = "N"
    )]
    pub calls_in_flight: u16,
    /// The SQS queue that AWS's events come through: its URL, or the name of a queue in the security account's home Region;
    /// see deploy/events. Without it drift is found by looking alone.
    #[arg(long, env = "LANDFALL_EVENTS_QUEUE", value_name = "QUEUE")]
    pub events_queue: Option<QueueAddress>,
    /// How many times as fast as AWS the simulated AWS behind AWS_ENDPOINT_URL is: awsim's --time-scale. Never for AWS
    /// itself.
    #[arg(
        long,
        env = "LANDFALL_AWS_TIME_SCALE",
        default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..),
        value_name = "N"
    )]
    pub aws_time_scale: u32,
    /// An administrator's token to begin with, as a variable only: flags are seen by every user of the machine.
    #[arg(skip = bootstrap_token())]
    pub bootstrap_token: Option<SecretString>,
}

/// What the client commands need.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server")]
pub struct ClientSettings {
    /// Where the server is.
    #[arg(
        long,
        env = "LANDFALL_URL",
        default_value = "http://127.0.0.1:8080",
        value_name = "URL",
        global = true
    )]
    pub url: Url,
    /// Write what the server answers, as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// The bearer token, as a variable only.
    #[arg(skip = client_token())]
    pub token: Option<SecretString>,
}

/// Whether the host is there shows when it is listened on.
fn listen(text: &str) -> Result<String, String> {
    let is_whole = text.rsplit_once(':').is_some_and(|(host, port)| {
        let is_bare_v6 = host.contains(':') && !host.starts_with('[');
        !host.is_empty() && !is_bare_v6 && port.parse::<u16>().is_ok()
    });
    if is_whole {
        Ok(text.to_owned())
    } else {
        Err("it is to be HOST:PORT: 127.0.0.1:8080, localhost:8080, or 0.0.0.0:8080 for every address".to_owned())
    }
}

/// Shorter leases would run out while the database is merely slow, and two servers would work on one target.
fn lease(text: &str) -> Result<SignedDuration, String> {
    let lease: SignedDuration = text
        .parse()
        .map_err(|error: jiff::Error| error.to_string())?;
    if lease < SignedDuration::from_secs(1) {
        return Err("at least one second".to_owned());
    }
    Ok(lease)
}

/// Secrets are variables and never flags: a flag can be read by every user of the machine.
const BOOTSTRAP_TOKEN: &str = "LANDFALL_BOOTSTRAP_TOKEN";
const TOKEN: &str = "LANDFALL_TOKEN";

fn bootstrap_token() -> Option<SecretString> {
    secret(BOOTSTRAP_TOKEN)
}

fn client_token() -> Option<SecretString> {
    secret(TOKEN)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads secrets: clap would offer them as flags"
)]
fn secret(variable: &str) -> Option<SecretString> {
    std::env::var(variable)
        .ok()
        .filter(|value| !value.is_empty())
        .map(SecretString::from)
}

/// `docs/settings.md`, as the settings are now.
pub fn reference() -> String {
    let mut lines = vec![
        "# Settings".to_owned(),
        String::new(),
        "Each is a flag or an environment variable; the flag wins. Secrets are variables only."
            .to_owned(),
        String::new(),
        "| variable | flag | default | meaning |".to_owned(),
        "| --- | --- | --- | --- |".to_owned(),
    ];
    let command = Config::command();
    let mut rows = std::collections::BTreeMap::new();
    let mut commands = vec![&command];
    while let Some(command) = commands.pop() {
        commands.extend(command.get_subcommands());
        for argument in command.get_arguments() {
            let (Some(variable), Some(flag)) = (argument.get_env(), argument.get_long()) else {
                continue;
            };
            let default = argument
                .get_default_values()
                .first()
                .map_or("—".to_owned(), |value| {
                    format!("`{}`", value.to_string_lossy())
                });
            let meaning = argument
                .get_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            rows.insert(
                variable.to_string_lossy().into_owned(),
                (format!("`--{flag}`"), default, meaning),
            );
        }
    }
    for (variable, meaning) in [
        (
            BOOTSTRAP_TOKEN,
            "Of the server: an administrator's bearer token to begin with, at least 32 characters",
        ),
        (TOKEN, "Of the client commands: the bearer token"),
    ] {
        rows.insert(
            variable.to_owned(),
            ("—".to_owned(), "—".to_owned(), meaning.to_owned()),
        );
    }
    for (variable, (flag, default, meaning)) in rows {
        lines.push(format!("| `{variable}` | {flag} | {default} | {meaning} |"));
    }
    lines.push(String::new());
    lines.push(
        "AWS is reached as every program of AWS's SDKs does: the default credential chain, `AWS_REGION`, `AWS_ENDPOINT_URL`."
            .to_owned(),
    );
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Config::command().debug_assert();
    }

    #[test]
    fn the_documented_settings_are_the_settings() {
        let path = "../../docs/settings.md";
        if std::env::var_os("LANDFALL_WRITE_DOCS").is_some() {
            std::fs::write(path, reference()).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            reference(),
            "docs/settings.md is behind: run this test with LANDFALL_WRITE_DOCS=1"
        );
    }

    #[test]
    fn where_to_listen_may_be_a_name() {
        for (text, fits) in [
            ("127.0.0.1:8080", true),
            ("[::1]:0", true),
            ("localhost:8080", true),
            ("8080", false),
            (":8080", false),
            ("localhost", false),
            ("localhost:http", false),
            ("localhost:80800", false),
            ("::1:8080", false),
        ] {
            assert_eq!(listen(text).is_ok(), fits, "{text}");
        }
    }

    #[test]
    fn a_database_password_does_not_show() {
        let settings = Config::try_parse_from([
            "landfall",
            "migrate",
            "--database-url",
            "postgres://u:hunter2@db/x",
        ])
        .unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
