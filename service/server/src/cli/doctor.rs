//! `landfall doctor`: look at everything that must be right, change nothing, say what mends what is not.

use std::process::ExitCode;
use std::sync::Arc;

use landfall_controls::cloud::{Access, Cloud};
use landfall_model::finding::{Finding, Severity};
use owo_colors::OwoColorize;
use secrecy::ExposeSecret;

use super::{out, serve};
use crate::catalogue::Catalogue;
use crate::config::{CALLS_IN_FLIGHT, DoctorSettings};
use crate::doctor::{self, Report};
use crate::engine::clock::{Clock, SystemClock};

/// The status when something has to be mended: 1 is every error's, a wrong argument's too.
const TO_MEND: u8 = 2;

/// The status is 0 when nothing has to be mended, 2 when something has, and 1 when nothing could be looked at.
pub(super) async fn run(settings: DoctorSettings) -> anyhow::Result<ExitCode> {
    let zone = Arc::new(serve::landing_zone(&settings.wanted)?);
    let catalogue = Catalogue::load(
        &zone,
        settings.wanted.baselines.as_deref(),
        settings.wanted.scps.as_deref(),
    )?;
    let url = settings.database.database_url.expose_secret();
    let now = SystemClock.now();
    let (database, remembered) = doctor::examine_database(url, now).await;
    let cloud = Cloud::open(&zone, CALLS_IN_FLIGHT.into(), Access::default()).await;
    let mut report = doctor::examine(&cloud, &zone, &catalogue, &remembered, now).await;
    report.findings.insert(0, database);
    if settings.json {
        out::json(&report)?;
    } else {
        show(&report, settings.quiet)?;
    }
    Ok(match report.worst() {
        _ if !report.looked => ExitCode::FAILURE,
        Severity::Mend => ExitCode::from(TO_MEND),
        Severity::Fine | Severity::Landfall | Severity::Unread | Severity::Warning => {
            ExitCode::SUCCESS
        }
    })
}

fn show(report: &Report, quiet: bool) -> std::io::Result<()> {
    let findings = report.findings.iter();
    let shown = findings.filter(|finding| !(quiet && finding.severity == Severity::Fine));
    lines(shown)?;
    let count = |severity| {
        report
            .findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    };
    let summary = format!(
        "{} fine, {} that Landfall will do, {} not read, {} to know, {} to mend",
        count(Severity::Fine),
        count(Severity::Landfall),
        count(Severity::Unread),
        count(Severity::Warning),
        count(Severity::Mend),
    );
    out::line(format_args!("\n{summary}. Nothing was changed."))
}

/// Findings, on one line each. Why they matter and what mends them stands once below those that have it in common.
pub(super) fn lines<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> std::io::Result<()> {
    for alike in alike(findings) {
        for finding in &alike {
            let mark = match finding.severity {
                Severity::Fine => "✓".green().to_string(),
                Severity::Landfall => "+".cyan().to_string(),
                Severity::Unread => "?".dimmed().to_string(),
                Severity::Warning => "!".yellow().to_string(),
                Severity::Mend => "✗".red().bold().to_string(),
            };
            out::line(format_args!(
                "{mark} {}: {}",
                finding.subject.bold(),
                finding.what
            ))?;
        }
        let common = alike.first().filter(|it| it.severity != Severity::Landfall);
        let Some(finding) = common else {
            continue;
        };
        if !finding.why.is_empty() {
            out::line(format_args!("    {}", finding.why))?;
        }
        for line in finding.mend.iter().flat_map(|mend| mend.lines()) {
            out::line(format_args!("    {line}"))?;
        }
    }
    Ok(())
}

/// Findings in their order, where those that matter and are mended alike stand with the first of them.
fn alike<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Vec<Vec<&'a Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    let common = |finding: &'a Finding| (finding.severity, &finding.why, &finding.mend);
    for finding in findings {
        let mut known = groups.iter_mut();
        let known = known.find(|group| {
            !finding.why.is_empty()
                && group
                    .first()
                    .is_some_and(|it| common(it) == common(finding))
        });
        match known {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mends_many_alike_is_told_once_below_them() {
        let refused =
            |subject: &str| Finding::mend(subject, "AccessDenied", "It stops.", "Allow it.");
        let findings = [
            Finding::fine("clock", "it agrees"),
            refused("guardduty.detector"),
            Finding::landfall("organizations.units", "make Admin"),
            Finding::landfall("organizations.units", "make Restricted"),
            refused("securityhub.hub"),
            Finding::mend("iam.role", "AccessDenied", "It stops.", "Make it."),
            Finding::fine("members", "3 accounts"),
        ];
        let subjects: Vec<Vec<&str>> = alike(&findings)
            .iter()
            .map(|group| group.iter().map(|it| it.subject.as_str()).collect())
            .collect();
        assert_eq!(
            subjects,
            [
                vec!["clock"],
                vec!["guardduty.detector", "securityhub.hub"],
                vec!["organizations.units"],
                vec!["organizations.units"],
                vec!["iam.role"],
                vec!["members"],
            ]
        );
    }
}
