//! Where a process finds what AWS's own tools would use: keys, a region, addresses of services.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_http::{Credentials, CredentialsProvider, StaticCredentials};

use crate::sdk::{Given, behavior_version, timeouts};
use crate::sdk_client::http_client;

/// Reads an environment variable.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What AWS's own tools would use where the process runs.
///
/// The SDK configured by it repeats nothing by itself: of a conditional write whose answer was lost it
/// would report the condition failed, because its own row stands by then.
#[async_trait]
pub trait AwsSettings: Send + Sync {
    /// The credentials of the process. `region` is where a role is assumed, if one is.
    async fn default_credentials(&self, region: &str) -> Arc<dyn CredentialsProvider>;

    /// Those of a named profile, whatever the environment says.
    fn profile_credentials(
        &self,
        profile: &str,
        region: &str,
    ) -> Result<Arc<dyn CredentialsProvider>, PortError>;

    /// The region where no variable names one.
    async fn region(&self) -> Option<String>;

    /// The configuration for the clients of [`crate::SqsQueue`] and [`crate::DynamoTable`]:
    /// credentials, region and endpoints (`AWS_ENDPOINT_URL` and the like), the region named here
    /// before any other.
    async fn sdk_config(&self, region: Option<&str>) -> SdkConfig;
}

/// Settings of a function: they stand in its environment, and there is no other place.
///
/// What reads profiles and asks instances for roles is a fifteenth of a function's binary, and no
/// function could use it.
pub struct FunctionSettings {
    variables: Variables,
}

impl FunctionSettings {
    /// Of this environment.
    pub fn new(variables: Variables) -> Self {
        Self { variables }
    }

    /// The configuration of the SDK with credentials from elsewhere: where nothing of AWS's own is
    /// at hand.
    pub fn sdk_config_signed_by(
        &self,
        region: Option<&str>,
        credentials: Arc<dyn CredentialsProvider>,
    ) -> SdkConfig {
        let named =
            ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| self.set(name));
        let mut config = SdkConfig::builder()
            .behavior_version(behavior_version())
            .http_client(http_client())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts(Duration::ZERO))
            .credentials_provider(SharedCredentialsProvider::new(Given(credentials)))
            .service_config(Addresses(Arc::clone(&self.variables)));
        config.set_region(region.map(str::to_owned).or(named).map(Region::new));
        config.build()
    }

    fn set(&self, variable: &str) -> Option<String> {
        (self.variables)(variable).filter(|value| !value.is_empty())
    }
}

#[async_trait]
impl AwsSettings for FunctionSettings {
    async fn default_credentials(&self, _: &str) -> Arc<dyn CredentialsProvider> {
        let (access_key, secret_key) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
        match (self.set(access_key), self.set(secret_key)) {
            (Some(access_key), Some(secret_key)) => Arc::new(StaticCredentials::new(Credentials {
                access_key,
                secret_key,
                token: self.set("AWS_SESSION_TOKEN"),
            })),
            (None, _) => Arc::new(Missing(access_key)),
            _ => Arc::new(Missing(secret_key)),
        }
    }

    fn profile_credentials(
        &self,
        profile: &str,
        _: &str,
    ) -> Result<Arc<dyn CredentialsProvider>, PortError> {
        let message = format!(
            "a function has no profiles of AWS's tools, and so no profile {profile:?}: use the \
             credentials of its role (from = \"aws\"), a secret or a parameter"
        );
        Err(PortError::new(ErrorKind::Unsupported, message))
    }

    async fn region(&self) -> Option<String> {
        None
    }

    async fn sdk_config(&self, region: Option<&str>) -> SdkConfig {
        let credentials = self.default_credentials("").await;
        self.sdk_config_signed_by(region, credentials)
    }
}

/// Credentials of an environment that lacks this variable.
struct Missing(&'static str);

#[async_trait]
impl CredentialsProvider for Missing {
    async fn credentials(&self) -> Result<Arc<Credentials>, PortError> {
        let message = format!("credentials: {} is not set", self.0);
        Err(PortError::new(ErrorKind::AccountRefused, message))
    }
}

/// Addresses of services in variables, as AWS's own tools read them: `AWS_ENDPOINT_URL_SQS` before
/// `AWS_ENDPOINT_URL`.
///
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
struct Addresses(Variables);

impl std::fmt::Debug for Addresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Addresses")
    }
}

impl LoadServiceConfig for Addresses {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace(' ', "_");
        let particular = format!("{}_{service}", key.env());
        [particular.as_str(), key.env()]
            .into_iter()
            .find_map(|name| (self.0)(name).filter(|value| !value.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdk::limits_are_ours;

    fn settings(pairs: &'static [(&str, &str)]) -> FunctionSettings {
        FunctionSettings::new(Arc::new(|name: &str| {
            let found = pairs.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        }))
    }

    #[tokio::test]
    async fn the_sdk_repeats_nothing_and_waits_for_no_answer_for_ever() {
        let config = settings(&[("AWS_REGION", "eu-west-1")]).sdk_config(None).await;
        limits_are_ours(&config, "eu-west-1");
        let config = settings(&[("AWS_REGION", "eu-west-1")]).sdk_config(Some("r")).await;
        limits_are_ours(&config, "r");
    }

    #[tokio::test]
    async fn a_functions_keys_stand_in_its_variables_and_a_missing_one_is_named() {
        let keys = settings(&[
            ("AWS_ACCESS_KEY_ID", "AK"),
            ("AWS_SECRET_ACCESS_KEY", "SK"),
            ("AWS_SESSION_TOKEN", "T"),
        ]);
        let found = keys.default_credentials("r").await.credentials().await.unwrap();
        assert_eq!(
            (&*found.access_key, &*found.secret_key, found.token.as_deref()),
            ("AK", "SK", Some("T"))
        );
        let half = settings(&[("AWS_ACCESS_KEY_ID", "AK"), ("AWS_SECRET_ACCESS_KEY", "")]);
        let error = half.default_credentials("r").await.credentials().await.unwrap_err();
        assert!(error.to_string().contains("AWS_SECRET_ACCESS_KEY"), "{error}");
    }

    #[test]
    fn a_function_has_no_profiles_and_says_what_to_use() {
        let error = settings(&[]).profile_credentials("mine", "r").err().unwrap().to_string();
        assert!(error.contains("\"mine\"") && error.contains("secret"), "{error}");
    }

    #[test]
    fn the_address_of_a_service_is_that_of_the_most_particular_variable() {
        let one = settings(&[
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:2"),
            ("AWS_ENDPOINT_URL_DYNAMODB", ""),
        ]);
        let of = |service: &str| {
            let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL");
            let key = key.profile("endpoint_url").build().unwrap();
            Addresses(Arc::clone(&one.variables)).load_config(key)
        };
        assert_eq!(of("SQS").as_deref(), Some("http://127.0.0.1:2"));
        assert_eq!(of("DynamoDB").as_deref(), Some("http://127.0.0.1:1"));
    }
}
