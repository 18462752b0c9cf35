//! Events from AWS: where to look now, and who is to be named.
//!
//! ```text
//! receive ──► read ──► whose cells, of which controls? ──► touch them: due now, with a name ──► delete
//! ```
//!
//! An event never says what is so. It makes cells due, and the reconciler looks for itself; so a lost event costs time, a
//! repeated one a look, one out of order nothing, and a forged one no more than a look. Nothing here can stop the engine:
//! what cannot be read is dropped with a line in the log, and a queue that does not answer is asked again later.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use landfall_controls::queue::{Message, Queue, QueueAddress};
use landfall_controls::registry;
use landfall_model::cell::CellKey;
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::cloud_event::CloudEvent;
use landfall_model::concern::{self, Whose};
use landfall_model::ids::{AccountId, ControlId, Region, TargetId};
use landfall_model::place::Organization;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{Engine, PassError, chain, clock};
use crate::store::Touch;

/// After how long messages come again that could not be written down.
const AGAIN_SECONDS: i32 = 10;

/// The longest wait for a queue that cannot be received from: to ask is one call, and whoever makes the queue, or allows
/// Landfall to receive from it, looks whether it helped.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// What became of an event: the label of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Cells are due now.
    Touched,
    /// Landfall's own doing.
    Own,
    /// AWS refused the call.
    Refused,
    /// It concerns no control, or none that there is.
    Unconcerned,
    /// It concerns an account that Landfall does not have.
    UnknownAccount,
    Unreadable,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Outcome::Touched => "touched",
            Outcome::Own => "own",
            Outcome::Refused => "refused",
            Outcome::Unconcerned => "unconcerned",
            Outcome::UnknownAccount => "unknown_account",
            Outcome::Unreadable => "unreadable",
        }
    }
}

/// Touches by target and cell: of several of one cell, the latest.
type Touches = BTreeMap<TargetId, BTreeMap<CellKey, Touch>>;

