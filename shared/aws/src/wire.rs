//! One attempt of one request: admitted, signed, sent, and its refusal understood.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::time::{Clock, Timestamp};
use ossferry_http::{
    CredentialsProvider, Identity, Lane, LaneBody, LaneRequest, LaneResponse, RetryPolicy,
};

use crate::error::{ErrorBody, bad_answer, refusal};
use crate::kind::S3Kind;
use crate::place::BucketPlace;
use crate::signer::{Signed, Signer};

/// More than an error of these services takes.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// S3 and COS refuse a request whose date is further from theirs.
const CLOCK_TOLERANCE: Duration = Duration::from_mins(15);

/// What a bucket is spoken to with. Shared by all meters of a source.
pub(crate) struct Wire {
    kind: S3Kind,
    pub(crate) lane: Lane,
    pub(crate) place: BucketPlace,
    pub(crate) retry: RetryPolicy,
    /// `None`: requests are not signed.
    pub(crate) credentials: Option<Arc<dyn CredentialsProvider>>,
    pub(crate) clock: Clock,
    signer: Signer,
    /// What is added to our clock, in milliseconds, since the service told us that it is wrong.
    clock_correction: AtomicI64,
}

/// What is asked.
pub(crate) struct Ask<'a> {
    /// As the service and the meter name it.
    pub(crate) operation: &'static str,
    /// GET, HEAD, or POST to restore.
    pub(crate) method: Method,
    /// Of the bucket itself where `None`.
    pub(crate) key: Option<&'a Key>,
    /// Percent-encoded and sorted by name, each with its `=`.
    pub(crate) query: &'a str,
    /// All of them are signed.
    pub(crate) headers: &'a [(HeaderName, String)],
    /// A document, or nothing.
    pub(crate) body: Bytes,
    /// Whether a body of the same source may be held open meanwhile.
    pub(crate) is_beside: bool,
}

/// Bad answers to one call, after which it is the store that is bad and not the day.
const BAD_ANSWERS_MAX: u32 = 3;

/// What one call, over all its attempts, has mended already: a second time would not help.
#[derive(Debug, Default)]
pub(crate) struct Mended {
    credentials: AtomicBool,
    clock: AtomicBool,
    bad_answers: AtomicU32,
}

impl Mended {
    /// An answer that breaks the protocol may be a proxy's, once or twice. A store that ignores every
    /// range must not use the whole budget up, nor be asked again by the next worker.
    pub(crate) fn weigh(&self, error: PortError) -> PortError {
        let is_bad = error.kind == ErrorKind::BadAnswer;
        if is_bad && self.bad_answers.fetch_add(1, Ordering::Relaxed) + 1 >= BAD_ANSWERS_MAX {
            return error.concluding(Conclusion::Refused);
        }
        error
    }
}

struct SignedBy<'a> {
    identity: Identity<'a>,
    at: Timestamp,
}

impl Wire {
    pub(crate) fn new(
        lane: Lane,
        place: BucketPlace,
        kind: S3Kind,
        region: &str,
        retry: RetryPolicy,
        credentials: Option<Arc<dyn CredentialsProvider>>,
        clock: Clock,
    ) -> Self {
        let signer = Signer::new(kind.signed_region(region), "s3");
        let clock_correction = AtomicI64::new(0);
        Self { kind, lane, place, retry, credentials, clock, signer, clock_correction }
    }

    /// Sends once. Gives an answer of success; every other is an error that says what it means.
    pub(crate) async fn send(
        &self,
        ask: &Ask<'_>,
        meter: &Meter,
        mended: &Mended,
    ) -> Result<LaneResponse, PortError> {
        let (response, signed) = self.attempt(ask, meter).await?;
        if response.status.is_success() {
            return Ok(response);
        }
        Err(self.refused(ask, response, signed, mended).await)
    }

    /// Sends once and gives the service's clock. A refusal for lack of rights is dated as well: a
    /// right to list one prefix is none to ask for the bucket.
    pub(crate) async fn time(
        &self,
        ask: &Ask<'_>,
        meter: &Meter,
        mended: &Mended,
    ) -> Result<Timestamp, PortError> {
        let (response, signed) = self.attempt(ask, meter).await?;
        if response.status.is_success() || response.status == StatusCode::FORBIDDEN {
            let undated = || bad_answer(ask.operation, &response.headers, "no date");
            return response.date().ok_or_else(undated);
        }
        Err(self.refused(ask, response, signed, mended).await)
    }

