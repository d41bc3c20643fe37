//! Packs planned objects into tasks: batches that end in time, and uploads.

use crate::job::Limits;

/// How fast a task is assumed to go before anything was measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Speed {
    /// What an object costs whatever its size, in microseconds of the task: two requests, divided by
    /// how many objects a task copies at once.
    pub object_micros: u64,
    /// Bytes a second of one task. Never zero.
    pub bytes_per_second: u64,
}

impl Speed {
    /// Two requests of 80 ms each with eight objects in flight, and 50 MB/s: a task cut by it ends
    /// early rather than late on every host of the design.
    pub const ASSUMED: Self = Self { object_micros: 20_000, bytes_per_second: 50_000_000 };

    /// Microseconds that an object of so many bytes takes.
    pub fn micros(&self, bytes: u64) -> u64 {
        let moving = u128::from(bytes) * 1_000_000 / u128::from(self.bytes_per_second.max(1));
        u64::try_from(moving).unwrap_or(u64::MAX).saturating_add(self.object_micros)
    }
}

/// What one batch may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchLimits {
    /// Predicted microseconds.
    pub micros_max: u64,
    /// Objects.
    pub objects_max: usize,
    /// Bytes of objects.
    pub bytes_max: u64,
    /// Bytes of the encoded list, which must fit a row of the table.
    pub row_bytes_max: usize,
    /// An object of more bytes is an upload of its own.
    pub split_bytes: u64,
}

impl BatchLimits {
    /// The limits of a job on a table whose rows hold so many bytes of list.
    pub fn of(limits: &Limits, row_bytes_max: usize) -> Self {
        Self {
            micros_max: u64::from(limits.task_seconds) * 1_000_000,
            objects_max: usize::try_from(limits.task_objects_max).unwrap_or(usize::MAX),
            bytes_max: limits.task_bytes_max,
            row_bytes_max,
            split_bytes: limits.split_bytes,
        }
    }
}

/// What an object weighs in a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Weight {
    /// Bytes to be moved; `None` where the object is only recorded.
    pub moved_bytes: Option<u64>,
    /// Bytes that it takes in the encoded list, at most.
    pub row_bytes: usize,
}

/// What stands in one task.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Packed<T> {
    /// Whole objects, in the order they came.
    Batch(Batch<T>),
    /// One large object.
    Upload(T),
}

/// Whole objects, in the order they came. Never empty once handed out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch<T> {
    /// The objects.
    pub items: Vec<T>,
    /// Their bytes to be moved.
    pub bytes: u64,
    /// How long they are predicted to take.
    pub micros: u64,
    /// Bytes of their encoded list, at most.
    pub row_bytes: usize,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { items: Vec::new(), bytes: 0, micros: 0, row_bytes: 0 }
    }
}

/// Fills batches with objects as they are planned.
#[derive(Debug)]
pub struct Packer<T> {
    limits: BatchLimits,
    speed: Speed,
    open: Batch<T>,
}

impl<T> Packer<T> {
    /// A packer with nothing in it.
    pub fn new(limits: BatchLimits, speed: Speed) -> Self {
        Self { limits, speed, open: Batch::default() }
    }

    /// Puts an object in and returns the task that this completed: the batch that it did not fit
    /// into, or, for a large object, its own upload while the batch stays open.
    ///
    /// A batch exceeds a limit only where its single object does.
    #[must_use = "a completed task is lost unless it is written"]
    pub fn push(&mut self, item: T, weight: Weight) -> Option<Packed<T>> {
        if weight.moved_bytes.is_some_and(|bytes| bytes > self.limits.split_bytes) {
            return Some(Packed::Upload(item));
        }
        let bytes = weight.moved_bytes.unwrap_or(0);
        let micros = weight.moved_bytes.map_or(0, |bytes| self.speed.micros(bytes));
        let limits = &self.limits;
        let fits = self.open.items.len() < limits.objects_max
            && self.open.bytes.saturating_add(bytes) <= limits.bytes_max
            && self.open.micros.saturating_add(micros) <= limits.micros_max
            && self.open.row_bytes.saturating_add(weight.row_bytes) <= limits.row_bytes_max;
        let full = if fits { None } else { self.finish() };
        self.open.items.push(item);
        self.open.bytes = self.open.bytes.saturating_add(bytes);
        self.open.micros = self.open.micros.saturating_add(micros);
        self.open.row_bytes = self.open.row_bytes.saturating_add(weight.row_bytes);
        full.map(Packed::Batch)
    }

