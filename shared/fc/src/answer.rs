//! What a function answers beside what every host answers.

use serde::Serialize;

/// Why an invocation stopped to receive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PullEnd {
    /// Its time is up.
    Time,
    /// Nothing came for a while.
    Idle,
    /// No pass runs.
    NoPass,
}

/// The answer of an invocation that received by itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct PullAnswer {
    /// Messages that were dealt with.
    pub(crate) handled: u64,
    /// Why it stopped.
    pub(crate) ended: PullEnd,
}

/// The answer to messages that were handed over, all of which were dealt with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct PushAnswer {
    /// How many.
    pub(crate) handled: usize,
}
