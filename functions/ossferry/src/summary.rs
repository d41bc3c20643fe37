//! From what the ledger says of a pass to its report.

use std::path::Path;

use ossferry_core::job::Job;
use ossferry_core::outcome::Outcome;
use ossferry_core::ports::ListingOrder;
use ossferry_core::report::{PassFacts, Report, ReportState};
use ossferry_core::time::Timestamp;
use ossferry_ledger::PassStatus;
use ossferry_ledger::rows::PassState;

/// The report of a pass as it stands at `now`, by the ledger's clock.
pub(crate) fn report_of(status: &PassStatus, now: Timestamp) -> Report {
    let row = &status.row;
    let facts = PassFacts {
        pass: row.pass.0.clone(),
        kind: row.kind.as_str().to_owned(),
        state: match row.state {
            PassState::Open => ReportState::Open,
            PassState::Finished => ReportState::Finished,
            PassState::Stopped => ReportState::Stopped,
            PassState::Cancelled | PassState::Skipped => ReportState::Cancelled,
        },
        reason: row.reason.clone(),
        serial: is_serial(&row.definition),
        source_is_s3: is_s3(&row.definition),
        restoring: status.restoring,
        slices: status.totals.slices,
        tasks: status.totals.tasks,
        seconds: row.ended.unwrap_or(now).since(row.began).as_secs_f64(),
    };
    Report::new(facts, &status.totals.walked, &status.totals.sum)
}

/// As the definition says that the pass began with. Of a list of keys nobody asks how the store lists.
fn is_serial(definition: &str) -> bool {
    let is_serial = |job: Job| {
        job.source.keys().is_none() && job.source.listing_order() == ListingOrder::Serial
    };
    Job::from_json(definition).is_ok_and(is_serial)
}

fn is_s3(definition: &str) -> bool {
    let is_s3 = |job: Job| job.source.kind() == "s3";
    Job::from_json(definition).is_ok_and(is_s3)
}

/// Outcomes of an object that is not at the target as it is at the source.
pub(crate) const LEFT_BEHIND: [Outcome; 4] =
    [Outcome::Failed, Outcome::Deferred, Outcome::Archived, Outcome::Unsupported];

/// How to list what is no failure and was not copied all the same, where there is any.
pub(crate) fn left_behind(report: &Report, job_file: &Path) -> Option<String> {
    let count = report.deferred + report.archived + report.unsupported;
    let (job_file, pass) = (job_file.display(), &report.pass);
    (count > 0).then(|| {
        format!(
            "{count} left behind without a failure; list them with: \
             ossferry inspect --job {job_file} --pass {pass} left-behind"
        )
    })
}

/// What an audit tells of: everything but what it found equal.
pub(crate) const UNEQUAL: [Outcome; 8] = [
    Outcome::Missing,
    Outcome::Different,
    Outcome::NewerAtTarget,
    Outcome::ExtraAtTarget,
    Outcome::Changed,
    Outcome::Gone,
    Outcome::Unsupported,
    Outcome::Failed,
];

/// The report as one line of JSON.
pub(crate) fn json_line(report: &Report) -> String {
    serde_json::to_string(report).expect("a report is texts and numbers")
}
