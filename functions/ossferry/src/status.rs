//! `status`: how a pass stands.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::command_error::CommandError;
use crate::local_ledger::{LocalLedger, read_job};
use crate::machine::Machine;
use crate::progress::Progress;
use crate::summary::{json_line, report_of};

/// Totals are summed at most this often.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// Shows the pass that runs, or the newest; with `watch` until it has ended.
pub(crate) async fn show(
    job_file: &Path,
    json: bool,
    watch: bool,
    machine: &Machine,
) -> Result<(), CommandError> {
    let job = read_job(job_file)?;
    let local = LocalLedger::look(&job, machine)?;
    let pass = local.shown_pass(None).await?;
    let title = format!("pass {}", pass.pass);
    let mut progress = Progress::new(title, machine.is_terminal && !json, Arc::default());
    loop {
        let began = Instant::now();
        let status = local.ledger.status(&pass).await?;
        let has_ended = status.row.state.is_final();
        if json || has_ended || !watch {
            progress.finish();
            let report = report_of(&status, (machine.clock)());
            let text = if json { json_line(&report) } else { report.to_string() };
            writeln!(std::io::stdout(), "{text}")?;
        } else {
            progress.show(&status);
        }
        if has_ended || !watch {
            return Ok(());
        }
        sleep(WATCH_INTERVAL.max(began.elapsed() * 9)).await;
    }
}
