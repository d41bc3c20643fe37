//! Attempts at a large object that end without it: given up for another, or with another outcome. No
//! upload is left open at the target either way.

use std::time::Duration;

use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use ossferry_ledger::Handled;
use ossferry_ledger::ids::TaskRef;
use ossferry_ledger::lease::{Hold, Taken};
use ossferry_ledger::lists::ObjectResult;
use ossferry_ledger::rows::{AbortReason, UploadRow};

use crate::copier::{Copier, CopyError};
use crate::reaction::Trouble;
use crate::session::{PassWork, Session};

/// One attempt at a large object.
pub(crate) struct LargeObject<'a> {
    pub(crate) session: &'a Session,
    pub(crate) task: &'a TaskRef,
    pub(crate) upload: &'a UploadRow,
    pub(crate) target_key: &'a Key,
}

impl LargeObject<'_> {
    /// Throws the upload away at the target. Where the target forbids even that, it is left behind:
    /// the object's fate must not hang on it.
    pub(crate) async fn abort(&self) -> Result<(), Trouble> {
        let Some(upload_id) = &self.upload.upload_id else { return Ok(()) };
        let target = &self.session.target;
        match target.abort_upload(self.target_key, upload_id).await {
            Err(error) if error.concerns_one_object() => {
                let key = self.target_key;
                tracing::warn!(%key, upload_id, %error, "abort upload: left behind at the target");
                Ok(())
            }
            aborted => aborted.map_err(Trouble::target),
        }
    }

    /// Gives the attempt up and asks for the next generation. What was aborted at the target and not
    /// in the ledger is found there as an upload that vanished.
    pub(crate) async fn give_up(
        &self,
        reason: AbortReason,
        hold: Option<&Hold>,
    ) -> Result<Handled, CopyError> {
        if let Err(trouble) = self.abort().await {
            return Ok(self.put_off(&trouble));
        }
        let (ledger, generation) = (&self.session.ledger, self.upload.generation);
        let delay = Duration::ZERO;
        let row = ledger.abandon_upload(self.task, generation, reason, hold, delay).await?;
        tracing::info!(task = %self.task, generation, ?reason, "copy range: attempt given up");
        if row.abort_reason.is_some() {
            ledger.send_upload(self.task, Duration::ZERO).await?;
        }
        Ok(Handled::Done)
    }

    /// Ends the task with an outcome other than `copied`. The holder of the upload's row does.
    pub(crate) async fn conclude(
        &self,
        work: &PassWork,
        hold: &Hold,
        outcome: Outcome,
        reason: &str,
    ) -> Result<Handled, CopyError> {
        // First the target: a task that ended is not looked at again.
        if let Err(trouble) = self.abort().await {
            return Ok(self.put_off(&trouble));
        }
        let Session { ledger, .. } = self.session;
        let (task, upload) = (self.task, self.upload);
        let (generation, ended) = (upload.generation, AbortReason::Ended);
        // Then the attempt, which shows whether it is still ours: who lost it ends nothing.
        let given_up =
            ledger.abandon_upload(task, generation, ended, Some(hold), Duration::ZERO).await?;
        if given_up.lease.fence != hold.fence {
            ledger.send_upload(task, Duration::ZERO).await?;
            return Ok(Handled::Done);
        }
        let result = ObjectResult::plain(0, outcome, reason);
        let requests = self.session.take_requests();
        let fence = upload.result_fence();
        ledger.conclude_upload(task, fence, result, &requests, work.window()).await?;
        if outcome == Outcome::Failed {
            self.session.stop_if_too_many_failed(task.pass(), work).await?;
        }
        Ok(Handled::Done)
    }

    /// The target does not answer: whoever comes after this lease goes on.
    pub(crate) fn put_off(&self, trouble: &Trouble) -> Handled {
        tracing::warn!(task = %self.task, %trouble, "copy range: end of the attempt put off");
        self.session.after_own_lease()
    }
}

/// Ends the task of a large object whose upload nobody completes: takes the upload's row first, so that
/// nobody does.
pub(crate) async fn conclude_unheld(
    copier: &Copier,
    large: &LargeObject<'_>,
    outcome: Outcome,
    reason: &str,
) -> Result<Handled, CopyError> {
    let LargeObject { session, task, upload, target_key } = *large;
    let target_now = match session.target.now().await {
        Ok(now) => now,
        Err(error) => return Ok(large.put_off(&Trouble::target(error))),
    };
    let (ledger, generation) = (&session.ledger, upload.generation);
    let (row, taken) =
        ledger.take_completing(task, generation, &session.claimant, target_now).await?;
    match taken {
        Taken::Leased(until) => Ok(session.later(until)),
        Taken::Over => {
            ledger.send_upload(task, Duration::ZERO).await?;
            Ok(Handled::Done)
        }
        Taken::Mine => {
            let work = copier.work_of(ledger.pass(task.pass()).await?)?;
            let hold = Hold { owner: session.claimant.owner.clone(), fence: row.lease.fence };
            let taken = LargeObject { session, task, upload: &row, target_key };
            let handled = taken.conclude(&work, &hold, outcome, reason).await;
            if !matches!(handled, Ok(Handled::Done)) {
                ledger.put_off_upload(task, generation, &hold.owner).await?;
            }
            handled
        }
    }
}
