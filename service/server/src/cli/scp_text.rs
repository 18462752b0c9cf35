//! The report on service control policies as lines: in the page's order, with as much of each list as a person reads.

use std::io;

use owo_colors::OwoColorize;

use super::out;
use crate::scp_check::report::{
    Calls, FileFinding, Impact, LockedOut, ScpReport, Severity, TargetSize, by_principal,
    change_name, counted, counted_u64, grouped,
};

/// How many entries of a long list are shown. The page and the JSON have all.
const SHOWN: usize = 20;

pub(super) fn show(report: &ScpReport) -> io::Result<()> {
    if report.can_be_attached {
        out::line(format_args!("{} {}", "✓".green(), report.verdict().bold()))?;
    } else {
        out::line(format_args!(
            "{} {}",
            "✗".red().bold(),
            report.verdict().bold()
        ))?;
    }
    out::line(format_args!("  {}", report.scope()))?;
    bars(report)?;
    if let Some(found) = &report.impact {
        impact(found)?;
    }
    sizes(&report.sizes)?;
    findings(report)?;
    if !report.not_looked_at.is_empty() {
        heading("Not looked at")?;
        for what in &report.not_looked_at {
            out::line(format_args!("  {what}"))?;
        }
    }
    Ok(())
}

fn heading(text: &str) -> io::Result<()> {
    out::line(format_args!("\n{}", text.bold().underline()))
}

/// How many entries of a list were left out.
fn rest(all: usize, what: &str) -> io::Result<()> {
    match all.saturating_sub(SHOWN) {
        0 => Ok(()),
        more => out::line(format_args!(
            "  … and {} more {what}: --html and --json have all",
            grouped(u64::try_from(more).unwrap_or(u64::MAX))
        )),
    }
}

fn bars(report: &ScpReport) -> io::Result<()> {
    if report.can_be_attached {
        return Ok(());
    }
    heading("What bars attaching")?;
    let (errors, _) = report.findings_by_weight();
    for error in errors.iter().take(SHOWN) {
        finding(error)?;
    }
    rest(errors.len(), "errors")?;
    for lockout in report.lockouts.iter().take(SHOWN) {
        locked_out(lockout, report)?;
    }
    rest(report.lockouts.len(), "lock-outs")?;
    for size in &report.sizes {
        if let Some(problem) = &size.problem {
            out::line(format_args!(
                "{} {}: {problem}",
                "✗".red(),
                size.target.bold()
            ))?;
        }
    }
    let failed = &report.decisions.failed;
    for decision in failed.iter().take(SHOWN) {
        out::line(format_args!(
            "{} {}: {}",
            "✗".red(),
            decision.file.bold(),
            decision.name
        ))?;
        out::line(format_args!("    {}", decision.sentence()))?;
    }
    rest(failed.len(), "decisions")
}

fn locked_out(lockout: &LockedOut, report: &ScpReport) -> io::Result<()> {
    out::line(format_args!(
        "{} {}: {}",
        "✗".red(),
        "Landfall is locked out".bold(),
        lockout.sentence()
    ))?;
    out::line(format_args!("    {}", lockout.place(&report.subject)))?;
    if lockout.actions.len() > 1 {
        out::line(format_args!("    {}", some(&lockout.actions, 5)))?;
    }
    if !lockout.depends_on.is_empty() {
        out::line(format_args!(
            "    that depends on {}",
            lockout.depends_on.join(" and ")
        ))?;
    }
    if lockout.already {
        out::line("    what is in force does as much")?;
    }
    out::line(format_args!("    → {}", lockout.instead))
}

