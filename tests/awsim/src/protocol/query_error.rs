//! The error codes of a service that left the Query protocol for JSON: clients go on seeing the old ones, which a header
//! carries ("AWS Query compatible trait", Smithy's documentation).

/// `CODE;Sender` or `CODE;Receiver`, the value of `x-amzn-query-error`.
pub(super) fn header(code: &str, status: u16) -> String {
    let old = match code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
        "QueueNameExists" => "QueueAlreadyExists",
        "BatchEntryIdsNotDistinct"
        | "EmptyBatchRequest"
        | "InvalidBatchEntryId"
        | "MessageNotInflight"
        | "PurgeQueueInProgress"
        | "QueueDeletedRecently"
        | "TooManyEntriesInBatchRequest"
        | "UnsupportedOperation" => &format!("AWS.SimpleQueueService.{code}"),
        same => same,
    };
    let fault = if status < 500 { "Sender" } else { "Receiver" };
    format!("{old};{fault}")
}
