//! Signs requests to one table, sends them down the lane, and believes no answer that is not signed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::Bytes;
use http::header::{HeaderName, InvalidHeaderValue};
use http::{HeaderMap, HeaderValue, Method};
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::meter::Meter;
use ossferry_core::time::{Clock, Timestamp};
use ossferry_http::{
    Credentials, CredentialsProvider, Endpoint, Identity, Lane, LaneBody, LaneRequest, RetryPolicy,
    asked_pause,
};
use prost::Message;

use crate::account::{CorrectedClock, mended, no_header_text};
use crate::tablestore::error::refusal;
use crate::tablestore::sign::{
    API_VERSION, answer_authorization, content_md5, date_time, signature_v2, signature_v4,
    signing_key_v4,
};

/// The longest answer: rows of 4 MB, and what stands around them.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// A table and how to reach it.
pub struct TablestoreOptions {
    /// Used by nobody else.
    pub lane: Lane,
    /// `https://INSTANCE.cn-hangzhou.vpc.tablestore.aliyuncs.com`.
    pub endpoint: Endpoint,
    /// The instance's name.
    pub instance: String,
    /// The instance's region, for signing: `cn-hangzhou`.
    pub region: String,
    /// The table's name. Its primary key is `partition`, then `sort`, both text; it keeps one version
    /// of each column, for good.
    pub table: String,
    /// Who signs.
    pub credentials: Arc<dyn CredentialsProvider>,
    /// The local clock; corrected where the service says that it is wrong.
    pub clock: Clock,
    /// For reads, and for writes that the service did not carry out.
    pub retry: RetryPolicy,
}

/// Which signature the endpoint takes.
#[repr(u8)]
enum Signature {
    /// V4 is tried.
    Untried = 0,
    /// V4 was taken once.
    V4 = 1,
    /// V4 was never taken: V2 is.
    V2 = 2,
}

/// Requests to one table.
pub(crate) struct TablestoreClient {
    pub(crate) options: TablestoreOptions,
    clock: CorrectedClock,
    /// A number of [`Signature`].
    signature: AtomicU8,
}

/// A request's headers, and what its answer must be signed with.
struct Signed {
    headers: HeaderMap,
    signing_key: String,
    is_v4: bool,
}

impl TablestoreClient {
    pub(crate) fn new(options: TablestoreOptions) -> Self {
        let clock = CorrectedClock::new(Arc::clone(&options.clock));
        let signature = AtomicU8::new(Signature::Untried as u8);
        Self { options, clock, signature }
    }

    /// Sends a message once and reads its answer.
    pub(crate) async fn call<R: Message + Default>(
        &self,
        operation: &'static str,
        message: &impl Message,
        meter: &Meter,
    ) -> Result<R, PortError> {
        let options = &self.options;
        let body = Bytes::from(message.encode_to_vec());
        // Signed after the wait for a place: a signature is good for 15 minutes.
        let permit = options.lane.admit().await;
        let identity = Identity::of(&options.credentials).await?;
        let Signed { headers, signing_key, is_v4 } = self
            .signed(operation, &body, &identity.credentials)
            .map_err(|_| no_header_text(operation))?;
        let request = LaneRequest {
            operation,
            method: Method::POST,
            endpoint: &options.endpoint,
            path_and_query: format!("/{operation}"),
            headers,
            body: LaneBody::Bytes(body),
        };
        let response = options.lane.send_admitted(permit, request, meter).await?;
        let (status, headers, date) = (response.status, response.headers.clone(), response.date());
        let retry_after = asked_pause(&headers);
        let request_id = response.header("x-ots-requestid").map(str::to_owned);
        let collected = response.collect(ANSWER_BYTES_MAX).await;
        let access_key = &identity.credentials.access_key;
        if status.is_success() {
            let body = collected?;
            let expected = answer_authorization(access_key, &signing_key, operation, &headers);
            let flaw = if text(&headers, "x-ots-contentmd5") != Some(&content_md5(&body)) {
                "its digest is another"
            } else if text(&headers, "authorization") != Some(&expected) {
                "its signature is another"
            } else if let Ok(answer) = R::decode(body) {
                if is_v4 {
                    self.signature.store(Signature::V4 as u8, Ordering::Relaxed);
                }
                return Ok(answer);
            } else {
                "it is unreadable"
            };
            return Err(bad_answer(operation, flaw).with_request_id(request_id));
        }
        let mut refused = refusal(operation, status, &collected.unwrap_or_default(), access_key);
        refused.error.retry_after = retry_after;
        let error = refused.error.with_request_id(request_id);
        if is_v4 && refused.is_of_signature && self.falls_back() {
            tracing::warn!("the endpoint takes no signature V4: requests are signed with V2");
            return Err(error.concluding(Conclusion::NotDone));
        }
        let their_time = text(&headers, "x-ots-date").and_then(Timestamp::from_rfc3339).or(date);
        Err(mended(error, &self.clock, their_time, Some(&identity)).await)
    }

    /// Signs with V2 from here on, unless V4 was taken before.
    fn falls_back(&self) -> bool {
        let (untried, v2) = (Signature::Untried as u8, Signature::V2 as u8);
        let order = Ordering::Relaxed;
        match self.signature.compare_exchange(untried, v2, order, order) {
            Ok(_) => true,
            // Another request of the same moment found it out.
            Err(found) => found == v2,
        }
    }

    fn signed(
        &self,
        operation: &str,
        body: &[u8],
        credentials: &Credentials,
    ) -> Result<Signed, InvalidHeaderValue> {
        let options = &self.options;
        let date = date_time(self.clock.now());
        let mut headers = HeaderMap::with_capacity(10);
        let md5 = content_md5(body);
        for (name, value) in [
            ("x-ots-date", date.as_str()),
            ("x-ots-apiversion", API_VERSION),
            ("x-ots-accesskeyid", &credentials.access_key),
            ("x-ots-instancename", &options.instance),
            ("x-ots-contentmd5", &md5),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value)?);
        }
        if let Some(token) = &credentials.token {
            let mut token = HeaderValue::from_str(token)?;
            token.set_sensitive(true);
            headers.insert("x-ots-ststoken", token);
        }
        let secret_key = &credentials.secret_key;
        let is_v4 = self.signature.load(Ordering::Relaxed) != Signature::V2 as u8;
        let (name, signing_key, signature) = if is_v4 {
            let mut day = date;
            day.truncate("2023-12-16".len());
            day.retain(|c| c != '-');
            headers.insert("x-ots-signdate", HeaderValue::from_str(&day)?);
            headers.insert("x-ots-signregion", HeaderValue::from_str(&options.region)?);
            let key = signing_key_v4(secret_key, &day, &options.region);
            let signature = signature_v4(&key, operation, &headers);
            ("x-ots-signaturev4", key, signature)
        } else {
            let signature = signature_v2(secret_key, operation, &headers);
            ("x-ots-signature", secret_key.clone(), signature)
        };
        let mut signature = HeaderValue::try_from(signature)?;
        signature.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), signature);
        Ok(Signed { headers, signing_key, is_v4 })
    }
}

/// An answer of success that says nothing to rely on.
pub(crate) fn bad_answer(operation: &str, flaw: &str) -> PortError {
    PortError::new(ErrorKind::BadAnswer, format!("{operation}: the answer is refused: {flaw}"))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
