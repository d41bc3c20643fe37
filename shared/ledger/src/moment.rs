//! A moment by two clocks.

use std::time::Duration;

use ossferry_core::time::Timestamp;
use tokio::time::Instant;

use crate::ledger::Ledger;

/// A moment that has come as soon as one of two clocks says so: the ledger's, which somebody may put back,
/// and the process's own, which stands still while its machine is frozen.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    at: Timestamp,
    by: Instant,
}

impl Moment {
    /// So long before it.
    #[must_use]
    pub(crate) fn earlier(self, by: Duration) -> Self {
        let Self { at, by: instant } = self;
        Self { at: at.minus(by), by: instant.checked_sub(by).unwrap_or(instant) }
    }

    /// By the ledger's clock.
    pub(crate) fn at(self) -> Timestamp {
        self.at
    }
}

impl Ledger {
    /// A moment after so long; with no time at all, one that has come.
    pub fn moment_after(&self, wait: Duration) -> Moment {
        Moment { at: self.now().plus(wait), by: Instant::now() + wait }
    }

    /// How long it takes until that moment.
    pub fn until(&self, moment: Moment) -> Duration {
        moment.by.saturating_duration_since(Instant::now()).min(moment.at.since(self.now()))
    }
}
