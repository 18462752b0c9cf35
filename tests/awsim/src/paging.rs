//! Pages as AWS cuts them: opaque tokens, a limit, and for some services pages that are empty and still go on.

use serde_json::{Map, Value, json};

use crate::call::{AwsError, Call};

/// How one list operation pages. Member names are the model's.
pub struct Paging {
    /// Where the items go, `Accounts`.
    pub items: &'static str,
    /// The input member with the caller's page size, `MaxResults`.
    pub limit: &'static str,
    /// The input member with the token, and the output member with the next.
    pub token: (&'static str, &'static str),
    /// Page size when the caller names none, which is also the most he may get.
    pub most: usize,
    /// The error code for a token that this operation never issued.
    pub bad_token: &'static str,
    /// Whether the first page of more than one comes empty, as Organizations' may.
    pub empty_first: bool,
}

impl Paging {
    /// Cuts the page that `call` asks for out of all `items`.
    pub fn page(&self, call: &Call<'_>, items: Vec<Value>) -> Result<Map<String, Value>, AwsError> {
        let limit = call
            .integer(self.limit)
            .and_then(|n| usize::try_from(n).ok())
            .filter(|n| *n > 0);
        let limit = limit.unwrap_or(self.most).min(self.most);
        let prefix = format!("{}.{}.", call.service, call.operation);
        let (start, first) = match call.text(self.token.0) {
            None | Some("") => (0, true),
            Some(token) => match token
                .strip_prefix(&prefix)
                .and_then(|n| n.parse::<usize>().ok())
            {
                Some(start) if start <= items.len() => (start, false),
                _ => return Err(AwsError::new(self.bad_token, "The token is not valid.")),
            },
        };
        let size = if self.empty_first && first && items.len() > limit {
            0
        } else {
            limit
        };
        let end = (start + size).min(items.len());
        let more = end < items.len();
        let mut page = Map::new();
        page.insert(
            self.items.to_owned(),
            items.into_iter().skip(start).take(size).collect(),
        );
        if more {
            page.insert(self.token.1.to_owned(), json!(format!("{prefix}{end}")));
        }
        Ok(page)
    }
}
