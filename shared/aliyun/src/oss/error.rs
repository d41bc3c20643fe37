//! What OSS's refusals mean.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_http::{LaneResponse, asked_pause};

use crate::sentence;
use crate::xml::walk;

/// An error document is a few hundred bytes.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// The one place where answers of OSS become our kinds (Alibaba Cloud manual, "Error codes", 2026).
pub fn classify(status: StatusCode, code: Option<&str>) -> ErrorKind {
    let by_code = code.and_then(|code| {
        Some(match code {
            "NoSuchKey" | "NoSuchVersion" | "SymlinkTargetNotExist" => ErrorKind::NoSuchKey,
            "NoSuchBucket" => ErrorKind::NoSuchBucket,
            "NoSuchUpload" => ErrorKind::NoSuchUpload,
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "SecurityTokenExpired"
            | "InvalidSecurityToken"
            | "SecurityTokenMalformed"
            | "UserDisable" => ErrorKind::AccountRefused,
            "RequestTimeTooSkewed" => ErrorKind::ClockSkew,
            "InvalidObjectState" => ErrorKind::Archived,
            "RestoreAlreadyInProgress" => ErrorKind::Restoring,
            "FileAlreadyExists" | "ObjectAlreadyExists" => ErrorKind::AlreadyExists,
            "AccessDenied" | "FileImmutable" => ErrorKind::AccessDenied,
            "PreconditionFailed" => ErrorKind::PreconditionFailed,
            "InvalidDigest" => ErrorKind::DigestMismatch,
            "InvalidPart" | "InvalidPartOrder" | "EntityTooSmall" => ErrorKind::InvalidPart,
            "InvalidObjectName" | "EntityTooLarge" => ErrorKind::Unsupported,
            "InvalidRange" => ErrorKind::BadAnswer,
            // The body came too slowly, or not whole.
            "RequestTimeout" => ErrorKind::Timeout,
            "IncompleteBody" => ErrorKind::Connection,
            // The official SDKs send such a request again.
            "BadRequest" => ErrorKind::ServerError,
            _ => return None,
        })
    });
    by_code.unwrap_or(match status.as_u16() {
        404 => ErrorKind::NoSuchKey,
        401 | 403 => ErrorKind::AccessDenied,
        408 => ErrorKind::Timeout,
        412 => ErrorKind::PreconditionFailed,
        429 | 503 => ErrorKind::Throttled,
        // The origin of a mirror rule failed.
        424 | 500..=599 => ErrorKind::ServerError,
        _ => ErrorKind::Other,
    })
}

/// What an error document says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Refusal {
    code: Option<String>,
    /// What is wrong, in the service's words.
    sentence: Option<String>,
    /// The key id of the request, given back. Kept out of every message.
    access_key: Option<String>,
    /// The finer code of the manual's error pages.
    ec: Option<String>,
    request_id: Option<String>,
    /// Where a bucket of another region is to be found.
    endpoint: Option<String>,
}

impl Refusal {
    /// The service's sentence in one short line; none that gives the request's key back.
    fn sentence(&self) -> Option<String> {
        sentence::short(self.sentence.as_deref()?, self.access_key.as_deref())
    }
}

/// Reads an answer that is no success.
pub(crate) async fn refusal(operation: &'static str, response: LaneResponse) -> PortError {
    let status = response.status;
    let header = |name: &str| response.header(name).map(str::to_owned);
    let request_id = header("x-oss-request-id");
    let ec = header("x-oss-ec");
    // An answer to HEAD has no body: its document stands in a header.
    let in_header = header("x-oss-err").and_then(|text| STANDARD.decode(text).ok());
    let retry_after = asked_pause(&response.headers);
    let document = match in_header {
        Some(document) => document,
        None => response.collect(ERROR_BYTES_MAX).await.unwrap_or_default().to_vec(),
    };
    let read = parse_refusal(&document);
    let kind = classify(status, read.code.as_deref());
    let mut message = format!("{operation}: {}", read.code.as_deref().unwrap_or(status.as_str()));
    // The other kinds say it all in their names. These do not: a wrong region is an InvalidArgument.
    if matches!(kind, ErrorKind::Other | ErrorKind::AccessDenied)
        && let Some(sentence) = read.sentence()
    {
        message.extend([", ", sentence.as_str()]);
    }
    if let Some(ec) = ec.or(read.ec) {
        message.extend([" (ec ", ec.as_str(), ")"]);
    }
    if let Some(endpoint) = read.endpoint {
        message.extend([", the bucket's endpoint is ", endpoint.as_str()]);
    }
    let mut error = PortError::new(kind, message).with_request_id(request_id.or(read.request_id));
    error.retry_after = retry_after;
    if status.is_client_error() && error.conclusion == Conclusion::Unknown {
        // The service looked at the request and did not carry it out.
        error.conclusion = Conclusion::NotDone;
    }
    error
}

