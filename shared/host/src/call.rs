//! One invocation, as far as it concerns what is done in it.

use std::time::Duration;

use ossferry_core::time::Timestamp;
use ossferry_ledger::Invocation;

/// Time kept before the host's own deadline, at most: for the answer, and for the steps of the ledger
/// that a handler had begun when its time was up.
const MARGIN_MAX: Duration = Duration::from_secs(2);

/// Who calls, and until when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// The function's name.
    pub function: String,
    /// The host's id of the invocation.
    pub request_id: String,
    /// When everything must have returned, by the ledger's clock.
    deadline: Timestamp,
    /// When the process is ended.
    killed_at: Timestamp,
}

impl Call {
    /// `killed_at` is the host's deadline, `now` the ledger's clock: both tell the time of the host.
    pub fn new(function: &str, request_id: &str, killed_at: Timestamp, now: Timestamp) -> Self {
        let margin = (killed_at.since(now) / 10).min(MARGIN_MAX);
        let deadline = killed_at.minus(margin);
        let (function, request_id) = (function.to_owned(), request_id.to_owned());
        Self { function, request_id, deadline, killed_at }
    }

    /// What a handler is told of record `number`, from 0. The owner is unique: an invocation that is
    /// repeated has another id.
    pub fn invocation(&self, number: usize) -> Invocation {
        Invocation { owner: format!("{}/{number}", self.request_id), deadline: self.deadline }
    }

    /// What is left for setting a message back: the last quarter of the margin goes to the answer.
    pub fn last_words(&self, now: Timestamp) -> Duration {
        let quarter = self.killed_at.since(self.deadline) / 4;
        self.killed_at.minus(quarter).since(now)
    }

    /// What is left until a handler that has not returned is given up: half of the margin goes to the
    /// answer.
    pub fn patience(&self, now: Timestamp) -> Duration {
        let half = self.killed_at.since(self.deadline) / 2;
        self.deadline.plus(half).since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_margin_is_kept_before_the_end_that_a_short_invocation_can_spare() {
        let now = Timestamp(1_000_000);
        for (seconds, deadline_millis, patience_millis) in
            [(300, 298_000, 299_000), (10, 9_000, 9_500), (5, 4_500, 4_750), (0, 0, 0)]
        {
            let killed_at = now.plus(Duration::from_secs(seconds));
            let call = Call::new("f", "r", killed_at, now);
            let deadline = call.invocation(2).deadline;
            assert_eq!(deadline, now.plus(Duration::from_millis(deadline_millis)));
            assert_eq!(call.patience(now), Duration::from_millis(patience_millis));
            assert!(call.last_words(now) >= call.patience(now));
            assert!(call.last_words(now) <= killed_at.since(now));
        }
        assert_eq!(Call::new("f", "r", now, now).invocation(2).owner, "r/2");
    }
}
