//! A table that counts what AWS would bill for it: requests, and units by the sizes of `DynamoDB`'s items.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use ossferry_aws::{item_bytes, read_units, write_units};
use ossferry_core::error::PortError;
use ossferry_core::meter::Meter;
use ossferry_core::ports::{Condition, Row, RowPage, Table, Written};
use ossferry_core::usage;

/// Counts on a meter and passes on.
pub struct BilledTable {
    inner: Arc<dyn Table>,
    meter: Arc<Meter>,
    largest: AtomicUsize,
}

impl BilledTable {
    /// Over this table.
    pub fn new(inner: Arc<dyn Table>, meter: Arc<Meter>) -> Self {
        Self { inner, meter, largest: AtomicUsize::new(0) }
    }

    /// Bytes of the largest item that was put.
    pub fn largest_item(&self) -> usize {
        self.largest.load(Ordering::Relaxed)
    }

    fn count_read<'a>(&self, operation: &'static str, rows: impl Iterator<Item = &'a Row>) {
        self.meter.count(operation);
        self.meter.count_many(usage::READ_UNITS, read_units(rows.map(item_bytes).sum()));
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "no method of the port may escape")]
impl Table for BilledTable {
    fn row_bytes_max(&self) -> usize {
        self.inner.row_bytes_max()
    }

    async fn get(&self, partition: &str, sort: &str) -> Result<Option<Row>, PortError> {
        let found = self.inner.get(partition, sort).await?;
        self.count_read("GetItem", found.iter());
        Ok(found)
    }

    async fn range(
        &self,
        partition: &str,
        from: &str,
        until: &str,
        rows_max: usize,
    ) -> Result<RowPage, PortError> {
        let page = self.inner.range(partition, from, until, rows_max).await?;
        self.count_read("Query", page.rows.iter());
        Ok(page)
    }

    async fn put(&self, row: &Row, condition: Condition) -> Result<Written, PortError> {
        // The larger of what stood there and of what is written counts.
        let before = self.inner.get(&row.partition, &row.sort).await?;
        let bytes = before.as_ref().map_or(0, item_bytes).max(item_bytes(row));
        self.largest.fetch_max(bytes, Ordering::Relaxed);
        self.meter.count("PutItem");
        self.meter.count_many(usage::WRITE_UNITS, write_units(bytes));
        self.inner.put(row, condition).await
    }
}
