//! Schemas of the words that `landfall-model` owns: made from its lists, so that the document cannot fall behind.

use crate::store::Role;
use landfall_model::account::Phase;
use landfall_model::cell::CellStatus;
use landfall_model::consent::ConsentState;
use landfall_model::plan::{PlanState, TargetStage};
use landfall_model::rollout::RolloutState;
use utoipa::openapi::schema::{ObjectBuilder, Schema};
use utoipa::openapi::{RefOr, Type};

fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> RefOr<Schema> {
    let words: Vec<&str> = words.into_iter().collect();
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .build()
        .into()
}

/// Where an account is in its life.
pub(super) fn phase() -> RefOr<Schema> {
    words(Phase::ALL.map(Phase::name))
}

/// The meaning of a cell.
pub(super) fn cell_status() -> RefOr<Schema> {
    words(CellStatus::NAMES)
}

/// Where a waiver or an exemption is in its life.
pub(super) fn consent_state() -> RefOr<Schema> {
    words(ConsentState::ALL.map(ConsentState::name))
}

/// What a plan as a whole is.
pub(super) fn plan_state() -> RefOr<Schema> {
    words(PlanState::NAMES)
}

/// How far a target of a plan has come.
pub(super) fn plan_stage() -> RefOr<Schema> {
    words(TargetStage::ALL.map(TargetStage::name))
}

/// Who can do something about a failure.
pub(super) fn help() -> RefOr<Schema> {
    words(["nobody", "requester", "platform_team", "aws_support"])
}

/// Where a rollout is.
pub(super) fn rollout_state() -> RefOr<Schema> {
    words(RolloutState::ALL.map(RolloutState::name))
}

/// What a token is for.
pub(super) fn role() -> RefOr<Schema> {
    words(Role::ALL.map(Role::name))
}
