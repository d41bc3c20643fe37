//! The steps of a large object: open, write ranges, complete once, conclude its task.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::try_join_all;
use ossferry_core::meter::Requests;
use ossferry_core::object::ETag;
use ossferry_core::proof::Grade;
use ossferry_core::sums::Sum;
use ossferry_core::time::Timestamp;

use crate::codec::decode;
use crate::copying::sum_of;
use crate::ids::{
    TaskRef, range_row, range_sort, result_row, task_partition, task_row, upload_row,
};
use crate::lease::{Change, Claimant, Hold, LeaseLost, Taken};
use crate::ledger::{Ledger, LedgerError, Result};
use crate::lists::{ObjectResult, encode_results};
use crate::messages::Message;
use crate::observing::Recorded;
use crate::rows::{
    AbortReason, NextAttempt, Opened, OpeningTurn, PartResult, PassRow, RangeRow, RangeState,
    RangeTurn, TaskRow, UploadRow, UploadState,
};

/// Range rows written at once.
const RANGE_WRITES: usize = 16;

/// What a planner finds when it is asked to open an upload.
#[derive(Clone, Debug)]
pub enum UploadTurn {
    /// This claim opens the attempt.
    Opening {
        /// The attempt, as the claim wrote it.
        row: Box<UploadRow>,
        /// What every later write tests.
        hold: Hold,
        /// Earlier attempts at the object, oldest first.
        earlier: Vec<UploadRow>,
        /// The pass.
        pass: Box<PassRow>,
    },
    /// It is open, or further: what follows may be repeated.
    Opened(Box<UploadRow>),
    /// Another opens it until then.
    Leased(Timestamp),
    /// The task has ended, or its pass has.
    Over,
}

/// What a copier finds when it is asked for a range.
#[derive(Clone, Debug)]
pub enum RangeClaim {
    /// Work.
    Mine(Box<ClaimedRange>),
    /// Another works on it until then.
    Leased(Timestamp),
    /// The range is done: look whether the upload can be completed.
    Done(Box<UploadRow>),
    /// Workers died at the range, one after the other.
    Poison(Box<UploadRow>),
    /// The attempt was given up: the next generation is to be opened.
    GivenUp,
    /// The task has ended, or its pass has.
    Over,
}

/// A range that this claim holds.
#[derive(Clone, Debug)]
pub struct ClaimedRange {
    /// The object's task.
    pub task: TaskRef,
    /// The attempt.
    pub upload: UploadRow,
    /// The range, as the claim wrote it.
    pub range: RangeRow,
    /// What every later write tests.
    pub hold: Hold,
    /// The pass.
    pub pass: PassRow,
}

impl Ledger {
    /// Takes the turn to open an upload. `target_now` is the target's own clock, read before this call.
    pub async fn take_upload(
        &self,
        task: &TaskRef,
        claimant: &Claimant,
        target_now: Timestamp,
    ) -> Result<UploadTurn> {
        let pass = self.pass(task.pass()).await?;
        if pass.state.is_final() {
            return Ok(UploadTurn::Over);
        }
        let now = self.now();
        let (_, taken) =
            self.step::<TaskRow, _>(&task_row(task), |row| row.begin_upload(now)).await?;
        if taken == Taken::Over {
            return Ok(UploadTurn::Over);
        }
        let mut earlier = self.uploads(task).await?;
        let next = UploadRow::next_attempt(&earlier, |lease| self.is_free(lease));
        let generation = match next {
            NextAttempt::NotBefore(until) => return Ok(UploadTurn::Leased(until)),
            NextAttempt::Generation(generation) => generation,
        };
        earlier.retain(|row| row.generation < generation);
        let first = UploadRow::opening(generation, claimant, target_now);
        let id = upload_row(task, generation);
        let (row, taken) = self
            .change_or_put::<UploadRow, _>(&id, None, |row| Ok(first.open_over(row, claimant)))
            .await?;
        Ok(match row.opening_turn(&taken) {
            OpeningTurn::NotBefore(until) => UploadTurn::Leased(until),
            OpeningTurn::Opened => UploadTurn::Opened(Box::new(row)),
            OpeningTurn::Open => {
                let least = row.first_result_fence();
                let id = task_row(task);
                let begin = |task: &TaskRow| task.begin_generation(least);
                if self.step::<TaskRow, _>(&id, begin).await?.1 == Taken::Over {
                    return Ok(UploadTurn::Over);
                }
                let hold = Hold { owner: claimant.owner.clone(), fence: row.lease.fence };
                UploadTurn::Opening { row: Box::new(row), hold, earlier, pass: Box::new(pass) }
            }
        })
    }

