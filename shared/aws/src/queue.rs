//! The queue port over SQS.

mod outgoing;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::operation::receive_message::ReceiveMessageOutput;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, Message, MessageSystemAttributeName, QueueAttributeName,
    SendMessageBatchRequestEntry,
};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::meter::Meter;
use ossferry_core::ports::{Delivery, Outgoing, Queue, Receipt, Sent};
use ossferry_http::retry;

use self::outgoing::{BATCH_MESSAGES_MAX, batches, group_of};
use crate::sdk::{RETRIES, entry_error, port_error, timeouts};
use crate::usage::count_queue_request;

/// The longest that SQS waits for a message.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// The longest that SQS holds a message back before its first delivery.
const DELAY_MAX: Duration = Duration::from_mins(15);

/// The longest that SQS hides a received message.
const VISIBILITY_MAX: Duration = Duration::from_hours(12);

/// Messages that one call receives at most.
const RECEIVE_MAX: usize = 10;

/// A standard queue of SQS.
///
/// Two things are as the service has them. A delay beyond 15 minutes is cut to that, and a visibility
/// beyond 12 hours to that: the ledger's rows say when work is due, not the queue. And a delivery that
/// is no longer ours is not always refused: for a while AWS may still honour an older receipt.
pub struct SqsQueue {
    client: Client,
    url: String,
    group: Option<String>,
    meter: Arc<Meter>,
}

impl SqsQueue {
    /// The queue of this URL. Messages are grouped by `group`, else by the `job` that their body names,
    /// so that SQS's fair queues hold no job up behind another's backlog.
    #[expect(clippy::needless_pass_by_value, reason = "the client is handed over, as the url is")]
    pub fn new(client: Client, url: String, group: Option<String>) -> Self {
        let config = client.config().to_builder();
        let config = config
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts(Duration::ZERO))
            .build();
        Self { client: Client::from_conf(config), url, group, meter: Arc::default() }
    }

    /// The same queue, counting on `meter` what AWS bills.
    #[must_use]
    pub fn metered(mut self, meter: Arc<Meter>) -> Self {
        self.meter = meter;
        self
    }

    /// How many messages wait to be received, roughly: the service counts in the course of minutes.
    pub async fn message_count(&self) -> Result<u64, PortError> {
        self.count(&[QueueAttributeName::ApproximateNumberOfMessages]).await
    }

    /// The same, with those that somebody holds and those that are delayed.
    pub async fn backlog(&self) -> Result<u64, PortError> {
        self.count(&[
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ])
        .await
    }

    async fn count(&self, names: &[QueueAttributeName]) -> Result<u64, PortError> {
        const OPERATION: &str = "GetQueueAttributes";
        let answer = retry(&RETRIES, || async {
            count_queue_request(&self.meter, OPERATION, 0);
            let call = self.client.get_queue_attributes().queue_url(&self.url);
            let asked = call.set_attribute_names(Some(names.to_vec())).send().await;
            asked.map_err(|error| port_error(OPERATION, &error))
        })
        .await?;
        let of_name = |name| answer.attributes()?.get(name)?.parse::<u64>().ok();
        let counts = names.iter().map(of_name).sum::<Option<u64>>();
        counts.ok_or_else(|| {
            PortError::new(ErrorKind::BadAnswer, format!("{OPERATION}: no number of messages"))
        })
    }

    fn entry(&self, index: usize, message: &Outgoing) -> SendMessageBatchRequestEntry {
        let group = self.group.clone().or_else(|| group_of(&message.body));
        SendMessageBatchRequestEntry::builder()
            .id(index.to_string())
            .message_body(&message.body)
            .delay_seconds(seconds_up(message.delay, DELAY_MAX))
            .set_message_group_id(group)
            .build()
            .expect("an entry with an id and a body")
    }

    /// Sends messages that fit one call, and returns the indexes of those that SQS did not take.
    async fn send_batch(
        &self,
        batch: &[Outgoing],
        indexes: std::ops::Range<usize>,
    ) -> Result<Vec<usize>, PortError> {
        const OPERATION: &str = "SendMessageBatch";
        let bytes = batch[indexes.clone()].iter().map(|message| message.body.len()).sum();
        let entries: Vec<_> = indexes.map(|index| self.entry(index, &batch[index])).collect();
        let answer = retry(&RETRIES, || async {
            count_queue_request(&self.meter, OPERATION, bytes);
            let call = self.client.send_message_batch().queue_url(&self.url);
            let sent = call.set_entries(Some(entries.clone())).send().await;
            sent.map_err(|error| port_error(OPERATION, &error))
        })
        .await?;
        refused(OPERATION, answer.failed())
    }
}

/// The indexes of the entries that may be sent again. One that never can be is an error.
fn refused(operation: &str, failed: &[BatchResultErrorEntry]) -> Result<Vec<usize>, PortError> {
    let mut indexes = Vec::new();
    for entry in failed {
        let error = entry_error(operation, entry.code(), entry.message());
        if entry.sender_fault() && !error.is_transient() {
            return Err(error);
        }
        tracing::debug!(%error, "a message was not taken");
        let index = entry.id().parse().map_err(|_| {
            PortError::new(ErrorKind::BadAnswer, format!("{operation}: an entry nobody sent"))
        })?;
        indexes.push(index);
    }
    Ok(indexes)
}

/// Whole seconds, never fewer than asked for, as far as the service goes.
fn seconds_up(duration: Duration, max: Duration) -> i32 {
    let seconds = duration.min(max).as_secs_f64().ceil();
    #[expect(clippy::cast_possible_truncation, reason = "no more than twelve hours")]
    let seconds = seconds as i32;
    seconds
}

