//! A queue whose delivery the test decides: order, doubles, losses, and messages that it does not
//! take.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::ports::{Delivery, Outgoing, Queue, Receipt, Sent};
use ossferry_core::time::{Clock, Timestamp};
use tokio::time::{Instant, sleep};

/// Messages that one send takes: few, so that batches are cut.
const BATCH_MAX: usize = 10;

/// A receiver that waits looks again after this.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A message that waits.
#[derive(Clone, Debug)]
pub struct Letter {
    /// As sent.
    pub body: String,
    /// Not delivered before.
    pub visible_at: Timestamp,
    number: u64,
    receive_count: u32,
}

impl Letter {
    /// Of its last delivery.
    fn receipt(&self) -> Receipt {
        Receipt(format!("{}/{}", self.number, self.receive_count))
    }
}

/// Messages in memory. Clones are one queue.
#[derive(Clone)]
pub struct Post {
    clock: Clock,
    letters: Arc<Mutex<Letters>>,
}

#[derive(Default)]
struct Letters {
    waiting: Vec<Letter>,
    numbers: u64,
    /// Chances in a thousand that a message of a batch is not taken, and how often it was not.
    refusing: Option<(u32, fastrand::Rng)>,
    refused: u64,
}

impl Letters {
    fn refuses(&mut self) -> bool {
        let Some((in_a_thousand, rng)) = &mut self.refusing else { return false };
        let refuses = rng.u32(0..1_000) < *in_a_thousand;
        self.refused += u64::from(refuses);
        refuses
    }
}

impl Post {
    /// An empty queue.
    pub fn new(clock: Clock) -> Self {
        Self { clock, letters: Arc::default() }
    }

    /// The same queue, which takes some messages of a batch and names the others as refused.
    #[must_use]
    pub fn refusing(self, in_a_thousand: u32, seed: u64) -> Self {
        self.letters().refusing = Some((in_a_thousand, fastrand::Rng::with_seed(seed)));
        self
    }

    /// How many messages were not taken.
    pub fn refused(&self) -> u64 {
        self.letters().refused
    }

    fn letters(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many messages can be delivered now.
    pub fn visible(&self) -> usize {
        let now = (self.clock)();
        self.letters().waiting.iter().filter(|letter| letter.visible_at <= now).count()
    }

    /// When the next message that is hidden now can be delivered.
    pub fn next_visible_at(&self) -> Option<Timestamp> {
        let now = (self.clock)();
        let letters = self.letters();
        letters.waiting.iter().map(|letter| letter.visible_at).filter(|at| *at > now).min()
    }

    /// Takes one of the messages that can be delivered now out of the queue.
    pub fn take(&self, choose: impl FnOnce(usize) -> usize) -> Option<Letter> {
        let now = (self.clock)();
        let mut letters = self.letters();
        let visible: Vec<usize> = letters
            .waiting
            .iter()
            .enumerate()
            .filter(|(_, letter)| letter.visible_at <= now)
            .map(|(index, _)| index)
            .collect();
        if visible.is_empty() {
            return None;
        }
        let index = visible[choose(visible.len()) % visible.len()];
        Some(letters.waiting.swap_remove(index))
    }

    fn receive_now(&self, messages_max: usize, visibility: Duration) -> Vec<Delivery> {
        let now = (self.clock)();
        let mut letters = self.letters();
        let visible = letters.waiting.iter_mut().filter(|letter| letter.visible_at <= now);
        let received = visible.take(messages_max).map(|letter| {
            letter.visible_at = now.plus(visibility);
            letter.receive_count += 1;
            Delivery {
                body: letter.body.clone(),
                receipt: letter.receipt(),
                receive_count: letter.receive_count,
            }
        });
        received.collect()
    }

    /// Puts a message in again, to be delivered after this.
    pub fn put_back(&self, body: String, delay: Duration) {
        let visible_at = (self.clock)().plus(delay);
        let mut letters = self.letters();
        letters.numbers += 1;
        let number = letters.numbers;
        letters.waiting.push(Letter { body, visible_at, number, receive_count: 0 });
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "no method of the port may escape")]
impl Queue for Post {
    fn batch_max(&self) -> usize {
        BATCH_MAX
    }

    async fn send(&self, batch: &[Outgoing]) -> Result<Sent, PortError> {
        assert!(batch.len() <= BATCH_MAX, "a batch of {}", batch.len());
        let mut sent = Sent::default();
        for (index, message) in batch.iter().enumerate() {
            if self.letters().refuses() {
                sent.refused.push(index);
            } else {
                self.put_back(message.body.clone(), message.delay);
            }
        }
        Ok(sent)
    }

    async fn receive(
        &self,
        messages_max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        let until = Instant::now() + wait;
        loop {
            let received = self.receive_now(messages_max, visibility);
            if !received.is_empty() || Instant::now() >= until {
                return Ok(received);
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    async fn extend(&self, receipt: &Receipt, visibility: Duration) -> Result<Receipt, PortError> {
        let until = (self.clock)().plus(visibility);
        let mut letters = self.letters();
        let found = letters.waiting.iter_mut().find(|letter| letter.receipt() == *receipt);
        let Some(letter) = found else {
            return Err(PortError::new(ErrorKind::PreconditionFailed, "extend: not held"));
        };
        letter.visible_at = until;
        Ok(receipt.clone())
    }

    async fn ack(&self, receipt: &Receipt) -> Result<(), PortError> {
        self.letters().waiting.retain(|letter| letter.receipt() != *receipt);
        Ok(())
    }
}
