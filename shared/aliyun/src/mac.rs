//! Message authentication codes, as the signatures of every service here need them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

/// HMAC-SHA1 in base64: the signatures before V4.
pub(crate) fn sha1_base64(key: &[u8], text: &[u8]) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text);
    STANDARD.encode(mac.finalize().into_bytes())
}

/// HMAC-SHA256.
pub(crate) fn sha256(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// The key of signature V4 for one day (`YYYYMMDD`), region and product.
pub(crate) fn v4_key(secret_key: &str, date: &str, region: &str, product: &str) -> [u8; 32] {
    let seed = format!("aliyun_v4{secret_key}");
    let dated = sha256(seed.as_bytes(), date.as_bytes());
    [region, product, V4_TERMINATOR].iter().fold(dated, |key, text| sha256(&key, text.as_bytes()))
}

/// Ends the scope of signature V4.
pub(crate) const V4_TERMINATOR: &str = "aliyun_v4_request";
