//! Signatures by an operator's password.
//!
//! <https://help.upyun.com/knowledge-base/object_storage_authorization/>

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use md5::{Digest, Md5};
use sha1::Sha1;

/// Step 1: the text that the signature covers. `uri` is path and query as they are sent. Of a request
/// without a body the MD5 is left out together with the `&` before it.
pub(crate) fn string_to_sign(method: &Method, uri: &str, date: &str) -> String {
    format!("{method}&{uri}&{date}")
}

/// Step 2: the header's value. The key is the password's MD5, spelled in hex.
pub(crate) fn authorization(operator: &str, password: &str, text: &str) -> String {
    let mut key = String::with_capacity(32);
    for byte in Md5::digest(password.as_bytes()) {
        write!(key, "{byte:02x}").expect("a text takes any text");
    }
    let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).expect("a key of any length");
    mac.update(text.as_bytes());
    format!("UPYUN {operator}:{}", BASE64.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_documents_is_signed_as_they_sign_it() {
        // It has a body, whose MD5 is signed too.
        let text = string_to_sign(
            &Method::PUT,
            "/upyun-temp/demo.jpg",
            "Wed, 09 Nov 2016 14:26:58 GMT&7ac66c0f148de9519b8bd264312c4d64",
        );
        let signed = authorization("operator123", "password123", &text);
        assert_eq!(signed, "UPYUN operator123:YUaAZX+WNAcJdNGHS5SBlITME5A=");
    }
}
