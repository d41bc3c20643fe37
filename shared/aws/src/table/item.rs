//! A row as an item of `DynamoDB`, and what an item weighs there.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::ports::{Row, Value};

use super::Item;

/// The hash key.
pub(super) const PARTITION: &str = "partition";
/// The range key.
pub(super) const SORT: &str = "sort";
/// How often the row was written.
pub(super) const REVISION: &str = "revision";
/// The list, where there is one.
const BLOB: &str = "blob";

/// What one write unit writes.
const WRITE_UNIT_BYTES: usize = 1 << 10;

/// What one unit reads consistently.
const READ_UNIT_BYTES: usize = 4 << 10;

/// The item of a row. Attributes keep their names, so that the console shows them.
pub(super) fn item_of(row: &Row, revision: u64) -> Result<Item, PortError> {
    let mut item = Item::from([
        (PARTITION.to_owned(), AttributeValue::S(row.partition.clone())),
        (SORT.to_owned(), AttributeValue::S(row.sort.clone())),
        (REVISION.to_owned(), AttributeValue::N(revision.to_string())),
    ]);
    if let Some(blob) = &row.blob {
        item.insert(BLOB.to_owned(), AttributeValue::B(Blob::new(blob.to_vec())));
    }
    for (name, value) in &row.attributes {
        if [PARTITION, SORT, REVISION, BLOB].contains(&name.as_str()) {
            let message = format!("PutItem: an attribute of the table's own name, {name}");
            return Err(PortError::new(ErrorKind::Unsupported, message));
        }
        let value = match value {
            Value::Text(text) => AttributeValue::S(text.clone()),
            Value::Integer(number) => AttributeValue::N(number.to_string()),
        };
        item.insert(name.clone(), value);
    }
    Ok(item)
}

/// The row of an item.
pub(super) fn row_of(item: Item) -> Result<Row, PortError> {
    let mut row = Row::default();
    for (name, value) in item {
        let value = match (name.as_str(), value) {
            (PARTITION, AttributeValue::S(text)) => {
                row.partition = text;
                continue;
            }
            (SORT, AttributeValue::S(text)) => {
                row.sort = text;
                continue;
            }
            (REVISION, AttributeValue::N(number)) => {
                row.revision = number.parse().map_err(|_| unreadable(&name))?;
                continue;
            }
            (BLOB, AttributeValue::B(blob)) => {
                row.blob = Some(Bytes::from(blob.into_inner()));
                continue;
            }
            (_, AttributeValue::S(text)) => Value::Text(text),
            (_, AttributeValue::N(number)) => {
                Value::Integer(number.parse().map_err(|_| unreadable(&name))?)
            }
            _ => return Err(unreadable(&name)),
        };
        row.attributes.insert(name, value);
    }
    Ok(row)
}

fn unreadable(name: &str) -> PortError {
    let message = format!("read item: attribute {name} is none of ours");
    PortError::new(ErrorKind::BadAnswer, message).concluding(Conclusion::Refused)
}

/// Bytes of a row's item, as `DynamoDB` counts them: names and values in UTF-8, a number by its digits.
///
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>
pub fn item_bytes(row: &Row) -> usize {
    let keys = PARTITION.len() + row.partition.len() + SORT.len() + row.sort.len();
    let revision = REVISION.len() + number_bytes(&row.revision.to_string());
    let blob = row.blob.as_ref().map_or(0, |blob| BLOB.len() + blob.len());
    let attributes = row.attributes.iter().map(|(name, value)| {
        name.len()
            + match value {
                Value::Text(text) => text.len(),
                Value::Integer(number) => number_bytes(&number.to_string()),
            }
    });
    keys + revision + blob + attributes.sum::<usize>()
}

/// One byte for two significant digits, one more, and one for a sign: at most, since zeroes at the end
/// count for nothing.
fn number_bytes(number: &str) -> usize {
    let digits = number.trim_start_matches('-').len();
    digits.div_ceil(2) + 1 + usize::from(number.starts_with('-'))
}

/// Units that writing an item takes, or trying to. The larger counts where one stood there.
pub fn write_units(bytes: usize) -> u64 {
    bytes.div_ceil(WRITE_UNIT_BYTES).max(1) as u64
}

/// Units that reading takes consistently: of all items of one answer together.
pub fn read_units(bytes: usize) -> u64 {
    bytes.div_ceil(READ_UNIT_BYTES).max(1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What the service refuses to hold.
    const ITEM_BYTES_MAX: usize = 400 << 10;

    prop_compose! {
        fn any_row()(
            partition in "[^\0]{1,20}",
            sort in "[^\0]{1,20}",
            texts in prop::collection::btree_map("[a-z_]{1,9}x", ".{0,40}", 0..6),
            numbers in prop::collection::btree_map("[a-z_]{1,9}y", any::<i64>(), 0..200),
            blob in prop::option::of(prop::collection::vec(any::<u8>(), 0..300)),
        ) -> Row {
            let texts = texts.into_iter().map(|(name, text)| (name, Value::Text(text)));
            let numbers = numbers.into_iter().map(|(name, number)| (name, Value::Integer(number)));
            let blob = blob.map(Bytes::from);
            Row { partition, sort, revision: 0, attributes: texts.chain(numbers).collect(), blob }
        }
    }

    proptest! {
        #[test]
        fn any_row_comes_back_from_its_item(row in any_row(), revision: u64) {
            let read = row_of(item_of(&row, revision).unwrap()).unwrap();
            prop_assert_eq!(read, Row { revision, ..row });
        }

        #[test]
        fn what_the_port_counts_bounds_the_item(row in any_row(), revision: u64) {
            let over = item_bytes(&Row { revision, ..row.clone() }).saturating_sub(row.bytes());
            prop_assert!(super::super::ROW_BYTES_MAX + over < ITEM_BYTES_MAX, "{over} bytes more");
            prop_assert!(over <= 64, "{over} bytes more");
        }
    }

    #[test]
    fn attributes_of_other_kinds_and_of_the_table_s_own_names_are_refused() {
        let row = Row { partition: "p".to_owned(), sort: "s".to_owned(), ..Row::default() };
        let mut item = item_of(&row, 1).unwrap();
        item.insert("ttl".to_owned(), AttributeValue::N("1.5".to_owned()));
        assert_eq!(row_of(item.clone()).unwrap_err().conclusion, Conclusion::Refused);
        item.insert("ttl".to_owned(), AttributeValue::Bool(true));
        assert_eq!(row_of(item).unwrap_err().kind, ErrorKind::BadAnswer);
        for name in [PARTITION, SORT, REVISION, BLOB] {
            let mut row = row.clone();
            row.attributes.insert(name.to_owned(), Value::Integer(1));
            assert_eq!(item_of(&row, 1).unwrap_err().kind, ErrorKind::Unsupported, "{name}");
        }
    }

    #[test]
    fn units_are_of_one_and_of_four_kilobytes() {
        for (bytes, write, read) in
            [(0, 1, 1), (1, 1, 1), (1_024, 1, 1), (1_025, 2, 1), (4_096, 4, 1), (4_097, 5, 2)]
        {
            assert_eq!((write_units(bytes), read_units(bytes)), (write, read), "{bytes}");
        }
        for (number, bytes) in [("0", 2), ("99", 2), ("100", 3), ("-1", 3)] {
            assert_eq!(number_bytes(number), bytes, "{number}");
        }
        assert_eq!(number_bytes(&i64::MIN.to_string()), 12);
    }
}
