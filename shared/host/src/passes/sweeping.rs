//! A sweep over every deployed job.

use std::time::Duration;

use futures::FutureExt as _;
use ossferry_core::job::Job;
use ossferry_ledger::HandlerError;
use ossferry_ledger::ids::{JobName, PassRef};
use ossferry_ledger::rows::{JobRow, PassState};

use super::{PassMaker, Passes, ledger_error};
use crate::answer::{SweepAnswer, SweptPass};
use crate::metrics::Metric;

/// A task's message counts as lost when it has waited so long since it was planned.
const MESSAGE_IDLE: Duration = Duration::from_mins(10);

/// A pass of which nothing moved for so long stands still: a task is planned to take a few minutes.
const STANDS_STILL: Duration = Duration::from_mins(30);

/// That a window closes a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Closed {
    Now,
    /// Until a short while ago: that nothing has moved since then means nothing.
    Lately,
}

impl<W: PassMaker> Passes<'_, W> {
    /// Sends again what is due and has no worker, of one job or of all, and clears up after passes
    /// that ended early. What fails at one job is told at the end, after all others had their turn.
    pub async fn sweep(&self, job: Option<&JobName>) -> Result<SweepAnswer, HandlerError> {
        let mut jobs = self.ledger().deployed_jobs().await.map_err(ledger_error)?;
        jobs.retain(|row| job.is_none_or(|job| row.name == *job));
        if let Some(job) = job.filter(|_| jobs.is_empty()) {
            let message = format!("no job {job} is deployed: ossferry deploy-job");
            return Err(HandlerError { is_transient: false, message });
        }
        let (mut answer, mut failures) = (SweepAnswer::default(), Vec::new());
        let mut left = u32::try_from(jobs.len()).unwrap_or(u32::MAX);
        for row in jobs {
            let swept = self.in_time(left, self.sweep_job(&row).boxed()).await;
            left = left.saturating_sub(1);
            match swept {
                Ok(swept) => answer.swept.extend(swept),
                Err(error) => {
                    tracing::error!(job = %row.name, %error, "sweep");
                    failures.push((row.name, error));
                }
            }
        }
        if failures.is_empty() {
            return Ok(answer);
        }
        let is_transient = failures.iter().all(|(_, error)| error.is_transient);
        let named: Vec<_> = failures.iter().map(|(job, error)| format!("{job}: {error}")).collect();
        Err(HandlerError { is_transient, message: format!("sweep of {}", named.join("; ")) })
    }

    async fn sweep_job(&self, row: &JobRow) -> Result<Option<SweptPass>, HandlerError> {
        let cleared = self.clear_predecessors(row).await;
        let swept = self.sweep_running(&row.name).await?;
        cleared.map(|()| swept)
    }

    async fn sweep_running(&self, job: &JobName) -> Result<Option<SweptPass>, HandlerError> {
        let ledger = self.ledger();
        let Some(pass) = ledger.running_pass(job).await.map_err(ledger_error)? else {
            return Ok(None);
        };
        let pass = PassRef { job: job.clone(), pass };
        let row = ledger.pass(&pass).await.map_err(ledger_error)?;
        let definition = Job::from_json(&row.definition)
            .map_err(|error| HandlerError { is_transient: false, message: error.to_string() })?;
        let window = u64::from(definition.limits.window_tasks);
        let closed = self.closed(job, &definition).await?;
        let swept = if closed == Some(Closed::Now) {
            ledger.sweep_while_closed(&pass, window, MESSAGE_IDLE).await
        } else {
            ledger.sweep(&pass, window, MESSAGE_IDLE).await
        };
        let swept = swept.map_err(ledger_error)?;
        let still = ledger.still_since(&pass).await.map_err(ledger_error)?;
        let stands_still = closed.is_none() && ledger.now().since(still) >= STANDS_STILL;
        tracing::info!(job = %job, pass = %pass.pass, ?swept, ?closed, stands_still, "swept");
        let value = if stands_still { 1.0 } else { 0.0 };
        self.workshop.metrics().add(job, Metric::StandsStill, value);
        let PassRef { job, pass } = pass;
        Ok(Some(SweptPass { job, pass, slices: swept.slices, tasks: swept.tasks }))
    }

    /// Whether a window closes the job.
    async fn closed(
        &self,
        job: &JobName,
        definition: &Job,
    ) -> Result<Option<Closed>, HandlerError> {
        let (ledger, calendar) = (self.ledger(), definition.limits.calendar());
        let is_closed = ledger.is_closed(job, &calendar).await.map_err(ledger_error)?;
        let was_closed = calendar.in_force(ledger.now().minus(STANDS_STILL)).closed;
        Ok(match (is_closed, was_closed) {
            (true, _) => Some(Closed::Now),
            (false, true) => Some(Closed::Lately),
            (false, false) => None,
        })
    }

    /// Aborts what passes that were stopped or cancelled have left at the target.
    async fn clear_predecessors(&self, job: &JobRow) -> Result<(), HandlerError> {
        for index in self.ledger().passes(&job.name).await.map_err(ledger_error)? {
            let is_early = matches!(index.state, PassState::Stopped | PassState::Cancelled);
            if !is_early || index.cleared.is_some() {
                continue;
            }
            let pass = PassRef { job: job.name.clone(), pass: index.pass };
            let row = self.ledger().pass(&pass).await.map_err(ledger_error)?;
            let (definition, hash) = (&row.definition, &row.definition_hash);
            let planner = self.workshop.of_definition(definition, hash).await?;
            planner.rates.around(planner.worker.clear_up(&pass)).await?;
        }
        Ok(())
    }
}
