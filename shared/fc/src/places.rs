//! The places that an invocation of a copier has: one of each job whose pass runs.

use std::collections::BTreeMap;
use std::time::Duration;

use ossferry_core::job::Job;
use ossferry_core::time::Timestamp;
use ossferry_ledger::Ledger;
use ossferry_ledger::ids::{JobName, PassRef};

/// A place is held so long, and taken again well before.
const HELD: Duration = Duration::from_secs(45);

/// What one invocation holds.
pub(crate) struct Places {
    owner: String,
    /// The invocation's end.
    end: Timestamp,
    held: BTreeMap<JobName, u32>,
}

impl Places {
    pub(crate) fn new(owner: String, end: Timestamp) -> Self {
        Self { owner, end, held: BTreeMap::new() }
    }

    /// Takes a place of every job, or keeps it. Whether there is one to work for; what cannot be read is no
    /// reason to stop.
    pub(crate) async fn take(&mut self, ledger: &Ledger, passes: &[PassRef]) -> bool {
        let mut found_all = true;
        for pass in passes {
            match self.take_of(ledger, pass).await {
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(job = %pass.job, error, "take a place");
                    found_all = false;
                }
            }
        }
        passes.is_empty() || !self.held.is_empty() || !found_all
    }

    async fn take_of(&mut self, ledger: &Ledger, pass: &PassRef) -> Result<(), String> {
        let row = ledger.pass(pass).await.map_err(|error| error.to_string())?;
        let job = Job::from_json(&row.definition).map_err(|error| error.to_string())?;
        let held = self.held.get(&pass.job).copied();
        let until = ledger.now().plus(HELD).min(self.end);
        let taken = ledger.take_place(&pass.job, held, &self.owner, job.limits.workers, until);
        match taken.await.map_err(|error| error.to_string())? {
            Some(place) => self.held.insert(pass.job.clone(), place),
            None => self.held.remove(&pass.job),
        };
        Ok(())
    }

    /// Lets go of all of them; what fails is free in a moment.
    pub(crate) async fn leave(self, ledger: &Ledger) {
        for (job, place) in &self.held {
            if let Err(error) = ledger.leave_place(job, *place, &self.owner).await {
                tracing::debug!(%job, %error, "leave a place");
            }
        }
    }
}
