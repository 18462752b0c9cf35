//! What service control policies would do, before anybody attaches them.
//!
//! ```text
//! files ─lint, parse─▶ policies on each target ─┬─ sizes       do they fit?
//!                                              ├─ lockouts    can Landfall still work?
//!                                              ├─ decisions   do they decide as their tables say?
//!                                              └─ impact      which recorded calls would they have denied?
//! ```
//!
//! One path for all who ask: `landfall scp check` with files of its own and no server, `POST /scps/check`, and the start of the
//! server, which attaches nothing that locks it out ([`gate`]). Nothing here reaches AWS or the database; who asks says what is
//! known of the organization ([`Known`]).
//!
//! The policies are judged as they are written: packing them changes no decision, and their authors know them so.

use std::collections::{BTreeMap, BTreeSet};

use landfall_model::ids::{AccountId, OuPath};
use landfall_model::landing_zone::{LandingZone, SettingsError};
use landfall_model::scp::{InForce, ScpSet};
use landfall_policy::replay::{GROUPS, Organization, Replay};

pub mod aws_findings;
mod decisions;
pub mod files;
mod impact;
mod joined;
mod lint;
mod lockouts;
pub mod log_files;
pub mod page;
mod policies;
pub mod report;
mod sizes;
mod untold;

#[cfg(test)]
mod tests;

use aws_findings::AwsFindings;
use files::ScpFiles;
use policies::{Policies, ROOT};
use report::{Impact, LogFiles, ScpReport, Subject, counted};

/// What is known of the organization besides its landing zone.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// `o-…`
    pub organization: Option<String>,
    /// Where accounts stand; `None` right below the root.
    pub accounts: BTreeMap<AccountId, Option<OuPath>>,
    /// Where all other accounts stand. `None`: their calls cannot be judged.
    pub elsewhere: Option<OuPath>,
    /// The names of policies that are not Landfall's, by the OU's path or `the root`. Where nobody knows, AWS's own alone.
    pub others: BTreeMap<String, Vec<String>>,
    /// What is in force, and how people call that; `None`: AWS's own policy alone.
    pub in_force: Option<(InForce, String)>,
    /// What AWS itself finds in the files, where somebody asked.
    pub aws_findings: Option<AwsFindings>,
}

/// Calls that were taken.
#[derive(Debug)]
pub struct Recorded<'a> {
    pub replay: Replay<'a>,
    /// What could not be read to its end, in a sentence each.
    pub unread: Vec<String>,
    /// What was read of the log bucket, where they are from there.
    pub log_files: Option<LogFiles>,
}

impl<'a> Recorded<'a> {
    /// Calls that somebody gave.
    pub fn given(replay: Replay<'a>, unread: Vec<String>) -> Self {
        Recorded {
            replay,
            unread,
            log_files: None,
        }
    }
}

/// Policies that are being checked.
#[derive(Debug)]
pub struct Check<'a> {
    files: &'a ScpFiles,
    zone: &'a LandingZone,
    known: &'a Known,
    before: Policies,
    /// `None` where the files are wrong: then there is nothing to judge.
    after: Result<Policies, SettingsError>,
    organization: Organization,
}

impl<'a> Check<'a> {
    /// Reads the policies, and judges nothing yet.
    pub fn new(files: &'a ScpFiles, zone: &'a LandingZone, known: &'a Known) -> Self {
        let before = match &known.in_force {
            Some((in_force, _)) => Policies::of(in_force.sets()),
            None => Policies::none(),
        };
        let after = files.parse(zone).map(|set| Policies::of([&set]));
        let organization = after.as_ref().map_or_else(
            |_| Organization::default(),
            |after| {
                let id = known.organization.as_deref();
                impact::organization(&before, after, zone, id, &known.accounts)
            },
        );
        Check {
            files,
            zone,
            known,
            before,
            after,
            organization,
        }
    }

