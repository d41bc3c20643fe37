//! What Azure's answers mean.

use http::{HeaderMap, StatusCode};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_http::{Answered, kind_of_status};

pub(crate) const GET_BLOB: &str = "GetBlob";
pub(crate) const GET_BLOB_PROPERTIES: &str = "GetBlobProperties";
pub(crate) const GET_BLOB_TAGS: &str = "GetBlobTags";
pub(crate) const LIST_BLOBS: &str = "ListBlobs";
pub(crate) const GET_CONTAINER_PROPERTIES: &str = "GetContainerProperties";

/// The one place where an answer of Azure becomes one of our kinds. `code` stands in its header.
///
/// <https://learn.microsoft.com/en-us/rest/api/storageservices/blob-service-error-codes>
pub(crate) fn classify(status: StatusCode, code: Option<&str>) -> ErrorKind {
    code.and_then(classify_code).unwrap_or_else(|| kind_of_status(status))
}

fn classify_code(code: &str) -> Option<ErrorKind> {
    Some(match code {
        "BlobNotFound" | "ResourceNotFound" => ErrorKind::NoSuchKey,
        "ContainerNotFound"
        | "ContainerBeingDeleted"
        | "ContainerDisabled"
        | "InvalidResourceName" => ErrorKind::NoSuchBucket,
        "AuthorizationFailure"
        | "AuthorizationPermissionMismatch"
        | "AuthorizationResourceTypeMismatch"
        | "InsufficientAccountPermissions"
        | "NoAuthenticationInformation"
        | "PublicAccessNotPermitted" => ErrorKind::AccessDenied,
        "AccountIsDisabled"
        | "AuthenticationFailed"
        | "InvalidAuthenticationInfo"
        | "AccountRequiresHttps" => ErrorKind::AccountRefused,
        "BlobArchived" | "BlobBeingRehydrated" => ErrorKind::Archived,
        "ConditionNotMet" | "InvalidRange" => ErrorKind::PreconditionFailed,
        "ServerBusy" => ErrorKind::Throttled,
        "OperationTimedOut" => ErrorKind::Timeout,
        "InternalError" => ErrorKind::ServerError,
        _ => return None,
    })
}

/// The error that a refused request ends with.
pub(crate) fn refusal(operation: &str, status: StatusCode, headers: &HeaderMap) -> PortError {
    let code = text(headers, "x-ms-error-code");
    let mut kind = classify(status, code);
    // A listing has no blob that could be missing.
    if kind == ErrorKind::NoSuchKey && !matches!(operation, GET_BLOB | GET_BLOB_PROPERTIES) {
        kind = ErrorKind::NoSuchBucket;
    }
    let message = match code {
        Some(code) => format!("{operation}: {code} ({})", status.as_u16()),
        None => format!("{operation}: http {}", status.as_u16()),
    };
    answered(operation, headers).refused(kind, message)
}

/// An answer that breaks the protocol.
pub(crate) fn bad_answer(operation: &str, headers: &HeaderMap, what: &str) -> PortError {
    answered(operation, headers).bad(what)
}

pub(crate) fn answered<'a>(operation: &'a str, headers: &'a HeaderMap) -> Answered<'a> {
    Answered { operation, headers, request_ids: &["x-ms-request-id"] }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_one_meaning() {
        for (status, code, kind) in [
            (404, Some("BlobNotFound"), ErrorKind::NoSuchKey),
            (404, None, ErrorKind::NoSuchKey),
            (404, Some("ContainerNotFound"), ErrorKind::NoSuchBucket),
            (403, Some("AuthenticationFailed"), ErrorKind::AccountRefused),
            (403, Some("AuthorizationPermissionMismatch"), ErrorKind::AccessDenied),
            (403, None, ErrorKind::AccessDenied),
            (409, Some("BlobArchived"), ErrorKind::Archived),
            (412, Some("ConditionNotMet"), ErrorKind::PreconditionFailed),
            (412, None, ErrorKind::PreconditionFailed),
            (416, Some("InvalidRange"), ErrorKind::PreconditionFailed),
            (503, Some("ServerBusy"), ErrorKind::Throttled),
            (500, Some("OperationTimedOut"), ErrorKind::Timeout),
            (500, None, ErrorKind::ServerError),
            (418, None, ErrorKind::Other),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(classify(status, code), kind, "{status} {code:?}");
        }
        let missing = refusal(LIST_BLOBS, StatusCode::NOT_FOUND, &HeaderMap::new());
        assert_eq!(missing.kind, ErrorKind::NoSuchBucket);
    }
}
