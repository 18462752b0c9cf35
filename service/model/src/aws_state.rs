//! What Organizations says of a member: whether it lives, is closed, or is not a member at all.

use serde::{Deserialize, Serialize};

/// An account's state in AWS (Organizations API, `Account.State`; older answers have only the coarser `Status`).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum AwsState {
    #[default]
    Active,
    /// It was invited or made and its sign-up is not finished.
    PendingActivation,
    /// AWS suspended it, for instance since a bill was not paid.
    Suspended,
    PendingClosure,
    /// Closed: for 90 days AWS Support can open it again, then it is gone for good.
    Closed,
    /// Not a member: it left, was removed, or was closed so long ago that AWS forgot it.
    Left,
}

impl AwsState {
    pub const ALL: [AwsState; 6] = [
        AwsState::Active,
        AwsState::PendingActivation,
        AwsState::Suspended,
        AwsState::PendingClosure,
        AwsState::Closed,
        AwsState::Left,
    ];

    /// The word in the database and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            AwsState::Active => "active",
            AwsState::PendingActivation => "pending_activation",
            AwsState::Suspended => "suspended",
            AwsState::PendingClosure => "pending_closure",
            AwsState::Closed => "closed",
            AwsState::Left => "left",
        }
    }

    /// From AWS's words. `State` counts where it is there; `Status` calls a closed account suspended. A word that AWS adds
    /// later is taken for a live account, so that whatever is wrong with it shows.
    pub fn of(state: Option<&str>, status: Option<&str>) -> Self {
        match (state, status) {
            (Some("PENDING_ACTIVATION"), _) => AwsState::PendingActivation,
            (Some("SUSPENDED"), _) => AwsState::Suspended,
            (Some("PENDING_CLOSURE"), _) => AwsState::PendingClosure,
            (Some("CLOSED"), _) => AwsState::Closed,
            (Some(_), _) => AwsState::Active,
            (None, Some("SUSPENDED")) => AwsState::Suspended,
            (None, Some("PENDING_CLOSURE")) => AwsState::PendingClosure,
            (None, _) => AwsState::Active,
        }
    }

    /// Whether Landfall looks after it: it answers, and nobody is about to close it.
    pub fn is_looked_after(self) -> bool {
        match self {
            AwsState::Active | AwsState::PendingActivation => true,
            AwsState::Suspended | AwsState::PendingClosure | AwsState::Closed | AwsState::Left => {
                false
            }
        }
    }

    /// What it means for Landfall, for people.
    pub fn sentence(self) -> &'static str {
        match self {
            AwsState::Active => "The account is active.",
            AwsState::PendingActivation => "The account's sign-up with AWS is not finished.",
            AwsState::Suspended => {
                "AWS suspended the account. Landfall leaves it alone until it is active again; its bill or AWS Support says why."
            }
            AwsState::PendingClosure => "AWS is closing the account. Landfall leaves it alone.",
            AwsState::Closed => "The account is closed. For 90 days AWS Support can open it again.",
            AwsState::Left => {
                "The account is not a member of the organization any more. Landfall leaves it alone and keeps what it knows of it."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_counts_and_status_fills_in() {
        for (state, status, expected) in [
            (Some("ACTIVE"), Some("ACTIVE"), AwsState::Active),
            (Some("CLOSED"), Some("SUSPENDED"), AwsState::Closed),
            (Some("SUSPENDED"), Some("SUSPENDED"), AwsState::Suspended),
            (Some("PENDING_CLOSURE"), None, AwsState::PendingClosure),
            (None, Some("SUSPENDED"), AwsState::Suspended),
            (None, Some("PENDING_CLOSURE"), AwsState::PendingClosure),
            (None, None, AwsState::Active),
            (Some("A_WORD_OF_NEXT_YEAR"), None, AwsState::Active),
        ] {
            assert_eq!(
                AwsState::of(state, status),
                expected,
                "{state:?} {status:?}"
            );
        }
    }

    #[test]
    fn states_keep_their_names() {
        for state in AwsState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
    }
}
