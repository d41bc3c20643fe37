//! Rows of an inventory's Parquet file.

use bytes::Bytes;
use ossferry_core::time::Timestamp;
use parquet::file::reader::FileReader as _;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::record::{Field, Row};

/// An object, as the inventory has it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct ParquetRow {
    /// Its key: in Parquet nothing of it is encoded.
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

/// Gives each current object of a file to `take`, in the order of its rows. Older versions and delete markers
/// are left out.
pub(super) fn read_rows(
    file: Bytes,
    mut take: impl FnMut(ParquetRow) -> Result<(), csv::Error>,
) -> Result<(), String> {
    let reader = SerializedFileReader::new(file).map_err(|error| error.to_string())?;
    let rows = reader.get_row_iter(None).map_err(|error| error.to_string())?;
    for (number, row) in (1_u64..).zip(rows) {
        let told = |what: String| format!("row {number}: {what}");
        let row = row.map_err(|error| told(error.to_string()))?;
        if let Some(row) = current(row).map_err(|what| told(what.to_owned()))? {
            take(row).map_err(|error| told(error.to_string()))?;
        }
    }
    Ok(())
}

/// The object of a row; `None` where the row is of an older version, or of none.
fn current(row: Row) -> Result<Option<ParquetRow>, &'static str> {
    let (mut found, mut size, mut is_object) = (ParquetRow::default(), None, true);
    for (name, field) in row.into_columns() {
        // S3 writes `last_modified_date` where its CSV has `LastModifiedDate`.
        let name = name.replace('_', "").to_ascii_lowercase();
        match (name.as_str(), field) {
            ("key", Field::Str(key)) => found.key = key.into_bytes(),
            ("key", Field::Bytes(key)) => found.key = key.data().to_vec(),
            ("size", Field::Long(bytes)) => size = u64::try_from(bytes).ok(),
            ("size", Field::ULong(bytes)) => size = Some(bytes),
            ("lastmodifieddate", Field::TimestampMillis(at) | Field::Long(at)) => {
                found.last_modified = Some(Timestamp(at));
            }
            ("lastmodifieddate", Field::TimestampMicros(at)) => {
                found.last_modified = Some(Timestamp(at.div_euclid(1_000)));
            }
            ("lastmodifieddate", Field::Str(text)) => {
                found.last_modified = Timestamp::from_rfc3339(&text);
            }
            ("etag", Field::Str(etag)) => found.etag = etag,
            ("storageclass", Field::Str(class)) => found.storage_class = class,
            ("islatest", Field::Bool(is_latest)) => is_object &= is_latest,
            ("isdeletemarker", Field::Bool(is_marker)) => is_object &= !is_marker,
            _ => {}
        }
    }
    if !is_object {
        return Ok(None);
    }
    if found.key.is_empty() {
        return Err("want a key, as text");
    }
    found.size = size.ok_or("want a size, as a whole number of 64 bits")?;
    Ok(Some(found))
}
