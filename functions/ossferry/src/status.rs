//! `status`: how a pass stands.

mod ossimport;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ossferry_core::report::Report;
use ossferry_ledger::rows::PassState;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::command_error::CommandError;
use crate::job_ledger::{JobLedger, read_job};
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
            let text = if json {
                let standing = Standing { report: &report, working };
                serde_json::to_string(&standing).expect("a report is texts and numbers")
            } else if has_ended || working {
                report.to_string()
            } else {
                format!("{report}\n{idle}")
            };
            writeln!(std::io::stdout(), "{text}")?;
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
