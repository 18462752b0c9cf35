//! Lists come in pages. A cursor says where the next one begins; what is in it is nobody's business but ours.

use landfall_model::account::Phase;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::Problem;
use crate::store;

/// How many items a page has when nobody says, and at most.
const DEFAULT_LIMIT: u32 = 50;
pub(super) const MOST: u32 = 500;

/// One page of a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Send it back as `cursor` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The page's size that was asked for.
pub(super) fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked {
        None => Ok(DEFAULT_LIMIT),
        Some(limit @ 1..=MOST) => Ok(limit),
        Some(_) => Err(Problem::bad_parameter(
            "limit",
            format!("must be from 1 to {MOST}"),
        )),
    }
}

/// A query's or path's text as the name that it has to be.
pub(super) fn parse<T: std::str::FromStr<Err = E>, E: std::fmt::Display>(
    parameter: &str,
    text: Option<&str>,
) -> Result<Option<T>, Problem> {
    text.map(str::parse)
        .transpose()
        .map_err(|error| Problem::bad_parameter(parameter, format!("is wrong: {error}")))
}

/// A query's phase.
pub(super) fn phase(text: Option<&str>) -> Result<Option<Phase>, Problem> {
    let Some(text) = text else {
        return Ok(None);
    };
    Phase::from_name(text).map(Some).ok_or_else(|| {
        let names = Phase::ALL.map(Phase::name).join(", ");
        Problem::bad_parameter("phase", format!("is one of {names}"))
    })
}

impl<T, R: From<T>> From<store::Page<T>> for Page<R> {
    fn from(page: store::Page<T>) -> Self {
        Page {
            items: page.items.into_iter().map(R::from).collect(),
            next_cursor: page.next,
        }
    }
}
