//! ACS3-HMAC-SHA256, in the stages of the specification.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::mac;

/// Names the algorithm, in the text that is signed and in the header.
pub const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// What is signed of a request. All headers here are.
pub struct Signable<'a> {
    /// `GET`, `POST`.
    pub method: &'a str,
    /// Percent-encoded, as sent.
    pub path: &'a str,
    /// Percent-encoded pairs in the order of their names, as sent, without a question mark.
    pub query: &'a str,
    /// Lower-case names.
    pub headers: &'a BTreeMap<&'a str, String>,
    /// SHA-256 of the body, in lower-case hex: also the value of `x-acs-content-sha256`.
    pub payload_hash: &'a str,
}

/// Names of the signed headers, `;` between them.
pub fn signed_headers(headers: &BTreeMap<&str, String>) -> String {
    headers.keys().copied().collect::<Vec<_>>().join(";")
}

/// Step 1: the request in the one spelling both sides hash.
pub fn canonical_request(request: &Signable<'_>) -> String {
    let Signable { method, path, query, headers, payload_hash } = request;
    let mut text = format!("{method}\n{path}\n{query}\n");
    for (name, value) in *headers {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}:{}", value.trim());
    }
    let _ = write!(text, "\n{}\n{payload_hash}", signed_headers(headers));
    text
}

/// Step 2: the text that the signature covers.
pub fn string_to_sign(canonical: &str) -> String {
    format!("{ALGORITHM}\n{}", sha256_hex(canonical.as_bytes()))
}

/// Step 3: the signature, as 64 lower-case hex digits. The key is the secret itself.
pub fn signature(secret_key: &str, string_to_sign: &str) -> String {
    hex(&mac::sha256(secret_key.as_bytes(), string_to_sign.as_bytes()))
}

/// The `Authorization` header.
pub fn authorization(access_key: &str, signed_headers: &str, signature: &str) -> String {
    format!(
        "{ALGORITHM} Credential={access_key},SignedHeaders={signed_headers},Signature={signature}"
    )
}

/// SHA-256 in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by the official SDK, and computed again from the written rules.
    #[test]
    fn the_vector_of_the_official_sdk_is_reproduced() {
        let payload_hash = sha256_hex(br#"{"k":"v"}"#);
        assert_eq!(
            payload_hash,
            "666c1aa02e8068c6d5cc1d3295009432c16790bec28ec8ce119d0d1a18d61319"
        );
        let headers = BTreeMap::from([
            ("content-type", "application/octet-stream".to_owned()),
            ("host", "1234567890.cn-hangzhou.fc.aliyuncs.com".to_owned()),
            ("x-acs-action", "InvokeFunction".to_owned()),
            ("x-acs-content-sha256", payload_hash.clone()),
            ("x-acs-date", "2023-12-16T16:20:57Z".to_owned()),
            ("x-acs-security-token", "tok".to_owned()),
            ("x-acs-signature-nonce", "00000000-0000-0000-0000-000000000001".to_owned()),
            ("x-acs-version", "2023-03-30".to_owned()),
            ("x-fc-invocation-type", "Async".to_owned()),
        ]);
        let canonical = canonical_request(&Signable {
            method: "POST",
            path: "/2023-03-30/functions/copier/invocations",
            query: "qualifier=LATEST",
            headers: &headers,
            payload_hash: &payload_hash,
        });
        let signature = signature("sk", &string_to_sign(&canonical));
        assert_eq!(
            authorization("ak", &signed_headers(&headers), &signature),
            "ACS3-HMAC-SHA256 Credential=ak,SignedHeaders=content-type;host;x-acs-action;\
             x-acs-content-sha256;x-acs-date;x-acs-security-token;x-acs-signature-nonce;\
             x-acs-version;x-fc-invocation-type,\
             Signature=c73937ee86d51aed5aba33c94596ad97cf27482ad165178acd2a3a9d2bedda95"
        );
    }
}
