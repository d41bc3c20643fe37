//! A range of parts of one attempt at a large object: what one copier invocation moves.

use ossferry_core::meter::Requests;
use ossferry_core::object::ETag;
use ossferry_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::codec::{TypedRow, json_text};
use crate::lease::{Change, Claimant, Hold, Lease, LeaseLost, Taken};

/// Planned ─► Copying ─► Done; Copying ─► Planned when handed back.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RangeState {
    /// Waits for a copier.
    Planned,
    /// A copier is at it.
    Copying,
    /// Every part was written, and its CRC agreed.
    Done,
}

/// Claims in a row that ended in no record, not even of nothing, before the range is given up: workers
/// died at it.
const DEATHS_MAX: u64 = 4;

/// A part that was written and whose CRC the target confirmed.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct PartResult {
    /// From 1.
    pub part_number: u32,
    /// As the target gave it.
    pub etag: ETag,
    /// Of the bytes streamed.
    pub crc64_ecma: u64,
    /// Of the bytes streamed, where the source gave one of the whole to compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc64_nvme: Option<u64>,
}

/// `range/<generation>/<n>`: its own write is the truth of its parts.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct RangeRow {
    /// From 0.
    pub number: u64,
    /// Whether it is done.
    pub state: RangeState,
    /// Number of its first part.
    pub first_part: u32,
    /// How many parts.
    pub parts: u32,
    /// Who works on it.
    #[serde(with = "json_text")]
    pub lease: Lease,
    /// Claims since it was planned or handed back, save those that were let go of.
    pub attempts: u64,
    /// Parts written so far, ascending.
    #[serde(with = "json_text")]
    pub results: Vec<PartResult>,
    /// Requests made for them.
    #[serde(with = "json_text")]
    pub requests: Requests,
}

impl TypedRow for RangeRow {}

impl RangeRow {
    /// A range that nobody has begun.
    pub fn new(number: u64, first_part: u32, parts: u32) -> Self {
        Self {
            number,
            state: RangeState::Planned,
            first_part,
            parts,
            lease: Lease::default(),
            attempts: 0,
            results: Vec::new(),
            requests: Requests::default(),
        }
    }

    /// Whether workers died at it, one after the other.
    pub fn is_poison(&self) -> bool {
        self.attempts > DEATHS_MAX
    }

    /// Takes the range for one copier.
    pub fn claim(&self, claimant: &Claimant) -> Change<Self, Taken> {
        if self.state == RangeState::Done {
            return Change::Keep(Taken::Over);
        }
        if self.lease.is_held_by(claimant) {
            return Change::Keep(Taken::Mine);
        }
        if !self.lease.is_free_for(claimant) {
            return Change::Keep(Taken::Leased(self.lease.until));
        }
        let row = Self {
            state: RangeState::Copying,
            attempts: self.attempts + 1,
            lease: self.lease.taken_by(claimant),
            ..self.clone()
        };
        Change::Write(row, Taken::Mine)
    }

    /// Lets go of a range that its holder could not work on, though it lives: it is as it was before, and
    /// the claim counts as nobody's death.
    pub fn let_go(&self, hold: &Hold) -> Result<Change<Self, ()>, LeaseLost> {
        self.lease.check(hold)?;
        let row = Self {
            state: RangeState::Planned,
            attempts: self.attempts.saturating_sub(1),
            lease: self.lease.released(),
            ..self.clone()
        };
        Ok(Change::Write(row, ()))
    }

    /// Records the parts written and lets go: done when all are there, else planned again, for nobody
    /// to take before `due`.
    pub fn record(
        &self,
        hold: &Hold,
        results: &[PartResult],
        requests: &Requests,
        due: Timestamp,
    ) -> Result<Change<Self, RangeState>, LeaseLost> {
        if self.lease.fence == hold.fence && self.lease.owner.is_none() && self.results == results {
            return Ok(Change::Keep(self.state));
        }
        self.lease.check(hold)?;
        let state = if results.len() as u64 == u64::from(self.parts) {
            RangeState::Done
        } else {
            RangeState::Planned
        };
        let mut all = self.requests.clone();
        all.add(requests);
        let row = Self {
            state,
            requests: all,
            attempts: 0,
            results: results.to_vec(),
            lease: self.lease.released_until(due),
            ..self.clone()
        };
        Ok(Change::Write(row, state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_range_keeps_the_parts_of_whoever_handed_it_back() {
        let claimant = |owner: &str| Claimant {
            owner: owner.to_owned(),
            now: Timestamp(0),
            lease_until: Timestamp(10),
            known_dead: Arc::new(|_| false),
        };
        let part = |part_number| PartResult {
            part_number,
            etag: ETag::new("e"),
            crc64_ecma: u64::MAX,
            crc64_nvme: None,
        };
        let Change::Write(row, Taken::Mine) = RangeRow::new(0, 1, 2).claim(&claimant("a")) else {
            panic!()
        };
        let (hold, none) = (row.lease.hold().unwrap(), Requests::default());
        let now = Timestamp(0);
        let Ok(Change::Write(back, RangeState::Planned)) =
            row.record(&hold, &[part(1)], &none, now)
        else {
            panic!()
        };
        assert_eq!(
            back.record(&hold, &[part(1)], &none, now),
            Ok(Change::Keep(RangeState::Planned))
        );
        let Change::Write(row, Taken::Mine) = back.claim(&claimant("b")) else { panic!() };
        assert!(row.record(&hold, &[part(1), part(2)], &none, now).is_err(), "the first lost it");
        let next = row.lease.hold().unwrap();
        assert!(row.let_go(&hold).is_err(), "nor is it the first's to let go of");
        let Ok(Change::Write(free, ())) = row.let_go(&next) else { panic!() };
        assert_eq!((free.state, free.attempts, &free.results), (back.state, 0, &back.results));
        assert!(free.lease.is_free_for(&claimant("c")), "a late part holds the same bytes");
        let Ok(Change::Write(done, RangeState::Done)) =
            row.record(&next, &[part(1), part(2)], &none, now)
        else {
            panic!()
        };
        assert_eq!(done.claim(&claimant("c")), Change::Keep(Taken::Over));
    }
}
