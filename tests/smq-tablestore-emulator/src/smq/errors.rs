//! What SMQ refuses, with its codes (manual, "Error codes", 2026).

use std::borrow::Cow;

/// A request that is refused, or one message of it.
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

    /// As a test wants it.
    pub(crate) fn scripted(status: u16, code: &'static str, message: &'static str) -> Self {
        Self::new(status, code, message)
    }

    /// An argument that is out of its range.
    pub(crate) fn out_of_range(name: &str, low: u64, high: u64) -> Self {
        let message = format!("The value of {name} should between {low} and {high}.");
        Self { message: Cow::Owned(message), ..INVALID_ARGUMENT }
    }
}

macro_rules! refusals {
    ($($name:ident $status:literal $code:literal $message:literal;)*) => {
        $(pub(crate) const $name: Refusal = Refusal::new($status, $code, $message);)*
    };
}

refusals! {
    BATCH_TOO_LARGE 400 "InvalidArgument" "The messages of a batch are more than 16 or 65536 bytes.";
    BODY_TOO_LARGE 400 "InvalidArgument" "The body of a message exceeds MaximumMessageSize.";
    INVALID_ACCESS_KEY_ID 403 "InvalidAccessKeyId" "The AccessKey Id you provided is not exist.";
    INVALID_ARGUMENT 400 "InvalidArgument" "An argument is invalid.";
    INVALID_AUTHORIZATION 400 "InvalidAuthorizationHeader"
        "The Authorization header format is invalid.";
    INVALID_DATE 400 "InvalidDateHeader" "The Date header format is invalid.";
    INVALID_DIGEST 400 "InvalidDegist" "The Content-MD5 you specified is invalid.";
    INVALID_QUEUE_NAME 400 "InvalidQueueName" "The queue name you provided is invalid.";
    INVALID_TOKEN 403 "InvalidSecurityToken" "The security token you provided is invalid.";
    INVALID_URL 400 "InvalidRequestURL" "Http request URL format invalid.";
    MALFORMED_XML 400 "MalformedXML" "The XML you provided was not well-formed.";
    MESSAGE_NOT_EXIST 404 "MessageNotExist" "Message not exist.";
    MESSAGE_NOT_TAKEN 500 "InternalError" "Internal error.";
    MISSING_AUTHORIZATION 400 "MissingAuthorizationHeader" "Authorization header is required.";
    MISSING_DATE 400 "MissingDateHeader" "Date header is required.";
    MISSING_VERSION 400 "MissingVersionHeader" "x-mns-version header is required.";
    MISSING_VISIBILITY 400 "MissingVisibilityTimeout" "VisibilityTimeout is required.";
    QUEUE_ALREADY_EXIST 409 "QueueAlreadyExist"
        "The queue you want to create is already exist, and you have assigned different attributes.";
    QUEUE_NOT_EXIST 404 "QueueNotExist" "The queue name you provided is not exist.";
    RECEIPT_HANDLE_ERROR 400 "ReceiptHandleError" "The receipt handle you provided is not valid.";
    SIGNATURE 403 "SignatureDoesNotMatch"
        "The request signature we calculated does not match the signature you provided.";
    TIME_EXPIRED 408 "TimeExpired" "The http request you sent is expired.";
}
