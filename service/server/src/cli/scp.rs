//! `landfall scp`: what service control policies would do, before anybody attaches them. It needs no server and no credentials,
//! unless a server is asked to read the log bucket.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use landfall_controls::cloud::{Access, Cloud};
use landfall_controls::policy_validation;
use landfall_model::ids::{AccountId, OuPath};
use landfall_model::landing_zone::LandingZone;
use serde::Deserialize;

use super::client::{Client, path};
use super::{out, scp_events, scp_text, serve};
use crate::api::scps::ScpCheckForm;
use crate::config::ClientSettings;
use crate::policy_validation::ask as ask_aws;
use crate::scp_check::aws_findings::AwsFindings;
use crate::scp_check::files::ScpFiles;
use crate::scp_check::report::{ScpReport, counted_u64};
use crate::scp_check::{Check, Known, Recorded, page};

/// The status when something bars attaching the policies: 1 is every error's, a wrong argument's too.
const BARRED: u8 = 2;

#[derive(Debug, Args)]
pub struct ScpCommand {
    #[command(flatten)]
    client: ClientSettings,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Say what policies would do if they were attached: whether they are right and fit, whether Landfall could still work,
    /// whether they decide as their tables say, and which recorded calls they would have denied.
    ///
    /// Reads files and needs neither a server nor credentials; with --days a server reads the recorded calls from the log bucket.
    /// The status is 0 when nothing bars attaching the policies, 2 when something does, and 1 when they could not be checked.
    Check(Box<CheckArguments>),
}

#[derive(Debug, Args)]
struct CheckArguments {
    /// The landing zone's TOML file; see deploy/landing-zone.toml. With --days it is the server's.
    #[arg(
        long,
        env = "LANDFALL_LANDING_ZONE",
        value_name = "FILE",
        required_unless_present = "days"
    )]
    landing_zone: Option<PathBuf>,
    /// A directory of service control policies (JSON) instead of the ones in the program.
    #[arg(long, alias = "scp", env = "LANDFALL_SCPS", value_name = "DIRECTORY")]
    scps: Option<PathBuf>,
    /// A directory with the policies that are in force now. Without it: none but AWS's own.
    #[arg(long, value_name = "DIRECTORY")]
    in_force: Option<PathBuf>,
    /// Log files of CloudTrail, or directories of them: .json.gz, .json, and what `aws cloudtrail lookup-events` prints. May be
    /// given many times.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    events: Vec<PathBuf>,
    /// Which account stands in which OU: what `landfall account list --json` prints.
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// Where all accounts stand that --accounts does not name.
    #[arg(long, value_name = "OU")]
    ou: Option<String>,
    /// Ask the server at --url, which reads the log files of so many whole days and of today from the log bucket, and knows
    /// where accounts stand. It compares --scps with what stands now; without --scps it checks its own. The newest days are read first,
    /// some minutes at a time; Ctrl-C ends the reading and shows what was found until then.
    #[arg(
        long,
        value_name = "N",
        conflicts_with_all = ["events", "accounts", "ou", "in_force"]
    )]
    days: Option<u16>,
    /// With --days: only this account's log files. May be given many times.
    #[arg(long = "account", value_name = "ACCOUNT_ID", requires = "days")]
    account_ids: Vec<String>,
    /// Ask AWS's ValidatePolicy too what it finds in the policies: with this machine's AWS credentials, with --days with the server's.
    #[arg(long)]
    validate: bool,
    /// Write the report as a page, too.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) async fn run(command: ScpCommand) -> anyhow::Result<ExitCode> {
    let Verb::Check(arguments) = command.verb;
    let html = arguments.html.clone();
    let (report, early) = match arguments.days {
        Some(days) => ask(&command.client, &arguments, days).await?,
        None => (offline(arguments).await?, None),
    };
    if let Some(file) = &html {
        std::fs::write(file, page::page(&report))
            .with_context(|| format!("the page cannot be written to {}", file.display()))?;
    }
    if command.client.json {
        out::json(&report)?;
    } else {
        scp_text::show(&report)?;
    }
    if let Some(early) = early {
        return Err(
            early.context("the report is of a part of the log files: the reading ended early")
        );
    }
    Ok(if report.can_be_attached {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(BARRED)
    })
}

/// Has a server read the log bucket and judge, a part after another until there is nothing left to read. With the report comes
/// what ended it early.
async fn ask(
    settings: &ClientSettings,
    arguments: &CheckArguments,
    days: u16,
) -> anyhow::Result<(ScpReport, Option<anyhow::Error>)> {
    let client = Client::new(settings)?;
    let files = match &arguments.scps {
        Some(directory) => proposed(directory)?.texts(),
        None => BTreeMap::new(),
    };
    let mut form = ScpCheckForm {
        files,
        days: Some(days),
        validate: arguments.validate,
        accounts: arguments.account_ids.clone(),
        ..ScpCheckForm::default()
    };
    anstream::eprintln!("landfall: the server reads the log bucket, some minutes at a time");
    let check = path(["scps", "check"]);
    let mut whole: Option<ScpReport> = None;
    loop {
        let part = tokio::select! {
            part = client.post::<ScpReport>(&check, &form) => part,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("it was interrupted")),
        };
        let report = match (whole, part) {
            (None, part) => part?,
            (Some(report), Ok(part)) => report.joined(part),
            (Some(report), Err(error)) => return Ok((report, Some(error))),
        };
        let Some(next) = report.next_cursor().map(str::to_owned) else {
            return Ok((report, None));
        };
        if form.cursor.as_ref() == Some(&next) {
            let stuck = format!("the server comes no further than {next}");
            return Ok((report, Some(anyhow::Error::msg(stuck))));
        }
        if let Some(files) = report.impact.as_ref().and_then(|it| it.log_files.as_ref()) {
            // Its second part is the day.
            let day = next.split('/').nth(1).unwrap_or_default();
            anstream::eprintln!(
                "landfall: {} read, {} to {}; now at {day}",
                counted_u64(files.files, "log file", "log files"),
                files.to,
                files.from,
            );
        }
        form.cursor = Some(next);
        // AWS said it of the same files already.
        form.validate = false;
        whole = Some(report);
    }
}

