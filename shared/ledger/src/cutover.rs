//! T2, the steps of a cutover, and the mirror rule's row.

use ossferry_core::time::Timestamp;

use crate::ids::{JobName, cutover_row, job_row, mirror_row};
use crate::lease::Change;
use crate::ledger::{Ledger, Result};
use crate::rows::{CutoverRow, CutoverStep, JobRow, MirrorRow, Switched};

impl Ledger {
    /// Declares T2 of a job, once: by the target's clock, before the first write of the application
    /// there. Passes that begin from now on leave alone what is dated since. Refused while one runs.
    pub async fn declare_switch(&self, job: &JobName, t2: Timestamp) -> Result<Switched> {
        // Lets go of a pass that ended, so that it stands in nobody's way.
        self.running_pass(job).await?;
        let (_, switched) = self.step::<JobRow, _>(&job_row(job), |row| row.switch(t2)).await?;
        Ok(switched)
    }

    /// The job's cutover, if one was begun.
    pub async fn cutover(&self, job: &JobName) -> Result<Option<CutoverRow>> {
        self.read(&cutover_row(job)).await
    }

    /// Begins a cutover, or finds the one that was begun; what that was begun with stands.
    pub async fn begin_cutover(&self, job: &JobName, new: &CutoverRow) -> Result<CutoverRow> {
        let id = cutover_row(job);
        let begun = self.change_or_put::<CutoverRow, ()>(&id, None, |row| {
            Ok(match row {
                Some(_) => Change::Keep(()),
                None => Change::Write(new.clone(), ()),
            })
        });
        Ok(begun.await?.0)
    }

    /// Notes a step of a cutover that was seen done. May be repeated.
    pub async fn note_cutover(&self, job: &JobName, step: &CutoverStep) -> Result<CutoverRow> {
        Ok(self.step(&cutover_row(job), |row: &CutoverRow| row.note(step)).await?.0)
    }

    /// What is known of the job's mirror rule; `None` where there never was one.
    pub async fn mirror(&self, job: &JobName) -> Result<Option<MirrorRow>> {
        self.read(&mirror_row(job)).await
    }

    /// Writes what is known of the mirror rule, over exactly what was read before. `false`: another
    /// wrote it since, and nothing was written.
    pub async fn put_mirror(
        &self,
        job: &JobName,
        read: Option<&MirrorRow>,
        next: &MirrorRow,
    ) -> Result<bool> {
        let id = mirror_row(job);
        let put = self.change_or_put::<MirrorRow, bool>(&id, None, |row| {
            Ok(match row {
                Some(row) if row == next => Change::Keep(true),
                Some(row) if Some(row) != read => Change::Keep(false),
                _ => Change::Write(next.clone(), true),
            })
        });
        Ok(put.await?.1)
    }
}
