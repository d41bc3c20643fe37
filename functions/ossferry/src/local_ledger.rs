//! The job file and its ledger on this machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ossferry_core::job::{Job, StateSpec};
use ossferry_core::ports::Queue;
use ossferry_ledger::Ledger;
use ossferry_ledger::ids::{JobName, PassId, PassRef};
use ossferry_ledger::rows::PassState;
use ossferry_local::{Database, Presence};

use crate::command_error::CommandError;
use crate::machine::Machine;

/// Reads a job file.
pub(crate) fn read_job(path: &Path) -> Result<Job, CommandError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| CommandError::JobFileUnreadable { path: path.to_owned(), error })?;
    Job::parse(&text).map_err(|errors| CommandError::JobFileWrong { path: path.to_owned(), errors })
}

/// Where the ledger of a job is kept.
pub(crate) fn ledger_path(job: &Job) -> PathBuf {
    match &job.state {
        StateSpec::Local { path } => PathBuf::from(path),
        StateSpec::Aws { .. } => PathBuf::new(),
    }
}

/// A ledger in a SQLite file. Several jobs may share one: each has queues of its own.
pub(crate) struct LocalLedger {
    /// The job's name.
    pub(crate) job: JobName,
    /// Rows and messages.
    pub(crate) ledger: Ledger,
    /// The file.
    pub(crate) database: Database,
    /// Messages for planners.
    pub(crate) planner_queue: Arc<dyn Queue>,
    /// Messages for copiers.
    pub(crate) copier_queue: Arc<dyn Queue>,
}

impl LocalLedger {
    /// Opens the ledger as one of its workers, and makes it where it is not there.
    pub(crate) fn join(job: &Job, machine: &Machine) -> Result<(Self, Presence), CommandError> {
        let database =
            Database::open(ledger_path(job), machine.clock()).map_err(CommandError::Database)?;
        let presence = Presence::join(&database).map_err(CommandError::Database)?;
        let roll = presence.clone();
        let known_dead = move |owner: &str| roll.owner_is_dead(owner);
        Ok((Self::new(job, database, machine, Arc::new(known_dead)), presence))
    }

    /// Opens a ledger that is there, to look at it. `job_file` is for the hint where there is none.
    pub(crate) fn look(
        job: &Job,
        job_file: &Path,
        machine: &Machine,
    ) -> Result<Self, CommandError> {
        let path = ledger_path(job);
        if !path.exists() {
            // A path that is relative means another file in another folder: say which was meant.
            let path = std::path::absolute(&path).unwrap_or(path);
            return Err(CommandError::NoLedger { path, job_file: job_file.to_owned() });
        }
        let database = Database::open(path, machine.clock()).map_err(CommandError::Database)?;
        Ok(Self::new(job, database, machine, Arc::new(|_: &str| false)))
    }

    fn new(
        job: &Job,
        database: Database,
        machine: &Machine,
        known_dead: ossferry_ledger::lease::KnownDead,
    ) -> Self {
        let queue = |of: &str| -> Arc<dyn Queue> {
            Arc::new(database.queue(&format!("{}/{of}", job.name)))
        };
        let (planner_queue, copier_queue) = (queue("planner"), queue("copier"));
        let ledger = Ledger::new(
            Arc::new(database.table()),
            Arc::clone(&planner_queue),
            Arc::clone(&copier_queue),
            machine.clock(),
            known_dead,
        );
        let job = JobName(job.name.clone());
        Self { job, ledger, database, planner_queue, copier_queue }
    }

    /// A pass of this job.
    pub(crate) fn pass(&self, pass: PassId) -> PassRef {
        PassRef { job: self.job.clone(), pass }
    }

    /// The pass of that id, or the newest that was not skipped.
    pub(crate) async fn shown_pass(&self, id: Option<&str>) -> Result<PassRef, CommandError> {
        let passes = self.ledger.passes(&self.job).await?;
        let mut real = passes.into_iter().rev().filter(|pass| pass.state != PassState::Skipped);
        let found = match id {
            None => real.next().ok_or_else(|| CommandError::NoPass(self.job.0.clone()))?,
            Some(id) => real
                .find(|pass| pass.pass.0 == id)
                .ok_or_else(|| CommandError::UnknownPass(id.to_owned()))?,
        };
        Ok(self.pass(found.pass))
    }
}
