//! One call of a planner or copier, whichever host makes it.

use std::time::Duration;

use ossferry_core::time::Timestamp;

use crate::lease::Claimant;
use crate::ledger::Ledger;
use crate::messages::Message;

/// How long after an invocation's deadline its leases end. Every request to the target has a deadline
/// before the invocation's, so that by then nothing of it is in flight.
pub const LEASE_MARGIN: Duration = Duration::from_mins(1);

/// One call of a function.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Unique for the call: the host's worker and a number.
    pub owner: String,
    /// When the call must have returned, by the ledger's clock.
    pub deadline: Timestamp,
}

/// What the host is to do with the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Handled {
    /// It is dealt with: acknowledge it.
    Done,
    /// Another worker has the work, or it may be possible later: deliver it again after this time.
    Later(Duration),
}

/// Why a message was not dealt with. It is to be delivered again.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct HandlerError {
    /// Whether another attempt may succeed.
    pub is_transient: bool,
    /// A lower-case fragment.
    pub message: String,
}

/// Works on one message, whichever host received it: a planner or a copier.
#[async_trait::async_trait]
pub trait Handler: Send + Sync {
    /// Returns before the invocation's deadline. Everything it does may be repeated.
    async fn work(
        &self,
        message: &Message,
        invocation: &Invocation,
    ) -> Result<Handled, HandlerError>;
}

impl Ledger {
    /// The same ledger for one invocation: nothing is written or sent through it once its leases have
    /// ended. A process that stood still meanwhile finds out before it does harm.
    #[must_use]
    pub fn within(&self, invocation: &Invocation) -> Self {
        let write_until = Some(self.claimant_of(invocation).lease_until);
        Self { write_until, ..self.clone() }
    }

    /// The claimant of an invocation.
    pub fn claimant_of(&self, invocation: &Invocation) -> Claimant {
        let now = self.now();
        Claimant {
            owner: invocation.owner.clone(),
            now,
            lease_until: invocation.deadline.max(now).plus(LEASE_MARGIN),
            known_dead: self.known_dead.clone(),
        }
    }
}
