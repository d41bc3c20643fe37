//! The row of one of the workers that a job may have at once.

use ossferry_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::codec::TypedRow;
use crate::lease::Change;

/// `copier/<n>`: who works on the job as one of so many, where copiers come and go by themselves.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PlaceRow {
    /// Unique an invocation.
    pub owner: String,
    /// The ledger's clock when the place is free again.
    pub until: Timestamp,
}

impl TypedRow for PlaceRow {}

impl PlaceRow {
    /// Whether somebody has it.
    pub fn is_taken_at(&self, now: Timestamp) -> bool {
        now < self.until
    }

    /// Gives the place to `taker`, or leaves it to it for longer; `false` where another has it.
    pub fn take(row: Option<&Self>, taker: &Self, now: Timestamp) -> Change<Self, bool> {
        match row {
            Some(row) if row == taker => Change::Keep(true),
            Some(row) if row.owner != taker.owner && row.is_taken_at(now) => Change::Keep(false),
            _ => Change::Write(taker.clone(), true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_taken_by_one_kept_by_it_and_free_after_its_time() {
        let place =
            |owner: &str, until| PlaceRow { owner: owner.to_owned(), until: Timestamp(until) };
        let (a, b) = (place("a", 100), place("b", 200));
        assert_eq!(PlaceRow::take(None, &a, Timestamp(0)), Change::Write(a.clone(), true));
        assert_eq!(PlaceRow::take(Some(&a), &a, Timestamp(0)), Change::Keep(true));
        assert_eq!(PlaceRow::take(Some(&a), &b, Timestamp(99)), Change::Keep(false));
        assert_eq!(PlaceRow::take(Some(&a), &b, Timestamp(100)), Change::Write(b.clone(), true));
        let longer = place("b", 300);
        assert_eq!(PlaceRow::take(Some(&b), &longer, Timestamp(150)), Change::Write(longer, true));
    }
}
