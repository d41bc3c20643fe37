//! Finds work that nobody does: lost messages, dead planners, openings and completions nobody
//! finishes. Everything here may be repeated; a message too many is harmless.

use std::time::Duration;

use ossferry_core::time::Timestamp;

use crate::ids::{PassRef, SliceRef, TaskRef, slice_row, task_row};
use crate::ledger::{Ledger, Result};
use crate::messages::Message;
use crate::rows::{
    PassState, SliceRow, SliceState, TaskKind, TaskRow, TaskState, UploadDue, UploadState,
};
use crate::sending::task_message;
use crate::settling::Branch;

/// What a sweep found and set going again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Slices without a planner.
    pub slices: u64,
    /// Batches, openings and ranges without a worker.
    pub tasks: u64,
}

/// What a sweep looks for.
#[derive(Clone, Copy)]
struct Broom {
    /// Messages that a slice may have out.
    window: u64,
    /// How long a task must have waited before its message counts as lost.
    idle: Duration,
    /// Whether copiers are told again.
    is_open: bool,
}

impl Ledger {
    /// Sends again what is due and has no worker. `idle` is how long a task must have waited since it
    /// was planned before its message counts as lost.
    ///
    /// The row of the work notes when: a message that only waits in a long queue is sent again ever less
    /// often, whatever the sweeps.
    pub async fn sweep(&self, pass: &PassRef, window: u64, idle: Duration) -> Result<Swept> {
        self.sweep_with(pass, Broom { window, idle, is_open: true }).await
    }

    /// [`Ledger::sweep`] while nothing may be copied: planning goes on, and so does what only the ledger
    /// needs. No copier is told again: each message it has comes back to it by itself, as long as the
    /// window is closed, and one that is sent beside it would come back beside it. What was lost is found
    /// by the first sweep after that, before which it could not be copied either.
    pub async fn sweep_while_closed(
        &self,
        pass: &PassRef,
        window: u64,
        idle: Duration,
    ) -> Result<Swept> {
        self.sweep_with(pass, Broom { window, idle, is_open: false }).await
    }

    async fn sweep_with(&self, pass: &PassRef, broom: Broom) -> Result<Swept> {
        let mut swept = Swept::default();
        if self.pass(pass).await?.state.is_final() {
            return Ok(swept);
        }
        let mut due = Vec::new();
        for branch in self.tree(pass).await? {
            let slice = pass.slice(branch.slice().clone());
            match branch {
                Branch::Settled(_) => {}
                Branch::Unborn(child) => {
                    self.put_child(&slice, &child, None).await?;
                    due.push(Message::Slice(slice));
                    swept.slices += 1;
                }
                Branch::Live(row) if row.state == SliceState::Stopped => {
                    // Whoever stopped it died before the pass heard of it.
                    let reason = row.reason.as_deref();
                    self.end_pass(pass, PassState::Stopped, reason).await?;
                    return Ok(swept);
                }
                Branch::Live(row) => {
                    if !row.state.is_walked()
                        && self.is_free(&row.lease)
                        && self.remind_slice(&slice, broom.idle).await?
                    {
                        due.push(Message::Slice(slice.clone()));
                        swept.slices += 1;
                    }
                    let tasks = self.due_in_slice(&slice, &row, broom).await?;
                    swept.tasks += tasks.len() as u64;
                    due.extend(tasks);
                }
            }
        }
        self.send(&due, Duration::ZERO).await?;
        self.finish_pass(pass).await?;
        Ok(swept)
    }

    async fn due_in_slice(
        &self,
        slice: &SliceRef,
        row: &SliceRow,
        broom: Broom,
    ) -> Result<Vec<Message>> {
        let Broom { window, idle, is_open } = broom;
        let sent_seq = row.sent_seq;
        let row = self.settle(slice, window).await?;
        let before = self.now().minus(idle);
        let mut due = Vec::new();
        for task in self.tasks(slice, row.settled_seq + 1, sent_seq).await? {
            let mut messages = self.due_of_task(slice, &task, before).await?;
            messages.retain(|message| is_open || message.is_for_planners());
            if !messages.is_empty() && self.remind_task(&slice.task(task.seq), idle).await? {
                due.extend(messages);
            }
        }
        Ok(due)
    }

    async fn remind_slice(&self, slice: &SliceRef, idle: Duration) -> Result<bool> {
        let now = self.now();
        Ok(self.step::<SliceRow, _>(&slice_row(slice), |row| row.remind(idle, now)).await?.1)
    }

    async fn remind_task(&self, task: &TaskRef, idle: Duration) -> Result<bool> {
        let now = self.now();
        Ok(self.step::<TaskRow, _>(&task_row(task), |row| row.remind(idle, now)).await?.1)
    }

    async fn due_of_task(
        &self,
        slice: &SliceRef,
        row: &TaskRow,
        before: Timestamp,
    ) -> Result<Vec<Message>> {
        if row.state.is_final() || row.planned_at > before {
            return Ok(Vec::new());
        }
        if row.kind == TaskKind::Upload && row.state == TaskState::Copying {
            return self.due_of_upload(&slice.task(row.seq)).await;
        }
        let free = self.is_free(&row.lease);
        Ok(if free { vec![task_message(slice, row)] } else { Vec::new() })
    }

    async fn due_of_upload(&self, task: &TaskRef) -> Result<Vec<Message>> {
        let Some(upload) = self.uploads(task).await?.pop() else {
            return Ok(vec![Message::Upload(task.clone())]);
        };
        let generation = upload.generation;
        let range = |range| Message::Range { task: task.clone(), generation, range };
        let ranges = match upload.state {
            UploadState::Open => self.ranges(task, &upload).await?,
            _ => Vec::new(),
        };
        Ok(match upload.due(&ranges, |lease| self.is_free(lease)) {
            UploadDue::Nothing => Vec::new(),
            UploadDue::Open => vec![Message::Upload(task.clone())],
            UploadDue::Look => vec![range(0)],
            UploadDue::Ranges(numbers) => numbers.into_iter().map(range).collect(),
        })
    }
}
