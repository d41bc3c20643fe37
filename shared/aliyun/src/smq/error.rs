//! What SMQ's refusals mean.

use http::StatusCode;
use ossferry_core::error::{Conclusion, ErrorKind, PortError};

use crate::sentence;
use crate::xml::walk;

/// The one place where answers of SMQ become our kinds (Alibaba Cloud manual, "SMQ: Error codes",
/// 2026; `InvalidDegist` is how the service spells it).
///
/// A message that is no longer held, and a queue without a message, are `PreconditionFailed`.
pub fn classify(status: StatusCode, code: Option<&str>) -> ErrorKind {
    let by_code = code.and_then(|code| {
        Some(match code {
            "MessageNotExist" | "ReceiptHandleError" => ErrorKind::PreconditionFailed,
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidSecurityToken"
            | "SecurityTokenExpired" => ErrorKind::AccountRefused,
            "AccessDenied" => ErrorKind::AccessDenied,
            "TimeExpired" => ErrorKind::ClockSkew,
            "QpsLimitExceeded" => ErrorKind::Throttled,
            "InvalidDegist" => ErrorKind::DigestMismatch,
            "QueueNotExist" | "QueueDeletedRecently" | "InvalidArgument" | "MalformedXML" => {
                ErrorKind::Other
            }
            "InternalError" | "InternalServerError" => ErrorKind::ServerError,
            _ => return None,
        })
    });
    by_code.unwrap_or(match status.as_u16() {
        401 | 403 => ErrorKind::AccessDenied,
        408 => ErrorKind::Timeout,
        429 | 503 => ErrorKind::Throttled,
        500..=599 => ErrorKind::ServerError,
        _ => ErrorKind::Other,
    })
}

/// The error that an answer which is no success stands for. `access_key` never stands in it.
pub(crate) fn refusal(
    operation: &'static str,
    status: StatusCode,
    document: &[u8],
    access_key: &str,
) -> PortError {
    let (mut code, mut sentence, mut request_id) = (None, None, None);
    // What was read before a broken place is better than nothing.
    let _ = walk(document, |path, text| {
        let field = match path {
            "Error/Code" => &mut code,
            "Error/Message" => &mut sentence,
            "Error/RequestId" => &mut request_id,
            _ => return Some(()),
        };
        *field = text.map(str::to_owned);
        Some(())
    });
    let kind = classify(status, code.as_deref());
    let mut message = format!("{operation}: {}", code.as_deref().unwrap_or(status.as_str()));
    if matches!(kind, ErrorKind::Other | ErrorKind::AccessDenied)
        && let Some(sentence) = sentence.and_then(|text| sentence::short(&text, Some(access_key)))
    {
        message.extend([", ", sentence.as_str()]);
    }
    let mut error = PortError::new(kind, message).with_request_id(request_id);
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
    fn each_answer_has_one_meaning() {
        use ErrorKind as K;
        for (status, code, kind) in [
            (404, Some("MessageNotExist"), K::PreconditionFailed),
            (400, Some("ReceiptHandleError"), K::PreconditionFailed),
            (404, Some("QueueNotExist"), K::Other),
            (404, None, K::Other),
            (403, Some("AccessDenied"), K::AccessDenied),
            (403, None, K::AccessDenied),
            (403, Some("InvalidAccessKeyId"), K::AccountRefused),
            (403, Some("SignatureDoesNotMatch"), K::AccountRefused),
            (403, Some("SecurityTokenExpired"), K::AccountRefused),
            (408, Some("TimeExpired"), K::ClockSkew),
            (408, None, K::Timeout),
            (403, Some("QpsLimitExceeded"), K::Throttled),
            (429, None, K::Throttled),
            (503, None, K::Throttled),
            (400, Some("InvalidDegist"), K::DigestMismatch),
            (400, Some("InvalidArgument"), K::Other),
            (400, Some("MalformedXML"), K::Other),
            (500, Some("InternalError"), K::ServerError),
            (502, None, K::ServerError),
            (418, None, K::Other),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(classify(status, code), kind, "{status} {code:?}");
        }
    }

    #[test]
    fn an_error_holds_code_sentence_and_request_id_and_no_key() {
        let document = b"<?xml version=\"1.0\"?><Error xmlns=\"http://mns.aliyuncs.com/doc/v1/\">\
            <Code>QueueNotExist</Code><Message>The queue  you provided does not exist.</Message>\
            <RequestId>6512</RequestId><HostId>http://1.mns.cn-hangzhou.aliyuncs.com</HostId></Error>";
        let error = refusal("SendMessage", StatusCode::NOT_FOUND, document, "LTAI");
        assert_eq!(
            error.to_string(),
            "SendMessage: QueueNotExist, \"The queue you provided does not exist\" (request id 6512)"
        );
        assert_eq!(error.conclusion, Conclusion::Refused);
        let named = refusal("SendMessage", StatusCode::NOT_FOUND, document, "queue");
        assert!(!named.message.contains("queue  you"), "{named}");
        let late = refusal("SendMessage", StatusCode::REQUEST_TIMEOUT, b"", "LTAI");
        assert_eq!(late.conclusion, Conclusion::NotDone);
    }
}
