//! A pass: its slices walked, split, handed on and settled, until it is found finished. Two planners,
//! one copier, three keys.

use std::collections::{BTreeMap, BTreeSet};

use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use ossferry_core::sums::{Sum, Walked};
use ossferry_core::time::Timestamp;
use ossferry_ledger::ids::SliceId;
use ossferry_ledger::lease::{Change, Hold};
use ossferry_ledger::lists::{Action as Planned, Expected, PlannedObject};
use ossferry_ledger::rows::{
    Child, DirectoryRow, PassState, Progress, SliceClaim, SliceRow, SliceState, TaskKind, TaskRow,
    TaskState,
};
use ossferry_ledger::{Branch, Ending, check_tiling};
use stateright::{Model, Property};

use super::{breaks, claimant, faults, holds};

const KEYS: [&str; 3] = ["a", "b", "c"];
/// Where a planner may cut, each once.
const MIDDLES: [&str; 2] = ["a", "b"];
const OWNERS: [&str; 2] = ["p", "q"];

const TILES: &str = "the ranges of the tree tile the key space";
const NO_KEY_LOST: &str = "each key is planned once, or lies before one cursor of the tree";
const COMMITTED_STANDS: &str = "each committed task stands";
const FINISHED_WHOLE: &str = "a finished pass has ended each key once";
const LAW: &str = "the sums of a settled tree keep the law";
const ENDS: &str = "where nothing can happen any more the pass is finished";

/// A guard that is taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Weakening {
    /// A split does not note the child in its parent.
    ChildrenNotKept,
    /// The child's row is put before the parent's range ends at it.
    ChildBeforeParent,
    /// The pass is finished when every slice that the directory names is settled.
    FinishByDirectory,
    /// A planner that lost the slice commits under the lease of whoever holds it.
    LatePlannerCommits,
    /// The commit comes before the task it makes visible.
    CommitBeforeTask,
}

