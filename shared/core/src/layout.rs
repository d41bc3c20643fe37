//! How a large object is cut into parts, and its parts into ranges. Pure arithmetic.

use std::num::NonZeroU32;

use crate::object::ByteRange;

/// OSS accepts part numbers 1 to 10,000 (multipart page of the OSS manual, 2021; unchanged 2026).
pub const PARTS_MAX: u64 = 10_000;

/// The least that every part but the last must hold: 100 KB. OSS checks it at Complete (same page).
pub const PART_BYTES_MIN: u64 = 100 << 10;

/// The most that a part may hold: 5 GB (same page).
pub const PART_BYTES_MAX: u64 = 5 << 30;

/// The most that one PUT may hold: 5 GB (PutObject page of the OSS manual, 2021; unchanged 2026).
pub const PUT_BYTES_MAX: u64 = 5 << 30;

/// The largest object: 48.8 TB, which is 10,000 parts of 5 GB (limits page of the OSS manual, 2021;
/// unchanged 2026; S3 gives the same number since 2025).
pub const OBJECT_BYTES_MAX: u64 = PARTS_MAX * PART_BYTES_MAX;

const _: () = assert!(PART_BYTES_MIN < PART_BYTES_MAX);
const _: () = assert!(OBJECT_BYTES_MAX / PARTS_MAX <= PART_BYTES_MAX);

/// An object cut into parts of one size, the last of which may be smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartLayout {
    object_bytes: u64,
    part_bytes: u64,
    part_count: u32,
}

/// Cuts an object into parts of about the size wanted: never below [`PART_BYTES_MIN`], and as much
/// larger as [`PARTS_MAX`] demands.
///
/// Returns `None` for an empty object, which no multipart upload can hold, and for one above
/// [`OBJECT_BYTES_MAX`].
pub fn part_layout(object_bytes: u64, wanted_part_bytes: u64) -> Option<PartLayout> {
    if object_bytes == 0 || object_bytes > OBJECT_BYTES_MAX {
        return None;
    }
    let part_bytes = wanted_part_bytes
        .clamp(PART_BYTES_MIN, PART_BYTES_MAX)
        .max(object_bytes.div_ceil(PARTS_MAX));
    PartLayout::new(object_bytes, part_bytes)
}

impl PartLayout {
    /// The layout that a row holds: an object cut by this part size. `None` where OSS would refuse it.
    pub fn new(object_bytes: u64, part_bytes: u64) -> Option<Self> {
        if object_bytes == 0 || !(PART_BYTES_MIN..=PART_BYTES_MAX).contains(&part_bytes) {
            return None;
        }
        let part_count = object_bytes.div_ceil(part_bytes);
        if part_count > PARTS_MAX {
            return None;
        }
        assert!((part_count - 1) * part_bytes < object_bytes);
        let part_count = u32::try_from(part_count).ok()?;
        Some(Self { object_bytes, part_bytes, part_count })
    }

    /// Bytes of the object.
    pub fn object_bytes(&self) -> u64 {
        self.object_bytes
    }

    /// Bytes of every part but the last.
    pub fn part_bytes(&self) -> u64 {
        self.part_bytes
    }

    /// How many parts. Their numbers are 1 to this.
    pub fn part_count(&self) -> u32 {
        self.part_count
    }

    /// The bytes of the part of this number; `None` where there is no such part.
    pub fn part(&self, part_number: u32) -> Option<ByteRange> {
        if part_number == 0 || part_number > self.part_count {
            return None;
        }
        let start = u64::from(part_number - 1) * self.part_bytes;
        Some(ByteRange { start, bytes: self.part_bytes.min(self.object_bytes - start) })
    }
}

/// Some parts of one upload, one after another: what one copier invocation moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartRange {
    /// From 0.
    pub range_index: u32,
    /// From 1.
    pub first_part_number: u32,
    /// Never zero.
    pub part_count: u32,
    /// The bytes of these parts.
    pub bytes: ByteRange,
}

impl PartRange {
    /// The numbers of the parts, ascending.
    pub fn part_numbers(&self) -> impl Iterator<Item = u32> + use<> {
        self.first_part_number..self.first_part_number + self.part_count
    }
}

/// The parts of an upload, grouped into ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeLayout {
    parts: PartLayout,
    parts_per_range: u32,
}

impl RangeLayout {
    /// Groups parts so that a range takes about `task_seconds` at `bytes_per_second`, and holds at
    /// most `parts_max` parts. A range holds at least one part, however long that takes.
    pub fn new(
        parts: PartLayout,
        task_seconds: u32,
        bytes_per_second: u64,
        parts_max: NonZeroU32,
    ) -> Self {
        let fits = u64::from(task_seconds).saturating_mul(bytes_per_second) / parts.part_bytes;
        let fits = u32::try_from(fits).unwrap_or(u32::MAX);
        let parts_per_range = fits.clamp(1, parts_max.get()).min(parts.part_count);
        Self { parts, parts_per_range }
    }

