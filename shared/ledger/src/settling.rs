//! After a task ended: settled prefixes rise, slices settle, the pass finishes.

use std::collections::HashMap;

use ossferry_core::key::Key;

use crate::codec::decode;
use crate::ids::{
    PassRef, SliceId, SliceRef, directory_row, job_row, pass_partition, pass_row, slice_partition,
    slice_row, task_sort,
};
use crate::lease::Change;
use crate::ledger::{Ledger, Result, inconsistent};
use crate::rows::{
    Child, DirectoryRow, JobRow, PassRow, PassState, PassTotals, SliceRow, SliceState, TaskRow,
};

/// Task rows read at once while a settled prefix is raised.
const SETTLE_ROWS: u64 = 256;

/// A slice as the walk over the tree finds it.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "two of three are large, and lists of them are short"
)]
pub enum Branch {
    /// It will not change any more.
    Settled(DirectoryRow),
    /// It still may.
    Live(SliceRow),
    /// Its parent names it; its row is not written yet.
    Unborn(Child),
}

impl Branch {
    fn bounds(&self) -> (Option<&Key>, Option<&Key>) {
        match self {
            Self::Settled(row) => (row.after.as_ref(), row.until.as_ref()),
            Self::Live(row) => (row.after.as_ref(), row.until.as_ref()),
            Self::Unborn(child) => (Some(&child.after), child.until.as_ref()),
        }
    }

    /// What stands for a slice: its entry in the directory, else its row, else what its parent says.
    pub fn found(
        entry: Option<DirectoryRow>,
        row: Option<SliceRow>,
        named: Option<Child>,
    ) -> Option<Self> {
        let settled = entry.map(Self::Settled);
        settled.or_else(|| row.map(Self::Live)).or_else(|| named.map(Self::Unborn))
    }

    /// The ranges split off it.
    pub fn children(&self) -> &[Child] {
        match self {
            Self::Settled(row) => &row.children,
            Self::Live(row) => &row.children,
            Self::Unborn(_) => &[],
        }
    }

    /// Its id.
    pub fn slice(&self) -> &SliceId {
        match self {
            Self::Settled(row) => &row.slice,
            Self::Live(row) => &row.slice,
            Self::Unborn(child) => &child.slice,
        }
    }
}

impl Ledger {
    /// Committed tasks of a slice, `first` to `last`, both included.
    pub async fn tasks(&self, slice: &SliceRef, first: u64, last: u64) -> Result<Vec<TaskRow>> {
        let partition = slice_partition(slice);
        let (from, until) = (task_sort(first), task_sort(last.saturating_add(1)));
        let rows = self.rows(&partition, &from, &until, usize::MAX).await?;
        rows.iter().map(|row| Ok(decode(row)?)).collect()
    }

    /// Raises the settled prefix of a slice over every task that has ended since, and fills its
    /// window. Answers the row as it then stands.
    pub async fn settle(&self, slice: &SliceRef, window: u64) -> Result<SliceRow> {
        let mut row = self.slice(slice).await?;
        while let Some((first, last)) = row.settleable(window, SETTLE_ROWS) {
            let (settled_seq, sum) = row.settled_by(&self.tasks(slice, first, last).await?);
            if settled_seq == row.settled_seq {
                break;
            }
            let id = slice_row(slice);
            row = self.step::<SliceRow, _>(&id, |row| row.settle(settled_seq, &sum)).await?.0;
            if settled_seq < last {
                break;
            }
        }
        self.pump(slice, &row, window).await?;
        if row.state == SliceState::Settled {
            self.note_settled(slice, &row).await?;
        }
        Ok(row)
    }

    /// Enters a settled slice in the directory and looks whether the pass is finished.
    pub(crate) async fn note_settled(&self, slice: &SliceRef, row: &SliceRow) -> Result<()> {
        if let Some(entry) = DirectoryRow::of(row) {
            self.change_or_put::<DirectoryRow, ()>(&directory_row(slice), None, |stored| {
                Ok(match stored {
                    Some(_) => Change::Keep(()),
                    None => Change::Write(entry.clone(), ()),
                })
            })
            .await?;
        }
        self.finish_pass(&slice.pass).await?;
        Ok(())
    }

    /// Every slice of a pass, walked from the root through the children. The directory only saves
    /// reading rows that will not change any more.
    pub async fn tree(&self, pass: &PassRef) -> Result<Vec<Branch>> {
        let mut directory: HashMap<SliceId, DirectoryRow> = HashMap::new();
        for row in self.rows(&pass_partition(pass), "slice/", "slice0", usize::MAX).await? {
            let entry: DirectoryRow = decode(&row)?;
            directory.insert(entry.slice.clone(), entry);
        }
        let mut branches = Vec::new();
        let mut left: Vec<(SliceId, Option<Child>)> = vec![(SliceId::root(), None)];
        while let Some((slice, named)) = left.pop() {
            let entry = directory.remove(&slice);
            let row = match entry {
                Some(_) => None,
                None => self.read(&slice_row(&pass.slice(slice.clone()))).await?,
            };
            let Some(branch) = Branch::found(entry, row, named) else {
                return Err(inconsistent(format!("pass {} has no root", pass.pass)));
            };
            let children = branch.children();
            left.extend(children.iter().map(|child| (child.slice.clone(), Some(child.clone()))));
            branches.push(branch);
        }
        Ok(branches)
    }

