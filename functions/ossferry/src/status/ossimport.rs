//! A pass as ossimport's `stat` prints a job, for scripts that read that.
//!
//! Its standalone form, of version 2.3.5: <https://github.com/sbcloud/help> shows it. Dispatched tasks are
//! those that a worker has; they fall to 0, as they do there.

use std::fmt::Write as _;

use ossferry_core::outcome::Outcome;
use ossferry_core::report::{Report, ReportState};
use ossferry_ledger::PassStatus;
use ossferry_ledger::rows::{TaskRow, TaskState};

/// What `stat` says of tasks, from their rows.
#[derive(Default)]
pub(super) struct Tasks {
    pending: u64,
    succeeded: u64,
    failed: u64,
    /// Name, row.
    running: Vec<(String, TaskRow)>,
}

impl Tasks {
    /// Counts a task. ossimport calls one failed in which an object failed.
    pub(super) fn count(&mut self, task: String, row: TaskRow) {
        match row.state {
            TaskState::Planned => self.pending += 1,
            TaskState::Copying => self.running.push((task, row)),
            TaskState::Failed => self.failed += 1,
            TaskState::Done if row.sum.of(Outcome::Failed) > 0 => self.failed += 1,
            TaskState::Done => self.succeeded += 1,
        }
    }
}

/// The words of ossimport. A pass that listed nothing is no success here: there it is one.
fn state(report: &Report, working: bool) -> &'static str {
    match report.state {
        ReportState::Open if working => "Running",
        ReportState::Open => "Abort",
        ReportState::Finished if report.failed == 0 && report.listed > 0 => "Succeed",
        ReportState::Finished | ReportState::Stopped | ReportState::Cancelled => "Failed",
    }
}

/// The text of `stat`.
pub(super) fn stat(
    job: &str,
    status: &PassStatus,
    report: &Report,
    tasks: &Tasks,
    working: bool,
) -> String {
    let Tasks { pending, succeeded, failed, running } = tasks;
    let scanned = report.state != ReportState::Open || status.slices_unwalked == 0;
    let mut text = format!(
        "-------------- job stats ---------------\n\
         ---------------- job stat ------------------\n\
         JobName:{job}\n\
         JobState:{state}\n\
         PendingTasks:{pending}\n\
         DispatchedTasks:{at_work}\n\
         RunningTasks:{at_work}\n\
         SucceedTasks:{succeeded}\n\
         FailedTasks:{failed}\n\
         ScanFinished:{scanned}\n\
         TotalFileCount:{listed}\n\
         TotalFileSize:{bytes}\n\
         FailedFileCount:{failed_files}\n\
         RunningTasks Progress:\n",
        state = state(report, working),
        at_work = running.len(),
        listed = report.listed,
        bytes = report.bytes_listed,
        failed_files = report.failed,
    );
    for (task, row) in running {
        let (done, objects) = (row.sum.objects(), row.objects);
        writeln!(text, "{task}:{}/{} {done}/{objects}", row.sum.bytes_copied, row.bytes)
            .expect("a text takes any text");
    }
    text
}

#[cfg(test)]
mod tests {
    use ossferry_core::key::Key;
    use ossferry_core::report::PassFacts;
    use ossferry_core::sums::{Sum, Walked};
    use ossferry_core::time::Timestamp;
    use ossferry_ledger::lease::Lease;
    use ossferry_ledger::rows::TaskKind;

    use super::*;

    fn row(state: TaskState, failed: u64) -> TaskRow {
        let mut sum = Sum::default();
        sum.count(Outcome::Copied, 30, None);
        for _ in 0..failed {
            sum.count(Outcome::Failed, 9, None);
        }
        TaskRow {
            seq: 1,
            kind: TaskKind::Batch,
            state,
            first_key: Key::from("a"),
            last_key: Key::from("b"),
            objects: 5,
            bytes: 100,
            sum,
            attempts: 1,
            fruitless: 0,
            lease: Lease::default(),
            result_fences: Vec::new(),
            in_work: None,
            deaths: Vec::new(),
            list_digest: String::new(),
            planned_at: Timestamp(0),
            started_at: None,
            ended_at: None,
            reminder: None,
        }
    }

    fn report(state: ReportState, listed: u64, failed: u64) -> Report {
        let facts = PassFacts {
            pass: "p".to_owned(),
            kind: "full".to_owned(),
            state,
            reason: None,
            serial: false,
            source_is_s3: false,
            slices: 1,
            tasks: 1,
            seconds: 1.0,
        };
        let walked = Walked { listed, listed_bytes: 895_758_205, ..Walked::default() };
        let mut sum = Sum::default();
        for _ in 0..failed {
            sum.count(Outcome::Failed, 0, None);
        }
        Report::new(facts, &walked, &sum)
    }

    #[test]
    fn states_are_in_the_words_that_scripts_of_ossimport_look_for() {
        for (found, working, listed, failed, want) in [
            (ReportState::Open, true, 1, 0, "Running"),
            (ReportState::Open, false, 1, 0, "Abort"),
            (ReportState::Finished, false, 1, 0, "Succeed"),
            (ReportState::Finished, false, 1, 1, "Failed"),
            (ReportState::Finished, false, 0, 0, "Failed"),
            (ReportState::Stopped, false, 1, 0, "Failed"),
            (ReportState::Cancelled, false, 1, 0, "Failed"),
        ] {
            assert_eq!(state(&report(found, listed, failed), working), want);
        }
    }

    #[test]
    fn a_task_is_counted_once_and_failed_where_an_object_failed() {
        let mut tasks = Tasks::default();
        for (number, (state, failed)) in [
            (TaskState::Planned, 0),
            (TaskState::Copying, 1),
            (TaskState::Done, 0),
            (TaskState::Done, 2),
            (TaskState::Failed, 0),
        ]
        .into_iter()
        .enumerate()
        {
            tasks.count(format!("0/{number}"), row(state, failed));
        }
        assert_eq!((tasks.pending, tasks.succeeded, tasks.failed), (1, 1, 2));
        let running: Vec<_> = tasks.running.iter().map(|(task, _)| task.as_str()).collect();
        assert_eq!(running, ["0/1"]);
    }
}
