//! Waiting for rollouts.

use landfall_model::rollout::RolloutState;
use landfall_server::store::{Rollout, Store};

use crate::world::{soon, state_of};

/// The latest rollout; there was a start.
pub async fn latest(store: &Store) -> Rollout {
    let course = store.course().await.expect("the store answers");
    course.expect("there was a start").latest
}

/// The latest rollout once it is in a state.
pub async fn reaches(store: &Store, state: RolloutState) -> Rollout {
    let reached = soon(async || {
        let latest = latest(store).await;
        (latest.state == state).then_some(latest)
    })
    .await;
    match reached {
        Some(rollout) => rollout,
        None => panic!(
            "it is never {}: {:?}\n{:?}\n{}",
            state.name(),
            latest(store).await,
            store.scp_course().await.map(|course| course.pins),
            state_of(store).await
        ),
    }
}
