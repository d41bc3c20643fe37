//! What the family's answers mean.

use http::{HeaderMap, StatusCode};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_http::xml::{Visitor, XmlError, walk};
use ossferry_http::{Answered, kind_of_status};

/// The one place where an answer of the S3 family becomes one of our kinds. `code` is the `Code` of
/// its XML; HEAD has none.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
/// <https://cloud.tencent.com/document/product/436/7730>
pub fn classify(status: StatusCode, code: Option<&str>) -> ErrorKind {
    code.and_then(classify_code).unwrap_or_else(|| classify_status(status))
}

fn classify_code(code: &str) -> Option<ErrorKind> {
    Some(match code {
        "NoSuchKey" | "NoSuchVersion" => ErrorKind::NoSuchKey,
        "NoSuchBucket" | "InvalidBucketName" => ErrorKind::NoSuchBucket,
        "AccessDenied" | "KMS.DisabledException" | "KMS.AccessDeniedException" => {
            ErrorKind::AccessDenied
        }
        "AccountProblem"
        | "AllAccessDisabled"
        | "AuthorizationHeaderMalformed"
        | "AuthorizationParametersError"
        | "CredentialsNotSupported"
        | "ExpiredToken"
        | "InvalidAccessKeyId"
        | "InvalidSecurity"
        | "InvalidToken"
        | "NotSignedUp"
        | "PathStyleDomainForbidden"
        | "PermanentRedirect"
        | "SignatureDoesNotMatch"
        | "TokenRefreshRequired"
        | "UnavailableForLegalReasons" => ErrorKind::AccountRefused,
        // The tags that an answer counted are no more: it is another object in that.
        "PreconditionFailed" | "InvalidRange" | "NoSuchTagSet" => ErrorKind::PreconditionFailed,
        "InvalidObjectState" => ErrorKind::Archived,
        "RestoreAlreadyInProgress" => ErrorKind::Restoring,
        "BandwidthLimitExceeded"
        | "RequestLimitExceeded"
        | "RequestRateTooHigh"
        | "ServiceUnavailable"
        | "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequests" => ErrorKind::Throttled,
        "RequestTimeout" => ErrorKind::Timeout,
        "RequestTimeTooSkewed" => ErrorKind::ClockSkew,
        "InternalError" | "OperationAborted" | "TemporaryRedirect" => ErrorKind::ServerError,
        "KeyTooLongError" | "NotImplemented" => ErrorKind::Unsupported,
        _ => return None,
    })
}

fn classify_status(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        301 | 308 | 451 => ErrorKind::AccountRefused,
        501 => ErrorKind::Unsupported,
        302 | 307 => ErrorKind::ServerError,
        _ => kind_of_status(status),
    }
}

/// What an answer's XML says of an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorBody {
    /// `Code`.
    pub(crate) code: Option<String>,
    /// `RequestId`.
    pub(crate) request_id: Option<String>,
    /// `Region` or `Endpoint`: where the bucket is, if not here.
    pub(crate) place: Option<String>,
}

impl ErrorBody {
    /// Reads what can be read: an error may come from a proxy that answers in HTML, or be cut.
    pub(crate) fn read(body: &[u8]) -> Self {
        let mut found = Self::default();
        if let Ok(document) = std::str::from_utf8(body)
            && let Err(error) = walk(document, &mut found)
        {
            tracing::trace!(%error, "an error's body is not an error's xml");
        }
        found
    }
}

impl Visitor for ErrorBody {
    fn open(&mut self, depth: usize, name: &str) -> Result<(), XmlError> {
        if depth == 1 && name != "Error" {
            return Err(XmlError::Unexpected(format!("not an error: {name:?}")));
        }
        Ok(())
    }

    fn close(&mut self, depth: usize, name: &str, text: &str) -> Result<(), XmlError> {
        let field = match (depth, name) {
            (2, "Code") => &mut self.code,
            (2, "RequestId") => &mut self.request_id,
            (2, "Region" | "Endpoint") => &mut self.place,
            _ => return Ok(()),
        };
        // Nothing longer is a code, a region or an id of these services.
        *field = Some(text.trim().chars().take(128).collect());
        Ok(())
    }
}

/// The error that a refused request ends with.
pub(crate) fn refusal(
    operation: &str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &ErrorBody,
) -> PortError {
    let mut kind = classify(status, body.code.as_deref());
    // A listing has no key that could be missing.
    if kind == ErrorKind::NoSuchKey
        && ![GET_OBJECT, HEAD_OBJECT, RESTORE_OBJECT, GET_OBJECT_TAGGING, GET_OBJECT_ACL]
            .contains(&operation)
    {
        kind = ErrorKind::NoSuchBucket;
    }
    let mut message = match &body.code {
        Some(code) => format!("{operation}: {code} ({})", status.as_u16()),
        None => format!("{operation}: http {}", status.as_u16()),
    };
    let region = header(headers, "x-amz-bucket-region");
    if kind == ErrorKind::AccountRefused
        && let Some(place) = region.or(body.place.as_deref())
    {
        message.push_str(", the bucket is at ");
        message.push_str(place);
    }
    let answered = answered(operation, headers);
    let request_id = answered.request_id().or_else(|| body.request_id.clone());
    answered.refused(kind, message).with_request_id(request_id)
}

