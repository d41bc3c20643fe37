//! What the JSON of an object says of it.
//!
//! <https://cloud.google.com/storage/docs/json_api/v1/objects#resource>

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderMap;
use http::header::LAST_MODIFIED;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::fidelity::{Properties, Property};
use ossferry_core::key::Key;
use ossferry_core::object::{Digests, ETag, Entry, ObjectHeaders, ObjectInfo};
use ossferry_core::time::Timestamp;
use ossferry_http::parse_http_date;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// One object, as it is told by itself or in a listing, which asks for the first five alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Resource {
    name: String,
    /// A number as text, as every number of 64 bits is here.
    size: String,
    /// Another for each state of the bytes; of a change to metadata alone it stays.
    generation: String,
    updated: Option<String>,
    storage_class: Option<String>,
    /// In base64. What was composed of other objects has none.
    md5_hash: Option<String>,
    content_type: Option<String>,
    cache_control: Option<String>,
    content_disposition: Option<String>,
    content_encoding: Option<String>,
    content_language: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    customer_encryption: Option<IgnoredAny>,
    kms_key_name: Option<String>,
    retention: Option<IgnoredAny>,
    retention_expiration_time: Option<String>,
    #[serde(default)]
    event_based_hold: bool,
    #[serde(default)]
    temporary_hold: bool,
}

impl Resource {
    /// As one line of a listing. The generation stands for the `ETag`: Google's own changes with the
    /// metadata, and pins no bytes.
    pub(crate) fn entry(self) -> Result<Entry, &'static str> {
        Ok(Entry {
            key: Key::from(self.name.as_str()),
            size: self.bytes()?,
            last_modified: self.updated()?,
            etag: Some(ETag::new(&self.generation)),
            storage_class: self.storage_class,
            // Every class is read at once; the cold ones only cost more.
            archived: false,
        })
    }

    /// Of the object by itself.
    pub(crate) fn info(self) -> Result<ObjectInfo, &'static str> {
        let size = self.bytes()?;
        let last_modified = self.updated()?;
        // Names that differ by case alone are one header.
        let named = self.metadata.len();
        let metadata = self.metadata.into_iter();
        let metadata: BTreeMap<String, String> =
            metadata.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        let is_locked = self.event_based_hold
            || self.temporary_hold
            || self.retention.is_some()
            || self.retention_expiration_time.is_some();
        let is_encrypted = self.customer_encryption.is_some() || self.kms_key_name.is_some();
        let beyond = Properties::default()
            .with(Property::Encryption, is_encrypted)
            .with(Property::ObjectLock, is_locked)
            .with(Property::UserMetadata, metadata.len() < named);
        Ok(ObjectInfo {
            size,
            etag: Some(ETag::new(&self.generation)),
            last_modified,
            content_modified: None,
            digests: digests(self.md5_hash.as_deref()),
            headers: ObjectHeaders {
                content_type: self.content_type,
                cache_control: self.cache_control,
                content_disposition: self.content_disposition,
                content_encoding: self.content_encoding,
                content_language: self.content_language,
                // Google keeps none.
                expires: None,
                user_metadata: metadata.into_iter().collect(),
            },
            storage_class: self.storage_class,
            mirrored: false,
            beyond,
        })
    }

    /// Whether a key is needed to read it that Google does not keep.
    pub(crate) fn is_of_customers_key(&self) -> bool {
        self.customer_encryption.is_some()
    }

    /// Fails where the object is not the pinned one.
    pub(crate) fn must_be_generation(&self, pinned: &str) -> Result<(), PortError> {
        if self.generation == pinned { Ok(()) } else { Err(changed(&self.generation, pinned)) }
    }

    fn bytes(&self) -> Result<u64, &'static str> {
        self.size.parse().map_err(|_| "a size that is no number")
    }

    fn updated(&self) -> Result<Option<Timestamp>, &'static str> {
        let parse = |text: &String| Timestamp::from_rfc3339(text).ok_or("a date that is none");
        self.updated.as_ref().map(parse).transpose()
    }
}

/// The object has another generation than the pinned one.
pub(crate) fn changed(generation: &str, pinned: &str) -> PortError {
    let operation = crate::error::GET_OBJECT;
    let message = format!("{operation}: generation {generation}, asked for {pinned}");
    PortError::new(ErrorKind::PreconditionFailed, message)
}

