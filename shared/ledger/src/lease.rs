//! Who holds a row. Whoever takes one raises its fence and writes its owner in the same conditional
//! write; every later write tests both.

use ossferry_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Tells of an owner that is known to have died before its lease ended. On one machine the host knows;
/// in a cloud nobody does, and leases run out.
pub type KnownDead = std::sync::Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// One attempt of one worker to take a row.
#[derive(Clone)]
pub struct Claimant {
    /// Unique for the attempt.
    pub owner: String,
    /// The ledger's clock.
    pub now: Timestamp,
    /// After this moment nothing of this attempt is in flight at the target any more.
    pub lease_until: Timestamp,
    /// Owners that need not be waited for.
    pub known_dead: KnownDead,
}

/// A claim that was won: what every later write of its holder tests.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Hold {
    /// As written by the claim.
    pub owner: String,
    /// As raised by the claim.
    pub fence: u64,
}

/// The row was taken by another since. Whoever gets this stops, and writes nothing more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the lease was lost: the row has fence {fence}")]
pub struct LeaseLost {
    /// The fence it has now.
    pub fence: u64,
}

/// The three attributes that every leased row has.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Lease {
    /// Raised by every claim.
    pub fence: u64,
    /// Who holds the row, if anyone does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Until when. Without an owner: not to be taken before, because a store asked to be left alone.
    pub until: Timestamp,
}

impl Lease {
    /// Whether this claimant holds the row: the way to settle a claim whose answer was lost.
    pub fn is_held_by(&self, claimant: &Claimant) -> bool {
        self.owner.as_deref() == Some(claimant.owner.as_str())
    }

    /// Whether nobody holds the row, or nobody who is still at work.
    pub fn is_free_for(&self, claimant: &Claimant) -> bool {
        self.is_free_at(claimant.now, &claimant.known_dead)
    }

    /// Whether nobody holds the row at that moment.
    pub fn is_free_at(&self, now: Timestamp, known_dead: &KnownDead) -> bool {
        self.until <= now || self.owner.as_deref().is_some_and(|owner| known_dead(owner))
    }

    /// The lease of whoever takes the row next.
    #[must_use]
    pub fn taken_by(&self, claimant: &Claimant) -> Self {
        Self {
            fence: self.fence + 1,
            owner: Some(claimant.owner.clone()),
            until: claimant.lease_until,
        }
    }

    /// The lease after its holder let go. The fence stays.
    #[must_use]
    pub fn released(&self) -> Self {
        self.released_until(Timestamp::default())
    }

    /// The lease after its holder let go of work that nobody is to take before `due`: a message too
    /// many, or a sweep, must not shorten a pause.
    #[must_use]
    pub fn released_until(&self, due: Timestamp) -> Self {
        Self { fence: self.fence, owner: None, until: due }
    }

    /// Tests fence and owner.
    pub fn check(&self, hold: &Hold) -> Result<(), LeaseLost> {
        if self.fence == hold.fence && self.owner.as_deref() == Some(hold.owner.as_str()) {
            Ok(())
        } else {
            Err(LeaseLost { fence: self.fence })
        }
    }

    /// What the holder has to show.
    pub fn hold(&self) -> Option<Hold> {
        self.owner.clone().map(|owner| Hold { owner, fence: self.fence })
    }
}

/// What a transition asks to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change<R, O> {
    /// Write this row; the answer is then true.
    Write(R, O),
    /// The row already says so, or must not change.
    Keep(O),
}

/// What came of trying to take a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Taken {
    /// The claimant holds it.
    Mine,
    /// Another holds it until then.
    Leased(Timestamp),
    /// There is nothing left to do in it.
    Over,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn claimant(owner: &str, now: i64) -> Claimant {
        Claimant {
            owner: owner.to_owned(),
            now: Timestamp(now),
            lease_until: Timestamp(now + 100),
            known_dead: Arc::new(|owner| owner == "dead"),
        }
    }

    #[test]
    fn a_lease_is_free_when_it_ended_or_its_owner_is_known_dead() {
        let first = Lease::default().taken_by(&claimant("a", 0));
        assert_eq!((first.fence, first.until), (1, Timestamp(100)));
        assert!(!first.is_free_for(&claimant("b", 99)));
        assert!(first.is_free_for(&claimant("b", 100)));
        assert!(Lease::default().taken_by(&claimant("dead", 0)).is_free_for(&claimant("b", 1)));
        let paused = first.released_until(Timestamp(50));
        assert!(!paused.is_free_for(&claimant("b", 49)) && paused.is_free_for(&claimant("b", 50)));
    }

    #[test]
    fn a_hold_is_lost_by_fence_and_by_owner() {
        let mine = Lease::default().taken_by(&claimant("a", 0));
        let hold = mine.hold().unwrap();
        assert_eq!(mine.check(&hold), Ok(()));
        let other = mine.taken_by(&claimant("b", 200));
        assert_eq!(other.check(&hold), Err(LeaseLost { fence: 2 }));
        let same_fence = Lease { owner: Some("c".to_owned()), ..mine.clone() };
        assert_eq!(same_fence.check(&hold), Err(LeaseLost { fence: 1 }));
        assert_eq!(mine.released().check(&hold), Err(LeaseLost { fence: 1 }));
    }
}
