//! How many bytes are begun at once, so that what is begun also ends before the deadline.
//!
//! Sixty-four objects of 64 MiB that share a slow line are all cut off half done, and an invocation has
//! moved nothing. Latency says little here: only work that was cut off shows how slow a line is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bytes in flight in one invocation while no line has proved slow: enough streams for any fast one.
const UNMEASURED_BYTES: u64 = 512 << 20;

/// Less than this that was cut off may have stood still for another reason.
const EVIDENCE_BYTES: u64 = 16 << 20;

/// What one invocation moves a second, as far as this process has found out.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// Zero while nothing was ever cut off.
    bytes_per_second: AtomicU64,
}

impl Line {
    /// Learns from an invocation that is over.
    pub(crate) fn learn(&self, bytes_per_second: u64, cut_off_bytes: u64) {
        if cut_off_bytes >= EVIDENCE_BYTES {
            self.bytes_per_second.store(bytes_per_second.max(1), Ordering::Relaxed);
        } else if self.bytes_per_second.load(Ordering::Relaxed) > 0 {
            self.bytes_per_second.fetch_max(bytes_per_second, Ordering::Relaxed);
        }
    }

    /// Bytes that may be in flight with so much time left. `seen` is the rate of this invocation so
    /// far; `fruitless` counts claims of the same work that moved nothing, in other processes too.
    pub(crate) fn carries(&self, seen: u64, left: Duration, fruitless: u64) -> u64 {
        let known = self.bytes_per_second.load(Ordering::Relaxed);
        if known == 0 {
            let shift = u32::try_from(fruitless.saturating_mul(2)).unwrap_or(u32::MAX);
            return UNMEASURED_BYTES.checked_shr(shift).unwrap_or(0);
        }
        // A quarter less than what would fill the time to the last second.
        bytes_in(known.max(seen), left) / 4 * 3
    }
}

fn bytes_in(bytes_per_second: u64, time: Duration) -> u64 {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    bytes_per_second.saturating_mul(millis) / 1_000
}

/// Bytes a second.
pub(crate) fn rate(bytes: u64, time: Duration) -> u64 {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    bytes.saturating_mul(1_000) / millis.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn a_line_is_fast_until_much_was_cut_off_on_it() {
        let line = Line::default();
        assert_eq!(line.carries(0, MINUTE, 0), UNMEASURED_BYTES);
        assert_eq!(line.carries(0, MINUTE, 1), UNMEASURED_BYTES / 4);
        assert_eq!(line.carries(0, MINUTE, 100), 0);
        line.learn(1_000, EVIDENCE_BYTES - 1);
        line.learn(1_000, 0);
        assert_eq!(line.carries(0, MINUTE, 0), UNMEASURED_BYTES, "nothing was learned");
        line.learn(1_000, EVIDENCE_BYTES);
        assert_eq!(line.carries(0, MINUTE, 0), 45_000);
        assert_eq!(line.carries(2_000, MINUTE, 0), 90_000, "it is faster now");
    }

    #[test]
    fn a_line_that_became_faster_is_found_out_and_one_that_became_slower_too() {
        let line = Line::default();
        line.learn(1_000, EVIDENCE_BYTES);
        line.learn(500, 0);
        assert_eq!(line.carries(0, Duration::from_secs(4), 0), 3_000);
        line.learn(5_000, 0);
        assert_eq!(line.carries(0, Duration::from_secs(4), 0), 15_000);
        line.learn(100, EVIDENCE_BYTES);
        assert_eq!(line.carries(0, Duration::from_secs(4), 0), 300);
        assert_eq!(rate(3_000, Duration::from_millis(1_500)), 2_000);
    }
}
