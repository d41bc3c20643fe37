//! Whether what a message asks for is still to be done: dead letters return to a queue only where it is.

use crate::ids::{TaskRef, pass_row, slice_row, task_row};
use crate::ledger::{Ledger, Result};
use crate::messages::Message;
use crate::rows::{PassRow, RangeState, SliceRow, TaskRow, UploadState};

/// What the table says of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Due {
    /// Somebody has still to do it. A second message for the same work does no harm.
    Yes,
    /// Nobody has, for this reason.
    No(String),
}

impl Due {
    fn no(reason: impl Into<String>) -> Self {
        Self::No(reason.into())
    }
}

impl Ledger {
    /// Whether a message is still worth its delivery. Reads only; of work that somebody holds right now it
    /// says yes, because whoever holds it may die.
    pub async fn due(&self, message: &Message) -> Result<Due> {
        let pass = message.pass();
        match self.read::<PassRow>(&pass_row(pass)).await? {
            None => return Ok(Due::no("the ledger knows no such pass")),
            Some(row) if row.state.is_final() => {
                return Ok(Due::no(format!("the pass is {}", row.state)));
            }
            Some(_) => {}
        }
        let (Message::Slice(slice)
        | Message::Upload(TaskRef { slice, .. })
        | Message::Task(TaskRef { slice, .. })
        | Message::Range { task: TaskRef { slice, .. }, .. }) = message;
        let Some(row) = self.read::<SliceRow>(&slice_row(slice)).await? else {
            // A split that lost its planner: whoever walks the parent puts the child.
            return Ok(Due::no("the slice is not there yet: its parent makes it"));
        };
        match message {
            Message::Slice(_) if row.state.is_walked() => Ok(Due::no("the slice is walked")),
            Message::Slice(_) => Ok(Due::Yes),
            Message::Upload(task) | Message::Task(task) | Message::Range { task, .. } => {
                if task.seq >= row.next_seq {
                    return Ok(Due::no("the task was never committed"));
                }
                self.due_of_named(task, message).await
            }
        }
    }

    async fn due_of_named(&self, task: &TaskRef, message: &Message) -> Result<Due> {
        match self.read::<TaskRow>(&task_row(task)).await? {
            None => return Ok(Due::no("the task was never committed")),
            Some(row) if row.state.is_final() => return Ok(Due::no("the task has ended")),
            Some(_) => {}
        }
        let uploads = match message {
            Message::Slice(_) | Message::Task(_) => return Ok(Due::Yes),
            Message::Upload(_) | Message::Range { .. } => self.uploads(task).await?,
        };
        let Some(newest) = uploads.last() else { return Ok(Due::Yes) };
        match (message, newest.state) {
            // The next attempt begins where an attempt was given up, by whoever hears of it.
            (Message::Upload(_), UploadState::Opening | UploadState::Aborted) => Ok(Due::Yes),
            (Message::Upload(_), UploadState::Open) if newest.ranges_sent < newest.ranges => {
                Ok(Due::Yes)
            }
            (Message::Upload(_), _) => Ok(Due::no("the upload is open")),
            (Message::Range { generation, .. }, _) if *generation != newest.generation => {
                Ok(Due::no("another attempt at the object has begun since"))
            }
            (Message::Range { range, .. }, UploadState::Open) => {
                let ranges = self.ranges(task, newest).await?;
                let mut done = ranges.iter().filter(|range| range.state == RangeState::Done);
                let is_done = done.clone().any(|row| row.number == *range);
                // Whoever finds all of them done puts the object together.
                let all_done = done.by_ref().count() as u64 == newest.ranges;
                if is_done && !all_done {
                    return Ok(Due::no("the range is done, and others are not"));
                }
                Ok(Due::Yes)
            }
            _ => Ok(Due::Yes),
        }
    }
}
