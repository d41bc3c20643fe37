//! A service account's key, and what it signs.
//!
//! <https://developers.google.com/identity/protocols/oauth2/service-account#httprest>

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64_URL};
use ossferry_core::time::Timestamp;
use ossferry_http::Endpoint;
use serde::Deserialize;
use serde_json::json;

/// What is asked for: to read objects and to list them.
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_only";

/// How long an assertion is good, in seconds: the longest that Google takes.
const ASSERTION_SECONDS: i64 = 3_600;

/// Why a text is no key. Nothing of the text is told but a type that is none.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum BadKey {
    #[error("it is not the JSON file that Google gives for a service account's key")]
    Unreadable,
    #[error(
        "it is of type {0:?}; want a key of a service account, whose type is \"service_account\""
    )]
    Type(String),
    #[error("its private_key is no RSA key in PEM (PKCS #8)")]
    PrivateKey,
    #[error("its token_uri is no https address")]
    TokenUri,
}

/// As Google writes it. It derives nothing that could show the key.
#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    client_email: String,
    #[serde(default)]
    private_key_id: String,
    #[serde(default)]
    private_key: String,
    #[serde(default)]
    token_uri: String,
}

/// Who signs, and where the signature is exchanged for a token.
pub(crate) struct ServiceAccount {
    /// Its name, as an address of e-mail.
    pub(crate) email: String,
    /// Where tokens are given.
    pub(crate) endpoint: Endpoint,
    /// The path there, with its query.
    pub(crate) path_and_query: String,
    key_id: String,
    token_uri: String,
    key: RsaKeyPair,
}

impl ServiceAccount {
    pub(crate) fn parse(text: &str) -> Result<Self, BadKey> {
        let file: KeyFile = serde_json::from_str(text).map_err(|_| BadKey::Unreadable)?;
        if file.kind != "service_account" {
            return Err(BadKey::Type(file.kind.chars().take(40).collect()));
        }
        if file.client_email.is_empty() {
            return Err(BadKey::Unreadable);
        }
        let (endpoint, path_and_query) = address(&file.token_uri).ok_or(BadKey::TokenUri)?;
        let der = der(&file.private_key).ok_or(BadKey::PrivateKey)?;
        Ok(Self {
            email: file.client_email,
            endpoint,
            path_and_query,
            key_id: file.private_key_id,
            token_uri: file.token_uri,
            key: RsaKeyPair::from_pkcs8(&der).map_err(|_| BadKey::PrivateKey)?,
        })
    }

    /// A JSON web token that says who asks and for what; signed, and good for an hour from `now`. It is a
    /// secret. `None` where the key signs nothing.
    pub(crate) fn assertion(&self, now: Timestamp) -> Option<String> {
        let seconds = now.0 / 1_000;
        let header = json!({ "alg": "RS256", "kid": self.key_id, "typ": "JWT" });
        let claims = json!({
            "aud": self.token_uri,
            "exp": seconds + ASSERTION_SECONDS,
            "iat": seconds,
            "iss": self.email,
            "scope": SCOPE,
        });
        let mut token = BASE64_URL.encode(header.to_string());
        token.push('.');
        token.push_str(&BASE64_URL.encode(claims.to_string()));
        let mut signature = vec![0; self.key.public_modulus_len()];
        let random = SystemRandom::new();
        self.key.sign(&RSA_PKCS1_SHA256, &random, token.as_bytes(), &mut signature).ok()?;
        token.push('.');
        token.push_str(&BASE64_URL.encode(signature));
        Some(token)
    }
}

/// The two parts of an address. Only this machine is spoken to without TLS: what is sent is a secret.
fn address(uri: &str) -> Option<(Endpoint, String)> {
    let (scheme, rest) = uri.split_once("://")?;
    let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let endpoint = Endpoint::parse(&format!("{scheme}://{authority}"))?;
    let is_header_text = path.bytes().all(|byte| byte.is_ascii_graphic());
    let may_be_asked = endpoint.is_secure() || endpoint.is_loopback();
    (may_be_asked && is_header_text).then(|| (endpoint, path.to_owned()))
}

/// What stands between the lines that PEM begins and ends with.
fn der(pem: &str) -> Option<Vec<u8>> {
    let body = pem.trim().strip_prefix("-----BEGIN PRIVATE KEY-----")?;
    let body = body.strip_suffix("-----END PRIVATE KEY-----")?;
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    BASE64.decode(body).ok()
}

#[cfg(test)]
#[path = "../tests/made_key/mod.rs"]
mod made_key;

#[cfg(test)]
mod tests {
    use super::made_key::{EMAIL, MadeKey, file};
    use super::*;

    #[test]
    fn an_assertion_names_account_scope_and_hour_and_its_signature_holds() {
        let key = MadeKey::shared();
        let text = key.file("https://oauth2.googleapis.com/token");
        let account = ServiceAccount::parse(&text).ok().unwrap();
        assert!(account.endpoint.is_secure() && account.path_and_query == "/token");
        let assertion = account.assertion(Timestamp(1_795_750_745_581)).unwrap();
        let (header, claims) = key.signed(&assertion).unwrap();
        assert_eq!(header, json!({ "alg": "RS256", "kid": "K1", "typ": "JWT" }));
        let expected = json!({
            "aud": "https://oauth2.googleapis.com/token",
            "exp": 1_795_754_345, "iat": 1_795_750_745, "iss": EMAIL, "scope": SCOPE,
        });
        assert_eq!(claims, expected);
    }

    #[test]
    fn a_text_that_is_no_key_is_told_without_the_text() {
        let good = MadeKey::shared().pem();
        let of = |text: &str| ServiceAccount::parse(text).err();
        assert_eq!(of("AIzaSy-no-json"), Some(BadKey::Unreadable));
        assert_eq!(of("{\"type\":\"service_account\"}"), Some(BadKey::Unreadable));
        let other = "{\"type\":\"authorized_user\",\"refresh_token\":\"canary\"}";
        let error = of(other).unwrap();
        assert!(error.to_string().contains("authorized_user"), "{error}");
        assert!(!error.to_string().contains("canary"), "{error}");
        for pem in ["", "canary", &good.replace('M', ""), &good.replace("PRIVATE", "RSA PRIVATE")] {
            assert_eq!(of(&file(pem, "https://h/token")), Some(BadKey::PrivateKey));
        }
        for (uri, is_taken) in [
            ("https://oauth2.googleapis.com/token", true),
            ("https://h", true),
            ("http://127.0.0.1:9/token", true),
            ("http://[::1]:9/token", true),
            ("http://localhost:9/token", true),
            ("http://oauth2.googleapis.com/token", false),
            ("http://10.0.0.1/token", false),
            ("https://u:p@h/token", false),
            ("https://h/a b", false),
            ("token", false),
            ("", false),
        ] {
            let refused = (!is_taken).then_some(BadKey::TokenUri);
            assert_eq!(of(&file(&good, uri)), refused, "{uri}");
        }
    }
}
