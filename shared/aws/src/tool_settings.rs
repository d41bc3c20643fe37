//! What AWS's own tools use on a machine: environment, profiles, roles of container and instance.

use std::sync::Arc;

use async_trait::async_trait;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::meta::region::ProvideRegion as _;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_sqs::config::retry::RetryConfig;
use ossferry_core::error::PortError;
use ossferry_core::time::{Clock, Timestamp};
use ossferry_http::{
    Credentials, CredentialsProvider, FetchCredentials, Fetched, RefreshedCredentials,
};

use crate::sdk::{behavior_version, not_loaded, timeouts};
use crate::sdk_client::http_client;
use crate::settings::AwsSettings;

/// Settings as AWS's own tools find them, with credentials that are kept and fetched again ahead of
/// their end.
///
/// Here alone, and only inside aws-config, the environment and the files of AWS's tools are read.
pub struct ToolSettings {
    clock: Clock,
}

impl ToolSettings {
    /// By this clock credentials end.
    pub fn new(clock: Clock) -> Self {
        Self { clock }
    }

    fn kept(&self, provider: impl ProvideCredentials + 'static) -> Arc<dyn CredentialsProvider> {
        let chain = Chain(SharedCredentialsProvider::new(provider));
        Arc::new(RefreshedCredentials::new(chain, Arc::clone(&self.clock)))
    }
}

#[async_trait]
impl AwsSettings for ToolSettings {
    /// From the first that has any: environment, profile, web identity, container, instance.
    async fn default_credentials(&self, region: &str) -> Arc<dyn CredentialsProvider> {
        let chain = DefaultCredentialsChain::builder()
            .configure(provider_config(region))
            .region(Region::new(region.to_owned()));
        self.kept(chain.build().await)
    }

    fn profile_credentials(
        &self,
        profile: &str,
        region: &str,
    ) -> Result<Arc<dyn CredentialsProvider>, PortError> {
        let provider = ProfileFileCredentialsProvider::builder()
            .configure(&provider_config(region))
            .profile_name(profile)
            .build();
        Ok(self.kept(provider))
    }

    async fn region(&self) -> Option<String> {
        let region = ProfileFileRegionProvider::new().region().await;
        region.map(|region| region.to_string())
    }

    async fn sdk_config(&self, region: Option<&str>) -> SdkConfig {
        let loader = aws_config::defaults(behavior_version())
            .http_client(http_client())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts(std::time::Duration::ZERO));
        match region {
            Some(region) => loader.region(Region::new(region.to_owned())).load().await,
            None => loader.load().await,
        }
    }
}

struct Chain(SharedCredentialsProvider);

#[async_trait]
impl FetchCredentials for Chain {
    async fn fetch(&self) -> Result<Fetched, PortError> {
        let found = self.0.provide_credentials().await.map_err(|error| not_loaded(&error))?;
        Ok(Fetched {
            credentials: Credentials {
                access_key: found.access_key_id().to_owned(),
                secret_key: found.secret_access_key().to_owned(),
                token: found.session_token().map(str::to_owned),
            },
            // Keys in files and variables are as long as the process: looked up once.
            ends_at: Some(found.expiry().map_or(Timestamp::MAX, Timestamp::from)),
        })
    }
}

fn provider_config(region: &str) -> ProviderConfig {
    ProviderConfig::without_region()
        .with_region(Some(Region::new(region.to_owned())))
        .with_behavior_version(Some(behavior_version()))
        .with_http_client(http_client())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdk::limits_are_ours;

    #[tokio::test]
    async fn the_sdk_repeats_nothing_and_waits_for_no_answer_for_ever() {
        let settings = ToolSettings::new(Arc::new(|| Timestamp(0)));
        let config = settings.sdk_config(Some("eu-west-1")).await;
        limits_are_ours(&config, "eu-west-1");
    }
}
