//! Keys that stand in a secret of Key Management Service.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::time::{Clock, Timestamp};
use ossferry_http::percent::push_query;
use ossferry_http::{Credentials, CredentialsProvider, retry};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::client::{Call, OpenApiClient, OpenApiOptions};

/// Of Key Management Service's interface.
const VERSION: &str = "2016-01-20";

/// A secret is read anew after this, in case that it was rotated.
const KEPT: Duration = Duration::from_mins(10);

/// Reads secrets of one region.
pub struct KmsSecrets {
    client: OpenApiClient,
    clock: Clock,
}

/// What is read of an answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SecretAnswer {
    secret_data: String,
}

/// The secret: in our own words, or as KMS itself stores the key of a RAM user.
#[derive(Deserialize)]
struct SecretKeys {
    #[serde(alias = "AccessKeyId")]
    access_key: String,
    #[serde(alias = "AccessKeySecret")]
    secret_key: String,
    #[serde(default)]
    token: Option<String>,
}

impl KmsSecrets {
    /// The endpoint is `https://kms.REGION.aliyuncs.com`.
    pub fn new(options: OpenApiOptions) -> Self {
        let clock = Arc::clone(&options.clock);
        Self { client: OpenApiClient::new(options), clock }
    }

    /// The keys of a secret. What it holds stands in no error.
    async fn read(&self, name: &str) -> Result<Credentials, PortError> {
        const ACTION: &str = "GetSecretValue";
        let mut query = String::new();
        push_query(&mut query, "SecretName", Some(name.as_bytes()));
        let call = Call {
            action: ACTION,
            version: VERSION,
            path: "/",
            query: &query,
            headers: &[("accept", "application/json")],
            body: Bytes::new(),
        };
        let answer = retry(&self.client.options.retry, || self.client.send(&call)).await?;
        let unreadable = |what: &str| {
            let message = format!("{ACTION}: {name}: {what}");
            PortError::new(ErrorKind::AccountRefused, message)
        };
        let SecretAnswer { secret_data } = serde_json::from_slice(&answer)
            .map_err(|_| unreadable("the answer holds no SecretData"))?;
        let keys: SecretKeys = serde_json::from_str(&secret_data).map_err(|_| {
            unreadable("want a secret of the form {\"access_key\": \"…\", \"secret_key\": \"…\"}")
        })?;
        let SecretKeys { access_key, secret_key, token } = keys;
        Ok(Credentials { access_key, secret_key, token })
    }
}

/// The keys of one secret, read when the first request needs them.
pub struct SecretCredentials {
    secrets: Arc<KmsSecrets>,
    name: String,
    kept: Mutex<Option<(Arc<Credentials>, Timestamp)>>,
}

impl SecretCredentials {
    /// Of the secret of this name.
    pub fn new(secrets: Arc<KmsSecrets>, name: String) -> Self {
        Self { secrets, name, kept: Mutex::default() }
    }
}

#[async_trait::async_trait]
impl CredentialsProvider for SecretCredentials {
    async fn credentials(&self) -> Result<Arc<Credentials>, PortError> {
        // Held while it is read: who comes meanwhile waits for the same answer.
        let mut kept = self.kept.lock().await;
        let now = (self.secrets.clock)();
        if let Some((credentials, read)) = &*kept
            && now.since(*read) < KEPT
        {
            return Ok(Arc::clone(credentials));
        }
        match self.secrets.read(&self.name).await {
            Ok(read) => {
                let read = Arc::new(read);
                *kept = Some((Arc::clone(&read), now));
                Ok(read)
            }
            // What was read before is as good as anything for a while.
            Err(error) if error.is_transient() && kept.is_some() => {
                tracing::warn!(%error, secret = self.name, "read again later");
                Ok(kept.as_ref().map(|(credentials, _)| Arc::clone(credentials)).ok_or(error)?)
            }
            Err(error) => Err(error),
        }
    }

    fn expired(&self, refused: &Credentials) {
        if let Ok(mut kept) = self.kept.try_lock()
            && kept.as_ref().is_some_and(|(held, _)| **held == *refused)
        {
            *kept = None;
        }
    }
}
