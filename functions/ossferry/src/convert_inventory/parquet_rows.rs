//! Rows of an inventory's Parquet file.

use bytes::Bytes;
use ossferry_core::time::Timestamp;
use parquet::file::reader::FileReader as _;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::record::{Field, Row};

use super::inventory_row::{Column, InventoryRow, RowSoFar, Value};

/// Gives each current object of a file to `take`, in the order of its rows. Older versions and delete markers
/// are left out.
pub(super) fn read_rows(
    file: Bytes,
    take: &mut dyn FnMut(InventoryRow) -> Result<(), csv::Error>,
) -> Result<(), String> {
    let reader = SerializedFileReader::new(file).map_err(|error| error.to_string())?;
    let rows = reader.get_row_iter(None).map_err(|error| error.to_string())?;
    for (number, row) in (1_u64..).zip(rows) {
        let told = |what: String| format!("row {number}: {what}");
        let row = row.map_err(|error| told(error.to_string()))?;
        if let Some(row) = object_of(&row).map_err(|what| told(what.to_owned()))? {
            take(row).map_err(|error| told(error.to_string()))?;
        }
    }
    Ok(())
}

fn object_of(row: &Row) -> Result<Option<InventoryRow>, &'static str> {
    let mut so_far = RowSoFar::default();
    for (name, field) in row.get_column_iter() {
        if let (Some(column), Some(value)) = (Column::named(name), value_of(field)) {
            so_far.put(column, value);
        }
    }
    so_far.object()
}

fn value_of(field: &Field) -> Option<Value<'_>> {
    Some(match field {
        Field::Str(text) => Value::Bytes(text.as_bytes()),
        Field::Bytes(bytes) => Value::Bytes(bytes.data()),
        Field::Long(number) => Value::Whole((*number).into()),
        Field::ULong(number) => Value::Whole((*number).into()),
        Field::Bool(flag) => Value::Flag(*flag),
        Field::TimestampMillis(at) => Value::Time(Timestamp(*at)),
        Field::TimestampMicros(at) => Value::Time(Timestamp(at.div_euclid(1_000))),
        _ => return None,
    })
}
