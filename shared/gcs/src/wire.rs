//! One attempt of one request: addressed, with a token, sent, and its refusal understood.

use std::sync::Arc;

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderValue, RANGE};
use http::{HeaderMap, Method, StatusCode};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::ByteRange;
use ossferry_core::time::Timestamp;
use ossferry_http::percent::{Slash, push_encoded, push_query};
use ossferry_http::{
    Credentials, CredentialsProvider, Endpoint, Identity, Lane, LaneBody, LaneRequest,
    LaneResponse, RetryPolicy,
};

use serde::de::DeserializeOwned;

use crate::error::{ERROR_BYTES_MAX, answered, refusal};

/// What a bucket is spoken to with.
pub(crate) struct Wire {
    pub(crate) lane: Lane,
    pub(crate) retry: RetryPolicy,
    endpoint: Endpoint,
    /// `None`: requests are not signed.
    credentials: Option<Arc<dyn CredentialsProvider>>,
    /// `/storage/v1/b/BUCKET/o`.
    root: String,
}

/// What is asked.
pub(crate) struct Ask<'a> {
    pub(crate) operation: &'static str,
    /// Of the bucket's objects where `None`.
    pub(crate) key: Option<&'a Key>,
    /// Not encoded yet.
    pub(crate) query: Vec<(&'static str, Vec<u8>)>,
    pub(crate) wanted: Wanted,
}

/// What the answer is to hold.
#[derive(Clone, Copy)]
pub(crate) enum Wanted {
    /// JSON.
    Json,
    /// An object's bytes: all, or these.
    Bytes(Option<ByteRange>),
}

impl Wire {
    pub(crate) fn new(options: crate::GcsOptions) -> Result<Self, PortError> {
        let endpoint = Endpoint::parse(&options.endpoint).ok_or_else(|| {
            let what = "the endpoint is no address: leave it out";
            PortError::new(ErrorKind::Unsupported, what)
        })?;
        let mut root = String::from("/storage/v1/b/");
        push_encoded(&mut root, options.bucket.as_bytes(), Slash::Encoded);
        root.push_str("/o");
        let crate::GcsOptions { lane, retry, credentials, .. } = options;
        Ok(Self { lane, retry, endpoint, credentials, root })
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
        Err(refused(ask, response).await)
    }

    /// Sends once and gives the service's clock. A refusal for lack of rights is dated as well.
    pub(crate) async fn time(&self, ask: &Ask<'_>, meter: &Meter) -> Result<Timestamp, PortError> {
        let response = self.attempt(ask, meter).await?;
        let dated = response.date();
        let undated = answered(ask.operation, &response.headers).bad("no date");
        if response.status.is_success() {
            // A connection whose answer was read serves the next request.
            drop(response.collect(ERROR_BYTES_MAX).await);
        } else {
            let error = refused(ask, response).await;
            if error.kind != ErrorKind::AccessDenied {
                return Err(error);
            }
        }
        dated.ok_or(undated)
    }

    /// Sends once and reads the answer's JSON, of at most so many bytes.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        ask: &Ask<'_>,
        bytes_max: usize,
        meter: &Meter,
    ) -> Result<T, PortError> {
        let response = self.send(ask, meter).await?;
        let headers = response.headers.clone();
        let body = response.collect(bytes_max).await?;
        serde_json::from_slice(&body)
            .map_err(|error| answered(ask.operation, &headers).bad(&error.to_string()))
    }

    async fn attempt(&self, ask: &Ask<'_>, meter: &Meter) -> Result<LaneResponse, PortError> {
        let permit = self.lane.admit().await;
        let mut path_and_query = self.root.clone();
        if let Some(key) = ask.key {
            path_and_query.push('/');
            push_encoded(&mut path_and_query, key.as_bytes(), Slash::Encoded);
        }
        path_and_query.push('?');
        for (name, value) in &ask.query {
            push_query(&mut path_and_query, name, Some(value));
        }
        let identity = Identity::of_any(self.credentials.as_ref()).await?;
        let request = LaneRequest {
            operation: ask.operation,
            method: Method::GET,
            endpoint: &self.endpoint,
            path_and_query,
            headers: headers(ask, identity.as_ref().map(|identity| &*identity.credentials))?,
            body: LaneBody::Empty,
        };
        let response = self.lane.send_admitted(permit, request, meter).await?;
        // A token that was revoked before its end is exchanged: the next attempt has another.
        if response.status == StatusCode::UNAUTHORIZED
            && let Some(identity) = identity
            && let Some(error) = identity.exchanged(ask.operation, "token").await
        {
            return Err(error);
        }
        Ok(response)
    }
}

fn headers(ask: &Ask<'_>, credentials: Option<&Credentials>) -> Result<HeaderMap, PortError> {
    let mut headers = HeaderMap::with_capacity(4);
    if let Some(token) = credentials.and_then(|credentials| credentials.token.as_ref()) {
        let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
            let message = format!("{}: the token fits no header", ask.operation);
            PortError::new(ErrorKind::AccountRefused, message)
        })?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    if let Wanted::Bytes(range) = ask.wanted {
        // Whoever does not say that he takes gzip is sent other bytes than those that are stored.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        if let Some(range) = range {
            let spelled = format!("bytes={}-{}", range.start, range.last());
            let value = HeaderValue::try_from(spelled).expect("digits are header text");
            headers.insert(RANGE, value);
        }
    }
    Ok(headers)
}

async fn refused(ask: &Ask<'_>, response: LaneResponse) -> PortError {
    let (status, headers) = (response.status, response.headers.clone());
    // A body that is cut or too long tells no reason.
    let body = response.collect(ERROR_BYTES_MAX).await.unwrap_or_default();
    refusal(ask.operation, status, &headers, &body)
}
