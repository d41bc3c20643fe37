//! `plan` and `run` where functions do the work: asked for, watched, and reported.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ossferry_core::job::Job;
use ossferry_core::report::{Report, ReportState};
use ossferry_ledger::PassStatus;
use ossferry_ledger::ids::{PassId, PassRef};
use ossferry_ledger::rows::PassState;
use tokio::time::{Instant, sleep};

use super::{Asked, conclude, title};
use crate::choose::{Choice, choose, new_pass_id};
use crate::cli::{PassArguments, PlanArguments, RunArguments, WantedPass, WorkArguments};
use crate::command_error::CommandError;
use crate::fidelity::extra_requests;
use crate::host::interrupt::{INTERRUPTED, Interrupts};
use crate::job_ledger::{JobLedger, Workplace};
use crate::machine::Machine;
use crate::progress::Progress;
use crate::stack::{Stack, Trigger, TriggerOutcome};
use crate::summary::{json_line, report_of};

/// Totals are summed at most this often: each look is paid for.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);

const NO_WORKERS: &str = "how many run at once is a parameter of the stack";

/// Copiers start by themselves.
pub(super) fn no_copy() -> CommandError {
    let hint = "they start by themselves; watch them with: ossferry status --watch";
    CommandError::ForMachines { what: "copy", hint }
}

/// Asks for a pass and says what came of it.
pub(super) async fn plan(
    job: &Job,
    arguments: &PlanArguments,
    asked: &Asked<'_>,
    machine: &Machine,
) -> Result<u8, CommandError> {
    if arguments.invocation_seconds.is_some() {
        let what = "--invocation-seconds";
        return Err(CommandError::ForMachines { what, hint: "the stack sets a function's time" });
    }
    let (kept, stack) = open(job, asked.job_file, machine).await?;
    let begun = trigger(&kept, &stack, job, &arguments.pass, asked, machine).await?;
    println!("{}", begun.sentence);
    eprintln!("watch it with: {} --watch", asked.line("status"));
    Ok(0)
}

/// Asks for a pass, watches it to its end and reports.
pub(super) async fn run(
    job: &Job,
    arguments: &RunArguments,
    asked: &Asked<'_>,
    machine: &Machine,
) -> Result<u8, CommandError> {
    refuse_limits(arguments.work)?;
    let (kept, stack) = open(job, asked.job_file, machine).await?;
    let (pass, report) = to_end(&kept, &stack, job, &arguments.pass, asked, machine).await?;
    if report.state == ReportState::Open {
        eprintln!(
            "interrupted; the functions go on. watch them with: {} --watch, or end the pass with: {}",
            asked.line("status"),
            asked.line("cancel")
        );
        if asked.json {
            writeln!(std::io::stdout(), "{}", json_line(&report))?;
        }
        return Ok(INTERRUPTED);
    }
    conclude(&kept, &pass, &report, asked).await?;
    Ok(report.exit_status())
}

/// Options of processes of this machine.
pub(super) fn refuse_limits(work: WorkArguments) -> Result<(), CommandError> {
    if work.workers.is_some() {
        return Err(CommandError::ForMachines { what: "--workers", hint: NO_WORKERS });
    }
    if work.invocation_seconds.is_some() {
        let what = "--invocation-seconds";
        return Err(CommandError::ForMachines { what, hint: "the stack sets a function's time" });
    }
    Ok(())
}

/// Asks for a pass, or finds the one that runs, and watches it to its end. One that is still open was
/// left to its functions: somebody interrupted.
pub(super) async fn to_end(
    kept: &JobLedger,
    stack: &Stack,
    job: &Job,
    arguments: &PassArguments,
    asked: &Asked<'_>,
    machine: &Machine,
) -> Result<(PassRef, Report), CommandError> {
    let interrupts = Interrupts::listen().map_err(CommandError::Signals)?;
    let begun = trigger(kept, stack, job, arguments, asked, machine).await?;
    eprintln!("{}", begun.sentence);
    let pass = kept.pass(begun.pass);
    let status = watch(kept, &pass, &interrupts, machine).await?;
    Ok((pass, report_of(&status, machine.now())))
}

