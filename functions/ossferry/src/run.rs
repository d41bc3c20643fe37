//! `run`, `plan`, `copy`: work on a pass, and what is said at its end.

mod crew;
mod deployed;
mod sweeping;
mod workers;

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use ossferry_core::job::Job;
use ossferry_core::outcome::Outcome;
use ossferry_core::report::Report;
use ossferry_core::time::Timestamp;
use ossferry_ledger::Begun;
use ossferry_ledger::ids::{PassId, PassRef};
use ossferry_ledger::rows::{PassKind, PassState};
use ossferry_planner::{Cleared, Planner, Trigger};
use tokio::time::{Instant, sleep};

pub(crate) use self::crew::Crew;
pub(crate) use self::sweeping::sweep;
pub(crate) use self::workers::Workers;
use crate::choose::{Choice, choose, new_pass_id};
use crate::cli::{CopyArguments, PassArguments, PlanArguments, RunArguments, WorkArguments};
use crate::command_error::CommandError;
use crate::fidelity::extra_requests;
use crate::host::interrupt::INTERRUPTED;
use crate::host::{HostEnd, Role};
use crate::job_ledger::{JobLedger, read_job};
use crate::machine::Machine;
use crate::report::{first_of, outcome_of, reason_of};
use crate::summary::{UNEQUAL, json_line, left_behind, report_of};

/// `copy` waits so long for a pass to begin: whoever starts it beside a `plan` may be faster.
const BEGIN_WAIT: Duration = Duration::from_secs(10);

/// Objects that are named below the report.
const FAILURES_SHOWN: usize = 10;

/// `run`: answers the exit status.
pub(crate) async fn run(arguments: RunArguments, machine: &Machine) -> Result<u8, CommandError> {
    let job = read_job(&arguments.job.file)?;
    let asked = Asked::new("run", &arguments.job.file, arguments.json);
    if job.state.is_stack() {
        return deployed::run(&job, &arguments, &asked, machine).await;
    }
    let crew = Crew::hire(job, Role::Run, arguments.work, machine).await?;
    let chosen = begin(&crew, &arguments.pass, machine).await?;
    work(&crew, chosen, &asked, machine).await
}

/// `plan`: answers the exit status.
pub(crate) async fn plan(arguments: PlanArguments, machine: &Machine) -> Result<u8, CommandError> {
    let job = read_job(&arguments.job.file)?;
    let asked = Asked::new("plan", &arguments.job.file, false);
    if job.state.is_stack() {
        return deployed::plan(&job, &arguments, &asked, machine).await;
    }
    let limits = WorkArguments { workers: None, invocation_seconds: arguments.invocation_seconds };
    let crew = Crew::hire(job, Role::Plan, limits, machine).await?;
    let chosen = begin(&crew, &arguments.pass, machine).await?;
    work(&crew, chosen, &asked, machine).await
}

/// `copy`: answers the exit status.
pub(crate) async fn copy(arguments: CopyArguments, machine: &Machine) -> Result<u8, CommandError> {
    let job = read_job(&arguments.job.file)?;
    let asked = Asked::new("copy", &arguments.job.file, arguments.json);
    if job.state.is_stack() {
        return Err(deployed::no_copy());
    }
    let crew = Crew::hire(job, Role::Copy, arguments.work, machine).await?;
    let pass = running_pass(&crew.kept, &crew.planner, &crew.job).await?;
    work(&crew, Chosen { pass, goes_on: true }, &asked, machine).await
}

/// What somebody asked for: it is named in hints.
pub(crate) struct Asked<'a> {
    command: &'static str,
    job_file: &'a Path,
    json: bool,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(command: &'static str, job_file: &'a Path, json: bool) -> Self {
        Self { command, job_file, json }
    }

    /// The line that runs another command on the same job.
    pub(crate) fn line(&self, command: &str) -> String {
        format!("ossferry {command} --job {}", self.job_file.display())
    }
}

