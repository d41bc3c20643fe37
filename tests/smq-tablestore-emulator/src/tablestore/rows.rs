//! A table and its rows.

use std::collections::BTreeMap;
use std::ops::Bound;

use ossferry_aliyun::tablestore::plain_buffer::{Cell, CellValue, PlainRow};

use crate::tablestore::errors::{INVALID_KEY, Refusal, TOO_MANY_COLUMNS};

/// Bytes of a value of a key column.
const KEY_BYTES_MAX: usize = 1_024;

/// Bytes of a value of an attribute column.
const VALUE_BYTES_MAX: usize = 2 << 20;

/// Columns of one write.
const COLUMNS_MAX: usize = 1_024;

/// A key, or a bound: ordered as the service orders them, column by column, texts by their bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Key(Vec<KeyPart>);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum KeyPart {
    Least,
    Text(String),
    Greatest,
}

/// A table.
#[derive(Debug)]
pub(crate) struct HeldTable {
    /// Names of the key's columns.
    key: Vec<String>,
    rows: BTreeMap<Key, Vec<Cell>>,
}

impl HeldTable {
    pub(crate) fn new(key: Vec<String>) -> Self {
        Self { key, rows: BTreeMap::new() }
    }

    /// The key that these columns are; only a bound may hold more than texts.
    pub(crate) fn key(
        &self,
        columns: &[(String, CellValue)],
        is_bound: bool,
    ) -> Result<Key, Refusal> {
        if !columns.iter().map(|(name, _)| name).eq(&self.key) {
            return Err(INVALID_KEY);
        }
        let parts = columns.iter().map(|(name, value)| match value {
            CellValue::Text(text) if text.len() > KEY_BYTES_MAX => {
                Err(Refusal::parameter(format!(
                    "The length of primary key column: '{name}' exceeds the MaxLength: \
                     {KEY_BYTES_MAX} with CurrentLength: {}.",
                    text.len()
                )))
            }
            CellValue::Text(text) => Ok(KeyPart::Text(text.clone())),
            CellValue::Least if is_bound => Ok(KeyPart::Least),
            CellValue::Greatest if is_bound => Ok(KeyPart::Greatest),
            _ => Err(INVALID_KEY),
        });
        parts.collect::<Result<_, _>>().map(Key)
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&[Cell]> {
        self.rows.get(key).map(Vec::as_slice)
    }

    pub(crate) fn put(&mut self, key: Key, cells: Vec<Cell>) {
        self.rows.insert(key, cells);
    }

    /// Rows from `start` on and before `end`, in order.
    pub(crate) fn range<'a>(
        &'a self,
        start: &Key,
        end: &Key,
    ) -> impl Iterator<Item = (&'a Key, &'a [Cell])> {
        let bounds = (Bound::Included(start.clone()), Bound::Excluded(end.clone()));
        self.rows.range(bounds).map(|(key, cells)| (key, cells.as_slice()))
    }

    /// A row, or with no cells its key alone.
    pub(crate) fn plain(&self, key: &Key, cells: &[Cell]) -> PlainRow {
        let columns = self.key.iter().zip(&key.0).map(|(name, part)| {
            let value = match part {
                KeyPart::Least => CellValue::Least,
                KeyPart::Text(text) => CellValue::Text(text.clone()),
                KeyPart::Greatest => CellValue::Greatest,
            };
            (name.clone(), value)
        });
        PlainRow { key: columns.collect(), cells: cells.to_vec(), is_deletion: false }
    }
}

/// Refuses cells that a `PutRow` cannot write.
pub(crate) fn check_cells(row: &PlainRow) -> Result<(), Refusal> {
    if row.cells.len() > COLUMNS_MAX {
        return Err(TOO_MANY_COLUMNS);
    }
    if row.is_deletion {
        let text = "Invalid request of put/update row: unexpected RowDeleteMarker in request.";
        return Err(Refusal::parameter(text.to_owned()));
    }
    for Cell { name, value, change, .. } in &row.cells {
        let refused = |text: String| Err(Refusal::parameter(text));
        if !is_column_name(name) {
            return refused(format!("Invalid column name: '{name}'."));
        }
        if row.key.iter().any(|(key, _)| key == name) {
            return refused(format!(
                "Duplicated attribute column name with primary key column: '{name}'."
            ));
        }
        if change.is_some() {
            return refused(format!("OpType cannot be given for column name:{name} in PutRow."));
        }
        let bytes = match value {
            None => {
                return refused(
                    "Invalid request of put row: find cells without values.".to_owned(),
                );
            }
            Some(CellValue::Text(text)) => text.len(),
            Some(CellValue::Blob(bytes)) => bytes.len(),
            Some(CellValue::Integer(_) | CellValue::Double(_) | CellValue::Boolean(_)) => 8,
            Some(CellValue::Least | CellValue::Greatest) => {
                return refused(format!("Invalid column type of '{name}'."));
            }
        };
        if bytes > VALUE_BYTES_MAX {
            return refused(format!(
                "The length of attribute column: '{name}' exceeded the MaxLength:{VALUE_BYTES_MAX} \
                 with Current Length:{bytes}."
            ));
        }
    }
    Ok(())
}

fn is_column_name(name: &str) -> bool {
    let is_first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.len() <= 255
        && name.bytes().next().is_some_and(is_first)
        && name.bytes().all(|byte| is_first(byte) || byte.is_ascii_digit())
}
