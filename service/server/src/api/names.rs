//! Names from outside, checked against what there is: a mistyped one is an error that says what there is instead, and not a
//! list that stays empty for ever.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use landfall_controls::registry;
use landfall_model::ids::{ControlId, OuPath, Region};
use landfall_model::landing_zone::LandingZone;
use landfall_model::request::FieldError;

use super::Api;
use super::page;
use super::problem::Problem;
use crate::store::AccountFilter;

/// A list of what there is gets no longer than this in an error.
const MOST_NAMED: usize = 40;

/// Wrong names of a body, each with a pointer and what there is instead.
#[derive(Default)]
pub(super) struct Wrong(pub(super) Vec<FieldError>);

impl Wrong {
    /// The names of a field that are names of something there is.
    pub(super) fn names<T: FromStr + Ord + Display>(
        &mut self,
        field: &str,
        texts: &[String],
        what: &str,
        there_are: &BTreeSet<T>,
    ) -> BTreeSet<T> {
        let mut names = BTreeSet::new();
        for (index, text) in texts.iter().enumerate() {
            match text.parse::<T>() {
                Ok(name) if there_are.contains(&name) => {
                    names.insert(name);
                }
                _ => self.0.push(FieldError {
                    pointer: format!("/{field}/{index}"),
                    rule: unknown(what, text, there_are),
                }),
            }
        }
        names
    }
}

pub(super) fn units(zone: &LandingZone) -> BTreeSet<OuPath> {
    let units = zone.organizational_units.iter();
    units.map(|unit| unit.path.clone()).collect()
}

pub(super) fn regions(zone: &LandingZone) -> BTreeSet<Region> {
    zone.governed_regions.iter().cloned().collect()
}

pub(super) fn controls() -> BTreeSet<ControlId> {
    registry::controls().keys().cloned().collect()
}

impl Api {
    /// A query's governed Region.
    pub(super) fn region_filter(&self, text: Option<&str>) -> Result<Option<Region>, Problem> {
        one(
            "region",
            text,
            "governed Region",
            &regions(&self.landing_zone),
        )
    }

    /// A query's OU: one of the landing zone's, or one that it does not have any more and somebody still stands in.
    pub(super) async fn unit_filter(&self, text: Option<&str>) -> Result<Option<OuPath>, Problem> {
        const PARAMETER: &str = "organizational_unit";
        let unit: Option<OuPath> = page::parse(PARAMETER, text)?;
        if unit.is_some() {
            let filter = AccountFilter {
                organizational_unit: unit.clone(),
                ..AccountFilter::default()
            };
            let zone = units(&self.landing_zone);
            if !unit.iter().all(|unit| zone.contains(unit))
                && self
                    .store
                    .accounts(&filter, None, 1)
                    .await?
                    .items
                    .is_empty()
            {
                return one(PARAMETER, text, "organizational unit", &zone);
            }
        }
        Ok(unit)
    }
}

/// A query's control.
pub(super) fn control_filter(text: Option<&str>) -> Result<Option<ControlId>, Problem> {
    one("control", text, "control", &controls())
}

/// A query's name, which has to be one of something there is.
fn one<T: FromStr + Ord + Display>(
    parameter: &str,
    text: Option<&str>,
    what: &str,
    there_are: &BTreeSet<T>,
) -> Result<Option<T>, Problem> {
    let Some(text) = text else {
        return Ok(None);
    };
    match text.parse::<T>() {
        Ok(name) if there_are.contains(&name) => Ok(Some(name)),
        // A name of another form is one that there is not, too.
        _ => {
            let rule = format!("is wrong: {}", unknown(what, text, there_are));
            Err(Problem::bad_parameter(parameter, rule))
        }
    }
}

fn unknown<T: Display>(what: &str, text: &str, there_are: &BTreeSet<T>) -> String {
    let mut names: Vec<String> = there_are
        .iter()
        .take(MOST_NAMED)
        .map(ToString::to_string)
        .collect();
    if there_are.len() > MOST_NAMED {
        names.push(format!("and {} more", there_are.len() - MOST_NAMED));
    }
    format!(
        "there is no {what} `{text}`; there are {}",
        names.join(", ")
    )
}