    /// The layout that a row holds.
    pub fn of(parts: PartLayout, parts_per_range: NonZeroU32) -> Self {
        Self { parts, parts_per_range: parts_per_range.get() }
    }

    /// How the object is cut.
    pub fn parts(&self) -> PartLayout {
        self.parts
    }

    /// Parts of every range but the last.
    pub fn parts_per_range(&self) -> u32 {
        self.parts_per_range
    }

    /// How many ranges. Their indexes are 0 to one less.
    pub fn range_count(&self) -> u32 {
        self.parts.part_count.div_ceil(self.parts_per_range)
    }

    /// The range of this index; `None` where there is no such range.
    pub fn range(&self, range_index: u32) -> Option<PartRange> {
        if range_index >= self.range_count() {
            return None;
        }
        let before = range_index * self.parts_per_range;
        let part_count = self.parts_per_range.min(self.parts.part_count - before);
        let start = self.parts.part(before + 1)?.start;
        let last = self.parts.part(before + part_count)?;
        let bytes = ByteRange { start, bytes: last.start + last.bytes - start };
        Some(PartRange { range_index, first_part_number: before + 1, part_count, bytes })
    }

    /// Every range in order.
    pub fn ranges(&self) -> impl Iterator<Item = PartRange> + use<> {
        let layout = *self;
        (0..self.range_count()).filter_map(move |index| layout.range(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_and_ranges_cover_every_byte_once(
            object_bytes in 1..=OBJECT_BYTES_MAX,
            wanted in 0..=2 * PART_BYTES_MAX,
            task_seconds in 0..600_u32,
            bytes_per_second in 0..1_u64 << 32,
            parts_max in 1..200_u32,
        ) {
            let layout = part_layout(object_bytes, wanted).unwrap();
            prop_assert!(u64::from(layout.part_count()) <= PARTS_MAX);
            prop_assert!((PART_BYTES_MIN..=PART_BYTES_MAX).contains(&layout.part_bytes()));
            let mut next = 0;
            for number in 1..=layout.part_count() {
                let part = layout.part(number).unwrap();
                prop_assert_eq!(part.start, next);
                prop_assert!(part.bytes > 0 && part.bytes <= layout.part_bytes());
                next += part.bytes;
            }
            prop_assert_eq!(next, object_bytes);
            prop_assert_eq!(layout.part(0).or(layout.part(layout.part_count() + 1)), None);

            let parts_max = NonZeroU32::new(parts_max).unwrap();
            let ranges = RangeLayout::new(layout, task_seconds, bytes_per_second, parts_max);
            let (mut next, mut number) = (0, 1);
            for (range, index) in ranges.ranges().zip(0..) {
                prop_assert_eq!((range.range_index, range.first_part_number), (index, number));
                prop_assert!(range.part_count > 0 && range.part_count <= parts_max.get());
                prop_assert_eq!(range.bytes.start, next);
                next += range.bytes.bytes;
                number += range.part_count;
            }
            prop_assert_eq!((next, number), (object_bytes, layout.part_count() + 1));
        }
    }

    #[test]
    fn the_largest_object_takes_the_largest_parts_and_a_larger_one_has_no_layout() {
        let layout = part_layout(OBJECT_BYTES_MAX, 16 << 20).unwrap();
        assert_eq!((layout.part_bytes(), layout.part_count()), (PART_BYTES_MAX, 10_000));
        assert_eq!(part_layout(OBJECT_BYTES_MAX + 1, 16 << 20), None);
        assert_eq!(part_layout(0, 16 << 20), None);
        assert_eq!(PartLayout::new(OBJECT_BYTES_MAX, 16 << 20), None);
        assert_eq!(PartLayout::new(1, PART_BYTES_MIN - 1), None);
    }

    #[test]
    fn a_range_takes_about_the_time_of_a_task() {
        let layout = part_layout(1 << 30, 16 << 20).unwrap();
        let ranges = RangeLayout::new(layout, 10, 16 << 20, NonZeroU32::new(100).unwrap());
        assert_eq!((ranges.parts_per_range(), ranges.range_count()), (10, 7));
        assert_eq!(ranges.range(6).unwrap().part_numbers().collect::<Vec<_>>(), [61, 62, 63, 64]);
        assert_eq!(ranges.range(7), None);
        let slow = RangeLayout::new(layout, 10, 1, NonZeroU32::new(100).unwrap());
        assert_eq!(slow.parts_per_range(), 1);
    }
}
