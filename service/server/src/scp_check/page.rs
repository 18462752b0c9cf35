//! The report as a page: no scripts, nothing loaded from anywhere, and printable. The verdict stands first, then what bars
//! attaching, then the impact by principal and action, the sizes, the findings.

use std::fmt::Write;

use landfall_policy::replay::Change;

use super::files::document_name;
use super::report::{
    Calls, FileFinding, Impact, LockedOut, ScpReport, Severity, TargetSize, by_principal,
    change_name, counted, counted_u64, grouped,
};
use crate::html::{POLICY, escape};

const STYLE: &str = include_str!("page.css");

/// The whole page.
pub fn page(report: &ScpReport) -> String {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Service control policies: {}</title>\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\"><style>{STYLE}</style>\n",
        if report.can_be_attached {
            "nothing bars them"
        } else {
            "do not attach"
        }
    );
    verdict(&mut html, report);
    bars(&mut html, report);
    if let Some(found) = &report.impact {
        impact(&mut html, found);
    }
    sizes(&mut html, &report.sizes);
    findings(&mut html, report);
    if !report.not_looked_at.is_empty() {
        html.push_str("<h2>Not looked at</h2><ul>");
        for what in &report.not_looked_at {
            add(&mut html, format_args!("<li>{}", escape(what)));
        }
        html.push_str("</ul>\n");
    }
    html.push_str("</html>\n");
    html
}

fn add(html: &mut String, what: std::fmt::Arguments<'_>) {
    // A string takes everything.
    let _ = html.write_fmt(what);
}

fn verdict(html: &mut String, report: &ScpReport) {
    let (class, title) = if report.can_be_attached {
        ("verdict", "Nothing bars attaching these policies")
    } else {
        ("verdict bad", "Do not attach these policies")
    };
    add(
        html,
        format_args!(
            "<header class=\"{class}\"><p class=\"kind\">Landfall: check of service control policies</p><h1>{title}</h1>"
        ),
    );
    if !report.bars.is_empty() {
        html.push_str("<ul>");
        for bar in &report.bars {
            add(html, format_args!("<li>{}", escape(bar)));
        }
        html.push_str("</ul>");
    }
    if let Some(impact) = &report.impact {
        let totals = &impact.totals;
        html.push_str("<div class=\"figures\">");
        for (count, class, what) in [
            (totals.records, "", "recorded events"),
            (totals.denied, "denied", "would have been denied"),
            (totals.uncertain, "uncertain", "might have been denied"),
            (totals.allowed, "allowed", "would be allowed anew"),
        ] {
            let class = if count == 0 { "soft" } else { class };
            add(
                html,
                format_args!(
                    "<div><b class=\"{class}\">{}</b>{what}</div>",
                    grouped(count)
                ),
            );
        }
        html.push_str("</div>");
    }
    add(
        html,
        format_args!(
            "<p class=\"soft\">{}</p></header>\n",
            escape(&report.scope())
        ),
    );
}

fn bars(html: &mut String, report: &ScpReport) {
    if report.can_be_attached {
        return;
    }
    html.push_str("<h2>What bars attaching</h2>");
    let (errors, _) = report.findings_by_weight();
    for error in errors {
        html.push_str("<div class=\"card\">");
        finding(html, error);
        html.push_str("</div>");
    }
    for lockout in &report.lockouts {
        locked_out(html, lockout, report);
    }
    for size in &report.sizes {
        if let Some(problem) = &size.problem {
            add(
                html,
                format_args!(
                    "<div class=\"card\"><p><b>{}</b> has no room: {}</div>",
                    escape(&size.target),
                    escape(problem)
                ),
            );
        }
    }
    let failed = &report.decisions.failed;
    if !failed.is_empty() {
        html.push_str(
            "<h3>Decisions that are not as their tables say</h3><table><thead><tr><th>Table<th>Row<th>Decision</thead>",
        );
        for decision in failed {
            add(
                html,
                format_args!(
                    "<tr><td><code>{}</code><td>{}<td>{}",
                    escape(document_name(&decision.file)),
                    escape(&decision.name),
                    code(&decision.sentence())
                ),
            );
        }
        html.push_str("</table>");
    }
    html.push('\n');
}

