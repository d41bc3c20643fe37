//! What Tablestore's refusals mean.

use http::StatusCode;
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use prost::Message as _;

use crate::sentence;
use crate::tablestore::messages::Error;

/// The one place where answers of Tablestore become our kinds, with what a writer may conclude
/// (Alibaba Cloud manual, "Tablestore: Error codes", 2026; the lists of codes to retry are those of the
/// official Python SDK 6.4.8: some after any request, others only after reads, because a write may
/// stand).
pub fn classify(
    status: StatusCode,
    code: Option<&str>,
    sentence: Option<&str>,
) -> (ErrorKind, Conclusion) {
    let sentence = sentence.unwrap_or_default();
    let usual = |kind: ErrorKind| (kind, kind.usual_conclusion());
    match code.unwrap_or_default() {
        "OTSConditionCheckFail" => usual(ErrorKind::PreconditionFailed),
        "OTSServerBusy" | "OTSNotEnoughCapacityUnit" | "OTSOperationThrottled" => {
            usual(ErrorKind::Throttled)
        }
        "OTSQuotaExhausted" if sentence.starts_with("Too frequent table operations") => {
            usual(ErrorKind::Throttled)
        }
        "OTSRowOperationConflict"
        | "OTSOperationConflict"
        | "OTSTableNotReady"
        | "OTSPartitionUnavailable" => (ErrorKind::ServerError, Conclusion::NotDone),
        "OTSTimeout" => usual(ErrorKind::Timeout),
        "OTSInternalServerError" | "OTSServerUnavailable" => usual(ErrorKind::ServerError),
        // The client was too slow: the request never came whole.
        "OTSRequestTimeout" => (ErrorKind::Timeout, Conclusion::NotDone),
        "OTSAuthFailed" => usual(auth_failure(sentence)),
        "OTSNoPermissionAccess" => usual(ErrorKind::AccessDenied),
        "OTSRequestBodyTooLarge" | "OTSOutOfRowSizeLimit" | "OTSOutOfColumnCountLimit" => {
            usual(ErrorKind::Unsupported)
        }
        "OTSParameterInvalid" if sentence.starts_with(NO_V2_SIGNATURE) => {
            usual(ErrorKind::AccountRefused)
        }
        "OTSQuotaExhausted" | "OTSParameterInvalid" | "OTSInvalidPK" | "OTSObjectNotExist" => {
            usual(ErrorKind::Other)
        }
        _ => usual(match status.as_u16() {
            401 | 403 => ErrorKind::AccessDenied,
            413 => ErrorKind::Unsupported,
            429 => ErrorKind::Throttled,
            500..=599 => ErrorKind::ServerError,
            _ => ErrorKind::Other,
        }),
    }
}

/// How an endpoint that knows no V4 begins to complain.
const NO_V2_SIGNATURE: &str = "Missing header: 'x-ots-signature'";

/// One code stands for many causes.
fn auth_failure(sentence: &str) -> ErrorKind {
    if sentence.starts_with("Mismatch between system time") {
        ErrorKind::ClockSkew
    } else if sentence.starts_with("Mismatch between MD5") {
        ErrorKind::DigestMismatch
    } else if sentence.contains("privilege")
        || sentence.contains("permission")
        || sentence.contains("ACL policies")
    {
        ErrorKind::AccessDenied
    } else {
        ErrorKind::AccountRefused
    }
}

/// What a refusal says.
pub(crate) struct Refusal {
    pub(crate) error: PortError,
    /// Whether another version of the signature may be taken.
    pub(crate) is_of_signature: bool,
}

