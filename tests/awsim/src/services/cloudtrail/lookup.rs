//! `LookupEvents`: the call's own rules. awsim writes no events, so nothing is ever found.

use jiff::Timestamp;
use serde_json::json;

use crate::call::{Answer, AwsError, Call};

pub(super) fn events(call: &Call<'_>) -> Answer {
    let time = |member| call.text(member).and_then(|t| t.parse::<Timestamp>().ok());
    if let (Some(start), Some(end)) = (time("StartTime"), time("EndTime"))
        && start > end
    {
        return Err(AwsError::new(
            "InvalidTimeRangeException",
            "The start time must not be after the end time.",
        ));
    }
    if call.list("LookupAttributes").len() > 1 {
        return Err(AwsError::new(
            "InvalidLookupAttributesException",
            "You can use only one lookup attribute.",
        ));
    }
    if call.text("NextToken").is_some() {
        return Err(AwsError::new(
            "InvalidNextTokenException",
            "The token is not valid.",
        ));
    }
    Ok(json!({ "Events": [] }))
}
