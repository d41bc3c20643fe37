//! Who signs. The secret never shows in a log line.

use std::fmt;
use std::sync::Arc;

use ossferry_core::error::PortError;

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

/// Gives the credentials to sign the next request with.
#[async_trait::async_trait]
pub trait CredentialsProvider: Send + Sync {
    /// Those valid now. Called for every request: caches by itself.
    async fn credentials(&self) -> Result<Arc<Credentials>, PortError>;

    /// The service refused these as expired: whoever can get others gets them for the next call.
    fn expired(&self, _refused: &Credentials) {}
}

/// Whether others have come in place of credentials that were refused: a token ran out, or somebody has
/// exchanged the key where it is kept.
pub async fn are_replaced(provider: &dyn CredentialsProvider, refused: &Credentials) -> bool {
    provider.expired(refused);
    provider.credentials().await.is_ok_and(|now| *now != *refused)
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
