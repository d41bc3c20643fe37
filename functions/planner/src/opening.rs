//! How a large object is opened: its parts and ranges, and what is sent with Initiate.

use std::num::NonZeroU32;

use ossferry_core::along::Along;
use ossferry_core::carry::{Carried, carry};
use ossferry_core::compare::{needs_provenance, provenance_of};
use ossferry_core::job::{Job, Limits};
use ossferry_core::key::Key;
use ossferry_core::layout::{OBJECT_BYTES_MAX, RangeLayout, part_layout};
use ossferry_core::object::{Entry, ObjectInfo};
use ossferry_core::outcome::Outcome;
use ossferry_core::packing::Speed;
use ossferry_ledger::lists::PlannedObject;
use ossferry_ledger::rows::{AbortReason, UploadRow};

/// Parts in one range at most: their results stand in one row.
const RANGE_PARTS_MAX: u32 = 64;

/// Ranges that each worker should find of one object, so that they end about together.
const RANGES_PER_WORKER: u32 = 2;

/// Attempts that one cause may end before the object is given up.
const ATTEMPTS_MAX: usize = 3;

/// Attempts that may end before they were open, each after a longer pause: together about a day.
const UNOPENED_MAX: usize = 300;

/// An object's fate that is decided before it is opened.
pub(crate) type Fate = (Outcome, String);

/// Cuts an object into parts and ranges; or what becomes of one that cannot be cut.
pub(crate) fn layout_of(bytes: u64, limits: &Limits) -> Result<RangeLayout, Fate> {
    let Some(parts) = part_layout(bytes, limits.part_bytes) else {
        return Err(if bytes > OBJECT_BYTES_MAX {
            (Outcome::Unsupported, "the object is larger than 48.8 TB".to_owned())
        } else {
            let reason =
                "the object is empty now, and no upload can hold it: the next pass takes it";
            (Outcome::Deferred, reason.to_owned())
        });
    };
    let shares = limits.workers.max(1).saturating_mul(RANGES_PER_WORKER);
    let share = parts.part_count().div_ceil(shares).clamp(1, RANGE_PARTS_MAX);
    let parts_max = NonZeroU32::new(share).unwrap_or(NonZeroU32::MIN);
    let speed = Speed::ASSUMED.bytes_per_second;
    Ok(RangeLayout::new(parts, limits.task_seconds, speed, parts_max))
}

/// What earlier attempts leave no choice about.
pub(crate) fn fate_of(earlier: &[UploadRow]) -> Option<Fate> {
    let ended_by = |reasons: &[AbortReason]| {
        let is_one = |row: &&UploadRow| row.abort_reason.is_some_and(|why| reasons.contains(&why));
        earlier.iter().filter(is_one).count()
    };
    if ended_by(&[AbortReason::Changed]) >= ATTEMPTS_MAX {
        let reason = "changed three times while it was copied: the next pass takes it";
        return Some((Outcome::Deferred, reason.to_owned()));
    }
    if ended_by(&[AbortReason::Mismatch]) >= ATTEMPTS_MAX {
        return Some((Outcome::Failed, "the proof did not hold three times".to_owned()));
    }
    if ended_by(&[AbortReason::Mismatch, AbortReason::Vanished]) >= ATTEMPTS_MAX {
        return Some((Outcome::Failed, "the target lost the upload three times".to_owned()));
    }
    if ended_by(&[AbortReason::Ended]) >= UNOPENED_MAX {
        return Some((Outcome::Failed, "could not be opened for a day".to_owned()));
    }
    None
}

/// How many attempts ended before they were open: what the next pause goes by.
pub(crate) fn unopened(earlier: &[UploadRow]) -> usize {
    earlier.iter().filter(|row| row.abort_reason == Some(AbortReason::Ended)).count()
}

/// What Initiate fixes: headers, class, encryption, and what is remembered of the source where `ETag`s
/// will not tell.
pub(crate) fn options_of(
    job: &Job,
    comparable: bool,
    planned: &PlannedObject,
    info: &ObjectInfo,
    along: &Along,
) -> Carried {
    let entry = as_listed(planned, info);
    let provenance =
        needs_provenance(comparable, entry.etag.as_ref(), true).then(|| provenance_of(&entry));
    let storage_class = info.storage_class.clone().or_else(|| planned.storage_class.clone());
    carry(job, &ObjectInfo { storage_class, ..info.clone() }, along, provenance)
}

