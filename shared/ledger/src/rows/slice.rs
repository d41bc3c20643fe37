//! The slice's row: a key range of the source listing, its cursor, its children and its window.

use std::time::Duration;

use ossferry_core::key::Key;
use ossferry_core::sums::{Sum, Walked};
use ossferry_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::codec::{TypedRow, json_text};
use crate::ids::SliceId;
use crate::lease::{Change, Hold, Lease, LeaseLost};
use crate::rows::Reminder;

mod turn;
mod window;

pub use turn::{FAILED_HOPS_MAX, IDLE_HOPS_MAX};

/// A slice with so long an id, or so many children, is not split any more: an id stands in a key column
/// of 512 bytes beside the names of job and pass, and children share one row.
const ID_BYTES_MAX: usize = 200;
const CHILDREN_MAX: usize = 500;
const CHILDREN_BYTES_MAX: usize = 256 << 10;

/// What a child takes in a row beside its two keys and its id, and what each byte of a key takes at
/// most: three letters where it is escaped.
const CHILD_BYTES: usize = 48;
const KEY_BYTE_LETTERS: usize = 3;

/// Open ─► Walking ─► Listed ─► Settled; Open and Walking may become Stopped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SliceState {
    /// Nobody walks it.
    Open,
    /// A planner walks it.
    Walking,
    /// Every key was seen and every task committed.
    Listed,
    /// And every task has ended.
    Settled,
    /// Given up, for the reason beside it.
    Stopped,
}

impl SliceState {
    /// Whether no planner may take it any more.
    pub fn is_walked(self) -> bool {
        matches!(self, Self::Listed | Self::Settled | Self::Stopped)
    }
}

/// A range split off. Kept for good in the parent: the tree of children tiles the key space.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Child {
    /// Its id.
    pub slice: SliceId,
    /// Its first key sorts after this one.
    pub after: Key,
    /// Its last key; `None`: the end of the key space.
    pub until: Option<Key>,
}

impl Child {
    /// Bytes that it takes in its parent's row, at most.
    fn row_bytes(&self) -> usize {
        let keys = self.after.len() + self.until.as_ref().map_or(0, Key::len);
        CHILD_BYTES + self.slice.0.len() + KEY_BYTE_LETTERS * keys
    }
}

/// `slice`: what a planner walks.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct SliceRow {
    /// Its id.
    pub slice: SliceId,
    /// Whether somebody walks it, and what is left.
    pub state: SliceState,
    /// Keys of the slice sort after this one; `None`: from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Key>,
    /// The last key that may belong; `None`: to the end. Lowered by a split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Key>,
    /// Every key up to here was seen and committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Key>,
    /// Where a source that lists in an order of its own goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// A key that was seen near the end of the range: where a split may look. Only a hint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper_hint: Option<Key>,
    /// Tasks below it are committed; from 1.
    pub next_seq: u64,
    /// Messages of tasks up to here were sent.
    pub sent_seq: u64,
    /// Tasks up to here have ended, all of them.
    pub settled_seq: u64,
    /// What became of the objects of those.
    #[serde(with = "json_text")]
    pub settled_sum: Sum,
    /// Ranges split off.
    #[serde(with = "json_text")]
    pub children: Vec<Child>,
    /// Who walks it.
    #[serde(with = "json_text")]
    pub lease: Lease,
    /// What was seen up to the cursor.
    #[serde(with = "json_text")]
    pub walked: Walked,
    /// Invocations that took it.
    pub hops: u64,
    /// Of those, the last ones that moved nothing, save those that were let go of.
    pub idle_hops: u64,
    /// Errors that planners met and survived, since the cursor was moved.
    #[serde(default, skip_serializing_if = "is_none")]
    pub failed_hops: u64,
    /// Why it was stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When a sweep last sent its message again.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "json_text")]
    pub reminder: Option<Reminder>,
}

