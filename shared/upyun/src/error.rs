//! What UPYUN's answers mean.

use http::{HeaderMap, StatusCode};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_http::{Answered, kind_of_status};

pub(crate) const GET_FILE: &str = "GetFile";
pub(crate) const HEAD_FILE: &str = "HeadFile";
pub(crate) const LIST_FOLDER: &str = "ListFolder";
pub(crate) const GET_USAGE: &str = "GetUsage";

/// The error that a refused request ends with. A status says all that UPYUN means: 401 is no such operator, a
/// wrong signature, or a date that is too far away.
///
/// <https://help.upyun.com/knowledge-base/errno/>
pub(crate) fn refusal(operation: &str, status: StatusCode, headers: &HeaderMap) -> PortError {
    let mut kind = kind_of_status(status);
    // A bucket has a usage even where it is empty.
    if kind == ErrorKind::NoSuchKey && operation == GET_USAGE {
        kind = ErrorKind::NoSuchBucket;
    }
    let message = match text(headers, "x-error-code") {
        Some(code) => format!("{operation}: {code} ({})", status.as_u16()),
        None => format!("{operation}: http {}", status.as_u16()),
    };
    answered(operation, headers).refused(kind, message)
}

pub(crate) fn answered<'a>(operation: &'a str, headers: &'a HeaderMap) -> Answered<'a> {
    Answered { operation, headers, request_ids: &["x-request-id"] }
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
