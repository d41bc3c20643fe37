//! Whether anything of a pass moves, for whoever looks now and then.

use ossferry_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::codec::TypedRow;
use crate::ids::{PassRef, progress_row};
use crate::lease::Change;
use crate::ledger::{Ledger, Result};
use crate::rows::{TaskKind, TaskState};
use crate::settling::Branch;

/// `progress`: how far a pass was when somebody last saw it move.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct ProgressRow {
    /// Says something else whenever anything of the pass has been recorded.
    mark: String,
    /// The ledger's clock when that was first seen.
    seen_at: Timestamp,
}

impl TypedRow for ProgressRow {}

impl Ledger {
    /// Since when nothing of a pass has moved, as far as anybody looked: now, where something has since
    /// the last call. Messages sent again and claims in vain move nothing.
    pub async fn still_since(&self, pass: &PassRef) -> Result<Timestamp> {
        let fresh = ProgressRow { mark: self.progress_mark(pass).await?, seen_at: self.now() };
        let (_, since) = self
            .change_or_put::<ProgressRow, _>(&progress_row(pass), None, |row| {
                Ok(match row {
                    Some(row) if row.mark == fresh.mark => Change::Keep(row.seen_at),
                    _ => Change::Write(fresh.clone(), fresh.seen_at),
                })
            })
            .await?;
        Ok(since)
    }

    async fn progress_mark(&self, pass: &PassRef) -> Result<String> {
        let status = self.status(pass).await?;
        let (walked, sum) = (&status.totals.walked, &status.totals.sum);
        let (mut openings, mut ranges_done) = (0, 0);
        for branch in self.tree(pass).await? {
            let Branch::Live(slice) = branch else { continue };
            let id = pass.slice(slice.slice.clone());
            for task in self.tasks(&id, slice.settled_seq + 1, slice.sent_seq).await? {
                if task.kind == TaskKind::Upload && task.state == TaskState::Copying {
                    let uploads = self.uploads(&id.task(task.seq)).await?;
                    openings += uploads.len();
                    ranges_done += uploads.last().map_or(0, |upload| upload.done_below);
                }
            }
        }
        Ok(format!(
            "listed {} objects {} tasks {}/{} slices {} openings {openings} ranges {ranges_done}",
            walked.listed,
            sum.objects(),
            status.tasks_ended,
            status.totals.tasks,
            status.totals.slices,
        ))
    }
}
