//! Rows of an inventory's ORC file.
//!
//! In memory are the file as it is, of one stripe the columns that are read (still packed, with the texts of their
//! dictionaries), and some rows of it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use bytes::Bytes;
use orc_rust::array_decoder::NaiveStripeDecoder;
use orc_rust::projection::ProjectionMask;
use orc_rust::reader::metadata::read_metadata;
use orc_rust::stripe::Stripe;
use orc_rust::{ArrowSchemaOptions, TimestampPrecision};
use ossferry_core::time::Timestamp;

use super::inventory_row::{Column, InventoryRow, RowSoFar, Value};
use super::orc_file::OrcFile;
use super::reader_panics::contained;

/// Rows that are unpacked at once.
const BATCH_ROWS: usize = 1_024;

/// Gives each current object of a file to `take`, in the order of its rows. Older versions and delete markers
/// are left out.
pub(super) fn read_rows(
    file: Bytes,
    take: &mut dyn FnMut(InventoryRow) -> Result<(), csv::Error>,
) -> Result<(), String> {
    let mut file = OrcFile::of(file)?;
    let metadata = contained(|| read_metadata(&mut file))?;
    let root = metadata.root_data_type();
    let wanted = root.children().iter().filter(|column| Column::named(column.name()).is_some());
    let wanted = wanted.map(|column| column.data_type().column_index());
    let wanted = root.project(&ProjectionMask::roots(root, wanted));
    let columns = wanted.children().iter().filter_map(|column| Column::named(column.name()));
    let columns: Vec<Column> = columns.collect();
    for (column, name) in [(Column::Key, "key"), (Column::Size, "size")] {
        if !columns.contains(&column) {
            return Err(format!("it has no column {name}"));
        }
    }
    // Nanoseconds, what it would read without this, end in the year 2262.
    let precision = TimestampPrecision::Microsecond;
    let options = ArrowSchemaOptions::new().with_timestamp_precision(precision);
    let schema = Arc::new(wanted.create_arrow_schema_with_options(&HashMap::new(), options));
    let mut number = 0_u64;
    for stripe in metadata.stripe_metadatas() {
        let stripe = contained(|| Stripe::new(&mut file, &metadata, &wanted, stripe))?;
        contained(|| check_dictionaries(&stripe))?;
        let mut batches =
            contained(|| NaiveStripeDecoder::new(stripe, schema.clone(), BATCH_ROWS))?;
        while let Some(batch) = contained(|| batches.next().transpose())? {
            for row in 0..batch.num_rows() {
                number += 1;
                let told = |what: &dyn std::fmt::Display| format!("row {number}: {what}");
                let object = object_of(&columns, &batch, row).map_err(|what| told(&what))?;
                if let Some(object) = object {
                    take(object).map_err(|error| told(&error))?;
                }
            }
        }
    }
    Ok(())
}

/// Texts of a dictionary. Writers pack fewer rows than that into a stripe.
const DICTIONARY_MAX: usize = 1 << 26;

/// The reader makes room for as many texts as a dictionary is said to have. None has more than rows refer to,
/// of which the file itself says how many there are.
fn check_dictionaries(stripe: &Stripe) -> Result<(), &'static str> {
    let rows = stripe.number_of_rows().min(DICTIONARY_MAX);
    let is_larger = stripe.columns().iter().any(|column| column.dictionary_size() > rows);
    if is_larger { Err("a dictionary is larger than its stripe") } else { Ok(()) }
}

fn object_of(
    columns: &[Column],
    batch: &RecordBatch,
    row: usize,
) -> Result<Option<InventoryRow>, &'static str> {
    let mut so_far = RowSoFar::default();
    for (column, values) in columns.iter().zip(batch.columns()) {
        if let Some(value) = value_of(values, row) {
            so_far.put(*column, value);
        }
    }
    so_far.object()
}

fn value_of(values: &dyn Array, row: usize) -> Option<Value<'_>> {
    if values.is_null(row) {
        return None;
    }
    if let Some(texts) = values.as_string_opt::<i32>() {
        return Some(Value::Bytes(texts.value(row).as_bytes()));
    }
    if let Some(numbers) = values.as_primitive_opt::<Int64Type>() {
        return Some(Value::Whole(numbers.value(row).into()));
    }
    if let Some(flags) = values.as_boolean_opt() {
        return Some(Value::Flag(flags.value(row)));
    }
    if let Some(times) = values.as_primitive_opt::<TimestampMicrosecondType>() {
        return Some(Value::Time(Timestamp(times.value(row).div_euclid(1_000))));
    }
    values.as_binary_opt::<i32>().map(|bytes| Value::Bytes(bytes.value(row)))
}
