//! One attempt of one request: addressed, signed, sent, and its refusal understood.

use std::sync::Arc;

use http::header::{AUTHORIZATION, DATE, HOST, HeaderValue};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::time::Clock;
use ossferry_http::percent::{Slash, push_encoded};
use ossferry_http::{
    CredentialsProvider, Endpoint, Identity, Lane, LaneBody, LaneRequest, LaneResponse,
    RetryPolicy, format_http_date,
};

use crate::error::refusal;
use crate::sign::{authorization, string_to_sign};

/// What a bucket is spoken to with.
pub(crate) struct Wire {
    pub(crate) lane: Lane,
    pub(crate) retry: RetryPolicy,
    endpoint: Endpoint,
    clock: Clock,
    /// Access key and secret are an operator's name and password. `None`: requests are not signed.
    credentials: Option<Arc<dyn CredentialsProvider>>,
    /// `/bucket/`.
    root: String,
}

/// What is asked.
pub(crate) struct Ask<'a> {
    pub(crate) operation: &'static str,
    pub(crate) method: Method,
    /// A file, or a folder with the slash at its end; the bucket where empty.
    pub(crate) key: &'a [u8],
    /// As it is sent.
    pub(crate) query: &'static str,
    pub(crate) headers: Vec<(HeaderName, String)>,
}

impl Wire {
    pub(crate) fn new(options: crate::UpyunOptions) -> Result<Self, PortError> {
        let endpoint = Endpoint::parse(&options.endpoint).ok_or_else(|| {
            let what = "the endpoint is no address: write endpoint = \"https://host\"";
            PortError::new(ErrorKind::Unsupported, what)
        })?;
        let mut root = String::from("/");
        push_encoded(&mut root, options.bucket.as_bytes(), Slash::Encoded);
        root.push('/');
        Ok(Self {
            lane: options.lane,
            retry: options.retry,
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
        let permit = self.lane.admit().await;
        let mut uri = self.root.clone();
        push_encoded(&mut uri, ask.key, Slash::Kept);
        if !ask.query.is_empty() {
            uri.push('?');
            uri.push_str(ask.query);
        }
        let identity = Identity::of_any(self.credentials.as_ref()).await?;
        let date = format_http_date((self.clock)());
        let mut own = vec![(HOST, self.endpoint.authority().to_owned()), (DATE, date.clone())];
        if let Some(Identity { credentials: found, .. }) = &identity {
            let text = string_to_sign(&ask.method, &uri, &date);
            own.push((AUTHORIZATION, authorization(&found.access_key, &found.secret_key, &text)));
        }
        let mut headers = HeaderMap::with_capacity(8);
        for (name, value) in own.iter().chain(&ask.headers) {
            let value = HeaderValue::from_str(value).map_err(|_| {
                let message = format!("{}: {name} fits no header", ask.operation);
                PortError::new(ErrorKind::Unsupported, message)
            })?;
            headers.insert(name.clone(), value);
        }
        let request = LaneRequest {
            operation: ask.operation,
            method: ask.method.clone(),
            endpoint: &self.endpoint,
            path_and_query: uri,
            headers,
            body: LaneBody::Empty,
        };
        let response = self.lane.send_admitted(permit, request, meter).await?;
        if response.status.is_success() {
            return Ok(response);
        }
        // A password that is kept elsewhere may have been exchanged there: the next attempt finds it.
        if response.status == StatusCode::UNAUTHORIZED
            && let Some(identity) = identity
            && let Some(error) = identity.exchanged(ask.operation, "password").await
        {
            return Err(error);
        }
        Err(refusal(ask.operation, response.status, &response.headers))
    }
}

/// A file's key. What cannot be one is none here: a folder, or nothing at all.
pub(crate) fn file_named<'a>(key: &'a Key, operation: &str) -> Result<&'a [u8], PortError> {
    let bytes = key.as_bytes();
    if bytes.is_empty() || bytes.ends_with(b"/") {
        let message = format!("{operation}: a folder, and no file");
        return Err(PortError::new(ErrorKind::NoSuchKey, message));
    }
    Ok(bytes)
}
