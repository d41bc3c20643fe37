//! What came back: headers, and a body whose length is checked while it streams.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use http::header::{CONTENT_LENGTH, DATE};
use http::{HeaderMap, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::ports::ObjectBody;
use ossferry_core::time::Timestamp;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::date::parse_http_date;
use crate::lane::error_chain;
use crate::pace::Permit;
use crate::request_body::SendGuard;
use crate::token_bucket::Owed;

/// An answer whose body is still to be read. The lane counts it as in flight until then.
pub struct LaneResponse {
    /// As received.
    pub status: StatusCode,
    /// As received.
    pub headers: HeaderMap,
    stream: ResponseStream,
}

impl LaneResponse {
    pub(crate) fn new(
        operation: &'static str,
        response: http::Response<Incoming>,
        permit: Permit,
        sending: Option<SendGuard>,
        stall_timeout: Duration,
    ) -> Self {
        let (head, incoming) = response.into_parts();
        let stream = ResponseStream {
            operation,
            incoming,
            missing: None,
            in_flight: Some((permit, sending)),
            stall: StallClock { limit: stall_timeout, waiting_since: None, sleep: None },
            pause: None,
            done: false,
        };
        Self { status: head.status, headers: head.headers, stream }
    }

    /// A header as text; `None` where it is absent or not ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The answering server's clock.
    pub fn date(&self) -> Option<Timestamp> {
        self.header(DATE.as_str()).and_then(parse_http_date)
    }

    /// `Content-Length` in bytes. Of a HEAD: what a GET would send.
    pub fn content_length(&self) -> Option<u64> {
        self.header(CONTENT_LENGTH.as_str())?.trim().parse().ok()
    }

    /// Reads the whole body, which must not be longer than `bytes_max`.
    ///
    /// Fails with `BadAnswer` on a longer one, `Connection` on one that ends early, `Timeout` on one
    /// that stands still.
    pub async fn collect(self, bytes_max: usize) -> Result<Bytes, PortError> {
        // Said by nearly every server: nothing is copied again while the body grows.
        let said = self.content_length().and_then(|length| usize::try_from(length).ok());
        let mut stream = self.stream;
        let Some(first) = stream.next().await.transpose()? else { return Ok(Bytes::new()) };
        let mut whole: Option<BytesMut> = None;
        let mut bytes = first.len();
        while let Some(chunk) = stream.next().await.transpose()? {
            bytes += chunk.len();
            if bytes > bytes_max {
                break;
            }
            let whole = whole.get_or_insert_with(|| {
                let mut whole = BytesMut::with_capacity(said.unwrap_or(bytes).min(bytes_max));
                whole.extend_from_slice(&first);
                whole
            });
            whole.extend_from_slice(&chunk);
        }
        if bytes > bytes_max {
            return Err(stream.error(ErrorKind::BadAnswer, "the answer is too long"));
        }
        Ok(whole.map_or(first, BytesMut::freeze))
    }

    /// The body as an object's bytes, of which exactly `bytes` must come: fewer and more are errors.
    ///
    /// Its chunks are those of the connection, not copied, and count against the pace's bytes a
    /// second.
    pub fn into_object_body(self, bytes: u64) -> ObjectBody {
        Box::pin(ResponseStream { missing: Some(bytes), ..self.stream })
    }
}

/// First byte, last byte and the length of the whole, of a `Content-Range` as in `bytes 0-9/443`.
pub fn content_range(spelled: &str) -> Option<(u64, u64, u64)> {
    let (range, size) = spelled.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?, size.parse().ok()?))
}

struct ResponseStream {
    operation: &'static str,
    incoming: Incoming,
    /// Of an object's bytes: how many are still to come.
    missing: Option<u64>,
    in_flight: Option<(Permit, Option<SendGuard>)>,
    stall: StallClock,
    pause: Option<(Owed, Pin<Box<Sleep>>)>,
    done: bool,
}

impl ResponseStream {
    fn error(&self, kind: ErrorKind, what: impl std::fmt::Display) -> PortError {
        PortError::new(kind, format!("{}: {what}", self.operation))
    }

    fn end(&mut self, error: Option<PortError>) -> Poll<Option<Result<Bytes, PortError>>> {
        self.done = true;
        self.in_flight = None;
        Poll::Ready(error.map(Err))
    }

    /// Takes note of bytes that arrived.
    fn passed(&mut self, bytes: usize) -> Result<(), PortError> {
        let Some(missing) = &mut self.missing else { return Ok(()) };
        let Some(left) = missing.checked_sub(bytes as u64) else {
            return Err(self.error(ErrorKind::BadAnswer, "the body is longer than it should be"));
        };
        *missing = left;
        let owed = self.in_flight.as_ref().and_then(|(permit, _)| permit.pace().spend_bytes(bytes));
        let owed = owed.filter(|_| left > 0);
        self.pause = owed.map(|owed| (owed, Box::pin(sleep(Duration::ZERO))));
        if left == 0 && self.incoming.is_end_stream() {
            self.in_flight = None;
        }
        Ok(())
    }
}

impl Stream for ResponseStream {
    type Item = Result<Bytes, PortError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.done {
            return Poll::Ready(None);
        }
        while let Some((owed, pause)) = &mut this.pause {
            ready!(pause.as_mut().poll(cx));
            let pace = this.in_flight.as_ref().map(|(permit, _)| permit.pace());
            match pace.and_then(|pace| pace.bytes_wait(*owed)) {
                None => this.pause = None,
                Some(wait) => pause.as_mut().reset(Instant::now() + wait),
            }
        }
        loop {
            let Poll::Ready(next) = Pin::new(&mut this.incoming).poll_frame(cx) else {
                if !this.stall.has_run_out(cx) {
                    return Poll::Pending;
                }
                if let Some((permit, _)) = &this.in_flight {
                    permit.throttled(None);
                }
                let error = this.error(ErrorKind::Timeout, "the body stands still");
                return this.end(Some(error));
            };
            this.stall.waiting_since = None;
            match next {
                Some(Ok(frame)) => {
                    let Ok(chunk) = frame.into_data() else { continue };
                    if let Err(error) = this.passed(chunk.len()) {
                        return this.end(Some(error));
                    }
                    return Poll::Ready(Some(Ok(chunk)));
                }
                Some(Err(error)) => {
                    let error = this.error(ErrorKind::Connection, error_chain(&error));
                    return this.end(Some(error));
                }
                None => {
                    let error = this.missing.filter(|missing| *missing > 0).map(|missing| {
                        this.error(
                            ErrorKind::Connection,
                            format_args!("the body ended {missing} bytes early"),
                        )
                    });
                    return this.end(error);
                }
            }
        }
    }
}

/// Runs only while somebody waits for bytes: a reader that pauses is no stalled server.
struct StallClock {
    limit: Duration,
    waiting_since: Option<Instant>,
    /// Kept from wait to wait: set again only when it fires too early.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl StallClock {
    fn has_run_out(&mut self, cx: &mut Context<'_>) -> bool {
        let now = Instant::now();
        let due = *self.waiting_since.get_or_insert(now) + self.limit;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
        while sleep.as_mut().poll(cx).is_ready() {
            if now >= due {
                return true;
            }
            sleep.as_mut().reset(due);
        }
        false
    }
}
