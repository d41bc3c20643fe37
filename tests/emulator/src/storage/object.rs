//! Objects, uploads and parts as they stand in memory.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use ossferry_core::time::Timestamp;

use super::bodies::Extent;
use super::record::{MetadataRow, ObjectRow, PartRow, UploadRow};
use super::recovery::Recovery;
use crate::acl::ObjectAcl;
use crate::storage_class::StorageClass;

/// What came with an object beside its bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metadata {
    /// Where the object is billed.
    pub(crate) storage_class: StorageClass,
    /// Answered with every GET and HEAD: entity headers, user metadata, encryption.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// At most ten.
    pub(crate) tags: Vec<(String, String)>,
    /// Who may use it.
    pub(crate) acl: ObjectAcl,
}

/// An object.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// Without quotes.
    pub(crate) etag: String,
    /// CRC-64/ECMA of all bytes.
    pub(crate) crc64_ecma: u64,
    /// Size.
    pub(crate) bytes: u64,
    /// To the second, as OSS has it.
    pub(crate) modified: Timestamp,
    /// Whether it was put together from parts.
    pub(crate) multipart: bool,
    /// Headers, tags and storage class.
    pub(crate) metadata: Metadata,
    /// Its bytes, in order.
    pub(crate) extents: Vec<Extent>,
}

/// A part of an upload.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Without quotes.
    pub(crate) etag: String,
    /// CRC-64/ECMA of the part.
    pub(crate) crc64_ecma: u64,
    /// Size.
    pub(crate) bytes: u64,
    /// To the second.
    pub(crate) modified: Timestamp,
    /// Its bytes, in order.
    pub(crate) extents: Vec<Extent>,
}

/// A multipart upload that is neither completed nor aborted.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    /// To the second.
    pub(crate) initiated: Timestamp,
    /// What the object will carry.
    pub(crate) metadata: Metadata,
    /// By part number.
    pub(crate) parts: BTreeMap<u32, Arc<Part>>,
}

impl Metadata {
    pub(crate) fn row(&self) -> MetadataRow {
        let header = |(name, value): &(HeaderName, HeaderValue)| {
            // One character for each byte: a header value need not be UTF-8.
            (name.as_str().to_owned(), value.as_bytes().iter().map(|b| char::from(*b)).collect())
        };
        MetadataRow {
            storage_class: self.storage_class.as_str().to_owned(),
            headers: self.headers.iter().map(header).collect(),
            tags: self.tags.clone(),
            acl: self.acl,
        }
    }

    fn from_row(row: MetadataRow) -> io::Result<Self> {
        let header = |(name, value): (String, String)| {
            let bytes: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(c).ok()).collect();
            let value = HeaderValue::from_bytes(&bytes?).ok()?;
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
        };
        let headers: Option<Vec<_>> = row.headers.into_iter().map(header).collect();
        let storage_class = StorageClass::parse(&row.storage_class);
        Ok(Self {
            storage_class: storage_class.ok_or_else(|| invalid("a storage class"))?,
            headers: headers.ok_or_else(|| invalid("a header"))?,
            tags: row.tags,
            acl: row.acl,
        })
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the index log holds {what} it cannot"))
}

impl Object {
    pub(crate) fn row(&self) -> ObjectRow {
        ObjectRow {
            etag: self.etag.clone(),
            crc64_ecma: self.crc64_ecma,
            modified: self.modified,
            multipart: self.multipart,
            metadata: self.metadata.row(),
            extents: self.extents.iter().map(Extent::row).collect(),
        }
    }

    pub(crate) fn from_row(row: ObjectRow, recovery: &mut Recovery) -> io::Result<Self> {
        let extents: io::Result<Vec<_>> =
            row.extents.into_iter().map(|extent| recovery.extent(extent)).collect();
        let extents = extents?;
        Ok(Self {
            etag: row.etag,
            crc64_ecma: row.crc64_ecma,
            bytes: extents.iter().map(|extent| extent.bytes).sum(),
            modified: row.modified,
            multipart: row.multipart,
            metadata: Metadata::from_row(row.metadata)?,
            extents,
        })
    }
}

impl Part {
    pub(crate) fn row(&self) -> PartRow {
        PartRow {
            etag: self.etag.clone(),
            crc64_ecma: self.crc64_ecma,
            modified: self.modified,
            extents: self.extents.iter().map(Extent::row).collect(),
        }
    }

    pub(crate) fn from_row(row: PartRow, recovery: &mut Recovery) -> io::Result<Self> {
        let extents: io::Result<Vec<_>> =
            row.extents.into_iter().map(|extent| recovery.extent(extent)).collect();
        let extents = extents?;
        Ok(Self {
            etag: row.etag,
            crc64_ecma: row.crc64_ecma,
            bytes: extents.iter().map(|extent| extent.bytes).sum(),
            modified: row.modified,
            extents,
        })
    }
}

impl Upload {
    pub(crate) fn row(&self) -> UploadRow {
        UploadRow { initiated: self.initiated, metadata: self.metadata.row() }
    }

    pub(crate) fn from_row(row: UploadRow) -> io::Result<Self> {
        let metadata = Metadata::from_row(row.metadata)?;
        Ok(Self { initiated: row.initiated, metadata, parts: BTreeMap::new() })
    }
}
