//! Reading the ledger: totals, tasks and objects of a pass.

use std::collections::BTreeSet;

use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;

use crate::ids::{JobName, PassRef, SliceRef, TaskRef};
use crate::ledger::{Ledger, LedgerError, Result};
use crate::lists::{ObjectResult, PlannedObject};
use crate::rows::{PassKind, PassRow, PassState, PassTotals, SliceState, TaskRow, TaskState};
use crate::settling::Branch;

/// Task rows read at once.
const TASK_ROWS: u64 = 256;

/// Messages that may have been sent before the slice's row says so: more than any window.
const SENT_AHEAD_MAX: u64 = 4_096;

/// A pass as it stands: totals are sums of rows, never counters.
#[derive(Clone, Debug)]
pub struct PassStatus {
    /// The pass.
    pub row: PassRow,
    /// So far, or for good once it finished.
    pub totals: PassTotals,
    /// Slices that a planner still has to walk.
    pub slices_unwalked: u64,
    /// Tasks that a copier works on.
    pub tasks_copying: u64,
    /// Tasks that have ended.
    pub tasks_ended: u64,
    /// Objects of batches that wait for the source to restore them.
    pub restoring: u64,
}

/// A planned object and what became of it, if anything did.
#[derive(Clone, Debug)]
pub struct ObjectRecord {
    /// Its task.
    pub task: TaskRef,
    /// As planned.
    pub object: PlannedObject,
    /// What became of it.
    pub result: Option<ObjectResult>,
}

/// Walks the tasks of a pass, slice by slice, a few hundred rows in memory at a time.
pub struct TaskWalk<'a> {
    ledger: &'a Ledger,
    slices: Vec<(SliceRef, u64)>,
    next: u64,
    rows: std::vec::IntoIter<TaskRow>,
}

impl TaskWalk<'_> {
    /// The next committed task.
    pub async fn next(&mut self) -> Result<Option<(TaskRef, TaskRow)>> {
        loop {
            let Some((slice, last)) = self.slices.last() else { return Ok(None) };
            if let Some(row) = self.rows.next() {
                return Ok(Some((slice.task(row.seq), row)));
            }
            if self.next > *last {
                self.slices.pop();
                self.next = 1;
                continue;
            }
            let until = (*last).min(self.next + TASK_ROWS - 1);
            self.rows = self.ledger.tasks(slice, self.next, until).await?.into_iter();
            self.next = until + 1;
        }
    }
}

