//! Keys that stand in a secret of Key Management Service.

use std::sync::Arc;

use bytes::Bytes;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_http::percent::push_query;
use ossferry_http::{Credentials, FetchCredentials, Fetched, retry};
use serde::Deserialize;

use super::client::{Call, OpenApiClient, OpenApiOptions};

/// Of Key Management Service's interface.
const VERSION: &str = "2016-01-20";

/// Reads secrets of one region.
pub struct KmsSecrets {
    client: OpenApiClient,
}

/// What is read of an answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SecretAnswer {
    secret_data: String,
}

impl KmsSecrets {
    /// The endpoint is `https://kms.REGION.aliyuncs.com`.
    pub fn new(options: OpenApiOptions) -> Self {
        Self { client: OpenApiClient::new(options) }
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
        let SecretAnswer { secret_data } = serde_json::from_slice(&answer.body)
            .map_err(|_| unreadable("the answer holds no SecretData"))?;
        Credentials::of_secret(&secret_data).ok_or_else(|| {
            unreadable(
                "want a secret of the form {\"access_key\": \"…\", \"secret_key\": \"…\"}, or the key \
                 file of a service account of Google",
            )
        })
    }
}

/// The keys of one secret.
pub struct KmsCredentials {
    secrets: Arc<KmsSecrets>,
    name: String,
}

impl KmsCredentials {
    /// Of the secret of this name.
    pub fn new(secrets: Arc<KmsSecrets>, name: String) -> Self {
        Self { secrets, name }
    }
}

#[async_trait::async_trait]
impl FetchCredentials for KmsCredentials {
    async fn fetch(&self) -> Result<Fetched, PortError> {
        Ok(Fetched { credentials: self.secrets.read(&self.name).await?, ends_at: None })
    }
}
