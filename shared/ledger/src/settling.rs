//! After a task ended: settled prefixes rise, slices settle.

use std::collections::HashMap;

use ossferry_core::key::Key;

use crate::codec::decode;
use crate::ids::{
    PassRef, SliceId, SliceRef, directory_row, pass_partition, slice_partition, slice_row,
    task_sort,
};
use crate::lease::Change;
use crate::ledger::{Ledger, Result, inconsistent};
use crate::rows::{Child, DirectoryRow, SliceRow, SliceState, TaskRow};

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
    pub(crate) fn bounds(&self) -> (Option<&Key>, Option<&Key>) {
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

    /// The settled slices of a pass, as far as the directory names them.
    pub(crate) async fn directory(&self, pass: &PassRef) -> Result<HashMap<SliceId, DirectoryRow>> {
        let rows = self.rows(&pass_partition(pass), "slice/", "slice0", usize::MAX).await?;
        let entries = rows.iter().map(|row| {
            let entry: DirectoryRow = decode(row)?;
            Ok((entry.slice.clone(), entry))
        });
        entries.collect()
    }

    /// Every slice of a pass, walked from the root through the children. The directory only saves
    /// reading rows that will not change any more.
    pub async fn tree(&self, pass: &PassRef) -> Result<Vec<Branch>> {
        let mut directory = self.directory(pass).await?;
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
}
