//! A URL of a list: where it leads, and what is asked there.

use std::fmt;

use http::Uri;
use ossferry_http::Endpoint;

/// A URL, ready to be asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Url {
    /// Scheme, host and port.
    pub(crate) endpoint: Endpoint,
    /// As it is sent: bytes that may not stand there are percent-encoded, everything else is as it was
    /// written.
    pub(crate) path_and_query: String,
}

/// Why a text of a list is no URL.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum BadUrl {
    #[error("want http:// or https://")]
    Scheme,
    #[error("want a host, and no user name before it")]
    Host,
}

impl Url {
    /// Reads what a list spells. Without a scheme it is http, as ossimport has it. A fragment is
    /// dropped: no client sends one.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, BadUrl> {
        let (scheme, rest) = match text.windows(3).position(|three| three == b"://") {
            Some(at) if at <= 8 => (text[..at].to_ascii_lowercase(), &text[at + 3..]),
            _ => (b"http".to_vec(), text),
        };
        let scheme = match scheme.as_slice() {
            b"http" => "http",
            b"https" => "https",
            _ => return Err(BadUrl::Scheme),
        };
        let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let authority = std::str::from_utf8(authority).map_err(|_| BadUrl::Host)?;
        let authority = authority.to_ascii_lowercase();
        let endpoint = format!("{scheme}://{authority}");
        let endpoint = Endpoint::parse(&endpoint).filter(|endpoint| !endpoint.host().is_empty());
        let endpoint = endpoint.ok_or(BadUrl::Host)?;
        let rest = rest.split(|byte| *byte == b'#').next().unwrap_or_default();
        let mut path_and_query = String::with_capacity(rest.len() + 1);
        if rest.first() != Some(&b'/') {
            path_and_query.push('/');
        }
        for &byte in rest {
            if byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte) {
                path_and_query.push(char::from(byte));
            } else {
                ossferry_http::percent::push_encoded(
                    &mut path_and_query,
                    &[byte],
                    ossferry_http::percent::Slash::Encoded,
                );
            }
        }
        Ok(Self { endpoint, path_and_query })
    }

    /// Where a `Location` of this URL's answer leads.
    pub(crate) fn join(&self, location: &str) -> Result<Self, BadUrl> {
        if location.contains("://") {
            return Self::parse(location.as_bytes());
        }
        let scheme = if self.endpoint.is_secure() { "https" } else { "http" };
        let authority = self.endpoint.authority();
        let absolute = if let Some(rest) = location.strip_prefix("//") {
            format!("{scheme}://{rest}")
        } else if location.starts_with('/') {
            format!("{scheme}://{authority}{location}")
        } else if location.starts_with('?') {
            format!("{scheme}://{authority}{}{location}", self.path())
        } else {
            let folder = self.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{scheme}://{authority}{folder}/{location}")
        };
        Self::parse(absolute.as_bytes())
    }

    /// Without the query.
    pub(crate) fn path(&self) -> &str {
        self.path_and_query.split('?').next().unwrap_or_default()
    }

    /// The port that is connected to.
    pub(crate) fn port(&self) -> u16 {
        let usual = if self.endpoint.is_secure() { 443 } else { 80 };
        let authority: Option<Uri> = self.endpoint.authority().parse().ok();
        authority.and_then(|authority| authority.port_u16()).unwrap_or(usual)
    }
}

/// Without the query, which may hold a signature.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.endpoint.is_secure() { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.endpoint.authority(), self.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_sent_as_it_was_written_and_only_what_cannot_stand_there_is_encoded() {
        for (text, shown, sent) in [
            ("http://h/a/../b//c", "http://h/a/../b//c", "/a/../b//c"),
            (
                "HTTPS://H:8443/é ü?a=b|c#d",
                "https://h:8443/%C3%A9%20%C3%BC",
                "/%C3%A9%20%C3%BC?a=b%7Cc",
            ),
            ("h.example/x%20%zz", "http://h.example/x%20%zz", "/x%20%zz"),
            ("http://h", "http://h/", "/"),
            ("http://h?q", "http://h/", "/?q"),
            ("http://[::1]:90/x", "http://[::1]:90/x", "/x"),
            ("h/redirect?to=http://other/", "http://h/redirect", "/redirect?to=http://other/"),
        ] {
            let url = Url::parse(text.as_bytes()).unwrap();
            assert_eq!((url.to_string().as_str(), url.path_and_query.as_str()), (shown, sent));
        }
        assert_eq!(Url::parse(b"https://h/").unwrap().port(), 443);
        assert_eq!(Url::parse(b"http://h:81/").unwrap().port(), 81);
        for (text, bad) in [
            ("ftp://h/x", BadUrl::Scheme),
            ("file:///etc/passwd", BadUrl::Scheme),
            ("http:///x", BadUrl::Host),
            ("http://me:secret@h/x", BadUrl::Host),
            ("http://a b/x", BadUrl::Host),
        ] {
            assert_eq!(Url::parse(text.as_bytes()), Err(bad), "{text}");
        }
    }

    #[test]
    fn a_redirect_leads_where_a_browser_would_go() {
        let url = Url::parse(b"https://h:8443/a/b?q=1").unwrap();
        for (location, leads) in [
            ("http://other/x", "http://other/x"),
            ("//other/x", "https://other/x"),
            ("/x", "https://h:8443/x"),
            ("x", "https://h:8443/a/x"),
            ("?y", "https://h:8443/a/b"),
        ] {
            assert_eq!(url.join(location).unwrap().to_string(), leads, "{location}");
        }
    }
}
