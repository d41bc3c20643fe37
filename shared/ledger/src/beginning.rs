//! The first step of a pass: a trigger, delivered once or more, makes one pass or finds one running.

use std::time::Duration;

use ossferry_core::audit::Share;
use ossferry_core::key::Key;
use ossferry_core::time::Timestamp;

use crate::ids::{
    JobName, PassId, PassRef, SliceId, job_partition, job_row, outstanding_row, pass_index_row,
    pass_partition, pass_row, slice_row,
};
use crate::lease::Change;
use crate::ledger::{Ledger, Result};
use crate::lists::{decode_keys, encode_keys};
use crate::messages::Message;
use crate::rows::{JobRow, OutstandingRow, PassIndexRow, PassKind, PassRow, PassState, SliceRow};

/// Bytes of keys in one chunk of outstanding keys, before compression: a row may take 350 KB.
const CHUNK_KEY_BYTES: usize = 200_000;

/// What a trigger asks for.
#[derive(Clone, Debug)]
pub struct BeginPass {
    /// The definition in force.
    pub job: JobRow,
    /// From the trigger, so that a trigger delivered twice is one pass.
    pub pass: PassId,
    /// Why the source is walked.
    pub kind: PassKind,
    /// T1: the source's own clock, read before this call.
    pub t1: Timestamp,
    /// Dates before it tell nothing new.
    pub since: Option<Timestamp>,
    /// Keys that earlier passes left outstanding, sorted.
    pub outstanding: Vec<Key>,
    /// The share of keys whose bytes an audit reads again.
    pub reread: Option<Share>,
}

/// What came of a trigger.
#[derive(Clone, Debug)]
pub enum Begun {
    /// The pass runs: begun now, or by an earlier delivery of the same trigger.
    Running(PassRow),
    /// Another pass runs; this trigger is recorded as skipped.
    Skipped {
        /// The one that runs.
        running: PassId,
    },
    /// This trigger's pass has ended already.
    Ended(PassRow),
}

impl BeginPass {
    /// The row of the pass as it is put, with so many rows of keys beside it.
    pub fn row(&self, outstanding_chunks: u64, began: Timestamp) -> PassRow {
        let Self { job, pass, kind, t1, since, reread, outstanding: _ } = self;
        PassRow {
            kind: *kind,
            definition: job.definition.clone(),
            definition_hash: job.definition_hash.clone(),
            scope_hash: job.scope_hash.clone(),
            t1: *t1,
            since: *since,
            t2: job.t2,
            began,
            outstanding_chunks,
            reread_millionths: *reread,
            ..PassRow::open(job.name.clone(), pass.clone())
        }
    }
}

impl Ledger {
    /// Makes the pass of a trigger, unless another runs.
    ///
    /// Rows that nobody sees yet come first (pass, outstanding keys, root slice), then the one
    /// conditional write of the job row that makes the pass true, then its index entry and the
    /// root's message, which may be repeated.
    pub async fn begin_pass(&self, begin: &BeginPass) -> Result<Begun> {
        let pass = PassRef { job: begin.job.name.clone(), pass: begin.pass.clone() };
        if let Some(running) = self.running_pass(&pass.job).await?
            && running != pass.pass
        {
            self.index_skipped(&pass, begin, &running).await?;
            return Ok(Begun::Skipped { running });
        }
        let row = self.prepare_pass(&pass, begin).await?;
        if row.state.is_final() {
            return Ok(Begun::Ended(row));
        }
        let (row, running) = self.activate(&pass, begin, row).await?;
        if running != pass.pass {
            self.index_skipped(&pass, begin, &running).await?;
            return Ok(Begun::Skipped { running });
        }
        let row = self.with_set_rates(&pass, row).await?;
        self.index_pass(&pass, &row).await?;
        let root = pass.slice(SliceId::root());
        let slice: SliceRow = self.expect(&slice_row(&root)).await?;
        if !slice.state.is_walked() && slice.hops == 0 {
            self.send(&[Message::Slice(root)], Duration::ZERO).await?;
        }
        Ok(Begun::Running(row))
    }

