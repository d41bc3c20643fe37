//! Keys of a RAM role for a token of somebody whom the role trusts: nothing secret is stored anywhere.
//!
//! <https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-assumerolewithoidc>

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::meter::Meter;
use ossferry_core::time::{Clock, Timestamp};
use ossferry_http::percent::push_query;
use ossferry_http::xml::{Visitor, XmlError, walk};
use ossferry_http::{
    Credentials, Endpoint, FetchCredentials, Fetched, Lane, LaneBody, LaneOptions, LaneRequest,
    RetryPolicy, retry,
};

/// The service's usual address; it serves the roles of every region.
pub const STS_ENDPOINT: &str = "https://sts.aliyuncs.com";

/// More than an answer takes.
const ANSWER_BYTES_MAX: usize = 256 << 10;

const OPERATION: &str = "AssumeRoleWithOIDC";

/// Who vouches for us: gives a new token each time.
#[async_trait::async_trait]
pub trait OidcTokens: Send + Sync {
    /// A JSON web token that is good for some minutes. It is a secret.
    async fn token(&self) -> Result<String, PortError>;
}

/// Which role, and whose tokens it trusts.
#[derive(Clone, Debug)]
pub struct OidcRole {
    /// `acs:ram::ACCOUNT:role/NAME`.
    pub role: String,
    /// `acs:ram::ACCOUNT:oidc-provider/NAME`.
    pub provider: String,
}

/// Takes the role with a new token at each fetch.
pub struct OidcCredentials {
    role: OidcRole,
    tokens: Arc<dyn OidcTokens>,
    endpoint: Endpoint,
    lane: Lane,
    clock: Clock,
    retry: RetryPolicy,
}

impl OidcCredentials {
    /// Asks nothing yet.
    pub fn new(
        role: OidcRole,
        tokens: Arc<dyn OidcTokens>,
        endpoint: Endpoint,
        clock: Clock,
    ) -> Self {
        let lane = Lane::new(&LaneOptions::default());
        Self { role, tokens, endpoint, lane, clock, retry: RetryPolicy::default() }
    }

    async fn assume(&self) -> Result<Fetched, PortError> {
        let token = self.tokens.token().await?;
        let now = (self.clock)().to_string();
        // Whole seconds, as the page has them.
        let timestamp = format!("{}Z", now.split('.').next().unwrap_or_default());
        let mut path_and_query = "/?".to_owned();
        for (name, value) in [
            ("Action", OPERATION),
            ("Format", "XML"),
            ("Timestamp", timestamp.as_str()),
            ("Version", "2015-04-01"),
        ] {
            push_query(&mut path_and_query, name, Some(value.as_bytes()));
        }
        let mut form = String::new();
        for (name, value) in [
            ("OIDCProviderArn", self.role.provider.as_str()),
            ("OIDCToken", token.as_str()),
            ("RoleArn", self.role.role.as_str()),
            ("RoleSessionName", "ossferry"),
        ] {
            push_query(&mut form, name, Some(value.as_bytes()));
        }
        let mut headers = HeaderMap::new();
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form_type);
        let request = LaneRequest {
            operation: OPERATION,
            method: Method::POST,
            endpoint: &self.endpoint,
            path_and_query,
            headers,
            body: LaneBody::Bytes(Bytes::from(form)),
        };
        let response = self.lane.send(request, &Meter::default()).await?;
        let status = response.status;
        let body = response.collect(ANSWER_BYTES_MAX).await?;
        let answer = Answered::read(&body);
        if status.is_success() { answer.fetched() } else { Err(answer.refusal(status)) }
    }
}

#[async_trait::async_trait]
impl FetchCredentials for OidcCredentials {
    async fn fetch(&self) -> Result<Fetched, PortError> {
        // Keys too many end by themselves: it may be asked again.
        retry(&self.retry, || self.assume()).await
    }
}

/// What is read of an answer, good or bad. The service's own words are left out: they may repeat what was
/// sent.
#[derive(Default)]
struct Answered {
    access_key: Option<String>,
    secret_key: Option<String>,
    token: Option<String>,
    expiration: Option<String>,
    code: Option<String>,
    request_id: Option<String>,
}

impl Answered {
    fn read(body: &[u8]) -> Self {
        let mut found = Self::default();
        if let Ok(document) = std::str::from_utf8(body)
            && walk(document, &mut found).is_err()
        {
            tracing::debug!("{OPERATION}: the answer is no xml");
        }
        found
    }

    fn fetched(self) -> Result<Fetched, PortError> {
        let request_id = self.request_id;
        let parts = self.access_key.zip(self.secret_key).zip(self.token).zip(self.expiration);
        let ended = parts.and_then(|(((access_key, secret_key), token), expiration)| {
            let ends_at = Timestamp::from_rfc3339(&expiration)?;
            let credentials = Credentials { access_key, secret_key, token: Some(token) };
            Some(Fetched { credentials, ends_at: Some(ends_at) })
        });
        ended.ok_or_else(|| {
            let message = format!("{OPERATION}: the answer holds no keys");
            PortError::new(ErrorKind::BadAnswer, message).with_request_id(request_id)
        })
    }

    fn refusal(self, status: StatusCode) -> PortError {
        let code = self.code.unwrap_or_else(|| "http".to_owned());
        let kind = classify(status, &code);
        let remedy = match kind {
            ErrorKind::AccountRefused => {
                "; look at role, provider and audience in the job file, at the role's trust policy, \
                 and at the provider's issuer and client ids"
            }
            _ => "",
        };
        let message = format!("{OPERATION}: {code} ({}){remedy}", status.as_u16());
        let error = PortError::new(kind, message).with_request_id(self.request_id);
        match kind {
            ErrorKind::ServerError => error.concluding(Conclusion::NotDone),
            _ => error,
        }
    }
}

/// The one place where a refusal of this service becomes one of our kinds.
fn classify(status: StatusCode, code: &str) -> ErrorKind {
    match (status.as_u16(), code) {
        (_, code) if code.starts_with("Throttling") => ErrorKind::Throttled,
        (429 | 503, _) => ErrorKind::Throttled,
        (500..=599, _) => ErrorKind::ServerError,
        _ => ErrorKind::AccountRefused,
    }
}

impl Visitor for Answered {
    fn open(&mut self, _: usize, _: &str) -> Result<(), XmlError> {
        Ok(())
    }

    fn close(&mut self, _: usize, name: &str, text: &str) -> Result<(), XmlError> {
        let field = match name {
            "AccessKeyId" => &mut self.access_key,
            "AccessKeySecret" => &mut self.secret_key,
            "SecurityToken" => &mut self.token,
            "Expiration" => &mut self.expiration,
            "Code" => &mut self.code,
            "RequestId" => &mut self.request_id,
            _ => return Ok(()),
        };
        *field = Some(text.trim().to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_one_meaning() {
        for (status, code, kind) in [
            (400, "AuthenticationFail.OIDCToken.Expired", ErrorKind::AccountRefused),
            (400, "AuthenticationFail.NoPermission", ErrorKind::AccountRefused),
            (404, "EntityNotExist.Role", ErrorKind::AccountRefused),
            (400, "Throttling.User", ErrorKind::Throttled),
            (503, "ServiceUnavailable", ErrorKind::Throttled),
            (500, "InternalError", ErrorKind::ServerError),
        ] {
            assert_eq!(classify(StatusCode::from_u16(status).unwrap(), code), kind, "{code}");
        }
    }
}
