//! What listings and answers say of an object.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fidelity::Properties;
use crate::key::Key;
use crate::time::Timestamp;

/// Begins what stands in for a tag where only the size is known.
const SIZE_ALONE: &str = "~size:";

/// An entity tag without its quotes, as the server spelled it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ETag(String);

impl ETag {
    /// Takes the quotes and a weak mark off.
    pub fn new(text: &str) -> Self {
        let text = text.trim().trim_start_matches("W/");
        Self(text.trim_matches('"').to_owned())
    }

    /// Stands in for the tag of an object whose server gives nothing that tells its states apart: its
    /// size is all there is.
    pub fn of_size(bytes: u64) -> Self {
        Self(format!("{SIZE_ALONE}{bytes}"))
    }

    /// Whether this is [`Self::of_size`]: a change that keeps the size would not be seen.
    pub fn is_size_alone(&self) -> bool {
        self.0.starts_with(SIZE_ALONE)
    }

    /// Without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// With quotes, as `If-Match` wants it.
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }

    /// The MD5 that the tag spells, if it has the form of one. Whether it *is* the MD5 of the
    /// bytes is for the store's profile to say.
    pub fn as_md5(&self) -> Option<[u8; 16]> {
        let text = self.0.as_bytes();
        if text.len() != 32 {
            return None;
        }
        let mut md5 = [0; 16];
        for (byte, pair) in md5.iter_mut().zip(text.chunks_exact(2)) {
            let digit = |d: u8| (d as char).to_digit(16);
            *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
        }
        Some(md5)
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One line of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The key, decoded.
    pub key: Key,
    /// Bytes.
    pub size: u64,
    /// Where the store lists one.
    pub etag: Option<ETag>,
    /// The store's clock. For a folder the later of mtime and ctime.
    pub last_modified: Option<Timestamp>,
    /// As the store names it.
    pub storage_class: Option<String>,
    /// Whether the class cannot be read without a restoration.
    pub archived: bool,
}

impl Entry {
    /// A key of which nothing else is known.
    pub fn unknown(key: Key) -> Self {
        Self { key, size: 0, etag: None, last_modified: None, storage_class: None, archived: false }
    }

    /// Whether nothing but the key is known. The size is then none either.
    pub fn is_unknown(&self) -> bool {
        self.size == 0 && self.etag.is_none() && self.last_modified.is_none()
    }

    /// As a HEAD told it, where a listing tells no more than the key. It gives the class, and not whether the
    /// object was restored since: reading it tells.
    pub fn of_head(key: Key, info: &ObjectInfo) -> Self {
        Self {
            size: info.size,
            etag: info.etag.clone(),
            last_modified: info.last_modified,
            storage_class: info.storage_class.clone(),
            ..Self::unknown(key)
        }
    }
}

/// Digests that a *server* gives for a whole object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Digests {
    /// CRC-64/ECMA (XZ), as OSS and COS report it.
    pub crc64_ecma: Option<u64>,
    /// CRC-64/NVME of the full object, as S3 reports it.
    pub crc64_nvme: Option<u64>,
    /// MD5: from an `ETag` that the store's profile says is one, and no KMS or customer key in the answer.
    pub md5: Option<[u8; 16]>,
}

/// The headers of an object that are carried over.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct ObjectHeaders {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Expires`, as it was spelled.
    pub expires: Option<String>,
    /// User metadata: lower-case name without the provider's prefix, value as header text.
    pub user_metadata: Vec<(String, String)>,
}

/// What HEAD or the headers of a GET say of an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectInfo {
    /// Bytes of the whole object.
    pub size: u64,
    /// As served.
    pub etag: Option<ETag>,
    /// The store's clock.
    pub last_modified: Option<Timestamp>,
    /// The date that is carried as mtime, where it differs from `last_modified`: a file's own mtime.
    pub content_modified: Option<Timestamp>,
    /// What the server computed.
    pub digests: Digests,
    /// What is carried over.
    pub headers: ObjectHeaders,
    /// As the store names it.
    pub storage_class: Option<String>,
    /// Whether a rule of the target fetched it from its origin when somebody asked for it
    /// (`x-oss-tag: MIRROR`), so that nobody wrote it.
    pub mirrored: bool,
    /// What the object has, by this answer, that no header carries over.
    pub beyond: Properties,
}

/// What the bytes read must belong to. An object's bytes are never read without it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pin {
    /// Sent as `If-Match` and compared with the answer's.
    pub etag: ETag,
}

/// A range of bytes, never empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByteRange {
    /// The first byte.
    pub start: u64,
    /// How many.
    pub bytes: u64,
}

impl ByteRange {
    /// The last byte, as `Range` and `Content-Range` count.
    pub fn last(self) -> u64 {
        self.start + self.bytes - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_is_compared_without_quotes_and_read_as_md5_only_in_its_form() {
        let etag = ETag::new("\"D41D8CD98F00B204E9800998ECF8427E\"");
        assert_eq!(etag.as_md5().unwrap()[..2], [0xd4, 0x1d]);
        assert_eq!(ETag::new("d41d8cd98f00b204e9800998ecf8427e-3").as_md5(), None);
        assert_eq!(ETag::new("zz1d8cd98f00b204e9800998ecf8427e").as_md5(), None);
        assert_eq!(etag.quoted(), "\"D41D8CD98F00B204E9800998ECF8427E\"");
    }
}
