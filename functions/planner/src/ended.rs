//! After a pass was stopped or cancelled: the uploads that nobody will complete are aborted.

use std::time::Duration;

use ossferry_core::key::Key;
use ossferry_core::time::Timestamp;
use ossferry_ledger::ids::{PassRef, TaskRef};
use ossferry_ledger::lease::Lease;
use ossferry_ledger::rows::{
    AbortReason, PassState, RangeState, TaskKind, TaskRow, TaskState, UploadRow, UploadState,
};

use crate::leftovers::CLOCK_GRAIN;
use crate::{PlanError, Planner};

/// What came of clearing up after a pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cleared {
    /// Uploads aborted at the target.
    pub aborted: u64,
    /// Until when workers of the pass may be at work; `None` where none is, and all is cleared.
    pub held_until: Option<Timestamp>,
}

impl Cleared {
    fn add(&mut self, other: Self) {
        self.aborted += other.aborted;
        self.held_until = self.held_until.max(other.held_until);
    }
}

impl Planner {
    /// Aborts the unfinished uploads of a pass that was stopped or cancelled, and notes that all was
    /// done once no worker of it is left. A pass that is open, finished or cleared already is left as
    /// it is. May be repeated.
    ///
    /// Only uploads that stand in the pass's rows are touched, and, where a planner died while it
    /// opened one, those of exactly that key begun since. What a worker holds is left to it.
    pub async fn clear_uploads(&self, pass: &PassRef) -> Result<Cleared, PlanError> {
        let row = self.ledger.pass(pass).await?;
        let is_early = matches!(row.state, PassState::Stopped | PassState::Cancelled);
        if !is_early || self.ledger.is_cleared(pass).await? {
            return Ok(Cleared::default());
        }
        let plan = self.plan_of(&row).await?;
        let mut cleared = Cleared::default();
        let mut walk = self.ledger.task_walk(pass).await?;
        while let Some((task, row)) = walk.next().await? {
            match (row.kind, row.state) {
                (TaskKind::Batch, TaskState::Copying) => cleared.add(self.held(&row.lease)),
                (TaskKind::Upload, TaskState::Copying) => {
                    let Some(target_key) = plan.job.target_key(&row.first_key) else { continue };
                    let t2 = plan.context.t2;
                    cleared.add(self.clear_task(&task, &row, &target_key, t2).await?);
                }
                _ => {}
            }
        }
        if cleared.held_until.is_none() {
            self.ledger.note_cleared(pass).await?;
        }
        Ok(cleared)
    }

    /// A lease without an owner is a pause, and holds nothing.
    fn held(&self, lease: &Lease) -> Cleared {
        let is_held = lease.owner.is_some() && !self.ledger.is_free(lease);
        Cleared { held_until: is_held.then_some(lease.until), ..Cleared::default() }
    }

    async fn clear_task(
        &self,
        task: &TaskRef,
        row: &TaskRow,
        target_key: &Key,
        t2: Option<Timestamp>,
    ) -> Result<Cleared, PlanError> {
        let mut cleared = Cleared::default();
        for upload in self.ledger.uploads(task).await? {
            let held = self.held(&upload.lease);
            cleared.add(held);
            if upload.state == UploadState::Complete || held.held_until.is_some() {
                continue;
            }
            match (&upload.upload_id, upload.state) {
                (Some(_), UploadState::Aborted) => {}
                (Some(id), _) => {
                    // Again with every call while a range is held: a part that was on its way may
                    // have arrived after the first.
                    self.target.abort_upload(target_key, id).await.map_err(PlanError::Target)?;
                    cleared.aborted += 1;
                }
                (None, _) => cleared.aborted += self.clear_unnamed(&upload, target_key, t2).await?,
            }
            if upload.upload_id.is_some() {
                for range in self.ledger.ranges(task, &upload).await? {
                    if range.state == RangeState::Copying {
                        cleared.add(self.held(&range.lease));
                    }
                }
            }
            if upload.state == UploadState::Open && cleared.held_until.is_none() {
                let (generation, ended) = (upload.generation, AbortReason::Ended);
                self.ledger.abandon_upload(task, generation, ended, None, Duration::ZERO).await?;
            }
        }
        let aborted = cleared.aborted;
        tracing::info!(%task, key = %row.first_key, aborted, "uploads of an ended pass aborted");
        Ok(cleared)
    }

    /// Uploads that a planner may have begun and not lived to name.
    async fn clear_unnamed(
        &self,
        upload: &UploadRow,
        target_key: &Key,
        t2: Option<Timestamp>,
    ) -> Result<u64, PlanError> {
        if t2.is_some() {
            tracing::warn!(key = %target_key, "an upload of this key may be left: see its bucket");
            return Ok(0);
        }
        let since = upload.opening_at.minus(CLOCK_GRAIN);
        let mut aborted = 0;
        for listed in self.target.list_uploads(target_key).await.map_err(PlanError::Target)? {
            if listed.key == *target_key && listed.initiated >= since {
                let id = &listed.upload_id;
                self.target.abort_upload(target_key, id).await.map_err(PlanError::Target)?;
                aborted += 1;
            }
        }
        Ok(aborted)
    }
}
