//! Everything that is drawn, and everything that happened.

use std::fmt::Display;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One generator for every choice of a simulation. Clones are one generator.
#[derive(Clone)]
pub struct Chance(Arc<Mutex<fastrand::Rng>>);

impl Chance {
    /// Decides by this seed.
    pub fn of_seed(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))))
    }

    /// True so many times in a thousand.
    pub fn in_a_thousand(&self, times: u32) -> bool {
        times > 0 && locked(&self.0).u32(0..1_000) < times
    }

    /// One of a range.
    pub fn within(&self, range: Range<u64>) -> u64 {
        locked(&self.0).u64(range)
    }

    /// A place in a list of this length.
    pub fn index(&self, length: usize) -> usize {
        locked(&self.0).usize(0..length)
    }

    /// How long a request is on its way: some milliseconds, now and then a second.
    pub fn delay(&self) -> Duration {
        let slow = self.in_a_thousand(20);
        Duration::from_millis(self.within(if slow { 100..2_000 } else { 1..20 }))
    }
}

/// What happened, line by line. Clones are one trace.
#[derive(Clone, Default)]
pub(super) struct Trace(Arc<Mutex<Vec<String>>>);

impl Trace {
    /// Notes a line.
    pub(super) fn note(&self, line: impl Display) {
        locked(&self.0).push(line.to_string());
    }

    /// Every line so far.
    pub(super) fn lines(&self) -> Vec<String> {
        locked(&self.0).clone()
    }
}
