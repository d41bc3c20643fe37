//! Who asks, and when.

use http::HeaderMap;
use http::request::Parts;
use ossferry_aliyun::tablestore::sign::{
    API_VERSION, content_md5, signature_v2, signature_v4, signing_key_v4,
};
use ossferry_core::time::Timestamp;

use crate::account::is_of_now;
use crate::tablestore::Instance;
use crate::tablestore::errors::{
    BODY_DIGEST, INSTANCE_NOT_FOUND, Refusal, SIGNATURE_MISMATCH, TOKEN_MISMATCH,
    UNKNOWN_ACCESS_KEY,
};

/// With what the answer is signed.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    pub(crate) signing_key: String,
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Refuses a request that the account has not signed, or not for this instance and now.
pub(crate) fn checked(
    parts: &Parts,
    operation: &str,
    body: &[u8],
    instance: &Instance,
    now: Timestamp,
) -> Result<Signer, Refusal> {
    let headers = &parts.headers;
    let needed = |name: &'static str| text(headers, name).ok_or_else(|| Refusal::missing(name));
    let account = &instance.account;
    if needed("x-ots-apiversion")? != API_VERSION {
        return Err(Refusal::parameter("Unsupported API version.".to_owned()));
    }
    if needed("x-ots-instancename")? != instance.name {
        return Err(INSTANCE_NOT_FOUND);
    }
    if needed("x-ots-accesskeyid")? != account.access_key {
        return Err(UNKNOWN_ACCESS_KEY);
    }
    if !account.takes_token(text(headers, "x-ots-ststoken")) {
        return Err(TOKEN_MISMATCH);
    }
    let date = needed("x-ots-date")?;
    let time = Timestamp::from_rfc3339(date)
        .ok_or_else(|| Refusal::parameter(format!("Invalid date format: {date}.")))?;
    let (signing_key, signed, expected) = match text(headers, "x-ots-signaturev4") {
        Some(signed) if instance.takes_v4 => {
            let (day, region) = (needed("x-ots-signdate")?, needed("x-ots-signregion")?);
            let is_of_day = date.replace('-', "").starts_with(day) && day.len() == 8;
            if region != instance.region || !is_of_day {
                return Err(SIGNATURE_MISMATCH);
            }
            let key = signing_key_v4(&account.secret_key, day, region);
            let expected = signature_v4(&key, operation, headers);
            (key, signed, expected)
        }
        _ => {
            let signed = needed("x-ots-signature")?;
            let expected = signature_v2(&account.secret_key, operation, headers);
            (account.secret_key.clone(), signed, expected)
        }
    };
    if signed != expected {
        return Err(SIGNATURE_MISMATCH);
    }
    if !is_of_now(time, now) {
        return Err(Refusal::skewed(date));
    }
    if needed("x-ots-contentmd5")? != content_md5(body) {
        return Err(BODY_DIGEST);
    }
    Ok(Signer { signing_key })
}
