//! What OSS refuses, with its codes.
//!
//! `EC` is the finer code of the manual's error pages (help.aliyun.com, "EC error codes"). Where a
//! condition has no page there, it is one of the same family.

use std::borrow::Cow;

use http::StatusCode;

use crate::storage::{ChangeError, ReceiveError};
use crate::xml::{Malformed, XmlWriter};

/// A kind of refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Condition {
    status: StatusCode,
    code: &'static str,
    ec: &'static str,
    message: &'static str,
}

macro_rules! conditions {
    ($($name:ident $status:ident $code:literal $ec:literal $message:literal;)*) => {
        $(pub(crate) const $name: Condition = Condition {
            status: StatusCode::$status, code: $code, ec: $ec, message: $message,
        };)*
    };
}

conditions! {
    ACCESS_DENIED FORBIDDEN "AccessDenied" "0003-00000001" "You have no right to access this object.";
    ANONYMOUS FORBIDDEN "AccessDenied" "0003-00000905"
        "Anonymous user has no right to access this bucket.";
    ARCHIVED FORBIDDEN "InvalidObjectState" "0019-00000001"
        "The operation is not valid for the object's state.";
    BAD_AUTHORIZATION BAD_REQUEST "InvalidArgument" "0002-00000203"
        "The authorization of the request is malformed.";
    BAD_PAYLOAD_HASH BAD_REQUEST "InvalidArgument" "0002-00000214"
        "Invalid value of x-oss-content-sha256, want UNSIGNED-PAYLOAD.";
    BODY_INCOMPLETE BAD_REQUEST "IncompleteBody" "0017-00000902"
        "The request body is shorter than its Content-Length.";
    BUCKET_NOT_EMPTY CONFLICT "BucketNotEmpty" "0015-00000301"
        "The bucket has objects. Please delete them first.";
    COMPLETE_ALL_BODY BAD_REQUEST "InvalidArgument" "0042-00000216"
        "The body must be empty where x-oss-complete-all is given.";
    ENTITY_TOO_LARGE BAD_REQUEST "EntityTooLarge" "0017-00000901"
        "Your proposed upload exceeds the maximum allowed size.";
    ENTITY_TOO_SMALL BAD_REQUEST "EntityTooSmall" "0042-00000213"
        "Your proposed upload smaller than the minimum allowed size.";
    EXPIRED FORBIDDEN "AccessDenied" "0002-00000069" "Request has expired.";
    FILE_ALREADY_EXISTS CONFLICT "FileAlreadyExists" "0026-00000002"
        "The object you specified already exists and can not be overwritten.";
    INTERNAL INTERNAL_SERVER_ERROR "InternalError" "0001-00000001"
        "Please contact the server administrator.";
    INVALID_ACCESS_KEY_ID FORBIDDEN "InvalidAccessKeyId" "0002-00000902"
        "The OSS Access Key Id you provided does not exist in our records.";
    INVALID_ARGUMENT BAD_REQUEST "InvalidArgument" "0017-00000001" "An argument is invalid.";
    INVALID_BUCKET_NAME BAD_REQUEST "InvalidBucketName" "0015-00000001"
        "The specified bucket is not valid.";
    INVALID_DIGEST BAD_REQUEST "InvalidDigest" "0016-00000001"
        "The Content-MD5 you specified did not match what we received.";
    INVALID_OBJECT_NAME BAD_REQUEST "InvalidObjectName" "0016-00000101"
        "The length of object name must be between 1 and 1023 bytes, and it must be UTF-8 that does \
         not begin with / or \\.";
    INVALID_PART BAD_REQUEST "InvalidPart" "0042-00000212"
        "One or more of the specified parts could not be found or the specified entity tag might not \
         have matched the part's entity tag.";
    INVALID_PART_NUMBER BAD_REQUEST "InvalidArgument" "0017-00000220"
        "Part number must be an integer between 1 and 10000, inclusive.";
    INVALID_PART_ORDER BAD_REQUEST "InvalidPartOrder" "0042-00000209"
        "The list of parts was not in ascending order. Parts list must specified in order by part \
         number.";
    INVALID_RANGE RANGE_NOT_SATISFIABLE "InvalidRange" "0017-00000701"
        "The requested range cannot be satisfied.";
    INVALID_TAG BAD_REQUEST "InvalidTag" "0017-00000601" "The tag you provided is not a valid tag.";
    INVALID_TOKEN FORBIDDEN "InvalidSecurityToken" "0002-00000802"
        "The security token you provided is invalid.";
    RESTORING CONFLICT "RestoreAlreadyInProgress" "0019-00000002"
        "The restore operation is in progress.";
    NOT_ARCHIVED BAD_REQUEST "OperationNotSupported" "0019-00000003"
        "The object is of a class that is not archived.";
    MALFORMED_XML BAD_REQUEST "MalformedXML" "0016-00000401"
        "The XML you provided was not well-formed or did not validate against our published schema.";
    METHOD_NOT_ALLOWED METHOD_NOT_ALLOWED "MethodNotAllowed" "0017-00000002"
        "The specified method is not allowed against this resource.";
    MIRROR_FAILED FAILED_DEPENDENCY "MirrorFailed" "0041-00000101"
        "The origin of a mirroring-based back-to-origin rule failed.";
    NO_SUCH_BUCKET NOT_FOUND "NoSuchBucket" "0015-00000101" "The specified bucket does not exist.";
    NO_SUCH_KEY NOT_FOUND "NoSuchKey" "0026-00000001" "The specified key does not exist.";
    NO_SUCH_UPLOAD NOT_FOUND "NoSuchUpload" "0017-00000244"
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have \
         been aborted or completed.";
    NO_SUCH_WEBSITE NOT_FOUND "NoSuchWebsiteConfiguration" "0039-00000001"
        "The specified bucket does not have a website configuration.";
    NOT_IMPLEMENTED NOT_IMPLEMENTED "NotImplemented" "0017-00000003"
        "A header or query you provided implies functionality that is not implemented.";
    PRECONDITION_FAILED PRECONDITION_FAILED "PreconditionFailed" "0031-00000001"
        "At least one of the pre-conditions you specified did not hold.";
    SIGNATURE_V1 FORBIDDEN "SignatureDoesNotMatch" "0002-00000040"
        "The request signature we calculated does not match the signature you provided. Check your \
         key and signing method.";
    SIGNATURE_V4 FORBIDDEN "SignatureDoesNotMatch" "0002-00000201"
        "The request signature we calculated does not match the signature you provided. Check your \
         key and signing method.";
    TIME_TOO_SKEWED FORBIDDEN "RequestTimeTooSkewed" "0002-00000504"
        "The difference between the request time and the current time is too large.";
}