    /// Takes recorded calls, unless the files are so wrong that nothing can be said of any.
    pub fn replay(&self) -> Option<Replay<'_>> {
        let after = self.after.as_ref().ok()?;
        let replay = Replay::new(&self.organization, GROUPS);
        Some(match &self.known.elsewhere {
            Some(unit) => replay.with_others_in(&impact::place(&self.before, after, Some(unit))),
            None => replay,
        })
    }

    /// Judges everything.
    pub fn report(&self, recorded: Option<Recorded<'_>>) -> ScpReport {
        let limits = self.zone.scps.limits();
        let mut findings = lint::documents(self.files, self.zone, limits);
        if let Some(of_aws) = &self.known.aws_findings {
            aws_findings::merge(&mut findings, of_aws);
        }
        let (decisions, of_tables) = decisions::decisions(self.files, self.zone);
        findings.extend(of_tables);
        let mut report = ScpReport {
            can_be_attached: false,
            bars: Vec::new(),
            compared_with: match &self.known.in_force {
                Some((_, name)) => name.clone(),
                None => "FullAWSAccess alone".to_owned(),
            },
            subject: self.subject(),
            lockouts: Vec::new(),
            decisions,
            impact: recorded.map(|recorded| self.impact(recorded)),
            sizes: Vec::new(),
            findings: Vec::new(),
            not_looked_at: Vec::new(),
        };
        match &self.after {
            Ok(after) => {
                findings.extend(lint::unattached(self.files, &after.attached()));
                report.sizes = sizes::sizes(after, self.zone, &self.known.others, limits);
                report.lockouts = lockouts::lockouts(
                    &self.before,
                    after,
                    self.zone,
                    self.known.organization.as_deref(),
                    &self.known.accounts,
                );
                if report.impact.is_none() {
                    report.not_looked_at.push(
                        "what the policies would have done to recorded calls: no events were given"
                            .to_owned(),
                    );
                }
            }
            Err(error) => {
                findings.extend(lint::whole(&findings, error));
                report.not_looked_at.push(
                    "whether the policies fit, whether Landfall can still work under them, and what they would have done to \
                     recorded calls: mend the files first"
                        .to_owned(),
                );
            }
        }
        if let Some(logs) = report.impact.as_ref().and_then(|it| it.log_files.as_ref()) {
            report.not_looked_at.extend_from_slice(&logs.left_out);
            report.not_looked_at.extend_from_slice(&logs.cut_off);
        }
        if self.known.others.is_empty() {
            report.not_looked_at.push(format!(
                "policies that are not Landfall's, besides FullAWSAccess on {ROOT} and on each OU: ask a server, which knows them"
            ));
        }
        let missing = match &self.known.aws_findings {
            None => Some("ask for it with --validate, over the API with `validate`"),
            Some(of_aws) => of_aws.missing.as_deref(),
        };
        if let Some(missing) = missing {
            report.not_looked_at.push(format!(
                "what AWS's own ValidatePolicy finds in the policies: {missing}"
            ));
        }
        findings.sort_by_key(|finding| finding.severity);
        report.findings = findings;
        report.bars = bars(&report);
        report.can_be_attached = report.bars.is_empty();
        report
    }

    fn impact(&self, recorded: Recorded<'_>) -> Impact {
        let mut impact = impact::impact(recorded);
        if let Ok(after) = &self.after {
            impact.denied_besides = untold::besides(&self.before, after);
            impact.denied_data = untold::data(&self.before, after);
        }
        impact
    }

    fn subject(&self) -> Subject {
        let statements = |policies: &Policies| {
            let each = policies.documents();
            each.map(|policy| policy.statements().len()).sum()
        };
        Subject {
            policies: self.files.documents.len(),
            statements: self.after.as_ref().map_or(0, statements),
            units: policies::units(self.zone).count(),
            regions: self.zone.governed_regions.len(),
            role: lockouts::role(self.zone),
            actions: lockouts::actions().len(),
            accounts: self.known.accounts.len(),
        }
    }
}

/// What bars attaching, in a sentence each.
fn bars(report: &ScpReport) -> Vec<String> {
    let mut bars = Vec::new();
    let (errors, _) = report.findings_by_weight();
    if !errors.is_empty() {
        bars.push(counted(
            errors.len(),
            "error in the files",
            "errors in the files",
        ));
    }
    if !report.lockouts.is_empty() {
        let statements: BTreeSet<&str> = report
            .lockouts
            .iter()
            .map(|lockout| lockout.cause.as_str())
            .collect();
        bars.push(format!(
            "Landfall is locked out by {}",
            counted(statements.len(), "cause", "causes")
        ));
    }
    let full = report.sizes.iter().filter(|size| size.problem.is_some());
    let full = full.count();
    if full > 0 {
        bars.push(counted(full, "target has no room", "targets have no room"));
    }
    let failed = report.decisions.failed.len();
    if failed > 0 {
        bars.push(counted(
            failed,
            "decision is not as its table says",
            "decisions are not as their tables say",
        ));
    }
    bars
}

/// Whether a server may start with these policies: what would lock it out, or does not fit, is said with file and rule.
///
/// # Errors
///
/// The worst that bars them, and how many more there are.
pub fn gate(files: &ScpFiles, set: &ScpSet, zone: &LandingZone) -> Result<(), SettingsError> {
    let after = Policies::of([set]);
    let known = Known::default();
    let full = sizes::sizes(&after, zone, &known.others, zone.scps.limits());
    let full = full
        .into_iter()
        .find_map(|size| Some((size.problem?, size.target)));
    if let Some((problem, target)) = full {
        return Err(SettingsError {
            file: files
                .attachments
                .as_ref()
                .map_or_else(String::new, |(file, _)| file.clone()),
            line: None,
            rule: format!("what {target} is to have does not fit: {problem}"),
        });
    }
    let found = lockouts::lockouts(&Policies::none(), &after, zone, None, &known.accounts);
    let Some(worst) = found.first() else {
        return Ok(());
    };
    let more = match found.len() - 1 {
        0 => String::new(),
        more => format!("; and {} like it", counted(more, "finding", "findings")),
    };
    Err(SettingsError {
        file: match (&worst.policy, &files.attachments) {
            (Some(policy), _) => files.file_of(policy).to_owned(),
            (None, Some((file, _))) => file.clone(),
            (None, None) => String::new(),
        },
        line: None,
        rule: format!(
            "it would lock Landfall out: {}, in {} and {}, {} first: {}{more}. `landfall scp check` shows all of it",
            worst.sentence(),
            worst.units.join(", "),
            counted(worst.regions.len(), "governed Region", "governed Regions"),
            worst.actions.first().map_or("", String::as_str),
            worst.instead
        ),
    })
}