/// What the next pass will find listed: what was listed, unless the object has changed since. A store
/// may serve another `ETag` than it lists.
fn as_listed(planned: &PlannedObject, info: &ObjectInfo) -> Entry {
    let seconds = |time: Option<ossferry_core::time::Timestamp>| time.map(|time| time.0 / 1_000);
    let is_same =
        planned.size == info.size && seconds(planned.last_modified) == seconds(info.last_modified);
    let (etag, last_modified) = if is_same {
        (planned.etag.clone(), planned.last_modified)
    } else {
        (info.etag.clone(), info.last_modified)
    };
    Entry {
        key: Key::default(),
        size: info.size,
        etag,
        last_modified,
        storage_class: None,
        archived: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ossferry_core::compare::PROVENANCE_NAME;
    use ossferry_core::fidelity::Properties;
    use ossferry_core::object::{Digests, ETag, ObjectHeaders};
    use ossferry_core::time::Timestamp;
    use ossferry_ledger::lease::Claimant;
    use ossferry_ledger::lists::{Action, Expected};
    use std::sync::Arc;

    #[test]
    fn a_large_object_is_shared_by_the_workers_and_a_range_fits_a_task() {
        let limits =
            Limits { workers: 4, task_seconds: 60, part_bytes: 16 << 20, ..Limits::default() };
        for (bytes, parts_per_range, ranges) in
            [(65 << 20, 1, 5), (1 << 30, 8, 8), (100 << 30, 64, 100), (5 << 40, 5, 2_000)]
        {
            let layout = layout_of(bytes, &limits).unwrap();
            let found = (layout.parts_per_range(), layout.range_count());
            assert_eq!(found, (parts_per_range, ranges), "{bytes}");
        }
        assert_eq!(layout_of(0, &limits).unwrap_err().0, Outcome::Deferred);
        assert_eq!(layout_of(u64::MAX, &limits).unwrap_err().0, Outcome::Unsupported);
    }

    #[test]
    fn three_attempts_of_one_cause_end_the_object() {
        use AbortReason::{Changed, Ended, Mismatch, Vanished};
        let claimant = Claimant {
            owner: "p".to_owned(),
            now: Timestamp(0),
            lease_until: Timestamp(1),
            known_dead: Arc::new(|_| false),
        };
        for (reasons, fate) in [
            (vec![], None),
            (vec![Changed, Changed, Ended], None),
            (vec![Changed, Mismatch, Vanished], None),
            (vec![Changed, Ended, Changed, Changed], Some(Outcome::Deferred)),
            (vec![Mismatch, Vanished, Vanished], Some(Outcome::Failed)),
            (vec![Ended; UNOPENED_MAX], Some(Outcome::Failed)),
        ] {
            let aborted = |reason: &AbortReason| UploadRow {
                abort_reason: Some(*reason),
                ..UploadRow::opening(1, &claimant, Timestamp(0))
            };
            let earlier: Vec<_> = reasons.iter().map(aborted).collect();
            assert_eq!(fate_of(&earlier).map(|(outcome, _)| outcome), fate, "{reasons:?}");
        }
    }

    #[test]
    fn what_is_remembered_is_the_listed_etag_unless_the_object_changed() {
        let planned = PlannedObject {
            key: Key::from("k"),
            size: 5,
            etag: Some(ETag::new("listed")),
            last_modified: Some(Timestamp(7_123)),
            storage_class: None,
            expected: Expected::Absent,
            action: Action::Copy { forbid_overwrite: false },
        };
        let served = ObjectInfo {
            size: 5,
            etag: Some(ETag::new("served")),
            last_modified: Some(Timestamp(7_000)),
            content_modified: None,
            digests: Digests::default(),
            headers: ObjectHeaders::default(),
            storage_class: None,
            mirrored: false,
            beyond: Properties::default(),
        };
        let job = Job::parse(Job::template()).unwrap();
        let remembered = |info: &ObjectInfo| {
            let carried = options_of(&job, true, &planned, info, &Along::default());
            let metadata = carried.options.headers.user_metadata;
            metadata.into_iter().find(|(name, _)| name == PROVENANCE_NAME).unwrap().1
        };
        assert_eq!(remembered(&served), "listed");
        assert_eq!(remembered(&ObjectInfo { size: 6, ..served.clone() }), "served");
    }
}
