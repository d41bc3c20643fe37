//! Puts the signature on a request's headers.

use std::sync::{Arc, Mutex, PoisonError};

use http::header::{AUTHORIZATION, InvalidHeaderValue};
use http::{HeaderMap, HeaderValue, Method};
use ossferry_core::time::Timestamp;
use ossferry_http::Credentials;

use crate::sigv4::{
    CanonicalParts, Scope, SigningKey, amz_date, authorization, canonical_request, string_to_sign,
};

/// Signs for one service in one region, and keeps the day's signing key.
pub(crate) struct Signer {
    region: String,
    service: &'static str,
    kept: Mutex<Option<Kept>>,
}

/// What of a request is signed beside its headers: `path` and `query` as in the request line.
#[derive(Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    /// The digest of the body, or [`crate::sigv4::UNSIGNED_PAYLOAD`].
    pub(crate) payload: &'a str,
}

struct Kept {
    date: String,
    credentials: Arc<Credentials>,
    key: SigningKey,
}

impl Signer {
    pub(crate) fn new(region: String, service: &'static str) -> Self {
        Self { region, service, kept: Mutex::new(None) }
    }

    /// Signs all of `headers`, which hold `host`, and adds those of the signature.
    pub(crate) fn sign(
        &self,
        request: &Signed<'_>,
        headers: &mut HeaderMap,
        credentials: &Arc<Credentials>,
        at: Timestamp,
    ) -> Result<(), InvalidHeaderValue> {
        let Signed { method, path, query, payload } = *request;
        let amz_date = amz_date(at);
        let scope = Scope { date: &amz_date[..8], region: &self.region, service: self.service };
        headers.insert("x-amz-content-sha256", HeaderValue::from_str(payload)?);
        headers.insert("x-amz-date", HeaderValue::from_str(&amz_date)?);
        if let Some(token) = &credentials.token {
            headers.insert("x-amz-security-token", secret_value(token)?);
        }
        let mut signed: Vec<(&str, &str)> = headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?.trim())))
            .collect();
        signed.sort_unstable();
        let method = method.as_str();
        let parts = CanonicalParts { method, path, query, headers: &signed, payload };
        let names = parts.signed_headers();
        let canonical = canonical_request(&parts, &names);
        let text = string_to_sign(&amz_date, scope, &canonical);
        let signature = self.key(scope, credentials).signature(&text);
        let value = authorization(&credentials.access_key, scope, &names, &signature);
        headers.insert(AUTHORIZATION, secret_value(&value)?);
        Ok(())
    }

    fn key(&self, scope: Scope<'_>, credentials: &Arc<Credentials>) -> SigningKey {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = &*kept
            && kept.date == scope.date
            && (Arc::ptr_eq(&kept.credentials, credentials)
                || kept.credentials.secret_key == credentials.secret_key)
        {
            return kept.key.clone();
        }
        let key = SigningKey::derive(&credentials.secret_key, scope);
        *kept = Some(Kept {
            date: scope.date.to_owned(),
            credentials: Arc::clone(credentials),
            key: key.clone(),
        });
        key
    }
}

fn secret_value(text: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(text)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigv4::UNSIGNED_PAYLOAD;

    fn credentials(secret: &str, token: Option<&str>) -> Arc<Credentials> {
        Arc::new(Credentials {
            access_key: "AK".to_owned(),
            secret_key: secret.to_owned(),
            token: token.map(str::to_owned),
        })
    }

    fn authorization_of(signer: &Signer, credentials: &Arc<Credentials>, at: i64) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("h"));
        headers.insert("range", HeaderValue::from_static("bytes=0-1"));
        let request =
            Signed { method: &Method::GET, path: "/k", query: "", payload: UNSIGNED_PAYLOAD };
        signer.sign(&request, &mut headers, credentials, Timestamp(at)).unwrap();
        assert!(headers[AUTHORIZATION].is_sensitive());
        headers[AUTHORIZATION].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_kept_key_signs_as_a_fresh_one_and_is_dropped_with_the_day_and_the_secret() {
        const DAY: i64 = 86_400_000;
        let signer = Signer::new("r".to_owned(), "s3");
        let one = credentials("one", None);
        for (credentials, at) in
            [(&one, 0), (&one, 1_000), (&one, DAY), (&credentials("two", None), DAY), (&one, 0)]
        {
            let fresh = Signer::new("r".to_owned(), "s3");
            assert_eq!(
                authorization_of(&signer, credentials, at),
                authorization_of(&fresh, credentials, at)
            );
        }
        assert_ne!(authorization_of(&signer, &one, 0), authorization_of(&signer, &one, DAY));
    }

    #[test]
    fn the_token_of_temporary_credentials_is_sent_and_signed() {
        let signer = Signer::new("r".to_owned(), "s3");
        let value = authorization_of(&signer, &credentials("s", Some("T")), 0);
        assert!(
            value.contains(
                "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date;x-amz-security-token"
            ),
            "{value}"
        );
    }
}
