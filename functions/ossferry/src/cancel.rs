//! `cancel`: ends the pass that runs.

use std::path::Path;

use ossferry_ledger::rows::PassState;

use crate::command_error::CommandError;
use crate::job_ledger::{JobLedger, Workplace, read_job};
use crate::machine::Machine;

/// Writes that the pass is cancelled.
pub(crate) async fn cancel(job_file: &Path, machine: &Machine) -> Result<(), CommandError> {
    let job = read_job(job_file)?;
    let (kept, workplace) = JobLedger::look(&job, job_file, machine).await?;
    let running = kept.ledger.running_pass(&kept.job).await?.ok_or(CommandError::NoPassRuns)?;
    let pass = kept.pass(running);
    let row = kept.ledger.end_pass(&pass, PassState::Cancelled, None).await?;
    eprintln!("pass {} is {}", row.pass, row.state);
    if let Workplace::Stack(_) = workplace {
        eprintln!(
            "what functions hold ends within minutes; the next sweep then aborts unfinished uploads: \
             ossferry sweep --job {}",
            job_file.display()
        );
    }
    Ok(())
}
