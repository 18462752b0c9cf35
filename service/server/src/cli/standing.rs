//! What keeps an account from getting on, for people: what failed, who can help, what to do, when the next try is.

use jiff::Timestamp;
use landfall_model::cloud_error::Help;

use crate::api::cells::CellError;
use crate::api::standing::Standing;

/// As named values below those of an account or a request; none when nothing is in the way.
pub(super) fn fields(standing: &Standing, now: Timestamp) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    if let Some(paused) = &standing.paused {
        let why = format!(
            "since {:.0} by {}: {}",
            paused.since, paused.by, paused.reason
        );
        fields.push(("PAUSED", why));
    }
    if let Some(error) = &standing.last_error {
        fields.push(("stopped", what(error)));
        fields.push(("who can help", who(error.who_can_help).to_owned()));
        fields.push(("what to do", error.advice.clone()));
        fields.push(("next try", next_try(standing, now)));
    }
    fields
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
