//! Answers, with the headers that every answer of OSS carries.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue, SERVER};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use ossferry_core::time::Timestamp;

use crate::clock_text::http_date;
use crate::errors::Refusal;

/// The body of an answer. It fails only where the disk does.
pub type ResponseBody = UnsyncBoxBody<Bytes, io::Error>;

/// An answer before the headers that all answers share.
pub(crate) type Answer = Response<ResponseBody>;

/// What every answer to one request carries.
pub(crate) struct Envelope {
    /// `x-oss-request-id`.
    pub(crate) request_id: String,
    /// When the request came.
    pub(crate) received: Timestamp,
}

impl Envelope {
    /// Puts the shared headers on an answer that is sent at `now`.
    pub(crate) fn seal(&self, mut answer: Answer, now: Timestamp) -> Answer {
        let headers = answer.headers_mut();
        headers.insert(SERVER, HeaderValue::from_static("AliyunOSS"));
        insert_text(headers, DATE, &http_date(now));
        insert_text(headers, REQUEST_ID, &self.request_id);
        let millis = now.since(self.received).as_millis();
        insert_text(headers, HeaderName::from_static("x-oss-server-time"), &millis.to_string());
        answer
    }

    /// The answer that says a request is refused. A HEAD has no body: the XML goes into a header.
    pub(crate) fn refuse(&self, refusal: &Refusal, host: &str, is_head: bool) -> Answer {
        let xml = refusal.xml(&self.request_id, host);
        let mut answer = if is_head {
            let mut answer = empty(refusal.status());
            let encoded = BASE64.encode(xml);
            insert_text(answer.headers_mut(), HeaderName::from_static("x-oss-err"), &encoded);
            answer
        } else {
            document(refusal.status(), xml)
        };
        let ec = HeaderValue::from_static(refusal.ec());
        answer.headers_mut().insert(HeaderName::from_static("x-oss-ec"), ec);
        answer
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-oss-request-id");

/// Makes request ids: 24 upper-case hex digits, the first eight a time.
#[derive(Debug)]
pub(crate) struct RequestIds {
    next: AtomicU64,
}

impl RequestIds {
    /// Ids that differ from those of a run which began at another millisecond.
    pub(crate) fn from(start: Timestamp) -> Self {
        Self { next: AtomicU64::new(u64::try_from(start.0).unwrap_or(0) << 20) }
    }

    /// The next one.
    pub(crate) fn next(&self, now: Timestamp) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let seconds = u32::try_from((now.0 / 1_000) & 0xFFFF_FFFF).unwrap_or(0);
        format!("{seconds:08X}{number:016X}")
    }
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = status;
    if status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED {
        answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    answer
}

/// An answer that is an XML document.
pub(crate) fn document(status: StatusCode, xml: String) -> Answer {
    let length = HeaderValue::from(xml.len());
    let body = Full::new(Bytes::from(xml)).map_err(|never| match never {}).boxed_unsync();
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_LENGTH, length);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    answer
}

/// Inserts a header whose value is made here. One that could not be a header is left out.
pub(crate) fn insert_text(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Inserts an ETag in quotes.
pub(crate) fn insert_etag(headers: &mut HeaderMap, etag: &str) {
    insert_text(headers, http::header::ETAG, &format!("\"{etag}\""));
}

/// Inserts the CRC-64/ECMA of an object or a part, in decimal.
pub(crate) fn insert_crc(headers: &mut HeaderMap, crc64_ecma: u64) {
    headers.insert(HeaderName::from_static("x-oss-hash-crc64ecma"), HeaderValue::from(crc64_ecma));
}
