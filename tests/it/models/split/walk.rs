//! What may happen next, to whom, and what comes of it.

use std::collections::BTreeMap;

use ossferry_core::key::Key;
use ossferry_core::time::Timestamp;
use ossferry_ledger::ids::SliceId;
use ossferry_ledger::lease::Change;
use ossferry_ledger::rows::{PassState, SliceRow};
use stateright::{Model, Property};

use super::laws::{laws, reached};
use super::{Action, At, MIDDLES, OWNERS, Pass, Planner, Weakening, World, belongs, ended};

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
            let_go: false,
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
                if planner.hold.is_some() {
                    actions.push(Action::LetGo(who));
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
            Action::HandOn(who) => hand_on(&mut world, who)?,
            Action::LetGo(who) => let_go(&mut world, who)?,
            Action::LeaseEnds(slice) => {
                world.now = world.slices.get(&slice)?.lease.until;
                if let Some(who) = world.holder(&slice) {
                    spend(&mut world);
                    world.planners[who].has_message = false;
                    world.visible.insert(slice);
                }
            }
            Action::TaskEnds { slice, settles } => self.end_task(&mut world, &slice, settles)?,
            Action::LoseMessage(slice) => {
                spend(&mut world);
                world.visible.remove(&slice);
            }
            Action::Sweep => self.sweep(&mut world),
        }
        (world != *before).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        laws().into_iter().chain(reached()).collect()
    }
}

impl Pass {
    fn end_task(&self, world: &mut World, slice: &SliceId, settles: bool) -> Option<()> {
        let row = world.slices.get(slice)?;
        let seq = Self::task_due(world, row)?;
        let id = (slice.clone(), seq);
        let task = ended(world.tasks.get(&id)?);
        world.tasks.insert(id, task);
        if settles {
            world.settle(slice);
            world.note(slice);
            if world.directory.contains_key(slice) {
                self.finish(world);
            }
        } else {
            world.faults_left -= 1;
        }
        Some(())
    }
}

fn hand_on(world: &mut World, who: usize) -> Option<()> {
    world.faults_left -= 1;
    let planner = &mut world.planners[who];
    let hold = planner.hold.as_ref()?;
    let row = world.slices.get(&planner.slice)?;
    if let Change::Write(row, ()) = row.hand_on(hold, world.now) {
        world.slices.insert(planner.slice.clone(), row);
    }
    world.visible.insert(planner.slice.clone());
    planner.at = At::Acknowledging;
    Some(())
}

/// The message goes back to the queue, whatever the slice says by now.
fn let_go(world: &mut World, who: usize) -> Option<()> {
    world.faults_left -= 1;
    let planner = std::mem::replace(&mut world.planners[who], Planner::idle());
    let hold = planner.hold.as_ref()?;
    let row = world.slices.get(&planner.slice)?;
    match row.let_go(hold, world.now) {
        Change::Write(row, ()) => {
            world.slices.insert(planner.slice.clone(), row);
            world.let_go = true;
        }
        Change::Keep(()) => world.refused = true,
    }
    if planner.has_message {
        world.visible.insert(planner.slice);
    }
    Some(())
}
