//! The last range completes its upload: one copier at a time, exactly once, whoever looks.

use std::time::Duration;

use ossferry_ledger::Handled;
use ossferry_ledger::ids::TaskRef;
use ossferry_ledger::lease::Taken;
use ossferry_ledger::rows::{AbortReason, UploadRow, UploadState};
use tokio::time::timeout_at;

use crate::completion::Completion;
use crate::copier::{Copier, CopyError};
use crate::reaction::{Reaction, Trouble, reaction};
use crate::session::{PassWork, Session};

/// Looks whether the upload can be completed, and does it.
///
/// Any number of copiers may call this at any time: one at a time holds the row, and what another has
/// done already is only repeated in the ledger.
pub(crate) async fn finish_upload(
    copier: &Copier,
    session: &Session,
    task: &TaskRef,
    upload: UploadRow,
) -> Result<Handled, CopyError> {
    let generation = upload.generation;
    let finished = finish(copier, session, task, upload);
    let handled = match timeout_at(session.cut_off_at, finished).await {
        Ok(handled) => handled,
        // The row may be held: whoever comes after this lease goes on.
        Err(_) => Ok(session.after_own_lease()),
    };
    if !matches!(handled, Ok(Handled::Done)) {
        session.ledger.put_off_upload(task, generation, &session.claimant.owner).await?;
    }
    handled
}

async fn finish(
    copier: &Copier,
    session: &Session,
    task: &TaskRef,
    upload: UploadRow,
) -> Result<Handled, CopyError> {
    let ledger = &session.ledger;
    let work = copier.work_of(ledger.pass(task.pass()).await?)?;
    if !matches!(upload.state, UploadState::Open | UploadState::Completing) {
        return end_of(session, task, &work, upload).await;
    }
    let all_done = ledger.all_ranges_done(task, &upload).await?;
    if !all_done && upload.state == UploadState::Open {
        return Ok(Handled::Done);
    }
    if session.is_closing() {
        return Ok(session.later(ledger.now()));
    }
    let target_now = match session.target.now().await.map_err(Trouble::target) {
        Ok(now) => now,
        Err(trouble) if reaction(&trouble) == Reaction::StopPass => {
            session.stop_pass(task.pass(), &trouble).await?;
            return Ok(Handled::Done);
        }
        Err(trouble) => {
            tracing::warn!(%task, %trouble, "complete: the target does not tell the time");
            return Ok(session.later(session.claimant.lease_until));
        }
    };
    let claimant = &session.claimant;
    let (row, taken) =
        ledger.take_completing(task, upload.generation, claimant, target_now).await?;
    match taken {
        Taken::Leased(until) => return Ok(session.later(until)),
        Taken::Over => return end_of(session, task, &work, row).await,
        Taken::Mine => {}
    }
    let completion = Completion::new(session, &work, task, &row, target_now).await?;
    match completion {
        None => Ok(Handled::Done),
        Some(completion) if row.is_poison() => {
            completion.end_in_vain("workers died while this object was put together").await
        }
        Some(completion) if row.is_out_of_patience() => {
            completion.end_in_vain("could not be put together, over many invocations").await
        }
        // Whoever held it before was giving it up while ranges were at work.
        Some(completion) if !all_done => completion.give_up(AbortReason::Vanished).await,
        Some(completion) => completion.run().await,
    }
}

/// What follows when nobody has to complete the upload any more; all of it may be repeated.
pub(crate) async fn end_of(
    session: &Session,
    task: &TaskRef,
    work: &PassWork,
    row: UploadRow,
) -> Result<Handled, CopyError> {
    let ledger = &session.ledger;
    match (row.state, row.result()) {
        (UploadState::Complete, Some(result)) => {
            let (fence, requests) = (row.result_fence(), session.take_requests());
            ledger.conclude_upload(task, fence, result, &requests, work.window()).await?;
        }
        (UploadState::Aborted, _) => ledger.send_upload(task, Duration::ZERO).await?,
        _ => {}
    }
    Ok(Handled::Done)
}
