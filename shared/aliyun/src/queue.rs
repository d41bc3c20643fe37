//! SMQ as the queue.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use http::Method;
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::meter::Meter;
use ossferry_core::ports::{Delivery, Outgoing, Queue, Receipt, Sent};
use ossferry_http::{retry, retry_while};
use tokio::time::{Instant, sleep_until};

use crate::smq::{
    Answer, BodyEncoding, Call, MessageAsReceived, MessageCounts, SmqClient, SmqOptions,
    is_receipt_handle, pushed, read_counts, read_extended, read_received, read_sent, whole_seconds,
};
use crate::xml::unreadable;

/// Messages that one request sends or receives (SMQ manual, "Limits", 2026).
const BATCH_MAX: usize = 16;

/// Bytes of all messages of a batch. The manual does not say whether their tags count: they do here.
const BATCH_BYTES_MAX: usize = 64 << 10;

/// Seconds of a long poll.
const POLL_SECONDS_MAX: u64 = 30;

/// An empty queue is not asked again sooner than this, even if it answers at once.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// A receiver is sent back to its caller at least this often.
const WAIT_MAX: Duration = Duration::from_hours(1);

/// Seconds that a message may be hidden.
const VISIBILITY_SECONDS_MAX: u64 = 43_200;

/// How much longer than asked a received message may stay hidden.
const VISIBILITY_SLACK: Duration = Duration::from_secs(2);

const BATCH_BEGIN: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
                           <Messages xmlns=\"http://mns.aliyuncs.com/doc/v1/\">";
const BATCH_END: &str = "</Messages>";

/// A queue of SMQ. Clones are one queue.
///
/// The service hides what it hands out for the queue's own visibility timeout. Where that is not what
/// [`Queue::receive`] is asked for, each message costs one request more: a queue is best made with the
/// visibility that its workers ask for.
#[derive(Clone)]
pub struct SmqQueue {
    client: Arc<SmqClient>,
    meter: Arc<Meter>,
}

impl SmqQueue {
    /// Fails with `Unsupported` where the name is no queue's.
    pub fn new(options: SmqOptions) -> Result<Self, PortError> {
        Ok(Self { client: Arc::new(SmqClient::new(options)?), meter: Arc::default() })
    }

    /// The same queue, counting its requests on `meter`.
    #[must_use]
    pub fn metered(self, meter: Arc<Meter>) -> Self {
        Self { meter, ..self }
    }

    /// About how many messages wait to be received.
    pub async fn message_count(&self) -> Result<u64, PortError> {
        Ok(self.counts().await?.active)
    }

    /// The same, with those that somebody holds and those that are delayed.
    pub async fn backlog(&self) -> Result<u64, PortError> {
        let MessageCounts { active, inactive, delayed } = self.counts().await?;
        Ok(active + inactive + delayed)
    }

    async fn counts(&self) -> Result<MessageCounts, PortError> {
        const OPERATION: &str = "GetQueueAttributes";
        let answer = retry(&self.client.options.retry, || {
            self.call(OPERATION, Method::GET, String::new(), String::new())
        })
        .await?;
        read_counts(&answer.document).ok_or_else(|| unreadable(OPERATION))
    }

    async fn send_batch(&self, document: &str) -> Result<Vec<Option<String>>, PortError> {
        const OPERATION: &str = "BatchSendMessage";
        let answer = retry(&self.client.options.retry, || {
            self.call(OPERATION, Method::POST, "/messages".to_owned(), document.to_owned())
        })
        .await?;
        read_sent(&answer.document).ok_or_else(|| unreadable(OPERATION))
    }

    async fn poll(&self, messages_max: usize, seconds: u64) -> Result<Answer, PortError> {
        let path = format!("/messages?numOfMessages={messages_max}&waitseconds={seconds}");
        retry(&self.client.options.retry, || {
            self.call("BatchReceiveMessage", Method::GET, path.clone(), String::new())
        })
        .await
    }

    /// The message as a delivery that stays hidden as asked; `None` where that failed, and it comes
    /// again by itself.
    async fn delivered(
        &self,
        message: MessageAsReceived,
        hidden: Option<Duration>,
        visibility: Duration,
    ) -> Option<Delivery> {
        let mut receipt = Receipt(message.receipt_handle);
        let as_asked = visibility..=visibility + VISIBILITY_SLACK;
        if !hidden.is_some_and(|hidden| as_asked.contains(&hidden)) {
            receipt = match self.extend(&receipt, visibility).await {
                Ok(receipt) => receipt,
                Err(error) => {
                    tracing::warn!(%error, "a message is left to the next receiver");
                    return None;
                }
            };
        }
        let receive_count = message.dequeue_count.max(1);
        Some(Delivery { body: message.body, receipt, receive_count })
    }

    async fn call(
        &self,
        operation: &'static str,
        method: Method,
        path: String,
        body: String,
    ) -> Result<Answer, PortError> {
        self.client.send(Call { operation, method, path, body }, &self.meter).await
    }
}

#[async_trait::async_trait]
impl Queue for SmqQueue {
    fn batch_max(&self) -> usize {
        BATCH_MAX
    }

    async fn send(&self, batch: &[Outgoing]) -> Result<Sent, PortError> {
        if batch.len() > BATCH_MAX {
            let message = format!("BatchSendMessage: more than {BATCH_MAX} in one batch");
            return Err(PortError::new(ErrorKind::Unsupported, message));
        }
        let mut sent = Sent::default();
        let mut begin = 0;
        for Part { document, messages } in parts(batch, self.client.options.body)? {
            let codes = self.send_batch(&document).await?;
            if codes.len() != messages {
                return Err(unreadable("BatchSendMessage"));
            }
            for (index, code) in codes.into_iter().enumerate() {
                if let Some(code) = code {
                    tracing::warn!(code, "a message was not taken");
                    sent.refused.push(begin + index);
                }
            }
            begin += messages;
        }
        Ok(sent)
    }