/// Reads an answer that is no success. `access_key` never stands in the error.
pub(crate) fn refusal(
    operation: &'static str,
    status: StatusCode,
    body: &[u8],
    access_key: &str,
) -> Refusal {
    let read = Error::decode(body).ok();
    let code = read.as_ref().map(|error| error.code.as_str());
    let sentence = read.as_ref().and_then(|error| error.message.as_deref());
    let (kind, conclusion) = classify(status, code, sentence);
    let mut message = format!("{operation}: {}", code.unwrap_or(status.as_str()));
    let is_said_by_kind = matches!(kind, ErrorKind::Throttled | ErrorKind::PreconditionFailed);
    if !is_said_by_kind
        && let Some(sentence) = sentence::short(sentence.unwrap_or_default(), Some(access_key))
    {
        message.extend([", ", sentence.as_str()]);
    }
    let is_of_signature = sentence.is_some_and(|sentence| {
        sentence.starts_with("Signature mismatch") || sentence.starts_with(NO_V2_SIGNATURE)
    });
    Refusal { error: PortError::new(kind, message).concluding(conclusion), is_of_signature }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_one_meaning() {
        use Conclusion as C;
        use ErrorKind as K;
        for (status, code, sentence, kind, conclusion) in [
            (
                403,
                "OTSConditionCheckFail",
                "Condition check failed.",
                K::PreconditionFailed,
                C::Refused,
            ),
            (503, "OTSServerBusy", "Server is busy.", K::Throttled, C::NotDone),
            (403, "OTSNotEnoughCapacityUnit", "", K::Throttled, C::NotDone),
            (403, "OTSOperationThrottled", "", K::Throttled, C::NotDone),
            (403, "OTSQuotaExhausted", "Too frequent table operations.", K::Throttled, C::NotDone),
            (
                403,
                "OTSQuotaExhausted",
                "Number of tables exceeded the quota.",
                K::Other,
                C::Refused,
            ),
            (409, "OTSRowOperationConflict", "Data is being modified", K::ServerError, C::NotDone),
            (409, "OTSOperationConflict", "", K::ServerError, C::NotDone),
            (404, "OTSTableNotReady", "The table is not ready.", K::ServerError, C::NotDone),
            (503, "OTSPartitionUnavailable", "", K::ServerError, C::NotDone),
            (503, "OTSTimeout", "Operation timeout.", K::Timeout, C::Unknown),
            (500, "OTSInternalServerError", "", K::ServerError, C::Unknown),
            (503, "OTSServerUnavailable", "Server is not available.", K::ServerError, C::Unknown),
            (408, "OTSRequestTimeout", "Request timeout.", K::Timeout, C::NotDone),
            (403, "OTSAuthFailed", "Signature mismatch.", K::AccountRefused, C::Refused),
            (403, "OTSAuthFailed", "The AccessKeyID is disabled.", K::AccountRefused, C::Refused),
            (
                403,
                "OTSAuthFailed",
                "Mismatch between system time and x-ots-date: x.",
                K::ClockSkew,
                C::NotDone,
            ),
            (
                403,
                "OTSAuthFailed",
                "Mismatch between MD5 value of request body and",
                K::DigestMismatch,
                C::NotDone,
            ),
            (
                403,
                "OTSAuthFailed",
                "Request denied by instance ACL policies.",
                K::AccessDenied,
                C::Refused,
            ),
            (
                403,
                "OTSAuthFailed",
                "The user has no privilege to access",
                K::AccessDenied,
                C::Refused,
            ),
            (403, "OTSNoPermissionAccess", "", K::AccessDenied, C::Refused),
            (413, "OTSRequestBodyTooLarge", "", K::Unsupported, C::Refused),
            (400, "OTSOutOfRowSizeLimit", "", K::Unsupported, C::Refused),
            (400, "OTSParameterInvalid", "Invalid table name: 'x'.", K::Other, C::Refused),
            (
                400,
                "OTSParameterInvalid",
                "Missing header: 'x-ots-signature'.",
                K::AccountRefused,
                C::Refused,
            ),
            (404, "OTSObjectNotExist", "Requested table does not exist.", K::Other, C::Refused),
            (502, "", "", K::ServerError, C::Unknown),
            (503, "", "", K::ServerError, C::Unknown),
            (429, "", "", K::Throttled, C::NotDone),
            (403, "", "", K::AccessDenied, C::Refused),
            (418, "", "", K::Other, C::Refused),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let code = Some(code).filter(|code| !code.is_empty());
            let found = classify(status, code, Some(sentence));
            assert_eq!(found, (kind, conclusion), "{status} {code:?} {sentence}");
        }
    }

    #[test]
    fn an_error_holds_code_and_sentence_and_no_key() {
        let body = Error {
            code: "OTSObjectNotExist".to_owned(),
            message: Some("Requested table does not exist.".to_owned()),
        };
        let read = refusal("GetRow", StatusCode::NOT_FOUND, &body.encode_to_vec(), "LTAI");
        let text = "GetRow: OTSObjectNotExist, \"Requested table does not exist\"";
        assert_eq!((read.error.to_string().as_str(), read.is_of_signature), (text, false));
        let read = refusal("GetRow", StatusCode::NOT_FOUND, &body.encode_to_vec(), "table");
        assert_eq!(read.error.to_string(), "GetRow: OTSObjectNotExist");
        let read = refusal("GetRow", StatusCode::BAD_GATEWAY, b"<html>", "LTAI");
        assert_eq!(read.error.to_string(), "GetRow: 502");
    }
}
