//! A range of a large object: its parts side by side, each a GET of a range to an UploadPart.

use std::time::Duration;

use ossferry_core::key::Key;
use ossferry_core::layout::PartLayout;
use ossferry_core::object::{ByteRange, Pin};
use ossferry_core::outcome::Outcome;
use ossferry_ledger::ids::{TaskRef, task_row};
use ossferry_ledger::rows::{AbortReason, PartResult, RangeState, TaskRow, UploadRow, UploadState};
use ossferry_ledger::{ClaimedRange, Handled, LedgerError, RangeClaim};

use crate::complete::finish_upload;
use crate::copier::{Copier, CopyError};
use crate::flight::{Onward, fly};
use crate::giving_up::{LargeObject, conclude_unheld};
use crate::object::{Tries, WRONG_BYTES_MAX};
use crate::reaction::{Reaction, Trouble, reaction};
use crate::session::{PassWork, Session};
use crate::tap::Tap;

/// Claims of one range in a row that may move nothing before what stopped the last one is the
/// object's outcome: as patient as a batch.
const FRUITLESS_MAX: u64 = 6;

/// What one part needs to know of its upload.
struct Parts<'a> {
    session: &'a Session,
    key: Key,
    target_key: Key,
    upload_id: &'a str,
    pin: Pin,
    layout: PartLayout,
    with_nvme: bool,
}

/// How the work on one part ended.
enum Ended {
    Done(PartResult),
    /// With an error that may pass.
    Back(Trouble),
    /// With one that ends the attempt at the object, or the pass.
    Final(Verdict),
}

/// What ends more than a part.
enum Verdict {
    /// The source's object is another one, or gone: the opener looks.
    Changed,
    /// The target does not know the upload.
    UploadGone,
    /// The object has its outcome.
    Outcome(Outcome, String),
    StopPass(Trouble),
}

/// Claims a range and moves its parts; completes the upload if it was the last.
pub(crate) async fn copy_range(
    copier: &Copier,
    session: &Session,
    task: &TaskRef,
    generation: u64,
    range: u64,
) -> Result<Handled, CopyError> {
    match session.ledger.take_range(task, generation, range, &session.claimant).await? {
        RangeClaim::Over => Ok(Handled::Done),
        RangeClaim::Leased(until) => Ok(session.later(until)),
        RangeClaim::GivenUp => {
            // Whoever gave it up may have died before this second step.
            session.ledger.send_upload(task, Duration::ZERO).await?;
            Ok(Handled::Done)
        }
        RangeClaim::Poison(upload) => end_poisoned(copier, session, task, &upload).await,
        RangeClaim::Done(upload) => finish_upload(copier, session, task, *upload).await,
        RangeClaim::Mine(claimed) => match Box::pin(move_range(copier, session, &claimed)).await {
            Err(error) => Err(session.ledger.let_go_of_range(&claimed, error).await),
            handled => handled,
        },
    }
}

/// Workers died at a range, one after the other: the object is failed by name, the rest goes on.
async fn end_poisoned(
    copier: &Copier,
    session: &Session,
    task: &TaskRef,
    upload: &UploadRow,
) -> Result<Handled, CopyError> {
    let work = copier.work_of(session.ledger.pass(task.pass()).await?)?;
    let task_row: TaskRow = session.ledger.expect(&task_row(task)).await?;
    let parts = Parts::of(session, &work, upload, &task_row)?;
    let large = LargeObject { session, task, upload, target_key: &parts.target_key };
    conclude_unheld(copier, &large, Outcome::Failed, "workers died at a part of this object").await
}

