//! What a function answers.

use ossferry_ledger::ids::{JobName, PassId};
use serde::Serialize;

/// What became of a trigger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerOutcome {
    /// The pass runs: begun now, or by an earlier delivery of the same trigger.
    Running,
    /// Another pass runs.
    Skipped,
    /// This trigger's pass has ended already.
    Ended,
    /// It asks for what must not be done.
    Refused,
}

/// The answer to a trigger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TriggerAnswer {
    /// The pass of the trigger.
    pub pass: PassId,
    /// What became of it.
    pub outcome: TriggerOutcome,
    /// The pass that runs in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<PassId>,
    /// Why it was refused, or how the pass ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl TriggerAnswer {
    /// An answer that gives no reason.
    pub fn new(pass: PassId, outcome: TriggerOutcome) -> Self {
        Self { pass, outcome, running: None, reason: None }
    }

    /// The same with a reason.
    #[must_use]
    pub fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }
}

/// The answer to a sweep.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct SweepAnswer {
    /// Every pass that runs, and what was sent again of it.
    pub swept: Vec<SweptPass>,
}

/// A pass that was swept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SweptPass {
    /// The job.
    pub job: JobName,
    /// Its pass that runs.
    pub pass: PassId,
    /// Slices that had no planner.
    pub slices: u64,
    /// Batches, openings and ranges that had no worker.
    pub tasks: u64,
}
