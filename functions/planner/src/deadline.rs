//! When an invocation must stop working.

use std::time::Duration;

use ossferry_core::time::Timestamp;
use ossferry_ledger::Invocation;
use tokio::time::Instant;

/// Time kept before an invocation's deadline for saving what was done.
const MARGIN_MAX: Duration = Duration::from_secs(10);

/// A host without deadlines is asked again at least this often.
const WORK_MAX: Duration = Duration::from_hours(24);

/// The moment to stop and save: the deadline less a quarter of the time left, at most ten seconds.
/// `now` is the ledger's clock, which the deadline is of.
pub(crate) fn work_until(invocation: &Invocation, now: Timestamp) -> Instant {
    let left = invocation.deadline.since(now).min(WORK_MAX);
    Instant::now() + left.saturating_sub((left / 4).min(MARGIN_MAX))
}