fn locked_out(html: &mut String, lockout: &LockedOut, report: &ScpReport) {
    add(
        html,
        format_args!(
            "<div class=\"card\"><p><b>Landfall is locked out:</b> {}</p><p>{}",
            code(&lockout.sentence()),
            escape(&lockout.place(&report.subject))
        ),
    );
    if !lockout.depends_on.is_empty() {
        add(
            html,
            format_args!(
                "; it depends on {}",
                escape(&lockout.depends_on.join(" and "))
            ),
        );
    }
    if lockout.already {
        html.push_str("; what is in force does as much");
    }
    html.push_str("</p>");
    if lockout.actions.len() > 1 {
        add(
            html,
            format_args!(
                "<details><summary>{}</summary><p><code>{}</code></p></details>",
                counted(lockout.actions.len(), "action", "actions"),
                escape(&lockout.actions.join(", "))
            ),
        );
    }
    add(
        html,
        format_args!("<p class=\"instead\">{}</p></div>", code(&lockout.instead)),
    );
}

fn impact(html: &mut String, impact: &Impact) {
    html.push_str("<h2>Impact on recorded calls</h2>");
    for line in impact.summary() {
        add(html, format_args!("<p>{}</p>", escape(&line)));
    }
    if !impact.unread.is_empty() {
        html.push_str("<h3>Not read to the end</h3><ul>");
        for problem in &impact.unread {
            add(html, format_args!("<li><code>{}</code>", escape(problem)));
        }
        html.push_str("</ul>");
    }
    if !impact.causes.is_empty() {
        html.push_str(
            "<h3>By statement</h3><table><thead><tr><th class=\"n\">Calls<th class=\"n\">Principals<th class=\"n\">Accounts<th>What<th>By</thead>",
        );
        for cause in &impact.causes {
            add(
                html,
                format_args!(
                    "<tr><td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td>{}<td>{}",
                    grouped(cause.calls),
                    cause.principals,
                    cause.accounts,
                    fate(cause.change),
                    code(&cause.cause)
                ),
            );
        }
        html.push_str("</table>");
    }
    if !impact.calls.is_empty() {
        html.push_str(
            "<h3>By principal and action</h3><table><thead><tr><th class=\"n\">Calls<th>Action<th>Regions<th>Seen<th>What and why</thead>",
        );
        for (principal, rows) in by_principal(&impact.calls) {
            let calls = rows.iter().map(|row| row.calls).sum();
            add(
                html,
                format_args!(
                    "<tbody class=\"who\"><tr><td colspan=\"5\"><code><b>{}</b></code> <span class=\"soft\">{}</span>",
                    escape(principal),
                    counted_u64(calls, "call", "calls")
                ),
            );
            for row in rows {
                called(html, row);
            }
            html.push_str("</tbody>");
        }
        html.push_str("</table>");
    }
    for (change, calls) in &impact.left_out {
        add(
            html,
            format_args!(
                "<p>{} beyond what a report holds: {}</p>",
                counted_u64(*calls, "call", "calls"),
                escape(change)
            ),
        );
    }
    let untold = impact.untold();
    if !untold.is_empty() {
        html.push_str("<h3>What these records cannot tell</h3><ul>");
        for untold in untold {
            add(html, format_args!("<li>{}", code(&untold)));
        }
        html.push_str("</ul>");
    }
    if !impact.unknown_events.is_empty() {
        add(
            html,
            format_args!(
                "<h3>Events of which nobody knows the action</h3><p class=\"soft\">Known are the actions of {} and before. \
                 Whether these would be denied has to be judged by hand.</p><table><thead><tr><th class=\"n\">Events<th>Source<th>Name</thead>",
                escape(&impact.actions_known_until)
            ),
        );
        for event in &impact.unknown_events {
            add(
                html,
                format_args!(
                    "<tr><td class=\"n\">{}<td><code>{}</code><td><code>{}</code>",
                    grouped(event.events),
                    escape(&event.source),
                    escape(&event.name)
                ),
            );
        }
        html.push_str("</table>");
    }
    html.push('\n');
}

