//! What is asked of a bucket before a job begins. Through the SDK: it is rare, and answers in as many
//! shapes as there are stores.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Config, Region, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;
use aws_sdk_s3::types::{BucketLocationConstraint, BucketVersioningStatus};
use http::StatusCode;
use ossferry_core::error::{ErrorKind, PortError};

use crate::error::{HEAD_BUCKET, classify};
use crate::kind::S3Kind;
use crate::sdk::{Given, behavior_version};
use crate::sdk_client::http_client;
use crate::source::S3Source;

const GET_BUCKET_LOCATION: &str = "GetBucketLocation";
const GET_BUCKET_VERSIONING: &str = "GetBucketVersioning";

/// Whether a bucket keeps old versions. Only current ones are moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Versioning {
    /// It never did.
    Off,
    /// It does.
    On,
    /// It did, and keeps what it has.
    Suspended,
    /// It did not say, and why.
    Unknown(String),
}

/// What a bucket says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    /// Where the bucket is, if the store says so. Requests signed for another region are refused.
    pub region: Option<String>,
    /// Whether it keeps old versions.
    pub versioning: Versioning,
}

impl S3Source {
    /// Asks the bucket what a job needs to know before it begins. Changes nothing.
    ///
    /// Fails where the bucket can't be asked at all: it is not there, the credentials or the clock
    /// are refused, nothing answers. What the rights or the store do not cover is told as unknown.
    pub async fn preflight(&self) -> Result<Preflight, PortError> {
        let client = self.client();
        let bucket = &self.options.bucket;
        self.meter.count(HEAD_BUCKET);
        let mut region = match client.head_bucket().bucket(bucket).send().await {
            Ok(head) => head.bucket_region().map(str::to_owned),
            Err(error) => match port_error(HEAD_BUCKET, &error) {
                // A right to list one prefix is none to ask for the bucket.
                error if error.kind == ErrorKind::AccessDenied => None,
                error => return Err(error),
            },
        };
        if region.is_none() && self.options.kind == S3Kind::S3 {
            region = self.location(&client).await;
        }
        let versioning = self.versioning(&client).await?;
        Ok(Preflight { region, versioning })
    }

    async fn location(&self, client: &Client) -> Option<String> {
        self.meter.count(GET_BUCKET_LOCATION);
        let asked = client.get_bucket_location().bucket(&self.options.bucket).send().await;
        match asked {
            // Buckets of the first region have no constraint, the oldest of Europe this one.
            Ok(found) => {
                Some(match found.location_constraint().map(BucketLocationConstraint::as_str) {
                    None | Some("") => "us-east-1".to_owned(),
                    Some("EU") => "eu-west-1".to_owned(),
                    Some(region) => region.to_owned(),
                })
            }
            Err(error) => {
                let error = port_error(GET_BUCKET_LOCATION, &error);
                tracing::debug!(%error, "the bucket's region is not known");
                None
            }
        }
    }

    async fn versioning(&self, client: &Client) -> Result<Versioning, PortError> {
        self.meter.count(GET_BUCKET_VERSIONING);
        let asked = client.get_bucket_versioning().bucket(&self.options.bucket).send().await;
        let found = match asked {
            Ok(found) => found,
            Err(error) => {
                let error = port_error(GET_BUCKET_VERSIONING, &error);
                if error.kind.concerns_every_object() {
                    return Err(error);
                }
                return Ok(Versioning::Unknown(error.to_string()));
            }
        };
        Ok(match found.status() {
            None => Versioning::Off,
            Some(BucketVersioningStatus::Enabled) => Versioning::On,
            Some(BucketVersioningStatus::Suspended) => Versioning::Suspended,
            Some(other) => Versioning::Unknown(other.as_str().to_owned()),
        })
    }

    fn client(&self) -> Client {
        let policy = &self.options.retry;
        let config = Config::builder()
            .behavior_version(behavior_version())
            .http_client(http_client())
            .region(Region::new(self.options.region.clone()))
            .endpoint_url(&self.options.endpoint)
            .force_path_style(self.wire.place.is_path_style())
            // Stores that only speak like S3 refuse, or give wrongly, what S3 added later.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(policy.attempts_max)
                    .with_initial_backoff(policy.base_wait)
                    .with_max_backoff(policy.wait_max),
            )
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(10))
                    .operation_attempt_timeout(Duration::from_secs(30))
                    .operation_timeout(policy.total)
                    .build(),
            );
        let config = match &self.options.credentials {
            Some(provider) => config.credentials_provider(Given(Arc::clone(provider))),
            None => config.allow_no_auth(),
        };
        Client::from_conf(config.build())
    }
}

/// What an error of the SDK means, by the same table as our own requests.
fn port_error<E>(operation: &str, error: &SdkError<E>) -> PortError
where
    E: ProvideErrorMetadata,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    let (kind, what) = match (error, status) {
        (SdkError::ServiceError(_), Some(status)) => {
            let code = error.code();
            let kind = match classify(status, code) {
                ErrorKind::NoSuchKey => ErrorKind::NoSuchBucket,
                kind => kind,
            };
            (kind, format!("{} ({})", code.unwrap_or("refused"), status.as_u16()))
        }
        (SdkError::TimeoutError(_), _) => (ErrorKind::Timeout, "no answer in time".to_owned()),
        (SdkError::DispatchFailure(failure), _) => {
            let cause = failure.as_connector_error().map(ToString::to_string);
            (ErrorKind::Connection, cause.unwrap_or_else(|| "not sent".to_owned()))
        }
        (SdkError::ConstructionFailure(_), _) => {
            (ErrorKind::AccountRefused, "the request could not be made or signed".to_owned())
        }
        _ => (ErrorKind::BadAnswer, "unreadable answer".to_owned()),
    };
    let id = error.request_id().map(str::to_owned);
    PortError::new(kind, format!("{operation}: {what}")).with_request_id(id)
}
