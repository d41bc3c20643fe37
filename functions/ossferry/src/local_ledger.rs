//! A ledger in a SQLite file of this machine. Several jobs may share one: each has queues of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ossferry_core::job::{Job, StateSpec};
use ossferry_core::ports::Queue;
use ossferry_ledger::Ledger;
use ossferry_ledger::ids::JobName;
use ossferry_ledger::lease::KnownDead;
use ossferry_local::{Database, Presence};

use crate::command_error::CommandError;
use crate::job_ledger::JobLedger;
use crate::machine::Machine;

/// Where the ledger of a job is kept on this machine. A stack's is never asked for: it has no file.
pub(crate) fn ledger_path(job: &Job) -> PathBuf {
    match &job.state {
        StateSpec::Local { path } => PathBuf::from(path),
        stack => unreachable!("a ledger of {stack:?} is no file"),
    }
}

/// Opens the ledger as one of its workers, and makes it where it is not there.
pub(crate) fn join(
    job: &Job,
    machine: &Machine,
) -> Result<(JobLedger, Database, Presence), CommandError> {
    let database =
        Database::open(ledger_path(job), machine.clock()).map_err(CommandError::Database)?;
    let presence = Presence::join(&database).map_err(CommandError::Database)?;
    let roll = presence.clone();
    let known_dead = move |owner: &str| roll.owner_is_dead(owner);
    Ok((open(job, &database, machine, Arc::new(known_dead)), database, presence))
}

/// Opens a ledger that is there, to look at it. `job_file` is for the hint where there is none.
pub(crate) fn look(
    job: &Job,
    job_file: &Path,
    machine: &Machine,
) -> Result<(JobLedger, Database), CommandError> {
    let path = ledger_path(job);
    if !path.exists() {
        // A path that is relative means another file in another folder: say which was meant.
        let path = std::path::absolute(&path).unwrap_or(path);
        return Err(CommandError::NoLedger { path, job_file: job_file.to_owned() });
    }
    let database = Database::open(path, machine.clock()).map_err(CommandError::Database)?;
    Ok((open(job, &database, machine, Arc::new(|_: &str| false)), database))
}

fn open(job: &Job, database: &Database, machine: &Machine, known_dead: KnownDead) -> JobLedger {
    let queue =
        |of: &str| -> Arc<dyn Queue> { Arc::new(database.queue(&format!("{}/{of}", job.name))) };
    let (planner_queue, copier_queue) = (queue("planner"), queue("copier"));
    let ledger = Ledger::new(
        Arc::new(database.table()),
        Arc::clone(&planner_queue),
        Arc::clone(&copier_queue),
        machine.clock(),
        known_dead,
    );
    JobLedger { job: JobName(job.name.clone()), ledger, planner_queue, copier_queue }
}