impl TypedRow for SliceRow {}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// What came of trying to take a slice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SliceClaim {
    /// The claimant walks it.
    Mine,
    /// Another walks it until then.
    Leased(Timestamp),
    /// It is walked already, or was stopped.
    Walked(SliceState),
    /// This claim stopped it: too many invocations made no progress.
    GivenUp,
}

/// What a planner commits: all absolute, so that committing twice is committing once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Every key up to here is accounted for.
    pub cursor: Option<Key>,
    /// Where a source of another order goes on.
    pub token: Option<String>,
    /// Task rows below it were written.
    pub next_seq: u64,
    /// Counts up to the cursor.
    pub walked: Walked,
    /// Whether the range ends at the cursor.
    pub listed: bool,
}

/// A split that makes no sense: a defect of the caller, which then walks on unsplit.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SplitRefused {
    /// The planner lost the slice.
    #[error(transparent)]
    LeaseLost(#[from] LeaseLost),
    /// The middle is not inside the rest of the range.
    #[error("the middle {middle} is not between the cursor and the end of the slice")]
    Outside {
        /// The middle asked for.
        middle: Key,
    },
}

impl SliceRow {
    /// A slice that nobody has walked yet.
    pub fn new(slice: SliceId, after: Option<Key>, until: Option<Key>) -> Self {
        Self {
            slice,
            state: SliceState::Open,
            cursor: after.clone(),
            after,
            until,
            token: None,
            upper_hint: None,
            next_seq: 1,
            sent_seq: 0,
            settled_seq: 0,
            settled_sum: Sum::default(),
            children: Vec::new(),
            lease: Lease::default(),
            walked: Walked::default(),
            hops: 0,
            idle_hops: 0,
            failed_hops: 0,
            reason: None,
            reminder: None,
        }
    }

    /// Notes that a sweep sends the message again, if that is due. Answers whether it is.
    pub fn remind(&self, idle: Duration, now: Timestamp) -> Change<Self, bool> {
        match Reminder::next(self.reminder, idle, now) {
            Some(reminder) if !self.state.is_walked() => {
                Change::Write(Self { reminder: Some(reminder), ..self.clone() }, true)
            }
            _ => Change::Keep(false),
        }
    }

    /// Puts the row of a range that its parent names, unless it stands already.
    pub fn born(
        stored: Option<&Self>,
        child: &Child,
        upper_hint: Option<&Key>,
    ) -> Change<Self, ()> {
        if stored.is_some() {
            return Change::Keep(());
        }
        let (slice, after) = (child.slice.clone(), Some(child.after.clone()));
        let row = Self::new(slice, after, child.until.clone());
        Change::Write(Self { upper_hint: upper_hint.cloned(), ..row }, ())
    }

    /// The last committed task; 0 where there is none.
    pub fn last_seq(&self) -> u64 {
        self.next_seq - 1
    }

    /// Moves cursor, counts and `next_seq`: the commit of the task rows written below it.
    pub fn commit(&self, hold: &Hold, progress: &Progress) -> Result<Change<Self, ()>, LeaseLost> {
        if progress.listed && self.state.is_walked() && self.next_seq == progress.next_seq {
            // The answer to the last commit was lost; its own lease is released already.
            let is_own = self.lease.fence == hold.fence && self.cursor == progress.cursor;
            return if is_own { Ok(Change::Keep(())) } else { Err(self.lost()) };
        }
        self.lease.check(hold)?;
        let mut row = self.clone();
        let moved = row.cursor != progress.cursor
            || row.token != progress.token
            || row.next_seq != progress.next_seq
            || progress.listed;
        row.cursor.clone_from(&progress.cursor);
        row.token.clone_from(&progress.token);
        row.next_seq = progress.next_seq;
        row.walked = progress.walked.clone();
        if moved {
            (row.idle_hops, row.failed_hops) = (0, 0);
        }
        if progress.listed {
            row.state = SliceState::Listed;
            row.token = None;
            row.lease = self.lease.released();
            row.settle_if_done();
        }
        Ok(if row == *self { Change::Keep(()) } else { Change::Write(row, ()) })
    }

