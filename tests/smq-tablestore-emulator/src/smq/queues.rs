//! The queues and what stands in them.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ossferry_core::time::Timestamp;

use crate::smq::errors::{
    MESSAGE_NOT_EXIST, QUEUE_ALREADY_EXIST, QUEUE_NOT_EXIST, RECEIPT_HANDLE_ERROR, Refusal,
};

/// Where messages go that were handed out too often.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeadLetters {
    /// The name of another queue.
    pub queue: String,
    /// Handed out so often, a message goes there instead of being handed out again.
    pub receive_count_max: u32,
}

/// How a queue behaves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueueAttributes {
    /// How long what is handed out stays hidden, in seconds.
    pub visibility_seconds: u64,
    /// How long a message waits that names no delay of its own, in seconds.
    pub delay_seconds: u64,
    /// How long a message is kept, in seconds.
    pub retention_seconds: u64,
    /// Bytes of one body.
    pub message_bytes_max: u64,
    /// How long a receiver waits that names no time of its own, in seconds.
    pub polling_wait_seconds: u64,
    /// What becomes of messages that nobody acknowledges.
    pub dead_letters: Option<DeadLetters>,
}

impl Default for QueueAttributes {
    /// What a queue has whose maker names nothing.
    fn default() -> Self {
        Self {
            visibility_seconds: 30,
            delay_seconds: 0,
            retention_seconds: 345_600,
            message_bytes_max: 65_536,
            polling_wait_seconds: 0,
            dead_letters: None,
        }
    }
}

/// A message.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) priority: u64,
    pub(crate) enqueued: Timestamp,
    pub(crate) first_dequeued: Option<Timestamp>,
    pub(crate) dequeue_count: u32,
    pub(crate) visible_at: Timestamp,
    /// Handed out or hidden anew so often: what a receipt handle is of.
    turn: u64,
    /// Of the last turn.
    pub(crate) receipt_handle: String,
}

/// A message to take.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) body: String,
    pub(crate) priority: u64,
    pub(crate) delay_seconds: Option<u64>,
}

/// Messages by what keeps them from being received.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Counts {
    /// Nothing.
    pub(crate) active: usize,
    /// Somebody has them.
    pub(crate) inactive: usize,
    /// Their time has not come.
    pub(crate) delayed: usize,
}

/// One queue.
#[derive(Debug)]
pub(crate) struct HeldQueue {
    pub(crate) attributes: QueueAttributes,
    pub(crate) created: Timestamp,
    messages: BTreeMap<u64, Message>,
}

impl HeldQueue {
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(crate) fn counts(&self, now: Timestamp) -> Counts {
        let mut counts = Counts::default();
        for message in self.messages.values() {
            match (message.visible_at <= now, message.dequeue_count) {
                (true, _) => counts.active += 1,
                (false, 0) => counts.delayed += 1,
                (false, _) => counts.inactive += 1,
            }
        }
        counts
    }

    fn forget(&mut self, now: Timestamp) {
        let kept = Duration::from_secs(self.attributes.retention_seconds);
        self.messages.retain(|_, message| message.enqueued.plus(kept) > now);
    }

    /// Numbers of the messages that may be handed out, the first to go first.
    fn visible(&self, now: Timestamp) -> Vec<u64> {
        let mut visible: Vec<(u64, Timestamp, u64)> = self
            .messages
            .iter()
            .filter(|(_, message)| message.visible_at <= now)
            .map(|(number, message)| (message.priority, message.visible_at, *number))
            .collect();
        visible.sort_unstable();
        visible.into_iter().map(|(_, _, number)| number).collect()
    }

    /// The message whose present handle this is.
    fn held(&mut self, handle: &str, now: Timestamp) -> Result<(u64, &mut Message), Refusal> {
        let number = number_of(handle).ok_or(RECEIPT_HANDLE_ERROR)?;
        let message = self.messages.get_mut(&number).ok_or(MESSAGE_NOT_EXIST)?;
        if message.receipt_handle != handle || message.visible_at <= now {
            return Err(MESSAGE_NOT_EXIST);
        }
        Ok((number, message))
    }
}

/// Every queue of the account.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    queues: BTreeMap<String, HeldQueue>,
    next_number: u64,
}

