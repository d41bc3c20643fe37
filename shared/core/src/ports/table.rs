//! What remembers: rows under two key columns, written one at a time under a condition.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::error::PortError;

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
    /// First key column: what is stored and read together. At most 512 bytes.
    pub partition: String,
    /// Second key column, ordered by bytes. At most 512 bytes.
    pub sort: String,
    /// How often the row was written: from 1. Set by the table.
    pub revision: u64,
    /// Plain attributes.
    pub attributes: BTreeMap<String, Value>,
    /// A compressed list, where the row holds one.
    pub blob: Option<Bytes>,
}

/// Attributes of a number are counted as this many bytes.
const INTEGER_BYTES: usize = 8;

impl Row {
    /// Bytes that the row takes as every table counts them: keys, names and values.
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
    /// Bytes that one row may take, keys and attribute names included.
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
