//! Which tasks of a slice may be told to begin, and how far they have ended.

use ossferry_core::sums::Sum;

use super::SliceRow;
use crate::rows::TaskRow;

impl SliceRow {
    /// The committed tasks whose messages are due, first and last: `sent_seq` ≤ `settled_seq` +
    /// `window`.
    pub fn sendable(&self, window: u64) -> Option<(u64, u64)> {
        let last = self.last_seq().min(self.settled_seq.saturating_add(window.max(1)));
        (self.sent_seq < last).then_some((self.sent_seq + 1, last))
    }

    /// The committed tasks that may have ended beyond the settled prefix, first and last, at most so
    /// many. Beyond the window nobody was told to begin.
    pub fn settleable(&self, window: u64, tasks_max: u64) -> Option<(u64, u64)> {
        let told = self.sent_seq.max(self.settled_seq.saturating_add(window.max(1)));
        let first = self.settled_seq + 1;
        let last = self.last_seq().min(self.settled_seq + tasks_max).min(told);
        (first <= last).then_some((first, last))
    }

    /// The settled prefix that these tasks, the next ones in ascending order, allow: its end, and the
    /// sum below it.
    pub fn settled_by(&self, tasks: &[TaskRow]) -> (u64, Sum) {
        let mut sum = self.settled_sum.clone();
        let mut settled_seq = self.settled_seq;
        for task in tasks {
            if task.seq != settled_seq + 1 || !task.state.is_final() {
                break;
            }
            sum.add(&task.sum);
            settled_seq = task.seq;
        }
        (settled_seq, sum)
    }
}
