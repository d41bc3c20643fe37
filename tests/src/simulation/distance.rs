//! What lies between a handler and what it calls: time, drawn anew for each request.
//!
//! A request that has left its worker goes on when the worker is gone, or some of the time does not. No
//! worker may send one to the target after its deadline, nor write after its lease.

mod ends;
mod ledger;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::TryStreamExt;
use ossferry_core::error::PortError;
use ossferry_core::ports::ObjectBody;
use ossferry_core::time::Clock;
use ossferry_ledger::LEASE_MARGIN;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::chance::{Chance, Trace};
use super::worker::SHIFT;

pub(super) use ends::{DistantSource, DistantTarget, OnOpen};
pub(super) use ledger::{DistantQueue, DistantTable};

/// The way to something. Clones are one.
#[derive(Clone)]
pub(super) struct Distance {
    pub(super) chance: Chance,
    pub(super) trace: Trace,
    /// As every worker reads it.
    pub(super) clock: Clock,
    /// Whoever makes such a call dies of it.
    pub(super) poison: Poison,
}

/// Tells whether a worker dies of a call, by its name and what it is about.
pub(super) type Poison = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

impl Distance {
    fn note(&self, call: &str, subject: impl std::fmt::Display) {
        let subject = subject.to_string();
        let owner = SHIFT.try_with(|shift| {
            if (self.poison)(call, &subject) {
                shift.is_doomed.store(true, Ordering::SeqCst);
            }
            shift.invocation.owner.clone()
        });
        let owner = owner.unwrap_or_default();
        self.trace.note(format_args!("{} {owner} {call} {subject}", (self.clock)()));
    }

    /// The way there and back, for what has no effect that could come late.
    async fn ask<T>(&self, call: impl Future<Output = T>) -> T {
        sleep(self.chance.delay()).await;
        let answer = call.await;
        sleep(self.chance.delay()).await;
        answer
    }

    /// Sends a request that changes the target.
    async fn send<T: Send + 'static>(
        &self,
        call: &'static str,
        subject: String,
        effect: impl Future<Output = Result<T, PortError>> + Send + 'static,
    ) -> Result<T, PortError> {
        let late = SHIFT.try_with(|shift| (self.clock)() >= shift.invocation.deadline);
        assert!(!late.unwrap_or(false), "{call} {subject} was sent after the deadline");
        self.note(call, &subject);
        let this = self.clone();
        let flight = tokio::spawn(async move {
            sleep(this.chance.delay()).await;
            let answer = effect.await;
            this.note(call, format_args!("{subject} came: {}", answer.is_ok()));
            sleep(this.chance.delay()).await;
            answer
        });
        Flight { flight, chance: self.chance.clone() }.land().await
    }

    /// Refuses to let a worker write whose lease has ended.
    fn assert_leased(&self, call: &str, subject: &str) {
        let late =
            SHIFT.try_with(|shift| (self.clock)() >= shift.invocation.deadline.plus(LEASE_MARGIN));
        assert!(!late.unwrap_or(false), "{call} {subject} was written after the lease");
    }

    /// Reads a body as its sender does: a worker that stands still sends nothing.
    async fn read(&self, mut body: ObjectBody) -> Result<Bytes, PortError> {
        let mut whole = Vec::new();
        while let Some(frame) = body.try_next().await? {
            whole.extend_from_slice(&frame);
        }
        Ok(whole.into())
    }
}

/// A request on its way. Where its sender is gone it arrives all the same, or is lost.
struct Flight<T> {
    flight: JoinHandle<T>,
    chance: Chance,
}

impl<T> Flight<T> {
    async fn land(mut self) -> T {
        (&mut self.flight).await.expect("a request does not panic")
    }
}

impl<T> Drop for Flight<T> {
    fn drop(&mut self) {
        if !self.flight.is_finished() && self.chance.in_a_thousand(300) {
            self.flight.abort();
        }
    }
}
