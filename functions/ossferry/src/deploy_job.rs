//! `deploy-job`: the definition that functions begin the next pass with.

use std::path::Path;

use ossferry_ledger::Deployed;

use crate::command_error::CommandError;
use crate::job_ledger::{JobLedger, Workplace, read_job};
use crate::machine::Machine;

/// Writes the job file into the table.
pub(crate) async fn deploy(job_file: &Path, machine: &Machine) -> Result<(), CommandError> {
    let job = read_job(job_file)?;
    let (kept, workplace) = look(&job, job_file, machine).await?;
    let hash = job.definition_hash();
    let (is_new, running) = match kept.ledger.deploy_job(&job).await? {
        Deployed::Standing { is_new, running } => (is_new, running),
        Deployed::ScopeDiffers { running } => {
            return Err(CommandError::DeployedScopeDiffers { running });
        }
    };
    let Workplace::Stack(stack) = workplace else { return Ok(()) };
    if is_new {
        eprintln!("job {} is deployed to stack {}, as {hash}", kept.job, stack.place);
    } else {
        eprintln!("job {} stands in stack {} already, as {hash}", kept.job, stack.place);
    }
    if let Some(running) = running {
        eprintln!("pass {running} runs and keeps the definition that it began with");
    }
    Ok(())
}

async fn look(
    job: &ossferry_core::job::Job,
    job_file: &Path,
    machine: &Machine,
) -> Result<(JobLedger, Workplace), CommandError> {
    if !job.state.is_stack() {
        let hint = "run takes the job file as it is";
        return Err(CommandError::ForStacks { command: "deploy-job", hint });
    }
    JobLedger::look(job, job_file, machine).await
}