/// Judges what stands in files.
async fn offline(arguments: Box<CheckArguments>) -> anyhow::Result<ScpReport> {
    let landing_zone = arguments.landing_zone.as_deref();
    let zone = serve::read_landing_zone(landing_zone.context("--landing-zone is not given")?)?;
    let files = match &arguments.scps {
        Some(directory) => proposed(directory)?,
        None => ScpFiles::embedded(),
    };
    let of_aws = if arguments.validate {
        let cloud = Box::pin(Cloud::open(&zone, 1, Access::default())).await;
        let aws = async { Ok(cloud.own(policy_validation::ACTIONS.iter().copied().collect())) };
        Some(Box::pin(ask_aws(aws, &files, &zone)).await)
    } else {
        None
    };
    let checked =
        tokio::task::spawn_blocking(move || check(&arguments, &zone, &files, of_aws)).await;
    checked.context("the check panicked")?
}

fn check(
    arguments: &CheckArguments,
    zone: &LandingZone,
    files: &ScpFiles,
    of_aws: Option<AwsFindings>,
) -> anyhow::Result<ScpReport> {
    let known = Known {
        aws_findings: of_aws,
        ..known(arguments, zone)?
    };
    let events = scp_events::files(&arguments.events)?;
    if !events.is_empty() && known.accounts.is_empty() && known.elsewhere.is_none() {
        bail!(
            "whose calls are bound by which policies depends on where the accounts stand: give --accounts FILE, as \
             `landfall account list --json` prints it, or --ou OU for all of them"
        );
    }
    let check = Check::new(files, zone, &known);
    let recorded = check
        .replay()
        .filter(|_| !events.is_empty())
        .map(|mut replay| {
            let unread = scp_events::replay(&events, &mut replay);
            Recorded::given(replay, unread)
        });
    Ok(check.report(recorded))
}

fn proposed(directory: &Path) -> anyhow::Result<ScpFiles> {
    let files = ScpFiles::read(directory)?;
    if files.documents.is_empty() && files.attachments.is_none() {
        bail!(
            "{} holds no service control policies: it needs NAME.json and attachments.toml, as scp/ has them",
            directory.display()
        );
    }
    Ok(files)
}

fn known(arguments: &CheckArguments, zone: &LandingZone) -> anyhow::Result<Known> {
    let in_force = match &arguments.in_force {
        Some(directory) => {
            let set = proposed(directory)?.parse(zone);
            let set = set.context("what is in force cannot be read")?;
            Some((
                set.into(),
                format!("the policies of {}", directory.display()),
            ))
        }
        None => None,
    };
    let elsewhere = match &arguments.ou {
        Some(path) => Some(unit(path, zone)?),
        None => None,
    };
    Ok(Known {
        accounts: match &arguments.accounts {
            Some(file) => accounts(file, zone)?,
            None => BTreeMap::new(),
        },
        elsewhere,
        in_force,
        ..Known::default()
    })
}

fn unit(path: &str, zone: &LandingZone) -> anyhow::Result<OuPath> {
    let units = zone.organizational_units.iter().map(|unit| &unit.path);
    let mut known = units.clone();
    known
        .find(|unit| unit.as_str() == path)
        .cloned()
        .with_context(|| {
            let names: Vec<&str> = units.map(OuPath::as_str).collect();
            format!(
                "the landing zone has no organizational unit {path}: it has {}",
                names.join(", ")
            )
        })
}

/// What matters here of an account in a list.
#[derive(Deserialize)]
struct Listed {
    account_id: AccountId,
    #[serde(default)]
    organizational_unit: Option<OuPath>,
}

/// Where accounts stand that policies bind.
fn accounts(
    file: &Path,
    zone: &LandingZone,
) -> anyhow::Result<BTreeMap<AccountId, Option<OuPath>>> {
    let name = file.display();
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("the accounts in {name} cannot be read"))?;
    let listed: Vec<Listed> = serde_json::from_str(&text).with_context(|| {
        format!(
            "{name} is no list of accounts: it is to be as `landfall account list --json` prints it, \
             [{{\"account_id\": \"222222222222\", \"organizational_unit\": \"Applications\"}}, …]"
        )
    })?;
    if listed.is_empty() {
        bail!("{name} lists no accounts");
    }
    // Nothing binds the management account.
    let placed = listed
        .into_iter()
        .filter(|account| account.account_id != zone.management_account)
        .map(|account| (account.account_id, account.organizational_unit));
    Ok(placed.collect())
}
