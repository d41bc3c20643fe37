//! What Tablestore refuses, with its codes and sentences (manual, "Error codes", 2026).

use std::borrow::Cow;

/// A request that is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: Cow<'static, str>,
}

impl Refusal {
    pub(crate) const fn new(status: u16, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message: Cow::Borrowed(message) }
    }

    /// A parameter that is refused in these words.
    pub(crate) fn parameter(message: String) -> Self {
        Self { status: 400, code: "OTSParameterInvalid", message: Cow::Owned(message) }
    }

    /// A clock that is too far off.
    pub(crate) fn skewed(date: &str) -> Self {
        let message = format!("Mismatch between system time and x-ots-date: {date}.");
        Self { status: 403, code: "OTSAuthFailed", message: Cow::Owned(message) }
    }

    /// A header without which no request is taken.
    pub(crate) fn missing(header: &str) -> Self {
        Self::parameter(format!("Missing header: '{header}'."))
    }
}

macro_rules! refusals {
    ($($name:ident $status:literal $code:literal $message:literal;)*) => {
        $(pub(crate) const $name: Refusal = Refusal::new($status, $code, $message);)*
    };
}

refusals! {
    BODY_DIGEST 403 "OTSAuthFailed"
        "Mismatch between MD5 value of request body and x-ots-contentmd5 in header.";
    BODY_TOO_LARGE 413 "OTSRequestBodyTooLarge" "The size of POST data is too large.";
    CONDITION_CHECK_FAIL 403 "OTSConditionCheckFail" "Condition check failed.";
    INSTANCE_NOT_FOUND 403 "OTSAuthFailed" "The instance is not found.";
    INVALID_KEY 400 "OTSInvalidPK" "Primary key schema mismatch.";
    INVALID_MESSAGE 400 "OTSParameterInvalid" "Failed to parse the ProtoBuf message.";
    INVALID_ROW 400 "OTSParameterInvalid" "Failed to parse the PlainBuffer.";
    METHOD_NOT_ALLOWED 405 "OTSMethodNotAllowed" "Only POST method for requests is supported.";
    SIGNATURE_MISMATCH 403 "OTSAuthFailed" "Signature mismatch.";
    TABLE_NOT_EXIST 404 "OTSObjectNotExist" "Requested table does not exist.";
    TOKEN_MISMATCH 403 "OTSAuthFailed" "The STS token is invalid.";
    TOO_MANY_COLUMNS 400 "OTSParameterInvalid"
        "The number of attribute columns exceeds the limit, limit count: 1024.";
    UNKNOWN_ACCESS_KEY 403 "OTSAuthFailed" "The AccessKeyID does not exist.";
    UNSUPPORTED_CONDITION 400 "OTSParameterInvalid"
        "Only a condition that one column equals a value is emulated.";
}