/// The pass to work on.
pub(crate) struct Chosen {
    pass: PassRef,
    /// Whether work of an earlier process may lie about.
    goes_on: bool,
}

impl Chosen {
    /// Which.
    pub(crate) fn pass(&self) -> &PassRef {
        &self.pass
    }
}

/// Finds the pass that runs, or begins one.
pub(crate) async fn begin(
    crew: &Crew,
    arguments: &PassArguments,
    machine: &Machine,
) -> Result<Chosen, CommandError> {
    let running = crew.planner.running(&crew.job).await?;
    let wanted = arguments.pass.map(crate::cli::WantedPass::kind);
    for told in extra_requests(&crew.job) {
        eprintln!("{told}");
    }
    let kind = match choose(wanted, arguments.bounds(), running.as_ref())? {
        Choice::GoOn(pass) => {
            eprintln!("going on with pass {pass}");
            if running.is_some_and(|row| row.definition_hash != crew.job.definition_hash()) {
                eprintln!(
                    "the job file was changed since: the pass keeps policy and task sizes that it \
                     began with"
                );
            }
            return Ok(Chosen { pass: crew.kept.pass(pass), goes_on: true });
        }
        Choice::Begin(kind) => kind,
    };
    // What a pass that ended early may still write is for a pass that writes itself.
    if kind != Some(PassKind::Audit) {
        wait_for_predecessors(crew).await?;
    }
    let id = new_pass_id(machine.now(), fastrand::u32(..));
    let trigger = Trigger { pass: id, kind, since: arguments.since, reread: arguments.reread };
    let (pass, goes_on) = match crew.planner.begin(&crew.job, trigger).await? {
        Begun::Running(row) => {
            let since = row.since.map(|since| format!(", dates before {since} trusted"));
            eprintln!("pass {} ({}){}", row.pass, row.kind, since.unwrap_or_default());
            (row.pass, false)
        }
        Begun::Skipped { running } => {
            eprintln!("another process has just begun pass {running}: helping with it");
            (running, true)
        }
        Begun::Ended(row) => (row.pass, true),
    };
    Ok(Chosen { pass: crew.kept.pass(pass), goes_on })
}

