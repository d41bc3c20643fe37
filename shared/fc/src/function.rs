//! What one of the two functions does with an event.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use http::HeaderMap;
use ossferry_core::ports::Queue;
use ossferry_host::{Asked, Call, PassMaker, Passes, TriggerOutcome, Workshop, logs};
use ossferry_ledger::{Handler, HandlerError};
use serde::Serialize;
use serde_json::Value;
use tracing::Instrument as _;

use crate::bill::Bill;
use crate::event::{Event, EventError};
use crate::pull::Puller;
use crate::push::push;
use crate::role::RoleCredentials;
use crate::server::Invoked;
use crate::starting::{Starter, running_passes};

/// The trigger of a queue waits for no answer longer than this, whatever the function's time is.
const PUSH_MAX: Duration = Duration::from_mins(5);

/// What both functions have.
pub(crate) struct Base<W> {
    pub(crate) puller: Puller<W>,
    pub(crate) role: Arc<RoleCredentials>,
    /// As it is deployed.
    pub(crate) function: String,
    pub(crate) timeout: Duration,
    pub(crate) bill: Bill,
}

impl<W: Handler + 'static> Base<W> {
    fn workshop(&self) -> &Workshop<W> {
        &self.puller.workshop
    }

    fn queue(&self) -> &Arc<dyn Queue> {
        &self.puller.queue
    }

    /// An invocation that begins now. Its own id may come again, when an asynchronous one is repeated:
    /// with some digits more whoever holds work is one invocation.
    fn call(&self, request_id: &str) -> Call {
        let now = self.workshop().ledger().now();
        let id = format!("{request_id}.{:08x}", fastrand::u32(..));
        Call::new(&self.function, &id, now.plus(self.timeout), now)
    }

    /// The same for messages that were handed over.
    fn pushed_call(&self, request_id: &str) -> Call {
        let now = self.workshop().ledger().now();
        let id = format!("{request_id}.{:08x}", fastrand::u32(..));
        Call::new(&self.function, &id, now.plus(self.timeout.min(PUSH_MAX)), now)
    }

    /// Deals with what both are asked; gives back what only a planner is.
    async fn take(&self, request_id: &str, event: Event) -> Result<Result<Value, String>, Asked> {
        match event {
            Event::Pull(asked) => {
                let call = self.call(request_id);
                let span = logs::call_span(&call);
                Ok(self.puller.pull(asked, &call).instrument(span).await.and_then(json))
            }
            Event::Messages(messages) => {
                let call = self.pushed_call(request_id);
                let pushed = push(self.workshop(), self.queue(), &messages, &call).await;
                Ok(pushed.and_then(json))
            }
            Event::Asked(asked) => Err(asked),
        }
    }

    fn tell(&self) {
        logs::print(&self.workshop().metrics().take_plain_lines());
    }
}

fn json(answer: impl Serialize) -> Result<Value, String> {
    serde_json::to_value(answer).map_err(|error| error.to_string())
}

/// The function that works on the copiers' messages.
pub(crate) struct CopierFunction<W>(pub(crate) Base<W>);

#[async_trait::async_trait]
impl<W: Handler + 'static> Invoked for CopierFunction<W> {
    fn arrive(&self, headers: &HeaderMap) {
        self.0.role.take(headers);
    }

    async fn invoke(&self, request_id: &str, event: Bytes) -> Result<Value, String> {
        let event = Event::read(&event).map_err(|error| error.to_string())?;
        let taken = self.0.bill.of(self.0.take(request_id, event)).await;
        self.0.tell();
        taken.unwrap_or_else(|_| Err(EventError::NotForCopiers.to_string()))
    }
}

/// The function that works on the planners' messages, on triggers and on sweeps.
pub(crate) struct PlannerFunction<W> {
    pub(crate) base: Base<W>,
    pub(crate) starter: Option<Arc<Starter>>,
}

#[async_trait::async_trait]
impl<W: PassMaker + 'static> Invoked for PlannerFunction<W> {
    fn arrive(&self, headers: &HeaderMap) {
        self.base.role.take(headers);
    }

    async fn invoke(&self, request_id: &str, event: Bytes) -> Result<Value, String> {
        let event = Event::read(&event).map_err(|error| error.to_string())?;
        let answered = async {
            match self.base.take(request_id, event).await {
                Ok(taken) => taken,
                Err(asked) => {
                    let call = self.base.call(request_id);
                    let span = logs::call_span(&call);
                    let answer = self.obey(asked, &call).instrument(span).await;
                    answer.map_err(|error| error.message)
                }
            }
        };
        let answered = self.base.bill.of(answered).boxed().await;
        self.base.tell();
        answered
    }
}

impl<W: PassMaker + 'static> PlannerFunction<W> {
    async fn obey(&self, asked: Asked, call: &Call) -> Result<Value, HandlerError> {
        let passes = Passes { workshop: self.base.workshop(), call };
        let unwritable = |message| HandlerError { is_transient: false, message };
        match asked {
            Asked::Trigger(trigger) => {
                let answer = passes.begin(&trigger).await?;
                if answer.outcome == TriggerOutcome::Running {
                    self.start().await;
                }
                json(answer).map_err(unwritable)
            }
            Asked::Sweep(job) => {
                let answer = passes.sweep(job.as_ref()).await?;
                if !answer.swept.is_empty() {
                    self.start().await;
                }
                json(answer).map_err(unwritable)
            }
        }
    }

    /// Has a planner receive, and copiers where there is work for them.
    async fn start(&self) {
        let Some(starter) = &self.starter else { return };
        starter.start_planner().await;
        let ledger = self.base.workshop().ledger();
        match running_passes(ledger).await {
            Ok(running) => starter.start_copiers(ledger, &running).await,
            Err(error) => tracing::warn!(%error, "look at passes"),
        }
    }
}
