//! What UPYUN's answers mean.

use http::{HeaderMap, StatusCode};
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_http::asked_pause;

pub(crate) const GET_FILE: &str = "GetFile";
pub(crate) const HEAD_FILE: &str = "HeadFile";
pub(crate) const LIST_FOLDER: &str = "ListFolder";
pub(crate) const GET_USAGE: &str = "GetUsage";

/// The one place where an answer of UPYUN becomes one of our kinds.
///
/// <https://help.upyun.com/knowledge-base/errno/>
fn classify(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        // No such operator, a wrong signature, a date that is too far away.
        401 => ErrorKind::AccountRefused,
        403 => ErrorKind::AccessDenied,
        404 => ErrorKind::NoSuchKey,
        408 => ErrorKind::Timeout,
        412 | 416 => ErrorKind::PreconditionFailed,
        429 | 503 => ErrorKind::Throttled,
        500 | 502 | 504..=599 => ErrorKind::ServerError,
        _ => ErrorKind::Other,
    }
}

/// The error that a refused request ends with.
pub(crate) fn refusal(operation: &str, status: StatusCode, headers: &HeaderMap) -> PortError {
    let mut kind = classify(status);
    // A bucket has a usage even where it is empty.
    if kind == ErrorKind::NoSuchKey && operation == GET_USAGE {
        kind = ErrorKind::NoSuchBucket;
    }
    let message = match text(headers, "x-error-code") {
        Some(code) => format!("{operation}: {code} ({})", status.as_u16()),
        None => format!("{operation}: http {}", status.as_u16()),
    };
    let mut error = PortError::new(kind, message).with_request_id(request_id(headers));
    error.retry_after = asked_pause(headers);
    // The request was refused whole, and nothing here writes.
    if matches!(kind, ErrorKind::ServerError | ErrorKind::Timeout) {
        error.conclusion = Conclusion::NotDone;
    }
    error
}

/// An answer that breaks the protocol.
pub(crate) fn bad_answer(operation: &str, headers: &HeaderMap, what: &str) -> PortError {
    PortError::new(ErrorKind::BadAnswer, format!("{operation}: {what}"))
        .with_request_id(request_id(headers))
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    text(headers, "x-request-id").map(str::to_owned)
}

pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_one_meaning() {
        for (operation, status, kind) in [
            (LIST_FOLDER, 401, ErrorKind::AccountRefused),
            (GET_FILE, 403, ErrorKind::AccessDenied),
            (GET_FILE, 404, ErrorKind::NoSuchKey),
            (LIST_FOLDER, 404, ErrorKind::NoSuchKey),
            (GET_USAGE, 404, ErrorKind::NoSuchBucket),
            (GET_FILE, 416, ErrorKind::PreconditionFailed),
            (HEAD_FILE, 429, ErrorKind::Throttled),
            (HEAD_FILE, 500, ErrorKind::ServerError),
            (HEAD_FILE, 418, ErrorKind::Other),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let error = refusal(operation, status, &HeaderMap::new());
            assert_eq!(error.kind, kind, "{operation} {status}");
        }
        let mut headers = HeaderMap::new();
        headers.insert("x-error-code", "40100017".parse().unwrap());
        let error = refusal(LIST_FOLDER, StatusCode::UNAUTHORIZED, &headers);
        assert_eq!(error.message, "ListFolder: 40100017 (401)");
    }
}
