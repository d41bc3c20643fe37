//! Who signs. The secret never shows in a log line.

use std::fmt;
use std::sync::Arc;

use ossferry_core::error::{ErrorKind, PortError};
use serde::Deserialize;

/// A key pair, with the token of a temporary one.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Public half: stands in every request.
    pub access_key: String,
    /// Private half: signs.
    pub secret_key: String,
    /// Token of temporary credentials.
    pub token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key", &self.access_key)
            .field("temporary", &self.token.is_some())
            .finish_non_exhaustive()
    }
}

/// How a secret store keeps a key pair: in our own words, or as Alibaba Cloud's KMS itself stores the key
/// of a RAM user. It derives nothing that could show it.
#[derive(Deserialize)]
struct KeyPair {
    #[serde(alias = "AccessKeyId")]
    access_key: String,
    #[serde(alias = "AccessKeySecret")]
    secret_key: String,
    token: Option<String>,
}

/// The key of a service account of Google, as far as its name.
#[derive(Deserialize)]
struct ServiceAccount {
    #[serde(rename = "type")]
    kind: String,
    client_email: String,
    #[serde(rename = "private_key")]
    _private_key: serde::de::IgnoredAny,
}

impl Credentials {
    /// What the text of a secret holds: a key pair as JSON, with a token where there is one; or the file that
    /// Google gives for a service account's key, which is the secret as a whole. `None` where it is
    /// neither, and nothing of it is told.
    pub fn of_secret(text: &str) -> Option<Self> {
        let pair = serde_json::from_str(text).ok();
        let pair = pair.map(|KeyPair { access_key, secret_key, token }| Self {
            access_key,
            secret_key,
            token,
        });
        let found = pair.or_else(|| {
            let account: ServiceAccount = serde_json::from_str(text).ok()?;
            let is_one = account.kind == "service_account";
            let (access_key, secret_key) = (account.client_email, text.to_owned());
            is_one.then_some(Self { access_key, secret_key, token: None })
        });
        let is_empty = |found: &Self| {
            let parts = [Some(&found.access_key), Some(&found.secret_key), found.token.as_ref()];
            parts.into_iter().flatten().any(String::is_empty)
        };
        found.filter(|found| !is_empty(found))
    }
}

/// Gives the credentials to sign the next request with.
#[async_trait::async_trait]
pub trait CredentialsProvider: Send + Sync {
    /// Those valid now. Called for every request: caches by itself.
    async fn credentials(&self) -> Result<Arc<Credentials>, PortError>;

    /// The service refused these as expired: whoever can get others gets them for the next call.
    fn expired(&self, _refused: &Credentials) {}
}

/// Whom one request is made as: credentials, and who gave them.
pub struct Identity<'a> {
    provider: &'a dyn CredentialsProvider,
    /// Those of this request.
    pub credentials: Arc<Credentials>,
}

impl<'a> Identity<'a> {
    /// As the provider gives it now.
    pub async fn of(provider: &'a Arc<dyn CredentialsProvider>) -> Result<Self, PortError> {
        Ok(Self { provider: &**provider, credentials: provider.credentials().await? })
    }

    /// None where nobody signs.
    pub async fn of_any(
        provider: Option<&'a Arc<dyn CredentialsProvider>>,
    ) -> Result<Option<Self>, PortError> {
        match provider {
            Some(provider) => Self::of(provider).await.map(Some),
            None => Ok(None),
        }
    }

    /// The service refused these as expired: the next request gets others, if there are any.
    pub fn expired(&self) {
        self.provider.expired(&self.credentials);
    }

    /// Whether others have come in place of these, which were refused: a token ran out, or somebody has
    /// exchanged the key where it is kept.
    pub async fn is_replaced(&self) -> bool {
        self.expired();
        self.provider.credentials().await.is_ok_and(|now| *now != *self.credentials)
    }

    /// The error of a request that was refused as these, where the next attempt has others; `what` names
    /// them.
    pub async fn exchanged(&self, operation: &str, what: &str) -> Option<PortError> {
        let message = || format!("{operation}: the {what} was exchanged meanwhile");
        self.is_replaced().await.then(|| PortError::new(ErrorKind::Throttled, message()))
    }
}

/// The same credentials for as long as the process lives.
#[derive(Clone, Debug)]
pub struct StaticCredentials(Arc<Credentials>);

impl StaticCredentials {
    /// Always gives these.
    pub fn new(credentials: Credentials) -> Self {
        Self(Arc::new(credentials))
    }
}

#[async_trait::async_trait]
impl CredentialsProvider for StaticCredentials {
    async fn credentials(&self) -> Result<Arc<Credentials>, PortError> {
        Ok(Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_holds_a_key_pair_and_perhaps_a_token() {
        for (text, token) in [
            (r#"{"access_key":"A","secret_key":"S"}"#, None),
            (r#"{"AccessKeyId":"A","AccessKeySecret":"S"}"#, None),
            (r#"{"access_key":"A","secret_key":"S","token":null,"note":1}"#, None),
            (r#"{"access_key":"A","secret_key":"S","token":"T"}"#, Some("T")),
        ] {
            let found = Credentials::of_secret(text).unwrap();
            assert_eq!((found.access_key.as_str(), found.secret_key.as_str()), ("A", "S"));
            assert_eq!(found.token.as_deref(), token);
        }
        for text in [
            "A:S",
            r#"{"access_key":"A"}"#,
            r#"{"access_key":"A","secret_key":""}"#,
            r#"{"access_key":"A","secret_key":"S","token":""}"#,
            r#"["A","S"]"#,
            r#"{"type":"service_account","client_email":"a@b"}"#,
        ] {
            assert!(Credentials::of_secret(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_file_of_a_service_account_s_key_is_kept_whole() {
        let text = r#"{"type":"service_account","client_email":"a@b","private_key":"hidden"}"#;
        let found = Credentials::of_secret(text).unwrap();
        assert_eq!((found.access_key.as_str(), found.secret_key.as_str()), ("a@b", text));
        assert!(!format!("{found:?}").contains("hidden"));
    }

    #[tokio::test]
    async fn a_secret_and_a_token_are_not_shown() {
        let provider = StaticCredentials::new(Credentials {
            access_key: "AK".to_owned(),
            secret_key: "hidden-secret".to_owned(),
            token: Some("hidden-token".to_owned()),
        });
        let shown = format!("{provider:?} {:?}", provider.credentials().await.unwrap());
        assert!(shown.contains("AK") && !shown.contains("hidden"), "{shown}");
    }
}
