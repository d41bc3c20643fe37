//! Tokens for a service account's signature.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::meter::Meter;
use ossferry_core::time::{Clock, Timestamp};
use ossferry_http::percent::push_query;
use ossferry_http::{
    Credentials, CredentialsProvider, FetchCredentials, Fetched, Identity, Lane, LaneBody,
    LaneOptions, LaneRequest, RetryPolicy, retry,
};
use serde::Deserialize;

use crate::account::ServiceAccount;
use crate::error::answered;

const OPERATION: &str = "GetAccessToken";

const GRANT_TYPE: &[u8] = b"urn:ietf:params:oauth:grant-type:jwt-bearer";

/// More than an answer takes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Google refuses an assertion of a clock that differs by more.
const SKEW_MAX: Duration = Duration::from_mins(5);

/// Exchanges a service account's signature for a token at each fetch.
pub struct ServiceAccountTokens {
    key: Arc<dyn CredentialsProvider>,
    lane: Lane,
    clock: Clock,
    retry: RetryPolicy,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u32,
}

/// Why none is given. What Google says beside the code is left out: it may repeat what was sent.
#[derive(Deserialize)]
struct Refused {
    error: String,
}

impl ServiceAccountTokens {
    /// `key` gives the account's key as its secret: the JSON file that Google gives for it. Asks nothing
    /// yet.
    pub fn new(key: Arc<dyn CredentialsProvider>, clock: Clock) -> Self {
        let lane = Lane::new(&LaneOptions::default());
        Self { key, lane, clock, retry: RetryPolicy::default() }
    }

    async fn exchange(&self) -> Result<Fetched, PortError> {
        let refused = |what: String| {
            PortError::new(ErrorKind::AccountRefused, format!("service account: {what}"))
        };
        let key = Identity::of(&self.key).await?;
        let account = ServiceAccount::parse(&key.credentials.secret_key)
            .map_err(|bad| refused(format!("the key cannot be used: {bad}")))?;
        let now = (self.clock)();
        let assertion = account.assertion(now);
        let assertion = assertion.ok_or_else(|| refused("the key signs nothing".to_owned()))?;
        let mut form = String::new();
        push_query(&mut form, "grant_type", Some(GRANT_TYPE));
        push_query(&mut form, "assertion", Some(assertion.as_bytes()));
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        let request = LaneRequest {
            operation: OPERATION,
            method: Method::POST,
            endpoint: &account.endpoint,
            path_and_query: account.path_and_query.clone(),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, form_type)]),
            body: LaneBody::Bytes(Bytes::from(form)),
        };
        let response = self.lane.send(request, &Meter::default()).await?;
        let (status, headers) = (response.status, response.headers.clone());
        let theirs = response.date();
        let body = response.collect(ANSWER_BYTES_MAX).await?;
        if status.is_success() {
            let granted: Option<Granted> = serde_json::from_slice(&body).ok();
            let granted = granted.filter(|granted| fits_a_header(&granted.access_token));
            let bad = || answered(OPERATION, &headers).bad("the answer holds no token");
            let Granted { access_token, expires_in } = granted.ok_or_else(bad)?;
            let ends_at = now.plus(Duration::from_secs(u64::from(expires_in)));
            let credentials = Credentials {
                access_key: account.email,
                secret_key: String::new(),
                token: Some(access_token),
            };
            return Ok(Fetched { credentials, ends_at: Some(ends_at) });
        }
        let (kind, why) = judged(status, theirs, now);
        // A key that is kept elsewhere may have been exchanged there: the next attempt finds it.
        if kind == ErrorKind::AccountRefused
            && let Some(error) = key.exchanged(OPERATION, "key").await
        {
            return Err(error);
        }
        let code = serde_json::from_slice(&body).ok().and_then(|Refused { error }| code(&error));
        let code = code.unwrap_or_else(|| "http".to_owned());
        let status = status.as_u16();
        let message = format!("{OPERATION}: {code} ({status}) for {}{why}", account.email);
        let error = answered(OPERATION, &headers).refused(kind, message);
        // Nobody sets the clock meanwhile.
        Err(if kind == ErrorKind::ClockSkew {
            error.concluding(Conclusion::Refused)
        } else {
            error
        })
    }
}

#[async_trait::async_trait]
impl FetchCredentials for ServiceAccountTokens {
    async fn fetch(&self) -> Result<Fetched, PortError> {
        // Tokens too many end by themselves: it may be asked again.
        retry(&self.retry, || self.exchange()).await
    }
}

fn fits_a_header(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A code of OAuth: a word.
fn code(error: &str) -> Option<String> {
    let is_word =
        error.len() <= 64 && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    (is_word && !error.is_empty()).then(|| error.to_owned())
}

/// What a refusal means, and what is to be done.
fn judged(
    status: StatusCode,
    theirs: Option<Timestamp>,
    now: Timestamp,
) -> (ErrorKind, &'static str) {
    let skew = theirs.map_or(Duration::ZERO, |theirs| theirs.since(now).max(now.since(theirs)));
    match status.as_u16() {
        429 | 503 => (ErrorKind::Throttled, ""),
        500..=599 => (ErrorKind::ServerError, ""),
        400 | 401 if skew > SKEW_MAX => {
            (ErrorKind::ClockSkew, ": the clock of this machine is wrong")
        }
        _ => (
            ErrorKind::AccountRefused,
            ": its key is another's, was deleted or disabled, or the account was",
        ),
    }
}