async fn running_pass(
    kept: &JobLedger,
    planner: &Planner,
    job: &Job,
) -> Result<PassRef, CommandError> {
    let until = Instant::now() + BEGIN_WAIT;
    let mut has_said = false;
    loop {
        if let Some(row) = planner.running(job).await? {
            return Ok(kept.pass(row.pass));
        }
        if Instant::now() >= until {
            return Err(CommandError::NoPassRuns);
        }
        if !has_said {
            eprintln!("waiting for a pass to begin, for up to {} s", BEGIN_WAIT.as_secs());
            has_said = true;
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Works on the pass, and says at its end what became of it.
async fn work(
    crew: &Crew,
    chosen: Chosen,
    asked: &Asked<'_>,
    machine: &Machine,
) -> Result<u8, CommandError> {
    let pass = chosen.pass.clone();
    match operate(crew, chosen, &asked.line(asked.command), machine).await? {
        Ending::Interrupted => {
            if asked.json {
                let status = crew.kept.ledger.status(&pass).await?;
                let report = report_of(&status, machine.now());
                writeln!(std::io::stdout(), "{}", json_line(&report))?;
            }
            Ok(INTERRUPTED)
        }
        Ending::Walked(report) => {
            eprintln!(
                "everything is walked: {} objects planned in {} tasks; move them with: {}",
                report.planned,
                report.tasks,
                asked.line("copy"),
            );
            Ok(0)
        }
        Ending::Ended(report) => {
            conclude(&crew.kept, &pass, &report, asked).await?;
            Ok(report.exit_status())
        }
    }
}

/// How the work of this process ended.
pub(crate) enum Ending {
    /// Somebody asked to stop; it was said how to go on.
    Interrupted,
    /// Nothing is left for `plan`.
    Walked(Box<Report>),
    /// The pass has ended.
    Ended(Box<Report>),
}

/// Works on the pass. `hint` is the command that goes on after an interrupt.
pub(crate) async fn operate(
    crew: &Crew,
    chosen: Chosen,
    hint: &str,
    machine: &Machine,
) -> Result<Ending, CommandError> {
    let pass = chosen.pass.clone();
    let end = crew.host(chosen.pass, chosen.goes_on, machine)?.run().await?;
    if end == HostEnd::Interrupted {
        eprintln!("interrupted; nothing recorded is lost. go on with: {hint}");
        return Ok(Ending::Interrupted);
    }
    clear_uploads(crew, &pass).await;
    let status = crew.kept.ledger.status(&pass).await?;
    let report = Box::new(report_of(&status, machine.now()));
    Ok(if end == HostEnd::Walked { Ending::Walked(report) } else { Ending::Ended(report) })
}

/// Aborts what passes that ended early left at the target, and waits until no worker of theirs is left:
/// it might still write older bytes.
async fn wait_for_predecessors(crew: &Crew) -> Result<(), CommandError> {
    for pass in crew.kept.ledger.passes(&crew.kept.job).await? {
        let is_early = matches!(pass.state, PassState::Stopped | PassState::Cancelled);
        if !is_early || pass.cleared.is_some() {
            continue;
        }
        let (pass, mut has_said) = (crew.kept.pass(pass.pass), false);
        while let Some(until) = clear_uploads(crew, &pass).await {
            if !has_said {
                eprintln!(
                    "waiting for the workers of pass {}, which ended early, at most until {until}",
                    pass.pass
                );
                has_said = true;
            }
            sleep(Duration::from_secs(1)).await;
        }
    }
    Ok(())
}

/// Aborts the unfinished uploads of a pass that ended early. Answers until when workers of it may be at
/// work. What fails now is done before the next pass begins.
async fn clear_uploads(crew: &Crew, pass: &PassRef) -> Option<Timestamp> {
    let cleared = crew.planner.clear_uploads(pass).await;
    let cleared = cleared.inspect_err(|error| {
        tracing::warn!(pass = %pass.pass, %error, "abort unfinished uploads");
    });
    let Cleared { aborted, held_until } = cleared.unwrap_or_default();
    if aborted > 0 {
        eprintln!("aborted {aborted} unfinished uploads of pass {}", pass.pass);
    }
    held_until
}

/// Prints the report, and below it the first failures, or what an audit did not find equal.
async fn conclude(
    kept: &JobLedger,
    pass: &PassRef,
    report: &Report,
    asked: &Asked<'_>,
) -> Result<(), CommandError> {
    if let Err(broken) = report.check_law() {
        eprintln!("the counts of pass {} contradict each other: {broken}", pass.pass);
    }
    if !asked.json {
        writeln!(std::io::stdout(), "{report}")?;
    }
    let (outcomes, count, what) = if report.is_audit() {
        (UNEQUAL.as_slice(), report.unequal() - report.not_attempted, "objects")
    } else {
        ([Outcome::Failed].as_slice(), report.failed, "failures")
    };
    let named = match count {
        0 => Vec::new(),
        _ => first_of(&kept.ledger, pass, outcomes, FAILURES_SHOWN).await?,
    };
    for record in &named {
        let outcome = outcome_of(record).map_or("pending", Outcome::as_str);
        eprintln!("{outcome}: {}: {}", record.object.key, reason_of(record));
    }
    let more = count.saturating_sub(named.len() as u64);
    if more > 0 {
        eprintln!("{more} more; see: {} {what}", asked.line("inspect"));
    }
    if let Some(hint) = left_behind(report, asked.job_file) {
        eprintln!("{hint}");
    }
    if asked.json {
        writeln!(std::io::stdout(), "{}", json_line(report))?;
    }
    Ok(())
}

/// Names a pass for a person.
pub(crate) fn title(pass: &PassId) -> String {
    format!("pass {pass}")
}
