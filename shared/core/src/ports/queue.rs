//! What hands out work.

use std::time::Duration;

use crate::error::PortError;

/// A message to send.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// At most 1 KB of JSON.
    pub body: String,
    /// Not delivered before this has passed, or the longest that the service holds a message back.
    pub delay: Duration,
}

impl Outgoing {
    /// A message for at once.
    pub fn now(body: String) -> Self {
        Self { body, delay: Duration::ZERO }
    }
}

/// Names one delivery of one message.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Receipt(pub String);

/// A message as received.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// As sent.
    pub body: String,
    /// For [`Queue::ack`] and [`Queue::extend`].
    pub receipt: Receipt,
    /// From 1: how often the message was delivered, as far as the service knows.
    pub receive_count: u32,
}

/// What became of a batch.
#[derive(Debug, Default)]
#[must_use = "a refused message is lost unless it is sent again"]
pub struct Sent {
    /// Indexes into the batch of the messages the service did not take.
    pub refused: Vec<usize>,
}

/// Hands each message to at least one worker.
///
/// Delivery is at least once and unordered: a message may arrive again even after [`Queue::ack`]
/// returned `Ok`, and may be lost with a queue's retention. Every consumer is idempotent and the
/// table knows what is due.
#[async_trait::async_trait]
pub trait Queue: Send + Sync {
    /// Largest batch one [`Queue::send`] accepts. Never zero.
    fn batch_max(&self) -> usize;

    /// Sends a batch and names each message the service did not take.
    ///
    /// After `Err` the batch may be queued wholly, partly or not at all. Sending it again is safe.
    async fn send(&self, batch: &[Outgoing]) -> Result<Sent, PortError>;

    /// Receives at most `messages_max` messages, waiting up to `wait` for the first. Each stays
    /// hidden from other receivers for `visibility`.
    async fn receive(
        &self,
        messages_max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError>;

    /// Hides a received message for `visibility` from now and returns the receipt to use from here on.
    /// A delivery that is no longer ours is `Refused`.
    async fn extend(&self, receipt: &Receipt, visibility: Duration) -> Result<Receipt, PortError>;

    /// Removes a received message. Doing so twice, or after another received it, is no error.
    async fn ack(&self, receipt: &Receipt) -> Result<(), PortError>;
}
