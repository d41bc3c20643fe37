//! How many requests were made, by operation.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// Requests by operation, as the service names it (`GetObject`, `ListObjectsV2`).
pub type OperationCounts = BTreeMap<String, u64>;

/// Counts the requests of one handler: each gets adapters of its own meter, so that the counts can
/// stand in the row that the handler commits.
#[derive(Debug, Default)]
pub struct Meter(Mutex<BTreeMap<Cow<'static, str>, u64>>);

impl Meter {
    /// Counts one request sent, whatever its answer: a retry is another request.
    pub fn count(&self, operation: &'static str) {
        self.count_many(operation, 1);
    }

    /// Counts so many units of something that is billed by units.
    pub fn count_many(&self, operation: impl Into<Cow<'static, str>>, units: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(operation.into()).or_default() += units;
    }

    /// What was counted since the last call, and sets the meter to nothing.
    pub fn take(&self) -> OperationCounts {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
            .into_iter()
            .map(|(operation, count)| (operation.into_owned(), count))
            .collect()
    }
}

/// Requests at both ends, and what the host bills beside them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Requests {
    /// At the source.
    pub source: OperationCounts,
    /// At the target.
    pub target: OperationCounts,
    /// Of queue, table and functions, where the host bills them: requests under their service's names,
    /// units under those of [`crate::usage`].
    #[serde(default, skip_serializing_if = "OperationCounts::is_empty")]
    pub host: OperationCounts,
    /// What the source was asked to restore of its archives, by names of [`crate::restored`].
    #[serde(default, skip_serializing_if = "OperationCounts::is_empty")]
    pub restored: OperationCounts,
}

impl Requests {
    /// Adds the other's counts.
    pub fn add(&mut self, other: &Self) {
        for (sum, counts) in [
            (&mut self.source, &other.source),
            (&mut self.target, &other.target),
            (&mut self.host, &other.host),
            (&mut self.restored, &other.restored),
        ] {
            for (operation, count) in counts {
                *sum.entry(operation.clone()).or_default() += count;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_hands_over_each_count_once() {
        let meter = Meter::default();
        meter.count("GetObject");
        meter.count("GetObject");
        assert_eq!(meter.take(), OperationCounts::from([("GetObject".to_owned(), 2)]));
        assert!(meter.take().is_empty());
    }
}