struct Pass {
    weakening: Option<Weakening>,
    faults: u8,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum At {
    Idle,
    Claiming,
    /// Between two pages.
    Walking,
    /// The next key's task is written, or, where that weakening asks, committed.
    Committing,
    /// The row of a child is to be put.
    Bearing(Child),
    /// Its message is to be sent.
    Sending(Child),
    /// The slice is settled: the directory is to say so.
    Noting,
    /// The pass may be finished.
    Finishing,
    Acknowledging,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Planner {
    at: At,
    slice: SliceId,
    has_message: bool,
    owner: String,
    began: Timestamp,
    /// The slice as this planner knows it: as taken, and as its own writes left it.
    row: Option<SliceRow>,
    hold: Option<Hold>,
}

impl Planner {
    fn idle() -> Self {
        Self {
            at: At::Idle,
            slice: SliceId::root(),
            has_message: false,
            owner: String::new(),
            began: Timestamp(0),
            row: None,
            hold: None,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    now: Timestamp,
    faults_left: u8,
    slices: BTreeMap<SliceId, SliceRow>,
    directory: BTreeMap<SliceId, DirectoryRow>,
    tasks: BTreeMap<(SliceId, u64), TaskRow>,
    state: PassState,
    /// Messages of slices that the queue may deliver, one of each at most: a doubled one changes
    /// nothing while the slice is leased, and else counts as a fault.
    visible: BTreeSet<SliceId>,
    planners: [Planner; OWNERS.len()],
    /// A planner that had lost its slice was told so.
    refused: bool,
    /// A settled tree broke the law.
    inconsistent: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Action {
    Deliver(usize, SliceId),
    Step(usize),
    LoseAnswer(usize),
    Crash(usize),
    Split(usize, &'static str),
    /// Near the deadline.
    HandOn(usize),
    LeaseEnds(SliceId),
    /// The copiers end the next task of a slice, and one of them settles it.
    TaskEnds {
        slice: SliceId,
        settles: bool,
    },
    LoseMessage(SliceId),
    /// Anybody looks at the whole tree.
    Sweep,
}

fn task_of(key: &Key, seq: u64, hold: &Hold) -> TaskRow {
    let object = PlannedObject {
        key: key.clone(),
        size: 1,
        etag: None,
        last_modified: None,
        storage_class: None,
        expected: Expected::Absent,
        action: Planned::Copy { forbid_overwrite: false },
    };
    let digest = format!("{key:?}");
    let row = TaskRow::planned(seq, hold, TaskKind::Batch, &[object], digest, Timestamp(0));
    row.expect("it has an object")
}

fn ended(task: &TaskRow) -> TaskRow {
    let mut sum = Sum::default();
    sum.count(Outcome::Copied, 1, None);
    TaskRow { state: TaskState::Done, sum, ..task.clone() }
}

fn belongs(row: &SliceRow, key: &Key) -> bool {
    row.cursor.as_ref().is_none_or(|cursor| cursor < key)
        && row.until.as_ref().is_none_or(|until| key <= until)
}

fn next_key(row: &SliceRow) -> Option<Key> {
    KEYS.iter().map(|key| Key::from(*key)).find(|key| belongs(row, key))
}

fn progress(row: &SliceRow, key: Option<&Key>) -> Progress {
    let mut walked = row.walked.clone();
    if key.is_some() {
        walked.add(&Walked { listed: 1, planned: 1, ..Walked::default() });
    }
    Progress {
        cursor: key.or(row.cursor.as_ref()).cloned(),
        token: None,
        next_seq: row.next_seq + u64::from(key.is_some()),
        walked,
        listed: key.is_none(),
    }
}

impl World {
    /// Walked from the root through the children; a settled slice by its entry in the directory.
    fn tree(&self) -> Vec<Branch> {
        let mut branches = Vec::new();
        let mut left: Vec<(SliceId, Option<Child>)> = vec![(SliceId::root(), None)];
        while let Some((slice, named)) = left.pop() {
            let entry = self.directory.get(&slice).cloned();
            let row = self.slices.get(&slice).cloned();
            let branch = Branch::found(entry, row, named).expect("the root stands");
            let children = branch.children().iter();
            left.extend(children.map(|child| (child.slice.clone(), Some(child.clone()))));
            branches.push(branch);
        }
        branches
    }

    fn committed(&self) -> impl Iterator<Item = Option<&TaskRow>> {
        self.slices
            .values()
            .flat_map(|row| (1..row.next_seq).map(|seq| self.tasks.get(&(row.slice.clone(), seq))))
    }

    fn holder(&self, slice: &SliceId) -> Option<usize> {
        let owner = self.slices.get(slice)?.lease.owner.as_ref()?;
        self.planners.iter().position(|planner| planner.at != At::Idle && planner.owner == *owner)
    }

    fn nobody_works(&self) -> bool {
        self.visible.is_empty() && self.planners.iter().all(|planner| planner.at == At::Idle)
    }

    fn note(&mut self, slice: &SliceId) {
        if let Some(entry) = self.slices.get(slice).and_then(DirectoryRow::of) {
            self.directory.entry(slice.clone()).or_insert(entry);
        }
    }

    fn give_way(&mut self, who: usize) {
        self.refused = true;
        self.planners[who].at = At::Acknowledging;
    }

    /// [`SliceRow::settle`] over the tasks that have ended: `Ledger::settle`. Whoever settles the slice
    /// goes on as a planner would; a crash in between is the action without that.
    fn settle(&mut self, slice: &SliceId) {
        let Some(row) = self.slices.get(slice) else { return };
        let Some((first, last)) = row.settleable(1, 16) else { return };
        let tasks = self.tasks.range((slice.clone(), first)..=(slice.clone(), last));
        let tasks: Vec<TaskRow> = tasks.map(|(_, task)| task.clone()).collect();
        let (settled_seq, sum) = row.settled_by(&tasks);
        if let Change::Write(row, _) = row.settle(settled_seq, &sum) {
            self.slices.insert(slice.clone(), row);
        }
    }
}

impl Pass {
    fn is(&self, weakening: Weakening) -> bool {
        self.weakening == Some(weakening)
    }

    /// `Ledger::finish_pass`.
    fn finish(&self, world: &mut World) {
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

    /// [`TaskRow::put_over`]: a row that nobody sees yet. Answers whether this planner may go on.
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

    fn step(&self, world: &mut World, who: usize) {
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
    fn split(&self, world: &mut World, who: usize, middle: &Key) {
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
    fn bear_first(world: &mut World, who: usize, middle: &Key) {
        let planner = &mut world.planners[who];
        let Some(row) = &planner.row else { return };
        planner.at = At::Bearing(Child {
            slice: row.slice.child(row.children.len() + 1),
            after: middle.clone(),
            until: row.until.clone(),
        });
    }

    /// `Ledger::sweep`: every step of it may be repeated, and is.
    fn sweep(&self, world: &mut World) {
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

    fn task_due(world: &World, row: &SliceRow) -> Option<u64> {
        let first = row.settled_seq + 1;
        (first < row.next_seq && world.tasks.contains_key(&(row.slice.clone(), first)))
            .then_some(first)
    }
}

impl Model for Pass {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let root = SliceRow::new(SliceId::root(), None, None);
        vec![World {
            now: Timestamp(0),
            faults_left: self.faults,
            slices: [(SliceId::root(), root)].into(),
            directory: BTreeMap::new(),
            tasks: BTreeMap::new(),
            state: PassState::Open,
            visible: [SliceId::root()].into(),
            planners: [Planner::idle(), Planner::idle()],
            refused: false,
            inconsistent: false,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.state.is_final() || world.inconsistent {
            return;
        }
        let may_fail = world.faults_left > 0;
        let idle = world.planners.iter().position(|planner| planner.at == At::Idle);
        for slice in &world.visible {
            let row = world.slices.get(slice);
            let is_leased = row.is_some_and(|row| row.lease.until > world.now);
            if let (Some(who), false) = (idle, is_leased) {
                actions.push(Action::Deliver(who, slice.clone()));
            }
            if may_fail {
                actions.push(Action::LoseMessage(slice.clone()));
            }
        }
        for (who, planner) in world.planners.iter().enumerate() {
            if planner.at == At::Idle {
                continue;
            }
            actions.push(Action::Step(who));
            if let (At::Walking, Some(row)) = (&planner.at, &planner.row) {
                let middles = MIDDLES.into_iter().filter(|middle| {
                    let key = Key::from(*middle);
                    let is_below = row.until.as_ref().is_none_or(|until| key < *until);
                    is_below && belongs(row, &key) && row.may_split()
                });
                actions.extend(middles.map(|middle| Action::Split(who, middle)));
            }
            if may_fail {
                actions.extend([Action::Crash(who), Action::LoseAnswer(who)]);
                if planner.at == At::Walking {
                    actions.push(Action::HandOn(who));
                }
            }
        }
        for row in world.slices.values() {
            if row.lease.owner.is_some() && row.lease.until > world.now {
                let is_dead = world.holder(&row.slice).is_none();
                if is_dead || may_fail {
                    actions.push(Action::LeaseEnds(row.slice.clone()));
                }
            }
            if Self::task_due(world, row).is_some() {
                let slice = row.slice.clone();
                actions.push(Action::TaskEnds { slice: slice.clone(), settles: true });
                if may_fail {
                    actions.push(Action::TaskEnds { slice, settles: false });
                }
            }
        }
        let has_lease = |row: &SliceRow| row.lease.until > world.now;
        if world.nobody_works() && !world.slices.values().any(has_lease) {
            actions.push(Action::Sweep);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        let spend = |world: &mut World| world.faults_left = world.faults_left.saturating_sub(1);
        match action {
            Action::Deliver(who, slice) => {
                world.visible.remove(&slice);
                let fence = world.slices.get(&slice).map_or(0, |row| row.lease.fence);
                world.planners[who] = Planner {
                    at: At::Claiming,
                    owner: format!("{}{slice}-{fence}", OWNERS[who]),
                    slice,
                    has_message: true,
                    began: world.now,
                    ..Planner::idle()
                };
            }
            Action::Step(who) => self.step(&mut world, who),
            Action::LoseAnswer(who) => {
                spend(&mut world);
                self.step(&mut world, who);
                let (same_slices, same_tasks) =
                    (world.slices == before.slices, world.tasks == before.tasks);
                if same_slices && same_tasks && world.directory == before.directory {
                    return None;
                }
                world.planners[who] = before.planners[who].clone();
            }
            Action::Crash(who) => {
                spend(&mut world);
                if world.planners[who].has_message {
                    world.visible.insert(world.planners[who].slice.clone());
                }
                world.planners[who] = Planner::idle();
            }
            Action::Split(who, middle) => {
                let middle = Key::from(middle);
                if self.is(Weakening::ChildBeforeParent) {
                    Self::bear_first(&mut world, who, &middle);
                } else {
                    self.split(&mut world, who, &middle);
                }
            }
            Action::HandOn(who) => {
                spend(&mut world);
                let planner = &mut world.planners[who];
                let hold = planner.hold.as_ref()?;
                let row = world.slices.get(&planner.slice)?;
                if let Change::Write(row, ()) = row.hand_on(hold, world.now) {
                    world.slices.insert(planner.slice.clone(), row);
                }
                world.visible.insert(planner.slice.clone());
                planner.at = At::Acknowledging;
            }
            Action::LeaseEnds(slice) => {
                world.now = world.slices.get(&slice)?.lease.until;
                if let Some(who) = world.holder(&slice) {
                    spend(&mut world);
                    world.planners[who].has_message = false;
                    world.visible.insert(slice);
                }
            }
            Action::TaskEnds { slice, settles } => {
                let row = world.slices.get(&slice)?;
                let seq = Self::task_due(&world, row)?;
                let id = (slice.clone(), seq);
                let task = ended(world.tasks.get(&id)?);
                world.tasks.insert(id, task);
                if settles {
                    world.settle(&slice);
                    world.note(&slice);
                    if world.directory.contains_key(&slice) {
                        self.finish(&mut world);
                    }
                } else {
                    spend(&mut world);
                }
            }
            Action::LoseMessage(slice) => {
                spend(&mut world);
                world.visible.remove(&slice);
            }
            Action::Sweep => self.sweep(&mut world),
        }
        (world != *before).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(TILES, |_, world: &World| check_tiling(&world.tree()).is_ok()),
            Property::always(NO_KEY_LOST, |_, world: &World| {
                let tree = world.tree();
                KEYS.iter().map(|key| Key::from(*key)).all(|key| {
                    let planned =
                        world.committed().flatten().filter(|task| task.first_key == key).count();
                    let due = |branch: &Branch| match branch {
                        Branch::Settled(_) => false,
                        Branch::Live(row) => belongs(row, &key),
                        Branch::Unborn(child) => {
                            child.after < key
                                && child.until.as_ref().is_none_or(|until| key <= *until)
                        }
                    };
                    planned + tree.iter().filter(|branch| due(branch)).count() == 1
                })
            }),
            Property::always(COMMITTED_STANDS, |_, world: &World| {
                world.committed().all(|task| task.is_some())
            }),
            Property::always(FINISHED_WHOLE, |_, world: &World| {
                let done = world.committed().flatten().filter(|task| task.state.is_final());
                !world.state.is_final() || done.count() == KEYS.len()
            }),
            Property::always(LAW, |_, world: &World| !world.inconsistent),
            Property::always(ENDS, |model, world: &World| {
                if world.state.is_final() || world.inconsistent || !world.nobody_works() {
                    return true;
                }
                let mut actions = Vec::new();
                model.actions(world, &mut actions);
                actions.into_iter().any(|action| model.next_state(world, action).is_some())
            }),
            Property::sometimes("the pass is finished", |_, world: &World| {
                world.state == PassState::Finished
            }),
            Property::sometimes("three slices share the keys", |_, world: &World| {
                world.state == PassState::Finished && world.slices.len() == 3
            }),
            Property::sometimes("a late planner is refused", |_, world: &World| {
                world.state == PassState::Finished && world.refused
            }),
            Property::sometimes("a child waits unborn", |_, world: &World| {
                let is_unborn = |branch: &Branch| matches!(branch, Branch::Unborn(_));
                world.nobody_works() && world.tree().iter().any(is_unborn)
            }),
        ]
    }
}

fn world(weakening: Option<Weakening>) -> Pass {
    Pass { weakening, faults: faults(1) }
}

#[test]
fn each_key_is_planned_once_however_slices_are_split_and_taken_over() {
    holds("split and finish", world(None));
}

#[test]
fn a_pass_without_one_of_its_guards_goes_wrong() {
    for (weakening, law) in [
        (Weakening::ChildrenNotKept, TILES),
        (Weakening::ChildBeforeParent, NO_KEY_LOST),
        (Weakening::FinishByDirectory, FINISHED_WHOLE),
        (Weakening::LatePlannerCommits, NO_KEY_LOST),
        (Weakening::CommitBeforeTask, COMMITTED_STANDS),
    ] {
        breaks(&format!("split and finish, {weakening:?}"), world(Some(weakening)), law);
    }
}
