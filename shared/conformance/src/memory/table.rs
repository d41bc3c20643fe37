//! Rows in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ossferry_core::error::PortError;
use ossferry_core::ports::{Condition, Row, RowPage, Table, Written};

/// Rows of one page: few, so that every range is read in pages.
const PAGE_ROWS: usize = 3;

/// A table in memory.
#[derive(Debug, Default)]
pub struct MemoryTable {
    held: Mutex<Held>,
    /// Bytes after which a page of rows ends, where not their number ends it.
    page_bytes: Option<usize>,
}

#[derive(Debug, Default)]
struct Held {
    rows: BTreeMap<(String, String), Row>,
    /// Conditional writes that took effect, by the sort column's first word.
    writes: BTreeMap<String, u64>,
}

impl MemoryTable {
    /// The same table, whose pages end by their bytes, as a cloud's do, and not after a few rows.
    #[must_use]
    pub fn with_pages_of_bytes(mut self, bytes: usize) -> Self {
        self.page_bytes = Some(bytes);
        self
    }

    /// Writes that took effect since the last call, by the first word of their sort column.
    pub fn take_writes(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.held().writes)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Table for MemoryTable {
    fn row_bytes_max(&self) -> usize {
        350_000
    }

    async fn get(&self, partition: &str, sort: &str) -> Result<Option<Row>, PortError> {
        let id = (partition.to_owned(), sort.to_owned());
        Ok(self.held().rows.get(&id).cloned())
    }

    async fn range(
        &self,
        partition: &str,
        from: &str,
        until: &str,
        rows_max: usize,
    ) -> Result<RowPage, PortError> {
        if from >= until {
            return Ok(RowPage::default());
        }
        let bound = |sort: &str| (partition.to_owned(), sort.to_owned());
        let held = self.held();
        let most = if self.page_bytes.is_some() { rows_max } else { rows_max.min(PAGE_ROWS) };
        let (mut rows, mut bytes) = (Vec::new(), 0);
        for row in held.rows.range(bound(from)..bound(until)).map(|(_, row)| row) {
            if rows.len() == most || self.page_bytes.is_some_and(|page| bytes >= page) {
                return Ok(RowPage { rows, more: true });
            }
            bytes += row.bytes();
            rows.push(row.clone());
        }
        Ok(RowPage { rows, more: false })
    }

    async fn put(&self, row: &Row, condition: Condition) -> Result<Written, PortError> {
        let mut held = self.held();
        let id = (row.partition.clone(), row.sort.clone());
        let stored = held.rows.get(&id);
        let holds = match condition {
            Condition::Absent => stored.is_none(),
            Condition::Revision(revision) => stored.is_some_and(|row| row.revision == revision),
        };
        if !holds {
            return Ok(Written::Refused(stored.cloned()));
        }
        let revision = stored.map_or(1, |row| row.revision + 1);
        let kind = row.sort.split('/').next().unwrap_or_default().to_owned();
        *held.writes.entry(kind).or_default() += 1;
        held.rows.insert(id, Row { revision, ..row.clone() });
        Ok(Written::Done(revision))
    }
}
