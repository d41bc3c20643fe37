//! The one account that an emulator knows, and the time it allows.

use std::fmt;
use std::time::Duration;

use ossferry_core::time::Timestamp;

/// How far a request's clock may be off.
const SKEW_MAX: Duration = Duration::from_mins(15);

/// Who may ask.
#[derive(Clone)]
pub struct Account {
    /// The one access key that is known.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// Where there is one, every request must carry it, as with temporary credentials.
    pub security_token: Option<String>,
}

impl Account {
    /// Whether a request carries the token it must.
    pub(crate) fn takes_token(&self, given: Option<&str>) -> bool {
        self.security_token.as_deref() == given
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// Whether a request that says it is of `time` is taken at `now`.
pub(crate) fn is_of_now(time: Timestamp, now: Timestamp) -> bool {
    time.since(now).max(now.since(time)) <= SKEW_MAX
}
