//! Signatures by an account's shared key.
//!
//! <https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-shared-key>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use http::header::{IF_MATCH, RANGE};
use http::{HeaderMap, HeaderName, Method};
use sha2::Sha256;

/// A request without a body, as far as the signature covers it.
pub(crate) struct Signable<'a> {
    pub(crate) method: &'a Method,
    /// As it is sent, percent-encoded; the account's own where the address names it.
    pub(crate) path: &'a str,
    /// Names and values as they are before they are encoded. Names in lower case.
    pub(crate) query: &'a [(&'static str, Vec<u8>)],
    pub(crate) headers: &'a HeaderMap,
}

/// Step 1: the text that the signature covers.
pub(crate) fn string_to_sign(account: &str, request: &Signable<'_>) -> Vec<u8> {
    let header = |name: HeaderName| {
        request
            .headers
            .get(name)
            .map_or(&b""[..], http::HeaderValue::as_bytes)
            .trim_ascii()
            .to_vec()
    };
    let mut text = request.method.as_str().as_bytes().to_vec();
    // Content-Encoding, -Language, -Length, -MD5, -Type, Date, If-Modified-Since: nothing is sent, and
    // the date stands in x-ms-date.
    text.extend_from_slice(b"\n\n\n\n\n\n\n\n");
    text.extend(header(IF_MATCH));
    // If-None-Match, If-Unmodified-Since.
    text.extend_from_slice(b"\n\n\n");
    text.extend(header(RANGE));
    text.push(b'\n');
    let mut own: Vec<_> =
        request.headers.iter().filter(|(name, _)| name.as_str().starts_with("x-ms-")).collect();
    own.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in own {
        text.extend_from_slice(name.as_str().as_bytes());
        text.push(b':');
        text.extend_from_slice(value.as_bytes().trim_ascii());
        text.push(b'\n');
    }
    text.push(b'/');
    text.extend_from_slice(account.as_bytes());
    text.extend_from_slice(request.path.as_bytes());
    let mut query: Vec<_> = request.query.iter().collect();
    query.sort_by_key(|(name, _)| *name);
    for (name, value) in query {
        text.push(b'\n');
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        text.extend_from_slice(value);
    }
    text
}

/// A key that is no base64, as keys of accounts are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the account's key is not base64")]
pub(crate) struct BadKey;

/// Step 2: the value of `Authorization`.
pub(crate) fn authorization(account: &str, key: &str, text: &[u8]) -> Result<String, BadKey> {
    let key = BASE64.decode(key.trim()).map_err(|_| BadKey)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length");
    mac.update(text);
    Ok(format!("SharedKey {account}:{}", BASE64.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_text_to_sign_is_that_of_the_documentation() {
        // The example of the page above, which gets a container's metadata.
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("x-ms-version", "2015-02-21"), ("x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT")]
        {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let query = [
            ("restype", b"container".to_vec()),
            ("comp", b"metadata".to_vec()),
            ("timeout", b"20".to_vec()),
        ];
        let request = Signable {
            method: &Method::GET,
            path: "/mycontainer",
            query: &query,
            headers: &headers,
        };
        let text = String::from_utf8(string_to_sign("myaccount", &request)).unwrap();
        assert_eq!(
            text,
            "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n\
             /myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20"
        );
    }

    #[test]
    fn a_pin_and_a_range_stand_in_their_places() {
        let mut headers = HeaderMap::new();
        headers.insert(IF_MATCH, HeaderValue::from_static("\"0x1\""));
        headers.insert(RANGE, HeaderValue::from_static("bytes=0-9"));
        let request =
            Signable { method: &Method::GET, path: "/c/a%20b", query: &[], headers: &headers };
        let text = String::from_utf8(string_to_sign("a", &request)).unwrap();
        assert_eq!(text, "GET\n\n\n\n\n\n\n\n\"0x1\"\n\n\nbytes=0-9\n/a/c/a%20b");
        assert_eq!(authorization("a", "no base64!", b""), Err(BadKey));
    }
}
