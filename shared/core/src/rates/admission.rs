//! Whether something new may be copied now: told by whoever keeps the rates, asked by whoever copies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::InForce;
use crate::time::Timestamp;

const OPEN: i64 = i64::MIN;

/// Shared by both. Open until it is told otherwise.
#[derive(Clone, Debug)]
pub struct Admission(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    closed_until: AtomicI64,
    rates_are_set: AtomicBool,
}

impl Default for Admission {
    fn default() -> Self {
        let closed_until = AtomicI64::new(OPEN);
        Self(Arc::new(Inner { closed_until, rates_are_set: AtomicBool::new(false) }))
    }
}

impl Admission {
    /// Tells what is in force.
    pub fn tell(&self, in_force: &InForce) {
        let until = in_force.until.unwrap_or(Timestamp::MAX).0;
        let closed_until = if in_force.closed { until } else { OPEN };
        self.0.closed_until.store(closed_until, Ordering::Relaxed);
    }

    /// While nothing new is copied: until when, as far as is known.
    pub fn closed_until(&self) -> Option<Timestamp> {
        let until = self.0.closed_until.load(Ordering::Relaxed);
        (until != OPEN).then_some(Timestamp(until))
    }

    /// Notes that rates were set while a pass runs, which a job without any would not look for.
    pub fn note_set_rates(&self) {
        self.0.rates_are_set.store(true, Ordering::Relaxed);
    }

    /// Whether that was noted.
    pub fn rates_are_set(&self) -> bool {
        self.0.rates_are_set.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_open_unless_what_is_in_force_closes_it() {
        let admission = Admission::default();
        assert_eq!(admission.closed_until(), None);
        for (closed, until, want) in [
            (true, Some(Timestamp(5)), Some(Timestamp(5))),
            (true, None, Some(Timestamp::MAX)),
            (false, Some(Timestamp(5)), None),
        ] {
            admission.clone().tell(&InForce { closed, until, ..InForce::NOTHING });
            assert_eq!(admission.closed_until(), want);
        }
    }
}
