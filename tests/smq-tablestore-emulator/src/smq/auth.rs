//! Who asks, and when.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderMap;
use http::request::Parts;
use md5::{Digest, Md5};
use ossferry_aliyun::smq::sign::{TOKEN_HEADER, VERSION, signature, string_to_sign};
use ossferry_core::time::Timestamp;
use ossferry_http::parse_http_date;

use crate::account::{Account, is_of_now};
use crate::smq::errors::{
    INVALID_ACCESS_KEY_ID, INVALID_AUTHORIZATION, INVALID_DATE, INVALID_DIGEST, INVALID_TOKEN,
    MISSING_AUTHORIZATION, MISSING_DATE, MISSING_VERSION, Refusal, SIGNATURE, TIME_EXPIRED,
};

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Refuses a request that the account has not signed, or not for now.
pub(crate) fn checked(
    parts: &Parts,
    body: &[u8],
    account: &Account,
    now: Timestamp,
) -> Result<(), Refusal> {
    let headers = &parts.headers;
    let given = text(headers, "authorization").ok_or(MISSING_AUTHORIZATION)?;
    let date = text(headers, "date").ok_or(MISSING_DATE)?;
    let time = parse_http_date(date).ok_or(INVALID_DATE)?;
    if text(headers, "x-mns-version") != Some(VERSION) {
        return Err(MISSING_VERSION);
    }
    let signed = given.strip_prefix("MNS ").and_then(|pair| pair.split_once(':'));
    let (access_key, signed) = signed.ok_or(INVALID_AUTHORIZATION)?;
    if access_key != account.access_key {
        return Err(INVALID_ACCESS_KEY_ID);
    }
    if !account.takes_token(text(headers, TOKEN_HEADER)) {
        return Err(INVALID_TOKEN);
    }
    let resource = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let to_sign = string_to_sign(parts.method.as_str(), headers, resource);
    if signature(&account.secret_key, &to_sign) != signed {
        return Err(SIGNATURE);
    }
    if !is_of_now(time, now) {
        return Err(TIME_EXPIRED);
    }
    match text(headers, "content-md5") {
        Some(given) if !is_digest(given, body) => Err(INVALID_DIGEST),
        _ => Ok(()),
    }
}

/// The official SDKs send base64 of the digest's hex digits, others base64 of the digest.
fn is_digest(given: &str, body: &[u8]) -> bool {
    let digest = Md5::digest(body);
    given == BASE64.encode(digest) || given == BASE64.encode(hex(&digest, false))
}

/// Hex digits.
pub(crate) fn hex(bytes: &[u8], upper_case: bool) -> String {
    bytes
        .iter()
        .map(|byte| if upper_case { format!("{byte:02X}") } else { format!("{byte:02x}") })
        .collect()
}
