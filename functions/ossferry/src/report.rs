//! `report`: what a pass did.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use ossferry_core::outcome::Outcome;
use ossferry_core::report::ReportState;
use ossferry_ledger::ids::PassRef;
use ossferry_ledger::{Ledger, ObjectRecord};

use crate::cli::Format;
use crate::command_error::CommandError;
use crate::job_ledger::{JobLedger, read_job};
use crate::machine::Machine;
use crate::object_csv::write_objects;
use crate::summary::{json_line, left_behind, report_of};

/// Prints the totals of a pass, or a row for each of its objects. Answers the exit status.
pub(crate) async fn print(
    job_file: &Path,
    format: Format,
    pass: Option<&str>,
    machine: &Machine,
) -> Result<u8, CommandError> {
    let job = read_job(job_file)?;
    let (kept, _) = JobLedger::look(&job, job_file, machine).await?;
    let pass = kept.shown_pass(pass).await?;
    let mut output = BufWriter::new(io::stdout());
    let report = report_of(&kept.ledger.status(&pass).await?, machine.now());
    match format {
        Format::Csv => write_objects(&kept.ledger, &pass, &mut output).await?,
        Format::Json => writeln!(output, "{}", json_line(&report))?,
        Format::Text => {
            writeln!(output, "{report}")?;
            if let Some(hint) = left_behind(&report, job_file) {
                writeln!(output, "{hint}")?;
            }
        }
    }
    output.flush()?;
    let differs = report.state == ReportState::Finished && report.unequal() > 0;
    Ok(if differs { report.exit_status() } else { 0 })
}

/// The first objects of a pass with one of these outcomes.
pub(crate) async fn first_of(
    ledger: &Ledger,
    pass: &PassRef,
    outcomes: &[Outcome],
    objects_max: usize,
) -> Result<Vec<ObjectRecord>, CommandError> {
    let mut found = Vec::new();
    let mut walk = ledger.task_walk(pass).await?;
    while found.len() < objects_max
        && let Some((task, row)) = walk.next().await?
    {
        if outcomes.iter().any(|outcome| row.sum.of(*outcome) > 0) {
            let records = ledger.object_records(&task, &row).await?;
            let is_one = |record: &ObjectRecord| {
                outcome_of(record).is_some_and(|outcome| outcomes.contains(&outcome))
            };
            found.extend(records.into_iter().filter(is_one));
        }
    }
    found.truncate(objects_max);
    Ok(found)
}

/// What became of an object, if anything did.
pub(crate) fn outcome_of(record: &ObjectRecord) -> Option<Outcome> {
    record.result.as_ref().and_then(|result| result.outcome)
}

/// Why an object has the outcome it has.
pub(crate) fn reason_of(record: &ObjectRecord) -> &str {
    record.result.as_ref().and_then(|result| result.reason.as_deref()).unwrap_or("no reason noted")
}