impl Queues {
    pub(crate) fn get(&self, name: &str) -> Result<&HeldQueue, Refusal> {
        self.queues.get(name).ok_or(QUEUE_NOT_EXIST)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Result<&mut HeldQueue, Refusal> {
        self.queues.get_mut(name).ok_or(QUEUE_NOT_EXIST)
    }

    /// Whether it was not there before.
    pub(crate) fn create(
        &mut self,
        name: &str,
        attributes: QueueAttributes,
        now: Timestamp,
    ) -> Result<bool, Refusal> {
        if let Some(queue) = self.queues.get(name) {
            let same = queue.attributes == attributes;
            return if same { Ok(false) } else { Err(QUEUE_ALREADY_EXIST) };
        }
        let queue = HeldQueue { attributes, created: now, messages: BTreeMap::new() };
        self.queues.insert(name.to_owned(), queue);
        Ok(true)
    }

    pub(crate) fn delete(&mut self, name: &str) {
        self.queues.remove(name);
    }

    /// Takes a message and gives its id.
    pub(crate) fn take(
        &mut self,
        name: &str,
        incoming: Incoming,
        now: Timestamp,
    ) -> Result<String, Refusal> {
        self.next_number += 1;
        let number = self.next_number;
        let queue = self.get_mut(name)?;
        let delay = incoming.delay_seconds.unwrap_or(queue.attributes.delay_seconds);
        let id = format!("{number:032X}");
        let message = Message {
            id: id.clone(),
            body: incoming.body,
            priority: incoming.priority,
            enqueued: now,
            first_dequeued: None,
            dequeue_count: 0,
            visible_at: now.plus(Duration::from_secs(delay)),
            turn: 0,
            receipt_handle: String::new(),
        };
        queue.messages.insert(number, message);
        Ok(id)
    }

    /// Hands messages out and hides them; moves away what was handed out too often.
    pub(crate) fn receive(
        &mut self,
        name: &str,
        messages_max: usize,
        now: Timestamp,
    ) -> Result<Vec<Message>, Refusal> {
        let queue = self.get_mut(name)?;
        queue.forget(now);
        let hidden_until = now.plus(Duration::from_secs(queue.attributes.visibility_seconds));
        let dead_letters = queue.attributes.dead_letters.clone();
        let (mut received, mut dead) = (Vec::new(), Vec::new());
        for number in queue.visible(now) {
            if received.len() == messages_max {
                break;
            }
            let Some(message) = queue.messages.get_mut(&number) else { continue };
            let is_dead = dead_letters
                .as_ref()
                .is_some_and(|letters| message.dequeue_count >= letters.receive_count_max);
            if is_dead {
                dead.extend(queue.messages.remove(&number));
                continue;
            }
            message.dequeue_count += 1;
            message.first_dequeued.get_or_insert(now);
            hide(message, number, hidden_until);
            received.push(message.clone());
        }
        for message in dead {
            let target = dead_letters.as_ref().map_or("", |letters| letters.queue.as_str());
            let Message { body, priority, .. } = message;
            self.take(target, Incoming { body, priority, delay_seconds: None }, now)?;
        }
        Ok(received)
    }

    /// The message that would be handed out next.
    pub(crate) fn peek(&mut self, name: &str, now: Timestamp) -> Result<Message, Refusal> {
        let queue = self.get_mut(name)?;
        queue.forget(now);
        let first = queue.visible(now).first().and_then(|number| queue.messages.get(number));
        first.cloned().ok_or(MESSAGE_NOT_EXIST)
    }

    pub(crate) fn acknowledge(
        &mut self,
        name: &str,
        handle: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let queue = self.get_mut(name)?;
        let (number, _) = queue.held(handle, now)?;
        queue.messages.remove(&number);
        Ok(())
    }

    /// Hides a message anew. Its handle is another from here on.
    pub(crate) fn extend(
        &mut self,
        name: &str,
        handle: &str,
        seconds: u64,
        now: Timestamp,
    ) -> Result<Message, Refusal> {
        let (number, message) = self.get_mut(name)?.held(handle, now)?;
        hide(message, number, now.plus(Duration::from_secs(seconds)));
        Ok(message.clone())
    }
}

fn hide(message: &mut Message, number: u64, until: Timestamp) {
    message.visible_at = until;
    message.turn += 1;
    let text = format!("{number}-{}-{}", until.0, message.turn);
    message.receipt_handle = format!("1-{}", BASE64.encode(text));
}

fn number_of(handle: &str) -> Option<u64> {
    let text = BASE64.decode(handle.strip_prefix("1-")?).ok()?;
    String::from_utf8(text).ok()?.split('-').next()?.parse().ok()
}
