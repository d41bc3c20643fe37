//! Signs requests to one endpoint and sends them down the lane.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, HeaderName, InvalidHeaderValue};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::meter::Meter;
use ossferry_core::time::{Clock, Timestamp};
use ossferry_http::{
    Credentials, CredentialsProvider, Endpoint, Identity, Lane, LaneBody, LaneRequest, RetryPolicy,
    asked_pause,
};
use serde::Deserialize;

use crate::account::{CorrectedClock, mended, no_header_text};
use crate::openapi::sign::{self, Signable};
use crate::sentence;

/// A secret holds 30 KB at most, an answer to a start a few bytes.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// An endpoint and how to reach it.
pub struct OpenApiOptions {
    /// Used by nobody else.
    pub lane: Lane,
    /// `https://kms.cn-hangzhou.aliyuncs.com`.
    pub endpoint: Endpoint,
    /// Who signs.
    pub credentials: Arc<dyn CredentialsProvider>,
    /// The local clock; corrected where the service says that it is wrong.
    pub clock: Clock,
    /// For requests that may be sent again.
    pub retry: RetryPolicy,
}

/// Requests to one endpoint.
pub(crate) struct OpenApiClient {
    pub(crate) options: OpenApiOptions,
    clock: CorrectedClock,
    meter: Meter,
}

/// One request, before it is signed.
pub(crate) struct Call<'a> {
    /// As the service names it.
    pub(crate) action: &'static str,
    /// Of the service's interface: `2023-03-30`.
    pub(crate) version: &'static str,
    /// Percent-encoded.
    pub(crate) path: &'a str,
    /// Percent-encoded, in the order of names, without a question mark.
    pub(crate) query: &'a str,
    /// Beside those that every request has; lower-case names.
    pub(crate) headers: &'a [(&'static str, &'static str)],
    pub(crate) body: Bytes,
}

/// A success.
pub(crate) struct Reply {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// The document in it. What it holds stands in no error: it may be a secret.
    pub(crate) fn read<'a, T: Deserialize<'a>>(&'a self, action: &str) -> Result<T, PortError> {
        serde_json::from_slice(&self.body).map_err(|_| {
            PortError::new(
                ErrorKind::BadAnswer,
                format!("{action}: the answer is not as documented"),
            )
        })
    }
}

/// What a refusal says of itself.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RefusalDocument {
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
}

impl OpenApiClient {
    pub(crate) fn new(options: OpenApiOptions) -> Self {
        let clock = CorrectedClock::new(Arc::clone(&options.clock));
        Self { options, clock, meter: Meter::default() }
    }

    /// Signs and sends once. Any status but a success is an error.
    pub(crate) async fn send(&self, call: &Call<'_>) -> Result<Reply, PortError> {
        let options = &self.options;
        let permit = options.lane.admit().await;
        let identity = Identity::of(&options.credentials).await?;
        let headers =
            self.signed(call, &identity.credentials).map_err(|_| no_header_text(call.action))?;
        let mark = if call.query.is_empty() { "" } else { "?" };
        let request = LaneRequest {
            operation: call.action,
            method: Method::POST,
            endpoint: &options.endpoint,
            path_and_query: format!("{}{mark}{}", call.path, call.query),
            headers,
            body: LaneBody::Bytes(call.body.clone()),
        };
        let response = options.lane.send_admitted(permit, request, &self.meter).await?;
        let (status, date) = (response.status, response.date());
        let retry_after = asked_pause(&response.headers);
        let headers = response.headers.clone();
        let collected = response.collect(ANSWER_BYTES_MAX).await;
        if status.is_success() {
            return Ok(Reply { headers, body: collected? });
        }
        let document = collected.unwrap_or_default();
        let mut error = refusal(call.action, status, &document, &identity.credentials.access_key);
        error.retry_after = retry_after;
        Err(mended(error, &self.clock, date, Some(&identity)).await)
    }

