//! Messages of one invocation, each dealt with apart: what befalls one never fails another.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::join_all;
use ossferry_core::ports::{Outgoing, Queue, Receipt};
use ossferry_host::{Call, Workshop, logs};
use ossferry_ledger::messages::{Message, MessageError};
use ossferry_ledger::{Handled, Handler, HandlerError};
use tokio::time::timeout;
use tracing::{Instrument as _, Span};

use crate::answer::{BatchAnswer, BatchItemFailure};
use crate::event::SqsRecord;

/// No message of SQS can be delayed longer.
const DELAY_MAX: Duration = Duration::from_mins(15);

/// A message of a newer version waits this long for a newer function.
const NEWER_DELAY: Duration = Duration::from_mins(5);

/// A message that failed comes back after this, four times as long after each further failure.
const BACKOFF_FIRST: Duration = Duration::from_secs(10);
const BACKOFF_MAX: Duration = Duration::from_mins(15);

const BY_VISIBILITY: &str = "the message comes again when its visibility ends";

/// One record of an invocation.
#[derive(Clone, Copy)]
struct Piece<'a> {
    record: &'a SqsRecord,
    call: &'a Call,
    /// From 0.
    number: usize,
}

/// Deals with the messages of one queue.
pub struct Desk<W> {
    /// Who works on them.
    pub workshop: Workshop<W>,
    /// Where they come from.
    pub queue: Arc<dyn Queue>,
}

impl<W: Handler> Desk<W> {
    /// Deals with every record, and names those that are to be delivered again.
    pub async fn handle(&self, records: &[SqsRecord], call: &Call) -> BatchAnswer {
        let handled = records.iter().enumerate().map(|(number, record)| {
            let span = logs::record_span(call, &record.message_id);
            self.handle_one(Piece { record, call, number }).instrument(span).boxed()
        });
        let failures = join_all(handled).await.into_iter().zip(records);
        let failures = failures.filter(|(is_handled, _)| !is_handled);
        let failures = failures
            .map(|(_, record)| BatchItemFailure { item_identifier: record.message_id.clone() });
        BatchAnswer { batch_item_failures: failures.collect() }
    }

    /// Whether the message may be deleted.
    async fn handle_one(&self, piece: Piece<'_>) -> bool {
        let Piece { record, call, .. } = piece;
        let patience = call.patience(self.workshop.ledger().now());
        let work = async {
            match Message::from_text(&record.body) {
                Ok(message) => self.work(&message, piece).await,
                Err(error @ MessageError::Version(_)) => {
                    tracing::warn!(%error, "left for a newer function");
                    self.send_on(record, NEWER_DELAY).await
                }
                // It ends in the dead-letter queue, where somebody can look at it.
                Err(error) => Err(refused(error.to_string())),
            }
        };
        let error = match timeout(patience, work).await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => error,
            Err(_) => HandlerError {
                is_transient: true,
                message: "did not return in the invocation's time".to_owned(),
            },
        };
        let count = record.receive_count();
        let (delay, message) = (backoff(count), error.message);
        if error.is_transient {
            tracing::warn!(error = message, count, ?delay, "message failed");
        } else {
            tracing::error!(error = message, count, ?delay, "message failed");
        }
        let receipt = Receipt(record.receipt_handle.clone());
        let left = call.last_words(self.workshop.ledger().now());
        match timeout(left, self.queue.extend(&receipt, delay)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "set back-off: {BY_VISIBILITY}"),
            Err(_) => tracing::warn!("set back-off: no answer in time: {BY_VISIBILITY}"),
        }
        false
    }

    async fn work(&self, message: &Message, piece: Piece<'_>) -> Result<(), HandlerError> {
        let Piece { record, call, number } = piece;
        logs::note_message(&Span::current(), message);
        match self.workshop.deal_with(message, &call.invocation(number)).await? {
            Handled::Done => Ok(()),
            Handled::Later(delay) => {
                tracing::debug!(?delay, "put off");
                self.send_on(record, delay).await
            }
        }
    }

    /// Sends the message anew, so that it neither counts as failed nor waits for its visibility.
    async fn send_on(&self, record: &SqsRecord, delay: Duration) -> Result<(), HandlerError> {
        let again = Outgoing { body: record.body.clone(), delay: delay.min(DELAY_MAX) };
        let failed = |cause: String| HandlerError {
            is_transient: true,
            message: format!("send on: {cause}"),
        };
        let sent = self.queue.send(&[again]).await.map_err(|error| failed(error.to_string()))?;
        if sent.refused.is_empty() { Ok(()) } else { Err(failed("not taken".to_owned())) }
    }
}

fn refused(message: String) -> HandlerError {
    HandlerError { is_transient: false, message }
}

/// How long a message is left alone that was delivered so often, from 1, and failed.
fn backoff(receive_count: u32) -> Duration {
    let factor = 4_u32.saturating_pow(receive_count.saturating_sub(1));
    BACKOFF_FIRST.saturating_mul(factor).min(BACKOFF_MAX)
}
