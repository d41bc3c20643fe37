//! OSS signature V4, in the stages of the specification. No clock, no HTTP: a server that received a
//! request verifies it with the same functions.
//!
//! Alibaba Cloud manual, "Include signatures in the Authorization header (V4)", 2026; checked against
//! the vectors of the official SDKs.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use http::HeaderMap;
use ossferry_core::time::Timestamp;
use ossferry_http::Credentials;
use ossferry_http::percent::{Slash, encode_component, push_encoded};
use sha2::{Digest, Sha256};

use crate::mac::{V4_TERMINATOR, sha256, v4_key};

/// Names the algorithm in both forms.
pub const ALGORITHM: &str = "OSS4-HMAC-SHA256";

/// The only value OSS takes for `x-oss-content-sha256`: bodies are never hashed.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// A request as either side of the wire sees it: everything decoded.
#[derive(Clone, Copy, Debug)]
pub struct Signable<'a> {
    /// In upper case.
    pub method: &'a str,
    /// `None` for operations on the service.
    pub bucket: Option<&'a str>,
    /// The key's bytes; `None` for operations on the bucket.
    pub key: Option<&'a [u8]>,
    /// Names and values in any order. An empty value is signed without its `=`.
    pub query: &'a [(&'a [u8], &'a [u8])],
    /// As sent, without `authorization`.
    pub headers: &'a HeaderMap,
}

/// What a signing key is good for: one day in one region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scope<'a> {
    /// `YYYYMMDD`.
    pub date: &'a str,
    /// `cn-hangzhou`, without `oss-`.
    pub region: &'a str,
}

impl fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/oss/{V4_TERMINATOR}", self.date, self.region)
    }
}

/// `YYYYMMDDTHHMMSSZ`, as `x-oss-date` has it; its first eight characters are the scope's date.
pub fn date_time(time: Timestamp) -> String {
    let mut text = time.to_string();
    text.truncate("2023-12-16T16:20:57".len());
    text.retain(|c| c != '-' && c != ':');
    text.push('Z');
    text
}

/// Whether a header is signed wherever it stands.
pub fn is_signed_by_default(name: &str) -> bool {
    name.starts_with("x-oss-") || name == "content-type" || name == "content-md5"
}

/// Of the names in lower case wanted as additional: those that are there and not signed anyway,
/// sorted.
pub fn additional_headers<'a>(wanted: &[&'a str], headers: &HeaderMap) -> Vec<&'a str> {
    let mut names: Vec<&str> = wanted
        .iter()
        .copied()
        .filter(|name| {
            !is_signed_by_default(name) && headers.get(*name).is_some_and(|value| !value.is_empty())
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Step 1: the request in the one spelling that both sides hash.
///
/// `additional` as [`additional_headers`] gives it. Of the query `x-oss-signature` is left out.
pub fn canonical_request(request: &Signable<'_>, additional: &[&str]) -> Vec<u8> {
    let mut text = String::with_capacity(512);
    text.push_str(request.method);
    text.push_str("\n/");
    if let Some(bucket) = request.bucket {
        push_encoded(&mut text, bucket.as_bytes(), Slash::Kept);
        text.push('/');
    }
    push_encoded(&mut text, request.key.unwrap_or_default(), Slash::Kept);
    text.push('\n');
    push_canonical_query(&mut text, request.query);
    text.push('\n');

    let mut canonical = text.into_bytes();
    let mut signed: Vec<(&str, &[u8])> = request
        .headers
        .iter()
        .filter(|(name, _)| {
            is_signed_by_default(name.as_str()) || additional.contains(&name.as_str())
        })
        .map(|(name, value)| (name.as_str(), value.as_bytes().trim_ascii()))
        .collect();
    signed.sort_unstable_by_key(|(name, _)| *name);
    for (name, value) in signed {
        for piece in [name.as_bytes(), b":", value, b"\n"] {
            canonical.extend_from_slice(piece);
        }
    }
    canonical.push(b'\n');
    for (index, name) in additional.iter().enumerate() {
        if index > 0 {
            canonical.push(b';');
        }
        canonical.extend_from_slice(name.as_bytes());
    }
    canonical.push(b'\n');
    let payload = request.headers.get("x-oss-content-sha256");
    canonical.extend_from_slice(
        payload.map_or(UNSIGNED_PAYLOAD.as_bytes(), |value| value.as_bytes().trim_ascii()),
    );
    canonical
}

fn push_canonical_query(text: &mut String, query: &[(&[u8], &[u8])]) {
    let mut pairs: Vec<(String, &[u8])> = query
        .iter()
        .filter(|(name, _)| *name != b"x-oss-signature")
        .map(|(name, value)| (encode_component(name), *value))
        .collect();
    pairs.sort_unstable();
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            text.push('&');
        }
        text.push_str(name);
        if !value.is_empty() {
            text.push('=');
            push_encoded(text, value, Slash::Encoded);
        }
    }
}

