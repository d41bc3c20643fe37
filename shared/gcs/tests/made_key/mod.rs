//! A service account's key that was made for a test, and what it signed.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::sync::OnceLock;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64_URL};
use ossferry_http::percent::{Plus, decode};
use serde_json::{Value, json};

/// Whose every key is.
pub(crate) const EMAIL: &str = "reader@p.iam.gserviceaccount.com";

pub(crate) struct MadeKey(KeyPair);

impl MadeKey {
    pub(crate) fn new() -> Self {
        Self(KeyPair::generate(KeySize::Rsa2048).expect("a key is made"))
    }

    /// The key of this test process: to make one takes a while.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<MadeKey> = OnceLock::new();
        SHARED.get_or_init(Self::new)
    }

    /// The private half as PKCS #8 in PEM.
    pub(crate) fn pem(&self) -> String {
        let der = self.0.as_der().expect("a key has an encoding");
        let body = BASE64.encode(der.as_ref());
        format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
    }

    /// The file, as Google writes it.
    pub(crate) fn file(&self, token_uri: &str) -> String {
        file(&self.pem(), token_uri)
    }

    /// Header and claims of an assertion, where it is signed by this key.
    pub(crate) fn signed(&self, assertion: &str) -> Option<(Value, Value)> {
        let (signed, signature) = assertion.rsplit_once('.')?;
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.0.public_key());
        public.verify(signed.as_bytes(), &BASE64_URL.decode(signature).ok()?).ok()?;
        let (header, claims) = signed.split_once('.')?;
        let read = |part| serde_json::from_slice(&BASE64_URL.decode(part).ok()?).ok();
        read(header).zip(read(claims))
    }
}

/// A file with this for its private key.
pub(crate) fn file(private_key: &str, token_uri: &str) -> String {
    json!({
        "type": "service_account", "client_email": EMAIL, "private_key_id": "K1",
        "private_key": private_key, "token_uri": token_uri,
    })
    .to_string()
}

/// The assertion of a form that asks for a token.
pub(crate) fn assertion_of(form: &[u8]) -> Option<String> {
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    let assertion = form.strip_prefix(grant.as_bytes())?;
    String::from_utf8(decode(assertion, Plus::Space)?).ok()
}