    fn signed(
        &self,
        call: &Call<'_>,
        credentials: &Credentials,
    ) -> Result<HeaderMap, InvalidHeaderValue> {
        let payload_hash = sign::sha256_hex(&call.body);
        let mut signed = BTreeMap::from([
            ("host", self.options.endpoint.authority().to_owned()),
            ("x-acs-action", call.action.to_owned()),
            ("x-acs-version", call.version.to_owned()),
            ("x-acs-date", seconds(self.clock.now())),
            ("x-acs-signature-nonce", format!("{:032x}", fastrand::u128(..))),
            ("x-acs-content-sha256", payload_hash.clone()),
        ]);
        signed.extend(call.headers.iter().map(|(name, value)| (*name, (*value).to_owned())));
        if let Some(token) = &credentials.token {
            signed.insert("x-acs-security-token", token.clone());
        }
        let canonical = sign::canonical_request(&Signable {
            method: Method::POST.as_str(),
            path: call.path,
            query: call.query,
            headers: &signed,
            payload_hash: &payload_hash,
        });
        let signature = sign::signature(&credentials.secret_key, &sign::string_to_sign(&canonical));
        let line = sign::authorization(
            &credentials.access_key,
            &sign::signed_headers(&signed),
            &signature,
        );
        let mut headers = HeaderMap::with_capacity(signed.len() + 1);
        for (name, value) in signed {
            let mut value = HeaderValue::try_from(value)?;
            value.set_sensitive(name == "x-acs-security-token");
            headers.insert(HeaderName::from_static(name), value);
        }
        let mut line = HeaderValue::try_from(line)?;
        line.set_sensitive(true);
        headers.insert(AUTHORIZATION, line);
        debug_assert!(headers.contains_key(HOST), "what is signed is sent");
        Ok(headers)
    }
}

/// A time as these services want it: without a fraction of a second.
fn seconds(time: Timestamp) -> String {
    let text = Timestamp(time.0 - time.0.rem_euclid(1_000)).to_string();
    text.replace(".000Z", "Z")
}

/// The one place where refusals of these services become our kinds (the error centres of Function
/// Compute and Key Management Service, and the codes that all services share, 2026).
pub fn classify(status: StatusCode, code: Option<&str>) -> ErrorKind {
    let code = code.unwrap_or_default();
    // Codes come with what they are about: `InvalidAccessKeyId.NotFound`.
    match code.split('.').next().unwrap_or_default() {
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "InvalidSecurityToken"
        | "MissingSecurityToken"
        | "SignatureNonceUsed" => return ErrorKind::AccountRefused,
        "Throttling" | "ResourceThrottled" | "TooManyRequests" => return ErrorKind::Throttled,
        "InvalidTimeStamp" => return ErrorKind::ClockSkew,
        _ => {}
    }
    match status.as_u16() {
        401 | 403 => ErrorKind::AccessDenied,
        408 => ErrorKind::Timeout,
        429 | 503 => ErrorKind::Throttled,
        500..=599 => ErrorKind::ServerError,
        _ => ErrorKind::Other,
    }
}

fn refusal(
    action: &'static str,
    status: StatusCode,
    document: &[u8],
    access_key: &str,
) -> PortError {
    let said: RefusalDocument = serde_json::from_slice(document).unwrap_or_default();
    let kind = classify(status, said.code.as_deref());
    let mut message = format!("{action}: {}", said.code.as_deref().unwrap_or(status.as_str()));
    if matches!(kind, ErrorKind::Other | ErrorKind::AccessDenied)
        && let Some(text) = said.message.and_then(|text| sentence::short(&text, Some(access_key)))
    {
        message.extend([", ", text.as_str()]);
    }
    let mut error = PortError::new(kind, message).with_request_id(said.request_id);
    if status.is_client_error() && error.conclusion == Conclusion::Unknown {
        // The service looked at the request and did not carry it out.
        error.conclusion = Conclusion::NotDone;
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_one_meaning() {
        use ErrorKind as K;
        for (status, code, kind) in [
            (403, Some("InvalidAccessKeyId"), K::AccountRefused),
            (404, Some("InvalidAccessKeyId.NotFound"), K::AccountRefused),
            (400, Some("SignatureDoesNotMatch"), K::AccountRefused),
            (400, Some("InvalidSecurityToken.Expired"), K::AccountRefused),
            (400, Some("InvalidTimeStamp.Expired"), K::ClockSkew),
            (400, Some("Throttling.User"), K::Throttled),
            (429, Some("ResourceThrottled"), K::Throttled),
            (403, Some("AccessDenied"), K::AccessDenied),
            (403, Some("Forbidden.ResourceNotFound"), K::AccessDenied),
            (404, Some("FunctionNotFound"), K::Other),
            (503, None, K::Throttled),
            (500, Some("InternalServerError"), K::ServerError),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(classify(status, code), kind, "{status} {code:?}");
        }
    }

    #[test]
    fn a_time_has_whole_seconds() {
        assert_eq!(seconds(Timestamp(1_702_743_657_999)), "2023-12-16T16:20:57Z");
    }

    #[test]
    fn a_refusal_says_code_sentence_and_request_id() {
        let document = br#"{"Code":"FunctionNotFound","Message":"function 'copier' does not exist","RequestId":"1-a"}"#;
        let error = refusal("InvokeFunction", StatusCode::NOT_FOUND, document, "LTAI");
        assert_eq!(
            error.to_string(),
            "InvokeFunction: FunctionNotFound, \"function 'copier' does not exist\" (request id 1-a)"
        );
    }
}
