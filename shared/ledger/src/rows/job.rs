//! The job's row, and the index of its passes.

use ossferry_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::codec::TypedRow;
use crate::deploying::Deployed;
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
    /// The ledger's clock when the definition was deployed. `None` where a job file of whoever begins
    /// a pass is the definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed_at: Option<Timestamp>,
}

impl TypedRow for JobRow {}

/// `job/<name>` of the index: a job that was deployed. Says nothing else: its own row does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeployedRow {
    /// Its name.
    pub name: JobName,
}

impl TypedRow for DeployedRow {}

/// What came of declaring T2.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Switched {
    /// It stands; earlier than asked for where it was declared before.
    At(Timestamp),
    /// This pass runs: nothing was written.
    PassRuns(PassId),
}

impl JobRow {
    /// Makes `pass` the one that runs, unless another does: then that one is the answer.
    ///
    /// A deployed definition stays: another may have been deployed since this pass's was read.
    pub fn activate(&self, pass: &PassId, definition: &Self) -> Change<Self, PassId> {
        let active_pass = Some(pass.clone());
        match (&self.active_pass, self.deployed_at) {
            (Some(running), _) => Change::Keep(running.clone()),
            (None, Some(_)) => Change::Write(Self { active_pass, ..self.clone() }, pass.clone()),
            (None, None) => {
                Change::Write(Self { active_pass, t2: self.t2, ..definition.clone() }, pass.clone())
            }
        }
    }

    /// Takes another definition, unless the pass that runs moves other objects.
    pub fn deploy(&self, definition: &Self) -> Change<Self, Deployed> {
        match &self.active_pass {
            Some(running) if self.scope_hash != definition.scope_hash => {
                return Change::Keep(Deployed::ScopeDiffers { running: running.clone() });
            }
            _ => {}
        }
        let is_new =
            self.deployed_at.is_none() || self.definition_hash != definition.definition_hash;
        let (active_pass, t2) = (self.active_pass.clone(), self.t2);
        let standing = Deployed::Standing { is_new, running: active_pass.clone() };
        if is_new {
            Change::Write(Self { active_pass, t2, ..definition.clone() }, standing)
        } else {
            Change::Keep(standing)
        }
    }

    /// Declares T2, once: a time that stands is the answer. Not while a pass runs, because that began
    /// without it and would write over what the application writes from now on.
    pub fn switch(&self, t2: Timestamp) -> Change<Self, Switched> {
        match (&self.active_pass, self.t2) {
            (_, Some(t2)) => Change::Keep(Switched::At(t2)),
            (Some(running), None) => Change::Keep(Switched::PassRuns(running.clone())),
            (None, None) => Change::Write(Self { t2: Some(t2), ..self.clone() }, Switched::At(t2)),
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

    fn job() -> JobRow {
        JobRow {
            name: "j".into(),
            definition: "{}".to_owned(),
            definition_hash: "d".to_owned(),
            scope_hash: "s".to_owned(),
            active_pass: None,
            t2: None,
            deployed_at: None,
        }
    }

    #[test]
    fn one_pass_runs_at_a_time_and_only_its_own_end_frees_the_job() {
        let job = job();
        let Change::Write(running, by) = job.activate(&"p1".into(), &job) else { panic!() };
        assert_eq!(by, "p1".into());
        assert_eq!(running.activate(&"p2".into(), &job), Change::Keep("p1".into()));
        assert_eq!(running.activate(&"p1".into(), &job), Change::Keep("p1".into()));
        assert_eq!(running.release(&"p2".into()), Change::Keep(()));
        assert_eq!(running.release(&"p1".into()), Change::Write(job, ()));
    }

    #[test]
    fn a_pass_that_began_with_an_older_definition_does_not_undo_a_deployment() {
        let older = job();
        let deployed =
            JobRow { definition_hash: "e".to_owned(), deployed_at: Some(Timestamp(1)), ..job() };
        let Change::Write(local, _) = older.activate(&"p1".into(), &deployed) else { panic!() };
        assert_eq!(local.definition_hash, "e");
        let Change::Write(running, _) = deployed.activate(&"p1".into(), &older) else { panic!() };
        assert_eq!(running, JobRow { active_pass: Some("p1".into()), ..deployed });
    }

    #[test]
    fn t2_is_declared_once_and_never_while_a_pass_runs_without_it() {
        let running = JobRow { active_pass: Some("p1".into()), ..job() };
        let refused = Change::Keep(Switched::PassRuns("p1".into()));
        assert_eq!(running.switch(Timestamp(5)), refused);
        let Change::Write(switched, at) = job().switch(Timestamp(5)) else { panic!() };
        assert_eq!((switched.t2, at), (Some(Timestamp(5)), Switched::At(Timestamp(5))));
        let again = Change::Keep(Switched::At(Timestamp(5)));
        assert_eq!(switched.switch(Timestamp(9)), again);
        let Change::Write(running, _) = switched.activate(&"p2".into(), &job()) else { panic!() };
        assert_eq!(running.t2, Some(Timestamp(5)), "whatever the definition says");
        assert_eq!(running.switch(Timestamp(9)), again);
    }

    #[test]
    fn a_scope_is_changed_only_while_no_pass_runs() {
        let running = JobRow { active_pass: Some("p1".into()), t2: Some(Timestamp(9)), ..job() };
        let scope = JobRow { scope_hash: "t".to_owned(), ..job() };
        assert_eq!(
            running.deploy(&scope),
            Change::Keep(Deployed::ScopeDiffers { running: "p1".into() })
        );
        let policy =
            JobRow { definition_hash: "e".to_owned(), deployed_at: Some(Timestamp(1)), ..job() };
        let Change::Write(row, deployed) = running.deploy(&policy) else { panic!() };
        assert_eq!(deployed, Deployed::Standing { is_new: true, running: Some("p1".into()) });
        assert_eq!((row.active_pass.as_ref(), row.t2), (Some(&"p1".into()), Some(Timestamp(9))));
        let again = row.deploy(&JobRow { deployed_at: Some(Timestamp(2)), ..policy });
        let standing = Deployed::Standing { is_new: false, running: Some("p1".into()) };
        assert_eq!(again, Change::Keep(standing));
        assert!(matches!(job().deploy(&scope), Change::Write(..)));
    }
}
