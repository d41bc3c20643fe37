//! A rate over the last seconds.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Looks further back than one task takes to be recorded, and not so far that a stall goes unseen.
const SPAN: Duration = Duration::from_secs(20);

/// How fast a count grows.
#[derive(Default)]
pub(super) struct Rate {
    samples: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// The count at that moment.
    pub(super) fn add(&mut self, at: Instant, count: u64) {
        self.samples.push_back((at, count));
        while self.samples.len() > 2
            && self.samples.get(1).is_some_and(|(old, _)| at.duration_since(*old) >= SPAN)
        {
            self.samples.pop_front();
        }
    }

    /// Growth a second, rounded down.
    pub(super) fn per_second(&self) -> u64 {
        let Some((grown, millis)) = self.growth() else { return 0 };
        u64::try_from(u128::from(grown) * 1_000 / millis).unwrap_or(u64::MAX)
    }

    /// How long `count` more will take at this rate. `None` where nothing grows.
    pub(super) fn time_for(&self, count: u64) -> Option<Duration> {
        if count == 0 {
            return Some(Duration::ZERO);
        }
        let (grown, millis) = self.growth()?;
        let needed = u128::from(count) * millis / u128::from(grown);
        Some(Duration::from_millis(u64::try_from(needed).unwrap_or(u64::MAX)))
    }

    /// Growth, and in how many milliseconds. Neither is zero.
    fn growth(&self) -> Option<(u64, u128)> {
        let ((from, first), (to, last)) = (self.samples.front()?, self.samples.back()?);
        let (grown, millis) = (last.saturating_sub(*first), to.duration_since(*from).as_millis());
        (grown > 0 && millis > 0).then_some((grown, millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_of_the_last_seconds_and_says_how_long_the_rest_takes() {
        let start = Instant::now();
        let mut rate = Rate::default();
        assert_eq!((rate.per_second(), rate.time_for(1)), (0, None));
        for second in 0..=100_u64 {
            // Slow at first, then ten a second.
            let count = if second < 50 { second } else { 50 + (second - 50) * 10 };
            rate.add(start + Duration::from_secs(second), count);
        }
        assert_eq!(rate.per_second(), 10);
        assert_eq!(rate.time_for(600), Some(Duration::from_mins(1)));
        assert!(rate.samples.len() < 25, "old samples go");
    }

    #[test]
    fn a_stall_leaves_no_time_to_tell() {
        let start = Instant::now();
        let mut rate = Rate::default();
        for second in 0..60 {
            rate.add(start + Duration::from_secs(second), 7);
        }
        assert_eq!(rate.time_for(1), None);
        assert_eq!(rate.time_for(0), Some(Duration::ZERO));
    }
}
