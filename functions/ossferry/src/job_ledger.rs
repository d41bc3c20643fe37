//! The job file, and its ledger wherever that is kept.

use std::path::Path;
use std::sync::Arc;

use ossferry_core::job::Job;
use ossferry_core::ports::Queue;
use ossferry_ledger::Ledger;
use ossferry_ledger::ids::{JobName, PassId, PassRef};
use ossferry_ledger::rows::PassState;
use ossferry_local::Database;

use crate::command_error::CommandError;
use crate::host::mark::{Mark, worker_mark};
use crate::local_ledger;
use crate::machine::Machine;
use crate::stack::Stack;

/// Reads a job file.
pub(crate) fn read_job(path: &Path) -> Result<Job, CommandError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| CommandError::JobFileUnreadable { path: path.to_owned(), error })?;
    Job::parse(&text).map_err(|errors| CommandError::JobFileWrong { path: path.to_owned(), errors })
}

/// Where work on a ledger is done.
pub(crate) enum Workplace {
    /// By processes of this machine, on this file.
    Machine(Database),
    /// By functions, which start by themselves.
    Stack(Box<Stack>),
}

impl Workplace {
    /// Whether somebody works on the job. Functions do where a message waits for one or is held by one.
    pub(crate) async fn is_manned(&self, job: &JobName) -> Result<bool, CommandError> {
        match self {
            Self::Machine(database) => Ok(Mark::is_set(&worker_mark(database.path(), &job.0))),
            Self::Stack(stack) => stack.has_messages().await,
        }
    }

    /// What to do where nobody does.
    pub(crate) fn advice(&self, job_file: &Path) -> String {
        let job = job_file.display();
        match self {
            Self::Machine(_) => {
                format!("no process works on it; go on with: ossferry run --job {job}")
            }
            Self::Stack(_) => format!(
                "no message waits for a function or is held by one; send again what is due with: \
                 ossferry sweep --job {job}"
            ),
        }
    }
}

/// The ledger of a job.
pub(crate) struct JobLedger {
    /// The job's name.
    pub(crate) job: JobName,
    /// Rows and messages.
    pub(crate) ledger: Ledger,
    /// Messages for planners.
    pub(crate) planner_queue: Arc<dyn Queue>,
    /// Messages for copiers.
    pub(crate) copier_queue: Arc<dyn Queue>,
}

impl JobLedger {
    /// Opens a ledger that is there, to look at it, and says where work on it is done. `job_file` is
    /// for the hint where there is none.
    pub(crate) async fn look(
        job: &Job,
        job_file: &Path,
        machine: &Machine,
    ) -> Result<(Self, Workplace), CommandError> {
        match Stack::of(&job.state, machine).await? {
            None => {
                let (kept, database) = local_ledger::look(job, job_file, machine)?;
                Ok((kept, Workplace::Machine(database)))
            }
            Some(stack) => Ok((stack.ledger(job, machine), Workplace::Stack(Box::new(stack)))),
        }
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
