//! Credentials from where AWS's own tools keep them.

use std::sync::Arc;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::time::{Clock, Timestamp};
use ossferry_http::{
    Credentials, CredentialsProvider, FetchCredentials, Fetched, RefreshedCredentials,
};

use crate::sdk_client::http_client;

/// The behaviour of the SDK that the code was written for. A newer one is a decision, not an upgrade.
pub(crate) fn behavior_version() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// Credentials of a profile, or of AWS's default chain: kept, and fetched again ahead of their end.
///
/// Here alone, and only inside aws-config, the environment and the files of AWS's tools are read.
pub struct AwsCredentials(RefreshedCredentials<Chain>);

struct Chain(SharedCredentialsProvider);

impl AwsCredentials {
    /// Of a named profile, whatever the environment says. `region` is where its role is assumed, if
    /// it names one.
    pub fn profile(name: &str, region: &str, clock: Clock) -> Self {
        let provider = ProfileFileCredentialsProvider::builder()
            .configure(&provider_config(region))
            .profile_name(name)
            .build();
        Self::of(provider, clock)
    }

    /// From the first that has any: environment, profile, web identity, container, instance.
    pub async fn default_chain(region: &str, clock: Clock) -> Self {
        let chain = DefaultCredentialsChain::builder()
            .configure(provider_config(region))
            .region(Region::new(region.to_owned()));
        Self::of(chain.build().await, clock)
    }

    fn of(provider: impl ProvideCredentials + 'static, clock: Clock) -> Self {
        let chain = Chain(SharedCredentialsProvider::new(provider));
        Self(RefreshedCredentials::new(chain, clock))
    }
}

#[async_trait::async_trait]
impl CredentialsProvider for AwsCredentials {
    async fn credentials(&self) -> Result<Arc<Credentials>, PortError> {
        self.0.credentials().await
    }

    fn expired(&self, refused: &Credentials) {
        self.0.expired(refused);
    }
}

#[async_trait::async_trait]
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
