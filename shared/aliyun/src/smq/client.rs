//! Signs requests to one queue and sends them down the lane.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, InvalidHeaderValue};
use http::{HeaderMap, HeaderValue, Method};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::meter::Meter;
use ossferry_core::time::{Clock, Timestamp};
use ossferry_core::usage;
use ossferry_http::{
    Credentials, CredentialsProvider, Endpoint, Identity, Lane, LaneBody, LaneRequest, RetryPolicy,
    asked_pause, format_http_date,
};

use crate::account::{CorrectedClock, mended, no_header_text};
use crate::smq::BodyEncoding;
use crate::smq::error::refusal;
use crate::smq::message::read_sent;
use crate::smq::sign::{self, TOKEN_HEADER, VERSION};

/// Sixteen messages of 64 KB in all, escaped sixfold at the worst, and their tags.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A queue and how to reach it.
pub struct SmqOptions {
    /// Waits longer for an answer than the half minute of a long poll.
    pub lane: Lane,
    /// `https://ACCOUNT.mns.cn-hangzhou.aliyuncs.com`.
    pub endpoint: Endpoint,
    /// The queue's name.
    pub queue: String,
    /// Who signs.
    pub credentials: Arc<dyn CredentialsProvider>,
    /// The local clock; corrected where the service says that it is wrong.
    pub clock: Clock,
    /// For requests that may be sent again.
    pub retry: RetryPolicy,
    /// How bodies are sent. Received ones are read in either encoding.
    pub body: BodyEncoding,
}

/// Requests to one queue.
pub(crate) struct SmqClient {
    pub(crate) options: SmqOptions,
    clock: CorrectedClock,
}

/// One request, before it is signed.
pub(crate) struct Call {
    pub(crate) operation: &'static str,
    pub(crate) method: Method,
    /// After `/queues/QUEUE`: `/messages` and a query with its question mark, or nothing.
    pub(crate) path: String,
    /// XML, or nothing.
    pub(crate) body: String,
}

/// What came back: a success, or a document that speaks of each message.
pub(crate) struct Answer {
    pub(crate) document: Bytes,
    /// The service's clock.
    pub(crate) date: Option<Timestamp>,
}

impl SmqClient {
    /// Fails with `Unsupported` where the name is no queue's.
    pub(crate) fn new(options: SmqOptions) -> Result<Self, PortError> {
        if !is_queue_name(&options.queue) {
            let message = format!("{:?} is no name of a queue", options.queue);
            return Err(PortError::new(ErrorKind::Unsupported, message));
        }
        let clock = CorrectedClock::new(Arc::clone(&options.clock));
        Ok(Self { options, clock })
    }

    /// Signs and sends once. Any status but a success is an error, save where the document speaks of
    /// each message of a batch.
    pub(crate) async fn send(&self, call: Call, meter: &Meter) -> Result<Answer, PortError> {
        let (options, operation) = (&self.options, call.operation);
        // Signed after the wait for a place: a signature is good for 15 minutes.
        let permit = options.lane.admit().await;
        let identity = Identity::of(&options.credentials).await?;
        let path_and_query = format!("/queues/{}{}", options.queue, call.path);
        let headers = self
            .signed(&call, &path_and_query, &identity.credentials)
            .map_err(|_| no_header_text(operation))?;
        let body = if call.body.is_empty() {
            LaneBody::Empty
        } else {
            LaneBody::Bytes(Bytes::from(call.body))
        };
        let endpoint = &options.endpoint;
        let method = call.method;
        let request = LaneRequest { operation, method, endpoint, path_and_query, headers, body };
        meter.count(usage::SMQ_REQUESTS);
        let response = options.lane.send_admitted(permit, request, meter).await?;
        let (status, date) = (response.status, response.date());
        let retry_after = asked_pause(&response.headers);
        let collected = response.collect(ANSWER_BYTES_MAX).await;
        if status.is_success() {
            return Ok(Answer { document: collected?, date });
        }
        let document = collected.unwrap_or_default();
        if read_sent(&document).is_some() {
            return Ok(Answer { document, date });
        }
        let mut error = refusal(operation, status, &document, &identity.credentials.access_key);
        error.retry_after = retry_after;
        Err(mended(error, &self.clock, date, Some(&identity)).await)
    }

    fn signed(
        &self,
        call: &Call,
        resource: &str,
        credentials: &Credentials,
    ) -> Result<HeaderMap, InvalidHeaderValue> {
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(DATE, HeaderValue::try_from(format_http_date(self.clock.now()))?);
        headers.insert("x-mns-version", HeaderValue::from_static(VERSION));
        if !call.body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml;charset=UTF-8"));
        }
        let text = sign::string_to_sign(call.method.as_str(), &headers, resource);
        let signature = sign::signature(&credentials.secret_key, &text);
        let mut line =
            HeaderValue::try_from(sign::authorization(&credentials.access_key, &signature))?;
        line.set_sensitive(true);
        headers.insert(AUTHORIZATION, line);
        if let Some(token) = &credentials.token {
            let mut token = HeaderValue::from_str(token)?;
            token.set_sensitive(true);
            headers.insert(TOKEN_HEADER, token);
        }
        Ok(headers)
    }
}

/// At most 120 letters, digits, hyphens and underscores (SMQ manual, "Limits").
fn is_queue_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=120).contains(&name.len()) && name.bytes().all(allowed)
}