/// A request that is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    condition: Condition,
    message: Option<Cow<'static, str>>,
    details: Vec<(&'static str, String)>,
}

impl From<Condition> for Refusal {
    fn from(condition: Condition) -> Self {
        Self { condition, message: None, details: Vec::new() }
    }
}

impl Condition {
    /// A refusal with its own words.
    pub(crate) fn because(self, message: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { condition: self, message: Some(message.into()), details: Vec::new() }
    }

    /// A refusal with an element more in its XML.
    pub(crate) fn with(self, name: &'static str, value: impl Into<String>) -> Refusal {
        Refusal::from(self).with(name, value)
    }
}

impl Refusal {
    /// One element more in the XML.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        self.condition.status
    }

    /// The code of the error pages.
    pub(crate) fn ec(&self) -> &'static str {
        self.condition.ec
    }

    /// The `Code` element.
    pub(crate) fn code(&self) -> &'static str {
        self.condition.code
    }

    /// The document OSS answers.
    pub(crate) fn xml(&self, request_id: &str, host: &str) -> String {
        let mut xml = XmlWriter::new(false);
        xml.within("Error", |xml| {
            xml.text("Code", self.condition.code);
            xml.text("Message", self.message.as_deref().unwrap_or(self.condition.message));
            xml.text("RequestId", request_id);
            xml.text("HostId", host);
            for (name, value) in &self.details {
                xml.text(name, value);
            }
            xml.text("EC", self.condition.ec);
        });
        xml.finish()
    }
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Exists => FILE_ALREADY_EXISTS.into(),
            ChangeError::NoSuchKey => NO_SUCH_KEY.into(),
            ChangeError::NoSuchUpload => NO_SUCH_UPLOAD.into(),
            ChangeError::Io(error) => error.into(),
        }
    }
}

impl From<ReceiveError> for Refusal {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::Incomplete(reason) => BODY_INCOMPLETE.because(reason),
            ReceiveError::TooLarge => ENTITY_TOO_LARGE.into(),
            ReceiveError::Io(error) => error.into(),
        }
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        tracing::error!(%error, "storage failed");
        INTERNAL.into()
    }
}

impl From<Malformed> for Refusal {
    fn from(Malformed: Malformed) -> Self {
        MALFORMED_XML.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_code_request_host_and_ec() {
        let refusal = NO_SUCH_KEY.with("Key", "a&b");
        assert_eq!(
            refusal.xml("5C3D", "127.0.0.1"),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The \
             specified key does not exist.</Message><RequestId>5C3D</RequestId><HostId>127.0.0.1\
             </HostId><Key>a&amp;b</Key><EC>0026-00000001</EC></Error>"
        );
        assert_eq!(refusal.status(), StatusCode::NOT_FOUND);
    }
}