impl Ledger {
    /// The tasks of a pass, in the order of its slices' ranges.
    pub async fn task_walk(&self, pass: &PassRef) -> Result<TaskWalk<'_>> {
        let mut slices = Vec::new();
        for branch in self.tree(pass).await? {
            let (slice, last, after) = match branch {
                Branch::Settled(row) => (row.slice, row.tasks, row.after),
                Branch::Live(row) => (row.slice.clone(), row.last_seq(), row.after),
                Branch::Unborn(_) => continue,
            };
            slices.push((after, pass.slice(slice), last));
        }
        slices.sort_unstable_by(|(a, ..), (b, ..)| b.cmp(a));
        let slices = slices.into_iter().map(|(_, slice, last)| (slice, last)).collect();
        Ok(TaskWalk { ledger: self, slices, next: 1, rows: Vec::new().into_iter() })
    }

    /// Totals of a pass: of settled slices from the directory, of the others their rows and the live
    /// tail of their tasks.
    pub async fn status(&self, pass: &PassRef) -> Result<PassStatus> {
        let row = self.pass(pass).await?;
        let mut status = PassStatus {
            totals: PassTotals::default(),
            slices_unwalked: 0,
            tasks_copying: 0,
            tasks_ended: 0,
            restoring: 0,
            row,
        };
        if let Some(totals) = &status.row.totals {
            status.tasks_ended = totals.tasks;
            status.totals = totals.clone();
            return Ok(status);
        }
        for branch in self.tree(pass).await? {
            status.totals.slices += 1;
            match branch {
                Branch::Unborn(_) => status.slices_unwalked += 1,
                Branch::Settled(entry) => {
                    status.totals.walked.add(&entry.walked);
                    status.totals.sum.add(&entry.sum);
                    status.totals.tasks += entry.tasks;
                    status.tasks_ended += entry.tasks;
                }
                Branch::Live(slice) => {
                    let unwalked = !slice.state.is_walked() || slice.state == SliceState::Stopped;
                    status.slices_unwalked += u64::from(unwalked);
                    status.totals.walked.add(&slice.walked);
                    status.totals.sum.add(&slice.settled_sum);
                    status.totals.tasks += slice.last_seq();
                    status.tasks_ended += slice.settled_seq;
                    // Beyond the window nobody was told to begin: those are planned, all of them.
                    let told = slice.last_seq().min(slice.sent_seq + SENT_AHEAD_MAX);
                    let id = pass.slice(slice.slice.clone());
                    let tail = self.tasks(&id, slice.settled_seq + 1, told).await?;
                    for task in tail {
                        status.totals.sum.add(&task.sum);
                        status.restoring += task.restoring;
                        status.tasks_copying += u64::from(task.state == TaskState::Copying);
                        status.tasks_ended += u64::from(task.state.is_final());
                    }
                }
            }
        }
        Ok(status)
    }

    /// Slices of a pass that a planner still has to walk: cheaper than [`Ledger::status`], because no
    /// task is read.
    pub async fn slices_unwalked(&self, pass: &PassRef) -> Result<u64> {
        let is_unwalked = |branch: &Branch| match branch {
            Branch::Unborn(_) => true,
            Branch::Settled(_) => false,
            Branch::Live(slice) => !slice.state.is_walked(),
        };
        Ok(self.tree(pass).await?.iter().filter(|branch| is_unwalked(branch)).count() as u64)
    }

    /// The objects of a task, each with what became of it.
    pub async fn object_records(&self, task: &TaskRef, row: &TaskRow) -> Result<Vec<ObjectRecord>> {
        let objects = self.objects(task, row).await?;
        let mut results: Vec<Option<ObjectResult>> = vec![None; objects.len()];
        for result in self.results(task, row).await? {
            if let Some(place) = results.get_mut(result.index as usize) {
                *place = Some(result);
            }
        }
        let records = objects.into_iter().zip(results);
        Ok(records
            .map(|(object, result)| ObjectRecord { task: task.clone(), object, result })
            .collect())
    }

    /// What a pass says of one key, newest task first where several name it.
    pub async fn find_key(&self, pass: &PassRef, key: &Key) -> Result<Vec<ObjectRecord>> {
        let mut found = Vec::new();
        let mut walk = self.task_walk(pass).await?;
        while let Some((task, row)) = walk.next().await? {
            if row.first_key <= *key && *key <= row.last_key {
                let records = self.object_records(&task, &row).await?;
                found.extend(records.into_iter().filter(|record| record.object.key == *key));
            }
        }
        found.reverse();
        Ok(found)
    }

    /// Keys whose planned objects have no outcome that ends the matter, of one pass, sorted. Without
    /// `unattempted` only those that were tried: a cancelled pass may have left millions untried.
    pub async fn unresolved_keys(
        &self,
        pass: &PassRef,
        unattempted: bool,
    ) -> Result<BTreeSet<Key>> {
        let mut keys = BTreeSet::new();
        let mut walk = self.task_walk(pass).await?;
        while let Some((task, row)) = walk.next().await? {
            let outstanding: u64 = Outcome::ALL
                .into_iter()
                .filter(|outcome| outcome.is_outstanding())
                .map(|outcome| row.sum.of(outcome))
                .sum();
            if outstanding == 0 && (row.state.is_final() || !unattempted) {
                continue;
            }
            let records = match self.object_records(&task, &row).await {
                Ok(records) => records,
                Err(error @ (LedgerError::List(_) | LedgerError::Inconsistent(_))) => {
                    // The next pass compares these keys all the same; a job is not blocked for ever.
                    tracing::error!(%task, first = %row.first_key, last = %row.last_key, %error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            for record in records {
                let outcome = record.result.and_then(|result| result.outcome);
                if outcome.map_or(unattempted, Outcome::is_outstanding) {
                    keys.insert(record.object.key);
                }
            }
        }
        Ok(keys)
    }

    /// Keys that earlier passes of a scope left outstanding: of every pass since the last finished
    /// one, that one included, and what each of those had inherited. `unattempted` as for
    /// [`Ledger::unresolved_keys`]. What an audit found is outstanding; it takes nothing off, and what
    /// it did not come to look at is not its own.
    pub async fn outstanding_of(
        &self,
        job: &JobName,
        scope_hash: &str,
        unattempted: bool,
    ) -> Result<Vec<Key>> {
        let mut keys = BTreeSet::new();
        for index in self.passes(job).await?.into_iter().rev() {
            if index.scope_hash != scope_hash || index.state == PassState::Skipped {
                continue;
            }
            let pass = PassRef { job: job.clone(), pass: index.pass };
            let is_audit = index.kind == PassKind::Audit;
            keys.append(&mut self.unresolved_keys(&pass, unattempted && !is_audit).await?);
            if index.state == PassState::Finished && !is_audit {
                break;
            }
            keys.extend(self.outstanding_keys(&pass).await?);
        }
        Ok(keys.into_iter().collect())
    }
}
