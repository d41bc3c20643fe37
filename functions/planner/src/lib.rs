//! The planner function: walks the source, joins it with the target, commits tasks.
//!
//! A library that a host calls: [`Planner::begin`] for a trigger, [`Planner::handle`] for each message
//! of the planners' queue. It reads no clock and no environment of its own.

mod ahead;
mod audit;
mod begin;
mod deadline;
mod drafts;
mod ended;
mod error;
mod judge;
mod keyed;
mod leftovers;
mod lister;
mod only_at_target;
mod open;
mod opening;
mod pass_maker;
mod pass_plan;
mod retry;
mod serial;
mod split;
mod walk;

use std::sync::Arc;

use futures::FutureExt as _;
use ossferry_core::ports::{Source, Target};
use ossferry_core::rates::Admission;
use ossferry_core::timely::TimelyTarget;
use ossferry_ledger::messages::Message;
use ossferry_ledger::{Handled, Handler, HandlerError, Invocation, Ledger, LedgerError};

pub use ahead::Looked;
pub use begin::Trigger;
pub use ended::Cleared;
pub use error::{KeyCount, PlanError, Refusal};

use pass_plan::PassPlans;

/// Whether a further slice would be walked at once, so that splitting one is worth its requests.
pub type Appetite = Arc<dyn Fn() -> bool + Send + Sync>;

/// What a planner is made of.
pub struct PlannerParts {
    /// The completion table and its queues.
    pub ledger: Ledger,
    /// Where objects come from: the source of the passes whose messages are handled.
    pub source: Arc<dyn Source>,
    /// Where they go.
    pub target: Arc<dyn Target>,
    /// Asked before a slice is split.
    pub appetite: Appetite,
}

/// Walks slices and opens uploads. One planner may handle many messages at once.
pub struct Planner {
    ledger: Ledger,
    source: Arc<dyn Source>,
    target: Arc<dyn Target>,
    appetite: Appetite,
    plans: Arc<PassPlans>,
    admission: Admission,
}

/// A message whose invocation ran out of time is looked at again after this.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

impl Planner {
    /// A planner over these parts.
    pub fn new(parts: PlannerParts) -> Self {
        let PlannerParts { ledger, source, target, appetite } = parts;
        let (plans, admission) = (Arc::default(), Admission::default());
        Self { ledger, source, target, appetite, plans, admission }
    }

    /// Tells whoever keeps the rates that some were set while a pass runs, as the pass's row says it.
    #[must_use]
    pub fn telling(self, admission: Admission) -> Self {
        Self { admission, ..self }
    }

    /// The same planner for one invocation: once its time is up it changes nothing at the target, and
    /// nothing in the ledger once its leases have ended.
    fn within(&self, invocation: &Invocation) -> Self {
        let (target, clock) = (self.target.as_ref(), self.ledger.clock());
        Self {
            ledger: self.ledger.within(invocation),
            source: Arc::clone(&self.source),
            target: Arc::new(TimelyTarget::new(target, clock, invocation.deadline)),
            appetite: Arc::clone(&self.appetite),
            plans: Arc::clone(&self.plans),
            admission: self.admission.clone(),
        }
    }

    /// Works on one message of the planners' queue, until it is done or the invocation's deadline
    /// comes near; then the rest is handed on with a message of its own.
    ///
    /// After `Err` the message may be delivered again: everything here may be repeated.
    pub async fn handle(
        &self,
        message: &Message,
        invocation: &Invocation,
    ) -> Result<Handled, PlanError> {
        let this = self.within(invocation);
        // Boxed, so that a host's compiler sees that the work may move between threads.
        let handled = match message {
            Message::Slice(slice) => this.walk_slice(slice, invocation).boxed().await,
            Message::Upload(task) => this.open_upload(task, invocation).boxed().await,
            Message::Task(_) | Message::Range { .. } => {
                Err(PlanError::NotForPlanners(message.to_text()))
            }
        };
        match handled {
            Err(PlanError::Ledger(LedgerError::TimeUp)) => {
                tracing::warn!(message = %message.to_text(), "planner: the lease ran out");
                Ok(Handled::Later(LOOK_AGAIN))
            }
            handled => handled,
        }
    }
}

#[async_trait::async_trait]
impl Handler for Planner {
    async fn work(
        &self,
        message: &Message,
        invocation: &Invocation,
    ) -> Result<Handled, HandlerError> {
        Ok(self.handle(message, invocation).await?)
    }
}