    /// The pass's row, which says whether rates are set. Whoever sets them writes them and then looks which
    /// pass runs: so a pass looks for them once it does, and one of the two sees the other.
    async fn with_set_rates(&self, pass: &PassRef, row: PassRow) -> Result<PassRow> {
        match self.set_rates(&pass.job).await? {
            Some(set) if row.rates_set_at < Some(set.at) => {
                let id = pass_row(pass);
                Ok(self.step::<PassRow, _>(&id, |row| row.note_set_rates(set.at)).await?.0)
            }
            _ => Ok(row),
        }
    }

    /// Makes the pass the one that runs, unless another does. T2 is declared only while none runs: so
    /// what the pass's row says of it is what the job's row says for as long as the pass is open.
    async fn activate(
        &self,
        pass: &PassRef,
        begin: &BeginPass,
        mut row: PassRow,
    ) -> Result<(PassRow, PassId)> {
        let (job_id, pass_id) = (job_row(&pass.job), pass_row(pass));
        loop {
            let known = row.t2;
            let activated = self.change_or_put::<JobRow, _>(&job_id, None, |job| {
                let job = job.unwrap_or(&begin.job);
                if job.active_pass.is_none() && job.t2.is_some() && known.is_none() {
                    return Ok(Change::Keep(None));
                }
                Ok(match job.activate(&pass.pass, &begin.job) {
                    Change::Write(next, running) => Change::Write(next, Some(running)),
                    Change::Keep(running) => Change::Keep(Some(running)),
                })
            });
            match activated.await? {
                (_, Some(running)) => return Ok((row, running)),
                // Declared since the row was written, which nobody sees yet.
                (JobRow { t2, .. }, None) => {
                    let learn = |row: &PassRow| row.learn_t2(t2);
                    row = self.step(&pass_id, learn).await?.0;
                }
            }
        }
    }

    async fn prepare_pass(&self, pass: &PassRef, begin: &BeginPass) -> Result<PassRow> {
        let mut chunks = 0;
        for keys in chunked(&begin.outstanding) {
            let (Some(first), Some(last)) = (keys.first(), keys.last()) else { continue };
            self.put_outstanding(pass, chunks, keys, first, last).await?;
            chunks += 1;
        }
        let root = slice_row(&pass.slice(SliceId::root()));
        self.change_or_put::<SliceRow, _>(&root, None, |row| {
            Ok(match row {
                Some(_) => Change::Keep(()),
                None => Change::Write(SliceRow::new(SliceId::root(), None, None), ()),
            })
        })
        .await?;
        let now = self.now();
        let (row, ()) = self
            .change_or_put::<PassRow, _>(&pass_row(pass), None, |row| {
                Ok(match row {
                    Some(_) => Change::Keep(()),
                    None => Change::Write(begin.row(chunks, now), ()),
                })
            })
            .await?;
        Ok(row)
    }

    async fn put_outstanding(
        &self,
        pass: &PassRef,
        chunk: u64,
        keys: &[Key],
        first: &Key,
        last: &Key,
    ) -> Result<()> {
        let row = OutstandingRow {
            first_key: first.clone(),
            last_key: last.clone(),
            keys: keys.len() as u64,
        };
        let blob = Some(encode_keys(keys));
        self.change_or_put::<OutstandingRow, _>(&outstanding_row(pass, chunk), blob, |_| {
            Ok(Change::Write(row.clone(), ()))
        })
        .await?;
        Ok(())
    }

    /// The keys that earlier passes left outstanding when this one began, sorted.
    pub async fn outstanding_keys(&self, pass: &PassRef) -> Result<Vec<Key>> {
        let partition = pass_partition(pass);
        let rows = self.rows(&partition, "outstanding/", "outstanding0", usize::MAX).await?;
        let mut keys = Vec::new();
        for row in rows {
            keys.extend(decode_keys(row.blob.as_deref().unwrap_or_default())?);
        }
        Ok(keys)
    }

    /// The pass of the job that runs. Lets go of one that ended while its job row still named it.
    pub async fn running_pass(&self, job: &JobName) -> Result<Option<PassId>> {
        let Some(row) = self.read::<JobRow>(&job_row(job)).await? else { return Ok(None) };
        let Some(running) = row.active_pass else { return Ok(None) };
        let pass = PassRef { job: job.clone(), pass: running };
        let row = self.pass(&pass).await?;
        if row.state.is_final() {
            self.close_pass(&pass, &row).await?;
            return Ok(None);
        }
        Ok(Some(pass.pass))
    }