/// The first few of a list, and how many more there are.
fn some(items: &[String], most: usize) -> String {
    let shown = items.get(..most.min(items.len())).unwrap_or_default();
    match items.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn impact(impact: &Impact) -> io::Result<()> {
    heading("Impact on recorded calls")?;
    for line in impact.summary() {
        out::line(format_args!("  {line}"))?;
    }
    if !impact.causes.is_empty() {
        out::line("")?;
        out::table(
            ["  CALLS", "PRINCIPALS", "ACCOUNTS", "WHAT", "BY"],
            impact.causes.iter().take(SHOWN).map(|cause| {
                [
                    format!("  {}", grouped(cause.calls)),
                    cause.principals.to_string(),
                    cause.accounts.to_string(),
                    change_name(cause.change).to_owned(),
                    cause.cause.clone(),
                ]
            }),
        )?;
        rest(impact.causes.len(), "causes")?;
    }
    let mut left = SHOWN;
    for (principal, calls) in by_principal(&impact.calls) {
        if left == 0 {
            break;
        }
        let all = calls.iter().map(|row| row.calls).sum();
        out::line(format_args!(
            "\n  {}  {}",
            principal.bold(),
            counted_u64(all, "call", "calls")
        ))?;
        for row in calls.iter().take(left) {
            called(row)?;
        }
        left -= calls.len().min(left);
    }
    rest(impact.calls.len(), "rows")?;
    for (change, calls) in &impact.left_out {
        out::line(format_args!(
            "  {} beyond what a report holds: {change}",
            counted_u64(*calls, "call", "calls")
        ))?;
    }
    if !impact.unknown_events.is_empty() {
        let events: Vec<String> = impact
            .unknown_events
            .iter()
            .map(|event| {
                format!(
                    "{} {} ({})",
                    event.source,
                    event.name,
                    grouped(event.events)
                )
            })
            .collect();
        out::line(format_args!(
            "\n  Events of which nobody knows the action (known are those until {}): {}",
            impact.actions_known_until,
            some(&events, 5)
        ))?;
    }
    out::line("")?;
    for untold in impact.untold() {
        out::line(format_args!("  {}", untold.dimmed()))?;
    }
    for problem in impact.unread.iter().take(SHOWN) {
        out::line(format_args!("  {} {problem}", "!".yellow()))?;
    }
    rest(
        impact.unread.len(),
        "files that could not be read to their end",
    )
}

fn called(row: &Calls) -> io::Result<()> {
    out::line(format_args!(
        "    {:>8}  {}  {}  {}",
        grouped(row.calls),
        row.actions.join(" + ").bold(),
        some(&row.regions, 3),
        row.period().dimmed()
    ))?;
    out::line(format_args!("              {}", row.verdict()))
}

fn sizes(sizes: &[TargetSize]) -> io::Result<()> {
    if sizes.is_empty() {
        return Ok(());
    }
    heading("Sizes")?;
    out::table(
        [
            "  TARGET",
            "FILES",
            "CHARACTERS",
            "PACKED",
            "OTHERS",
            "FREE",
        ],
        sizes.iter().map(|size| {
            [
                format!("  {}", size.target),
                size.policies.len().to_string(),
                size.characters.to_string(),
                size.packed(),
                size.others.len().to_string(),
                format!("{} of {}", size.free, size.limit),
            ]
        }),
    )
}

fn findings(report: &ScpReport) -> io::Result<()> {
    let (_, rest_of) = report.findings_by_weight();
    heading("Findings")?;
    let decisions = &report.decisions;
    out::line(format_args!(
        "  {} of {} hold",
        counted(
            decisions.cases - decisions.failed.len(),
            "decision",
            "decisions"
        ),
        counted(decisions.tables, "table", "tables")
    ))?;
    if !decisions.without_table.is_empty() {
        out::line(format_args!(
            "  without a table of decisions: {}",
            decisions.without_table.join(", ")
        ))?;
    }
    if rest_of.is_empty() {
        out::line("  lint finds nothing else in the files")?;
    }
    for one in rest_of.iter().take(SHOWN) {
        finding(one)?;
    }
    rest(rest_of.len(), "findings")
}

fn finding(finding: &FileFinding) -> io::Result<()> {
    let mark = match finding.severity {
        Severity::Error => "✗".red().to_string(),
        Severity::SecurityWarning | Severity::Warning => "!".yellow().to_string(),
        Severity::Suggestion => "·".dimmed().to_string(),
    };
    out::line(format_args!(
        "{mark} {}: {} ({}, {})",
        finding.place().bold(),
        finding.problem,
        finding.severity.name(),
        finding.names()
    ))?;
    if !finding.instead.is_empty() {
        out::line(format_args!("    → {}", finding.instead))?;
    }
    if let Some(link) = &finding.learn_more {
        out::line(format_args!("    {}", link.dimmed()))?;
    }
    Ok(())
}
