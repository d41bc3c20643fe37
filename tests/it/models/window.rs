//! The tasks of one slice: written, committed, sent within a window, ended in any order, settled as a
//! prefix. One planner, two copiers, three tasks.

use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use ossferry_core::sums::{Sum, Walked};
use ossferry_core::time::Timestamp;
use ossferry_ledger::ids::SliceId;
use ossferry_ledger::lease::{Change, Hold};
use ossferry_ledger::rows::{
    DirectoryRow, Progress, SliceClaim, SliceRow, SliceState, TaskKind, TaskRow, TaskState,
};
use stateright::{Model, Property};

use super::{breaks, claimant, faults, goes_on, holds, planned};

const TASKS: usize = 3;
const WINDOW: u64 = 2;
const COPIERS: usize = 2;

const ONLY_COMMITTED: &str = "only a committed task is worked on";
const WITHIN_WINDOW: &str = "no more messages are out than the window lets";
const PREFIX: &str = "the settled sum is that of the tasks below it, which have all ended";
const SETTLED_WHOLE: &str = "a settled slice has ended every task";
const ENDS: &str = "where nothing can happen any more the slice is settled";

/// A guard that is taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Weakening {
    /// A task's message is sent before the commit that makes the task exist.
    SentBeforeCommit,
    /// The settled prefix is raised over a task that has not ended.
    SettledPastGap,
    /// Every committed task is sent at once.
    WindowIgnored,
    /// The slice is settled by the first of its tasks to be seen ended after it was listed.
    SettledByLast,
}

struct Slice {
    weakening: Option<Weakening>,
    faults: u8,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::large_enum_variant, reason = "a few workers at a time")]
enum At {
    Idle,
    /// The planner's: takes the slice, writes a task, commits it.
    Claiming,
    Writing,
    Committing,
    /// A copier's: ends the task, raises the settled prefix.
    Ending,
    Settling,
    /// Sends what the window of the row it read lets out, then notes so.
    Pumping(SliceRow),
    Noting(u64),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Worker {
    at: At,
    seq: u64,
}

const IDLE: Worker = Worker { at: At::Idle, seq: 0 };

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    now: Timestamp,
    faults_left: u8,
    slice: SliceRow,
    tasks: Vec<TaskRow>,
    /// Messages that the queue may deliver, by task.
    visible: [u8; TASKS],
    planner: Worker,
    hold: Option<Hold>,
    copiers: [Worker; COPIERS],
    /// A task that no commit had made exist was worked on.
    trespassed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Plan,
    PlannerStep,
    PlannerLoses,
    PlannerCrashes,
    Deliver(usize, usize),
    Step(usize),
    LoseAnswer(usize),
    Crash(usize),
    DoubleMessage(usize),
    LoseMessage(usize),
    Sweep,
}

fn key(seq: u64) -> Key {
    Key::from(format!("k{seq}").as_str())
}

fn task(seq: u64, hold: &Hold) -> TaskRow {
    let object = planned(&key(seq), 1);
    let now = Timestamp(0);
    let row = TaskRow::planned(seq, hold, TaskKind::Batch, &[object], String::new(), now);
    row.expect("it has an object")
}

fn progress(next_seq: u64) -> Progress {
    let planned = next_seq - 1;
    Progress {
        cursor: (planned > 0).then(|| key(planned)),
        token: None,
        next_seq,
        walked: Walked { listed: planned, planned, ..Walked::default() },
        listed: planned == TASKS as u64,
    }
}

fn place(seq: u64) -> usize {
    usize::try_from(seq - 1).expect("few tasks")
}

impl World {
    fn is_over(&self) -> bool {
        self.slice.state == SliceState::Settled
    }

    fn nobody_works(&self) -> bool {
        self.visible == [0; TASKS] && self.planner == IDLE && self.copiers == [IDLE; COPIERS]
    }

