//! A pass as ossimport's `stat` prints a job, for scripts that read that.
//!
//! Its standalone form, of version 2.3.5: <https://github.com/sbcloud/help> shows it. Dispatched tasks are
//! those that a worker has; they fall to 0, as they do there.

use std::fmt::Write as _;

use ossferry_core::outcome::Outcome;
use ossferry_core::report::{Report, ReportState};
use ossferry_core::sums::Sum;
use ossferry_ledger::PassStatus;
use ossferry_ledger::ids::TaskRef;
use ossferry_ledger::rows::TaskState;

/// What `stat` says of tasks, from their rows.
#[derive(Default)]
pub(super) struct Tasks {
    pending: u64,
    succeeded: u64,
    failed: u64,
    running: Vec<Running>,
}

/// A task that a copier is at.
struct Running {
    task: String,
    /// Bytes copied, and all of them.
    bytes: (u64, u64),
    /// Objects that have an outcome, and all of them.
    objects: (u64, u64),
}

impl Tasks {
    /// Counts a task of so many objects and bytes. ossimport calls one failed in which an object failed.
    pub(super) fn count(
        &mut self,
        task: &TaskRef,
        state: TaskState,
        sum: &Sum,
        (objects, bytes): (u64, u64),
    ) {
        match state {
            TaskState::Planned => self.pending += 1,
            TaskState::Copying => self.running.push(Running {
                task: task.to_string(),
                bytes: (sum.bytes_copied, bytes),
                objects: (sum.objects(), objects),
            }),
            TaskState::Failed => self.failed += 1,
            TaskState::Done if sum.of(Outcome::Failed) > 0 => self.failed += 1,
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
    for Running { task, bytes: (copied, bytes), objects: (done, objects) } in running {
        writeln!(text, "{task}:{copied}/{bytes} {done}/{objects}").expect("a text takes any text");
    }
    text
}

#[cfg(test)]
mod tests {
    use ossferry_core::report::PassFacts;
    use ossferry_core::sums::Walked;
    use ossferry_ledger::ids::{PassRef, SliceId};

    use super::*;

    fn report(state: ReportState, listed: u64, failed: u64) -> Report {
        let facts = PassFacts {
            pass: "p".to_owned(),
            kind: "full".to_owned(),
            state,
            reason: None,
            serial: false,
            source_is_s3: false,
            restoring: 0,
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
        let pass = PassRef { job: "j".into(), pass: "p".into() };
        let slice = pass.slice(SliceId::root());
        let mut tasks = Tasks::default();
        for (number, (state, failed)) in (1_u64..).zip([
            (TaskState::Planned, 0),
            (TaskState::Copying, 1),
            (TaskState::Done, 0),
            (TaskState::Done, 2),
            (TaskState::Failed, 0),
        ]) {
            let mut sum = Sum::default();
            sum.count(Outcome::Copied, 30, None);
            (0..failed).for_each(|_| sum.count(Outcome::Failed, 9, None));
            tasks.count(&slice.task(number), state, &sum, (5, 100));
        }
        assert_eq!((tasks.pending, tasks.succeeded, tasks.failed), (1, 1, 2));
        let running = &tasks.running[0];
        assert_eq!((running.task.as_str(), tasks.running.len()), ("0/2", 1));
        assert_eq!((running.bytes, running.objects), ((30, 100), (2, 5)));
    }
}
