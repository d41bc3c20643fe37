//! A batch: claimed, copied, recorded, counted, acknowledged. Two copiers, two objects.

use std::collections::BTreeMap;

use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use ossferry_core::sums::Sum;
use ossferry_core::time::Timestamp;
use ossferry_ledger::lease::{Change, Hold, LeaseLost, Taken};
use ossferry_ledger::lists::{ObjectResult, PlannedObject};
use ossferry_ledger::rows::{ListRow, TaskKind, TaskRow, TaskState};
use ossferry_ledger::sum_of;
use stateright::{Model, Property};

use super::{breaks, claimant, faults, goes_on, holds, planned};

const OBJECTS: usize = 2;
const OWNERS: [&str; 2] = ["a", "b"];

const COUNTED_ONCE: &str = "each object is counted once";
const RECORDED_FIRST: &str = "what counts stands in a result row";
const RECORDED_IS_THERE: &str = "what counts is what stands at the target";
const HAS_A_MESSAGE: &str = "work that is left has a message unless the queue lost it";
const ENDS: &str = "where nothing can happen any more the batch has ended";

/// A guard that is taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Weakening {
    /// A claim whose answer was lost is taken for won where the fence is as it would be then.
    FenceWithoutOwner,
    /// A worker goes on writing to the target after its lease.
    EffectAfterLease,
    /// The message is acknowledged when the task is claimed.
    AcknowledgedFirst,
    /// Whoever comes late counts its results under the lease of whoever holds the task now.
    LateWorkerCounts,
    /// Results count for the rest although no claim that counted listed their fence.
    UnlistedResultsCount,
    /// The task's row is written before the results.
    CountedBeforeRecorded,
}

struct Batch {
    weakening: Option<Weakening>,
    faults: u8,
}

