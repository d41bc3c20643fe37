//! Queues in memory: they need no threads, so that the paused clock moves only when every worker
//! waits.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ossferry_core::error::PortError;
use ossferry_core::ports::{Delivery, Outgoing, Queue, Receipt, Sent};
use ossferry_ledger::messages::Message;
use tokio::time::Instant;

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
