//! Rows of the port as Tablestore holds them.

use std::collections::BTreeMap;

use bytes::Bytes;
use ossferry_core::ports::{Condition, Row, Value};
use prost::Message as _;

use crate::tablestore::messages::{
    self, EQUAL, Filter, RowExistence, SINGLE_COLUMN_VALUE, SingleColumnValueFilter,
};
use crate::tablestore::plain_buffer::{Cell, CellValue, PlainRow};

/// First column of the primary key. Its values begin with a digest: rows spread over partitions.
pub(crate) const PARTITION: &str = "partition";

/// Second column of the primary key.
pub(crate) const SORT: &str = "sort";

/// How often a row was written.
pub(crate) const REVISION: &str = "revision";

/// A row's compressed list.
pub(crate) const BLOB: &str = "blob";

/// Bytes of a value of a key column (Tablestore manual, "Limits", 2026).
const KEY_BYTES_MAX: usize = 1_024;

/// Columns that one request writes.
const COLUMNS_MAX: usize = 1_024;

/// A number counts as this many bytes.
const INTEGER_BYTES: usize = 8;

/// The key of a row, or a bound of a range. No text is before every other.
pub(crate) fn key_of(partition: &str, sort: &str) -> PlainRow {
    let text = |text: &str| CellValue::Text(text.to_owned());
    let sort = if sort.is_empty() { CellValue::Least } else { text(sort) };
    let key = vec![(PARTITION.to_owned(), text(partition)), (SORT.to_owned(), sort)];
    PlainRow { key, ..PlainRow::default() }
}

/// A row to write.
pub(crate) fn row_of(row: &Row, revision: i64) -> PlainRow {
    let mut plain = key_of(&row.partition, &row.sort);
    plain.cells.push(Cell::new(REVISION, CellValue::Integer(revision)));
    for (name, value) in &row.attributes {
        let value = match value {
            Value::Text(text) => CellValue::Text(text.clone()),
            Value::Integer(number) => CellValue::Integer(*number),
        };
        plain.cells.push(Cell::new(name, value));
    }
    if let Some(blob) = &row.blob {
        plain.cells.push(Cell::new(BLOB, CellValue::Blob(blob.clone())));
    }
    plain
}

/// A row as it was read. `None` where it is none of ours.
pub(crate) fn read_row(plain: PlainRow) -> Option<Row> {
    let [(_, CellValue::Text(partition)), (_, CellValue::Text(sort))] =
        <[_; 2]>::try_from(plain.key).ok()?
    else {
        return None;
    };
    let mut row = Row { partition, sort, ..Row::default() };
    let mut attributes = BTreeMap::new();
    for Cell { name, value, .. } in plain.cells {
        match (name.as_str(), value?) {
            (REVISION, CellValue::Integer(revision)) => row.revision = revision.try_into().ok()?,
            (BLOB, CellValue::Blob(blob)) => row.blob = Some(blob),
            (_, CellValue::Text(text)) => {
                attributes.insert(name, Value::Text(text));
            }
            (_, CellValue::Integer(number)) => {
                attributes.insert(name, Value::Integer(number));
            }
            _ => return None,
        }
    }
    row.attributes = attributes;
    (row.revision > 0).then_some(row)
}

/// A condition, and the revision that the row has once it was written under it.
pub(crate) fn condition_of(condition: Condition) -> (messages::Condition, i64) {
    match condition {
        Condition::Absent => {
            let row_existence = RowExistence::ExpectNotExist as i32;
            (messages::Condition { row_existence, column_condition: None }, 1)
        }
        Condition::Revision(revision) => {
            // No row was ever written so often that its revision exceeds the column.
            let expected = i64::try_from(revision).unwrap_or(0);
            let filter = SingleColumnValueFilter {
                comparator: EQUAL,
                column_name: REVISION.to_owned(),
                column_value: CellValue::Integer(expected).encoded().into(),
                filter_if_missing: true,
                latest_version_only: true,
            };
            let filter =
                Filter { kind: SINGLE_COLUMN_VALUE, filter: filter.encode_to_vec().into() };
            let condition = messages::Condition {
                row_existence: RowExistence::ExpectExist as i32,
                column_condition: Some(filter.encode_to_vec().into()),
            };
            (condition, expected.saturating_add(1))
        }
    }
}