    /// The objects that no task holds yet: a cursor must not pass the first of them.
    pub fn open(&self) -> &Batch<T> {
        &self.open
    }

    /// Takes the open batch; `None` where it is empty.
    #[must_use = "the open batch is lost unless it is written"]
    pub fn finish(&mut self) -> Option<Batch<T>> {
        (!self.open.items.is_empty()).then(|| std::mem::take(&mut self.open))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_limit_exceeded_but_by_a_single_object(
            objects in prop::collection::vec((prop::option::of(0_u64..2_000), 1_usize..50), 0..120),
            seconds in 0_u64..3,
            objects_max in 1_usize..20,
            bytes_max in 0_u64..5_000,
            row_bytes_max in 1_usize..200,
            split_bytes in 0_u64..1_500,
        ) {
            let limits = BatchLimits {
                micros_max: seconds * 1_000_000,
                objects_max,
                bytes_max,
                row_bytes_max,
                split_bytes,
            };
            let speed = Speed { object_micros: 10_000, bytes_per_second: 2_000 };
            let mut packer = Packer::new(limits, speed);
            let mut packed = Vec::new();
            for (index, (moved_bytes, row_bytes)) in objects.iter().enumerate() {
                let weight = Weight { moved_bytes: *moved_bytes, row_bytes: *row_bytes };
                packed.extend(packer.push(index, weight));
            }
            packed.extend(packer.finish().map(Packed::Batch));
            prop_assert!(packer.open().items.is_empty());

            let mut seen = Vec::new();
            for task in packed {
                match task {
                    Packed::Upload(index) => {
                        prop_assert!(objects[index].0.unwrap() > split_bytes);
                        seen.push(index);
                    }
                    Packed::Batch(batch) => {
                        prop_assert!(!batch.items.is_empty() && batch.items.is_sorted());
                        let moved = batch.items.iter().filter_map(|index| objects[*index].0);
                        prop_assert_eq!(batch.bytes, moved.clone().sum::<u64>());
                        prop_assert_eq!(batch.micros, moved.map(|b| speed.micros(b)).sum::<u64>());
                        let rows = batch.items.iter().map(|index| objects[*index].1);
                        prop_assert_eq!(batch.row_bytes, rows.sum::<usize>());
                        prop_assert!(
                            batch.items.len() == 1
                                || (batch.items.len() <= objects_max
                                    && batch.bytes <= bytes_max
                                    && batch.micros <= limits.micros_max
                                    && batch.row_bytes <= row_bytes_max)
                        );
                        seen.extend(batch.items);
                    }
                }
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..objects.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_recorded_object_is_never_an_upload_and_takes_no_time() {
        let limits = BatchLimits::of(&Limits::default(), 350_000);
        let mut packer = Packer::new(limits, Speed::ASSUMED);
        let recorded = Weight { moved_bytes: None, row_bytes: 10 };
        assert_eq!(packer.push("archived, 1 TB", recorded), None);
        let large = Weight { moved_bytes: Some(limits.split_bytes + 1), row_bytes: 10 };
        assert_eq!(packer.push("large", large), Some(Packed::Upload("large")));
        assert_eq!((packer.open().micros, packer.open().items.len()), (0, 1));
    }

    #[test]
    fn predicted_time_is_requests_and_bytes() {
        let speed = Speed { object_micros: 5, bytes_per_second: 1_000_000 };
        assert_eq!(speed.micros(0), 5);
        assert_eq!(speed.micros(7), 12);
        assert_eq!(Speed { bytes_per_second: 1, ..speed }.micros(u64::MAX), u64::MAX);
    }
}
