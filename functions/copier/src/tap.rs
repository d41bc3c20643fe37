//! Bytes digested while they pass, and the source's error kept for whoever reports it.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::Stream;
use ossferry_core::crc::Digester;
use ossferry_core::error::PortError;
use ossferry_core::ports::ObjectBody;
use ossferry_core::proof::Streamed;

use crate::reaction::Trouble;

/// How a body ended.
#[derive(Clone, Debug, Default)]
enum Seen {
    /// It did not: nobody read it to its end.
    #[default]
    Unfinished,
    /// Well.
    Whole(Streamed),
    /// With the source's error. The target reports one of its own about it, or none at all.
    Broken(PortError),
}

/// Tells afterwards what passed.
#[derive(Debug)]
pub(crate) struct Tap(Arc<Mutex<Seen>>);

impl Tap {
    /// Puts a tap on a body. CRC-64/NVME is computed where there is one to compare with; bytes are
    /// counted in `passed_bytes` as they pass.
    pub(crate) fn on(
        body: ObjectBody,
        with_nvme: bool,
        passed_bytes: &Arc<AtomicU64>,
    ) -> (ObjectBody, Self) {
        let seen = Arc::<Mutex<Seen>>::default();
        let tapped = TappedBody {
            body,
            digester: Digester::new(with_nvme),
            passed_bytes: Arc::clone(passed_bytes),
            seen: Arc::clone(&seen),
        };
        (Box::pin(tapped), Self(seen))
    }

    /// What passed, if the body was read to its end.
    pub(crate) fn whole(&self) -> Option<Streamed> {
        match &*self.seen() {
            Seen::Whole(streamed) => Some(*streamed),
            Seen::Unfinished | Seen::Broken(_) => None,
        }
    }

    /// Whose fault it was that the target failed while it took the body.
    pub(crate) fn blame(&self, error: PortError) -> Trouble {
        match &*self.seen() {
            Seen::Broken(cause) => Trouble::source(cause.clone()),
            Seen::Unfinished | Seen::Whole(_) => Trouble::target(error),
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct TappedBody {
    body: ObjectBody,
    digester: Digester,
    passed_bytes: Arc<AtomicU64>,
    seen: Arc<Mutex<Seen>>,
}

impl TappedBody {
    fn note(&self, seen: Seen) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }
}

impl Stream for TappedBody {
    type Item = Result<Bytes, PortError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.body.as_mut().poll_next(cx));
        match &item {
            Some(Ok(bytes)) => {
                self.digester.update(bytes);
                self.passed_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            }
            Some(Err(error)) => self.note(Seen::Broken(error.clone())),
            None => self.note(Seen::Whole(self.digester.streamed())),
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt, stream};
    use ossferry_core::crc::{crc64_ecma, crc64_nvme};
    use ossferry_core::error::ErrorKind;

    use super::*;
    use crate::reaction::Side;

    fn body(items: Vec<Result<Bytes, PortError>>) -> ObjectBody {
        Box::pin(stream::iter(items))
    }

    #[tokio::test]
    async fn a_body_read_to_its_end_is_digested_and_one_that_was_not_is_not() {
        let frames = || vec![Ok(Bytes::from_static(b"123")), Ok(Bytes::from_static(b"456789"))];
        let (mut tapped, tap) = Tap::on(body(frames()), true, &Arc::default());
        assert!(tapped.next().await.is_some() && tapped.next().await.is_some());
        assert_eq!(tap.whole(), None, "the end was not reached");
        assert!(tapped.next().await.is_none());
        let whole = Streamed {
            bytes: 9,
            crc64_ecma: crc64_ecma(b"123456789"),
            crc64_nvme: Some(crc64_nvme(b"123456789")),
        };
        assert_eq!(tap.whole(), Some(whole));
    }

    #[tokio::test]
    async fn the_source_is_blamed_for_its_own_error_only() {
        let broken = PortError::new(ErrorKind::Connection, "get: reset");
        let (mut tapped, tap) = Tap::on(body(vec![Err(broken)]), false, &Arc::default());
        let put = PortError::new(ErrorKind::Connection, "put: body ended early");
        assert_eq!(tap.blame(put.clone()).side, Side::Target);
        assert!(tapped.next().await.unwrap().is_err());
        let blamed = tap.blame(put);
        assert_eq!((blamed.side, blamed.error.message.as_str()), (Side::Source, "get: reset"));
        assert_eq!(tap.whole(), None);
    }
}
