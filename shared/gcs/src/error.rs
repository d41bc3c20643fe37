//! What Google's answers mean.

use http::{HeaderMap, StatusCode};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_http::{Answered, kind_of_status};
use serde::Deserialize;

/// Bytes of an object.
pub(crate) const GET_OBJECT: &str = "GetObject";
/// What is known of an object.
pub(crate) const GET_OBJECT_METADATA: &str = "GetObjectMetadata";
pub(crate) const LIST_OBJECTS: &str = "ListObjects";

/// More than an error takes.
pub(crate) const ERROR_BYTES_MAX: usize = 64 << 10;

/// Why an object cannot be read though it is there.
pub(crate) const OF_CUSTOMERS_KEY: &str = "the object is encrypted by a key that its owner supplies with \
                                           each request and Google does not keep: rewrite it under a key \
                                           of Google's first";

/// The one place where an answer of Google becomes one of our kinds. `reason` stands in its JSON.
///
/// <https://cloud.google.com/storage/docs/json_api/v1/status-codes>
pub(crate) fn classify(status: StatusCode, reason: Option<&str>) -> ErrorKind {
    reason.and_then(classify_reason).unwrap_or_else(|| kind_of_status(status))
}

fn classify_reason(reason: &str) -> Option<ErrorKind> {
    Some(match reason {
        // Some of them with 403, which says otherwise.
        "dailyLimitExceeded"
        | "quotaExceeded"
        | "rateLimitExceeded"
        | "userRateLimitExceeded"
        | "variableTermLimitExceeded" => ErrorKind::Throttled,
        "accountDisabled"
        | "authError"
        | "countryBlocked"
        | "keyExpired"
        | "keyInvalid"
        | "userProjectAccountProblem"
        | "userProjectInconsistent"
        | "userProjectMissing" => ErrorKind::AccountRefused,
        "resourceIsEncryptedWithCustomerEncryptionKey" => ErrorKind::Unsupported,
        _ => return None,
    })
}

/// `{"error": {"errors": [{"reason": …}]}}`.
#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorList,
}

#[derive(Deserialize)]
struct ErrorList {
    #[serde(default)]
    errors: Vec<ErrorReason>,
}

#[derive(Deserialize)]
struct ErrorReason {
    reason: String,
}

/// The reason that a body gives, where it is an error's JSON: a proxy's is not, nor always that of bytes.
fn reason(body: &[u8]) -> Option<String> {
    let body: ErrorBody = serde_json::from_slice(body).ok()?;
    let reason = body.error.errors.into_iter().next()?.reason;
    // Nothing longer is a reason of this service.
    Some(reason.chars().filter(|c| !c.is_control()).take(128).collect())
}

/// The error that a refused request ends with.
pub(crate) fn refusal(
    operation: &str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> PortError {
    let reason = reason(body);
    let mut kind = classify(status, reason.as_deref());
    // A listing has no object that could be missing.
    if kind == ErrorKind::NoSuchKey && operation == LIST_OBJECTS {
        kind = ErrorKind::NoSuchBucket;
    }
    let message = match (kind, &reason) {
        (ErrorKind::Unsupported, _) => format!("{operation}: {OF_CUSTOMERS_KEY}"),
        (_, Some(reason)) => format!("{operation}: {reason} ({})", status.as_u16()),
        (_, None) => format!("{operation}: http {}", status.as_u16()),
    };
    answered(operation, headers).refused(kind, message)
}

pub(crate) fn answered<'a>(operation: &'a str, headers: &'a HeaderMap) -> Answered<'a> {
    Answered { operation, headers, request_ids: &["x-guploader-uploadid"] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_one_meaning() {
        for (status, reason, kind) in [
            (404, Some("notFound"), ErrorKind::NoSuchKey),
            (404, None, ErrorKind::NoSuchKey),
            (401, Some("authError"), ErrorKind::AccountRefused),
            (401, Some("required"), ErrorKind::AccountRefused),
            (403, Some("forbidden"), ErrorKind::AccessDenied),
            (403, Some("insufficientPermissions"), ErrorKind::AccessDenied),
            (403, Some("accountDisabled"), ErrorKind::AccountRefused),
            (403, Some("rateLimitExceeded"), ErrorKind::Throttled),
            (403, Some("quotaExceeded"), ErrorKind::Throttled),
            (400, Some("userProjectMissing"), ErrorKind::AccountRefused),
            (400, Some("resourceIsEncryptedWithCustomerEncryptionKey"), ErrorKind::Unsupported),
            (412, Some("conditionNotMet"), ErrorKind::PreconditionFailed),
            (416, Some("requestedRangeNotSatisfiable"), ErrorKind::PreconditionFailed),
            (429, Some("rateLimitExceeded"), ErrorKind::Throttled),
            (429, None, ErrorKind::Throttled),
            (503, Some("backendError"), ErrorKind::Throttled),
            (500, Some("backendError"), ErrorKind::ServerError),
            (504, None, ErrorKind::ServerError),
            (408, None, ErrorKind::Timeout),
            (418, None, ErrorKind::Other),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(classify(status, reason), kind, "{status} {reason:?}");
        }
    }

    #[test]
    fn a_refusal_tells_the_reason_and_neither_html_nor_a_cut_answer_has_one() {
        let body = br#"{"error":{"code":403,"message":"m","errors":[{"domain":"global",
                        "reason":"forbidden","message":"m"}]}}"#;
        let headers = [(
            http::HeaderName::from_static("x-guploader-uploadid"),
            http::HeaderValue::from_static("U1"),
        )];
        let headers: HeaderMap = headers.into_iter().collect();
        let error = refusal(GET_OBJECT, StatusCode::FORBIDDEN, &headers, body);
        assert_eq!(error.to_string(), "GetObject: forbidden (403) (request id U1)");
        let none = HeaderMap::new();
        for body in [&b"<html>"[..], &body[..40], b"Not Found\n"] {
            let error = refusal(GET_OBJECT, StatusCode::FORBIDDEN, &none, body);
            assert_eq!(error.to_string(), "GetObject: http 403");
        }
        let missing = refusal(LIST_OBJECTS, StatusCode::NOT_FOUND, &none, b"");
        assert_eq!(missing.kind, ErrorKind::NoSuchBucket);
    }
}
