//! What a full pass over so many objects comes to: tasks, parts, requests. Pure.

use std::collections::BTreeMap;

use ossferry_core::job::{Limits, PolicySpec};
use ossferry_core::layout::PARTS_MAX;
use ossferry_core::packing::Speed;
use ossferry_core::prices::OBJECT_MICROS;
use serde::Serialize;

/// Keys that one LIST answers.
const PAGE_KEYS: u64 = 1_000;

/// Objects of about one size.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub(super) struct SizeClass {
    /// None is larger.
    pub(super) bytes_max: u64,
    /// How many there are.
    pub(super) objects: u64,
    /// All of them together.
    pub(super) bytes: u64,
}

/// What a full pass into an empty target consists of.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub(super) struct Work {
    /// Objects.
    pub(super) objects: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// Batches of whole objects, and large objects.
    pub(super) tasks: u64,
    /// Large objects, each a task of its own.
    pub(super) uploads: u64,
    /// What one copier moves of a large object at a time.
    pub(super) ranges: u64,
    /// Parts of all large objects.
    pub(super) parts: u64,
    /// By operation of S3.
    pub(super) source_requests: BTreeMap<&'static str, u64>,
    /// By operation of OSS.
    pub(super) target_requests: BTreeMap<&'static str, u64>,
}

impl Work {
    /// Packs by the limits of a job, as the planner does before it has measured anything.
    pub(super) fn new(classes: &[SizeClass], limits: &Limits) -> Self {
        let mut work = Self::default();
        let (mut small, mut small_bytes) = (0_u64, 0_u64);
        for class in classes.iter().filter(|class| class.objects > 0) {
            work.objects += class.objects;
            work.bytes = work.bytes.saturating_add(class.bytes);
            let object_bytes = class.bytes.div_ceil(class.objects);
            if object_bytes <= limits.split_bytes {
                small += class.objects;
                small_bytes = small_bytes.saturating_add(class.bytes);
                continue;
            }
            let parts = object_bytes.div_ceil(limits.part_bytes).min(PARTS_MAX);
            let moved = u64::from(limits.task_seconds) * Speed::ASSUMED.bytes_per_second;
            let parts_a_range =
                (moved / limits.part_bytes.max(object_bytes.div_ceil(parts))).max(1);
            work.uploads += class.objects;
            work.parts += class.objects.saturating_mul(parts);
            work.ranges += class.objects.saturating_mul(parts.div_ceil(parts_a_range));
        }
        work.tasks = work.uploads + batches(small, small_bytes, limits);
        let pages = work.objects.div_ceil(PAGE_KEYS).max(1);
        work.source_requests = [
            ("ListObjectsV2", pages),
            ("GetObject", small + work.parts),
            ("HeadObject", work.uploads),
        ]
        .into();
        work.target_requests = [
            ("ListObjectsV2", pages),
            ("PutObject", small),
            ("InitiateMultipartUpload", work.uploads),
            ("UploadPart", work.parts),
            ("ListParts", work.parts.div_ceil(PAGE_KEYS).max(work.uploads)),
            ("CompleteMultipartUpload", work.uploads),
        ]
        .into();
        work
    }

    /// Adds what is asked for beside each object's bytes; how many of them have tags is not known before.
    pub(super) fn with_along(mut self, policy: &PolicySpec) -> Self {
        let asked = [("GetObjectTagging", policy.tags), ("GetObjectAcl", policy.acl)];
        for (operation, _) in asked.into_iter().filter(|(_, is_asked)| *is_asked) {
            self.source_requests.insert(operation, self.objects);
        }
        self
    }

    /// Adds a request for the metadata of each whole object; of a large one it is asked for anyway.
    pub(super) fn with_metadata(mut self) -> Self {
        self.source_requests.insert("HeadObject", self.objects);
        self
    }

    /// How long one function would work on it alone, moving so many bytes a second.
    pub(super) fn function_seconds(&self, bytes_per_second: u64) -> u64 {
        let moving = self.bytes.div_ceil(bytes_per_second.max(1));
        let asking = u128::from(self.objects) * u128::from(OBJECT_MICROS) / 1_000_000;
        moving.saturating_add(u64::try_from(asking).unwrap_or(u64::MAX))
    }
}

/// Batches end at the first of their limits.
fn batches(objects: u64, bytes: u64, limits: &Limits) -> u64 {
    let speed = Speed::ASSUMED;
    let micros = u128::from(objects) * u128::from(speed.object_micros)
        + u128::from(bytes) * 1_000_000 / u128::from(speed.bytes_per_second);
    let by_time = micros.div_ceil(u128::from(limits.task_seconds) * 1_000_000);
    let by_count = objects.div_ceil(u64::from(limits.task_objects_max));
    let by_bytes = bytes.div_ceil(limits.task_bytes_max);
    by_count.max(by_bytes).max(u64::try_from(by_time).unwrap_or(u64::MAX))
}

/// Classes of sizes, each up to sixteen times the one before: 1 KiB, 16 KiB, … A sample is scaled to totals.
pub(super) fn classes(sizes: &[u64], objects: u64, bytes: u64) -> Vec<SizeClass> {
    let mut counted: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for size in sizes {
        let mut bytes_max = 1_u64 << 10;
        while *size > bytes_max && bytes_max < 1 << 58 {
            bytes_max <<= 4;
        }
        let class = counted.entry(bytes_max).or_default();
        class.0 += 1;
        class.1 += size;
    }
    let in_all: u64 = sizes.iter().sum();
    let count = sizes.len() as u64;
    let mut classes: Vec<_> = counted
        .into_iter()
        .map(|(bytes_max, (seen, seen_bytes))| SizeClass {
            bytes_max,
            objects: scaled(objects, seen, count),
            bytes: scaled(bytes, seen_bytes, in_all),
        })
        .collect();
    // What rounding left over belongs to the most of them.
    if let Some(most) = classes.iter().enumerate().max_by_key(|(_, class)| class.objects) {
        let most = most.0;
        let (seen, seen_bytes) =
            classes.iter().fold((0, 0), |sum, class| (sum.0 + class.objects, sum.1 + class.bytes));
        classes[most].objects += objects - seen;
        classes[most].bytes += bytes - seen_bytes;
    }
    classes
}

/// `total` times a share, rounded down.
pub(super) fn scaled(total: u64, share: u64, of: u64) -> u64 {
    let scaled = u128::from(total) * u128::from(share) / u128::from(of.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}
