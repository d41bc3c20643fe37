//! The headers of an object, as they are sent and read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG,
    EXPIRES, HeaderName, LAST_MODIFIED,
};
use http::{HeaderMap, HeaderValue};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::fidelity::{Properties, Property};
use ossferry_core::object::{Digests, ETag, ObjectHeaders, ObjectInfo};
use ossferry_core::ports::PutOptions;
use ossferry_http::parse_http_date;
use ossferry_http::percent::encode_component;

const PREFIX: &str = "x-oss-meta-";

/// Of PutObject and CompleteMultipartUpload.
pub(crate) const ACL: HeaderName = HeaderName::from_static("x-oss-object-acl");

/// The headers of PutObject. InitiateMultipartUpload takes them all but the digest and the ACL.
pub(crate) fn write_headers(
    operation: &'static str,
    options: &PutOptions,
) -> Result<HeaderMap, PortError> {
    let mut headers = HeaderMap::with_capacity(16);
    let unsendable = |name: &str| {
        let message = format!("{operation}: {name} is no header text");
        PortError::new(ErrorKind::Unsupported, message)
    };
    let mut insert = |name: HeaderName, value: &str| {
        let text = HeaderValue::from_bytes(value.as_bytes());
        headers.insert(name.clone(), text.map_err(|_| unsendable(name.as_str()))?);
        Ok::<_, PortError>(())
    };
    for (name, value) in carried(&options.headers) {
        if let Some(value) = value {
            insert(name, value)?;
        }
    }
    for (name, value) in &options.headers.user_metadata {
        let header =
            HeaderName::try_from(format!("{PREFIX}{name}")).map_err(|_| unsendable(name))?;
        insert(header, value)?;
    }
    if let Some(class) = &options.storage_class {
        insert(HeaderName::from_static("x-oss-storage-class"), class)?;
    }
    if let Some(encryption) = &options.encryption {
        insert(HeaderName::from_static("x-oss-server-side-encryption"), encryption)?;
    }
    if !options.tags.is_empty() {
        let encoded = |text: &str| encode_component(text.as_bytes());
        let tags = options.tags.iter().map(|(name, value)| (encoded(name), encoded(value)));
        let pairs: Vec<String> = tags.map(|(name, value)| format!("{name}={value}")).collect();
        insert(HeaderName::from_static("x-oss-tagging"), &pairs.join("&"))?;
    }
    if let Some(acl) = options.acl {
        insert(ACL, acl.as_str())?;
    }
    if let Some(md5) = options.content_md5 {
        insert(HeaderName::from_static("content-md5"), &STANDARD.encode(md5))?;
    }
    if options.forbid_overwrite {
        insert(HeaderName::from_static("x-oss-forbid-overwrite"), "true")?;
    }
    Ok(headers)
}

fn carried(headers: &ObjectHeaders) -> [(HeaderName, Option<&String>); 6] {
    [
        (CONTENT_TYPE, headers.content_type.as_ref()),
        (CACHE_CONTROL, headers.cache_control.as_ref()),
        (CONTENT_DISPOSITION, headers.content_disposition.as_ref()),
        (CONTENT_ENCODING, headers.content_encoding.as_ref()),
        (CONTENT_LANGUAGE, headers.content_language.as_ref()),
        (EXPIRES, headers.expires.as_ref()),
    ]
}

/// What the headers of an answer to HEAD or GET say of an object of `size` bytes.
pub(crate) fn object_info(headers: &HeaderMap, size: u64) -> ObjectInfo {
    let text = |name: &str| headers.get(name).map(header_text);
    let etag = text(ETAG.as_str()).map(|text| ETag::new(&text));
    // Only of an object written in one PUT, and not under a key of KMS, is the ETag its MD5.
    let is_normal = text("x-oss-object-type").is_some_and(|kind| kind == "Normal");
    let is_kms = headers.contains_key("x-oss-server-side-encryption-key-id")
        || text("x-oss-server-side-encryption").is_some_and(|kind| kind == "KMS");
    let md5 = etag.as_ref().filter(|_| is_normal && !is_kms).and_then(ETag::as_md5);
    let user_metadata = headers
        .iter()
        .filter_map(|(name, value)| {
            Some((name.as_str().strip_prefix(PREFIX)?.to_owned(), header_text(value)))
        })
        .collect();
    ObjectInfo {
        size,
        etag,
        last_modified: text(LAST_MODIFIED.as_str()).and_then(|text| parse_http_date(&text)),
        content_modified: None,
        digests: Digests { crc64_ecma: crc64_ecma(headers), crc64_nvme: None, md5 },
        headers: ObjectHeaders {
            content_type: text(CONTENT_TYPE.as_str()),
            cache_control: text(CACHE_CONTROL.as_str()),
            content_disposition: text(CONTENT_DISPOSITION.as_str()),
            content_encoding: text(CONTENT_ENCODING.as_str()),
            content_language: text(CONTENT_LANGUAGE.as_str()),
            expires: text(EXPIRES.as_str()),
            user_metadata,
        },
        storage_class: text("x-oss-storage-class"),
        mirrored: text("x-oss-tag").is_some_and(|tag| tag == "MIRROR"),
        beyond: beyond(headers),
    }
}