/// Step 2: the text that the signature covers. `date_time` is that of `x-oss-date`.
pub fn string_to_sign(date_time: &str, scope: &Scope<'_>, canonical_request: &[u8]) -> String {
    let mut text = format!("{ALGORITHM}\n{date_time}\n{scope}\n");
    push_hex(&mut text, &Sha256::digest(canonical_request));
    text
}

/// Derives the key of one day and region from the secret. Costs four hashes: see [`SigningKeys`].
pub fn signing_key(secret_key: &str, scope: &Scope<'_>) -> [u8; 32] {
    v4_key(secret_key, scope.date, scope.region, "oss")
}

/// Step 3: the signature, as 64 lower-case hex digits.
pub fn signature(signing_key: &[u8; 32], string_to_sign: &str) -> String {
    let mut text = String::with_capacity(64);
    push_hex(&mut text, &sha256(signing_key, string_to_sign.as_bytes()));
    text
}

/// The `Authorization` header.
pub fn authorization(
    access_key: &str,
    scope: &Scope<'_>,
    additional: &[&str],
    signature: &str,
) -> String {
    let mut text = format!("{ALGORITHM} Credential={access_key}/{scope}");
    if !additional.is_empty() {
        text.push_str(",AdditionalHeaders=");
        text.push_str(&additional.join(";"));
    }
    text.push_str(",Signature=");
    text.push_str(signature);
    text
}

/// The query pairs, decoded, that make `request` a presigned one: `x-oss-signature` is the last.
///
/// `expires_seconds` counts from `date_time`, which OSS accepts up to seven days.
pub fn presigned_pairs(
    request: &Signable<'_>,
    additional: &[&str],
    credentials: &Credentials,
    region: &str,
    date_time: &str,
    expires_seconds: u64,
) -> Vec<(&'static str, String)> {
    let scope = Scope { date: date_time.get(..8).unwrap_or_default(), region };
    let mut added = vec![
        ("x-oss-signature-version", ALGORITHM.to_owned()),
        ("x-oss-date", date_time.to_owned()),
        ("x-oss-expires", expires_seconds.to_string()),
        ("x-oss-credential", format!("{}/{scope}", credentials.access_key)),
    ];
    if let Some(token) = &credentials.token {
        added.push(("x-oss-security-token", token.clone()));
    }
    if !additional.is_empty() {
        added.push(("x-oss-additional-headers", additional.join(";")));
    }
    let mut query = request.query.to_vec();
    query.extend(added.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    let canonical = canonical_request(&Signable { query: &query, ..*request }, additional);
    let text = string_to_sign(date_time, &scope, &canonical);
    let key = signing_key(&credentials.secret_key, &scope);
    added.push(("x-oss-signature", signature(&key, &text)));
    added
}

/// Keeps the key of the day, so that it is derived once and not for every request.
#[derive(Default)]
pub struct SigningKeys(Mutex<Option<KeptKey>>);

struct KeptKey {
    secret_key: String,
    date: String,
    region: String,
    key: [u8; 32],
}

impl SigningKeys {
    /// The key of this secret, day and region.
    pub fn get(&self, secret_key: &str, scope: &Scope<'_>) -> [u8; 32] {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = &*kept
            && kept.date == scope.date
            && kept.region == scope.region
            && kept.secret_key == secret_key
        {
            return kept.key;
        }
        let key = signing_key(secret_key, scope);
        *kept = Some(KeptKey {
            secret_key: secret_key.to_owned(),
            date: scope.date.to_owned(),
            region: scope.region.to_owned(),
            key,
        });
        key
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKeys")
    }
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).expect("a nibble is a hex digit"));
        }
    }
}

#[cfg(test)]
#[path = "sign_tests.rs"]
mod tests;