/// Refuses while functions of a pass that ended early may hold work.
pub(super) async fn refuse_predecessors(kept: &JobLedger) -> Result<(), CommandError> {
    for pass in kept.ledger.passes(&kept.job).await? {
        let is_early = matches!(pass.state, PassState::Stopped | PassState::Cancelled);
        if is_early && pass.cleared.is_none() {
            return Err(CommandError::NotCleared(pass.pass));
        }
    }
    Ok(())
}

pub(super) async fn open(
    job: &Job,
    job_file: &Path,
    machine: &Machine,
) -> Result<(JobLedger, Box<Stack>), CommandError> {
    match JobLedger::look(job, job_file, machine).await? {
        (kept, Workplace::Stack(stack)) => Ok((kept, stack)),
        (_, Workplace::Machine(_)) => unreachable!("only a job of a stack comes here"),
    }
}

/// The pass to watch, and how it was come by.
struct BegunPass {
    pass: PassId,
    sentence: String,
}

async fn trigger(
    kept: &JobLedger,
    stack: &Stack,
    job: &Job,
    arguments: &PassArguments,
    asked: &Asked<'_>,
    machine: &Machine,
) -> Result<BegunPass, CommandError> {
    for told in extra_requests(job) {
        eprintln!("{told}");
    }
    let deployed = kept.ledger.deployed_job(&kept.job).await?;
    let deployed = deployed.ok_or_else(|| CommandError::NotDeployed {
        job: kept.job.0.clone(),
        job_file: asked.job_file.to_owned(),
    })?;
    if deployed.definition_hash != job.definition_hash() {
        eprintln!(
            "the job file is not what is deployed, and the deployed one holds; deploy it with: {}",
            asked.line("deploy-job")
        );
    }
    let running = match kept.ledger.running_pass(&kept.job).await? {
        Some(running) => Some(kept.ledger.pass(&kept.pass(running)).await?),
        None => None,
    };
    let wanted = arguments.pass.map(WantedPass::kind);
    let kind = match choose(wanted, arguments.bounds(), running.as_ref())? {
        Choice::GoOn(pass) => {
            return Ok(BegunPass {
                sentence: format!("{} is running already", title(&pass)),
                pass,
            });
        }
        Choice::Begin(kind) => kind,
    };
    let pass = new_pass_id(machine.now(), fastrand::u32(..));
    let (since, reread) = (arguments.since, arguments.reread);
    let trigger = Trigger { job: &kept.job, pass: &pass, kind, since, reread };
    let answer = stack.trigger(&trigger).await?;
    Ok(match answer.outcome {
        TriggerOutcome::Running => {
            let kind = kept.ledger.pass(&kept.pass(answer.pass.clone())).await?.kind;
            BegunPass { sentence: format!("{} ({kind}) has begun", title(&answer.pass)), pass }
        }
        TriggerOutcome::Skipped => {
            let pass = answer.running.ok_or(CommandError::NoPassRuns)?;
            BegunPass { sentence: format!("{} has just begun", title(&pass)), pass }
        }
        TriggerOutcome::Ended => BegunPass {
            sentence: format!("{} has ended already", title(&answer.pass)),
            pass: answer.pass,
        },
        TriggerOutcome::Refused => {
            let reason = answer.reason.unwrap_or_else(|| "the planner gives no reason".to_owned());
            return Err(CommandError::TriggerRefused(reason));
        }
    })
}

/// Shows how far the pass is until it has ended, or somebody asks to stop.
async fn watch(
    kept: &JobLedger,
    pass: &PassRef,
    interrupts: &Interrupts,
    machine: &Machine,
) -> Result<PassStatus, CommandError> {
    let mut progress = Progress::new(title(&pass.pass), machine.is_terminal, Arc::default());
    loop {
        let began = Instant::now();
        let status = kept.ledger.status(pass).await?;
        if status.row.state.is_final() {
            progress.finish();
            return Ok(status);
        }
        progress.show(&status);
        // Never more than a tenth of the time for looking.
        tokio::select! {
            () = interrupts.first() => {
                progress.finish();
                return Ok(status);
            }
            () = sleep(WATCH_INTERVAL.max(began.elapsed() * 9)) => {}
        }
    }
}
