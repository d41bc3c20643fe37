//! Clocks: the system's, and one that stands still until it is set on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use ossferry_core::time::{Clock, Timestamp};

/// The system's time.
pub fn system_now() -> Timestamp {
    SystemTime::now().into()
}

/// The system's clock.
pub fn system() -> Clock {
    Arc::new(system_now)
}

/// A clock that stands still until it is set on. Clones are one clock.
#[derive(Clone, Debug)]
pub struct SteppedClock(Arc<AtomicI64>);

impl SteppedClock {
    /// Stands at this time.
    pub fn at(time: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(time.0)))
    }

    /// Its time.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    /// Sets it on.
    pub fn step(&self, duration: Duration) {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    /// Sets it on to this time; never back.
    pub fn step_to(&self, time: Timestamp) {
        self.0.fetch_max(time.0, Ordering::SeqCst);
    }

    /// As the product takes it.
    pub fn clock(&self) -> Clock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}