    fn tasks_of(&self, first: u64, last: u64) -> Vec<TaskRow> {
        let is_within = |task: &&TaskRow| (first..=last).contains(&task.seq);
        self.tasks.iter().filter(is_within).cloned().collect()
    }

    fn send(&mut self, seq: u64) {
        self.visible[place(seq)] += 1;
    }
}

impl Slice {
    fn is(&self, weakening: Weakening) -> bool {
        self.weakening == Some(weakening)
    }

    /// `Ledger::pump`: the messages first, by the row as it was read.
    fn pump(&self, world: &mut World, row: &SliceRow) -> At {
        let window = if self.is(Weakening::WindowIgnored) { u64::MAX } else { WINDOW };
        let Some((first, last)) = row.sendable(window) else { return At::Idle };
        for task in world.tasks_of(first, last) {
            if !task.state.is_final() {
                world.send(task.seq);
            }
        }
        At::Noting(last)
    }

    /// One round of `Ledger::settle`. Answers the row as it then stands.
    fn settle(&self, world: &mut World) -> SliceRow {
        let row = world.slice.clone();
        let Some((first, last)) = row.settleable(WINDOW, 16) else { return row };
        let mut tasks = world.tasks_of(first, last);
        if self.is(Weakening::SettledPastGap) {
            for task in &mut tasks {
                task.state = TaskState::Done;
            }
        }
        let (settled_seq, sum) = row.settled_by(&tasks);
        if let Change::Write(row, _) = row.settle(settled_seq, &sum) {
            world.slice = row;
        }
        if self.is(Weakening::SettledByLast) && world.slice.state == SliceState::Listed {
            world.slice.state = SliceState::Settled;
        }
        world.slice.clone()
    }

    fn note(world: &mut World, last: u64) {
        if let Change::Write(row, ()) = world.slice.sent(last) {
            world.slice = row;
        }
    }

    fn step_planner(&self, world: &mut World) {
        world.planner.at = match world.planner.at.clone() {
            At::Claiming => {
                let owner = format!("p{}", world.slice.lease.fence);
                match world.slice.claim(&claimant(&owner, world.now)) {
                    Change::Write(row, SliceClaim::Mine) => {
                        world.hold = row.lease.hold();
                        world.slice = row;
                        At::Writing
                    }
                    Change::Keep(SliceClaim::Mine) => At::Writing,
                    Change::Write(..) | Change::Keep(_) => At::Idle,
                }
            }
            At::Writing => {
                let (seq, Some(hold)) = (world.slice.next_seq, world.hold.clone()) else { return };
                let stored = world.tasks.iter().find(|task| task.seq == seq);
                if let Ok(Change::Write(row, ())) = task(seq, &hold).put_over(stored) {
                    world.tasks.retain(|task| task.seq != seq);
                    world.tasks.push(row);
                }
                if self.is(Weakening::SentBeforeCommit) {
                    world.send(seq);
                }
                world.planner.seq = seq;
                At::Committing
            }
            At::Committing => {
                let Some(hold) = world.hold.clone() else { return };
                match world.slice.commit(&hold, &progress(world.planner.seq + 1)) {
                    Ok(Change::Write(row, ())) => world.slice = row,
                    Ok(Change::Keep(())) => {}
                    Err(_) => return world.planner = IDLE,
                }
                At::Pumping(world.slice.clone())
            }
            At::Pumping(row) => match self.pump(world, &row) {
                At::Idle if world.slice.state.is_walked() => At::Idle,
                At::Idle => At::Writing,
                at => at,
            },
            At::Noting(last) => {
                Self::note(world, last);
                if world.slice.state.is_walked() { At::Idle } else { At::Writing }
            }
            at => at,
        };
        if world.planner.at == At::Idle {
            world.planner = IDLE;
        }
    }

