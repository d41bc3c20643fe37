//! Whether a pass is finished, and its end: decided by walking the tree of its slices, but not walking
//! all of it again for every slice that settles.
//!
//! A walk ends at the first slice that has not settled, and the next one goes on there. Of two workers
//! that settle the last slices each sees its own write, and the later one the other's as well: so one
//! of them finds the tree settled, whatever each had to wait for. If it dies, a sweep asks again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ossferry_core::key::Key;

use crate::ids::{PassRef, SliceId, job_row, pass_row, slice_row};
use crate::ledger::{Ledger, Result, inconsistent};
use crate::rows::{
    Child, DirectoryRow, JobRow, PassRow, PassState, PassTotals, SliceRow, SliceState,
};
use crate::settling::Branch;

/// Slices of one tree that nobody here has seen settled; the last is looked at first. What was passed
/// over never matters again: neither state nor children of a settled slice change.
type Unsettled = Vec<SliceId>;

/// How far the trees of open passes were found settled. Known to this process only, and only a way to
/// read less: without it a walk begins at the root.
#[derive(Default)]
pub(crate) struct SettledSoFar(Mutex<HashMap<PassRef, Unsettled>>);

impl SettledSoFar {
    /// The slice to look at next; `None` once every slice was passed over.
    fn next(&self, pass: &PassRef) -> Option<SliceId> {
        let mut passes = self.passes();
        let begun = || vec![SliceId::root()];
        passes.entry(pass.clone()).or_insert_with(begun).last().cloned()
    }

    /// Notes that a slice has settled, unless another walk did so since it was given.
    fn pass_over(&self, pass: &PassRef, slice: &SliceId, children: Vec<Child>) {
        let mut passes = self.passes();
        let Some(unsettled) = passes.get_mut(pass) else { return };
        if unsettled.last() == Some(slice) {
            unsettled.pop();
            unsettled.extend(children.into_iter().map(|child| child.slice));
        }
    }

    fn forget(&self, pass: &PassRef) {
        self.passes().remove(pass);
    }

    fn passes(&self) -> MutexGuard<'_, HashMap<PassRef, Unsettled>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    /// Finishes the pass if every slice is settled and their ranges tile the key space.
    pub async fn finish_pass(&self, pass: &PassRef) -> Result<Option<PassRow>> {
        if !self.is_settled(pass).await? {
            return Ok(None);
        }
        let branches = self.tree(pass).await?;
        let Some(Ending { state, reason, totals }) = Ending::of(&branches)? else {
            return Ok(None);
        };
        self.end_pass_with(pass, state, reason, Some(totals)).await.map(Some)
    }

    /// Whether every slice of the tree has settled. One read answers for as long as the slice that the
    /// last walk ended at is at work.
    async fn is_settled(&self, pass: &PassRef) -> Result<bool> {
        let root = SliceId::root();
        let mut directory = HashMap::new();
        while let Some(slice) = self.settled_so_far.next(pass) {
            let children = match directory.remove(&slice) {
                Some(DirectoryRow { children, .. }) => children,
                None => match self.read(&slice_row(&pass.slice(slice.clone()))).await? {
                    Some(SliceRow { state: SliceState::Settled, children, .. }) => children,
                    None if slice == root => {
                        return Err(inconsistent(format!("pass {} has no root", pass.pass)));
                    }
                    Some(_) | None => return Ok(false),
                },
            };
            if slice == root {
                // What others settled before this process came is read at once.
                directory = self.directory(pass).await?;
            }
            self.settled_so_far.pass_over(pass, &slice, children);
        }
        Ok(true)
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
        self.settled_so_far.forget(pass);
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
