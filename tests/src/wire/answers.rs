//! Answers that the script makes, shortens or breaks, and bodies that it changes.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use tokio::time::{Instant, Sleep, sleep};

use super::{Answer, Failure};

pub(super) fn error(status: StatusCode, code: &str) -> Answer {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>by script\
         </Message><RequestId>SCRIPTED</RequestId></Error>"
    );
    let mut answer = Response::new(full(Bytes::from(text)));
    *answer.status_mut() = status;
    let headers: &mut HeaderMap = answer.headers_mut();
    headers.insert("x-oss-request-id", HeaderValue::from_static("SCRIPTED"));
    headers.insert("content-type", HeaderValue::from_static("application/xml"));
    answer
}

/// As `DynamoDB` and SQS spell an error.
pub(super) fn json_error(text: &'static str) -> Answer {
    let mut answer = Response::new(full(Bytes::from_static(text.as_bytes())));
    *answer.status_mut() = StatusCode::BAD_REQUEST;
    let headers: &mut HeaderMap = answer.headers_mut();
    headers.insert("x-amzn-requestid", HeaderValue::from_static("SCRIPTED"));
    headers.insert("content-type", HeaderValue::from_static("application/x-amz-json-1.0"));
    answer
}

pub(super) fn full(bytes: Bytes) -> UnsyncBoxBody<Bytes, Failure> {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// A request's body with its last byte changed.
pub(super) async fn corrupted(body: Incoming) -> Result<UnsyncBoxBody<Bytes, Failure>, Failure> {
    let mut bytes = body.collect().await?.to_bytes().to_vec();
    if let Some(byte) = bytes.last_mut() {
        *byte ^= 1;
    }
    Ok(full(bytes.into()))
}

pub(super) fn with_body(mut parts: http::response::Parts, bytes: Bytes) -> Answer {
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    Response::from_parts(parts, full(bytes))
}

pub(super) async fn shortened(answer: Answer, bytes: usize) -> Result<Answer, Failure> {
    let (parts, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(with_body(parts, body.slice(..bytes.min(body.len()))))
}

pub(super) async fn range_shortened(answer: Answer, bytes: u64) -> Result<Answer, Failure> {
    let mut answer = shortened(answer, usize::try_from(bytes)?).await?;
    let range = answer.headers().get(CONTENT_RANGE).ok_or("no range was asked for")?.to_str()?;
    let (first, rest) = range.split_once('-').ok_or("no range")?;
    let (_, total) = rest.split_once('/').ok_or("no total")?;
    let start: u64 = first.trim_start_matches("bytes ").parse()?;
    let range = format!("bytes {start}-{}/{total}", start + bytes - 1);
    answer.headers_mut().insert(CONTENT_RANGE, HeaderValue::from_str(&range)?);
    Ok(answer)
}

/// A body that ends with an error, perhaps after standing still.
pub(super) struct Broken {
    inner: UnsyncBoxBody<Bytes, Failure>,
    left: usize,
    pause: Pin<Box<Sleep>>,
    pause_length: Duration,
    stands: bool,
}

impl Broken {
    pub(super) fn of(
        inner: UnsyncBoxBody<Bytes, Failure>,
        left: usize,
        pause: Duration,
    ) -> UnsyncBoxBody<Bytes, Failure> {
        let sleep = Box::pin(sleep(pause));
        Self { inner, left, pause: sleep, pause_length: pause, stands: false }.boxed_unsync()
    }
}

impl Body for Broken {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if self.left > 0 {
            let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
            let Some(Ok(frame)) = frame else { return Poll::Ready(frame) };
            let Ok(mut data) = frame.into_data() else { return Poll::Ready(None) };
            data.truncate(self.left);
            self.left -= data.len();
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if !self.stands {
            self.stands = true;
            let until = Instant::now() + self.pause_length;
            self.pause.as_mut().reset(until);
        }
        ready!(self.pause.as_mut().poll(cx));
        Poll::Ready(Some(Err("the script ends the body".into())))
    }
}