    fn step_copier(&self, world: &mut World, who: usize) {
        let Worker { at, seq } = world.copiers[who].clone();
        world.copiers[who].at = match at {
            At::Ending => {
                world.trespassed |= seq >= world.slice.next_seq;
                let task = world.tasks.iter_mut().find(|task| task.seq == seq);
                match task.filter(|task| !task.state.is_final()) {
                    Some(task) => {
                        task.state = TaskState::Done;
                        task.sum = Sum::default();
                        task.sum.count(Outcome::Copied, 1, None);
                        At::Settling
                    }
                    // It has ended: the message is acknowledged.
                    None => At::Idle,
                }
            }
            At::Settling => {
                let before = world.slice.settled_seq;
                let row = self.settle(world);
                let goes_on = row.settled_seq > before && row.settleable(WINDOW, 16).is_some();
                if goes_on { At::Settling } else { At::Pumping(row) }
            }
            At::Pumping(row) => self.pump(world, &row),
            At::Noting(last) => {
                Self::note(world, last);
                At::Idle
            }
            at => at,
        };
        if world.copiers[who].at == At::Idle {
            world.copiers[who] = IDLE;
        }
    }

    /// `Ledger::sweep` over this slice.
    fn sweep(&self, world: &mut World) {
        let sent_seq = world.slice.sent_seq;
        let mut settled = world.slice.settled_seq;
        loop {
            let row = self.settle(world);
            if row.settled_seq == settled {
                break;
            }
            settled = row.settled_seq;
        }
        let row = world.slice.clone();
        if let At::Noting(last) = self.pump(world, &row) {
            Self::note(world, last);
        }
        for task in world.tasks_of(settled + 1, sent_seq) {
            if !task.state.is_final() {
                world.send(task.seq);
            }
        }
    }
}

