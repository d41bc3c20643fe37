//! Who signs for a service and by which clock, and what a refusal of either mends.

use std::sync::atomic::{AtomicI64, Ordering};

use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::time::{Clock, Timestamp};
use ossferry_http::Identity;

/// A clock that is wrong by less than this is not what the service complained of.
const SKEW_MILLIS: u64 = 60_000;

/// The local clock, corrected where the service says that it is wrong.
pub(crate) struct CorrectedClock {
    clock: Clock,
    /// What the service's clock is ahead of ours, in milliseconds.
    offset: AtomicI64,
}

impl CorrectedClock {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, offset: AtomicI64::new(0) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let offset = self.offset.load(Ordering::Relaxed);
        Timestamp((self.clock)().0.saturating_add(offset))
    }

    /// Takes over the service's time. Says whether that makes a difference.
    fn corrects(&self, their_time: Option<Timestamp>) -> bool {
        let Some(theirs) = their_time else { return false };
        let offset = theirs.0.saturating_sub((self.clock)().0);
        let before = self.offset.swap(offset, Ordering::Relaxed);
        if offset.abs_diff(before) < SKEW_MILLIS {
            return false;
        }
        tracing::warn!(offset_millis = offset, "the local clock differs from the service's");
        true
    }
}

/// The refusal of a request that was made as `identity`; one that another attempt may pass, where
/// the clock is now corrected or the credentials are renewed.
pub(crate) async fn mended(
    mut error: PortError,
    clock: &CorrectedClock,
    their_time: Option<Timestamp>,
    identity: Option<&Identity<'_>>,
) -> PortError {
    let mended = match (error.kind, identity) {
        (ErrorKind::ClockSkew, _) if clock.corrects(their_time) => {
            "the clock's offset is now corrected"
        }
        (ErrorKind::AccountRefused, Some(identity)) if identity.is_replaced().await => {
            "the credentials are now renewed"
        }
        _ => return error,
    };
    // No longer what concerns every object: the next attempt is another request.
    error.kind = ErrorKind::Other;
    error.message.extend([", ", mended]);
    error.concluding(Conclusion::NotDone)
}

/// Credentials that cannot stand in a header.
pub(crate) fn no_header_text(operation: &str) -> PortError {
    let message = format!("{operation}: the credentials are no header text");
    PortError::new(ErrorKind::AccountRefused, message)
}
