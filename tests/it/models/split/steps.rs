//! What a planner does next, and what a sweep does.

use ossferry_core::key::Key;
use ossferry_ledger::ids::SliceId;
use ossferry_ledger::lease::Change;
use ossferry_ledger::rows::{Child, PassState, SliceClaim, SliceRow, SliceState};
use ossferry_ledger::{Branch, Ending};

use super::{At, Pass, Planner, Weakening, World, claimant, next_key, progress, task_of};

impl Pass {
    /// `Ledger::finish_pass`.
    pub(super) fn finish(&self, world: &mut World) {
        let is_settled = |row: &SliceRow| row.state == SliceState::Settled;
        if self.is(Weakening::FinishByDirectory) {
            let known = |slice: &SliceId| world.directory.contains_key(slice);
            if world.slices.keys().all(known) {
                world.state = PassState::Finished;
            }
            return;
        }
        if !world.slices.get(&SliceId::root()).is_some_and(is_settled) {
            return;
        }
        match Ending::of(&world.tree()) {
            Ok(Some(ending)) => world.state = ending.state,
            Ok(None) => {}
            Err(_) => world.inconsistent = true,
        }
    }

    fn claim(world: &mut World, who: usize) {
        let planner = &mut world.planners[who];
        let Some(row) = world.slices.get(&planner.slice) else {
            // A message about a slice whose row was never put: nothing is there to be taken.
            planner.at = At::Acknowledging;
            return;
        };
        let attempt = claimant(&planner.owner, planner.began);
        let (row, claim) = match row.claim(&attempt) {
            Change::Write(row, claim) => (row, claim),
            Change::Keep(claim) => (row.clone(), claim),
        };
        match claim {
            SliceClaim::Mine => {
                world.slices.insert(planner.slice.clone(), row.clone());
                planner.hold = row.lease.hold();
                planner.row = Some(row);
                planner.at = At::Walking;
            }
            SliceClaim::Leased(_) => {
                world.visible.insert(planner.slice.clone());
                *planner = Planner::idle();
            }
            SliceClaim::Walked(_) | SliceClaim::GivenUp => {
                let settled = row.state == SliceState::Settled;
                planner.at = if settled { At::Noting } else { At::Acknowledging };
            }
        }
    }

    /// `TaskRow::put_over`: a row that nobody sees yet. Answers whether this planner may go on.
    fn write_task(world: &mut World, who: usize) -> bool {
        let planner = &world.planners[who];
        let (Some(row), Some(hold)) = (&planner.row, &planner.hold) else { return false };
        let Some(key) = next_key(row) else { return true };
        let id = (planner.slice.clone(), row.next_seq);
        match task_of(&key, row.next_seq, hold).put_over(world.tasks.get(&id)) {
            Ok(Change::Write(task, ())) => {
                world.tasks.insert(id, task);
                true
            }
            Ok(Change::Keep(())) => true,
            Err(_) => false,
        }
    }

    /// [`SliceRow::commit`]. Answers the row as it then stands, if this planner may go on.
    fn commit(&self, world: &mut World, who: usize) -> Option<SliceRow> {
        let planner = &world.planners[who];
        let (known, mut hold) = (planner.row.as_ref()?, planner.hold.clone()?);
        let stored = world.slices.get(&planner.slice)?;
        if self.is(Weakening::LatePlannerCommits) {
            hold = stored.lease.hold().unwrap_or(hold);
        }
        let key = next_key(known);
        let row = match stored.commit(&hold, &progress(known, key.as_ref())).ok()? {
            Change::Write(row, ()) => row,
            Change::Keep(()) => stored.clone(),
        };
        world.slices.insert(row.slice.clone(), row.clone());
        Some(row)
    }

    /// One turn between two pages: the next key's task is written; at the end the slice is listed.
    fn walk(&self, world: &mut World, who: usize) {
        let has_key = world.planners[who].row.as_ref().and_then(next_key).is_some();
        let late_task = self.is(Weakening::CommitBeforeTask);
        if has_key && !late_task {
            if Self::write_task(world, who) {
                world.planners[who].at = At::Committing;
            } else {
                world.give_way(who);
            }
            return;
        }
        let Some(row) = self.commit(world, who) else { return world.give_way(who) };
        let planner = &mut world.planners[who];
        planner.at = match row.state {
            SliceState::Settled => At::Noting,
            SliceState::Listed => At::Acknowledging,
            _ => At::Committing,
        };
        if planner.at != At::Committing {
            planner.row = Some(row);
        }
    }

