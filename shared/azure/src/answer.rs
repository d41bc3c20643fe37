//! What the headers of an answer say of a blob.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG,
    LAST_MODIFIED,
};
use http::{HeaderMap, HeaderName, StatusCode};
use ossferry_core::error::PortError;
use ossferry_core::fidelity::{Properties, Property};
use ossferry_core::object::{ByteRange, Digests, ETag, ObjectHeaders, ObjectInfo, Pin};
use ossferry_http::parse_http_date;

use crate::error::{GET_BLOB, GET_BLOB_PROPERTIES, answered};

const METADATA_PREFIX: &str = "x-ms-meta-";

/// What an answer to HEAD says.
pub(crate) fn head(headers: &HeaderMap) -> Result<ObjectInfo, PortError> {
    let answered = answered(GET_BLOB_PROPERTIES, headers);
    let size = answered.content_length().ok_or_else(|| answered.bad("no content-length"))?;
    Ok(info(headers, size, true))
}

/// What an answer to GET says, once it is known to be the answer to *this* GET.
pub(crate) fn get(
    status: StatusCode,
    headers: &HeaderMap,
    pin: &Pin,
    range: Option<ByteRange>,
) -> Result<ObjectInfo, PortError> {
    let answered = answered(GET_BLOB, headers);
    let served = text(headers, &ETAG).map(ETag::new);
    answered.of_pinned(pin, served.as_ref().map(ETag::as_str), "etag")?;
    let size = answered.object_bytes(status, range)?;
    Ok(info(headers, size, range.is_none()))
}

fn info(headers: &HeaderMap, size: u64, whole: bool) -> ObjectInfo {
    let carried = |name: HeaderName| text(headers, &name).map(str::to_owned);
    let metadata = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix(METADATA_PREFIX)?;
        // What is no header text of OSS's is left behind by name, not passed over.
        Some((name.to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
    });
    ObjectInfo {
        size,
        etag: text(headers, &ETAG).map(ETag::new),
        last_modified: text(headers, &LAST_MODIFIED).and_then(parse_http_date),
        content_modified: None,
        digests: Digests { md5: if whole { md5(headers) } else { None }, ..Digests::default() },
        headers: ObjectHeaders {
            content_type: carried(CONTENT_TYPE),
            cache_control: carried(CACHE_CONTROL),
            content_disposition: carried(CONTENT_DISPOSITION),
            content_encoding: carried(CONTENT_ENCODING),
            content_language: carried(CONTENT_LANGUAGE),
            // Azure keeps none.
            expires: None,
            user_metadata: metadata.collect(),
        },
        storage_class: text(headers, &HeaderName::from_static("x-ms-access-tier"))
            .map(str::to_owned),
        mirrored: false,
        beyond: beyond(headers),
    }
}

/// What takes more than headers to carry over.
fn beyond(headers: &HeaderMap) -> Properties {
    let is = |name: &str| headers.contains_key(name);
    Properties::default()
        .with(Property::Tags, headers.get("x-ms-tag-count").is_some_and(|count| count != "0"))
        .with(Property::Encryption, is("x-ms-encryption-key-sha256") || is("x-ms-encryption-scope"))
        .with(
            Property::ObjectLock,
            is("x-ms-immutability-policy-until-date")
                || headers.get("x-ms-legal-hold").is_some_and(|hold| hold == "true"),
        )
}

/// Azure computes it for a block blob that was put in one request. What is written to an append or
/// page blob later does not change it there.
fn md5(headers: &HeaderMap) -> Option<[u8; 16]> {
    if text(headers, &HeaderName::from_static("x-ms-blob-type")) != Some("BlockBlob") {
        return None;
    }
    let spelled = text(headers, &HeaderName::from_static("content-md5"))?;
    BASE64.decode(spelled).ok()?.try_into().ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_md5_is_believed_of_a_block_blob_only() {
        for (kind, believed) in [("BlockBlob", true), ("AppendBlob", false), ("PageBlob", false)] {
            let mut headers = HeaderMap::new();
            headers.insert("content-length", 0.into());
            headers.insert("x-ms-blob-type", kind.parse().unwrap());
            headers.insert("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==".parse().unwrap());
            headers.insert("x-ms-access-tier", "Cool".parse().unwrap());
            let info = head(&headers).unwrap();
            assert_eq!(info.digests.md5.is_some(), believed, "{kind}");
            assert_eq!(info.storage_class.as_deref(), Some("Cool"));
        }
    }

    #[test]
    fn what_no_header_carries_over_is_seen_and_no_metadata_is_passed_over() {
        for (name, value, expected) in [
            ("x-ms-tag-count", "2", Some(Property::Tags)),
            ("x-ms-server-encrypted", "true", None),
            ("x-ms-encryption-key-sha256", "k", Some(Property::Encryption)),
            ("x-ms-encryption-scope", "s", Some(Property::Encryption)),
            ("x-ms-legal-hold", "false", None),
            ("x-ms-legal-hold", "true", Some(Property::ObjectLock)),
            ("x-ms-immutability-policy-until-date", "d", Some(Property::ObjectLock)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("content-length", 0.into());
            headers.insert(name, value.parse().unwrap());
            let umlaut = http::HeaderValue::from_bytes("gr\u{fc}n".as_bytes()).unwrap();
            headers.insert("x-ms-meta-colour", umlaut);
            let info = head(&headers).unwrap();
            let beyond: Vec<_> = info.beyond.iter().collect();
            assert_eq!(beyond, expected.into_iter().collect::<Vec<_>>(), "{name}: {value}");
            let named = ("colour".to_owned(), "gr\u{fc}n".to_owned());
            assert_eq!(info.headers.user_metadata, [named], "carry leaves it behind by name");
        }
    }
}
