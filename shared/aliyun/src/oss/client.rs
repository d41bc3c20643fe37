//! Signs requests and sends them down the lane.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, InvalidHeaderValue};
use http::{HeaderMap, HeaderValue, Method};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::job::Addressing;
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::time::Clock;
use ossferry_core::timely::TimeLimit;
use ossferry_http::percent::{Slash, push_encoded};
use ossferry_http::{
    Credentials, CredentialsProvider, Endpoint, Identity, Lane, LaneBody, LaneRequest,
    LaneResponse, Pace, RetryPolicy,
};

use crate::account::{CorrectedClock, mended, no_header_text};
use crate::oss::error::refusal;
use crate::oss::sign::{self, Scope, Signable, SigningKeys, UNSIGNED_PAYLOAD};

/// The longest answer that is read whole: a thousand keys of 1,023 bytes, encoded threefold.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 16 << 20;

/// A bucket and how to reach it.
pub struct OssOptions {
    /// Not shared with the other end of a copy.
    pub lane: Lane,
    /// `https://oss-cn-hangzhou.aliyuncs.com`, without the bucket.
    pub endpoint: Endpoint,
    /// The bucket's, for signing: `cn-hangzhou`.
    pub region: String,
    /// The bucket's name.
    pub bucket: String,
    /// Who signs; `None` where anybody may read the bucket.
    pub credentials: Option<Arc<dyn CredentialsProvider>>,
    /// Where the bucket's name stands. Under a bare address it stands in the path all the same.
    pub addressing: Addressing,
    /// The local clock; corrected where the service says that it is wrong.
    pub clock: Clock,
    /// For every request that carries no object bytes.
    pub retry: RetryPolicy,
}

/// Requests to one bucket. Clones share everything but the meter and the limit.
#[derive(Clone)]
pub struct OssClient {
    shared: Arc<Shared>,
    meter: Arc<Meter>,
    limit: Option<TimeLimit>,
}

struct Shared {
    options: OssOptions,
    /// With the bucket in front, where it stands there.
    endpoint: Endpoint,
    /// `/`, or `/bucket/`.
    path_start: String,
    keys: SigningKeys,
    clock: CorrectedClock,
}

/// One request, before it is signed.
pub(crate) struct Call<'a> {
    pub(crate) operation: &'static str,
    pub(crate) method: Method,
    pub(crate) key: Option<&'a Key>,
    /// Decoded. An empty value is sent without its `=`.
    pub(crate) query: &'a [(&'a [u8], &'a [u8])],
    pub(crate) headers: HeaderMap,
    pub(crate) body: LaneBody,
    /// Whether a body of the same bucket may be held open meanwhile.
    pub(crate) is_beside: bool,
}

impl<'a> Call<'a> {
    /// Without query, headers or body.
    pub(crate) fn new(operation: &'static str, method: Method, key: Option<&'a Key>) -> Self {
        let (query, headers, body) = (&[][..], HeaderMap::new(), LaneBody::Empty);
        Self { operation, method, key, query, headers, body, is_beside: false }
    }
}

impl OssClient {
    /// Fails with `Unsupported` where the name is no bucket's.
    pub fn new(options: OssOptions) -> Result<Self, PortError> {
        let bucket = &options.bucket;
        let refused = || {
            PortError::new(
                ErrorKind::Unsupported,
                format!("{bucket:?} is no name of an oss bucket"),
            )
        };
        if !is_bucket_name(bucket) {
            return Err(refused());
        }
        let in_path = options.addressing == Addressing::Path || options.endpoint.is_address();
        let (endpoint, path_start) = if in_path {
            (options.endpoint.clone(), format!("/{bucket}/"))
        } else {
            (options.endpoint.under(bucket).ok_or_else(refused)?, "/".to_owned())
        };
        let clock = CorrectedClock::new(Arc::clone(&options.clock));
        let keys = SigningKeys::default();
        let shared = Shared { options, endpoint, path_start, keys, clock };
        Ok(Self { shared: Arc::new(shared), meter: Arc::default(), limit: None })
    }

    /// The same client, counting on another meter.
    #[must_use]
    pub fn metered(&self, meter: Arc<Meter>) -> Self {
        Self { meter, ..self.clone() }
    }

    /// The same client, which sends no change from the limit on.
    #[must_use]
    pub fn until(&self, limit: TimeLimit) -> Self {
        Self { limit: Some(limit), ..self.clone() }
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.shared.options.bucket
    }

