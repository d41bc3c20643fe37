//! Planners or copiers of one execution environment: one for each definition, made when the first
//! message of it comes, with credentials that are read once.

use std::collections::HashMap;
use std::sync::Arc;

use ossferry_core::job::{BadDefinition, Job};
use ossferry_core::ports::{Source, Target};
use ossferry_core::rates::Admission;
use ossferry_ends::{EndError, Paces, Surroundings, source_end, target_end};
use ossferry_ledger::ids::{JobName, PassRef};
use ossferry_ledger::rows::PassState;
use ossferry_ledger::{HandlerError, Ledger, LedgerError};
use tokio::sync::Mutex;

use crate::metrics::{Metric, Metrics};
use crate::rates::RateKeeper;
use crate::slots::Slots;

/// Definitions, and passes, remembered at once. More are only remnants of earlier ones.
const KEPT_MAX: usize = 16;

/// What a planner or copier is made of.
pub struct Parts {
    /// Rows and queues.
    pub ledger: Ledger,
    /// Where the job's objects come from.
    pub source: Arc<dyn Source>,
    /// Where they go.
    pub target: Arc<dyn Target>,
    /// The job, as the definition says.
    pub job: Arc<Job>,
    /// Whether a further slice would be walked at once.
    pub slots: Slots,
    /// Whether something new may be copied.
    pub admission: Admission,
}

/// Makes a planner or copier.
pub type Make<W> = Box<dyn Fn(Parts) -> W + Send + Sync>;

/// Why there is nobody to work on a message.
#[derive(Debug, thiserror::Error)]
pub enum WorkshopError {
    /// The pass's row cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The definition cannot be read here.
    #[error(transparent)]
    Definition(#[from] BadDefinition),
    /// Source or target cannot be used.
    #[error(transparent)]
    End(#[from] EndError),
}

impl From<WorkshopError> for HandlerError {
    fn from(error: WorkshopError) -> Self {
        let is_transient = match &error {
            WorkshopError::Ledger(error) => error.is_transient(),
            WorkshopError::Definition(_) => false,
            WorkshopError::End(EndError::End { error, .. }) => error.is_transient(),
            WorkshopError::End(_) => true,
        };
        Self { is_transient, message: error.to_string() }
    }
}

/// A planner or copier and the job that it was made for.
pub struct Made<W> {
    /// Works on its messages.
    pub worker: W,
    /// As the definition says.
    pub job: Arc<Job>,
    /// Keeps its share of the job's rates; every request to the two ends is made around it.
    pub rates: Arc<RateKeeper>,
}

/// Who works on a message.
pub enum Found<W> {
    /// A planner or copier of its job.
    Worker(Arc<Made<W>>),
    /// Nobody: the pass has ended.
    Over,
}

struct Kept<W> {
    by_definition: HashMap<String, Arc<Made<W>>>,
    by_pass: HashMap<PassRef, Arc<Made<W>>>,
}

/// Makes workers and keeps them.
pub struct Workshop<W> {
    ledger: Ledger,
    around: Surroundings,
    make: Make<W>,
    metrics: Arc<Metrics>,
    slots: Slots,
    kept: Mutex<Kept<W>>,
}

impl<W> Workshop<W> {
    /// A workshop that has made nothing yet.
    /// What is recorded counts under the name of the `function`.
    pub fn new(ledger: Ledger, around: Surroundings, function: &str, make: Make<W>) -> Self {
        let kept = Kept { by_definition: HashMap::new(), by_pass: HashMap::new() };
        let (metrics, slots) = (Metrics::new(function), Slots::default());
        let (counts, splits) = (metrics.observer(), slots.clone());
        let ledger = ledger.observed(Arc::new(move |job, recorded| {
            counts(job, recorded);
            splits.note(recorded);
        }));
        Self { ledger, around, make, metrics, slots, kept: Mutex::new(kept) }
    }

    /// What is told of its work.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn slots(&self) -> &Slots {
        &self.slots
    }

    /// Rows and queues.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The worker of a pass: made for the definition that it began with.
    ///
    /// Where an end refuses the whole account or bucket, nothing of the pass can be done any more: it
    /// is stopped for that reason, as by a copier that meets the same refusal at work.
    pub async fn of_pass(&self, pass: &PassRef) -> Result<Found<W>, WorkshopError> {
        if let Some(worker) = self.kept.lock().await.by_pass.get(pass) {
            return Ok(Found::Worker(Arc::clone(worker)));
        }
        let row = self.ledger.pass(pass).await?;
        if row.state.is_final() {
            return Ok(Found::Over);
        }
        match self.of_definition(&row.definition, &row.definition_hash).await {
            Ok(worker) => {
                if row.rates_set_at.is_some() {
                    worker.rates.admission().note_set_rates();
                }
                self.remember(pass, &worker).await;
                Ok(Found::Worker(worker))
            }
            Err(WorkshopError::End(error)) if concerns_every_object(&error) => {
                let reason = error.to_string();
                tracing::error!(pass = %pass.pass, reason, "pass stopped");
                self.metrics.add(&pass.job, Metric::Refusals, 1.0);
                self.ledger.end_pass(pass, PassState::Stopped, Some(&reason)).await?;
                Ok(Found::Over)
            }
            Err(error) => Err(error),
        }
    }

    /// The worker of a definition.
    pub async fn of_definition(
        &self,
        definition: &str,
        definition_hash: &str,
    ) -> Result<Arc<Made<W>>, WorkshopError> {
        // Held while a worker is made: two messages of one job make one.
        let mut kept = self.kept.lock().await;
        if let Some(worker) = kept.by_definition.get(definition_hash) {
            return Ok(Arc::clone(worker));
        }
        let job = Job::from_json(definition)?;
        let source = source_end(&job, &self.around).await?;
        let target = Arc::new(target_end(&job, &self.around).await?);
        let (ledger, job) = (self.ledger.clone(), Arc::new(job));
        let throttles = Paces::of(&source, &target);
        let owner = format!("{:016x}", fastrand::u64(..));
        let rates = RateKeeper::new(&ledger, &job, Paces::of(&source, &target), owner);
        let rates = Arc::new(rates);
        let (slots, admission) = (self.slots.clone(), rates.admission().clone());
        let (source, job_of_parts) = (source.port(), Arc::clone(&job));
        let parts = Parts { ledger, source, target, job: job_of_parts, slots, admission };
        if kept.by_definition.len() >= KEPT_MAX {
            kept.by_definition.clear();
            kept.by_pass.clear();
            self.metrics.watch_nothing();
        }
        let take = move || throttles.take_throttles();
        self.metrics.watch(&JobName(job.name.clone()), Metric::Throttles, take);
        let worker = Arc::new(Made { worker: (self.make)(parts), job, rates });
        kept.by_definition.insert(definition_hash.to_owned(), Arc::clone(&worker));
        tracing::info!(definition_hash, "ends of a job opened");
        Ok(worker)
    }

    /// From here on this worker deals with the messages of a pass.
    pub async fn remember(&self, pass: &PassRef, worker: &Arc<Made<W>>) {
        let by_pass = &mut self.kept.lock().await.by_pass;
        if by_pass.len() >= KEPT_MAX {
            by_pass.clear();
        }
        by_pass.insert(pass.clone(), Arc::clone(worker));
    }
}

fn concerns_every_object(error: &EndError) -> bool {
    matches!(error, EndError::End { error, .. } if error.kind.concerns_every_object())
}
