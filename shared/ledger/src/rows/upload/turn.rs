//! Whose turn it is in a large object: which attempt is opened next, what a range still asks for, and
//! what nobody is at.

use super::{UploadRow, UploadState};
use crate::lease::{Change, Claimant, Lease, Taken};
use crate::rows::{RangeRow, RangeState};
use ossferry_core::time::Timestamp;

/// Which attempt a planner opens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NextAttempt {
    /// The attempt of this generation, opened before or not.
    Generation(u64),
    /// None before then: the last one asked for a pause.
    NotBefore(Timestamp),
}

/// What a planner does that asked for the turn to open an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpeningTurn {
    /// It opens the attempt.
    Open,
    /// Another opens it until then, or another has given it up since and the next is due then.
    NotBefore(Timestamp),
    /// It is open, or further.
    Opened,
}

/// What the attempt of a range allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RangeTurn {
    /// The range may be claimed.
    Claim,
    /// Its parts are needed no more: look whether the upload can be completed.
    Look,
    /// The attempt was given up, and nobody opened the next one: it is to be asked for.
    GivenUp,
    /// Nothing is to be done.
    Over,
}

/// What of a large object is due and has no worker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UploadDue {
    /// Somebody is at it.
    Nothing,
    /// An attempt is to be opened, or the rest of its ranges sent.
    Open,
    /// Somebody is to look whether it can be completed.
    Look,
    /// These ranges have no worker.
    Ranges(Vec<u64>),
}

impl UploadRow {
    /// Which attempt comes after these, oldest first.
    pub fn next_attempt(attempts: &[Self], is_free: impl Fn(&Lease) -> bool) -> NextAttempt {
        match attempts.last() {
            None => NextAttempt::Generation(1),
            Some(last) if last.state != UploadState::Aborted => {
                NextAttempt::Generation(last.generation)
            }
            Some(last) if !is_free(&last.lease) => NextAttempt::NotBefore(last.lease.until),
            Some(last) => NextAttempt::Generation(last.generation + 1),
        }
    }

    /// Takes the turn to open this attempt: puts its row, or takes over from a planner that is gone.
    pub fn open_over(&self, stored: Option<&Self>, claimant: &Claimant) -> Change<Self, Taken> {
        match stored {
            None => Change::Write(self.clone(), Taken::Mine),
            Some(stored) => stored.claim_opening(claimant),
        }
    }

    /// What follows for whoever asked for the turn and was answered so, with the row as it stands.
    pub fn opening_turn(&self, taken: &Taken) -> OpeningTurn {
        match taken {
            Taken::Mine => OpeningTurn::Open,
            Taken::Leased(until) => OpeningTurn::NotBefore(*until),
            // Its message may be the only one left that asks for the next attempt.
            Taken::Over if self.state == UploadState::Aborted => {
                OpeningTurn::NotBefore(self.lease.until)
            }
            Taken::Over => OpeningTurn::Opened,
        }
    }

    /// The target's clock since which uploads of this very key may be those of lost planners; `None`
    /// where none was at it before.
    pub fn begun_since(&self, earlier: &[Self]) -> Option<Timestamp> {
        if self.lease.fence <= 1 && earlier.is_empty() {
            return None;
        }
        earlier.iter().chain([self]).map(|row| row.opening_at).min()
    }

    /// What a range of this attempt asks for. `has_next`: the attempt after it was begun.
    pub fn range_turn(&self, has_next: bool) -> RangeTurn {
        match self.state {
            UploadState::Open => RangeTurn::Claim,
            UploadState::Completing | UploadState::Complete => RangeTurn::Look,
            UploadState::Aborted if !has_next => RangeTurn::GivenUp,
            UploadState::Opening | UploadState::Aborted => RangeTurn::Over,
        }
    }

    /// Ranges below it are done, as far as these rows show: `done_below` and on, ascending.
    pub fn done_through(&self, ranges: &[RangeRow]) -> u64 {
        let done = ranges
            .iter()
            .zip(self.done_below..)
            .take_while(|(row, number)| row.number == *number && row.state == RangeState::Done)
            .count() as u64;
        self.done_below + done
    }

    /// What is due in the last attempt, whose ranges these are.
    pub fn due(&self, ranges: &[RangeRow], is_free: impl Fn(&Lease) -> bool) -> UploadDue {
        let is_held = !is_free(&self.lease);
        match self.state {
            UploadState::Opening | UploadState::Completing | UploadState::Aborted if is_held => {
                UploadDue::Nothing
            }
            UploadState::Opening | UploadState::Aborted => UploadDue::Open,
            UploadState::Completing | UploadState::Complete => UploadDue::Look,
            UploadState::Open if self.ranges_sent < self.ranges => UploadDue::Open,
            UploadState::Open => {
                let undone = ranges.iter().filter(|range| range.state != RangeState::Done);
                if undone.clone().next().is_none() {
                    return UploadDue::Look;
                }
                let idle = undone.filter(|range| is_free(&range.lease));
                UploadDue::Ranges(idle.map(|range| range.number).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::AbortReason;
    use std::sync::Arc;

    #[test]
    fn whoever_finds_the_attempt_given_up_meanwhile_comes_again_for_the_next() {
        let claimant = |owner: &str| Claimant {
            owner: owner.to_owned(),
            now: Timestamp(10),
            lease_until: Timestamp(20),
            known_dead: Arc::new(|_| false),
        };
        let first = UploadRow::opening(1, &claimant("p"), Timestamp(0));
        let hold = first.lease.hold().unwrap();
        let Ok(Change::Write(given_up, _)) =
            first.aborted(AbortReason::Ended, Some(&hold), Timestamp(50))
        else {
            panic!()
        };
        let again = UploadRow::opening(1, &claimant("q"), Timestamp(0));
        let Change::Keep(taken) = again.open_over(Some(&given_up), &claimant("q")) else {
            panic!()
        };
        assert_eq!(given_up.opening_turn(&taken), OpeningTurn::NotBefore(Timestamp(50)));
        let open = UploadRow { state: UploadState::Open, ..first };
        assert_eq!(open.opening_turn(&Taken::Over), OpeningTurn::Opened);
    }
}
