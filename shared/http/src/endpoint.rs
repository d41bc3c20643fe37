//! Where requests go.

use std::net::IpAddr;

use bytes::Bytes;
use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

/// Scheme, host and port that requests go to. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    scheme: Scheme,
    authority: Authority,
}

impl Endpoint {
    /// Reads `https://host[:port]`; without a scheme it is https. `None` where there is anything
    /// else: a path, a query, a user name.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = match text.split_once("://") {
            Some(("https", rest)) => (Scheme::HTTPS, rest),
            Some(("http", rest)) => (Scheme::HTTP, rest),
            Some(_) => return None,
            None => (Scheme::HTTPS, text),
        };
        let authority: Authority = rest.strip_suffix('/').unwrap_or(rest).parse().ok()?;
        (!authority.as_str().contains('@')).then_some(Self { scheme, authority })
    }

    /// The endpoint of a name under this host: `bucket.host`. `None` where that is no host name.
    pub fn under(&self, label: &str) -> Option<Self> {
        let authority = format!("{label}.{}", self.authority).parse().ok()?;
        Some(Self { scheme: self.scheme.clone(), authority })
    }

    /// `host[:port]`, as the `Host` header says it.
    pub fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// Without the port.
    pub fn host(&self) -> &str {
        self.authority.host()
    }

    /// Whether there is a bare address or `localhost` here, under which no bucket has a name.
    pub fn is_address(&self) -> bool {
        let host = self.host();
        host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
    }

    /// Whether this machine itself stands here.
    pub fn is_loopback(&self) -> bool {
        let address = self.host().trim_matches(['[', ']']).parse::<IpAddr>();
        self.host() == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// Whether it is spoken to over TLS.
    pub fn is_secure(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// An URI of this endpoint whose path and query are sent as they stand.
    pub(crate) fn uri(&self, path_and_query: String) -> Result<Uri, http::Error> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(PathAndQuery::from_maybe_shared(Bytes::from(path_and_query))?);
        Ok(Uri::from_parts(parts)?)
    }
}
