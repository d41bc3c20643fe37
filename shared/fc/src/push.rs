//! Messages that `EventBridge` hands over: an invocation that fails has them handed over again.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use ossferry_core::ports::{Outgoing, Queue};
use ossferry_host::{Call, Workshop, logs};
use ossferry_ledger::messages::{Message, MessageError};
use ossferry_ledger::{Handled, Handler};
use tokio::time::timeout;
use tracing::Instrument as _;

use crate::answer::PushAnswer;
use crate::event::PushedMessage;

/// A message of a newer version waits this long for a newer function.
const NEWER_DELAY: Duration = Duration::from_mins(5);

/// Deals with every message; an error where one of them is to be handed over again.
///
/// There is nothing to acknowledge: `EventBridge` has taken the messages out of the queue. What is put
/// off is sent there anew.
pub(crate) async fn push<W: Handler>(
    workshop: &Workshop<W>,
    queue: &Arc<dyn Queue>,
    messages: &[PushedMessage],
    call: &Call,
) -> Result<PushAnswer, String> {
    let handled = messages.iter().enumerate().map(|(number, message)| async move {
        let span = logs::record_span(call, &message.id);
        handle(workshop, queue, message, call, number).instrument(span).await
    });
    let failures: Vec<String> =
        join_all(handled).await.into_iter().filter_map(Result::err).collect();
    if failures.is_empty() {
        Ok(PushAnswer { handled: messages.len() })
    } else {
        Err(failures.join("; "))
    }
}

async fn handle<W: Handler>(
    workshop: &Workshop<W>,
    queue: &Arc<dyn Queue>,
    pushed: &PushedMessage,
    call: &Call,
    number: usize,
) -> Result<(), String> {
    let message = match Message::from_text(&pushed.body) {
        Ok(message) => message,
        Err(error @ MessageError::Version(_)) => {
            tracing::warn!(%error, "left for a newer function");
            return send_on(queue, pushed, NEWER_DELAY).await;
        }
        // It ends among the dead letters of the trigger, where somebody can look at it.
        Err(error) => return Err(error.to_string()),
    };
    logs::note_message(&tracing::Span::current(), &message);
    let patience = call.patience(workshop.ledger().now());
    let invocation = call.invocation(number);
    match timeout(patience, workshop.deal_with(&message, &invocation)).await {
        Ok(Ok(Handled::Done)) => Ok(()),
        Ok(Ok(Handled::Later(delay))) => send_on(queue, pushed, delay).await,
        Ok(Err(error)) => Err(error.message),
        Err(_) => Err("did not return in the invocation's time".to_owned()),
    }
}

async fn send_on(
    queue: &Arc<dyn Queue>,
    pushed: &PushedMessage,
    delay: Duration,
) -> Result<(), String> {
    let again = Outgoing { body: pushed.body.clone(), delay };
    match queue.send(&[again]).await {
        Ok(sent) if sent.refused.is_empty() => Ok(()),
        Ok(_) => Err("send on: not taken".to_owned()),
        Err(error) => Err(format!("send on: {error}")),
    }
}
