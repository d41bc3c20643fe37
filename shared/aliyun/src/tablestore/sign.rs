//! Tablestore's signatures V4 (HMAC-SHA256) and V2 (HMAC-SHA1), and the one of its answers. No clock, no
//! HTTP: a server that received a request verifies it with the same functions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use md5::{Digest, Md5};
use ossferry_core::time::Timestamp;

use crate::mac;

/// `x-ots-apiversion`.
pub const API_VERSION: &str = "2015-12-31";

/// `x-ots-date`: whole seconds, spelt with milliseconds.
pub fn date_time(time: Timestamp) -> String {
    let mut text = time.to_string();
    text.truncate("2023-12-16T16:20:57".len());
    text.push_str(".000Z");
    text
}

/// `x-ots-contentmd5`.
pub fn content_md5(body: &[u8]) -> String {
    STANDARD.encode(Md5::digest(body))
}

/// `x-ots-` headers as signatures spell them: sorted, one a line, without the last line's end.
fn headers_text(headers: &HeaderMap) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-ots-") && !is_signature(name.as_str()))
        .map(|(name, value)| {
            [name.as_str().as_bytes(), b":", value.as_bytes().trim_ascii()].concat()
        })
        .collect();
    lines.sort_unstable();
    lines.join(&b'\n')
}

fn is_signature(name: &str) -> bool {
    matches!(name, "x-ots-signature" | "x-ots-signaturev4")
}

/// The text that a request's signature covers. V4 has a salt behind it.
fn request_text(operation: &str, headers: &HeaderMap) -> Vec<u8> {
    let mut text = format!("/{operation}\nPOST\n\n").into_bytes();
    text.extend_from_slice(&headers_text(headers));
    text.push(b'\n');
    text
}

/// `x-ots-signature`.
pub fn signature_v2(secret_key: &str, operation: &str, headers: &HeaderMap) -> String {
    mac::sha1_base64(secret_key.as_bytes(), &request_text(operation, headers))
}

/// The key of V4 for one day (`YYYYMMDD`) and region, which is the text of its base64.
pub fn signing_key_v4(secret_key: &str, date: &str, region: &str) -> String {
    STANDARD.encode(mac::v4_key(secret_key, date, region, "ots"))
}

/// `x-ots-signaturev4`.
pub fn signature_v4(signing_key: &str, operation: &str, headers: &HeaderMap) -> String {
    let mut text = request_text(operation, headers);
    text.extend_from_slice(b"ots");
    STANDARD.encode(mac::sha256(signing_key.as_bytes(), &text))
}

/// The `Authorization` of an answer: signed with the request's key, whichever version it was, and always by
/// HMAC-SHA1.
pub fn answer_authorization(
    access_key: &str,
    signing_key: &str,
    operation: &str,
    headers: &HeaderMap,
) -> String {
    let mut text = headers_text(headers);
    text.extend_from_slice(format!("\n/{operation}").as_bytes());
    format!("OTS {access_key}:{}", mac::sha1_base64(signing_key.as_bytes(), &text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn headers(md5: &str) -> HeaderMap {
        [
            ("x-ots-date", "2023-12-16T16:20:57.000Z"),
            ("x-ots-apiversion", API_VERSION),
            ("x-ots-accesskeyid", "ak"),
            ("x-ots-instancename", "inst"),
            ("x-ots-ststoken", "tok"),
            ("x-ots-contentmd5", md5),
            ("host", "not signed"),
        ]
        .into_iter()
        .map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("plain text"))
        })
        .collect()
    }

    #[test]
    fn requests_are_signed_as_the_official_sdk_signs_them() {
        let mut headers = headers("N/yeOPPEjpF9QDd8tLiZlA==");
        assert_eq!(signature_v2("sk", "PutRow", &headers), "K/a5WpAtKgtb+2LR4440U0OCMoM=");
        headers.insert("x-ots-signdate", HeaderValue::from_static("20231216"));
        headers.insert("x-ots-signregion", HeaderValue::from_static("cn-hangzhou"));
        let key = signing_key_v4("sk", "20231216", "cn-hangzhou");
        let signed = "wvJ2QliozEwfEBcDlsrTERXpWd+cygFaC7Fb20F4Gu8=";
        assert_eq!(signature_v4(&key, "PutRow", &headers), signed);
        headers.insert("x-ots-signaturev4", HeaderValue::from_static("not signed"));
        assert_eq!(signature_v4(&key, "PutRow", &headers), signed);
    }

    #[test]
    fn a_date_has_whole_seconds_and_milliseconds() {
        assert_eq!(date_time(Timestamp(1_702_743_657_999)), "2023-12-16T16:20:57.000Z");
    }
}
