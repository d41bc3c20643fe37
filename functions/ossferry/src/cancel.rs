//! `cancel`: ends the pass that runs.

use std::path::Path;

use ossferry_ledger::rows::PassState;

use crate::command_error::CommandError;
use crate::local_ledger::{LocalLedger, read_job};
use crate::machine::Machine;

/// Writes that the pass is cancelled.
pub(crate) async fn cancel(job_file: &Path, machine: &Machine) -> Result<(), CommandError> {
    let job = read_job(job_file)?;
    let local = LocalLedger::look(&job, job_file, machine)?;
    let running = local.ledger.running_pass(&local.job).await?.ok_or(CommandError::NoPassRuns)?;
    let pass = local.pass(running);
    let row = local.ledger.end_pass(&pass, PassState::Cancelled, None).await?;
    eprintln!("pass {} is {}", row.pass, row.state);
    Ok(())
}
