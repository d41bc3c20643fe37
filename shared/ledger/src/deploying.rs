//! Jobs that stand in the ledger for whoever is triggered: a function has no job file.
//!
//! A deployed definition is what the next pass begins with. The pass that runs keeps its own.

use ossferry_core::job::Job;
use serde::{Deserialize, Serialize};

use crate::codec::{TypedRow, decode};
use crate::ids::{JobName, PassId, deployed_partition, deployed_row, job_row};
use crate::lease::Change;
use crate::ledger::{Ledger, Result};
use crate::rows::JobRow;

/// What came of deploying a job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Deployed {
    /// The next pass begins with this definition.
    Standing {
        /// Whether another definition, or none, stood before.
        is_new: bool,
        /// A pass that runs and keeps the definition it began with.
        running: Option<PassId>,
    },
    /// The pass that runs moves other objects than the definition names: nothing was written.
    ScopeDiffers {
        /// Which.
        running: PassId,
    },
}

/// `job/<name>` of the index: a job that was deployed. Says nothing else: its own row does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct DeployedRow {
    name: JobName,
}

impl TypedRow for DeployedRow {}

impl Ledger {
    /// Writes the definition that the next pass of the job begins with. May be repeated.
    pub async fn deploy_job(&self, job: &Job) -> Result<Deployed> {
        let name = JobName(job.name.clone());
        self.running_pass(&name).await?;
        let index = DeployedRow { name: name.clone() };
        self.change_or_put::<DeployedRow, _>(&deployed_row(&name), None, |row| {
            Ok(match row {
                Some(_) => Change::Keep(()),
                None => Change::Write(index.clone(), ()),
            })
        })
        .await?;
        let fresh = JobRow {
            name: name.clone(),
            definition: job.to_json(),
            definition_hash: job.definition_hash(),
            scope_hash: job.scope_hash(),
            active_pass: None,
            t2: None,
        };
        let (_, deployed) = self
            .change_or_put::<JobRow, _>(&job_row(&name), None, |row| Ok(deploy(row, &fresh)))
            .await?;
        Ok(deployed)
    }

    /// The deployed definition of a job; `None` where it was never deployed.
    pub async fn deployed_job(&self, name: &JobName) -> Result<Option<JobRow>> {
        match self.read::<DeployedRow>(&deployed_row(name)).await? {
            Some(_) => self.job(name).await,
            None => Ok(None),
        }
    }

    /// Every deployed job, by name.
    pub async fn deployed_jobs(&self) -> Result<Vec<JobRow>> {
        let mut jobs = Vec::new();
        for row in self.rows(&deployed_partition(), "job/", "job0", usize::MAX).await? {
            let index: DeployedRow = decode(&row)?;
            jobs.extend(self.job(&index.name).await?);
        }
        Ok(jobs)
    }
}

fn deploy(row: Option<&JobRow>, fresh: &JobRow) -> Change<JobRow, Deployed> {
    let running = row.and_then(|row| row.active_pass.clone());
    match (row, running) {
        (Some(row), Some(running)) if row.scope_hash != fresh.scope_hash => {
            Change::Keep(Deployed::ScopeDiffers { running })
        }
        (row, active_pass) => {
            let is_new = row.is_none_or(|row| row.definition_hash != fresh.definition_hash);
            let standing = Deployed::Standing { is_new, running: active_pass.clone() };
            let t2 = row.and_then(|row| row.t2);
            Change::Write(JobRow { active_pass, t2, ..fresh.clone() }, standing)
        }
    }
}
