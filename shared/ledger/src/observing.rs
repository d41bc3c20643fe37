//! What has just been recorded, told to whoever counts it beside the ledger.
//!
//! It is told once, after the write that makes it true, by the process that made it: one that dies in
//! between tells nothing. The rows stay the truth; this is for watching.

use std::sync::Arc;

use ossferry_core::meter::Requests;
use ossferry_core::sums::Sum;

use crate::ids::JobName;
use crate::ledger::Ledger;

/// What a step has made true.
#[derive(Clone, Copy, Debug)]
pub enum Recorded<'a> {
    /// Objects have their outcomes; these requests were made for them.
    Objects(&'a Sum),
    /// Parts of a large object stand at the target. The object's own outcome counts no bytes again.
    Parts {
        /// Of the parts.
        bytes: u64,
        /// Made for them.
        requests: &'a Requests,
    },
    /// Requests of a planner.
    Planning(&'a Requests),
    /// A slice was split: one more is to be walked.
    Split,
}

/// Is told what was recorded, and of which job.
pub type Observer = Arc<dyn Fn(&JobName, Recorded<'_>) + Send + Sync>;

impl Ledger {
    /// The same ledger, which tells what is recorded through it.
    #[must_use]
    pub fn observed(self, observer: Observer) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// Tells the observer, if there is one.
    pub fn tell(&self, job: &JobName, recorded: Recorded<'_>) {
        if let Some(observer) = &self.observer {
            observer(job, recorded);
        }
    }
}