    async fn attempt(
        &self,
        ask: &Ask<'_>,
        meter: &Meter,
    ) -> Result<(LaneResponse, Option<SignedBy<'_>>), PortError> {
        let permit =
            if ask.is_beside { self.lane.admit_beside().await } else { self.lane.admit().await };
        let path = self.place.path(ask.key);
        let mut headers = self.headers(ask)?;
        let signed = match Identity::of_any(self.credentials.as_ref()).await? {
            None => None,
            Some(identity) => {
                let at = self.now();
                let request = Signed {
                    method: &ask.method,
                    path: &path,
                    query: ask.query,
                    payload: self.kind.payload(),
                };
                self.signer.sign(&request, &mut headers, &identity.credentials, at).map_err(
                    |_| {
                        let message = format!("{}: the credentials fit no header", ask.operation);
                        PortError::new(ErrorKind::AccountRefused, message)
                    },
                )?;
                Some(SignedBy { identity, at })
            }
        };
        if let Some(encoding) = self.kind.accept_encoding() {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(encoding));
        }
        let mut path_and_query = path;
        if !ask.query.is_empty() {
            path_and_query.push('?');
            path_and_query.push_str(ask.query);
        }
        let request = LaneRequest {
            operation: ask.operation,
            method: ask.method.clone(),
            endpoint: &self.place.endpoint,
            path_and_query,
            headers,
            body: if ask.body.is_empty() {
                LaneBody::Empty
            } else {
                LaneBody::Bytes(ask.body.clone())
            },
        };
        Ok((self.lane.send_admitted(permit, request, meter).await?, signed))
    }

    fn headers(&self, ask: &Ask<'_>) -> Result<HeaderMap, PortError> {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(HOST, self.place.host.clone());
        for (name, value) in ask.headers {
            let value = HeaderValue::from_str(value).map_err(|_| {
                let message = format!("{}: {name} fits no header", ask.operation);
                PortError::new(ErrorKind::Unsupported, message)
            })?;
            headers.insert(name.clone(), value);
        }
        Ok(headers)
    }

    fn now(&self) -> Timestamp {
        let correction = self.clock_correction.load(Ordering::Relaxed);
        Timestamp((self.clock)().0.saturating_add(correction))
    }

    async fn refused(
        &self,
        ask: &Ask<'_>,
        response: LaneResponse,
        signed: Option<SignedBy<'_>>,
        mended: &Mended,
    ) -> PortError {
        let (status, date) = (response.status, response.date());
        let headers = response.headers.clone();
        let body = if ask.method == Method::HEAD {
            ErrorBody::default()
        } else {
            match response.collect(ERROR_BYTES_MAX).await {
                Ok(body) => ErrorBody::read(&body),
                Err(error) => {
                    tracing::debug!(%error, "an error's body could not be read");
                    ErrorBody::default()
                }
            }
        };
        let error = refusal(ask.operation, status, &headers, &body);
        let Some(signed) = signed else { return error };
        let code = body.code.as_deref();
        let skewed = code.is_none()
            && status == StatusCode::FORBIDDEN
            && date.is_some_and(|date| distance(date, signed.at) > CLOCK_TOLERANCE);
        if error.kind == ErrorKind::ClockSkew || skewed {
            return self.correct_clock(error, date, &signed, mended);
        }
        // HEAD tells an expired token by a bare 400.
        let expired = matches!(code, Some("ExpiredToken" | "TokenRefreshRequired"))
            || (code.is_none()
                && status == StatusCode::BAD_REQUEST
                && signed.identity.credentials.token.is_some());
        if expired && !mended.credentials.swap(true, Ordering::Relaxed) {
            signed.identity.expired();
            return error.concluding(Conclusion::NotDone);
        }
        // A key that is kept elsewhere may have been exchanged there.
        if matches!(code, Some("InvalidAccessKeyId" | "SignatureDoesNotMatch"))
            && !mended.credentials.swap(true, Ordering::Relaxed)
            && signed.identity.is_replaced().await
        {
            return error.concluding(Conclusion::NotDone);
        }
        error
    }

    /// Takes the service's clock for ours, once a call.
    fn correct_clock(
        &self,
        error: PortError,
        date: Option<Timestamp>,
        signed: &SignedBy<'_>,
        mended: &Mended,
    ) -> PortError {
        let error = PortError { kind: ErrorKind::ClockSkew, ..error };
        let Some(date) = date.filter(|_| !mended.clock.swap(true, Ordering::Relaxed)) else {
            return error.concluding(Conclusion::Refused);
        };
        let correction = date.0.saturating_sub((self.clock)().0);
        self.clock_correction.store(correction, Ordering::Relaxed);
        tracing::warn!(
            seconds = correction / 1_000,
            signed_at = %signed.at,
            "our clock is not the service's: its time is used to sign"
        );
        error.concluding(Conclusion::NotDone)
    }
}

fn distance(one: Timestamp, other: Timestamp) -> Duration {
    one.since(other).max(other.since(one))
}
