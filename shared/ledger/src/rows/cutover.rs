//! The row of a cutover: which steps were seen done, and by which passes.

use ossferry_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::codec::TypedRow;
use crate::ids::PassId;
use crate::lease::Change;

/// Whether a mirror rule is to serve what is not copied yet. Names are stored: never reuse one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MirrorWish {
    /// From before the switch until after the audit.
    Wanted,
    /// Reads of what is not copied yet fail.
    Without,
}

/// `cutover`: how far a job's cutover is. T2 itself stands in the job's row, where a pass begins.
///
/// Every step is noted once, after it was seen done; a step that is noted stays so.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CutoverRow {
    /// Digest of what decides which objects belong.
    pub scope_hash: String,
    /// The ledger's clock when it began.
    pub began: Timestamp,
    /// Objects that the last pass before the switch may have copied.
    pub delta_max: u64,
    /// Whether a mirror rule is part of it.
    pub mirror: MirrorWish,
    /// The incremental pass whose delta was small enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caught_up: Option<PassId>,
    /// The target's clock when the switch was said to be over; T2 is its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switched_until: Option<Timestamp>,
    /// The pass that began after the switch was over and found nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained: Option<PassId>,
    /// The audit after it that found both ends the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audited: Option<PassId>,
    /// The ledger's clock when it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Digest of the ledger's passes at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger_digest: Option<String>,
}

impl TypedRow for CutoverRow {}

/// A step that was seen done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CutoverStep {
    /// Another number is asked for, before the switch.
    DeltaMax(u64),
    /// This pass copied few enough objects.
    CaughtUp(PassId),
    /// The application is switched, by the target's clock.
    Switched(Timestamp),
    /// This pass found nothing.
    Drained(PassId),
    /// This audit found both ends the same.
    Audited(PassId),
    /// All is done.
    Ended {
        /// The ledger's clock.
        at: Timestamp,
        /// Of its passes.
        ledger_digest: String,
    },
}

impl CutoverRow {
    /// A cutover of which nothing was seen yet.
    pub fn new(scope_hash: String, delta_max: u64, mirror: MirrorWish, now: Timestamp) -> Self {
        Self {
            scope_hash,
            began: now,
            delta_max,
            mirror,
            caught_up: None,
            switched_until: None,
            drained: None,
            audited: None,
            ended: None,
            ledger_digest: None,
        }
    }

    /// Notes a step; one that stands stays as it was noted first, save that a later pass may be the one
    /// that caught up.
    pub fn note(&self, step: &CutoverStep) -> Change<Self, ()> {
        let mut row = self.clone();
        match step {
            CutoverStep::DeltaMax(delta_max) => row.delta_max = *delta_max,
            CutoverStep::CaughtUp(pass) => row.caught_up = Some(pass.clone()),
            CutoverStep::Switched(until) => first(&mut row.switched_until, until),
            CutoverStep::Drained(pass) => first(&mut row.drained, pass),
            CutoverStep::Audited(pass) => first(&mut row.audited, pass),
            CutoverStep::Ended { at, ledger_digest } => {
                first(&mut row.ended, at);
                first(&mut row.ledger_digest, ledger_digest);
            }
        }
        if row == *self { Change::Keep(()) } else { Change::Write(row, ()) }
    }
}

fn first<T: Clone>(place: &mut Option<T>, value: &T) {
    place.get_or_insert_with(|| value.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_is_noted_stays_as_it_was_noted_first() {
        let row = CutoverRow::new("s".to_owned(), 10, MirrorWish::Wanted, Timestamp(1));
        let Change::Write(row, ()) = row.note(&CutoverStep::Switched(Timestamp(5))) else {
            panic!()
        };
        assert_eq!(row.note(&CutoverStep::Switched(Timestamp(9))), Change::Keep(()));
        let Change::Write(row, ()) = row.note(&CutoverStep::Drained("p1".into())) else { panic!() };
        assert_eq!(row.note(&CutoverStep::Drained("p2".into())), Change::Keep(()));
        assert_eq!((row.switched_until, row.drained), (Some(Timestamp(5)), Some("p1".into())));
    }
}
