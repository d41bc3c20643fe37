//! A token by which AWS vouches for our role to somebody else.

use std::fmt;

use ossferry_core::error::PortError;

use super::secret::Hidden;
use super::{AwsApi, Service};

/// The token is exchanged at once.
const TOKEN_SECONDS: &str = "300";

/// A JSON web token, shown by nothing.
pub struct WebIdentityToken(Hidden);

impl WebIdentityToken {
    /// The token itself.
    pub fn reveal(&self) -> &str {
        &self.0.0
    }
}

impl fmt::Debug for WebIdentityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AwsApi {
    /// `GetWebIdentityToken` for one audience, signed by RS256. The account must have switched outbound
    /// federation on.
    pub async fn web_identity_token(&self, audience: &str) -> Result<WebIdentityToken, PortError> {
        const VERSION: &str = "2011-06-15";
        let parameters = [
            ("Audience.member.1", audience),
            ("SigningAlgorithm", "RS256"),
            ("DurationSeconds", TOKEN_SECONDS),
        ];
        let answer = self.query("GetWebIdentityToken", Service::Sts, VERSION, &parameters).await?;
        let token = answer.leaves()?.into_iter().find(|(name, _)| name == "WebIdentityToken");
        let (_, token) = token.ok_or_else(|| answer.bad("no token is in it"))?;
        Ok(WebIdentityToken(Hidden(token)))
    }
}