async fn move_range(
    copier: &Copier,
    session: &Session,
    claimed: &ClaimedRange,
) -> Result<Handled, CopyError> {
    let ClaimedRange { task, upload, range, pass, .. } = claimed;
    let task_row: TaskRow = session.ledger.expect(&task_row(task)).await?;
    if task_row.state.is_final() {
        return Ok(Handled::Done);
    }
    let work = copier.work_of(pass.clone())?;
    let parts = Parts::of(session, &work, upload, &task_row)?;
    let fruitless = fruitless_claims(claimed);
    let mut results = range.results.clone();
    let due: Vec<u32> = (range.first_part..)
        .take(range.parts as usize)
        .filter(|number| results.iter().all(|result| result.part_number != *number))
        .collect();
    let (mut back, mut verdict) = (None, None);
    let move_part = |number| parts.move_part(number);
    let bytes_of = |number| parts.layout.part(number).map_or(0, |part| part.bytes);
    fly(session, work.load(fruitless), due, bytes_of, move_part, |_, ended| {
        match ended {
            Some(Ended::Done(result)) => results.push(result),
            Some(Ended::Back(trouble)) => back = Some(trouble),
            Some(Ended::Final(Verdict::StopPass(trouble))) => {
                verdict = Some(Verdict::StopPass(trouble));
                return Onward::Drain;
            }
            Some(Ended::Final(found)) => {
                verdict = Some(found);
                return Onward::Cut;
            }
            None => {}
        }
        Onward::Start
    })
    .await;
    let moved = results.len() - range.results.len();
    let has_stalled = moved == 0 && fruitless >= FRUITLESS_MAX && !session.is_closed();
    if verdict.is_none() && has_stalled {
        verdict = Some(out_of_patience(back.as_ref()));
    }
    match verdict {
        None => {}
        Some(_) if session.is_over() => {}
        Some(Verdict::StopPass(trouble)) => session.stop_pass(task.pass(), &trouble).await?,
        Some(verdict) => return end_attempt(copier, session, claimed, &parts, verdict).await,
    }
    results.sort_unstable_by_key(|result| result.part_number);
    let fruitless = if moved == 0 { fruitless } else { 0 };
    let retry_after =
        back.map_or(Duration::ZERO, |trouble| Session::hand_back_pause(fruitless, &trouble));
    let requests = session.take_requests();
    let state = session.ledger.record_range(claimed, &results, &requests, retry_after).await?;
    if state != RangeState::Done {
        let (range, left) = (range.number, range.parts as usize - results.len());
        tracing::info!(%task, range, moved, left, "copy range: rest handed back");
        return Ok(Handled::Done);
    }
    let upload = session.ledger.upload(task, upload.generation).await?;
    finish_upload(copier, session, task, upload).await
}

/// At least so many claims of the range moved nothing: each raised its fence, and each that moved
/// anything added a part.
fn fruitless_claims(claimed: &ClaimedRange) -> u64 {
    claimed.hold.fence.saturating_sub(1).saturating_sub(claimed.range.results.len() as u64)
}

fn out_of_patience(back: Option<&Trouble>) -> Verdict {
    let reason = match back {
        Some(trouble) => format!("{trouble}, over many invocations"),
        None => "a part did not get through in an invocation's time: raise limits.task_seconds or \
                 lower limits.part_bytes"
            .to_owned(),
    };
    Verdict::Outcome(Outcome::Failed, reason)
}

/// Ends the attempt at the object that the range belongs to.
async fn end_attempt(
    copier: &Copier,
    session: &Session,
    claimed: &ClaimedRange,
    parts: &Parts<'_>,
    verdict: Verdict,
) -> Result<Handled, CopyError> {
    let ClaimedRange { task, upload, .. } = claimed;
    let large = LargeObject { session, task, upload, target_key: &parts.target_key };
    match verdict {
        Verdict::Changed => large.give_up(AbortReason::Changed, None).await,
        Verdict::UploadGone => {
            let upload = session.ledger.upload(task, upload.generation).await?;
            match upload.state {
                UploadState::Completing | UploadState::Complete => {
                    finish_upload(copier, session, task, upload).await
                }
                _ => large.give_up(AbortReason::Vanished, None).await,
            }
        }
        Verdict::Outcome(outcome, reason) => {
            conclude_unheld(copier, &large, outcome, &reason).await
        }
        Verdict::StopPass(trouble) => {
            session.stop_pass(task.pass(), &trouble).await?;
            Ok(Handled::Done)
        }
    }
}