/// What the headers of an answer with bytes say of the object. User metadata is not among them.
pub(crate) fn info_of_bytes(headers: &HeaderMap, size: u64, generation: &str) -> ObjectInfo {
    let texts = |name: &str| {
        let values = headers.get_all(name).iter();
        values.filter_map(|value| value.to_str().ok()).map(str::to_owned).collect::<Vec<_>>()
    };
    let hashes = texts("x-goog-hash").join(",");
    let md5 = hashes.split(',').find_map(|hash| hash.trim().strip_prefix("md5="));
    ObjectInfo {
        size,
        etag: Some(ETag::new(generation)),
        last_modified: texts(LAST_MODIFIED.as_str()).first().and_then(|date| parse_http_date(date)),
        content_modified: None,
        // Of the whole object, also with a range.
        digests: digests(md5),
        headers: ObjectHeaders::default(),
        storage_class: texts("x-goog-storage-class").into_iter().next(),
        mirrored: false,
        beyond: Properties::default(),
    }
}

fn digests(md5: Option<&str>) -> Digests {
    let md5 = md5.and_then(|spelled| BASE64.decode(spelled).ok()?.try_into().ok());
    Digests { md5, ..Digests::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(more: &str) -> Resource {
        let text = format!(
            "{{\"kind\":\"storage#object\",\"name\":\"a/b\",\"size\":\"7\",\"generation\":\"17\",\
             \"updated\":\"2026-11-27T03:39:05.581801Z\"{more}}}"
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn an_object_is_read_with_everything_that_is_carried() {
        let info = resource(
            r#","md5Hash":"1B2M2Y8AsgTpgAmY7PhCfg==","storageClass":"COLDLINE","contentType":"a/b",
               "cacheControl":"c","contentDisposition":"d","contentEncoding":"gzip",
               "contentLanguage":"de","metadata":{"Colour":"blue","b":"1"}"#,
        );
        let info = info.info().unwrap();
        assert_eq!((info.size, info.etag.unwrap().as_str()), (7, "17"));
        assert_eq!(info.last_modified, Some(Timestamp(1_795_750_745_581)));
        assert_eq!(info.storage_class.as_deref(), Some("COLDLINE"));
        assert!(info.digests.md5.is_some() && info.beyond == Properties::default());
        let text = |text: &str| Some(text.to_owned());
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = ObjectHeaders {
            content_type: text("a/b"),
            cache_control: text("c"),
            content_disposition: text("d"),
            content_encoding: text("gzip"),
            content_language: text("de"),
            expires: None,
            user_metadata: vec![pair("b", "1"), pair("colour", "blue")],
        };
        assert_eq!(info.headers, headers);
    }

    #[test]
    fn what_no_header_carries_over_is_seen() {
        for (more, expected) in [
            ("", None),
            (r#","temporaryHold":false,"eventBasedHold":false"#, None),
            (r#","kmsKeyName":"projects/p/k""#, Some(Property::Encryption)),
            (
                r#","customerEncryption":{"encryptionAlgorithm":"AES256","keySha256":"x"}"#,
                Some(Property::Encryption),
            ),
            (r#","temporaryHold":true"#, Some(Property::ObjectLock)),
            (r#","eventBasedHold":true"#, Some(Property::ObjectLock)),
            (r#","retentionExpirationTime":"2027-01-01T00:00:00Z""#, Some(Property::ObjectLock)),
            (r#","retention":{"mode":"Locked"}"#, Some(Property::ObjectLock)),
            (r#","metadata":{"a":"1","A":"2"}"#, Some(Property::UserMetadata)),
        ] {
            let found = resource(more).info().unwrap();
            let beyond: Vec<_> = found.beyond.iter().collect();
            assert_eq!(beyond, expected.into_iter().collect::<Vec<_>>(), "{more}");
            assert_eq!(found.digests.md5, None, "a composed object has none");
        }
    }

    #[test]
    fn every_class_is_read_at_once() {
        for class in ["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"] {
            let entry = resource(&format!(",\"storageClass\":\"{class}\"")).entry().unwrap();
            assert!(!entry.archived, "{class}");
            assert_eq!(entry.storage_class.as_deref(), Some(class));
        }
    }
}
