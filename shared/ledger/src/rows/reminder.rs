//! When a sweep last sent a message again, so that a long queue is not filled with doubles.

use std::time::Duration;

use ossferry_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The pause between two reminders grows to so many times the first.
const GROWTH_MAX: u32 = 16;

/// A message that a sweep sent again. It stands in the row of the work, and goes when somebody takes that.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Reminder {
    /// The ledger's clock when it was sent last.
    pub at: Timestamp,
    /// How often, since anybody took the work.
    pub times: u32,
}

impl Reminder {
    /// The reminder to send now, if one is due: each pause is twice as long as the one before, and a lost
    /// message is found after the last of them at the latest. `idle` is the first pause.
    pub fn next(last: Option<Self>, idle: Duration, now: Timestamp) -> Option<Self> {
        let Some(last) = last else { return Some(Self { at: now, times: 1 }) };
        let growth = 1_u32.checked_shl(last.times).unwrap_or(GROWTH_MAX).min(GROWTH_MAX);
        let is_due = now.since(last.at) >= idle.saturating_mul(growth);
        is_due.then(|| Self { at: now, times: last.times.saturating_add(1) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reminders_grow_rare_and_never_end() {
        let idle = Duration::from_secs(10);
        let (mut last, mut sent) = (None, Vec::new());
        for second in 0..1_000 {
            if let Some(next) = Reminder::next(last, idle, Timestamp(second * 1_000)) {
                sent.push(second);
                last = Some(next);
            }
        }
        assert_eq!(sent[..7], [0, 20, 60, 140, 300, 460, 620]);
    }
}
