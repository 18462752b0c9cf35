//! What keeps an account from getting on, for people: what failed, who can help, what to do, when the next try is.

use jiff::Timestamp;
use landfall_model::aws_state::AwsState;
use landfall_model::cloud_error::Help;

use crate::api::accounts::Account;
use crate::api::cells::CellError;
use crate::api::standing::{Paused, Standing, Wish};

/// As named values below those of an account or a request; none when nothing is in the way.
pub(super) fn fields(standing: &Standing, now: Timestamp) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    if let Some(paused) = &standing.paused {
        let why = format!(
            "since {:.0}{} by {}: {}",
            paused.since,
            until(paused),
            paused.by,
            paused.reason
        );
        fields.push(("PAUSED", why));
    }
    if let Some(wish) = &standing.wish {
        let to = wish
            .organizational_unit
            .as_ref()
            .map(|unit| format!(" to {unit}"))
            .unwrap_or_default();
        fields.push((
            "wanted",
            format!(
                "{}{to}, asked by {} at {:.0}: {}",
                wish.action.name(),
                wish.asked_by,
                wish.asked_at,
                wish.reason
            ),
        ));
        fields.push(("waits for", waits_for(wish)));
    }
    if let Some(error) = &standing.last_error {
        fields.push(("stopped", what(error)));
        fields.push(("who can help", who(error.who_can_help).to_owned()));
        fields.push(("what to do", error.advice.clone()));
        fields.push(("next try", next_try(standing, now)));
    }
    fields
}

/// When a pause ends by itself; nothing where somebody has to end it.
fn until(paused: &Paused) -> String {
    match paused.until {
        Some(until) => format!(" until {until:.0}"),
        None => String::new(),
    }
}

fn waits_for(wish: &Wish) -> String {
    match (&wish.approved_by, &wish.waits_for) {
        (None, _) => "another person's approval".to_owned(),
        (Some(by), None) => format!("Landfall; approved by {by}"),
        (Some(by), Some(what)) => format!("{what}; approved by {by}"),
    }
}

/// What a list says about an account beside its phase: what people would miss otherwise.
pub(super) fn remarks(account: &Account) -> String {
    let standing = &account.standing;
    let mut remarks = Vec::new();
    if let Some(paused) = &standing.paused {
        remarks.push(format!(
            "PAUSED{} by {}: {}",
            until(paused),
            paused.by,
            paused.reason
        ));
    }
    if account.aws_state != AwsState::Active {
        remarks.push(format!(
            "{} in AWS",
            account.aws_state.name().replace('_', " ")
        ));
    }
    if let Some(wish) = &standing.wish {
        let word = match wish.approved_by {
            None => "waits for approval",
            Some(_) => "approved",
        };
        remarks.push(format!("{}: {word}", wish.action.name()));
    }
    if let Some(error) = &standing.last_error {
        remarks.push(format!("stopped at {}", error.operation));
    }
    remarks.join("; ")
}

/// As lines below the steps of a request that is followed.
pub(super) fn lines(standing: &Standing, now: Timestamp) -> Vec<String> {
    let Some(error) = &standing.last_error else {
        return Vec::new();
    };
    vec![
        format!("  ! {}", what(error)),
        format!("    {} can help: {}", who(error.who_can_help), error.advice),
        format!("    next try {}", next_try(standing, now)),
    ]
}

fn what(error: &CellError) -> String {
    format!("{}: {}", error.operation, error.message)
}

/// Who can help, as the subject of a sentence.
pub(super) fn who(help: Help) -> &'static str {
    match help {
        Help::Nobody => "time alone",
        Help::Requester => "the requester",
        Help::PlatformTeam => "the platform team",
        Help::AwsSupport => "AWS Support",
    }
}

fn next_try(standing: &Standing, now: Timestamp) -> String {
    match standing.due_at {
        _ if standing.paused.is_some() => "after the pause".to_owned(),
        Some(at) if at > now => {
            format!("in {} s", at.duration_since(now).as_secs() + 1)
        }
        Some(_) | None => "now".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_says_what_failed_who_can_help_what_to_do_and_when_the_next_try_is() {
        let standing: Standing = serde_json::from_value(json!({
            "due_at": "2026-11-22T10:01:00Z",
            "last_error": {
                "kind": "quota", "operation": "organizations:CreateAccount", "message": "too many",
                "who_can_help": "aws_support", "advice": "Ask.",
            },
        }))
        .unwrap();
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        assert_eq!(
            lines(&standing, now),
            [
                "  ! organizations:CreateAccount: too many",
                "    AWS Support can help: Ask.",
                "    next try in 61 s",
            ]
        );
        assert_eq!(fields(&standing, now).len(), 4);
        assert_eq!(fields(&Standing::default(), now), []);
    }
}