/// What takes more than headers to carry over.
fn beyond(headers: &HeaderMap) -> Properties {
    let is_customers = headers.contains_key("x-oss-server-side-encryption-key-id")
        || headers.contains_key("x-oss-server-side-encryption-customer-algorithm")
        || headers.get("x-oss-server-side-encryption").is_some_and(|kind| kind == "KMS");
    Properties::default()
        .with(Property::Tags, headers.get("x-oss-tagging-count").is_some_and(|count| count != "0"))
        .with(Property::Encryption, is_customers)
        .with(Property::ObjectLock, headers.contains_key("x-oss-object-worm-mode"))
}

/// `x-oss-hash-crc64ecma`: unsigned and decimal.
pub(crate) fn crc64_ecma(headers: &HeaderMap) -> Option<u64> {
    headers.get("x-oss-hash-crc64ecma")?.to_str().ok()?.trim().parse().ok()
}

/// Values are UTF-8 where they are not ASCII; a store may hold other bytes.
fn header_text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_read_back_as_it_was_written() {
        let headers = ObjectHeaders {
            content_type: Some("text/plain".to_owned()),
            cache_control: Some("no-cache".to_owned()),
            content_disposition: Some("attachment; filename=\"é\"".to_owned()),
            content_encoding: Some("gzip".to_owned()),
            content_language: Some("de".to_owned()),
            expires: Some("never".to_owned()),
            user_metadata: vec![("author".to_owned(), "Alice é".to_owned())],
        };
        let options = PutOptions {
            headers: headers.clone(),
            storage_class: Some("IA".to_owned()),
            encryption: Some("KMS".to_owned()),
            tags: vec![("team".to_owned(), "a&b".to_owned()), ("stage".to_owned(), "ü".to_owned())],
            acl: Some(ossferry_core::along::CannedAcl::PublicRead),
            content_md5: Some([0; 16]),
            forbid_overwrite: true,
        };
        let written = write_headers("PutObject", &options).unwrap();
        assert_eq!(written["content-md5"], "AAAAAAAAAAAAAAAAAAAAAA==");
        assert_eq!(written["x-oss-forbid-overwrite"], "true");
        assert_eq!(written["x-oss-server-side-encryption"], "KMS");
        assert_eq!(written["x-oss-tagging"], "team=a%26b&stage=%C3%BC");
        assert_eq!(written["x-oss-object-acl"], "public-read");
        let read = object_info(&written, 7);
        assert_eq!((read.size, read.headers), (7, headers));
        assert_eq!(read.storage_class.as_deref(), Some("IA"));
    }

    #[test]
    fn an_etag_is_an_md5_only_of_a_normal_object_without_kms() {
        let info = |extra: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            headers.insert(ETAG, HeaderValue::from_static("\"D41D8CD98F00B204E9800998ECF8427E\""));
            for (name, value) in extra {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            object_info(&headers, 0).digests
        };
        assert_eq!(info(&[]).md5, None);
        assert!(info(&[("x-oss-object-type", "Normal")]).md5.is_some());
        assert!(
            info(&[("x-oss-object-type", "Normal"), ("x-oss-server-side-encryption", "AES256")])
                .md5
                .is_some()
        );
        for kms in
            [("x-oss-server-side-encryption", "KMS"), ("x-oss-server-side-encryption-key-id", "1")]
        {
            assert_eq!(info(&[("x-oss-object-type", "Normal"), kms]).md5, None);
        }
        assert_eq!(info(&[("x-oss-object-type", "Multipart")]).md5, None);
        let crc = info(&[("x-oss-hash-crc64ecma", "18446744073709551615")]).crc64_ecma;
        assert_eq!(crc, Some(u64::MAX));
    }

    #[test]
    fn what_no_header_carries_over_is_seen_in_the_headers() {
        for (name, value, expected) in [
            ("x-oss-tagging-count", "2", Some(Property::Tags)),
            ("x-oss-tagging-count", "0", None),
            ("x-oss-server-side-encryption", "AES256", None),
            ("x-oss-server-side-encryption", "KMS", Some(Property::Encryption)),
            ("x-oss-server-side-encryption-key-id", "k", Some(Property::Encryption)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            let beyond: Vec<_> = object_info(&headers, 0).beyond.iter().collect();
            assert_eq!(beyond, expected.into_iter().collect::<Vec<_>>(), "{name}: {value}");
        }
    }

    #[test]
    fn a_value_that_is_no_header_text_is_refused_by_name() {
        let user_metadata = vec![("na me".to_owned(), "v".to_owned())];
        for (headers, name) in [
            (
                ObjectHeaders { content_type: Some("a\r\nb".to_owned()), ..Default::default() },
                "content-type",
            ),
            (ObjectHeaders { user_metadata, ..Default::default() }, "na me"),
        ] {
            let options = PutOptions { headers, ..Default::default() };
            let error = write_headers("PutObject", &options).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unsupported);
            assert!(error.message.contains(name), "{error}");
        }
    }
}
