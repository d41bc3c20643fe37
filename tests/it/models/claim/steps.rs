//! What a worker does next.

use ossferry_core::time::Timestamp;
use ossferry_ledger::lease::{Change, Hold, Taken};
use ossferry_ledger::rows::{ListRow, TaskRow, TaskState};

use super::super::claimant;
use super::{At, Batch, Copied, OBJECTS, Weakening, Worker, World, sum};

impl Batch {
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
        let is_late = world.now >= worker.lease_until();
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
            hold = world.hold_of_now(hold);
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
            world.task.hand_back(&hold, &sum, self.due(world, who, Weakening::HandedBackInDoubt))
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

    /// Until when nobody is to take what this worker does not end.
    fn due(&self, world: &World, who: usize, forgets: Weakening) -> Timestamp {
        let worker = &world.workers[who];
        if worker.in_doubt && !self.is(forgets) { worker.lease_until() } else { world.now }
    }

    /// [`TaskRow::let_go`]: the message goes back to the queue, whatever comes of it.
    fn let_go(&self, world: &mut World, who: usize) {
        let due = self.due(world, who, Weakening::LetGoInDoubt);
        let worker = &world.workers[who];
        let Some(mut hold) = worker.hold.clone() else { return };
        if self.is(Weakening::LateWorkerLetsGo) {
            hold = world.hold_of_now(hold);
        }
        world.visible += u8::from(worker.has_message);
        world.workers[who] = Worker::idle();
        match world.task.let_go(&hold, due) {
            Ok(Change::Write(row, ())) => {
                let state =
                    if self.is(Weakening::LetGoAsIfDead) { TaskState::Copying } else { row.state };
                world.task = TaskRow { state, ..row };
                world.seen.let_go = true;
            }
            Ok(Change::Keep(())) => {}
            Err(_) => world.seen.refused = true,
        }
    }

    pub(super) fn step(&self, world: &mut World, who: usize) {
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
            At::LettingGo => self.let_go(world, who),
        }
    }
}

impl Worker {
    fn is_whole(&self) -> bool {
        self.done.len() == self.rest.len()
    }

    /// From then on nothing of its claim is in flight at the target.
    pub(super) fn lease_until(&self) -> Timestamp {
        claimant("", self.began).lease_until
    }
}

impl World {
    fn is_listed(&self, who: usize) -> bool {
        let hold = self.workers[who].hold.as_ref();
        hold.is_some_and(|hold| self.task.result_fences.contains(&hold.fence))
    }

    /// What whoever holds the task now has to show.
    fn hold_of_now(&self, late: Hold) -> Hold {
        let owner = self.task.lease.owner.clone().unwrap_or(late.owner);
        Hold { owner, fence: late.fence.max(self.task.lease.fence) }
    }
}
