//! SMQ's signature (HMAC-SHA1), in the stages of its specification. No clock, no HTTP: a server that
//! received a request verifies it with the same functions.

use http::HeaderMap;

use crate::mac::sha1_base64;

/// `x-mns-version`.
pub const VERSION: &str = "2015-06-06";

/// Carries the token of temporary credentials. It is not signed.
pub const TOKEN_HEADER: &str = "security-token";

/// The text that the signature covers. `resource` is path and query exactly as sent.
pub fn string_to_sign(method: &str, headers: &HeaderMap, resource: &str) -> Vec<u8> {
    let header = |name: &str| headers.get(name).map_or(&[][..], |value| value.as_bytes());
    let mut text = Vec::with_capacity(256);
    let content = [header("content-md5"), header("content-type"), header("date")];
    for line in [method.as_bytes()].into_iter().chain(content) {
        text.extend_from_slice(line.trim_ascii());
        text.push(b'\n');
    }
    let mut signed: Vec<_> =
        headers.iter().filter(|(name, _)| name.as_str().starts_with("x-mns-")).collect();
    signed.sort_unstable_by_key(|(name, _)| name.as_str());
    for (name, value) in signed {
        for piece in [name.as_str().as_bytes(), b":", value.as_bytes().trim_ascii(), b"\n"] {
            text.extend_from_slice(piece);
        }
    }
    text.extend_from_slice(resource.as_bytes());
    text
}

/// The signature: base64 of HMAC-SHA1.
pub fn signature(secret_key: &str, string_to_sign: &[u8]) -> String {
    sha1_base64(secret_key.as_bytes(), string_to_sign)
}

/// The `Authorization` header.
pub fn authorization(access_key: &str, signature: &str) -> String {
    format!("MNS {access_key}:{signature}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn requests_are_signed_as_the_official_sdk_signs_them() {
        let content = [
            ("content-md5", "NzgzZmJkYzZmMWNjYTlkNzMxNzRlYzAzYzlmYmNjYmI="),
            ("content-type", "text/xml;charset=UTF-8"),
        ];
        let handle = "1-ODU4OTkzNDU5My0xNDMyNzI3ODI3LTItOA==";
        let deletion = format!("/queues/q1/messages?ReceiptHandle={handle}");
        let reception = "/queues/q1/messages?numOfMessages=16&waitseconds=10";
        for (method, resource, content, signed) in [
            ("GET", reception, &[][..], "MNS ak:V7o7WBA01hnG9mt6F9UuPy/ZNII="),
            ("DELETE", deletion.as_str(), &[], "MNS ak:iBURn/sDf9VDUy97J1b64eyMKPY="),
            ("POST", "/queues/q1/messages", &content, "MNS ak:8ZKK4sSoNWZwiW6LcGpniseu9ns="),
        ] {
            let common = [
                ("date", "Sat, 16 Dec 2023 16:20:57 GMT"),
                ("x-mns-version", VERSION),
                ("security-token", "not signed"),
                ("host", "not signed"),
            ];
            let headers: HeaderMap = common
                .iter()
                .chain(content)
                .map(|(name, value)| {
                    (HeaderName::from_static(name), HeaderValue::from_static(value))
                })
                .collect();
            let text = string_to_sign(method, &headers, resource);
            assert_eq!(authorization("ak", &signature("sk", &text)), signed, "{method}");
        }
    }
}