/// Whole seconds, never more than asked for.
fn seconds_down(duration: Duration, max: Duration) -> i32 {
    i32::try_from(duration.min(max).as_secs()).unwrap_or(i32::MAX)
}

fn delivery(message: Message) -> Result<Delivery, PortError> {
    let missing = |what: &str| {
        PortError::new(ErrorKind::BadAnswer, format!("ReceiveMessage: a message without {what}"))
    };
    let receive_count = message
        .attributes()
        .and_then(|found| found.get(&MessageSystemAttributeName::ApproximateReceiveCount))
        .and_then(|count| count.parse().ok())
        .ok_or_else(|| missing("a receive count"))?;
    Ok(Delivery {
        body: message.body.ok_or_else(|| missing("a body"))?,
        receipt: Receipt(message.receipt_handle.ok_or_else(|| missing("a receipt"))?),
        receive_count,
    })
}

#[async_trait]
impl Queue for SqsQueue {
    fn batch_max(&self) -> usize {
        BATCH_MESSAGES_MAX
    }

    async fn send(&self, batch: &[Outgoing]) -> Result<Sent, PortError> {
        let mut sent = Sent::default();
        for indexes in batches(batch)? {
            sent.refused.extend(self.send_batch(batch, indexes).await?);
        }
        Ok(sent)
    }

    async fn receive(
        &self,
        messages_max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        const OPERATION: &str = "ReceiveMessage";
        let messages_max = messages_max.min(RECEIVE_MAX);
        if messages_max == 0 {
            return Ok(Vec::new());
        }
        let wait = wait.min(WAIT_MAX);
        let patient = aws_sdk_sqs::config::Builder::new().timeout_config(timeouts(wait));
        let answer = retry(&RETRIES, || async {
            let call = self
                .client
                .receive_message()
                .queue_url(&self.url)
                .max_number_of_messages(i32::try_from(messages_max).unwrap_or(1))
                .visibility_timeout(seconds_up(visibility, VISIBILITY_MAX))
                .wait_time_seconds(seconds_down(wait, WAIT_MAX))
                .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
                .customize()
                .config_override(patient.clone());
            let received = call.send().await;
            let bodies = received.iter().flat_map(ReceiveMessageOutput::messages);
            let bytes = bodies.filter_map(Message::body).map(str::len).sum();
            count_queue_request(&self.meter, OPERATION, bytes);
            received.map_err(|error| port_error(OPERATION, &error))
        })
        .await?;
        answer.messages.unwrap_or_default().into_iter().map(delivery).collect()
    }

    async fn extend(&self, receipt: &Receipt, visibility: Duration) -> Result<Receipt, PortError> {
        const OPERATION: &str = "ChangeMessageVisibility";
        retry(&RETRIES, || async {
            count_queue_request(&self.meter, OPERATION, 0);
            let call = self
                .client
                .change_message_visibility()
                .queue_url(&self.url)
                .receipt_handle(&receipt.0)
                .visibility_timeout(seconds_up(visibility, VISIBILITY_MAX));
            call.send().await.map_err(|error| port_error(OPERATION, &error))
        })
        .await?;
        Ok(receipt.clone())
    }

    async fn ack(&self, receipt: &Receipt) -> Result<(), PortError> {
        const OPERATION: &str = "DeleteMessage";
        let deleted = retry(&RETRIES, || async {
            count_queue_request(&self.meter, OPERATION, 0);
            let call = self.client.delete_message().queue_url(&self.url);
            let deleted = call.receipt_handle(&receipt.0).send().await;
            deleted.map(drop).map_err(|error| port_error(OPERATION, &error))
        })
        .await;
        match deleted {
            // A receipt that has expired, or that another delivery has replaced.
            Err(error) if error.kind == ErrorKind::PreconditionFailed => Ok(()),
            deleted => deleted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ossferry_core::error::Conclusion;

    fn failed(index: &str, sender_fault: bool, code: &str) -> BatchResultErrorEntry {
        let entry = BatchResultErrorEntry::builder().id(index).code(code);
        entry.sender_fault(sender_fault).build().unwrap()
    }

    #[test]
    fn what_a_batch_did_not_take_may_be_sent_again_or_never_can_be() {
        let again = [
            failed("3", false, "InternalError"),
            failed("0", true, "RequestThrottled"),
            failed("7", false, "NeverHeardOf"),
        ];
        assert_eq!(refused("SendMessageBatch", &again).unwrap(), [3, 0, 7]);
        let never = [again[0].clone(), failed("1", true, "InvalidMessageContents")];
        let error = refused("SendMessageBatch", &never).unwrap_err();
        assert_eq!((error.kind, error.conclusion), (ErrorKind::Unsupported, Conclusion::Refused));
    }

    #[test]
    fn seconds_are_whole_and_within_what_the_service_takes() {
        for (millis, up, down) in [(0, 0, 0), (1, 1, 0), (1_000, 1, 1), (1_001, 2, 1)] {
            let duration = Duration::from_millis(millis);
            assert_eq!(seconds_up(duration, DELAY_MAX), up);
            assert_eq!(seconds_down(duration, WAIT_MAX), down);
        }
        assert_eq!(seconds_up(Duration::from_hours(1), DELAY_MAX), 900);
        assert_eq!(seconds_up(Duration::from_hours(24), VISIBILITY_MAX), 43_200);
        assert_eq!(seconds_down(Duration::MAX, WAIT_MAX), 20);
    }
}
