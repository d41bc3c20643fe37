//! What earlier passes of a scope copied, looked up by key.
//!
//! Asked after T2 only, and for few keys: those that the target lacks, and those whose object may be a
//! copy of ours. So the tasks' key ranges are read once a pass, and a task's objects when a key falls
//! into its range.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ossferry_core::key::Key;
use ossferry_core::object::ETag;
use ossferry_core::outcome::Outcome;

use crate::ids::{PassRef, TaskRef};
use crate::ledger::{Ledger, Result};
use crate::rows::{PassState, TaskRow};

/// Tasks whose objects are remembered: neighbouring keys fall into the same ones.
const TASKS_REMEMBERED_MAX: usize = 16;

/// A copy that an earlier pass made, or found standing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EarlierCopy {
    /// Whether its pass began after T2.
    pub is_since_t2: bool,
    /// Of the target's object, as it was written.
    pub target_etag: Option<ETag>,
}

type CopiesByKey = BTreeMap<Key, Option<ETag>>;

/// The tasks of earlier passes that copied something.
#[derive(Debug, Default)]
pub struct CopiedBefore {
    /// By first key.
    tasks: Vec<CopiedTask>,
    /// The last key of any task up to each place.
    reaches: Vec<Key>,
    remembered: Mutex<BTreeMap<usize, Arc<CopiesByKey>>>,
}

#[derive(Debug)]
struct CopiedTask {
    task: TaskRef,
    row: TaskRow,
    is_since_t2: bool,
}

impl CopiedBefore {
    fn of(mut tasks: Vec<CopiedTask>) -> Self {
        tasks.sort_by(|a, b| a.row.first_key.cmp(&b.row.first_key));
        let mut reaches: Vec<Key> = Vec::with_capacity(tasks.len());
        for task in &tasks {
            let last = &task.row.last_key;
            let reach = reaches.last().filter(|reach| *reach > last).unwrap_or(last);
            reaches.push(reach.clone());
        }
        Self { tasks, reaches, remembered: Mutex::default() }
    }

    /// Tasks whose range holds the key.
    fn around(&self, key: &Key) -> Vec<usize> {
        let end = self.tasks.partition_point(|task| task.row.first_key <= *key);
        let reached = (0..end).rev().take_while(|at| self.reaches[*at] >= *key);
        reached.filter(|at| self.tasks[*at].row.last_key >= *key).collect()
    }

    fn remembered(&self, at: usize) -> Option<Arc<CopiesByKey>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).get(&at).cloned()
    }

    fn remember(&self, at: usize, copies: &Arc<CopiesByKey>) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= TASKS_REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(at, Arc::clone(copies));
    }
}

impl Ledger {
    /// The tasks of the passes before this one, of the same scope, that copied something.
    pub async fn copied_before(&self, pass: &PassRef) -> Result<CopiedBefore> {
        let scope_hash = self.pass(pass).await?.scope_hash;
        let mut tasks = Vec::new();
        for index in self.passes(&pass.job).await? {
            let is_other = index.pass != pass.pass && index.scope_hash == scope_hash;
            if !is_other || index.state == PassState::Skipped {
                continue;
            }
            let earlier = PassRef { job: pass.job.clone(), pass: index.pass };
            let is_since_t2 = self.pass(&earlier).await?.t2.is_some();
            let mut walk = self.task_walk(&earlier).await?;
            while let Some((task, row)) = walk.next().await? {
                if row.sum.of(Outcome::Copied) + row.sum.of(Outcome::Unchanged) > 0 {
                    tasks.push(CopiedTask { task, row, is_since_t2 });
                }
            }
        }
        Ok(CopiedBefore::of(tasks))
    }

    /// The copies that those tasks made of one key.
    pub async fn copies_of(&self, before: &CopiedBefore, key: &Key) -> Result<Vec<EarlierCopy>> {
        let mut found = Vec::new();
        for at in before.around(key) {
            let CopiedTask { task, row, is_since_t2 } = &before.tasks[at];
            let of_task = match before.remembered(at) {
                Some(of_task) => of_task,
                None => Arc::new(self.copies_in(task, row).await?),
            };
            before.remember(at, &of_task);
            if let Some(target_etag) = of_task.get(key) {
                let (is_since_t2, target_etag) = (*is_since_t2, target_etag.clone());
                found.push(EarlierCopy { is_since_t2, target_etag });
            }
        }
        Ok(found)
    }

    async fn copies_in(&self, task: &TaskRef, row: &TaskRow) -> Result<CopiesByKey> {
        let records = self.object_records(task, row).await?;
        let copies = records.into_iter().filter_map(|record| {
            let result = record.result?;
            let is_copy = matches!(result.outcome, Some(Outcome::Copied | Outcome::Unchanged));
            is_copy.then_some((record.object.key, result.target_etag))
        });
        Ok(copies.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SliceId;
    use crate::lease::Hold;
    use crate::lists::{Action, Expected, PlannedObject};
    use crate::rows::TaskKind;
    use ossferry_core::time::Timestamp;

    fn task(seq: u64, first: &str, last: &str) -> CopiedTask {
        let pass = PassRef { job: "j".into(), pass: "p".into() };
        let hold = Hold { owner: "w".to_owned(), fence: 1 };
        let objects = [first, last].map(|key| PlannedObject {
            key: Key::from(key),
            size: 1,
            etag: None,
            last_modified: None,
            storage_class: None,
            expected: Expected::Absent,
            action: Action::Copy { forbid_overwrite: false },
        });
        let (digest, now) = (String::new(), Timestamp(0));
        let row = TaskRow::planned(seq, &hold, TaskKind::Batch, &objects, digest, now).unwrap();
        CopiedTask { task: pass.slice(SliceId::root()).task(seq), row, is_since_t2: false }
    }

    #[test]
    fn a_key_is_looked_for_in_every_task_whose_range_holds_it_and_in_no_other() {
        let copied = CopiedBefore::of(vec![
            task(3, "m", "m"),
            task(1, "a", "z"),
            task(2, "c", "d"),
            task(4, "n", "p"),
        ]);
        let found = |key: &str| {
            let mut seqs: Vec<u64> = copied
                .around(&Key::from(key))
                .into_iter()
                .map(|at| copied.tasks[at].task.seq)
                .collect();
            seqs.sort_unstable();
            seqs
        };
        assert_eq!(found("a"), [1]);
        assert_eq!(found("d"), [1, 2]);
        assert_eq!(found("m"), [1, 3]);
        assert_eq!(found("o"), [1, 4]);
        assert_eq!((found("zz"), found("A")), (vec![], vec![]));
    }
}
