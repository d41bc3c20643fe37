//! Whose turn a slice is: taken, handed on, let go of after an error, given up.

use ossferry_core::time::Timestamp;

use super::{SliceClaim, SliceRow, SliceState};
use crate::lease::{Change, Claimant, Hold, Lease};

/// Invocations in a row that may take a slice without moving its cursor before it is stopped: they died,
/// or their time was up.
pub const IDLE_HOPS_MAX: u64 = 8;

/// Errors in a row that planners may survive before a slice is stopped: with the pauses between them
/// about a day.
pub const FAILED_HOPS_MAX: u64 = 300;

impl SliceRow {
    /// Takes the slice for one planner invocation.
    pub fn claim(&self, claimant: &Claimant) -> Change<Self, SliceClaim> {
        if self.state.is_walked() {
            return Change::Keep(SliceClaim::Walked(self.state));
        }
        if self.lease.is_held_by(claimant) {
            return Change::Keep(SliceClaim::Mine);
        }
        if !self.lease.is_free_for(claimant) {
            return Change::Keep(SliceClaim::Leased(self.lease.until));
        }
        let mut row = self.clone();
        row.hops += 1;
        if let Some(reason) = self.why_in_vain() {
            row.state = SliceState::Stopped;
            row.lease = Lease { fence: self.lease.fence + 1, ..Lease::default() };
            row.reason = Some(reason);
            return Change::Write(row, SliceClaim::GivenUp);
        }
        row.idle_hops += 1;
        row.reminder = None;
        row.state = SliceState::Walking;
        row.lease = self.lease.taken_by(claimant);
        Change::Write(row, SliceClaim::Mine)
    }

    /// Why nobody is to take the slice any more.
    fn why_in_vain(&self) -> Option<String> {
        if self.idle_hops >= IDLE_HOPS_MAX {
            return Some(format!("{IDLE_HOPS_MAX} planners in a row made no progress"));
        }
        let has_failed = self.failed_hops >= FAILED_HOPS_MAX;
        has_failed.then(|| format!("{FAILED_HOPS_MAX} planners in a row met an error"))
    }

    /// Lets go of the slice, so that the next invocation goes on at the cursor, not before `due`.
    pub fn hand_on(&self, hold: &Hold, due: Timestamp) -> Change<Self, ()> {
        if self.lease.check(hold).is_err() {
            return Change::Keep(());
        }
        let lease = self.lease.released_until(due);
        Change::Write(Self { state: SliceState::Open, lease, ..self.clone() }, ())
    }

    /// Lets go of a slice at which its planner met an error, though it lives: for nobody to take before
    /// `due`, and the claim counts as an error and not as one without progress, which a death is. What this
    /// invocation had committed stands.
    pub fn let_go(&self, hold: &Hold, due: Timestamp) -> Change<Self, ()> {
        let failed = |row: Self| Self {
            idle_hops: row.idle_hops.saturating_sub(1),
            failed_hops: row.failed_hops + 1,
            ..row
        };
        match self.hand_on(hold, due) {
            Change::Write(row, ()) => Change::Write(failed(row), ()),
            Change::Keep(()) => Change::Keep(()),
        }
    }

    /// Gives the slice up by name. Answers whether it is stopped: whoever lost it stops nothing.
    pub fn stop(&self, hold: &Hold, reason: &str) -> Change<Self, bool> {
        if self.lease.check(hold).is_err() {
            return Change::Keep(self.state == SliceState::Stopped);
        }
        let row = Self {
            state: SliceState::Stopped,
            reason: Some(reason.to_owned()),
            lease: self.lease.released(),
            ..self.clone()
        };
        Change::Write(row, true)
    }
}
