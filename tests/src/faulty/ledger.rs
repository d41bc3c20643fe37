use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ossferry_core::error::PortError;
use ossferry_core::ports::{
    Condition, Delivery, Outgoing, Queue, Receipt, Row, RowPage, Sent, Table, Written,
};

use super::Fates;

/// A queue whose calls meet their fates.
#[derive(Clone)]
pub struct FaultyQueue {
    inner: Arc<dyn Queue>,
    fates: Fates,
}

impl FaultyQueue {
    /// Over this queue.
    pub fn new(inner: Arc<dyn Queue>, fates: Fates) -> Self {
        Self { inner, fates }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "no method of the port may escape")]
impl Queue for FaultyQueue {
    fn batch_max(&self) -> usize {
        self.inner.batch_max()
    }

    async fn send(&self, batch: &[Outgoing]) -> Result<Sent, PortError> {
        self.fates.meet("queue.send", self.inner.send(batch)).await
    }

    async fn receive(
        &self,
        messages_max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        let receive = self.inner.receive(messages_max, visibility, wait);
        self.fates.meet("queue.receive", receive).await
    }

    async fn extend(&self, receipt: &Receipt, visibility: Duration) -> Result<Receipt, PortError> {
        self.fates.meet("queue.extend", self.inner.extend(receipt, visibility)).await
    }

    async fn ack(&self, receipt: &Receipt) -> Result<(), PortError> {
        self.fates.meet("queue.ack", self.inner.ack(receipt)).await
    }
}

/// A table whose calls meet their fates.
#[derive(Clone)]
pub struct FaultyTable {
    inner: Arc<dyn Table>,
    fates: Fates,
}

impl FaultyTable {
    /// Over this table.
    pub fn new(inner: Arc<dyn Table>, fates: Fates) -> Self {
        Self { inner, fates }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "no method of the port may escape")]
impl Table for FaultyTable {
    fn row_bytes_max(&self) -> usize {
        self.inner.row_bytes_max()
    }

    async fn get(&self, partition: &str, sort: &str) -> Result<Option<Row>, PortError> {
        self.fates.meet("table.get", self.inner.get(partition, sort)).await
    }

    async fn range(
        &self,
        partition: &str,
        from: &str,
        until: &str,
        rows_max: usize,
    ) -> Result<RowPage, PortError> {
        self.fates.meet("table.range", self.inner.range(partition, from, until, rows_max)).await
    }

    async fn put(&self, row: &Row, condition: Condition) -> Result<Written, PortError> {
        self.fates.meet("table.put", self.inner.put(row, condition)).await
    }
}