/// An answer that breaks the protocol.
pub(crate) fn bad_answer(operation: &str, headers: &HeaderMap, what: &str) -> PortError {
    answered(operation, headers).bad(what)
}

pub(crate) fn answered<'a>(operation: &'a str, headers: &'a HeaderMap) -> Answered<'a> {
    Answered { operation, headers, request_ids: &["x-amz-request-id", "x-cos-request-id"] }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Operations, as the services and the meter name them.
pub(crate) const GET_OBJECT: &str = "GetObject";
pub(crate) const HEAD_OBJECT: &str = "HeadObject";
pub(crate) const RESTORE_OBJECT: &str = "RestoreObject";
pub(crate) const GET_OBJECT_TAGGING: &str = "GetObjectTagging";
pub(crate) const GET_OBJECT_ACL: &str = "GetObjectAcl";
pub(crate) const HEAD_BUCKET: &str = "HeadBucket";
pub(crate) const LIST_OBJECTS: &str = "ListObjects";
pub(crate) const LIST_OBJECTS_V2: &str = "ListObjectsV2";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_one_meaning() {
        for (status, code, kind) in [
            (404, Some("NoSuchKey"), ErrorKind::NoSuchKey),
            (404, None, ErrorKind::NoSuchKey),
            (404, Some("NoSuchBucket"), ErrorKind::NoSuchBucket),
            (403, Some("AccessDenied"), ErrorKind::AccessDenied),
            (403, None, ErrorKind::AccessDenied),
            (403, Some("InvalidObjectState"), ErrorKind::Archived),
            (409, Some("RestoreAlreadyInProgress"), ErrorKind::Restoring),
            (403, Some("InvalidAccessKeyId"), ErrorKind::AccountRefused),
            (403, Some("SignatureDoesNotMatch"), ErrorKind::AccountRefused),
            (400, Some("ExpiredToken"), ErrorKind::AccountRefused),
            (301, Some("PermanentRedirect"), ErrorKind::AccountRefused),
            (301, None, ErrorKind::AccountRefused),
            (400, Some("AuthorizationHeaderMalformed"), ErrorKind::AccountRefused),
            (403, Some("PathStyleDomainForbidden"), ErrorKind::AccountRefused),
            (451, None, ErrorKind::AccountRefused),
            (403, Some("RequestTimeTooSkewed"), ErrorKind::ClockSkew),
            (412, Some("PreconditionFailed"), ErrorKind::PreconditionFailed),
            (412, None, ErrorKind::PreconditionFailed),
            (416, Some("InvalidRange"), ErrorKind::PreconditionFailed),
            (503, Some("SlowDown"), ErrorKind::Throttled),
            (503, None, ErrorKind::Throttled),
            (429, None, ErrorKind::Throttled),
            (400, Some("RequestLimitExceeded"), ErrorKind::Throttled),
            (400, Some("RequestTimeout"), ErrorKind::Timeout),
            (500, Some("InternalError"), ErrorKind::ServerError),
            (502, None, ErrorKind::ServerError),
            (307, Some("TemporaryRedirect"), ErrorKind::ServerError),
            (501, Some("NotImplemented"), ErrorKind::Unsupported),
            (503, Some("NeverHeardOf"), ErrorKind::Throttled),
            (418, None, ErrorKind::Other),
            (400, None, ErrorKind::Other),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(classify(status, code), kind, "{status} {code:?}");
        }
    }

    #[test]
    fn an_error_names_operation_code_region_and_request() {
        let body = b"<?xml version=\"1.0\"?><Error><Code>PermanentRedirect</Code><Message>m</Message>\
                     <Endpoint>b.s3.eu-west-1.amazonaws.com</Endpoint><RequestId>R1</RequestId></Error>";
        let found = ErrorBody::read(body);
        let error =
            refusal(LIST_OBJECTS_V2, StatusCode::MOVED_PERMANENTLY, &HeaderMap::new(), &found);
        assert_eq!(
            error.to_string(),
            "ListObjectsV2: PermanentRedirect (301), the bucket is at b.s3.eu-west-1.amazonaws.com \
             (request id R1)"
        );
    }

    #[test]
    fn a_missing_page_is_a_missing_bucket_and_html_is_no_error_code() {
        let body = ErrorBody::read(b"<html><body>gone</body></html>");
        assert_eq!(body, ErrorBody::default());
        let error = refusal(LIST_OBJECTS, StatusCode::NOT_FOUND, &HeaderMap::new(), &body);
        assert_eq!(error.kind, ErrorKind::NoSuchBucket);
        let error = refusal(GET_OBJECT, StatusCode::NOT_FOUND, &HeaderMap::new(), &body);
        assert_eq!(error.kind, ErrorKind::NoSuchKey);
    }

    #[test]
    fn an_error_that_is_cut_still_gives_its_code() {
        let body = ErrorBody::read(b"<Error><Code>SlowDown</Code><Mess");
        assert_eq!(body.code.as_deref(), Some("SlowDown"));
    }
}