    pub(super) fn step(&self, world: &mut World, who: usize) {
        match world.planners[who].at.clone() {
            At::Idle => {}
            At::Claiming => Self::claim(world, who),
            At::Walking => self.walk(world, who),
            At::Committing => {
                if self.is(Weakening::CommitBeforeTask) {
                    Self::write_task(world, who);
                    let planner = &mut world.planners[who];
                    planner.row = world.slices.get(&planner.slice).cloned();
                    planner.at = At::Walking;
                    return;
                }
                match self.commit(world, who) {
                    Some(row) => {
                        world.planners[who].row = Some(row);
                        world.planners[who].at = At::Walking;
                    }
                    None => world.give_way(who),
                }
            }
            At::Bearing(child) => {
                let stored = world.slices.get(&child.slice);
                if let Change::Write(row, ()) = SliceRow::born(stored, &child, None) {
                    world.slices.insert(child.slice.clone(), row);
                }
                world.planners[who].at = At::Sending(child);
            }
            At::Sending(child) => {
                world.visible.insert(child.slice.clone());
                world.planners[who].at = At::Walking;
                if self.is(Weakening::ChildBeforeParent) {
                    self.split(world, who, &child.after);
                    if world.planners[who].at != At::Acknowledging {
                        world.planners[who].at = At::Walking;
                    }
                }
            }
            At::Noting => {
                let slice = world.planners[who].slice.clone();
                world.note(&slice);
                world.planners[who].at = At::Finishing;
            }
            At::Finishing => {
                self.finish(world);
                world.planners[who].at = At::Acknowledging;
            }
            At::Acknowledging => world.planners[who] = Planner::idle(),
        }
    }

    /// [`SliceRow::split`]: the parent first.
    pub(super) fn split(&self, world: &mut World, who: usize, middle: &Key) {
        let planner = &mut world.planners[who];
        let Some(hold) = &planner.hold else { return };
        let Some(stored) = world.slices.get(&planner.slice) else { return };
        match stored.split(hold, middle) {
            Ok(change) => {
                let (mut row, child) = match change {
                    Change::Write(row, child) => (row, child),
                    Change::Keep(child) => (stored.clone(), child),
                };
                if self.is(Weakening::ChildrenNotKept) {
                    row.children.clear();
                }
                planner.row = Some(row.clone());
                planner.at = At::Bearing(child);
                world.slices.insert(row.slice.clone(), row);
            }
            Err(_) => world.give_way(who),
        }
    }

    /// Where that weakening asks: what the child will be is told before the parent says so.
    pub(super) fn bear_first(world: &mut World, who: usize, middle: &Key) {
        let planner = &mut world.planners[who];
        let Some(row) = &planner.row else { return };
        planner.at = At::Bearing(Child {
            slice: row.slice.child(row.children.len() + 1),
            after: middle.clone(),
            until: row.until.clone(),
        });
    }

    /// `Ledger::sweep`: every step of it may be repeated, and is.
    pub(super) fn sweep(&self, world: &mut World) {
        for branch in world.tree() {
            let slice = branch.slice().clone();
            match branch {
                Branch::Settled(_) => {}
                Branch::Unborn(child) => {
                    if let Change::Write(row, ()) = SliceRow::born(None, &child, None) {
                        world.slices.insert(slice.clone(), row);
                    }
                    world.visible.insert(slice);
                }
                Branch::Live(row) => {
                    if !row.state.is_walked() && row.lease.until <= world.now {
                        world.visible.insert(slice.clone());
                    }
                    world.settle(&slice);
                    world.note(&slice);
                }
            }
        }
        self.finish(world);
    }

    pub(super) fn task_due(world: &World, row: &SliceRow) -> Option<u64> {
        let first = row.settled_seq + 1;
        (first < row.next_seq && world.tasks.contains_key(&(row.slice.clone(), first)))
            .then_some(first)
    }
}