/// What a row takes, keys and names included.
pub(crate) fn bytes_of(row: &Row) -> usize {
    let attributes = row.attributes.iter().map(|(name, value)| {
        name.len()
            + match value {
                Value::Text(text) => text.len(),
                Value::Integer(_) => INTEGER_BYTES,
            }
    });
    let blob = row.blob.as_ref().map_or(0, Bytes::len);
    row.partition.len() + row.sort.len() + attributes.sum::<usize>() + blob
}

/// Why the service cannot hold a row.
pub(crate) fn objection(row: &Row, row_bytes_max: usize) -> Option<String> {
    let keys = [&row.partition, &row.sort];
    if keys.iter().any(|key| key.is_empty() || key.len() > KEY_BYTES_MAX) {
        return Some(format!("a key column is empty or longer than {KEY_BYTES_MAX} bytes"));
    }
    let bytes = bytes_of(row);
    if bytes > row_bytes_max {
        return Some(format!("{bytes} bytes are more than the {row_bytes_max} of a row"));
    }
    if row.attributes.len() + 2 > COLUMNS_MAX {
        return Some(format!("more than {COLUMNS_MAX} columns"));
    }
    let mut names = row.attributes.keys();
    let wrong = names.find(|name| !is_column_name(name))?;
    Some(format!("{wrong:?} is no name of an attribute"))
}

/// A name that the service takes for a column, and that is none of our own.
fn is_column_name(name: &str) -> bool {
    let is_first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let is_taken = [PARTITION, SORT, REVISION, BLOB].contains(&name);
    let mut bytes = name.bytes();
    !is_taken
        && name.len() <= 255
        && bytes.next().is_some_and(is_first)
        && bytes.all(|byte| is_first(byte) || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        let attributes = [
            ("state".to_owned(), Value::Text("open".to_owned())),
            ("fence".to_owned(), Value::Integer(-3)),
        ];
        Row {
            partition: "0f3a-job".to_owned(),
            sort: "pass/1".to_owned(),
            revision: 4,
            attributes: attributes.into(),
            blob: Some(Bytes::from_static(b"list")),
        }
    }

    #[test]
    fn a_row_is_read_as_it_was_written() {
        assert_eq!(read_row(row_of(&row(), 4)), Some(row()));
        let bare = Row { attributes: BTreeMap::new(), blob: None, ..row() };
        assert_eq!(read_row(row_of(&bare, 4)), Some(bare));
    }

    #[test]
    fn a_row_of_somebody_else_is_not_taken_for_ours() {
        assert_eq!(read_row(key_of("a", "b")), None, "without a revision");
        assert_eq!(read_row(row_of(&row(), -1)), None);
        let mut other = row_of(&row(), 1);
        other.cells.push(Cell::new("share", CellValue::Double(0.5)));
        assert_eq!(read_row(other), None);
        let mut other = row_of(&row(), 1);
        other.key.truncate(1);
        assert_eq!(read_row(other), None);
    }

    #[test]
    fn what_the_service_cannot_hold_is_said_before_it_is_sent() {
        assert_eq!(objection(&row(), 100), None);
        let named = |name: &str| {
            let attributes = [(name.to_owned(), Value::Integer(1))].into();
            Row { attributes, ..row() }
        };
        let long_key = Row { sort: "k".repeat(KEY_BYTES_MAX + 1), ..row() };
        let many = (0..COLUMNS_MAX).map(|number| (format!("c{number}"), Value::Integer(1)));
        let many = Row { attributes: many.collect(), ..row() };
        let unnamed = ["", "a-b", "1a", "revision", "sort", &"n".repeat(256)].map(named);
        for held in [long_key, many, Row { sort: String::new(), ..row() }].iter().chain(&unnamed) {
            assert!(objection(held, 1 << 20).is_some(), "{:?}", held.attributes.keys().next());
        }
        assert!(objection(&row(), bytes_of(&row())).is_none());
        assert!(objection(&row(), bytes_of(&row()) - 1).is_some());
        assert_eq!(objection(&named("_name9"), 100), None);
    }
}
