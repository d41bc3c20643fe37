//! One attempt of one request: addressed, signed, sent, and its refusal understood.

use std::sync::Arc;

use http::header::{HOST, HeaderValue};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::job::Addressing;
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::time::{Clock, Timestamp};
use ossferry_http::percent::{Slash, push_encoded, push_query};
use ossferry_http::{
    CredentialsProvider, Endpoint, Identity, Lane, LaneBody, LaneRequest, LaneResponse,
    RetryPolicy, format_http_date,
};

use crate::error::{bad_answer, refusal};
use crate::sign::{Signable, authorization, string_to_sign};

/// Of the interface: the last that lists every name as text.
const VERSION: &str = "2020-10-02";

/// What a container is spoken to with.
pub(crate) struct Wire {
    pub(crate) lane: Lane,
    pub(crate) retry: RetryPolicy,
    pub(crate) account: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) clock: Clock,
    /// `None`: requests are not signed. A token is a shared access signature, and is sent in place of a
    /// signature.
    pub(crate) credentials: Option<Arc<dyn CredentialsProvider>>,
    /// `/container`, with the account before it where the address does not name it.
    root: String,
}

/// What is asked.
pub(crate) struct Ask<'a> {
    pub(crate) operation: &'static str,
    pub(crate) method: Method,
    /// Of the container itself where `None`.
    pub(crate) key: Option<&'a Key>,
    /// Not encoded yet.
    pub(crate) query: Vec<(&'static str, Vec<u8>)>,
    pub(crate) headers: Vec<(HeaderName, String)>,
    /// Whether a body of the same container may be held open meanwhile.
    pub(crate) is_beside: bool,
}

impl Wire {
    pub(crate) fn new(options: crate::AzureOptions) -> Result<Self, PortError> {
        let endpoint = Endpoint::parse(&options.endpoint).ok_or_else(|| {
            let what = "the endpoint is no address: write endpoint = \"https://host\"";
            PortError::new(ErrorKind::Unsupported, what)
        })?;
        let mut root = String::from("/");
        if options.addressing == Addressing::Path {
            root.push_str(&options.account);
            root.push('/');
        }
        push_encoded(&mut root, options.container.as_bytes(), Slash::Encoded);
        Ok(Self {
            lane: options.lane,
            retry: options.retry,
            account: options.account,
            endpoint,
            clock: options.clock,
            credentials: options.credentials,
            root,
        })
    }

    /// Sends once. Gives an answer of success; every other is an error that says what it means.
    pub(crate) async fn send(
        &self,
        ask: &Ask<'_>,
        meter: &Meter,
    ) -> Result<LaneResponse, PortError> {
        let response = self.attempt(ask, meter).await?;
        if response.status.is_success() {
            return Ok(response);
        }
        Err(refusal(ask.operation, response.status, &response.headers))
    }

    /// Sends once and gives the service's clock. A refusal for lack of rights is dated as well.
    pub(crate) async fn time(&self, ask: &Ask<'_>, meter: &Meter) -> Result<Timestamp, PortError> {
        let response = self.attempt(ask, meter).await?;
        let error = refusal(ask.operation, response.status, &response.headers);
        if response.status.is_success() || error.kind == ErrorKind::AccessDenied {
            let undated = || bad_answer(ask.operation, &response.headers, "no date");
            return response.date().ok_or_else(undated);
        }
        Err(error)
    }

    async fn attempt(&self, ask: &Ask<'_>, meter: &Meter) -> Result<LaneResponse, PortError> {
        let permit =
            if ask.is_beside { self.lane.admit_beside().await } else { self.lane.admit().await };
        let mut path = self.root.clone();
        if let Some(key) = ask.key {
            path.push('/');
            push_encoded(&mut path, key.as_bytes(), Slash::Kept);
        }
        let mut query = String::new();
        for (name, value) in &ask.query {
            push_query(&mut query, name, Some(value));
        }
        let mut headers = self.headers(ask)?;
        let identity = Identity::of_any(self.credentials.as_ref()).await?;
        if let Some(Identity { credentials, .. }) = &identity {
            if let Some(token) = &credentials.token {
                if !query.is_empty() {
                    query.push('&');
                }
                query.push_str(token.trim().trim_start_matches('?'));
            } else {
                let request = Signable {
                    method: &ask.method,
                    path: &path,
                    query: &ask.query,
                    headers: &headers,
                };
                let text = string_to_sign(&self.account, &request);
                let refused = |what: String| {
                    PortError::new(ErrorKind::AccountRefused, format!("{}: {what}", ask.operation))
                };
                let value = authorization(&self.account, &credentials.secret_key, &text)
                    .map_err(|bad| refused(bad.to_string()))?;
                let value = HeaderValue::try_from(value)
                    .map_err(|_| refused("the account fits no header".to_owned()))?;
                headers.insert(http::header::AUTHORIZATION, value);
            }
        }
        let mut path_and_query = path;
        if !query.is_empty() {
            path_and_query.push('?');
            path_and_query.push_str(&query);
        }
        let request = LaneRequest {
            operation: ask.operation,
            method: ask.method.clone(),
            endpoint: &self.endpoint,
            path_and_query,
            headers,
            body: LaneBody::Empty,
        };
        let response = self.lane.send_admitted(permit, request, meter).await?;
        // A key that is kept elsewhere may have been exchanged there: the next attempt finds it.
        if response.status == StatusCode::FORBIDDEN
            && response.header("x-ms-error-code") == Some("AuthenticationFailed")
            && let Some(identity) = identity
            && let Some(error) = identity.exchanged(ask.operation, "key").await
        {
            return Err(error);
        }
        Ok(response)
    }

    fn headers(&self, ask: &Ask<'_>) -> Result<HeaderMap, PortError> {
        let mut headers = HeaderMap::with_capacity(8);
        let fits_no_header = |name: &HeaderName| {
            let message = format!("{}: {name} fits no header", ask.operation);
            PortError::new(ErrorKind::Unsupported, message)
        };
        let date = format_http_date((self.clock)());
        let own = [
            (HOST, self.endpoint.authority().to_owned()),
            (HeaderName::from_static("x-ms-version"), VERSION.to_owned()),
            (HeaderName::from_static("x-ms-date"), date),
        ];
        for (name, value) in own.iter().chain(&ask.headers) {
            let value = HeaderValue::from_str(value).map_err(|_| fits_no_header(name))?;
            headers.insert(name.clone(), value);
        }
        Ok(headers)
    }
}
