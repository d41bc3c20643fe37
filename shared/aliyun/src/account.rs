//! Who signs for a service and by which clock, and what a refusal of either mends.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::time::{Clock, Timestamp};
use ossferry_http::{Credentials, CredentialsProvider};

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

/// The credentials that a request is signed with, and who gave them.
pub(crate) struct Signer<'a> {
    provider: &'a Arc<dyn CredentialsProvider>,
    pub(crate) credentials: Arc<Credentials>,
}

impl<'a> Signer<'a> {
    pub(crate) async fn of(provider: &'a Arc<dyn CredentialsProvider>) -> Result<Self, PortError> {
        Ok(Self { provider, credentials: provider.credentials().await? })
    }

    /// Whether temporary credentials that were refused are replaced by others.
    async fn renews(&self) -> bool {
        if self.credentials.token.is_none() {
            return false;
        }
        self.provider.expired(&self.credentials);
        self.provider.credentials().await.is_ok_and(|now| now != self.credentials)
    }
}

/// The refusal of a request that was signed by `signer`; one that another attempt may pass, where
/// the clock is now corrected or the credentials are renewed.
pub(crate) async fn mended(
    mut error: PortError,
    clock: &CorrectedClock,
    their_time: Option<Timestamp>,
    signer: Option<&Signer<'_>>,
) -> PortError {
    let mended = match (error.kind, signer) {
        (ErrorKind::ClockSkew, _) if clock.corrects(their_time) => {
            "the clock's offset is now corrected"
        }
        (ErrorKind::AccountRefused, Some(signer)) if signer.renews().await => {
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
