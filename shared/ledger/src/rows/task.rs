//! The task's row: a batch of whole objects, or one large object.

use std::time::Duration;

use ossferry_core::key::Key;
use ossferry_core::sums::Sum;
use ossferry_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::codec::{TypedRow, json_text};
use crate::lease::{Change, Claimant, Hold, Lease, LeaseLost, Taken};
use crate::rows::Reminder;

mod planned;

/// From this claim on a worker takes one object at a time and notes which.
const CAREFUL_ATTEMPTS: u64 = 3;

/// An object that was in work at this many deaths is failed by name. Two may be chance where processes
/// are killed often: of objects killed at once in hundreds of kills, one in seventy was again.
const DEATHS_MAX: u64 = 3;

/// Workers in a row that may die without having noted an object before the batch is given up: those
/// that take many at once note none, and as many again as are needed to fail an object by name.
const UNNOTED_DEATHS_MAX: u64 = CAREFUL_ATTEMPTS - 1 + 2 * DEATHS_MAX;

/// Hand-backs in a row that may record nothing before transient errors are recorded as failures: with
/// the pauses between them about half an hour.
const FRUITLESS_MAX: u64 = 6;

/// What a task moves. Names are stored: never reuse one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// Whole objects, one GET to one PUT each.
    Batch,
    /// One large object, in ranges of parts.
    Upload,
}

/// Planned ─► Copying ─► Done | Failed; Copying ─► Planned when handed back.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskState {
    /// Waits for a copier.
    Planned,
    /// A copier is at it.
    Copying,
    /// Every object has its outcome.
    Done,
    /// The task itself could not be worked on; its objects are failed.
    Failed,
}

impl TaskState {
    /// Whether nothing more happens in it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

/// `task/<seq>`: the counts that its own conditional write made true.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct TaskRow {
    /// From 1, in the order of planning.
    pub seq: u64,
    /// What it moves.
    pub kind: TaskKind,
    /// Whether it ended.
    pub state: TaskState,
    /// Of its objects, by bytes.
    pub first_key: Key,
    /// Of its objects, by bytes.
    pub last_key: Key,
    /// How many.
    pub objects: u64,
    /// Their bytes, as listed.
    pub bytes: u64,
    /// What became of those that have an outcome.
    #[serde(with = "json_text")]
    pub sum: Sum,
    /// Claims since it was planned or handed back, save those that were let go of.
    pub attempts: u64,
    /// Workers in a row that died before they had noted an object, since it was planned or handed back.
    #[serde(default, skip_serializing_if = "is_none")]
    pub unnoted_deaths: u64,
    /// Hand-backs in a row that recorded nothing.
    pub fruitless: u64,
    /// Objects that waited for the source to restore them when the rest was last handed back.
    #[serde(default, skip_serializing_if = "is_none")]
    pub restoring: u64,
    /// Who works on it. The fence starts at its planner's.
    #[serde(with = "json_text")]
    pub lease: Lease,
    /// Fences of the claims whose results count.
    #[serde(with = "json_text")]
    pub result_fences: Vec<u64>,
    /// The object in work, where a worker takes one at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_work: Option<u32>,
    /// Objects in work when a worker died, once a death.
    #[serde(with = "json_text")]
    pub deaths: Vec<u32>,
    /// CRC-64/ECMA of the stored object list, 16 hex digits.
    pub list_digest: String,
    /// The ledger's clock.
    pub planned_at: Timestamp,
    /// The ledger's clock at the first claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// The ledger's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// When a sweep last sent its message again.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "json_text")]
    pub reminder: Option<Reminder>,
}

impl TypedRow for TaskRow {}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

