//! The entrance: one message, one invocation.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ossferry_core::job::{BadDefinition, Job};
use ossferry_core::ports::{Source, Target};
use ossferry_core::rates::Admission;
use ossferry_ledger::lease::LeaseLost;
use ossferry_ledger::messages::Message;
use ossferry_ledger::rows::PassRow;
use ossferry_ledger::{Handled, Handler, HandlerError, Invocation, Ledger, LedgerError};
use tokio::sync::Semaphore;

use crate::batch::copy_batch;
use crate::line::Line;
use crate::parts::copy_range;
use crate::session::{LOOK_AGAIN_MIN, PassWork, Session};

/// Times and counts of a copier that no job decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CopierOptions {
    /// So long before an invocation's deadline nothing new is begun; at most a quarter of its time.
    pub stop_margin: Duration,
    /// So long before an invocation's deadline what still runs is cut off, so that the rest can be
    /// handed back in time; at most an eighth of its time.
    pub record_margin: Duration,
    /// Attempts at an object or a part in one invocation while errors are transient.
    pub attempts_max: u32,
    /// The pause after the first failed attempt is drawn between zero and this; each later bound is
    /// twice as high.
    pub backoff: Duration,
    /// No pause is drawn above this.
    pub backoff_max: Duration,
    /// A message whose work another worker holds is delivered again after this at the latest.
    pub look_again_max: Duration,
    /// A message that comes while nothing new is copied comes again after this at the latest: somebody may
    /// open a window by hand.
    pub closed_look_max: Duration,
}

impl Default for CopierOptions {
    fn default() -> Self {
        Self {
            stop_margin: Duration::from_secs(5),
            record_margin: Duration::from_secs(2),
            attempts_max: 4,
            backoff: Duration::from_millis(250),
            backoff_max: Duration::from_secs(10),
            look_again_max: Duration::from_secs(30),
            closed_look_max: Duration::from_mins(5),
        }
    }
}

/// What a copier is made of.
pub struct CopierParts {
    /// The completion table.
    pub ledger: Ledger,
    /// Where objects come from.
    pub source: Arc<dyn Source>,
    /// The bucket they go to.
    pub target: Arc<dyn Target>,
    /// Objects and parts in flight in this process, over all calls. A host that closes it lets every
    /// call end what it has begun and hand the rest back.
    pub in_flight: Arc<Semaphore>,
    /// Whether something new may be copied now.
    pub admission: Admission,
    /// What no job decides.
    pub options: CopierOptions,
}

/// Why a message could not be dealt with. The host leaves it to be delivered again.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A step of the ledger was not taken.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The definition of the pass cannot be read.
    #[error(transparent)]
    Definition(#[from] BadDefinition),
    /// The message is for a planner.
    #[error("not a message for a copier: {0}")]
    NotForCopiers(String),
}

impl From<LeaseLost> for CopyError {
    fn from(lost: LeaseLost) -> Self {
        Self::Ledger(lost.into())
    }
}

/// Moves batches and ranges, one message at a time; calls may run side by side.
pub struct Copier {
    parts: CopierParts,
    line: Arc<Line>,
    /// The last definition seen, under its hash.
    job: Mutex<Option<(String, Arc<Job>)>>,
}

impl Copier {
    /// A copier that has done nothing yet.
    pub fn new(parts: CopierParts) -> Self {
        Self { parts, line: Arc::default(), job: Mutex::new(None) }
    }

    /// Deals with one message.
    ///
    /// Returns before the invocation's deadline unless the ledger itself stands still. After an error
    /// the message is to be delivered again; dropping the call at any moment is as harmless.
    pub async fn handle(
        &self,
        message: &Message,
        invocation: &Invocation,
    ) -> Result<Handled, CopyError> {
        let session = Session::new(&self.parts, Arc::clone(&self.line), invocation);
        if let Some(until) = self.parts.admission.closed_until() {
            // Before it is claimed: no attempt is counted, and nothing is held.
            let wait = until.since(session.ledger.now());
            return Ok(Handled::Later(
                wait.clamp(LOOK_AGAIN_MIN, self.parts.options.closed_look_max),
            ));
        }
        let handled = match message {
            Message::Task(task) => Box::pin(copy_batch(self, &session, task)).await,
            Message::Range { task, generation, range } => {
                // Completing holds many rows: boxed once a message.
                Box::pin(copy_range(self, &session, task, *generation, *range)).await
            }
            Message::Slice(_) | Message::Upload(_) => {
                Err(CopyError::NotForCopiers(message.to_text()))
            }
        };
        match handled {
            Err(CopyError::Ledger(LedgerError::LeaseLost(lost))) => {
                // Whoever holds it now has a message of its own.
                tracing::info!(%lost, message = %message.to_text(), "copier: work was taken over");
                Ok(Handled::Done)
            }
            Err(CopyError::Ledger(LedgerError::TimeUp)) => {
                // Nobody may have it now: whoever comes next finds out.
                tracing::warn!(message = %message.to_text(), "copier: the lease ran out");
                Ok(Handled::Later(LOOK_AGAIN_MIN))
            }
            handled => handled,
        }
    }

    /// The definition that the pass began with.
    pub(crate) fn work_of(&self, pass: PassRow) -> Result<PassWork, BadDefinition> {
        if pass.rates_set_at.is_some() {
            self.parts.admission.note_set_rates();
        }
        let mut known = self.job.lock().unwrap_or_else(PoisonError::into_inner);
        let job = match &*known {
            Some((hash, job)) if *hash == pass.definition_hash => Arc::clone(job),
            _ => {
                let job = Arc::new(Job::from_json(&pass.definition)?);
                *known = Some((pass.definition_hash.clone(), Arc::clone(&job)));
                job
            }
        };
        Ok(PassWork { job, pass })
    }
}

#[async_trait::async_trait]
impl Handler for Copier {
    async fn work(
        &self,
        message: &Message,
        invocation: &Invocation,
    ) -> Result<Handled, HandlerError> {
        self.handle(message, invocation).await.map_err(|error| HandlerError {
            is_transient: match &error {
                CopyError::Ledger(error) => error.is_transient(),
                CopyError::Definition(_) | CopyError::NotForCopiers(_) => false,
            },
            message: error.to_string(),
        })
    }
}
