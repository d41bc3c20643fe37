//! What the adapters over AWS's SDK share: its configuration, and what its errors mean.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_credential_types::Credentials as SdkCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_http::{Credentials, CredentialsProvider, RetryPolicy};

/// A connection within a region stands in milliseconds.
const CONNECT_MAX: Duration = Duration::from_secs(3);

/// An answer that takes longer is lost. `DynamoDB` answers in milliseconds.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// How often and how long a call is repeated here. What fails for longer is reported: the ledger has
/// rounds of its own, and a queue delivers again.
pub(crate) const RETRIES: RetryPolicy = RetryPolicy {
    attempts_max: 8,
    base_wait: Duration::from_millis(50),
    wait_max: Duration::from_secs(2),
    total: Duration::from_secs(8),
};

/// The behaviour of the SDK that the code was written for. A newer one is a decision, not an upgrade.
pub(crate) fn behavior_version() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// Credentials of ours, as the SDK asks for them.
pub(crate) struct Given(pub(crate) Arc<dyn CredentialsProvider>);

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Given").finish()
    }
}

impl ProvideCredentials for Given {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let found = self.0.credentials().await.map_err(CredentialsError::provider_error)?;
            let Credentials { access_key, secret_key, token } = (*found).clone();
            Ok(SdkCredentials::new(access_key, secret_key, token, None, "ossferry"))
        })
    }
}

/// Time limits of one attempt that may wait at the service for so long.
pub(crate) fn timeouts(wait: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_MAX)
        .operation_attempt_timeout(wait + ANSWER_MAX)
        .build()
}

/// The one place where a failed call of the SDK becomes an error of a port. Only codes are named: a
/// service's own text may repeat what was signed, a session's token among it.
pub(crate) fn port_error<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> PortError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(service) => {
            let (meta, status) = (service.err().meta(), service.raw().status().as_u16());
            let (kind, conclusion) = meaning(meta.code(), meta.message(), status);
            let code = meta.code().unwrap_or("an error without a code");
            let message = format!("{operation}: {code} ({status})");
            let id = service.raw().headers().get("x-amzn-requestid").map(str::to_owned);
            PortError::new(kind, message).concluding(conclusion).with_request_id(id)
        }
        SdkError::ResponseError(response) => {
            let status = response.raw().status().as_u16();
            let message = format!("{operation}: an answer that cannot be read ({status})");
            PortError::new(ErrorKind::BadAnswer, message)
        }
        SdkError::TimeoutError(_) => {
            PortError::new(ErrorKind::Timeout, format!("{operation}: no answer in time"))
        }
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => {
            match credentials_failure(error) {
                Some(failure) => PortError {
                    message: format!("{operation}: {}", failure.message),
                    // Nothing was sent without a signature.
                    conclusion: match failure.conclusion {
                        Conclusion::Unknown => Conclusion::NotDone,
                        known => known,
                    },
                    ..failure
                },
                None => not_sent(operation, error),
            }
        }
        _ => PortError::new(ErrorKind::Other, format!("{operation}: failed within the sdk"))
            .concluding(Conclusion::Unknown),
    }
}

/// What became of one entry of a batch, by its code.
pub(crate) fn entry_error(operation: &str, code: &str, text: Option<&str>) -> PortError {
    let (kind, conclusion) = meaning(Some(code), text, 400);
    PortError::new(kind, format!("{operation}: {code} of one entry")).concluding(conclusion)
}

/// A connection that failed may have carried the request; a request that could not be made did not. The lane
/// knows better where it says so.
fn not_sent<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> PortError
where
    E: Error + 'static,
{
    let mut innermost: &dyn Error = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    if let Some(of_lane) = innermost.downcast_ref::<PortError>() {
        return PortError {
            message: format!("{operation}: {}", of_lane.message),
            ..of_lane.clone()
        };
    }
    let kind = match error {
        SdkError::ConstructionFailure(_) => ErrorKind::Other,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => ErrorKind::Timeout,
        _ => ErrorKind::Connection,
    };
    PortError::new(kind, format!("{operation}: {innermost}"))
}

/// Says which step failed, by the SDK's own words. They name files, profiles and addresses, never
/// what a file holds.
pub(crate) fn not_loaded(error: &CredentialsError) -> PortError {
    let kind = match error {
        CredentialsError::ProviderTimedOut(_) => ErrorKind::Timeout,
        CredentialsError::ProviderError(_) => ErrorKind::ServerError,
        _ => ErrorKind::AccountRefused,
    };
    let mut message = format!("credentials: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        message.push_str(": ");
        message.push_str(&error.to_string());
        cause = error.source();
    }
    // The default chain tells what it tried line by line.
    PortError::new(kind, message.replace("\n  ", "; "))
}

fn credentials_failure(error: &(dyn Error + 'static)) -> Option<PortError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(failure) = error.downcast_ref::<CredentialsError>() {
            return Some(not_loaded(failure));
        }
        cause = error.source();
    }
    None
}

