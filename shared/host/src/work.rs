//! One message, dealt with by whoever works for its pass.

use std::panic::AssertUnwindSafe;
use std::pin::pin;

use futures::FutureExt as _;
use futures::future::{Either, select};
use ossferry_ledger::messages::Message;
use ossferry_ledger::{Handled, Handler, HandlerError, Invocation};
use tokio::time::Instant;

use crate::metrics::Metric;
use crate::workshop::{Found, Made, Workshop};

impl<W: Handler> Workshop<W> {
    /// Deals with a message of any pass.
    ///
    /// A worker that panicked holds nothing that the next call would find broken: what it had claimed
    /// stands in the ledger under its own fence.
    pub async fn deal_with(
        &self,
        message: &Message,
        invocation: &Invocation,
    ) -> Result<Handled, HandlerError> {
        let work = AssertUnwindSafe(self.work(message, invocation)).catch_unwind();
        work.await.unwrap_or_else(|_| {
            self.metrics().add(&message.pass().job, Metric::Panics, 1.0);
            Err(HandlerError { is_transient: false, message: "panicked".to_owned() })
        })
    }

    async fn work(
        &self,
        message: &Message,
        invocation: &Invocation,
    ) -> Result<Handled, HandlerError> {
        let begun = Instant::now();
        let made = match self.of_pass(message.pass()).await? {
            Found::Worker(made) => made,
            Found::Over => return Ok(Handled::Done),
        };
        let handled = made.rates.around(self.in_slots(message, &made, invocation)).await?;
        if handled == Handled::Done && matches!(message, Message::Task(_) | Message::Range { .. }) {
            let seconds = begun.elapsed().as_secs_f64();
            self.metrics().add(&message.pass().job, Metric::TaskSeconds, seconds);
        }
        Ok(handled)
    }

    /// Works on the message; while a slice is walked, looks how many more would be.
    async fn in_slots(
        &self,
        message: &Message,
        made: &Made<W>,
        invocation: &Invocation,
    ) -> Result<Handled, HandlerError> {
        let work = made.worker.work(message, invocation);
        let Message::Slice(slice) = message else { return work.await };
        let (ledger, slices_max) = (self.ledger(), made.job.limits.slices_max);
        let slots = self.slots().watch(ledger, &slice.pass, slices_max);
        match select(work, pin!(slots)).await {
            Either::Left((handled, _)) => handled,
            Either::Right((never, _)) => match never {},
        }
    }
}
