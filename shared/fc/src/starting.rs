//! Starts planners and copiers, as many as the work asks for.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ossferry_aliyun::openapi::Functions;
use ossferry_core::job::{Job, Limits};
use ossferry_ledger::ids::PassRef;
use ossferry_ledger::{Ledger, LedgerError, PassStatus};
use tokio::time::Instant;

/// What an invocation is started with.
const PULL: &str = r#"{"pull":true}"#;

/// Who was started so long ago works by now, or does not live.
const STARTING: Duration = Duration::from_secs(30);

/// Passes that run, of every deployed job.
pub(crate) async fn running_passes(ledger: &Ledger) -> Result<Vec<PassRef>, LedgerError> {
    let mut passes = Vec::new();
    for row in ledger.deployed_jobs().await? {
        if let Some(pass) = ledger.running_pass(&row.name).await? {
            passes.push(PassRef { job: row.name, pass });
        }
    }
    Ok(passes)
}

/// Invokes the two functions, and does not wait for them.
pub(crate) struct Starter {
    functions: Functions,
    planner: String,
    copier: String,
    /// When copiers were started for a pass.
    started: Mutex<HashMap<PassRef, Vec<Instant>>>,
}

impl Starter {
    pub(crate) fn new(functions: Functions, planner: String, copier: String) -> Self {
        Self { functions, planner, copier, started: Mutex::default() }
    }

    /// Has a planner receive. Where that fails, a timer does it.
    pub(crate) async fn start_planner(&self) {
        if let Err(error) = self.functions.start(&self.planner, PULL).await {
            tracing::warn!(%error, function = self.planner, "start");
        }
    }

    /// Starts copiers that are missing. What fails is tried again at the next look.
    pub(crate) async fn start_copiers(&self, ledger: &Ledger, passes: &[PassRef]) {
        for pass in passes {
            match self.start_for(ledger, pass).await {
                Ok(0) => {}
                Ok(count) => tracing::info!(pass = %pass.pass, count, "copiers started"),
                Err(error) => tracing::warn!(pass = %pass.pass, error, "start copiers"),
            }
        }
    }

    async fn start_for(&self, ledger: &Ledger, pass: &PassRef) -> Result<u64, String> {
        let status = ledger.status(pass).await.map_err(|error| error.to_string())?;
        let job = Job::from_json(&status.row.definition).map_err(|error| error.to_string())?;
        let is_closed = ledger.is_closed(&pass.job, &job.limits.calendar()).await;
        if is_closed.map_err(|error| error.to_string())? {
            // They would only put off what they receive. Whoever looks when the window opens starts them.
            return Ok(0);
        }
        let at_work = ledger.places_taken(&pass.job).await.map_err(|error| error.to_string())?;
        // Who was started a moment ago may have its place already: better one too few for a while.
        let count = wanted(&job.limits, &status)
            .saturating_sub(at_work)
            .saturating_sub(self.recently_started(pass));
        for _ in 0..count {
            let started = self.functions.start(&self.copier, PULL).await;
            started.map_err(|error| error.to_string())?;
            let mut all = self.started.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(pass.clone()).or_default().push(Instant::now());
        }
        Ok(count)
    }

    fn recently_started(&self, pass: &PassRef) -> u64 {
        let mut all = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        for times in all.values_mut() {
            times.retain(|time| time.elapsed() < STARTING);
        }
        all.retain(|_, times| !times.is_empty());
        all.get(pass).map_or(0, |times| times.len() as u64)
    }
}

/// Copiers that find something to do: one for each task that may be out, or for each piece of large
/// objects that is left, and never more than the job's workers.
fn wanted(limits: &Limits, status: &PassStatus) -> u64 {
    let totals = &status.totals;
    let tasks = totals.tasks.saturating_sub(status.tasks_ended);
    if tasks == 0 {
        return 0;
    }
    let out = tasks.min(u64::from(limits.window_tasks).saturating_mul(totals.slices.max(1)));
    let bytes = totals.walked.planned_bytes.saturating_sub(totals.sum.bytes_copied);
    let pieces = bytes.div_ceil(limits.split_bytes.max(1));
    out.max(pieces).min(limits.workers.into())
}

#[cfg(test)]
mod tests {
    use ossferry_ledger::rows::{PassRow, PassTotals};

    use super::*;

    fn status(tasks: u64, tasks_ended: u64, planned_bytes: u64) -> PassStatus {
        let row = PassRow::open("j".into(), "p".into());
        let mut totals = PassTotals { tasks, slices: 1, ..PassTotals::default() };
        totals.walked.planned_bytes = planned_bytes;
        PassStatus { row, totals, slices_unwalked: 0, tasks_copying: 0, tasks_ended, restoring: 0 }
    }

    #[test]
    fn as_many_copiers_are_wanted_as_find_work_and_no_more_than_the_job_allows() {
        let limits = Limits { workers: 8, window_tasks: 5, split_bytes: 100, ..Limits::default() };
        for (tasks, ended, bytes, copiers) in [
            (0, 0, 0, 0),
            (3, 3, 1_000, 0),
            (3, 1, 0, 2),
            // No more are out than the window lets out.
            (50, 0, 0, 5),
            // One object of many pieces.
            (1, 0, 650, 7),
            (1, 0, 100_000, 8),
        ] {
            assert_eq!(
                wanted(&limits, &status(tasks, ended, bytes)),
                copiers,
                "{tasks} {ended} {bytes}"
            );
        }
    }
}
