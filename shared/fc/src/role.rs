//! The role of the function, as each request brings it along.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderMap;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_http::{Credentials, CredentialsProvider};

const ACCESS_KEY: &str = "x-fc-access-key-id";
const SECRET_KEY: &str = "x-fc-access-key-secret";
const TOKEN: &str = "x-fc-security-token";

/// The credentials of the newest request.
///
/// Those of a request are good for its own invocation. An invocation that goes on while another begins
/// uses the newer ones of the same role, which outlast its own.
#[derive(Default)]
pub(crate) struct RoleCredentials {
    newest: Mutex<Option<Arc<Credentials>>>,
}

impl RoleCredentials {
    /// Takes over what a request brings; without any, what an earlier one brought stays.
    pub(crate) fn take(&self, headers: &HeaderMap) {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let set = |name| text(name).filter(|value| !value.is_empty()).map(str::to_owned);
        if let (Some(access_key), Some(secret_key)) = (set(ACCESS_KEY), set(SECRET_KEY)) {
            let credentials = Credentials { access_key, secret_key, token: set(TOKEN) };
            *self.newest() = Some(Arc::new(credentials));
        }
    }

    fn newest(&self) -> MutexGuard<'_, Option<Arc<Credentials>>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl CredentialsProvider for RoleCredentials {
    async fn credentials(&self) -> Result<Arc<Credentials>, PortError> {
        self.newest().clone().ok_or_else(|| {
            let message = "no request brought credentials: give the function a RAM role";
            PortError::new(ErrorKind::AccountRefused, message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(number: u32) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for name in [ACCESS_KEY, SECRET_KEY, TOKEN] {
            headers.insert(name, format!("{name}-{number}").parse().unwrap());
        }
        headers
    }

    #[tokio::test]
    async fn the_newest_request_signs_and_one_without_credentials_changes_nothing() {
        let role = RoleCredentials::default();
        assert!(role.credentials().await.unwrap_err().message.contains("RAM role"));
        for headers in [headers(1), headers(2), HeaderMap::new()] {
            role.take(&headers);
        }
        let found = role.credentials().await.unwrap();
        assert_eq!(found.access_key, "x-fc-access-key-id-2");
        assert_eq!(found.token.as_deref(), Some("x-fc-security-token-2"));
    }
}
