//! What remembers: rows under two key columns, written one at a time under a condition.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::error::{ErrorKind, PortError};

/// Bytes of one key column.
const KEY_BYTES_MAX: usize = 512;

/// A number counts as this many bytes: what it takes at most in any store.
const INTEGER_BYTES: usize = 12;

/// A plain attribute, readable in the store's own console.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// UTF-8 text.
    Text(String),
    /// A whole number.
    Integer(i64),
}

/// A row.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Row {
    /// First key column: what is stored and read together. From 1 to 512 bytes.
    pub partition: String,
    /// Second key column, ordered by bytes. From 1 to 512 bytes.
    pub sort: String,
    /// How often the row was written: from 1. Set by the table.
    pub revision: u64,
    /// Plain attributes.
    pub attributes: BTreeMap<String, Value>,
    /// A compressed list, where the row holds one.
    pub blob: Option<Bytes>,
}

impl Row {
    /// Bytes that it takes, as every table counts them: keys, names and values, but neither the names
    /// nor the numbers that are a table's own.
    pub fn bytes(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, value)| {
            name.len()
                + match value {
                    Value::Text(text) => text.len(),
                    Value::Integer(_) => INTEGER_BYTES,
                }
        });
        let blob = self.blob.as_ref().map_or(0, Bytes::len);
        self.partition.len() + self.sort.len() + attributes.sum::<usize>() + blob
    }

    /// Refuses what a table whose rows hold `row_bytes_max` bytes cannot hold.
    pub fn check_size(&self, operation: &str, row_bytes_max: usize) -> Result<(), PortError> {
        let refused = |cause: String| {
            let message = format!("{operation} {} {}: {cause}", self.partition, self.sort);
            Err(PortError::new(ErrorKind::Unsupported, message))
        };
        for key in [&self.partition, &self.sort] {
            if key.is_empty() || key.len() > KEY_BYTES_MAX {
                return refused(format!("a key column of {} bytes", key.len()));
            }
        }
        let bytes = self.bytes();
        if bytes > row_bytes_max {
            return refused(format!("{bytes} bytes are more than the {row_bytes_max} of a row"));
        }
        Ok(())
    }
}

/// When a row may be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    /// No row of this key is there.
    Absent,
    /// The row is there and was written this often.
    Revision(u64),
}

/// What a conditional write found.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "a refused write changed nothing"]
pub enum Written {
    /// The row stands, with this revision.
    Done(u64),
    /// The condition did not hold. A row at least as new as the one that refused, or `None` where
    /// no row is there.
    Refused(Option<Row>),
}

/// One answer to [`Table::range`].
#[derive(Clone, Debug, Default)]
pub struct RowPage {
    /// Ascending by the sort column.
    pub rows: Vec<Row>,
    /// Whether more rows follow; ask again from just after the last.
    pub more: bool,
}

/// Remembers rows. Reads are consistent: they see every write that returned before they began.
///
/// There are no transactions, no increments, no deletes. After an error whose conclusion is
/// `Unknown` a write may or may not stand; a read tells.
#[async_trait::async_trait]
pub trait Table: Send + Sync {
    /// [`Row::bytes`] of the largest row that it holds.
    fn row_bytes_max(&self) -> usize;

    /// One row.
    async fn get(&self, partition: &str, sort: &str) -> Result<Option<Row>, PortError>;

    /// Rows of a partition whose sort column is at least `from` and less than `until`, ascending,
    /// at most `rows_max`.
    async fn range(
        &self,
        partition: &str,
        from: &str,
        until: &str,
        rows_max: usize,
    ) -> Result<RowPage, PortError>;

    /// Writes `row` whole if `condition` holds. The row's own `revision` is ignored.
    async fn put(&self, row: &Row, condition: Condition) -> Result<Written, PortError>;
}