    /// Finishes the pass if every slice is settled and their ranges tile the key space.
    pub async fn finish_pass(&self, pass: &PassRef) -> Result<Option<PassRow>> {
        // One read answers for as long as the root is at work.
        let root = self.slice(&pass.slice(SliceId::root())).await?;
        if root.state != SliceState::Settled {
            return Ok(None);
        }
        let branches = self.tree(pass).await?;
        let Some(Ending { state, reason, totals }) = Ending::of(&branches)? else {
            return Ok(None);
        };
        self.end_pass_with(pass, state, reason, Some(totals)).await.map(Some)
    }

    /// Ends a pass early. What was not attempted is counted as that.
    pub async fn end_pass(
        &self,
        pass: &PassRef,
        state: PassState,
        reason: Option<&str>,
    ) -> Result<PassRow> {
        self.end_pass_with(pass, state, reason, None).await
    }

    async fn end_pass_with(
        &self,
        pass: &PassRef,
        state: PassState,
        reason: Option<&str>,
        totals: Option<PassTotals>,
    ) -> Result<PassRow> {
        let now = self.now();
        let (row, _) = self
            .step::<PassRow, _>(&pass_row(pass), |row| row.end(state, reason, totals.clone(), now))
            .await?;
        self.close_pass(pass, &row).await?;
        Ok(row)
    }

    /// What follows the end of a pass and may be repeated: the job is free, the index says so.
    pub(crate) async fn close_pass(&self, pass: &PassRef, row: &PassRow) -> Result<()> {
        self.index_pass(pass, row).await?;
        self.step::<JobRow, _>(&job_row(&pass.job), |job| job.release(&pass.pass)).await?;
        Ok(())
    }
}

/// How a pass ends of which nothing is left to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ending {
    /// Finished, unless the walk saw nothing.
    pub state: PassState,
    /// Why it is not a success.
    pub reason: Option<&'static str>,
    /// Its sums.
    pub totals: PassTotals,
}

impl Ending {
    /// The end of a pass whose tree this is; `None` while a slice is not settled. Ranges that do not
    /// tile the key space, or sums that break the law, are an error.
    pub fn of(branches: &[Branch]) -> Result<Option<Self>> {
        let Some(totals) = settled_totals(branches) else { return Ok(None) };
        check_tiling(branches)?;
        if !totals.walked.is_conserved() || totals.walked.planned != totals.sum.objects() {
            return Err(inconsistent("the sums of a pass break the law"));
        }
        let (state, reason) = if totals.walked.listed == 0 {
            (PassState::Stopped, Some("the source listing was empty: check bucket and prefix"))
        } else {
            (PassState::Finished, None)
        };
        Ok(Some(Self { state, reason, totals }))
    }
}

/// The sums of a tree in which every slice is settled.
fn settled_totals(branches: &[Branch]) -> Option<PassTotals> {
    let mut totals = PassTotals::default();
    for branch in branches {
        let entry = match branch {
            Branch::Settled(entry) => entry.clone(),
            Branch::Live(row) => DirectoryRow::of(row)?,
            Branch::Unborn(_) => return None,
        };
        totals.walked.add(&entry.walked);
        totals.sum.add(&entry.sum);
        totals.slices += 1;
        totals.tasks += entry.tasks;
    }
    Some(totals)
}

/// The ranges of all slices cover the key space, each key once.
pub fn check_tiling(branches: &[Branch]) -> Result<()> {
    let mut bounds: Vec<_> = branches.iter().map(Branch::bounds).collect();
    bounds.sort_unstable_by_key(|(after, _)| *after);
    let mut end: Option<Option<&Key>> = None;
    for (after, until) in bounds {
        let joined = match end {
            None => after.is_none(),
            Some(end) => end.is_some() && end == after,
        };
        if !joined {
            return Err(inconsistent(format!("slices do not tile the key space at {after:?}")));
        }
        end = Some(until);
    }
    match end {
        Some(None) => Ok(()),
        _ => Err(inconsistent("slices do not reach the end of the key space")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(after: Option<&str>, until: Option<&str>) -> Branch {
        Branch::Live(SliceRow::new(SliceId::root(), after.map(Key::from), until.map(Key::from)))
    }

    #[test]
    fn a_gap_an_overlap_and_an_open_end_are_found() {
        check_tiling(&[live(None, None)]).unwrap();
        check_tiling(&[live(Some("m"), None), live(None, Some("m"))]).unwrap();
        for broken in [
            vec![live(None, Some("m"))],
            vec![live(Some("a"), None)],
            vec![live(None, Some("m")), live(Some("n"), None)],
            vec![live(None, Some("n")), live(Some("m"), None)],
            vec![live(None, None), live(Some("m"), None)],
            vec![],
        ] {
            check_tiling(&broken).unwrap_err();
        }
    }
}