fn called(html: &mut String, row: &Calls) {
    add(
        html,
        format_args!(
            "<tr><td class=\"n\">{}<td><code>{}</code><td>{}<td>{}<td>{} ",
            grouped(row.calls),
            escape(&row.actions.join(" + ")),
            whole(row.regions.iter().map(String::as_str), ", "),
            whole(row.period().split(" to "), " to "),
            fate(row.change),
        ),
    );
    let causes: Vec<String> = row.causes.iter().map(|cause| code(cause)).collect();
    html.push_str(&causes.join(", "));
    if !row.depends_on.is_empty() {
        add(
            html,
            format_args!(", depending on {}", escape(&row.depends_on.join(" or "))),
        );
    }
    add(
        html,
        format_args!(
            " <span class=\"soft\">event <code>{}</code></span>",
            escape(&row.example)
        ),
    );
}

fn fate(change: Change) -> String {
    let class = match change {
        Change::Denied => "denied",
        Change::Uncertain => "uncertain",
        Change::Allowed => "allowed",
        Change::MayBeAllowed => "may_be_allowed",
    };
    format!(
        "<span class=\"fate {class}\">{}</span>",
        change_name(change)
    )
}

fn sizes(html: &mut String, sizes: &[TargetSize]) {
    if sizes.is_empty() {
        return;
    }
    html.push_str(
        "<h2>Sizes</h2><table><thead><tr><th>Target<th>Files<th class=\"n\">Characters<th>Packed<th>Others<th class=\"n\">Free</thead>",
    );
    for size in sizes {
        add(
            html,
            format_args!(
                "<tr><td>{}<td>{}<td class=\"n\">{}<td>{}<td>{}<td class=\"n\">{} of {}",
                escape(&size.target),
                escape(&size.policies.join(", ")),
                grouped(u64::try_from(size.characters).unwrap_or(u64::MAX)),
                escape(&size.packed()),
                escape(&size.others.join(", ")),
                size.free,
                size.limit
            ),
        );
    }
    html.push_str("</table>\n");
}

fn findings(html: &mut String, report: &ScpReport) {
    html.push_str("<h2>Findings</h2>");
    let decisions = &report.decisions;
    add(
        html,
        format_args!(
            "<p>{} of {} hold.",
            counted(
                decisions.cases - decisions.failed.len(),
                "decision",
                "decisions"
            ),
            counted(decisions.tables, "table", "tables")
        ),
    );
    if !decisions.without_table.is_empty() {
        add(
            html,
            format_args!(
                " Without a table: {}.",
                escape(&decisions.without_table.join(", "))
            ),
        );
    }
    let (_, others) = report.findings_by_weight();
    if others.is_empty() {
        html.push_str(" Lint finds nothing else in the files.");
    }
    html.push_str("</p>");
    for one in others {
        finding(html, one);
    }
    html.push('\n');
}

fn finding(html: &mut String, finding: &FileFinding) {
    let class = match finding.severity {
        Severity::Error => "error",
        Severity::SecurityWarning => "security_warning",
        Severity::Warning => "warning",
        Severity::Suggestion => "suggestion",
    };
    add(
        html,
        format_args!(
            "<p><span class=\"fate {class}\">{}</span> <code>{}</code>: {} <span class=\"soft\">({})</span></p>",
            finding.severity.name(),
            escape(&finding.place()),
            code(&finding.problem),
            escape(&finding.names())
        ),
    );
    if !finding.instead.is_empty() {
        add(
            html,
            format_args!("<p class=\"instead\">{}</p>", code(&finding.instead)),
        );
    }
    if let Some(link) = &finding.learn_more {
        let link = escape(link);
        add(
            html,
            format_args!("<p class=\"soft\"><a href=\"{link}\" rel=\"noreferrer\">{link}</a></p>"),
        );
    }
}

/// Texts that are not broken at their hyphens, but between each other.
fn whole<'a>(texts: impl Iterator<Item = &'a str>, between: &str) -> String {
    let each: Vec<String> = texts
        .map(|text| format!("<span class=\"whole\">{}</span>", escape(text)))
        .collect();
    each.join(between)
}

/// A text in which what stands between backticks is code.
fn code(text: &str) -> String {
    let mut html = String::new();
    for (index, part) in text.split('`').enumerate() {
        let part = escape(part);
        if index % 2 == 1 {
            add(&mut html, format_args!("<code>{part}</code>"));
        } else {
            html.push_str(&part);
        }
    }
    html
}
