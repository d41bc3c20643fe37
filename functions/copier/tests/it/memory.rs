//! A table and queues in memory: they need no threads, so that the paused clock moves only when every
//! worker waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ossferry_core::error::PortError;
use ossferry_core::ports::{
    Condition, Delivery, Outgoing, Queue, Receipt, Row, RowPage, Sent, Table, Written,
};
use ossferry_ledger::messages::Message;
use tokio::time::Instant;

#[derive(Default)]
pub(crate) struct MemoryTable {
    rows: Mutex<BTreeMap<(String, String), Row>>,
    /// Conditional writes that took effect, by the sort column's first word.
    writes: Mutex<BTreeMap<String, u64>>,
}

impl MemoryTable {
    /// Writes of rows of this kind since the last call.
    pub(crate) fn take_writes(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.writes.lock().unwrap())
    }
}

#[async_trait]
impl Table for MemoryTable {
    fn row_bytes_max(&self) -> usize {
        350_000
    }

    async fn get(&self, partition: &str, sort: &str) -> Result<Option<Row>, PortError> {
        let id = (partition.to_owned(), sort.to_owned());
        Ok(self.rows.lock().unwrap().get(&id).cloned())
    }

    async fn range(
        &self,
        partition: &str,
        from: &str,
        until: &str,
        rows_max: usize,
    ) -> Result<RowPage, PortError> {
        let bounds =
            (partition.to_owned(), from.to_owned())..(partition.to_owned(), until.to_owned());
        let rows = self.rows.lock().unwrap();
        let mut found: Vec<Row> =
            rows.range(bounds).map(|(_, row)| row.clone()).take(rows_max.min(3) + 1).collect();
        let more = found.len() > rows_max.min(3);
        found.truncate(rows_max.min(3));
        Ok(RowPage { rows: found, more })
    }

    async fn put(&self, row: &Row, condition: Condition) -> Result<Written, PortError> {
        let mut rows = self.rows.lock().unwrap();
        let id = (row.partition.clone(), row.sort.clone());
        let stored = rows.get(&id);
        let holds = match condition {
            Condition::Absent => stored.is_none(),
            Condition::Revision(revision) => stored.is_some_and(|row| row.revision == revision),
        };
        if !holds {
            return Ok(Written::Refused(stored.cloned()));
        }
        let revision = stored.map_or(1, |row| row.revision + 1);
        let kind = row.sort.split('/').next().unwrap_or_default().to_owned();
        *self.writes.lock().unwrap().entry(kind).or_default() += 1;
        rows.insert(id, Row { revision, ..row.clone() });
        Ok(Written::Done(revision))
    }
}

/// Messages and when each becomes visible.
#[derive(Clone, Default)]
pub(crate) struct MemoryQueue(Arc<Mutex<Vec<(Instant, String)>>>);

impl MemoryQueue {
    pub(crate) fn put(&self, body: String, delay: Duration) {
        self.0.lock().unwrap().push((Instant::now() + delay, body));
    }

    /// The message that is visible first, and when.
    pub(crate) fn take_first(&self) -> Option<(Instant, Message)> {
        let mut messages = self.0.lock().unwrap();
        let first = messages.iter().enumerate().min_by_key(|(_, (at, _))| *at)?.0;
        let (at, body) = messages.remove(first);
        Some((at, Message::from_text(&body).unwrap()))
    }

    pub(crate) fn first_at(&self) -> Option<Instant> {
        self.0.lock().unwrap().iter().map(|(at, _)| *at).min()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Every message twice, the last first.
    pub(crate) fn double_and_reverse(&self) {
        let mut messages = self.0.lock().unwrap();
        let now = Instant::now();
        let doubled: Vec<_> =
            messages.iter().rev().flat_map(|(_, body)| [body.clone(), body.clone()]).collect();
        *messages = doubled.into_iter().map(|body| (now, body)).collect();
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    fn batch_max(&self) -> usize {
        10
    }

    async fn send(&self, batch: &[Outgoing]) -> Result<Sent, PortError> {
        for message in batch {
            self.put(message.body.clone(), message.delay);
        }
        Ok(Sent::default())
    }

    async fn receive(
        &self,
        _messages_max: usize,
        _visibility: Duration,
        _wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        unreachable!("the bench hands messages out itself")
    }

    async fn extend(
        &self,
        _receipt: &Receipt,
        _visibility: Duration,
    ) -> Result<Receipt, PortError> {
        unreachable!("the bench hands messages out itself")
    }

    async fn ack(&self, _receipt: &Receipt) -> Result<(), PortError> {
        unreachable!("the bench hands messages out itself")
    }
}
