//! A rate kept by debt: whoever takes more than there is waits until it is paid back.

use std::time::Duration;

use tokio::time::Instant;

/// Longest wait before a debt is looked at again: the rate may have changed meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) struct TokenBucket {
    per_second: f64,
    /// Tokens that gather while nobody takes any.
    burst: f64,
    /// Tokens that came so far, less those that nobody took in time.
    granted: f64,
    /// Tokens taken so far.
    taken: f64,
    filled_at: Instant,
    /// Tokens taken, and tokens that came, since [`TokenBucket::take_usage`].
    usage: (f64, f64),
}

/// What has to be granted before whoever took goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owed(f64);

impl TokenBucket {
    /// Begins with a full burst.
    pub(crate) fn new(per_second: f64, burst: f64, now: Instant) -> Self {
        Self { per_second, burst, granted: burst, taken: 0.0, filled_at: now, usage: (0.0, 0.0) }
    }

    /// Has another rate from now on; what is owed stays owed, and what lies there stays.
    pub(crate) fn set_rate(&mut self, per_second: f64, burst: f64, now: Instant) {
        self.fill(now);
        (self.per_second, self.burst) = (per_second, burst);
    }

    /// Takes `tokens` at once.
    pub(crate) fn take(&mut self, tokens: f64, now: Instant) -> Owed {
        self.fill(now);
        self.taken += tokens;
        self.usage.0 += tokens;
        Owed(self.taken)
    }

    /// What everybody owes who has taken so far.
    pub(crate) fn owed(&self) -> Owed {
        Owed(self.taken)
    }

    /// How long to wait at least before going on; `None` where nothing is owed any more.
    pub(crate) fn wait(&mut self, owed: Owed, now: Instant) -> Option<Duration> {
        self.fill(now);
        // Where a rate went away and came back, what was owed to the bucket before is no debt to this one.
        let owed = owed.0.min(self.taken);
        let missing = owed - self.granted;
        if missing <= f64::EPSILON * owed {
            return None;
        }
        let wait = Duration::try_from_secs_f64(missing / self.per_second).unwrap_or(LOOK_AGAIN);
        // A timer counts whole milliseconds.
        Some(wait.clamp(Duration::from_millis(1), LOOK_AGAIN))
    }

    /// Tokens that were taken and that came since the last call.
    pub(crate) fn take_usage(&mut self, now: Instant) -> (f64, f64) {
        self.fill(now);
        std::mem::take(&mut self.usage)
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        let came = passed * self.per_second;
        self.usage.1 += came;
        self.granted = (self.granted + came).min(self.taken + self.burst);
        self.filled_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    #[test]
    fn a_debt_is_paid_at_the_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(10.0, 5.0, start);
        let first = bucket.take(5.0, start);
        assert_eq!(bucket.wait(first, start), None);
        let second = bucket.take(4.0, start);
        assert_eq!(bucket.wait(second, start), Some(400 * MILLI));
        assert_eq!(bucket.wait(first, start), None, "a later debt is not an earlier one's");
        assert_eq!(bucket.wait(second, start + 400 * MILLI), None);
        let later = start + Duration::from_mins(1);
        let third = bucket.take(6.0, later);
        assert_eq!(bucket.wait(third, later), Some(100 * MILLI), "no more than the burst");
    }

    #[test]
    fn what_was_owed_to_a_bucket_that_is_gone_is_not_waited_for_at_the_next() {
        let start = Instant::now();
        let mut before = TokenBucket::new(10.0, 0.0, start);
        let owed = before.take(1e9, start);
        let mut bucket = TokenBucket::new(10.0, 0.0, start);
        assert_eq!(bucket.wait(owed, start), None);
        bucket.take(1.0, start);
        assert_eq!(bucket.wait(owed, start), Some(100 * MILLI), "with what others took since");
    }

    #[test]
    fn another_rate_holds_for_debts_that_stand_and_a_rate_of_nothing_grants_nothing() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(10.0, 0.0, start);
        let owed = bucket.take(10.0, start);
        assert_eq!(bucket.wait(owed, start), Some(LOOK_AGAIN), "a second, looked at before");
        bucket.set_rate(0.0, 0.0, start + 500 * MILLI);
        let later = start + Duration::from_hours(1);
        assert_eq!(bucket.wait(owed, later), Some(LOOK_AGAIN));
        bucket.set_rate(50.0, 0.0, later);
        assert_eq!(bucket.wait(owed, later), Some(100 * MILLI), "five are left");
        assert_eq!(bucket.wait(owed, later + 100 * MILLI), None);
        assert_eq!(bucket.take_usage(later + 100 * MILLI), (10.0, 10.0));
        assert_eq!(bucket.take_usage(later + 100 * MILLI), (0.0, 0.0));
    }
}
