//! `sweep`: sends again what is due and has no worker, and clears up after passes that ended early.

use std::path::Path;

use ossferry_core::job::Job;
use ossferry_ledger::rows::PassState;

use super::{Crew, clear_uploads};
use crate::cli::WorkArguments;
use crate::command_error::CommandError;
use crate::host::{MESSAGE_IDLE, Role};
use crate::job_ledger::{JobLedger, Workplace, read_job};
use crate::machine::Machine;

/// Sweeps once. In a stack the planner does it: it has the target's keys, with which uploads that nobody
/// will complete are aborted, and the sweep that is scheduled there takes the same way.
pub(crate) async fn sweep(job_file: &Path, machine: &Machine) -> Result<(), CommandError> {
    let job = read_job(job_file)?;
    let (kept, workplace) = JobLedger::look(&job, job_file, machine).await?;
    let Workplace::Stack(stack) = workplace else {
        return sweep_here(job, machine).await;
    };
    if kept.ledger.deployed_job(&kept.job).await?.is_none() {
        let (job, job_file) = (kept.job.0, job_file.to_owned());
        return Err(CommandError::NotDeployed { job, job_file });
    }
    let swept = stack.sweep(&kept.job).await?;
    for pass in &swept {
        say(&pass.pass.0, pass.slices, pass.tasks);
    }
    if swept.is_empty() {
        eprintln!("no pass of job {} runs: nothing was sent", kept.job);
    }
    Ok(())
}

async fn sweep_here(job: Job, machine: &Machine) -> Result<(), CommandError> {
    debug_assert!(!job.state.is_stack());
    let window = u64::from(job.limits.window_tasks);
    let crew = Crew::hire(job, Role::Copy, WorkArguments::default(), machine).await?;
    let kept = &crew.kept;
    crew.release_dead().await?;
    match kept.ledger.running_pass(&kept.job).await? {
        Some(running) => {
            let pass = kept.pass(running);
            let swept = kept.ledger.sweep(&pass, window, MESSAGE_IDLE).await?;
            say(&pass.pass.0, swept.slices, swept.tasks);
        }
        None => eprintln!("no pass of job {} runs: nothing was sent", kept.job),
    }
    for pass in kept.ledger.passes(&kept.job).await? {
        let is_early = matches!(pass.state, PassState::Stopped | PassState::Cancelled);
        if is_early && pass.cleared.is_none() {
            clear_uploads(&crew, &kept.pass(pass.pass)).await;
        }
    }
    Ok(())
}

fn say(pass: &str, slices: u64, tasks: u64) {
    eprintln!("pass {pass}: {slices} key ranges and {tasks} tasks were sent again");
}