impl TaskRow {
    /// Takes a batch for one copier.
    pub fn claim(&self, claimant: &Claimant) -> Change<Self, Taken> {
        if self.state.is_final() {
            return Change::Keep(Taken::Over);
        }
        if self.lease.is_held_by(claimant) {
            return Change::Keep(Taken::Mine);
        }
        if !self.lease.is_free_for(claimant) {
            return Change::Keep(Taken::Leased(self.lease.until));
        }
        let mut row = self.clone();
        match row.in_work.take() {
            Some(index) => {
                row.deaths.push(index);
                row.unnoted_deaths = 0;
            }
            // Whoever lives hands it back or lets go of it, and then it is planned.
            None => row.unnoted_deaths += u64::from(self.state == TaskState::Copying),
        }
        row.state = TaskState::Copying;
        row.attempts += 1;
        row.started_at = row.started_at.or(Some(claimant.now));
        row.lease = self.lease.taken_by(claimant);
        row.reminder = None;
        Change::Write(row, Taken::Mine)
    }

    /// Notes that a sweep sends the message again, if that is due. Answers whether it is.
    pub fn remind(&self, idle: Duration, now: Timestamp) -> Change<Self, bool> {
        match Reminder::next(self.reminder, idle, now) {
            Some(reminder) if !self.state.is_final() => {
                Change::Write(Self { reminder: Some(reminder), ..self.clone() }, true)
            }
            _ => Change::Keep(false),
        }
    }

    /// Whether the holder takes one object at a time, because earlier ones died at it. An object that is
    /// suspected stays so when the others were recorded and it alone was handed back.
    pub fn is_careful(&self) -> bool {
        self.attempts >= CAREFUL_ATTEMPTS || !self.deaths.is_empty()
    }

    /// Whether the batch is given up: its workers die before any object of it is begun, so that none
    /// can be named.
    pub fn is_given_up(&self) -> bool {
        self.unnoted_deaths >= UNNOTED_DEATHS_MAX
    }

    /// Whether transient errors count as failures now: many claims in a row moved nothing.
    pub fn is_out_of_patience(&self) -> bool {
        self.fruitless >= FRUITLESS_MAX
    }

    /// Whether this object is given up: workers died while it was in work.
    pub fn is_poison(&self, index: u32) -> bool {
        self.deaths.iter().filter(|death| **death == index).count() as u64 >= DEATHS_MAX
    }

    /// Notes the object in work.
    pub fn note_in_work(
        &self,
        hold: &Hold,
        index: Option<u32>,
    ) -> Result<Change<Self, ()>, LeaseLost> {
        self.lease.check(hold)?;
        if self.in_work == index {
            return Ok(Change::Keep(()));
        }
        Ok(Change::Write(Self { in_work: index, ..self.clone() }, ()))
    }

    /// Lets go of the rest, which nobody is to take before `due`. The results recorded under the
    /// holder's fence count from here on.
    pub fn hand_back(
        &self,
        hold: &Hold,
        sum: &Sum,
        due: Timestamp,
    ) -> Result<Change<Self, ()>, LeaseLost> {
        if self.result_fences.contains(&hold.fence) && !self.lease_is(hold) {
            return Ok(Change::Keep(()));
        }
        self.lease.check(hold)?;
        let mut row = self.with_results(hold.fence, sum);
        row.reminder = None;
        row.state = TaskState::Planned;
        row.attempts = 0;
        row.unnoted_deaths = 0;
        row.fruitless = if sum.objects() == 0 { self.fruitless + 1 } else { 0 };
        row.restoring = 0;
        row.lease = self.lease.released_until(due);
        Ok(Change::Write(row, ()))
    }

    /// Lets go of a batch that its holder could not work on, though it lives: what it claimed is as it was
    /// before, for nobody to take before `due`, and the claim counts as nobody's death.
    ///
    /// Nothing here ends a batch that every holder lets go of: its message counts as failed each time, so
    /// that the dead letters tell of it, and so does a sweep, of a pass that stands still. Deaths stay
    /// counted: who lets go in between does not make a batch that kills live longer.
    pub fn let_go(&self, hold: &Hold, due: Timestamp) -> Result<Change<Self, ()>, LeaseLost> {
        self.lease.check(hold)?;
        let row = Self {
            state: TaskState::Planned,
            attempts: self.attempts.saturating_sub(1),
            in_work: None,
            lease: self.lease.released_until(due),
            ..self.clone()
        };
        Ok(Change::Write(row, ()))
    }