    /// How the service is asked.
    pub fn pace(&self) -> &Pace {
        self.shared.options.lane.pace()
    }

    pub(crate) fn policy(&self) -> &RetryPolicy {
        &self.shared.options.retry
    }

    /// Signs and sends once. Any status but a success is an error.
    pub(crate) async fn send(&self, mut call: Call<'_>) -> Result<LaneResponse, PortError> {
        let Shared { options, endpoint, .. } = &*self.shared;
        let operation = call.operation;
        // Signed after the wait for a place: a signature is good for 15 minutes.
        let permit = if call.is_beside {
            options.lane.admit_beside().await
        } else {
            options.lane.admit().await
        };
        let identity = Identity::of_any(options.credentials.as_ref()).await?;
        let mut headers = std::mem::take(&mut call.headers);
        if let Some(identity) = &identity {
            self.sign(&call, &mut headers, &identity.credentials)
                .map_err(|_| no_header_text(operation))?;
        }
        if let Some(limit) = self.limit.as_ref().filter(|_| changes(&call.method)) {
            // After the last wait: whoever had to wait for its turn may have lost its lease meanwhile.
            limit.check(operation)?;
        }
        let request = LaneRequest {
            operation,
            headers,
            path_and_query: self.path_and_query(&call),
            method: call.method,
            endpoint,
            body: call.body,
        };
        let response = options.lane.send_admitted(permit, request, &self.meter).await?;
        if response.status.is_success() {
            return Ok(response);
        }
        let their_time = response.date();
        let error = refusal(operation, response).await;
        Err(mended(error, &self.shared.clock, their_time, identity.as_ref()).await)
    }

    /// [`OssClient::send`], and the whole body of the answer.
    pub(crate) async fn document(&self, call: Call<'_>) -> Result<Bytes, PortError> {
        self.send(call).await?.collect(DOCUMENT_BYTES_MAX).await
    }

    fn sign(
        &self,
        call: &Call<'_>,
        headers: &mut HeaderMap,
        credentials: &Credentials,
    ) -> Result<(), InvalidHeaderValue> {
        let options = &self.shared.options;
        let date_time = sign::date_time(self.shared.clock.now());
        let scope = Scope { date: date_time.get(..8).unwrap_or_default(), region: &options.region };
        headers.reserve(4);
        headers.insert("x-oss-content-sha256", HeaderValue::from_static(UNSIGNED_PAYLOAD));
        headers.insert("x-oss-date", date_time.parse()?);
        if let Some(token) = &credentials.token {
            let mut token = HeaderValue::from_str(token)?;
            token.set_sensitive(true);
            headers.insert("x-oss-security-token", token);
        }
        let request = Signable {
            method: call.method.as_str(),
            bucket: Some(&options.bucket),
            key: call.key.map(Key::as_bytes),
            query: call.query,
            headers,
        };
        let canonical = sign::canonical_request(&request, &[]);
        let text = sign::string_to_sign(&date_time, &scope, &canonical);
        let key = self.shared.keys.get(&credentials.secret_key, &scope);
        let signature = sign::signature(&key, &text);
        let value = sign::authorization(&credentials.access_key, &scope, &[], &signature);
        let mut value = HeaderValue::try_from(value)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
        Ok(())
    }

    fn path_and_query(&self, call: &Call<'_>) -> String {
        let key = call.key.map_or(&[][..], Key::as_bytes);
        let mut target = String::with_capacity(self.shared.path_start.len() + key.len() + 64);
        target.push_str(&self.shared.path_start);
        push_encoded(&mut target, key, Slash::Kept);
        for (index, (name, value)) in call.query.iter().enumerate() {
            target.push(if index == 0 { '?' } else { '&' });
            push_encoded(&mut target, name, Slash::Encoded);
            if !value.is_empty() {
                target.push('=');
                push_encoded(&mut target, value, Slash::Encoded);
            }
        }
        target
    }
}

/// Whether a request with this method may change what stands in the bucket.
fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

/// 3 to 63 of `a-z0-9-`, no hyphen at either end (OSS manual, "Bucket naming").
fn is_bucket_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (3..=63).contains(&name.len())
        && name.bytes().all(allowed)
        && !name.starts_with('-')
        && !name.ends_with('-')
}
