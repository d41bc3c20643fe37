//! Jobs that stand in the ledger for whoever is triggered: a function has no job file.
//!
//! A deployed definition is what the next pass begins with. The pass that runs keeps its own.

use ossferry_core::job::Job;

use crate::codec::decode;
use crate::ids::{JobName, PassId, deployed_partition, deployed_row, job_row};
use crate::lease::Change;
use crate::ledger::{Ledger, Result};
use crate::rows::{DeployedRow, JobRow};

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

impl Ledger {
    /// Writes the definition that the next pass of the job begins with. May be repeated.
    ///
    /// The index of jobs comes first: a job that it names and that was never deployed is passed over.
    /// Then one conditional write of the job row is the deployment.
    pub async fn deploy_job(&self, job: &Job) -> Result<Deployed> {
        let name = JobName(job.name.clone());
        // Lets go of a pass that ended, so that it stands in nobody's way.
        self.running_pass(&name).await?;
        let index = DeployedRow { name: name.clone() };
        self.change_or_put::<DeployedRow, _>(&deployed_row(&name), None, |row| {
            Ok(match row {
                Some(_) => Change::Keep(()),
                None => Change::Write(index.clone(), ()),
            })
        })
        .await?;
        let now = self.now();
        let fresh = JobRow {
            name: name.clone(),
            definition: job.to_json(),
            definition_hash: job.definition_hash(),
            scope_hash: job.scope_hash(),
            active_pass: None,
            t2: None,
            deployed_at: Some(now),
        };
        let (_, deployed) = self
            .change_or_put::<JobRow, _>(&job_row(&name), None, |row| {
                let first = || {
                    let standing = Deployed::Standing { is_new: true, running: None };
                    Change::Write(fresh.clone(), standing)
                };
                Ok(row.map_or_else(first, |row| row.deploy(&fresh)))
            })
            .await?;
        Ok(deployed)
    }

    /// The deployed definition of a job; `None` where it was never deployed.
    pub async fn deployed_job(&self, name: &JobName) -> Result<Option<JobRow>> {
        Ok(self.job(name).await?.filter(|row| row.deployed_at.is_some()))
    }

    /// Every deployed job, by name.
    pub async fn deployed_jobs(&self) -> Result<Vec<JobRow>> {
        let mut jobs = Vec::new();
        for row in self.rows(&deployed_partition(), "job/", "job0", usize::MAX).await? {
            let index: DeployedRow = decode(&row)?;
            jobs.extend(self.deployed_job(&index.name).await?);
        }
        Ok(jobs)
    }
}
