//! What goes out: nothing, a few bytes, or a stream whose length is proved before it looks complete.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::task::AtomicWaker;
use http_body::{Body, Frame, SizeHint};
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::ports::ObjectBody;
use tokio::time::{Instant, Sleep, sleep};

use crate::pace::Pace;
use crate::token_bucket::Owed;

/// The body of a request as hyper takes it.
pub(crate) enum RequestBody {
    Empty,
    Bytes(Option<Bytes>),
    Stream(Box<StreamBody>),
}

/// Ends the connection. What happened stands in [`Progress`].
#[derive(Debug)]
pub(crate) struct BodyEnded;

impl fmt::Display for BodyEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request's body ended early")
    }
}

impl std::error::Error for BodyEnded {}

impl From<Infallible> for BodyEnded {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A streaming body as the sender of the request sees it.
pub(crate) struct Progress {
    began: Instant,
    /// Milliseconds after `began`, in the future while the pace holds the body back.
    moved_after: AtomicU64,
    handed_over: AtomicBool,
    cancelled: AtomicBool,
    waker: AtomicWaker,
    error: Mutex<Option<PortError>>,
}

impl Progress {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            moved_after: AtomicU64::new(0),
            handed_over: AtomicBool::new(false),
            cancelled: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            error: Mutex::new(None),
        })
    }

    fn moved(&self, held_back: Duration) {
        let millis = (self.began.elapsed() + held_back).as_millis();
        self.moved_after.store(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// When the body last moved.
    pub(crate) fn moved_at(&self) -> Instant {
        self.began + Duration::from_millis(self.moved_after.load(Ordering::Relaxed))
    }

    /// Whether every byte was given to the connection.
    pub(crate) fn is_handed_over(&self) -> bool {
        self.handed_over.load(Ordering::Acquire)
    }

    /// Why the body ended early.
    pub(crate) fn take_error(&self) -> Option<PortError> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Stops a body that is still being sent when the request or its answer is dropped: the connection
/// would go on reading it otherwise.
pub(crate) struct SendGuard(pub(crate) Arc<Progress>);

impl Drop for SendGuard {
    fn drop(&mut self) {
        self.0.cancelled.store(true, Ordering::Release);
        self.0.waker.wake();
    }
}

pub(crate) struct StreamBody {
    operation: &'static str,
    stream: ObjectBody,
    /// Bytes not yet taken from the stream.
    missing: u64,
    /// Bytes not yet given to the connection.
    unsent: u64,
    /// The last bytes wait here until the stream has ended well.
    held: Option<Bytes>,
    progress: Arc<Progress>,
    pace: Pace,
    /// What was passed on too early, and until when it is waited for.
    pause: Option<(Owed, Pin<Box<Sleep>>)>,
}

impl StreamBody {
    pub(crate) fn new(
        operation: &'static str,
        bytes: u64,
        stream: ObjectBody,
        pace: Pace,
    ) -> (Self, SendGuard) {
        let progress = Progress::new();
        let guard = SendGuard(Arc::clone(&progress));
        let (missing, unsent, held, pause) = (bytes, bytes, None, None);
        (Self { operation, stream, missing, unsent, held, progress, pace, pause }, guard)
    }

    /// The stream's next bytes, the last of them only once it has ended.
    pub(crate) fn poll_bytes(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, PortError>> {
        while let Some((owed, pause)) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            match self.pace.bytes_wait(*owed) {
                None => self.pause = None,
                Some(wait) => {
                    self.progress.moved(wait);
                    pause.as_mut().reset(Instant::now() + wait);
                }
            }
        }
        loop {
            let next = ready!(self.stream.as_mut().poll_next(cx));
            self.progress.moved(Duration::ZERO);
            let chunk = match next {
                Some(Ok(chunk)) if chunk.is_empty() => continue,
                Some(Ok(chunk)) => chunk,
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None if self.missing == 0 => {
                    self.progress.handed_over.store(true, Ordering::Release);
                    return Poll::Ready(Ok(self.held.take()));
                }
                None => return Poll::Ready(Err(self.wrong_length("fewer"))),
            };
            let Some(missing) = self.missing.checked_sub(chunk.len() as u64) else {
                return Poll::Ready(Err(self.wrong_length("more")));
            };
            self.missing = missing;
            let owed = self.pace.spend_bytes(chunk.len());
            if missing > 0 {
                self.pause = owed.map(|owed| (owed, Box::pin(sleep(Duration::ZERO))));
                return Poll::Ready(Ok(Some(chunk)));
            }
            self.held = Some(chunk);
        }
    }

    fn wrong_length(&self, word: &str) -> PortError {
        let operation = self.operation;
        PortError::new(
            ErrorKind::BadAnswer,
            format!("{operation}: the source gave {word} bytes than it announced"),
        )
        .concluding(Conclusion::NotDone)
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyEnded>>> {
        self.progress.waker.register(cx.waker());
        if self.progress.cancelled.load(Ordering::Acquire) {
            return Poll::Ready(Some(Err(BodyEnded)));
        }
        Poll::Ready(match ready!(self.poll_bytes(cx)) {
            Ok(Some(chunk)) => {
                self.unsent -= chunk.len() as u64;
                Some(Ok(Frame::data(chunk)))
            }
            Ok(None) => None,
            Err(error) => {
                *self.progress.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Some(Err(BodyEnded))
            }
        })
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyEnded;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyEnded>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Bytes(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(stream) => stream.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Bytes(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Stream(stream) => stream.unsent == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
            Self::Stream(stream) => stream.unsent,
        })
    }
}
