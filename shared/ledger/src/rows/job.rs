//! The job's row, and the index of its passes.

use ossferry_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::codec::TypedRow;
use crate::ids::{JobName, PassId};
use crate::lease::Change;
use crate::rows::{PassKind, PassState};

/// `job`: the definition in force and the one pass that runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct JobRow {
    /// Its name.
    pub name: JobName,
    /// The normalised job file as JSON. Holds references to secrets, never secrets.
    pub definition: String,
    /// Digest of the definition.
    pub definition_hash: String,
    /// Digest of what decides which objects belong.
    pub scope_hash: String,
    /// The pass that runs, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_pass: Option<PassId>,
    /// T2: the target's own clock when the application was switched to OSS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub t2: Option<Timestamp>,
}

impl TypedRow for JobRow {}

impl JobRow {
    /// Makes `pass` the one that runs, unless another does: then that one is the answer.
    pub fn activate(&self, pass: &PassId, definition: &Self) -> Change<Self, PassId> {
        match &self.active_pass {
            Some(running) => Change::Keep(running.clone()),
            None => Change::Write(
                Self { active_pass: Some(pass.clone()), t2: self.t2, ..definition.clone() },
                pass.clone(),
            ),
        }
    }

    /// Lets go of a pass that ended.
    pub fn release(&self, pass: &PassId) -> Change<Self, ()> {
        if self.active_pass.as_ref() == Some(pass) {
            Change::Write(Self { active_pass: None, ..self.clone() }, ())
        } else {
            Change::Keep(())
        }
    }
}

/// `pass/<id>`: a pass in the index of its job. A cache of the pass's own row, final once `ended`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PassIndexRow {
    /// Its id.
    pub pass: PassId,
    /// Why the source is walked.
    pub kind: PassKind,
    /// As last seen.
    pub state: PassState,
    /// Digest of what decides which objects belong.
    pub scope_hash: String,
    /// The ledger's clock when it was triggered.
    pub began: Timestamp,
    /// The ledger's clock when it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// T1: the source's own clock before the first page was listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub t1: Option<Timestamp>,
    /// The ledger's clock when the uploads of a pass that ended early had been aborted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared: Option<Timestamp>,
    /// Why a trigger made no pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl TypedRow for PassIndexRow {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pass_runs_at_a_time_and_only_its_own_end_frees_the_job() {
        let job = JobRow {
            name: "j".into(),
            definition: "{}".to_owned(),
            definition_hash: "d".to_owned(),
            scope_hash: "s".to_owned(),
            active_pass: None,
            t2: None,
        };
        let Change::Write(running, by) = job.activate(&"p1".into(), &job) else { panic!() };
        assert_eq!(by, "p1".into());
        assert_eq!(running.activate(&"p2".into(), &job), Change::Keep("p1".into()));
        assert_eq!(running.activate(&"p1".into(), &job), Change::Keep("p1".into()));
        assert_eq!(running.release(&"p2".into()), Change::Keep(()));
        assert_eq!(running.release(&"p1".into()), Change::Write(job, ()));
    }
}
