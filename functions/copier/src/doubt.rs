//! PUTs of which nobody knows whether they will still take effect.

use std::sync::atomic::Ordering;

use ossferry_core::error::{Conclusion, PortError};

use crate::session::Session;
use crate::tap::Tap;

/// Watches one PUT. Where it is dropped, or ends without telling what became of it, after its body was
/// read to the end, the object may be stored at any time until the lease has ended: nobody may be
/// writing a newer one by then.
pub(crate) struct Doubt<'a> {
    session: &'a Session,
    tap: &'a Tap,
    is_open: bool,
}

impl<'a> Doubt<'a> {
    pub(crate) fn of(session: &'a Session, tap: &'a Tap) -> Self {
        Self { session, tap, is_open: true }
    }

    /// The PUT was answered.
    pub(crate) fn settle<T>(mut self, answer: &Result<T, PortError>) {
        let is_unknown =
            answer.as_ref().is_err_and(|error| error.conclusion == Conclusion::Unknown);
        self.is_open = is_unknown;
    }
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if self.is_open && self.tap.whole().is_some() {
            self.session.in_doubt.store(true, Ordering::Relaxed);
        }
    }
}