impl Engine {
    /// Receives events until `shutdown`. Several replicas may share a queue.
    pub async fn listen(self, address: QueueAddress, shutdown: CancellationToken) {
        let mut failures = 0;
        while !shutdown.is_cancelled() {
            // Nothing is lost when this is dropped: what was not deleted comes again.
            let round = tokio::select! {
                round = self.receive_events(&address) => round,
                () = shutdown.cancelled() => return,
            };
            let Err(error) = round else {
                failures = 0;
                continue;
            };
            failures += 1;
            let kind = match &error {
                PassError::Cloud(error) => error.kind,
                PassError::Store(_) | PassError::LeaseLost => CloudErrorKind::Unavailable,
            };
            let delay = kind.retry(failures).delay().min(ASK_AGAIN);
            warn!(
                error = %chain(&error),
                delay_ms = delay.as_millis(),
                "events cannot be received; drift is found by looking alone until then"
            );
            tokio::select! {
                () = clock::pause(delay) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn receive_events(&self, address: &QueueAddress) -> Result<(), PassError> {
        let organization = self.organization().await?;
        let home = &self.landing_zone.home_region;
        let security = organization.security_account.as_ref();
        let queue = Queue::open(&self.cloud, address, home, security).await?;
        let messages = queue.receive().await?;
        if let Err(error) = self.take_in(&organization, &messages).await {
            for message in &messages {
                // Where even this fails it comes again by itself, only later.
                if let Err(error) = queue.postpone(message, AGAIN_SECONDS).await {
                    debug!(%error, "a message could not be postponed");
                }
            }
            return Err(error);
        }
        queue.delete(&messages).await?;
        Ok(())
    }

    /// Writes down what messages say. Doing so again changes nothing but the time of the next look.
    async fn take_in(
        &self,
        organization: &Organization,
        messages: &[Message],
    ) -> Result<(), PassError> {
        let mut touches = Touches::new();
        for message in messages {
            let outcome = self.read(organization, message, &mut touches).await?;
            metrics::counter!("landfall_events_total", "outcome" => outcome.name()).increment(1);
        }
        for (target, touches) in touches {
            let touches: Vec<Touch> = touches.into_values().collect();
            self.store.touch(target, &touches, self.clock.now()).await?;
        }
        Ok(())
    }

    async fn read(
        &self,
        organization: &Organization,
        message: &Message,
        touches: &mut Touches,
    ) -> Result<Outcome, PassError> {
        let event = match CloudEvent::parse(&message.body) {
            Ok(event) => event,
            Err(error) => {
                warn!(message_id = message.id, %error, "a message of the events queue cannot be read and is dropped");
                return Ok(Outcome::Unreadable);
            }
        };
        let lag = self
            .clock
            .now()
            .duration_since(event.at)
            .max(SignedDuration::ZERO);
        let lag = Duration::try_from(lag).unwrap_or_default();
        metrics::histogram!("landfall_event_lag_seconds").record(lag.as_secs_f64());
        let roles = &self.landing_zone.roles;
        if event.is_by(&[&roles.management, &roles.execution]) {
            return Ok(Outcome::Own);
        }
        if event.refused {
            return Ok(Outcome::Refused);
        }
        let cells = self.cells_of(organization, &event);
        if cells.is_empty() {
            return Ok(Outcome::Unconcerned);
        }
        let mut known = false;
        for (owner, key) in cells {
            let Some(target) = self.target_of(owner).await? else {
                continue;
            };
            known = true;
            let touch = Touch {
                key: key.clone(),
                event: event.name.clone(),
                actor: event.actor.clone(),
                source_ip: event.source_ip.clone(),
                at: event.at,
            };
            let cells = touches.entry(target).or_default();
            if cells.get(&key).is_none_or(|there| there.at <= touch.at) {
                cells.insert(key, touch);
            }
        }
        if !known {
            return Ok(Outcome::UnknownAccount);
        }
        info!(
            event = event.name,
            account = %event.account,
            region = %event.region,
            "{} was called in {}: looking at what it may have changed",
            event.name,
            event.account
        );
        Ok(Outcome::Touched)
    }

    /// The cells that an event concerns, with their account; `None` for the organization.
    fn cells_of(
        &self,
        organization: &Organization,
        event: &CloudEvent,
    ) -> Vec<(Option<AccountId>, CellKey)> {
        let mut cells = Vec::new();
        for (whose, id) in concern::concerns(&event.service, &event.name) {
            let Some(key) = self.key_of(id, &event.region) else {
                continue;
            };
            match whose {
                Whose::Callers => cells.push((Some(event.account.clone()), key)),
                Whose::Named => {
                    cells.extend(event.named.iter().map(|id| (Some(id.clone()), key.clone())));
                }
                // What an application's account does in its own services is none of the organization's business.
                Whose::Organizations if organization.owns(&event.account) => {
                    cells.push((None, key));
                }
                Whose::Organizations => {}
            }
        }
        cells
    }

    /// The cell of a control that an event in a Region is about, if there is such a control and the Region is governed.
    fn key_of(&self, control: &str, region: &Region) -> Option<CellKey> {
        let control: ControlId = control.parse().ok()?;
        let scope = registry::control(&control)?.descriptor().scope;
        let zone = &self.landing_zone;
        let region = if scope.is_regional() {
            zone.governed_regions
                .iter()
                .find(|governed| *governed == region)?
        } else {
            &zone.home_region
        };
        Some(CellKey {
            region: region.clone(),
            control,
        })
    }

    async fn target_of(&self, account: Option<AccountId>) -> Result<Option<TargetId>, PassError> {
        let Some(number) = account else {
            return Ok(Some(TargetId::Organization));
        };
        let account = self.store.account_by_number(&number).await?;
        Ok(account.map(|account| account.target()))
    }
}
