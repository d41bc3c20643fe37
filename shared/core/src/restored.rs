//! What a source was asked to restore of its archives: what it bills for, long before a byte is read.
//!
//! Counted where the store has accepted a request, in the row that the request's handler records. An answer
//! that was lost is not counted: the next request finds that the restoration goes on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::job::RestoreTier;
use crate::meter::{Meter, OperationCounts};

/// What the names of counts end with.
const OBJECTS: &str = "objects";
const BYTES: &str = "bytes";

/// A class that the listing did not name.
const UNNAMED: &str = "unnamed";

/// Counts an object of this class that its store has just begun to restore.
pub fn count_restored(meter: &Meter, class: Option<&str>, tier: RestoreTier, bytes: u64) {
    let name = |unit| format!("{} {} {unit}", class.unwrap_or(UNNAMED), tier.as_str());
    meter.count_many(name(OBJECTS), 1);
    meter.count_many(name(BYTES), bytes);
}

/// Objects of one class that were restored by one tier.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Restored {
    /// The storage class, as the source names it.
    pub class: String,
    /// The tier, as requests spell it.
    pub tier: String,
    /// How many were asked for.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What the store asks for it, where that is known here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<RestoredPrice>,
}

/// What a store asks for restorations, in USD.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RestoredPrice {
    /// Requests, and gigabytes of the archive.
    pub retrieval: f64,
    /// The readable copies beside the archive, each day that they are kept.
    pub copy_day: f64,
    /// Whose prices, and of what date.
    pub prices: String,
}

/// What the counts of a pass say, by class and tier.
pub fn restored(counts: &OperationCounts) -> Vec<Restored> {
    let mut found = BTreeMap::<(&str, &str), Restored>::new();
    for (name, count) in counts {
        let mut words = name.rsplitn(3, ' ');
        let (Some(unit), Some(tier), Some(class)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let of_both = found.entry((class, tier)).or_default();
        match unit {
            OBJECTS => of_both.objects += count,
            BYTES => of_both.bytes += count,
            _ => {}
        }
    }
    let named = |((class, tier), of_both): ((&str, &str), Restored)| Restored {
        class: class.to_owned(),
        tier: tier.to_owned(),
        ..of_both
    };
    found.into_iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_bytes_are_told_by_class_and_tier() {
        let meter = Meter::default();
        count_restored(&meter, Some("GLACIER"), RestoreTier::Bulk, 5);
        count_restored(&meter, Some("GLACIER"), RestoreTier::Bulk, 7);
        count_restored(&meter, Some("DEEP_ARCHIVE"), RestoreTier::Standard, 1 << 40);
        count_restored(&meter, None, RestoreTier::Bulk, 0);
        let told: Vec<_> = restored(&meter.take())
            .into_iter()
            .map(|it| (it.class, it.tier, it.objects, it.bytes))
            .collect();
        let want = [
            ("DEEP_ARCHIVE", "Standard", 1, 1 << 40),
            ("GLACIER", "Bulk", 2, 12),
            ("unnamed", "Bulk", 1, 0),
        ];
        assert_eq!(
            told,
            want.map(|(class, tier, objects, bytes): (&str, &str, u64, u64)| {
                (class.to_owned(), tier.to_owned(), objects, bytes)
            })
        );
        assert!(restored(&OperationCounts::default()).is_empty());
    }
}
