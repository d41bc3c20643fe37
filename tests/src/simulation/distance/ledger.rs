//! Table and queues at a distance.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ossferry_core::error::PortError;
use ossferry_core::ports::{
    Condition, Delivery, Outgoing, Queue, Receipt, Row, RowPage, Sent, Table, Written,
};

use super::Distance;

/// A table at a distance.
pub(in crate::simulation) struct DistantTable {
    pub(in crate::simulation) inner: Arc<dyn Table>,
    pub(in crate::simulation) distance: Distance,
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "no method of the port may escape")]
impl Table for DistantTable {
    fn row_bytes_max(&self) -> usize {
        self.inner.row_bytes_max()
    }

    async fn get(&self, partition: &str, sort: &str) -> Result<Option<Row>, PortError> {
        self.distance.note("get", format_args!("{partition} {sort}"));
        self.distance.ask(self.inner.get(partition, sort)).await
    }

    async fn range(
        &self,
        partition: &str,
        from: &str,
        until: &str,
        rows_max: usize,
    ) -> Result<RowPage, PortError> {
        self.distance.note("range", format_args!("{partition} {from}"));
        self.distance.ask(self.inner.range(partition, from, until, rows_max)).await
    }

    async fn put(&self, row: &Row, condition: Condition) -> Result<Written, PortError> {
        self.distance.assert_leased("row", &row.sort);
        let (partition, sort) = (&row.partition, &row.sort);
        self.distance.note("row", format_args!("{partition} {sort} {condition:?}"));
        self.distance.ask(self.inner.put(row, condition)).await
    }
}

/// A queue at a distance.
pub(in crate::simulation) struct DistantQueue {
    pub(in crate::simulation) inner: Arc<dyn Queue>,
    pub(in crate::simulation) distance: Distance,
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "no method of the port may escape")]
impl Queue for DistantQueue {
    fn batch_max(&self) -> usize {
        self.inner.batch_max()
    }

    async fn send(&self, batch: &[Outgoing]) -> Result<Sent, PortError> {
        for message in batch {
            self.distance.assert_leased("message", &message.body);
            self.distance.note("message", &message.body);
        }
        self.distance.ask(self.inner.send(batch)).await
    }

    async fn receive(
        &self,
        messages_max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        self.inner.receive(messages_max, visibility, wait).await
    }

    async fn extend(&self, receipt: &Receipt, visibility: Duration) -> Result<Receipt, PortError> {
        self.inner.extend(receipt, visibility).await
    }

    async fn ack(&self, receipt: &Receipt) -> Result<(), PortError> {
        self.inner.ack(receipt).await
    }
}
