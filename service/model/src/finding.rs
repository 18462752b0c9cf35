//! What somebody found who looked before anything was changed: how bad it is, why it matters, and what mends it.

use serde::{Deserialize, Serialize};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// As it should be.
    Fine,
    /// Missing, and Landfall itself will see to it.
    Landfall,
    /// It could not be read.
    Unread,
    /// It works as it is; somebody should know.
    Warning,
    /// Somebody has to mend it first.
    Mend,
}

impl Severity {
    /// The word in JSON and on the terminal.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Fine => "fine",
            Severity::Landfall => "landfall",
            Severity::Unread => "unread",
            Severity::Warning => "warning",
            Severity::Mend => "mend",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub severity: Severity,
    /// What was looked at, in a word or two: `credentials`.
    pub subject: String,
    /// What was found.
    pub what: String,
    /// Why it matters; empty where it is fine.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// What mends it: commands of the AWS CLI, or a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

impl Finding {
    pub fn fine(subject: impl Into<String>, what: impl Into<String>) -> Self {
        Finding::new(Severity::Fine, subject, what, "")
    }

    /// Something that Landfall will do by itself.
    pub fn landfall(subject: impl Into<String>, what: impl Into<String>) -> Self {
        let mend = "Landfall will do this itself.".to_owned();
        Finding::new(Severity::Landfall, subject, what, "").mended_by(mend)
    }

    pub fn unread(
        subject: impl Into<String>,
        what: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Finding::new(Severity::Unread, subject, what, why)
    }

    pub fn warning(
        subject: impl Into<String>,
        what: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Finding::new(Severity::Warning, subject, what, why)
    }

    pub fn mend(
        subject: impl Into<String>,
        what: impl Into<String>,
        why: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Finding::new(Severity::Mend, subject, what, why).mended_by(mend)
    }

    fn new(
        severity: Severity,
        subject: impl Into<String>,
        what: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Finding {
            severity,
            subject: subject.into(),
            what: what.into(),
            why: why.into(),
            mend: None,
        }
    }

    /// With what mends it.
    pub fn mended_by(self, mend: impl Into<String>) -> Self {
        Finding {
            mend: Some(mend.into()),
            ..self
        }
    }
}

/// The worst of several; `Fine` where there are none.
pub fn worst(findings: &[Finding]) -> Severity {
    findings
        .iter()
        .map(|finding| finding.severity)
        .max()
        .unwrap_or(Severity::Fine)
}
