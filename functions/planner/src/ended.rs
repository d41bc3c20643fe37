//! After a pass was stopped or cancelled: the uploads that nobody will complete are aborted.

use ossferry_core::error::PortError;
use ossferry_core::key::Key;
use ossferry_core::time::Timestamp;
use ossferry_ledger::ids::{PassRef, TaskRef};
use ossferry_ledger::rows::{
    AbortReason, PassState, TaskKind, TaskRow, TaskState, UploadRow, UploadState,
};

use crate::leftovers::CLOCK_GRAIN;
use crate::{PlanError, Planner};

impl Planner {
    /// Aborts the unfinished uploads of a pass that was stopped or cancelled, and notes that it was
    /// done. Answers how many it aborted. A pass that is open, finished or cleared already is left
    /// as it is.
    ///
    /// Only uploads that stand in the pass's rows are touched, and, where a planner died while it
    /// opened one, those of exactly that key begun since. What another worker completes at this very
    /// moment stays.
    pub async fn clear_uploads(&self, pass: &PassRef) -> Result<u64, PlanError> {
        let row = self.ledger.pass(pass).await?;
        let is_over = matches!(row.state, PassState::Stopped | PassState::Cancelled);
        if !is_over || self.ledger.is_cleared(pass).await? {
            return Ok(0);
        }
        let plan = self.plan_of(&row).await?;
        let mut aborted = 0;
        let mut walk = self.ledger.task_walk(pass).await?;
        while let Some((task, row)) = walk.next().await? {
            if row.kind != TaskKind::Upload || row.state != TaskState::Copying {
                continue;
            }
            let Some(target_key) = plan.job.target_key(&row.first_key) else { continue };
            aborted += self.clear_task(&task, &row, &target_key, plan.context.t2).await?;
        }
        self.ledger.note_cleared(pass).await?;
        Ok(aborted)
    }

    async fn clear_task(
        &self,
        task: &TaskRef,
        row: &TaskRow,
        target_key: &Key,
        t2: Option<Timestamp>,
    ) -> Result<u64, PlanError> {
        let mut aborted = 0;
        for upload in self.ledger.uploads(task).await? {
            let is_held = !self.ledger.is_free(&upload.lease);
            let is_over = matches!(upload.state, UploadState::Complete | UploadState::Aborted);
            if is_over || is_held {
                continue;
            }
            aborted += match &upload.upload_id {
                Some(id) => {
                    self.target.abort_upload(target_key, id).await.map_err(PlanError::Target)?;
                    1
                }
                None => self.clear_unnamed(&upload, target_key, t2).await?,
            };
            if upload.state == UploadState::Open {
                let (generation, reason) = (upload.generation, AbortReason::Ended);
                self.ledger.abandon_upload(task, generation, reason, None).await?;
            }
        }
        tracing::info!(%task, key = %row.first_key, aborted, "uploads of an ended pass aborted");
        Ok(aborted)
    }

    /// Uploads that a planner may have begun and not lived to name.
    async fn clear_unnamed(
        &self,
        upload: &UploadRow,
        target_key: &Key,
        t2: Option<Timestamp>,
    ) -> Result<u64, PlanError> {
        let at_target = |error: PortError| PlanError::Target(error);
        if t2.is_some() {
            tracing::warn!(key = %target_key, "an upload of this key may be left: see its bucket");
            return Ok(0);
        }
        let since = upload.opening_at.minus(CLOCK_GRAIN);
        let mut aborted = 0;
        for listed in self.target.list_uploads(target_key).await.map_err(at_target)? {
            if listed.key == *target_key && listed.initiated >= since {
                let id = &listed.upload_id;
                self.target.abort_upload(target_key, id).await.map_err(at_target)?;
                aborted += 1;
            }
        }
        Ok(aborted)
    }
}
