//! The rows by which the workers of a job share its rates.

use ossferry_core::rates::shares::{EachKind, Portion};
use ossferry_core::rates::{InForce, Rates};
use ossferry_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::codec::{TypedRow, json_text};
use crate::lease::Change;

/// `rate/<n>`: what one worker may send until its lease ends. A row whose lease ended is anybody's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RateRow {
    /// Unique a process.
    pub owner: String,
    /// The ledger's clock when its shares are free again.
    pub until: Timestamp,
    /// Of each rate that is capped.
    #[serde(with = "json_text")]
    pub portions: EachKind<Option<Portion>>,
}

impl TypedRow for RateRow {}

impl RateRow {
    /// Writes this row over one that is its own or free; `false` where another has it.
    pub fn take(&self, row: Option<&Self>, is_free: impl Fn(&Self) -> bool) -> Change<Self, bool> {
        match row {
            Some(row) if row == self => Change::Keep(true),
            Some(row) if row.owner != self.owner && !is_free(row) => Change::Keep(false),
            _ => Change::Write(self.clone(), true),
        }
    }
}

/// Whether the windows of the job file still close it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClosedWindows {
    /// As the job file says.
    #[default]
    Kept,
    /// Copied is all the same.
    Ignored,
}

/// `rate`: rates that stand in place of the definition's, until they are set anew. Zero: no cap. What is
/// `None` is as the definition says.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RatesRow {
    /// At the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_bytes_per_second: Option<u64>,
    /// At the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_requests_per_second: Option<u64>,
    /// At the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_bytes_per_second: Option<u64>,
    /// At the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_requests_per_second: Option<u64>,
    /// Whether windows close the job.
    pub closed_windows: ClosedWindows,
    /// The ledger's clock when this was written.
    pub at: Timestamp,
}

impl TypedRow for RatesRow {}

impl RatesRow {
    /// Whether it changes nothing of what the definition says.
    pub fn is_clear(&self) -> bool {
        *self == Self { at: self.at, ..Self::default() }
    }

    /// What is in force where the definition says `defined`.
    pub fn over(&self, defined: InForce) -> InForce {
        let rate = |set: Option<u64>, defined: Option<u64>| match set {
            None => defined,
            Some(0) => None,
            set => set,
        };
        let rates = |bytes, requests, defined: Rates| Rates {
            bytes_per_second: rate(bytes, defined.bytes_per_second),
            requests_per_second: rate(requests, defined.requests_per_second),
        };
        let (bytes, requests) = (self.source_bytes_per_second, self.source_requests_per_second);
        let source = rates(bytes, requests, defined.source);
        let (bytes, requests) = (self.target_bytes_per_second, self.target_requests_per_second);
        let target = rates(bytes, requests, defined.target);
        let closed = defined.closed && self.closed_windows == ClosedWindows::Kept;
        InForce { source, target, closed, until: defined.until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_stands_in_place_of_the_definition_and_the_rest_as_it_says() {
        let (bytes, requests) = (Some(5), Some(6));
        let both = Rates { bytes_per_second: bytes, requests_per_second: requests };
        let defined = InForce { source: both, target: both, closed: true, until: None };
        assert_eq!(RatesRow::default().over(defined), defined);
        let set = RatesRow {
            source_bytes_per_second: Some(0),
            target_requests_per_second: Some(9),
            closed_windows: ClosedWindows::Ignored,
            ..RatesRow::default()
        };
        let over = set.over(defined);
        assert_eq!(over.source, Rates { bytes_per_second: None, requests_per_second: requests });
        assert_eq!(over.target, Rates { bytes_per_second: bytes, requests_per_second: Some(9) });
        assert!(!over.closed && !set.is_clear());
        assert!(RatesRow { at: Timestamp(5), ..RatesRow::default() }.is_clear());
    }

    #[test]
    fn a_row_is_written_by_its_owner_or_over_one_that_is_free() {
        let row = |owner: &str, until| RateRow {
            owner: owner.to_owned(),
            until: Timestamp(until),
            portions: [None; 4],
        };
        let (mine, theirs) = (row("a", 9), row("b", 5));
        let wrote = Change::Write(mine.clone(), true);
        assert_eq!(mine.take(None, |_| false), wrote);
        assert_eq!(mine.take(Some(&row("a", 3)), |_| false), wrote);
        assert_eq!(mine.take(Some(&theirs), |_| true), wrote);
        assert_eq!(mine.take(Some(&theirs), |_| false), Change::Keep(false));
        assert_eq!(mine.take(Some(&mine), |_| false), Change::Keep(true));
    }
}
