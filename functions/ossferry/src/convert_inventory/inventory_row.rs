//! What is kept of a row of an inventory, and which rows are objects: the same for every format of its files.

use ossferry_core::time::Timestamp;

/// An object, as the inventory has it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct InventoryRow {
    /// Its key: in formats that know texts of any bytes nothing of it is encoded.
    pub(super) key: Vec<u8>,
    /// In bytes.
    pub(super) size: u64,
    /// By the store's clock.
    pub(super) last_modified: Option<Timestamp>,
    /// Empty where it is not told.
    pub(super) etag: String,
    /// Empty where it is not told.
    pub(super) storage_class: String,
}

/// A column that is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Column {
    Key,
    Size,
    LastModified,
    ETag,
    StorageClass,
    IsLatest,
    IsDeleteMarker,
}

impl Column {
    /// The column of this name in a file, where it is one of these. S3 writes `last_modified_date` where its CSV
    /// has `LastModifiedDate`.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name.replace('_', "").to_ascii_lowercase().as_str() {
            "key" => Self::Key,
            "size" => Self::Size,
            "lastmodifieddate" => Self::LastModified,
            "etag" => Self::ETag,
            "storageclass" => Self::StorageClass,
            "islatest" => Self::IsLatest,
            "isdeletemarker" => Self::IsDeleteMarker,
            _ => return None,
        })
    }
}

/// What stands in a column of a row. Where nothing stands there is no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Value<'a> {
    /// A text, or bytes.
    Bytes(&'a [u8]),
    /// A whole number.
    Whole(i128),
    /// Yes or no.
    Flag(bool),
    /// A time.
    Time(Timestamp),
}

/// A row, as far as its columns have been read.
#[derive(Debug, Default)]
pub(super) struct RowSoFar {
    found: InventoryRow,
    size: Option<u64>,
    is_other: bool,
}

impl RowSoFar {
    /// Takes one of its columns. A value of a kind that the column cannot have counts as none.
    pub(super) fn put(&mut self, column: Column, value: Value<'_>) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let found = &mut self.found;
        match (column, value) {
            (Column::Key, Value::Bytes(key)) => found.key = key.to_vec(),
            (Column::Size, Value::Whole(bytes)) => self.size = u64::try_from(bytes).ok(),
            (Column::LastModified, Value::Time(at)) => found.last_modified = Some(at),
            (Column::LastModified, Value::Whole(milliseconds)) => {
                found.last_modified = i64::try_from(milliseconds).ok().map(Timestamp);
            }
            (Column::LastModified, Value::Bytes(at)) => {
                found.last_modified = text(at).and_then(|at| Timestamp::from_rfc3339(&at));
            }
            (Column::ETag, Value::Bytes(etag)) => found.etag = text(etag).unwrap_or_default(),
            (Column::StorageClass, Value::Bytes(class)) => {
                found.storage_class = text(class).unwrap_or_default();
            }
            (Column::IsLatest, Value::Flag(is_latest)) => self.is_other |= !is_latest,
            (Column::IsDeleteMarker, Value::Flag(is_marker)) => self.is_other |= is_marker,
            _ => {}
        }
    }

    /// Its object; `None` where the row is of an older version, or of none.
    pub(super) fn object(self) -> Result<Option<InventoryRow>, &'static str> {
        if self.is_other {
            return Ok(None);
        }
        if self.found.key.is_empty() {
            return Err("want a key, as text");
        }
        let size = self.size.ok_or("want a size, as a whole number of 64 bits")?;
        Ok(Some(InventoryRow { size, ..self.found }))
    }
}