/// What a service's code means, and what it lets the caller conclude. The text only tells apart what
/// one code says of two cases.
///
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html>
fn meaning(code: Option<&str>, text: Option<&str>, status: u16) -> (ErrorKind, Conclusion) {
    let says = |words: &str| text.is_some_and(|text| text.contains(words));
    let kind = match code.unwrap_or_default().trim_start_matches("AWS.SimpleQueueService.") {
        "InvalidSignatureException" | "SignatureDoesNotMatch"
            if says("Signature expired") || says("Signature not yet current") =>
        {
            ErrorKind::ClockSkew
        }
        "RequestExpired" | "RequestInTheFuture" | "RequestTimeTooSkewed" => ErrorKind::ClockSkew,
        "ExpiredToken"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidSecurity"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "NotAuthorized"
        | "OptInRequired"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => ErrorKind::AccountRefused,
        "AccessDenied"
        | "AccessDeniedException"
        | "KmsAccessDenied"
        | "KMS.AccessDeniedException" => ErrorKind::AccessDenied,
        // Of more than one writer of the same item, and of 120,000 messages in flight.
        "TransactionConflictException" | "ReplicatedWriteConflictException" | "OverLimit" => {
            ErrorKind::Throttled
        }
        "KMS.ThrottlingException"
        | "KmsThrottled"
        | "LimitExceededException"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequestsException" => ErrorKind::Throttled,
        "ConditionalCheckFailedException" | "MessageNotInflight" | "ReceiptHandleIsInvalid" => {
            ErrorKind::PreconditionFailed
        }
        // What SQS says of a receipt that has expired, and of a wait beyond twelve hours.
        "InvalidParameterValue" | "InvalidParameterValueException"
            if says("ReceiptHandle") || says("receipt handle") || says("VisibilityTimeout") =>
        {
            ErrorKind::PreconditionFailed
        }
        "BatchRequestTooLong"
        | "InvalidMessageContents"
        | "ItemCollectionSizeLimitExceededException" => ErrorKind::Unsupported,
        "ValidationException" if says("size has exceeded") => ErrorKind::Unsupported,
        "InternalServerError" | "InternalError" | "InternalFailure" | "ServiceUnavailable" => {
            ErrorKind::ServerError
        }
        _ if status == 429 => ErrorKind::Throttled,
        _ if status >= 500 => ErrorKind::ServerError,
        _ => ErrorKind::Other,
    };
    (kind, kind.usual_conclusion())
}

/// Holds what every configuration of the SDK has in common.
#[cfg(test)]
pub(crate) fn limits_are_ours(config: &aws_config::SdkConfig, region: &str) {
    use aws_sdk_sqs::config::retry::RetryConfig;

    assert_eq!(config.region().map(AsRef::as_ref), Some(region));
    assert_eq!(config.retry_config().map(RetryConfig::max_attempts), Some(1));
    let limits = config.timeout_config().expect("time limits");
    assert_eq!(limits.operation_attempt_timeout(), Some(ANSWER_MAX));
    assert_eq!(limits.connect_timeout(), Some(CONNECT_MAX));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_one_meaning() {
        use Conclusion::{NotDone, Refused, Unknown};
        let cases: &[(&[&str], ErrorKind, Conclusion)] = &[
            (
                &[
                    "ProvisionedThroughputExceededException",
                    "ThrottlingException",
                    "RequestLimitExceeded",
                    "RequestThrottled",
                    "OverLimit",
                    "AWS.SimpleQueueService.OverLimit",
                    "TransactionConflictException",
                ],
                ErrorKind::Throttled,
                NotDone,
            ),
            (
                &[
                    "ConditionalCheckFailedException",
                    "ReceiptHandleIsInvalid",
                    "MessageNotInflight",
                    "AWS.SimpleQueueService.MessageNotInflight",
                ],
                ErrorKind::PreconditionFailed,
                Refused,
            ),
            (
                &[
                    "ExpiredTokenException",
                    "InvalidSignatureException",
                    "UnrecognizedClientException",
                ],
                ErrorKind::AccountRefused,
                Refused,
            ),
            (&["AccessDeniedException", "AccessDenied"], ErrorKind::AccessDenied, Refused),
            (&["RequestExpired"], ErrorKind::ClockSkew, NotDone),
            (&["InvalidMessageContents", "BatchRequestTooLong"], ErrorKind::Unsupported, Refused),
            (&["InternalServerError", "ServiceUnavailable"], ErrorKind::ServerError, Unknown),
            (
                &[
                    "AWS.SimpleQueueService.NonExistentQueue",
                    "NeverHeardOf",
                    "QueueDoesNotExist",
                    "ResourceNotFoundException",
                    "ValidationException",
                ],
                ErrorKind::Other,
                Refused,
            ),
        ];
        for (codes, kind, conclusion) in cases {
            for code in *codes {
                assert_eq!(meaning(Some(code), None, 400), (*kind, *conclusion), "{code}");
            }
        }
    }

    #[test]
    fn text_and_status_tell_apart_what_a_code_does_not() {
        let expired = "Value A for parameter ReceiptHandle is invalid. Reason: The receipt handle has \
                       expired.";
        for (code, text, status, kind) in [
            ("InvalidParameterValue", expired, 400, ErrorKind::PreconditionFailed),
            ("InvalidParameterValue", "Value 901 for DelaySeconds", 400, ErrorKind::Other),
            ("InvalidSignatureException", "Signature expired: 2026", 400, ErrorKind::ClockSkew),
            ("ValidationException", "Item size has exceeded the", 400, ErrorKind::Unsupported),
            ("NeverHeardOf", "", 429, ErrorKind::Throttled),
            ("NeverHeardOf", "", 502, ErrorKind::ServerError),
        ] {
            assert_eq!(meaning(Some(code), Some(text), status).0, kind, "{code} {text} {status}");
        }
        assert_eq!(meaning(None, None, 500).0, ErrorKind::ServerError);
    }
}
