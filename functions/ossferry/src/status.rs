//! `status`: how a pass stands.

mod ossimport;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ossferry_core::job::Job;
use ossferry_core::report::Report;
use ossferry_ledger::PassStatus;
use ossferry_ledger::rows::PassState;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::command_error::CommandError;
use crate::job_ledger::{JobLedger, read_job};
use crate::limits;
use crate::machine::Machine;
use crate::progress::Progress;
use crate::summary::report_of;

/// Totals are summed at most this often.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// The report, and whether it is going to change.
#[derive(Serialize)]
struct Standing<'a> {
    #[serde(flatten)]
    report: &'a Report,
    /// Whether the pass is open, and a process of this machine works on it; of a stack, whether messages
    /// wait for its functions or are held by them.
    working: bool,
    /// What the fleet may do, where that is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<limits::Standing>,
}

/// Prints the pass that runs, or the newest, as ossimport's `stat` would. Reads every task.
pub(crate) async fn show_as_ossimport(
    job_file: &Path,
    machine: &Machine,
) -> Result<(), CommandError> {
    let job = read_job(job_file)?;
    let (kept, workplace) = JobLedger::look(&job, job_file, machine).await?;
    let pass = kept.shown_pass(None).await?;
    let is_marked = workplace.is_manned(&kept.job).await?;
    let status = kept.ledger.status(&pass).await?;
    let working = status.row.state == PassState::Open && is_marked;
    let mut tasks = ossimport::Tasks::default();
    let mut walk = kept.ledger.task_walk(&pass).await?;
    while let Some((task, row)) = walk.next().await? {
        tasks.count(&task, row.state, &row.sum, (row.objects, row.bytes));
    }
    let report = report_of(&status, machine.now());
    let text = ossimport::stat(&kept.job.0, &status, &report, &tasks, working);
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// What the fleet that works on a pass may do, where anything limits it.
async fn limits_of(
    kept: &JobLedger,
    status: &PassStatus,
) -> Result<Option<limits::Standing>, CommandError> {
    // A definition of a newer version is not read here.
    let Ok(job) = Job::from_json(&status.row.definition) else { return Ok(None) };
    let standing = limits::Standing::of(&kept.ledger, &kept.job, &job).await?;
    Ok(standing.line().is_some().then_some(standing))
}

/// Shows the pass that runs, or the newest; with `watch` until it has ended.
pub(crate) async fn show(
    job_file: &Path,
    json: bool,
    watch: bool,
    machine: &Machine,
) -> Result<(), CommandError> {
    let job = read_job(job_file)?;
    let (kept, workplace) = JobLedger::look(&job, job_file, machine).await?;
    let pass = kept.shown_pass(None).await?;
    let title = format!("pass {}", pass.pass);
    let mut progress = Progress::new(title, machine.is_terminal && !json, Arc::default());
    let idle = workplace.advice(job_file);
    let mut was_working = true;
    loop {
        let began = Instant::now();
        // Looked at before the row: a process that ends the pass lets go of its mark afterwards.
        let is_marked = workplace.is_manned(&kept.job).await?;
        let status = kept.ledger.status(&pass).await?;
        let has_ended = status.row.state.is_final();
        let working = status.row.state == PassState::Open && is_marked;
        if json || has_ended || !watch {
            progress.finish();
            let report = report_of(&status, machine.now());
            let limits = if has_ended { None } else { limits_of(&kept, &status).await? };
            let line = limits.as_ref().and_then(limits::Standing::line);
            if json {
                let standing = Standing { report: &report, working, limits };
                let text = serde_json::to_string(&standing).expect("a report is texts and numbers");
                writeln!(std::io::stdout(), "{text}")?;
            } else {
                let idle = (!has_ended && !working).then_some(&idle);
                let report = report.to_string();
                let parts = [Some(&report), line.as_ref(), idle].into_iter().flatten();
                let text: Vec<&str> = parts.map(String::as_str).collect();
                writeln!(std::io::stdout(), "{}", text.join("\n"))?;
            }
        } else {
            progress.show(&status);
            if was_working && !working {
                progress.say(&idle);
            }
            was_working = working;
        }
        if has_ended || !watch {
            return Ok(());
        }
        sleep(WATCH_INTERVAL.max(began.elapsed() * 9)).await;
    }
}