impl Model for Slice {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            now: Timestamp(0),
            faults_left: self.faults,
            slice: SliceRow::new(SliceId::root(), None, None),
            tasks: Vec::new(),
            visible: [0; TASKS],
            planner: IDLE,
            hold: None,
            copiers: [IDLE; COPIERS],
            trespassed: false,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let may_fail = world.faults_left > 0;
        if world.planner != IDLE {
            actions.push(Action::PlannerStep);
            if may_fail {
                actions.extend([Action::PlannerLoses, Action::PlannerCrashes]);
            }
        } else if !world.slice.state.is_walked() {
            actions.push(Action::Plan);
        }
        let idle = world.copiers.iter().position(|copier| *copier == IDLE);
        for place in (0..TASKS).filter(|place| world.visible[*place] > 0) {
            actions.extend(idle.map(|who| Action::Deliver(who, place)));
            if may_fail {
                actions.extend([Action::DoubleMessage(place), Action::LoseMessage(place)]);
            }
        }
        for who in (0..COPIERS).filter(|who| world.copiers[*who] != IDLE) {
            actions.push(Action::Step(who));
            if may_fail {
                actions.extend([Action::LoseAnswer(who), Action::Crash(who)]);
            }
        }
        if world.nobody_works() && !world.is_over() {
            actions.push(Action::Sweep);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        if matches!(
            action,
            Action::PlannerLoses
                | Action::PlannerCrashes
                | Action::LoseAnswer(_)
                | Action::Crash(_)
                | Action::DoubleMessage(_)
                | Action::LoseMessage(_)
        ) {
            world.faults_left -= 1;
        }
        let is_written = |after: &World| after.slice != before.slice || after.tasks != before.tasks;
        match action {
            Action::Plan => world.planner = Worker { at: At::Claiming, seq: 0 },
            Action::PlannerStep => self.step_planner(&mut world),
            Action::PlannerLoses => {
                self.step_planner(&mut world);
                if !is_written(&world) && world.visible == before.visible {
                    return None;
                }
                // A claim is settled by reading: its hold is known all the same.
                if before.planner.at == At::Claiming {
                    world.planner = Worker { at: At::Writing, seq: 0 };
                } else {
                    world.planner = before.planner.clone();
                }
            }
            Action::PlannerCrashes => {
                world.planner = IDLE;
                world.hold = None;
                world.now = world.slice.lease.until.max(world.now);
            }
            Action::Deliver(who, place) => {
                world.visible[place] -= 1;
                world.copiers[who] = Worker { at: At::Ending, seq: place as u64 + 1 };
            }
            Action::Step(who) => self.step_copier(&mut world, who),
            Action::LoseAnswer(who) => {
                self.step_copier(&mut world, who);
                if !is_written(&world) && world.visible == before.visible {
                    return None;
                }
                // A finished task is settled by reading: its worker knows that it was its own.
                if before.copiers[who].at != At::Ending {
                    world.copiers[who] = before.copiers[who].clone();
                }
            }
            Action::Crash(who) => {
                world.visible[place(world.copiers[who].seq)] += 1;
                world.copiers[who] = IDLE;
            }
            Action::DoubleMessage(place) => world.visible[place] += 1,
            Action::LoseMessage(place) => world.visible[place] -= 1,
            Action::Sweep => self.sweep(&mut world),
        }
        (world != *before).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONLY_COMMITTED, |_, world: &World| !world.trespassed),
            Property::always(WITHIN_WINDOW, |_, world: &World| {
                let last = (0..TASKS).rfind(|place| world.visible[*place] > 0);
                let row = &world.slice;
                row.sent_seq <= row.settled_seq + WINDOW
                    && last.is_none_or(|place| (place as u64) < row.settled_seq + WINDOW)
            }),
            Property::always(PREFIX, |_, world: &World| {
                let row = &world.slice;
                let below = world.tasks_of(1, row.settled_seq);
                let mut sum = Sum::default();
                for task in &below {
                    sum.add(&task.sum);
                }
                sum == row.settled_sum && below.iter().all(|task| task.state.is_final())
            }),
            Property::always(SETTLED_WHOLE, |_, world: &World| {
                DirectoryRow::of(&world.slice).is_none_or(|entry| {
                    entry.tasks == TASKS as u64
                        && entry.walked.planned == entry.sum.objects()
                        && world.tasks.iter().all(|task| task.state.is_final())
                })
            }),
            Property::always(ENDS, |model, world: &World| {
                world.is_over() || !world.nobody_works() || goes_on(model, world, |_| true)
            }),
            Property::sometimes("the slice is settled", |_, world: &World| {
                world.is_over() && world.nobody_works()
            }),
            Property::sometimes("a later task ends before an earlier one", |_, world: &World| {
                let is_done = |seq| {
                    world.tasks_of(seq, seq).first().is_some_and(|task| task.state.is_final())
                };
                is_done(2) && !is_done(1)
            }),
            Property::sometimes("the window holds a task back", |_, world: &World| {
                world.slice.state == SliceState::Listed && world.slice.sent_seq < TASKS as u64
            }),
            Property::sometimes(
                "a message is lost that a sweep sends again",
                |_, world: &World| {
                    world.nobody_works() && world.slice.sent_seq > world.slice.settled_seq
                },
            ),
        ]
    }
}

fn slice(weakening: Option<Weakening>) -> Slice {
    Slice { weakening, faults: faults(1) }
}

#[test]
fn tasks_are_sent_within_a_window_and_settle_as_a_prefix_in_whatever_order_they_end() {
    holds("commit and window", slice(None));
}

#[test]
fn a_window_without_one_of_its_guards_goes_wrong() {
    for (weakening, law) in [
        (Weakening::SentBeforeCommit, ONLY_COMMITTED),
        (Weakening::SettledPastGap, PREFIX),
        (Weakening::WindowIgnored, WITHIN_WINDOW),
        (Weakening::SettledByLast, SETTLED_WHOLE),
    ] {
        breaks(&format!("commit and window, {weakening:?}"), slice(Some(weakening)), law);
    }
}