    /// Every attempt at a large object, oldest first.
    pub async fn uploads(&self, task: &TaskRef) -> Result<Vec<UploadRow>> {
        let rows = self.rows(&task_partition(task), "upload/", "upload0", usize::MAX).await?;
        rows.iter().map(|row| Ok(decode(row)?)).collect()
    }

    /// One attempt at a large object.
    pub async fn upload(&self, task: &TaskRef, generation: u64) -> Result<UploadRow> {
        self.expect(&upload_row(task, generation)).await
    }

    /// Fixes what the upload copies and how.
    pub async fn open_upload(
        &self,
        task: &TaskRef,
        generation: u64,
        hold: &Hold,
        opened: &Opened,
    ) -> Result<UploadRow> {
        let id = upload_row(task, generation);
        let (row, ()) = self.change(&id, |row: &UploadRow| row.opened(hold, opened)).await?;
        self.tell(&task.pass().job, Recorded::Planning(&opened.requests));
        Ok(row)
    }

    /// Writes the rows of every range, then sends their messages: both may be repeated.
    pub async fn send_ranges(&self, task: &TaskRef, upload: &UploadRow) -> Result<()> {
        let parts = upload.size.div_ceil(upload.part_bytes);
        let generation = upload.generation;
        let mut number = upload.ranges_sent;
        while number < upload.ranges {
            // Boxed one by one: of a closure's futures the compiler does not see that they are `Send`.
            let mut writes = Vec::with_capacity(RANGE_WRITES);
            while number < upload.ranges && writes.len() < RANGE_WRITES {
                let first = number * upload.range_parts;
                let count = upload.range_parts.min(parts - first);
                let first_part = u32::try_from(first + 1).unwrap_or(u32::MAX);
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                let row = RangeRow::new(number, first_part, count);
                writes.push(self.put_range(task, generation, row).boxed());
                number += 1;
            }
            try_join_all(writes).await?;
        }
        let messages: Vec<Message> = (upload.ranges_sent..upload.ranges)
            .map(|range| Message::Range { task: task.clone(), generation, range })
            .collect();
        self.send(&messages, Duration::ZERO).await?;
        let id = upload_row(task, generation);
        self.step::<UploadRow, _>(&id, |row| row.sent(upload.ranges)).await?;
        Ok(())
    }

    /// Puts a range's row if it is absent.
    async fn put_range(&self, task: &TaskRef, generation: u64, range: RangeRow) -> Result<()> {
        let id = range_row(task, generation, range.number);
        self.change_or_put::<RangeRow, ()>(&id, None, |row| {
            Ok(match row {
                Some(_) => Change::Keep(()),
                None => Change::Write(range.clone(), ()),
            })
        })
        .await?;
        Ok(())
    }

    /// Takes a range for one copier.
    pub async fn take_range(
        &self,
        task: &TaskRef,
        generation: u64,
        number: u64,
        claimant: &Claimant,
    ) -> Result<RangeClaim> {
        let pass = self.pass(task.pass()).await?;
        let Some(upload) = self.read::<UploadRow>(&upload_row(task, generation)).await? else {
            return Ok(RangeClaim::Over);
        };
        if pass.state.is_final() {
            return Ok(RangeClaim::Over);
        }
        let has_next = upload.state == UploadState::Aborted
            && self.read::<UploadRow>(&upload_row(task, generation + 1)).await?.is_some();
        match upload.range_turn(has_next) {
            RangeTurn::Over => return Ok(RangeClaim::Over),
            RangeTurn::GivenUp => return Ok(RangeClaim::GivenUp),
            RangeTurn::Look => return Ok(RangeClaim::Done(Box::new(upload))),
            RangeTurn::Claim => {}
        }
        let id = range_row(task, generation, number);
        let (range, taken) = self.step::<RangeRow, _>(&id, |row| row.claim(claimant)).await?;
        Ok(match taken {
            Taken::Leased(until) => RangeClaim::Leased(until),
            Taken::Over => RangeClaim::Done(Box::new(upload)),
            Taken::Mine if range.is_poison() => RangeClaim::Poison(Box::new(upload)),
            Taken::Mine => {
                let hold = Hold { owner: claimant.owner.clone(), fence: range.lease.fence };
                let task = task.clone();
                RangeClaim::Mine(Box::new(ClaimedRange { task, upload, range, hold, pass }))
            }
        })
    }