    /// The job's row.
    pub async fn job(&self, job: &JobName) -> Result<Option<JobRow>> {
        self.read(&job_row(job)).await
    }

    /// The pass's row.
    pub async fn pass(&self, pass: &PassRef) -> Result<PassRow> {
        self.expect(&pass_row(pass)).await
    }

    /// Every trigger of a job, oldest first.
    pub async fn passes(&self, job: &JobName) -> Result<Vec<PassIndexRow>> {
        let rows = self.rows(&job_partition(job), "pass/", "pass0", usize::MAX).await?;
        let mut passes = Vec::with_capacity(rows.len());
        for row in rows {
            let mut index: PassIndexRow = crate::codec::decode(&row)?;
            if !index.state.is_final() {
                let pass = PassRef { job: job.clone(), pass: index.pass.clone() };
                index = index_of(&self.pass(&pass).await?);
            }
            passes.push(index);
        }
        // Rows are ordered by id. One that a schedule planned names an earlier time than it was begun at.
        passes.sort_by_key(|index| index.began);
        Ok(passes)
    }

    /// Whether the uploads of a pass that ended early were aborted.
    pub async fn is_cleared(&self, pass: &PassRef) -> Result<bool> {
        let index: Option<PassIndexRow> = self.read(&pass_index_row(pass)).await?;
        Ok(index.is_some_and(|index| index.cleared.is_some()))
    }

    /// Notes that the uploads of a pass that ended early were aborted.
    pub async fn note_cleared(&self, pass: &PassRef) -> Result<()> {
        let cleared = Some(self.now());
        self.index_pass(pass, &self.pass(pass).await?).await?;
        self.step::<PassIndexRow, _>(&pass_index_row(pass), |row| {
            if row.cleared.is_some() {
                return Change::Keep(());
            }
            Change::Write(PassIndexRow { cleared, ..row.clone() }, ())
        })
        .await?;
        Ok(())
    }

    /// Writes what the index says of a pass.
    pub(crate) async fn index_pass(&self, pass: &PassRef, row: &PassRow) -> Result<()> {
        self.put_index(pass, index_of(row)).await
    }

    async fn index_skipped(
        &self,
        pass: &PassRef,
        begin: &BeginPass,
        running: &PassId,
    ) -> Result<()> {
        let index = PassIndexRow {
            pass: pass.pass.clone(),
            kind: begin.kind,
            state: PassState::Skipped,
            scope_hash: begin.job.scope_hash.clone(),
            began: self.now(),
            ended: None,
            t1: None,
            cleared: None,
            note: Some(format!("skipped: {running} is running")),
        };
        self.put_index(pass, index).await
    }

    async fn put_index(&self, pass: &PassRef, index: PassIndexRow) -> Result<()> {
        self.change_or_put::<PassIndexRow, _>(&pass_index_row(pass), None, |row| {
            Ok(match row {
                // A pass that ran is not unsaid by a late delivery of its trigger.
                Some(row) if row.state.is_final() && row.state != PassState::Skipped => {
                    Change::Keep(())
                }
                Some(row) if *row == index => Change::Keep(()),
                _ => Change::Write(index.clone(), ()),
            })
        })
        .await?;
        Ok(())
    }
}

fn index_of(row: &PassRow) -> PassIndexRow {
    PassIndexRow {
        pass: row.pass.clone(),
        kind: row.kind,
        state: row.state,
        scope_hash: row.scope_hash.clone(),
        began: row.began,
        ended: row.ended,
        t1: Some(row.t1),
        cleared: None,
        note: row.reason.clone(),
    }
}

fn chunked(keys: &[Key]) -> Vec<&[Key]> {
    let (mut chunks, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (at, key) in keys.iter().enumerate() {
        if at > start && bytes + key.len() > CHUNK_KEY_BYTES {
            chunks.push(&keys[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += key.len();
    }
    if start < keys.len() {
        chunks.push(&keys[start..]);
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_lose_no_key_and_stay_small() {
        let keys: Vec<Key> = (0..1_000).map(|n| Key::from(format!("{n:0500}"))).collect();
        let chunks = chunked(&keys);
        assert!(chunks.len() > 2);
        assert_eq!(chunks.concat(), keys);
        assert!(chunked(&[]).is_empty());
    }
}
