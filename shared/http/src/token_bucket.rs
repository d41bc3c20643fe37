//! A rate kept by debt: whoever takes more than there is waits until it is paid back.

use std::time::Duration;

use tokio::time::Instant;

/// Longest wait that one debt asks for, so that a mistyped rate stalls nobody for days.
const WAIT_MAX: Duration = Duration::from_hours(1);

#[derive(Debug)]
pub(crate) struct TokenBucket {
    per_second: f64,
    /// Tokens that gather while nobody takes any.
    burst: f64,
    level: f64,
    filled_at: Instant,
}

impl TokenBucket {
    /// Begins full.
    pub(crate) fn new(per_second: f64, burst: f64, now: Instant) -> Self {
        Self { per_second, burst, level: burst, filled_at: now }
    }

    /// Takes `tokens` at once, and says how long to wait before going on.
    pub(crate) fn take(&mut self, tokens: f64, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.level = (self.level + passed * self.per_second).min(self.burst) - tokens;
        self.filled_at = now;
        if self.level >= 0.0 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(-self.level / self.per_second).unwrap_or(WAIT_MAX).min(WAIT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debt_is_paid_at_the_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(10.0, 5.0, start);
        assert_eq!(bucket.take(5.0, start), Duration::ZERO);
        assert_eq!(bucket.take(5.0, start), Duration::from_millis(500));
        assert_eq!(bucket.take(0.0, start + Duration::from_millis(500)), Duration::ZERO);
        let later = start + Duration::from_mins(1);
        assert_eq!(bucket.take(6.0, later), Duration::from_millis(100), "no more than the burst");
    }
}