    /// Lets go of a range whose holder met this error, so that the next claim takes nobody for dead. A part
    /// that is on its way holds the same bytes as anybody's. Where it is not written, the lease ends by
    /// itself.
    pub async fn let_go_of_range<E: std::fmt::Display>(
        &self,
        claimed: &ClaimedRange,
        error: E,
    ) -> E {
        let ClaimedRange { task, upload, range, hold, .. } = claimed;
        let id = range_row(task, upload.generation, range.number);
        match self.change(&id, |row: &RangeRow| row.let_go(hold)).await {
            Ok(_) => tracing::warn!(%task, range = range.number, %error, "copy range: let go of"),
            Err(LedgerError::LeaseLost(_)) => {}
            Err(refusal) => {
                tracing::warn!(%task, range = range.number, %error, %refusal, "copy range: not let go of");
            }
        }
        error
    }

    /// Records the parts written; a range that is not done is handed back with a new message.
    pub async fn record_range(
        &self,
        claimed: &ClaimedRange,
        results: &[PartResult],
        requests: &Requests,
        retry_after: Duration,
    ) -> Result<RangeState> {
        let ClaimedRange { task, upload, range, hold, .. } = claimed;
        let id = range_row(task, upload.generation, range.number);
        let due = self.now().plus(retry_after);
        let (_, state) =
            self.change(&id, |row: &RangeRow| row.record(hold, results, requests, due)).await?;
        let bytes = bytes_of(upload, results) - bytes_of(upload, &range.results);
        self.tell(&task.pass().job, Recorded::Parts { bytes, requests });
        if state != RangeState::Done {
            let (generation, range) = (upload.generation, range.number);
            let message = Message::Range { task: task.clone(), generation, range };
            self.send(&[message], retry_after).await?;
        }
        Ok(state)
    }

    /// Every range of an attempt, by number.
    pub async fn ranges(&self, task: &TaskRef, upload: &UploadRow) -> Result<Vec<RangeRow>> {
        self.ranges_from(task, upload, 0).await
    }

    async fn ranges_from(
        &self,
        task: &TaskRef,
        upload: &UploadRow,
        first: u64,
    ) -> Result<Vec<RangeRow>> {
        let from = range_sort(upload.generation, first);
        let until = range_sort(upload.generation, upload.ranges);
        let rows = self.rows(&task_partition(task), &from, &until, usize::MAX).await?;
        rows.iter().map(|row| Ok(decode(row)?)).collect()
    }

    /// Whether every range of the attempt is done. Raises the hint where to look next time.
    pub async fn all_ranges_done(&self, task: &TaskRef, upload: &UploadRow) -> Result<bool> {
        let rows = self.ranges_from(task, upload, upload.done_below).await?;
        let done_below = upload.done_through(&rows);
        if done_below > upload.done_below {
            let id = upload_row(task, upload.generation);
            self.step::<UploadRow, _>(&id, |row| row.done_below(done_below)).await?;
        }
        Ok(done_below == upload.ranges)
    }

    /// Takes the upload to prove it and put it together.
    pub async fn take_completing(
        &self,
        task: &TaskRef,
        generation: u64,
        claimant: &Claimant,
        target_now: Timestamp,
    ) -> Result<(UploadRow, Taken)> {
        let id = upload_row(task, generation);
        self.step::<UploadRow, _>(&id, |row| row.claim_completing(claimant, target_now)).await
    }

    /// The object stands at the target, proved.
    pub async fn complete_upload(
        &self,
        task: &TaskRef,
        generation: u64,
        hold: &Hold,
        crc64_ecma: u64,
        target_etag: &ETag,
        proof: Grade,
    ) -> Result<UploadRow> {
        let id = upload_row(task, generation);
        let step = |row: &UploadRow| row.completed(hold, crc64_ecma, target_etag, proof);
        Ok(self.change(&id, step).await?.0)
    }