/// An object's outcome: its index, and which of the source's versions was copied.
type Copied = (u32, u8);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum At {
    Idle,
    Claiming,
    Copying,
    Recording,
    Counting,
    Sending,
    Acknowledging,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Worker {
    at: At,
    /// Its receipt is good: nobody else gets the message.
    has_message: bool,
    owner: String,
    /// When its invocation began: what it takes for now, and what its lease goes by.
    began: Timestamp,
    hold: Option<Hold>,
    /// Under this fence a claim was tried whose answer was lost. Kept where that weakening asks.
    tried: Option<u64>,
    rest: Vec<u32>,
    done: Vec<Copied>,
    /// The version of the first of the rest that was read and is on its way.
    read: Option<u8>,
}

impl Worker {
    fn idle() -> Self {
        Self {
            at: At::Idle,
            has_message: false,
            owner: String::new(),
            began: Timestamp(0),
            hold: None,
            tried: None,
            rest: Vec::new(),
            done: Vec::new(),
            read: None,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    now: Timestamp,
    faults_left: u8,
    task: TaskRow,
    results: BTreeMap<u64, (ListRow, Vec<Copied>)>,
    /// Of the first object: the other never changes.
    source: u8,
    /// 0: nothing.
    target: [u8; OBJECTS],
    /// Messages that the queue may deliver.
    visible: u8,
    message_lost: bool,
    workers: [Worker; OWNERS.len()],
    /// A worker that had lost its lease was told so.
    refused: bool,
    /// A sum would not have fitted the task.
    miscounted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Deliver(usize),
    Step(usize),
    /// The step takes effect, its answer is lost.
    LoseAnswer(usize),
    /// The request never arrives, and neither does an answer.
    LoseRequest(usize),
    /// Near the deadline: what is done is recorded, the rest goes back.
    HandBack(usize),
    Crash(usize),
    /// The lease of whoever holds the task ends. A worker at it sleeps through that; its message is
    /// delivered again, or not yet.
    LeaseEnds {
        message_too: bool,
    },
    DoubleMessage,
    LoseMessage,
    Sweep,
    SourceChanges,
}

fn plan() -> TaskRow {
    let objects: Vec<PlannedObject> =
        ["a", "b"].iter().map(|key| planned(&Key::from(*key), 1)).collect();
    let planner = Hold { owner: "p".to_owned(), fence: 1 };
    let row = TaskRow::planned(1, &planner, TaskKind::Batch, &objects, String::new(), Timestamp(0));
    row.expect("it has objects")
}

fn sum(done: &[Copied]) -> Sum {
    let results = done.iter().map(|(index, _)| ObjectResult::plain(*index, Outcome::Copied, ""));
    sum_of(&results.collect::<Vec<_>>())
}

impl World {
    fn has_ended(&self) -> bool {
        self.task.state.is_final()
    }

    fn counted(&self) -> Vec<Copied> {
        let fences = self.task.result_fences.iter();
        fences
            .filter_map(|fence| self.results.get(fence))
            .flat_map(|(_, done)| done.clone())
            .collect()
    }

    fn holder(&self) -> Option<usize> {
        let is_holder = |worker: &Worker| {
            worker.at != At::Idle && self.task.lease.owner.as_ref() == Some(&worker.owner)
        };
        self.workers.iter().position(is_holder)
    }

    fn is_leased(&self) -> bool {
        self.task.lease.until > self.now
    }

    fn nobody_works(&self) -> bool {
        self.visible == 0 && self.workers.iter().all(|worker| worker.at == At::Idle)
    }

    /// Its work is another's, or over.
    fn give_way(&mut self, who: usize, lost: LeaseLost) {
        debug_assert!(lost.fence > 0);
        self.refused = true;
        self.workers[who].at = At::Acknowledging;
    }
}

impl Batch {
    fn is(&self, weakening: Weakening) -> bool {
        self.weakening == Some(weakening)
    }

    /// [`TaskRow::claim`], then what is left of the task: `Ledger::take_task`.
    fn claim(&self, world: &mut World, who: usize) {
        let worker = &mut world.workers[who];
        let attempt = claimant(&worker.owner, worker.began);
        let believes = worker.tried.take() == Some(world.task.lease.fence)
            && self.is(Weakening::FenceWithoutOwner);
        let taken = if believes {
            Taken::Mine
        } else {
            match world.task.claim(&attempt) {
                Change::Write(row, taken) => {
                    world.task = row;
                    taken
                }
                Change::Keep(taken) => taken,
            }
        };
        match taken {
            Taken::Over => worker.at = At::Acknowledging,
            Taken::Leased(_) => {
                *worker = Worker::idle();
                world.visible += 1;
            }
            Taken::Mine => {
                worker.hold = world.task.lease.hold();
                let counted: Vec<Copied> = if self.is(Weakening::UnlistedResultsCount) {
                    world.results.values().flat_map(|(_, done)| done.clone()).collect()
                } else {
                    world.counted()
                };
                let worker = &mut world.workers[who];
                let is_left = |index: &u32| counted.iter().all(|(done, _)| done != index);
                worker.rest = (0_u32..).take(OBJECTS).filter(is_left).collect();
                worker.at = if worker.rest.is_empty() { At::Recording } else { At::Copying };
                if self.is(Weakening::AcknowledgedFirst) {
                    worker.has_message = false;
                }
            }
        }
    }

    /// A read at the source, then a write to the target, whose deadline comes before the lease's end.
    fn copy(&self, world: &mut World, who: usize) {
        let worker = &mut world.workers[who];
        let index = worker.rest[worker.done.len()];
        let Some(version) = worker.read.take() else {
            worker.read = Some(if index == 0 { world.source } else { 1 });
            return;
        };
        let is_late = world.now >= claimant("", worker.began).lease_until;
        if is_late && !self.is(Weakening::EffectAfterLease) {
            worker.at = At::Recording;
            return;
        }
        world.target[index as usize] = version;
        worker.done.push((index, version));
        if worker.done.len() == worker.rest.len() {
            worker.at = At::Recording;
        }
    }

    /// The results, under the claim's own fence.
    fn record(&self, world: &mut World, who: usize) {
        let worker = &mut world.workers[who];
        let Some(hold) = worker.hold.clone() else { return };
        let row = ListRow { fence: hold.fence, entries: worker.done.len() as u64 };
        let stored = world.results.get(&hold.fence).map(|(row, _)| row);
        match row.put_over(stored) {
            Ok(_) => {
                world.results.insert(hold.fence, (row, worker.done.clone()));
                worker.at = match (self.is(Weakening::CountedBeforeRecorded), worker.is_whole()) {
                    (true, true) => At::Acknowledging,
                    (true, false) => At::Sending,
                    (false, _) => At::Counting,
                };
            }
            Err(lost) => world.give_way(who, lost),
        }
    }

    /// [`TaskRow::finish`], or [`TaskRow::hand_back`] where something is left.
    fn count(&self, world: &mut World, who: usize) {
        let (mut hold, done, whole) = {
            let worker = &world.workers[who];
            let Some(hold) = worker.hold.clone() else { return };
            (hold, worker.done.clone(), worker.is_whole())
        };
        if self.is(Weakening::LateWorkerCounts) {
            hold.owner = world.task.lease.owner.clone().unwrap_or(hold.owner);
            hold.fence = hold.fence.max(world.task.lease.fence);
        }
        let (sum, now) = (sum(&done), world.now);
        let is_mine = world.task.lease.check(&hold).is_ok();
        if whole && is_mine && world.task.sum.objects() + sum.objects() != OBJECTS as u64 {
            world.miscounted = true;
            world.workers[who] = Worker::idle();
            return;
        }
        let change = if whole {
            world.task.finish(&hold, &sum, TaskState::Done, now)
        } else {
            world.task.hand_back(&hold, &sum, now)
        };
        match change {
            Ok(change) => {
                if let Change::Write(row, ()) = change {
                    world.task = row;
                }
                world.workers[who].at = match (self.is(Weakening::CountedBeforeRecorded), whole) {
                    (true, _) => At::Recording,
                    (false, true) => At::Acknowledging,
                    (false, false) => At::Sending,
                };
            }
            Err(lost) => world.give_way(who, lost),
        }
    }

    fn step(&self, world: &mut World, who: usize) {
        let first = self.is(Weakening::CountedBeforeRecorded);
        match world.workers[who].at {
            At::Idle => {}
            At::Claiming => self.claim(world, who),
            At::Copying => self.copy(world, who),
            At::Recording if first && !world.is_listed(who) => self.count(world, who),
            At::Recording => self.record(world, who),
            At::Counting => self.count(world, who),
            At::Sending => {
                world.visible += 1;
                world.workers[who].at = At::Acknowledging;
            }
            At::Acknowledging => world.workers[who] = Worker::idle(),
        }
    }
}

impl Worker {
    fn is_whole(&self) -> bool {
        self.done.len() == self.rest.len()
    }
}

impl World {
    fn is_listed(&self, who: usize) -> bool {
        let hold = self.workers[who].hold.as_ref();
        hold.is_some_and(|hold| self.task.result_fences.contains(&hold.fence))
    }
}

impl Model for Batch {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            now: Timestamp(0),
            faults_left: self.faults,
            task: plan(),
            results: BTreeMap::new(),
            source: 1,
            target: [0; OBJECTS],
            visible: 1,
            message_lost: false,
            workers: [Worker::idle(), Worker::idle()],
            refused: false,
            miscounted: false,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let may_fail = world.faults_left > 0;
        for (who, worker) in world.workers.iter().enumerate() {
            if worker.at == At::Idle {
                // What is leased is put off, and delivered again when the lease has ended.
                if world.visible > 0 && (world.has_ended() || !world.is_leased()) {
                    actions.push(Action::Deliver(who));
                }
                continue;
            }
            actions.push(Action::Step(who));
            if worker.at == At::Copying && !worker.done.is_empty() && worker.read.is_none() {
                actions.push(Action::HandBack(who));
            }
            if may_fail {
                actions.push(Action::Crash(who));
                if matches!(worker.at, At::Claiming | At::Recording | At::Counting | At::Sending) {
                    actions.push(Action::LoseAnswer(who));
                }
                if worker.at == At::Claiming && self.is(Weakening::FenceWithoutOwner) {
                    actions.push(Action::LoseRequest(who));
                }
            }
        }
        if world.task.lease.owner.is_some() && world.is_leased() {
            let holder = world.holder();
            if holder.is_none() || may_fail {
                actions.push(Action::LeaseEnds { message_too: true });
            }
            if holder.is_some_and(|who| world.workers[who].has_message) && may_fail {
                actions.push(Action::LeaseEnds { message_too: false });
            }
        }
        if may_fail && world.visible > 0 {
            actions.extend([Action::DoubleMessage, Action::LoseMessage]);
        }
        if may_fail && world.source == 1 {
            actions.push(Action::SourceChanges);
        }
        if world.nobody_works() && !world.has_ended() && !world.is_leased() {
            actions.push(Action::Sweep);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        let spend = |world: &mut World| world.faults_left -= 1;
        match action {
            Action::Deliver(who) => {
                world.visible -= 1;
                let fence = world.task.lease.fence;
                world.workers[who] = Worker {
                    at: At::Claiming,
                    has_message: true,
                    owner: format!("{}{fence}", OWNERS[who]),
                    began: world.now,
                    ..Worker::idle()
                };
            }
            Action::Step(who) => self.step(&mut world, who),
            Action::LoseAnswer(who) => {
                spend(&mut world);
                self.step(&mut world, who);
                let nothing_written = world.task == before.task && world.results == before.results;
                if nothing_written && before.workers[who].at != At::Sending {
                    return None;
                }
                world.workers[who] = before.workers[who].clone();
            }
            Action::LoseRequest(who) => {
                spend(&mut world);
                world.workers[who].tried = Some(world.task.lease.fence + 1);
            }
            Action::HandBack(who) => world.workers[who].at = At::Recording,
            Action::Crash(who) => {
                spend(&mut world);
                world.visible += u8::from(world.workers[who].has_message);
                world.workers[who] = Worker::idle();
            }
            Action::LeaseEnds { message_too } => {
                world.now = world.task.lease.until;
                if let Some(who) = world.holder() {
                    spend(&mut world);
                    if message_too && world.workers[who].has_message {
                        world.workers[who].has_message = false;
                        world.visible += 1;
                    }
                }
            }
            Action::DoubleMessage => {
                spend(&mut world);
                world.visible += 1;
            }
            Action::LoseMessage => {
                spend(&mut world);
                world.visible -= 1;
                world.message_lost = true;
            }
            Action::Sweep => world.visible += 1,
            Action::SourceChanges => {
                spend(&mut world);
                world.source = 2;
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(COUNTED_ONCE, |_, world: &World| {
                let mut indexes: Vec<u32> =
                    world.counted().into_iter().map(|(index, _)| index).collect();
                let count = indexes.len();
                indexes.sort_unstable();
                indexes.dedup();
                let whole = !world.has_ended() || count == OBJECTS;
                let is_recorded =
                    world.task.result_fences.iter().all(|fence| world.results.contains_key(fence));
                !world.miscounted
                    && (!is_recorded
                        || indexes.len() == count
                            && world.task.sum.objects() == count as u64
                            && whole)
            }),
            Property::always(RECORDED_FIRST, |_, world: &World| {
                world.task.result_fences.iter().all(|fence| world.results.contains_key(fence))
            }),
            Property::always(RECORDED_IS_THERE, |_, world: &World| {
                let is_there = |(index, version): Copied| world.target[index as usize] == version;
                world.counted().into_iter().all(is_there)
            }),
            Property::always(HAS_A_MESSAGE, |_, world: &World| {
                let held = world.workers.iter().any(|worker| worker.has_message);
                world.has_ended() || held || world.visible > 0 || world.message_lost
            }),
            Property::always(ENDS, |model, world: &World| {
                world.has_ended() || !world.nobody_works() || goes_on(model, world, |_| true)
            }),
            Property::sometimes("the batch ends", |_, world: &World| {
                world.has_ended() && world.nobody_works()
            }),
            Property::sometimes("what one handed back another ends", |_, world: &World| {
                world.has_ended() && world.task.result_fences.len() == OBJECTS
            }),
            Property::sometimes("a late worker is refused", |_, world: &World| {
                world.refused && world.has_ended()
            }),
            Property::sometimes("the changed object is copied", |_, world: &World| {
                world.has_ended() && world.target[0] == 2
            }),
        ]
    }
}

fn world(weakening: Option<Weakening>, faults: u8) -> Batch {
    Batch { weakening, faults }
}

#[test]
fn a_batch_is_counted_once_whoever_crashes_freezes_or_is_doubled() {
    holds("claim", world(None, faults(2)));
}

#[test]
fn a_batch_without_one_of_its_guards_goes_wrong() {
    for (weakening, law) in [
        (Weakening::FenceWithoutOwner, COUNTED_ONCE),
        (Weakening::EffectAfterLease, RECORDED_IS_THERE),
        (Weakening::AcknowledgedFirst, HAS_A_MESSAGE),
        (Weakening::LateWorkerCounts, COUNTED_ONCE),
        (Weakening::UnlistedResultsCount, COUNTED_ONCE),
        (Weakening::CountedBeforeRecorded, RECORDED_FIRST),
    ] {
        breaks(&format!("claim, {weakening:?}"), world(Some(weakening), 2), law);
    }
}
