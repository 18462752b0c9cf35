//! One line of history. Events are appended, never changed: they are the product's memory.

use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Somebody asked for an account.
    Requested,
    Approved,
    Rejected,
    Cancelled,
    /// A failed request was corrected and tried again.
    Retried,
    /// An account entered a phase.
    PhaseEntered,
    /// A step of vending was done.
    StepDone,
    /// A cell differs from its baseline.
    DriftFound,
    /// A change was applied to a cell.
    ChangeApplied,
    /// A cell is as its baseline wants it.
    InSync,
    /// AWS refused or failed.
    Failed,
    Paused,
    Resumed,
    /// Somebody wants cells repaired.
    RepairRequested,
    WaiverProposed,
    WaiverApproved,
    WaiverRejected,
    WaiverRevoked,
    ExemptionProposed,
    ExemptionApproved,
    ExemptionRejected,
    ExemptionRevoked,
    /// A policy spares whoever an exemption names, or does so no more.
    ExemptionEffective,
    ExemptionEnded,
    /// A target is to have another revision of a baseline.
    Pinned,
    /// A rollout began, moved on, or ended.
    Rollout,
    /// Somebody wants an account in another OU.
    MoveAsked,
    /// Somebody wants an account closed.
    CloseAsked,
    /// Organizations says something else of an account than before.
    AwsStateChanged,
}

impl EventKind {
    /// The word in the database and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            EventKind::Requested => "requested",
            EventKind::Approved => "approved",
            EventKind::Rejected => "rejected",
            EventKind::Cancelled => "cancelled",
            EventKind::Retried => "retried",
            EventKind::PhaseEntered => "phase_entered",
            EventKind::StepDone => "step_done",
            EventKind::DriftFound => "drift_found",
            EventKind::ChangeApplied => "change_applied",
            EventKind::InSync => "in_sync",
            EventKind::Failed => "failed",
            EventKind::Paused => "paused",
            EventKind::Resumed => "resumed",
            EventKind::RepairRequested => "repair_requested",
            EventKind::WaiverProposed => "waiver_proposed",
            EventKind::WaiverApproved => "waiver_approved",
            EventKind::WaiverRejected => "waiver_rejected",
            EventKind::WaiverRevoked => "waiver_revoked",
            EventKind::ExemptionProposed => "exemption_proposed",
            EventKind::ExemptionApproved => "exemption_approved",
            EventKind::ExemptionRejected => "exemption_rejected",
            EventKind::ExemptionRevoked => "exemption_revoked",
            EventKind::ExemptionEffective => "exemption_effective",
            EventKind::ExemptionEnded => "exemption_ended",
            EventKind::Pinned => "pinned",
            EventKind::Rollout => "rollout",
            EventKind::MoveAsked => "move_asked",
            EventKind::CloseAsked => "close_asked",
            EventKind::AwsStateChanged => "aws_state_changed",
        }
    }
}
