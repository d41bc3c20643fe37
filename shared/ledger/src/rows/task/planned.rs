//! A task before anybody sees it: written by a planner below a commit that may never come.

use super::{TaskKind, TaskRow, TaskState};
use crate::lease::{Change, Hold, Lease, LeaseLost};
use crate::lists::PlannedObject;
use ossferry_core::sums::Sum;
use ossferry_core::time::Timestamp;

impl TaskRow {
    /// A task of these objects, whose list has that digest. `None` where there is no object.
    pub fn planned(
        seq: u64,
        hold: &Hold,
        kind: TaskKind,
        objects: &[PlannedObject],
        list_digest: String,
        now: Timestamp,
    ) -> Option<Self> {
        let keys = objects.iter().map(|object| &object.key);
        Some(Self {
            seq,
            kind,
            state: TaskState::Planned,
            first_key: keys.clone().min()?.clone(),
            last_key: keys.max()?.clone(),
            objects: objects.len() as u64,
            bytes: objects.iter().map(|object| object.size).sum(),
            sum: Sum::default(),
            attempts: 0,
            unnoted_deaths: 0,
            fruitless: 0,
            restoring: 0,
            lease: Lease { fence: hold.fence, ..Lease::default() },
            result_fences: Vec::new(),
            in_work: None,
            deaths: Vec::new(),
            list_digest,
            planned_at: now,
            started_at: None,
            ended_at: None,
            reminder: None,
        })
    }

    /// Puts this task: over one left by a planner that lost the slice, never over a later planner's.
    pub fn put_over(&self, stored: Option<&Self>) -> Result<Change<Self, ()>, LeaseLost> {
        match stored {
            Some(stored) if stored.lease.fence > self.lease.fence => {
                Err(LeaseLost { fence: stored.lease.fence })
            }
            // A lost answer, or the same work again after a crash of this very attempt.
            Some(stored)
                if stored.list_digest == self.list_digest
                    && stored.lease.fence == self.lease.fence =>
            {
                Ok(Change::Keep(()))
            }
            _ => Ok(Change::Write(self.clone(), ())),
        }
    }
}