    /// Lets go of an opening or a completion that is not at its end.
    pub async fn let_go_of_upload(
        &self,
        task: &TaskRef,
        generation: u64,
        hold: &Hold,
    ) -> Result<()> {
        let id = upload_row(task, generation);
        self.step::<UploadRow, _>(&id, |row| row.let_go(hold)).await?;
        Ok(())
    }

    /// Notes that whoever opens or completes the upload lives, where that is `owner`.
    pub async fn put_off_upload(&self, task: &TaskRef, generation: u64, owner: &str) -> Result<()> {
        let id = upload_row(task, generation);
        self.step::<UploadRow, _>(&id, |row| row.put_off(owner)).await?;
        Ok(())
    }

    /// Gives an attempt up; the next one begins after `delay`. Answers the row as it then stands.
    pub async fn abandon_upload(
        &self,
        task: &TaskRef,
        generation: u64,
        reason: AbortReason,
        hold: Option<&Hold>,
        delay: Duration,
    ) -> Result<UploadRow> {
        let (id, due) = (upload_row(task, generation), self.now().plus(delay));
        Ok(self.change(&id, |row: &UploadRow| row.aborted(reason, hold, due)).await?.0)
    }

    /// Gives up an attempt that was not opened, with the requests that were made for it: the next may be
    /// begun after so long.
    pub async fn put_off_opening(
        &self,
        task: &TaskRef,
        generation: u64,
        hold: &Hold,
        requests: &Requests,
        delay: Duration,
    ) -> Result<()> {
        let (id, due) = (upload_row(task, generation), self.now().plus(delay));
        self.change::<_, _, LeaseLost>(&id, |row: &UploadRow| {
            Ok(match row.aborted(AbortReason::Ended, Some(hold), due)? {
                Change::Write(mut row, reason) => {
                    row.requests.add(requests);
                    Change::Write(row, reason)
                }
                Change::Keep(reason) => Change::Keep(reason),
            })
        })
        .await?;
        Ok(())
    }

    /// Sends the message that opens the next generation of a large object.
    pub async fn send_upload(&self, task: &TaskRef, delay: Duration) -> Result<()> {
        self.send(&[Message::Upload(task.clone())], delay).await
    }

    /// Ends the task of a large object: the result under the holder's own fence first, then the
    /// conditional write that makes it count. Whoever comes later changes nothing, and whoever holds
    /// an attempt that was given up has lost the task (`LeaseLost`).
    pub async fn conclude_upload(
        &self,
        task: &TaskRef,
        result_fence: u64,
        result: ObjectResult,
        requests: &Requests,
        window: u64,
    ) -> Result<()> {
        let results = [result];
        let mut sum = sum_of(&results);
        sum.requests = requests.clone();
        for row in self.uploads(task).await? {
            sum.requests.add(&row.requests);
        }
        for row in self.rows(&task_partition(task), "range/", "range0", usize::MAX).await? {
            sum.requests.add(&decode::<RangeRow>(&row)?.requests);
        }
        let blob = encode_results(&results);
        self.put_list(&result_row(task, result_fence), result_fence, 1, blob).await?;
        let now = self.now();
        let id = task_row(task);
        let finish = |row: &TaskRow| row.finish_upload(result_fence, &sum, now);
        let (row, ended) = self.step::<TaskRow, _>(&id, finish).await?;
        if !ended {
            return Err(LeaseLost { fence: row.lease.fence }.into());
        }
        let told = Sum { requests: requests.clone(), bytes_copied: 0, ..sum_of(&results) };
        self.tell(&task.pass().job, Recorded::Objects(&told));
        self.settle(&task.slice, window).await?;
        Ok(())
    }
}

/// Bytes of parts that were written.
fn bytes_of(upload: &UploadRow, results: &[PartResult]) -> u64 {
    let bytes = |part: &PartResult| {
        let start = u64::from(part.part_number.saturating_sub(1)) * upload.part_bytes;
        upload.size.saturating_sub(start).min(upload.part_bytes)
    };
    results.iter().map(bytes).sum()
}
