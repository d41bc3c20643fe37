//! Keys that stand in Secrets Manager or in a parameter of Systems Manager.

use std::fmt;
use std::sync::Arc;

use ossferry_core::error::{ErrorKind, PortError};
use ossferry_http::{Credentials, FetchCredentials, Fetched};
use serde_json::{Value, json};

use super::{AwsApi, Service};

/// A text that is shown by nothing.
pub(super) struct Hidden(pub(super) String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hidden")
    }
}

/// Where a key pair stands as JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SecretPlace {
    /// Name or ARN of a secret.
    Secret(String),
    /// Name or ARN of a parameter.
    Parameter(String),
}

impl SecretPlace {
    /// The region that an ARN names.
    pub fn region(&self) -> Option<&str> {
        let (Self::Secret(name) | Self::Parameter(name)) = self;
        let mut parts = name.split(':');
        let is_arn = parts.next() == Some("arn");
        parts.nth(2).filter(|region| is_arn && !region.is_empty())
    }
}

impl fmt::Display for SecretPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(id) => write!(f, "secret {id}"),
            Self::Parameter(name) => write!(f, "parameter {name}"),
        }
    }
}

/// Fetches a key pair from there.
pub struct SecretCredentials {
    api: Arc<AwsApi>,
    place: SecretPlace,
}

impl SecretCredentials {
    /// Asks nothing yet.
    pub fn new(api: Arc<AwsApi>, place: SecretPlace) -> Self {
        Self { api, place }
    }
}

#[async_trait::async_trait]
impl FetchCredentials for SecretCredentials {
    async fn fetch(&self) -> Result<Fetched, PortError> {
        let text = match &self.place {
            SecretPlace::Secret(id) => self.api.secret_value(id).await?,
            SecretPlace::Parameter(name) => self.api.parameter_value(name).await?,
        };
        let credentials = Credentials::of_secret(&text.0).ok_or_else(|| {
            let message = format!(
                "{}: want the JSON object {{\"access_key\": \"…\", \"secret_key\": \"…\"}}, and \
                 \"token\" where there is one; or the key file of a service account of Google",
                self.place
            );
            PortError::new(ErrorKind::AccountRefused, message)
        })?;
        Ok(Fetched { credentials, ends_at: None })
    }
}

impl AwsApi {
    /// `GetSecretValue`: the text of a secret.
    async fn secret_value(&self, id: &str) -> Result<Hidden, PortError> {
        let request = json!({ "SecretId": id });
        let target = "secretsmanager.GetSecretValue";
        let answer = self.json("GetSecretValue", Service::SecretsManager, target, &request).await?;
        let text = answer.json()?.get("SecretString").and_then(Value::as_str).map(str::to_owned);
        text.map(Hidden).ok_or_else(|| answer.bad("the secret is not a text"))
    }

    /// `GetParameter`: the text of a parameter, decrypted.
    async fn parameter_value(&self, name: &str) -> Result<Hidden, PortError> {
        let request = json!({ "Name": name, "WithDecryption": true });
        let answer =
            self.json("GetParameter", Service::Ssm, "AmazonSSM.GetParameter", &request).await?;
        let answered = answer.json()?;
        let text = answered.pointer("/Parameter/Value").and_then(Value::as_str).map(str::to_owned);
        text.map(Hidden).ok_or_else(|| answer.bad("the parameter is not a text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_says_where_it_is_and_a_hidden_text_says_nothing() {
        let secret = "arn:aws:secretsmanager:eu-west-1:1:secret:oss-AbC";
        assert_eq!(SecretPlace::Secret(secret.to_owned()).region(), Some("eu-west-1"));
        assert_eq!(SecretPlace::Parameter("/a:b:c:d".to_owned()).region(), None);
        assert_eq!(format!("{:?}", Hidden("canary".to_owned())), "hidden");
    }
}