fn parse_refusal(document: &[u8]) -> Refusal {
    let mut read = Refusal::default();
    // What was read before a broken place is better than nothing.
    let _ = walk(document, |path, text| {
        let field = match path {
            "Error/Code" => &mut read.code,
            "Error/Message" => &mut read.sentence,
            "Error/OSSAccessKeyId" | "Error/AccessKeyId" => &mut read.access_key,
            "Error/EC" => &mut read.ec,
            "Error/RequestId" => &mut read.request_id,
            "Error/Endpoint" => &mut read.endpoint,
            _ => return Some(()),
        };
        *field = text.map(str::to_owned);
        Some(())
    });
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_one_meaning() {
        use ErrorKind as K;
        for (status, code, kind) in [
            (404, Some("NoSuchKey"), K::NoSuchKey),
            (404, None, K::NoSuchKey),
            (404, Some("NoSuchBucket"), K::NoSuchBucket),
            (404, Some("NoSuchUpload"), K::NoSuchUpload),
            (403, Some("InvalidAccessKeyId"), K::AccountRefused),
            (403, Some("SignatureDoesNotMatch"), K::AccountRefused),
            (403, Some("SecurityTokenExpired"), K::AccountRefused),
            (403, Some("InvalidSecurityToken"), K::AccountRefused),
            (403, Some("UserDisable"), K::AccountRefused),
            (403, Some("RequestTimeTooSkewed"), K::ClockSkew),
            (403, Some("InvalidObjectState"), K::Archived),
            (409, Some("RestoreAlreadyInProgress"), K::Restoring),
            (403, Some("AccessDenied"), K::AccessDenied),
            (403, None, K::AccessDenied),
            (409, Some("FileAlreadyExists"), K::AlreadyExists),
            (409, Some("FileImmutable"), K::AccessDenied),
            (409, Some("ObjectNotAppendable"), K::Other),
            (412, None, K::PreconditionFailed),
            (400, Some("InvalidDigest"), K::DigestMismatch),
            (400, Some("InvalidPart"), K::InvalidPart),
            (400, Some("InvalidPartOrder"), K::InvalidPart),
            (400, Some("EntityTooSmall"), K::InvalidPart),
            (400, Some("InvalidObjectName"), K::Unsupported),
            (400, Some("EntityTooLarge"), K::Unsupported),
            (400, Some("InvalidArgument"), K::Other),
            (400, Some("RequestTimeout"), K::Timeout),
            (503, Some("UploadTrafficRateLimitExceeded"), K::Throttled),
            (503, Some("MetaOperationQpsLimitExceeded"), K::Throttled),
            (503, None, K::Throttled),
            (429, None, K::Throttled),
            (500, Some("InternalError"), K::ServerError),
            (424, None, K::ServerError),
            (301, None, K::Other),
            (418, None, K::Other),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(classify(status, code), kind, "{status} {code:?}");
        }
    }

    #[test]
    fn a_document_gives_its_codes_even_when_it_is_cut_off() {
        let document = b"<Error><Code>AccessDenied</Code><RequestId>5C3D</RequestId>\
            <Endpoint>oss-cn-beijing.aliyuncs.com</Endpoint><EC>0003-00000001</EC>";
        let read = parse_refusal(document);
        assert_eq!(read.code.as_deref(), Some("AccessDenied"));
        assert_eq!(read.request_id.as_deref(), Some("5C3D"));
        assert_eq!(read.ec.as_deref(), Some("0003-00000001"));
        assert_eq!(read.endpoint.as_deref(), Some("oss-cn-beijing.aliyuncs.com"));
        assert_eq!(parse_refusal(b"<html>"), Refusal::default());
    }

    #[test]
    fn the_service_s_sentence_is_kept_short_and_without_the_key_or_what_was_signed() {
        let said = |fields: &str| {
            let document = format!("<Error><Code>InvalidArgument</Code>{fields}</Error>");
            parse_refusal(document.as_bytes()).sentence()
        };
        let region = "<Message>Invalid signing region in Authorization header.\n </Message>";
        let kept = Some("\"Invalid signing region in Authorization header\"".to_owned());
        assert_eq!(said(region), kept);
        let echoed = "<OSSAccessKeyId>LTAIx</OSSAccessKeyId><StringToSign>GET LTAIx</StringToSign>";
        assert_eq!(said(&format!("{region}{echoed}")), kept);
        assert_eq!(said(&format!("{echoed}<Message>no LTAIx here</Message>")), None);
        let long = said(&format!("<Message>{}</Message>", "ä".repeat(400))).unwrap();
        assert_eq!(long.chars().count(), sentence::CHARS_MAX + 3);
        assert_eq!((said(""), said("<Message> </Message>")), (None, None));
    }
}