    /// A wait of less than a second is a single look.
    async fn receive(
        &self,
        messages_max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        if messages_max == 0 {
            return Ok(Vec::new());
        }
        let until = Instant::now() + wait.min(WAIT_MAX);
        loop {
            let begun = Instant::now();
            let seconds = until.saturating_duration_since(begun).as_secs();
            let answer =
                self.poll(messages_max.min(BATCH_MAX), seconds.min(POLL_SECONDS_MAX)).await;
            match answer {
                Ok(Answer { document, date }) => {
                    let messages = read_received(&document)
                        .ok_or_else(|| unreadable("BatchReceiveMessage"))?;
                    let deliveries = messages.into_iter().map(|message| {
                        let hidden =
                            message.next_visible.zip(date).map(|(end, now)| end.since(now));
                        self.delivered(message, hidden, visibility)
                    });
                    let deliveries: Vec<_> =
                        join_all(deliveries).await.into_iter().flatten().collect();
                    if !deliveries.is_empty() {
                        return Ok(deliveries);
                    }
                }
                // No message.
                Err(error) if error.kind == ErrorKind::PreconditionFailed => {}
                Err(error) => return Err(error),
            }
            let next = (begun + POLL_INTERVAL).max(Instant::now());
            if next + POLL_INTERVAL > until {
                return Ok(Vec::new());
            }
            sleep_until(next).await;
        }
    }

    /// A lost answer is not asked for again: the old receipt may be void already, and the new one is
    /// not known. The message stays hidden or comes again; the table knows whose the work is.
    async fn extend(&self, receipt: &Receipt, visibility: Duration) -> Result<Receipt, PortError> {
        const OPERATION: &str = "ChangeMessageVisibility";
        let Receipt(handle) = receipt;
        if !is_receipt_handle(handle) {
            let message = format!("{OPERATION}: not a receipt of this queue");
            return Err(PortError::new(ErrorKind::PreconditionFailed, message));
        }
        let seconds = whole_seconds(visibility).clamp(1, VISIBILITY_SECONDS_MAX);
        let path = format!("/messages?ReceiptHandle={handle}&VisibilityTimeout={seconds}");
        let changed_nothing = |error: &PortError| error.conclusion == Conclusion::NotDone;
        let answer = retry_while(&self.client.options.retry, changed_nothing, || {
            self.call(OPERATION, Method::PUT, path.clone(), String::new())
        })
        .await?;
        read_extended(&answer.document).map(Receipt).ok_or_else(|| unreadable(OPERATION))
    }

    async fn ack(&self, receipt: &Receipt) -> Result<(), PortError> {
        let Receipt(handle) = receipt;
        if !is_receipt_handle(handle) {
            return Ok(());
        }
        let path = format!("/messages?ReceiptHandle={handle}");
        let deleted = retry(&self.client.options.retry, || {
            self.call("DeleteMessage", Method::DELETE, path.clone(), String::new())
        })
        .await;
        match deleted {
            Ok(_) => Ok(()),
            // Deleted before, or another's by now.
            Err(error) if error.kind == ErrorKind::PreconditionFailed => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// What one request sends of a batch.
struct Part {
    document: String,
    messages: usize,
}

/// A batch in as few requests as the bytes allow.
fn parts(batch: &[Outgoing], encoding: BodyEncoding) -> Result<Vec<Part>, PortError> {
    let overhead = BATCH_BEGIN.len() + BATCH_END.len();
    let mut parts: Vec<Part> = Vec::new();
    let mut element = String::new();
    for message in batch {
        element.clear();
        pushed(&mut element, message, encoding);
        if overhead + element.len() > BATCH_BYTES_MAX {
            let text = format!("BatchSendMessage: a message of {} bytes", message.body.len());
            return Err(PortError::new(ErrorKind::Unsupported, text));
        }
        match parts.last_mut() {
            Some(part)
                if part.document.len() + element.len() + BATCH_END.len() <= BATCH_BYTES_MAX =>
            {
                part.document.push_str(&element);
                part.messages += 1;
            }
            _ => parts.push(Part { document: format!("{BATCH_BEGIN}{element}"), messages: 1 }),
        }
    }
    for part in &mut parts {
        part.document.push_str(BATCH_END);
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(count: usize, bytes: usize) -> Vec<Outgoing> {
        vec![Outgoing::now("b".repeat(bytes)); count]
    }

    #[test]
    fn a_batch_is_sent_in_as_few_requests_as_its_bytes_allow() {
        for (count, bytes, requests) in [(0, 0, 0), (16, 1_024, 1), (16, 6_000, 2), (3, 48_000, 3)]
        {
            let parts = parts(&batch(count, bytes), BodyEncoding::Base64).unwrap();
            assert_eq!(parts.len(), requests, "{count} of {bytes}");
            assert_eq!(parts.iter().map(|part| part.messages).sum::<usize>(), count);
            assert!(parts.iter().all(|part| part.document.len() <= BATCH_BYTES_MAX));
        }
    }

    #[test]
    fn a_message_that_no_request_holds_is_refused() {
        let error = parts(&batch(1, 49_200), BodyEncoding::Base64).err().unwrap();
        assert_eq!(error.conclusion, Conclusion::Refused);
        assert!(parts(&batch(1, 49_200), BodyEncoding::Plain).is_ok());
    }
}
