//! The pass's row: one walk over the source.

use std::fmt;

use ossferry_core::audit::Share;
use ossferry_core::key::Key;
use ossferry_core::sums::{Sum, Walked};
use ossferry_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::codec::{TypedRow, json_text};
use crate::ids::{JobName, PassId};
use crate::lease::Change;

/// Why the source is walked. Names are stored: never reuse one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PassKind {
    /// Everything is compared.
    Full,
    /// What is dated before `since` and has the same size counts as equal where nothing better tells.
    Incremental,
    /// Compares and writes nothing.
    Audit,
    /// Walks the keys that earlier passes left outstanding.
    Retry,
}

impl PassKind {
    /// The word in rows, JSON and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Incremental => "incremental",
            Self::Audit => "audit",
            Self::Retry => "retry",
        }
    }
}

impl fmt::Display for PassKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Open ─► Finished | Stopped | Cancelled. `Skipped` stands in the index only: a trigger that found
/// another pass running.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PassState {
    /// Work is left.
    Open,
    /// Every slice is listed and settled.
    Finished,
    /// Ended early, for the reason beside it.
    Stopped,
    /// Ended early, because somebody asked.
    Cancelled,
    /// Never began.
    Skipped,
}

impl PassState {
    /// The word in rows and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// Whether nothing more happens in it.
    pub fn is_final(self) -> bool {
        self != Self::Open
    }
}

impl fmt::Display for PassState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The sums of a pass, fixed when it finished.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct PassTotals {
    /// What the planners saw.
    pub walked: Walked,
    /// What became of it.
    pub sum: Sum,
    /// Slices.
    pub slices: u64,
    /// Tasks.
    pub tasks: u64,
}

/// `pass`: what the pass is, and whether it ended.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct PassRow {
    /// The job.
    pub job: JobName,
    /// Its id.
    pub pass: PassId,
    /// Why the source is walked.
    pub kind: PassKind,
    /// Whether it ended.
    pub state: PassState,
    /// Why it was stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The definition that it began with and keeps.
    pub definition: String,
    /// Digest of the definition.
    pub definition_hash: String,
    /// Digest of what decides which objects belong.
    pub scope_hash: String,
    /// T1: the source's own clock before the first page was listed.
    pub t1: Timestamp,
    /// The source's clock: an object of equal size dated before it counts as equal where nothing
    /// better tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// T2: the target's own clock when the application was switched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub t2: Option<Timestamp>,
    /// The ledger's clock.
    pub began: Timestamp,
    /// The ledger's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Chunks of keys that earlier passes left outstanding.
    pub outstanding_chunks: u64,
    /// The share of keys whose bytes an audit reads again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reread_millionths: Option<Share>,
    /// The ledger's clock when rates were last set in place of the definition's: whoever works on the pass
    /// and had none to keep looks for them from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates_set_at: Option<Timestamp>,
    /// Fixed when it finished.
    #[serde(with = "json_text")]
    pub totals: Option<PassTotals>,
}

impl TypedRow for PassRow {}

impl PassRow {
    /// An open pass of which nothing more is told: a full one, without a definition, that began by both
    /// clocks at the beginning of time.
    pub fn open(job: JobName, pass: PassId) -> Self {
        Self {
            job,
            pass,
            kind: PassKind::Full,
            state: PassState::Open,
            reason: None,
            definition: String::new(),
            definition_hash: String::new(),
            scope_hash: String::new(),
            t1: Timestamp(0),
            since: None,
            t2: None,
            began: Timestamp(0),
            ended: None,
            outstanding_chunks: 0,
            reread_millionths: None,
            rates_set_at: None,
            totals: None,
        }
    }

    /// Takes T2 over from the job's row, before the pass runs. It never changes once it is known.
    pub fn learn_t2(&self, t2: Option<Timestamp>) -> Change<Self, ()> {
        if self.t2.is_some() {
            return Change::Keep(());
        }
        Change::Write(Self { t2, ..self.clone() }, ())
    }

    /// Notes that rates were set. One that ended needs none.
    pub fn note_set_rates(&self, at: Timestamp) -> Change<Self, ()> {
        if self.state.is_final() || self.rates_set_at >= Some(at) {
            return Change::Keep(());
        }
        Change::Write(Self { rates_set_at: Some(at), ..self.clone() }, ())
    }

    /// Ends an open pass; one that ended stays as it ended.
    pub fn end(
        &self,
        state: PassState,
        reason: Option<&str>,
        totals: Option<PassTotals>,
        now: Timestamp,
    ) -> Change<Self, PassState> {
        debug_assert!(state.is_final());
        if self.state.is_final() {
            return Change::Keep(self.state);
        }
        let row = Self {
            state,
            reason: reason.map(str::to_owned),
            ended: Some(now),
            totals,
            ..self.clone()
        };
        Change::Write(row, state)
    }
}

/// `outstanding/<n>`: sorted keys that earlier passes left outstanding.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct OutstandingRow {
    /// First key of the chunk.
    pub first_key: Key,
    /// Last key of the chunk.
    pub last_key: Key,
    /// How many.
    pub keys: u64,
}

impl TypedRow for OutstandingRow {}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> PassRow {
        PassRow { t1: Timestamp(1), began: Timestamp(2), ..PassRow::open("j".into(), "p".into()) }
    }

    #[test]
    fn a_pass_ends_once() {
        let Change::Write(stopped, PassState::Stopped) =
            open().end(PassState::Stopped, Some("key revoked"), None, Timestamp(9))
        else {
            panic!()
        };
        assert_eq!(
            stopped.end(PassState::Finished, None, None, Timestamp(10)),
            Change::Keep(PassState::Stopped)
        );
    }
}