    /// Whether the rows of this slice leave room for another split.
    pub fn may_split(&self) -> bool {
        let bytes: usize = self.children.iter().map(Child::row_bytes).sum();
        self.slice.0.len() < ID_BYTES_MAX
            && self.children.len() < CHILDREN_MAX
            && bytes < CHILDREN_BYTES_MAX
    }

    /// Cuts the range at `middle`: this slice keeps (after, middle], the child gets the rest.
    pub fn split(&self, hold: &Hold, middle: &Key) -> Result<Change<Self, Child>, SplitRefused> {
        self.lease.check(hold)?;
        if self.until.as_ref() == Some(middle)
            && let Some(child) = self.children.last().filter(|child| child.after == *middle)
        {
            return Ok(Change::Keep(child.clone()));
        }
        let above = self.cursor.as_ref().is_none_or(|cursor| cursor < middle);
        let below = self.until.as_ref().is_none_or(|until| middle < until);
        if !above || !below {
            return Err(SplitRefused::Outside { middle: middle.clone() });
        }
        let child = Child {
            slice: self.slice.child(self.children.len() + 1),
            after: middle.clone(),
            until: self.until.clone(),
        };
        let mut row = self.clone();
        row.until = Some(middle.clone());
        row.upper_hint = None;
        row.children.push(child.clone());
        Ok(Change::Write(row, child))
    }

    /// Notes that messages up to `sent_seq` were sent.
    pub fn sent(&self, sent_seq: u64) -> Change<Self, ()> {
        if self.sent_seq >= sent_seq {
            return Change::Keep(());
        }
        Change::Write(Self { sent_seq, ..self.clone() }, ())
    }

    /// Raises the settled prefix: every task up to `settled_seq` has ended, and `sum` is theirs.
    /// Answers whether the slice is settled.
    pub fn settle(&self, settled_seq: u64, sum: &Sum) -> Change<Self, bool> {
        debug_assert!(settled_seq < self.next_seq, "only committed tasks settle");
        if self.settled_seq >= settled_seq {
            return Change::Keep(self.state == SliceState::Settled);
        }
        let mut row = Self { settled_seq, settled_sum: sum.clone(), ..self.clone() };
        row.settle_if_done();
        let settled = row.state == SliceState::Settled;
        Change::Write(row, settled)
    }

    fn settle_if_done(&mut self) {
        if self.state == SliceState::Listed && self.settled_seq == self.last_seq() {
            self.state = SliceState::Settled;
        }
    }

    fn lost(&self) -> LeaseLost {
        LeaseLost { fence: self.lease.fence }
    }
}

/// `slice/<id>`: a settled slice in the directory of its pass. Only a cache of a row that will not
/// change any more.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct DirectoryRow {
    /// The slice.
    pub slice: SliceId,
    /// Its bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Key>,
    /// Its bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Key>,
    /// Ranges split off.
    #[serde(with = "json_text")]
    pub children: Vec<Child>,
    /// What was seen.
    #[serde(with = "json_text")]
    pub walked: Walked,
    /// What became of it.
    #[serde(with = "json_text")]
    pub sum: Sum,
    /// Tasks.
    pub tasks: u64,
}

impl TypedRow for DirectoryRow {}

impl DirectoryRow {
    /// The entry of a settled slice.
    pub fn of(row: &SliceRow) -> Option<Self> {
        (row.state == SliceState::Settled).then(|| Self {
            slice: row.slice.clone(),
            after: row.after.clone(),
            until: row.until.clone(),
            children: row.children.clone(),
            walked: row.walked.clone(),
            sum: row.settled_sum.clone(),
            tasks: row.last_seq(),
        })
    }
}

#[cfg(test)]
mod tests;