    /// Hands back a rest of which something goes on, so that this was no claim in vain: an object is read
    /// part of the way, or the source restores so many.
    pub fn hand_back_under_way(
        &self,
        hold: &Hold,
        sum: &Sum,
        due: Timestamp,
        restoring: u64,
    ) -> Result<Change<Self, ()>, LeaseLost> {
        let fruitless = if sum.objects() == 0 { self.fruitless } else { 0 };
        Ok(match self.hand_back(hold, sum, due)? {
            Change::Write(row, ()) => Change::Write(Self { fruitless, restoring, ..row }, ()),
            Change::Keep(()) => Change::Keep(()),
        })
    }

    /// Ends a batch: every object has an outcome, and `sum` is of those that this claim recorded.
    pub fn finish(
        &self,
        hold: &Hold,
        sum: &Sum,
        state: TaskState,
        now: Timestamp,
    ) -> Result<Change<Self, ()>, LeaseLost> {
        debug_assert!(state.is_final());
        if self.state.is_final() && self.result_fences.contains(&hold.fence) {
            return Ok(Change::Keep(()));
        }
        self.lease.check(hold)?;
        Ok(Change::Write(self.ended(hold.fence, sum, state, now), ()))
    }

    /// Notes that the upload of a large object has begun.
    pub fn begin_upload(&self, now: Timestamp) -> Change<Self, Taken> {
        match self.state {
            TaskState::Done | TaskState::Failed => Change::Keep(Taken::Over),
            TaskState::Copying => Change::Keep(Taken::Mine),
            TaskState::Planned => {
                let row = Self {
                    state: TaskState::Copying,
                    started_at: self.started_at.or(Some(now)),
                    attempts: self.attempts + 1,
                    ..self.clone()
                };
                Change::Write(row, Taken::Mine)
            }
        }
    }

    /// Notes that a new attempt at a large object begins: results of earlier ones come too late now.
    /// `first_result_fence` is the least of the new attempt.
    pub fn begin_generation(&self, first_result_fence: u64) -> Change<Self, Taken> {
        if self.state.is_final() {
            return Change::Keep(Taken::Over);
        }
        if self.lease.fence >= first_result_fence {
            return Change::Keep(Taken::Mine);
        }
        let lease = Lease { fence: first_result_fence, ..self.lease.clone() };
        Change::Write(Self { lease, ..self.clone() }, Taken::Mine)
    }

    /// Ends the task of a large object, once, whoever of the last attempt comes first. Its result
    /// stands under `result_fence`. Answers whether the task has ended.
    pub fn finish_upload(
        &self,
        result_fence: u64,
        sum: &Sum,
        now: Timestamp,
    ) -> Change<Self, bool> {
        if self.state.is_final() {
            return Change::Keep(true);
        }
        if self.lease.fence > result_fence {
            return Change::Keep(false);
        }
        let mut row = self.ended(result_fence, sum, TaskState::Done, now);
        row.lease.fence = result_fence;
        Change::Write(row, true)
    }

    fn lease_is(&self, hold: &Hold) -> bool {
        self.lease.check(hold).is_ok()
    }

    fn with_results(&self, fence: u64, sum: &Sum) -> Self {
        let mut row = self.clone();
        row.sum.add(sum);
        row.result_fences.push(fence);
        row.in_work = None;
        row
    }

    fn ended(&self, fence: u64, sum: &Sum, state: TaskState, now: Timestamp) -> Self {
        let mut row = self.with_results(fence, sum);
        debug_assert_eq!(row.sum.objects(), row.objects, "planned = the sum of the outcomes");
        row.state = state;
        row.restoring = 0;
        row.ended_at = Some(now);
        row.lease = self.lease.released();
        row
    }
}

#[cfg(test)]
mod tests;
