//! What a writer says about an object beside its bytes, taken from request headers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES,
    HeaderMap, HeaderName, HeaderValue,
};

use crate::acl::ObjectAcl;
use crate::errors::{INVALID_ARGUMENT, INVALID_DIGEST, Refusal};
use crate::storage::object::Metadata;
use crate::storage_class::StorageClass;
use crate::tagging::parse_tag_header;

/// Names and values of user metadata together (limits page of the OSS manual, 2026).
const USER_METADATA_BYTES_MAX: usize = 8 << 10;

const USER_METADATA_PREFIX: &str = "x-oss-meta-";

/// Kept as they are and answered on every read.
const ENTITY_HEADERS: [HeaderName; 6] =
    [CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES];

const ENCRYPTION: &str = "x-oss-server-side-encryption";
const ENCRYPTION_KEY: &str = "x-oss-server-side-encryption-key-id";
const ENCRYPTION_DATA: &str = "x-oss-server-side-data-encryption";

impl Metadata {
    /// What the headers of `PutObject`, `InitiateMultipartUpload` or a replacing `CopyObject` say.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut kept = Vec::new();
        for name in ENTITY_HEADERS {
            match headers.get(&name) {
                Some(value) => kept.push((name, value.clone())),
                None if name == CONTENT_TYPE => {
                    let fallback = HeaderValue::from_static("application/octet-stream");
                    kept.push((name, fallback));
                }
                None => {}
            }
        }
        push_user_metadata(&mut kept, headers)?;
        push_encryption(&mut kept, headers)?;
        let storage_class = match text(headers, "x-oss-storage-class") {
            None => StorageClass::default(),
            Some(name) => StorageClass::parse(name).ok_or_else(|| {
                INVALID_ARGUMENT.because("no such storage class").with("ArgumentValue", name)
            })?,
        };
        let tags = match headers.get("x-oss-tagging") {
            None => Vec::new(),
            Some(value) => parse_tag_header(value.as_bytes())?,
        };
        let acl = ObjectAcl::of(headers)?;
        Ok(Self { storage_class, headers: kept, tags, acl })
    }

    /// Whether the object's ETag is not the MD5 of its bytes.
    pub(crate) fn hides_md5(&self) -> bool {
        self.headers.iter().any(|(name, value)| name == ENCRYPTION && value == "KMS")
    }

    /// The encryption headers, which answers to writes carry too.
    pub(crate) fn insert_encryption(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            if name.as_str().starts_with("x-oss-server-side-") {
                headers.insert(name.clone(), value.clone());
            }
        }
    }
}

fn push_user_metadata(
    kept: &mut Vec<(HeaderName, HeaderValue)>,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    let mut bytes = 0;
    for (name, value) in headers {
        let Some(short) = name.as_str().strip_prefix(USER_METADATA_PREFIX) else { continue };
        if short.is_empty() || !short.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(INVALID_ARGUMENT
                .because("a user metadata name holds letters, digits and - only")
                .with("ArgumentName", name.as_str()));
        }
        bytes += short.len() + value.len();
        kept.push((name.clone(), value.clone()));
    }
    if bytes > USER_METADATA_BYTES_MAX {
        return Err(INVALID_ARGUMENT.because("user metadata is larger than 8 KB"));
    }
    Ok(())
}

fn push_encryption(
    kept: &mut Vec<(HeaderName, HeaderValue)>,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    let Some(method) = headers.get(ENCRYPTION) else { return Ok(()) };
    if !["AES256", "KMS", "SM4"].iter().any(|known| method == known) {
        return Err(INVALID_ARGUMENT
            .because("no such encryption method")
            .with("ArgumentName", ENCRYPTION));
    }
    for name in [ENCRYPTION, ENCRYPTION_KEY, ENCRYPTION_DATA] {
        if let Some(value) = headers.get(name) {
            kept.push((HeaderName::from_static(name), value.clone()));
        }
    }
    Ok(())
}

/// Whether the request must not replace an object.
pub(crate) fn forbids_overwrite(headers: &HeaderMap) -> bool {
    text(headers, "x-oss-forbid-overwrite").is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// The MD5 that the body must have, where the request says so.
pub(crate) fn expected_md5(headers: &HeaderMap) -> Result<Option<[u8; 16]>, Refusal> {
    let Some(value) = headers.get("content-md5") else { return Ok(None) };
    let decoded = BASE64.decode(value.as_bytes()).ok().and_then(|md5| md5.try_into().ok());
    decoded.map(Some).ok_or_else(|| INVALID_DIGEST.because("The Content-MD5 is invalid."))
}

/// A header's value, where it is plain text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(given: &[(&'static str, &'static str)]) -> HeaderMap {
        given
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn entity_headers_user_metadata_and_encryption_are_kept() {
        let metadata = Metadata::from_headers(&headers(&[
            ("cache-control", "no-cache"),
            ("x-oss-meta-a-1", "v"),
            ("x-oss-storage-class", "IA"),
            ("x-oss-tagging", "k=v"),
            ("x-oss-server-side-encryption", "KMS"),
            ("x-other", "dropped"),
        ]))
        .unwrap();
        let names: Vec<_> = metadata.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["cache-control", "content-type", "x-oss-meta-a-1", "x-oss-server-side-encryption"]
        );
        assert_eq!(metadata.storage_class, StorageClass::Ia);
        assert_eq!(metadata.tags, [("k".to_owned(), "v".to_owned())]);
        assert!(metadata.hides_md5());
    }

    #[test]
    fn what_oss_does_not_hold_is_refused() {
        for (name, value) in [
            ("x-oss-meta-a_b", "v"),
            ("x-oss-meta-", "v"),
            ("x-oss-storage-class", "GLACIER"),
            ("x-oss-server-side-encryption", "aws:kms"),
        ] {
            let refusal = Metadata::from_headers(&headers(&[(name, value)])).unwrap_err();
            assert_eq!(refusal.code(), "InvalidArgument", "{name}: {value}");
        }
        let mut large = HeaderMap::new();
        for number in 0..5 {
            let name = HeaderName::try_from(format!("x-oss-meta-{number}")).unwrap();
            large.insert(name, HeaderValue::try_from("v".repeat(1_700)).unwrap());
        }
        assert!(Metadata::from_headers(&large).is_err());
        assert!(expected_md5(&headers(&[("content-md5", "no")])).is_err());
    }
}