impl<'a> Parts<'a> {
    fn of(
        session: &'a Session,
        work: &PassWork,
        upload: &'a UploadRow,
        task_row: &TaskRow,
    ) -> Result<Self, LedgerError> {
        let broken =
            |what: &str| LedgerError::Inconsistent(format!("an open upload has no {what}"));
        let key = task_row.first_key.clone();
        Ok(Self {
            session,
            target_key: work.job.target_key(&key).ok_or_else(|| broken("key at the target"))?,
            key,
            upload_id: upload.upload_id.as_deref().ok_or_else(|| broken("id"))?,
            pin: Pin { etag: upload.pinned_etag.clone().ok_or_else(|| broken("pin"))? },
            layout: PartLayout::new(upload.size, upload.part_bytes)
                .ok_or_else(|| broken("layout"))?,
            with_nvme: upload.source_crc64_nvme().is_some(),
        })
    }

    async fn move_part(&self, part_number: u32) -> Ended {
        let Some(range) = self.layout.part(part_number) else {
            let reason = format!("part {part_number} is not of the object");
            return Ended::Final(Verdict::Outcome(Outcome::Failed, reason));
        };
        let mut tries = Tries::default();
        loop {
            let trouble = match self.move_once(part_number, range).await {
                Ok(result) => return Ended::Done(result),
                Err(trouble) => trouble,
            };
            let key = &self.key;
            tracing::debug!(%key, part_number, %trouble, "copy part: attempt failed");
            let failed_attempts = match reaction(&trouble) {
                Reaction::Changed | Reaction::Record(Outcome::Gone) => {
                    return Ended::Final(Verdict::Changed);
                }
                Reaction::UploadGone => return Ended::Final(Verdict::UploadGone),
                Reaction::StopPass => return Ended::Final(Verdict::StopPass(trouble)),
                Reaction::Back => return Ended::Back(trouble),
                Reaction::Record(outcome) => {
                    return Ended::Final(Verdict::Outcome(outcome, trouble.to_string()));
                }
                Reaction::LookAtTarget => {
                    let reason = trouble.to_string();
                    return Ended::Final(Verdict::Outcome(Outcome::Failed, reason));
                }
                Reaction::WrongBytes => {
                    tries.wrong_bytes += 1;
                    if tries.wrong_bytes >= WRONG_BYTES_MAX {
                        let reason = format!("{trouble}, {WRONG_BYTES_MAX} times");
                        return Ended::Final(Verdict::Outcome(Outcome::Failed, reason));
                    }
                    tries.wrong_bytes
                }
                Reaction::Again => {
                    tries.transient += 1;
                    if tries.transient >= self.session.options.attempts_max {
                        return Ended::Back(trouble);
                    }
                    tries.transient
                }
            };
            if !self.session.pause(failed_attempts, &trouble).await {
                return Ended::Back(trouble);
            }
        }
    }

    async fn move_once(&self, part_number: u32, range: ByteRange) -> Result<PartResult, Trouble> {
        let Session { source, target, .. } = self.session;
        let opened = source.open(&self.key, &self.pin, Some(range)).await;
        let opened = opened.map_err(Trouble::source)?;
        if opened.info.size != self.layout.object_bytes() {
            let (is, was) = (opened.info.size, self.layout.object_bytes());
            let what = format!("open: {is} bytes under the etag that had {was} bytes");
            return Err(Trouble::bad_source(what));
        }
        let (body, tap) = Tap::on(opened.body, self.with_nvme, &self.session.passed_bytes);
        let (key, upload_id) = (&self.target_key, self.upload_id);
        let put = target.upload_part(key, upload_id, part_number, range.bytes, body).await;
        let answer = put.map_err(|error| tap.blame(error))?;
        let streamed = tap
            .whole()
            .ok_or_else(|| Trouble::bad_target("upload part: success before the body was read"))?;
        if streamed.bytes != range.bytes {
            let what = format!("open: {} bytes of {}", streamed.bytes, range.bytes);
            return Err(Trouble::bad_source(what));
        }
        if answer.crc64_ecma.is_some_and(|crc| crc != streamed.crc64_ecma) {
            let what = "upload part: the target's crc64_ecma differs from that of the bytes";
            return Err(Trouble::wrong_bytes(what));
        }
        let (crc64_ecma, crc64_nvme) = (streamed.crc64_ecma, streamed.crc64_nvme);
        Ok(PartResult { part_number, etag: answer.etag, crc64_ecma, crc64_nvme })
    }
}
