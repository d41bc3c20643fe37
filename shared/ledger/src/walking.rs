//! The planner's steps: take a slice, write tasks nobody sees yet, commit them, split, hand on.

use std::time::Duration;

use bytes::Bytes;
use ossferry_core::key::Key;

use crate::ids::{RowId, SliceRef, TaskRef, objects_row, slice_row, task_row};
use crate::lease::{Claimant, Hold};
use crate::ledger::{Ledger, LedgerError, Result, inconsistent};
use crate::lists::{PlannedObject, encode_objects, list_digest};
use crate::messages::Message;
use crate::observing::Recorded;
use crate::rows::{
    Child, ListRow, PassState, Progress, SliceClaim, SliceRow, SliceState, SplitRefused, TaskKind,
    TaskRow,
};

impl From<SplitRefused> for LedgerError {
    fn from(refused: SplitRefused) -> Self {
        match refused {
            SplitRefused::LeaseLost(lost) => Self::LeaseLost(lost),
            SplitRefused::Outside { .. } => inconsistent(refused.to_string()),
        }
    }
}

impl Ledger {
    /// The slice's row.
    pub async fn slice(&self, slice: &SliceRef) -> Result<SliceRow> {
        self.expect(&slice_row(slice)).await
    }

    /// Takes a slice for one planner invocation. A slice that too many took in vain stops its pass.
    pub async fn take_slice(
        &self,
        slice: &SliceRef,
        claimant: &Claimant,
    ) -> Result<(SliceRow, SliceClaim)> {
        let (row, claim) =
            self.step::<SliceRow, _>(&slice_row(slice), |row| row.claim(claimant)).await?;
        let stopped =
            matches!(claim, SliceClaim::GivenUp | SliceClaim::Walked(SliceState::Stopped));
        if stopped {
            let reason = format!(
                "slice {} was given up: {}",
                slice.slice,
                row.reason.as_deref().unwrap_or("no reason recorded")
            );
            self.end_pass(&slice.pass, PassState::Stopped, Some(&reason)).await?;
        }
        Ok((row, claim))
    }

    /// Writes a task that nobody sees before [`Ledger::commit_slice`] moves `next_seq` past it. A row
    /// left by a planner that lost the slice is written over; one by a later planner refuses.
    pub async fn write_task(
        &self,
        task: &TaskRef,
        hold: &Hold,
        kind: TaskKind,
        objects: &[PlannedObject],
    ) -> Result<()> {
        let blob = encode_objects(objects);
        let (digest, now) = (list_digest(&blob), self.now());
        let Some(row) = TaskRow::planned(task.seq, hold, kind, objects, digest, now) else {
            return Err(inconsistent(format!("task {task} holds no object")));
        };
        let entries = objects.len() as u64;
        self.put_list(&objects_row(task), hold.fence, entries, blob).await?;
        let id = task_row(task);
        self.change_or_put::<TaskRow, ()>(&id, None, |stored| Ok(row.put_over(stored)?)).await?;
        Ok(())
    }

    /// Puts a list under a fence: over one of a lower or the same fence, never over a higher one.
    pub(crate) async fn put_list(
        &self,
        id: &RowId,
        fence: u64,
        entries: u64,
        blob: Bytes,
    ) -> Result<()> {
        let row = ListRow { fence, entries };
        self.change_or_put::<ListRow, ()>(id, Some(blob), |stored| Ok(row.put_over(stored)?))
            .await?;
        Ok(())
    }

    /// Commits: one conditional write moves cursor, counts and `next_seq`. Then the window is filled,
    /// and a slice that is listed without a task left is settled.
    pub async fn commit_slice(
        &self,
        slice: &SliceRef,
        hold: &Hold,
        progress: &Progress,
        window: u64,
    ) -> Result<SliceRow> {
        let id = slice_row(slice);
        let (row, ()) = self.change(&id, |row: &SliceRow| row.commit(hold, progress)).await?;
        self.pump(slice, &row, window).await?;
        if row.state == SliceState::Settled {
            self.note_settled(slice, &row).await?;
        }
        Ok(row)
    }

    /// Cuts the slice at `middle`, then puts the child's row and sends its message: both may be
    /// repeated by whoever reads the parent's children.
    pub async fn split_slice(
        &self,
        slice: &SliceRef,
        hold: &Hold,
        middle: &Key,
        upper_hint: Option<&Key>,
    ) -> Result<(SliceRow, Child)> {
        let id = slice_row(slice);
        let (row, child) = self.change(&id, |row: &SliceRow| row.split(hold, middle)).await?;
        self.put_child(slice, &child, upper_hint).await?;
        self.tell(&slice.pass.job, Recorded::Split);
        self.send(&[Message::Slice(slice.pass.slice(child.slice.clone()))], Duration::ZERO).await?;
        Ok((row, child))
    }

    /// Puts a child's row if it is absent.
    pub(crate) async fn put_child(
        &self,
        parent: &SliceRef,
        child: &Child,
        upper_hint: Option<&Key>,
    ) -> Result<()> {
        let id = slice_row(&parent.pass.slice(child.slice.clone()));
        self.change_or_put::<SliceRow, ()>(&id, None, |stored| {
            Ok(SliceRow::born(stored, child, upper_hint))
        })
        .await?;
        Ok(())
    }

    /// Lets go of a slice that is not at its end, and sends the message for whoever goes on.
    pub async fn hand_on_slice(
        &self,
        slice: &SliceRef,
        hold: &Hold,
        delay: Duration,
    ) -> Result<()> {
        let due = self.now().plus(delay);
        self.step::<SliceRow, _>(&slice_row(slice), |row| row.hand_on(hold, due)).await?;
        self.send(&[Message::Slice(slice.clone())], delay).await
    }

    /// Lets go of a slice whose planner met an error, so that the next claim takes nobody for dead; nobody
    /// takes it sooner than after `delay`. Sends nothing: the caller sends a message, or gives back the one
    /// that brought it here.
    pub async fn let_go_of_slice(
        &self,
        slice: &SliceRef,
        hold: &Hold,
        delay: Duration,
    ) -> Result<()> {
        let due = self.now().plus(delay);
        self.step::<SliceRow, _>(&slice_row(slice), |row| row.let_go(hold, due)).await?;
        Ok(())
    }

    /// Gives a slice up by name, and its pass with it: a pass with a hole is not a success.
    pub async fn stop_slice(&self, slice: &SliceRef, hold: &Hold, reason: &str) -> Result<()> {
        let id = slice_row(slice);
        let (_, stopped) = self.step::<SliceRow, _>(&id, |row| row.stop(hold, reason)).await?;
        if stopped {
            self.end_pass(&slice.pass, PassState::Stopped, Some(reason)).await?;
        }
        Ok(())
    }
}
