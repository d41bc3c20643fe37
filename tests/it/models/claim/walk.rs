//! What may happen next, to whom, and what comes of it.

use std::collections::BTreeMap;

use ossferry_core::time::Timestamp;
use stateright::{Model, Property};

use super::laws::{laws, reached};
use super::{Action, At, Batch, Faults, OBJECTS, OWNERS, Seen, Weakening, Worker, World, plan};

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
            in_flight: None,
            seen: Seen::default(),
            miscounted: false,
            died: 0,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for who in 0..world.workers.len() {
            self.actions_of(world, who, actions);
        }
        let may_fail = world.faults_left > 0;
        let may_die = may_fail && self.kinds == Faults::All;
        if world.is_leased() {
            // What was handed back, or let go of, with a pause has no holder.
            let holder = world.holder();
            if holder.is_none() || may_die {
                actions.push(Action::LeaseEnds { message_too: true });
            }
            if holder.is_some_and(|who| world.workers[who].has_message) && may_die {
                actions.push(Action::LeaseEnds { message_too: false });
            }
        }
        if world.in_flight.is_some() {
            actions.push(Action::Lands);
        }
        if may_die && world.visible > 0 {
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
                if before.workers[who].at == At::LettingGo {
                    world.visible = before.visible;
                }
                world.workers[who] = before.workers[who].clone();
            }
            Action::LoseRequest(who) => {
                spend(&mut world);
                world.workers[who].tried = Some(world.task.lease.fence + 1);
            }
            Action::Fail(who) => {
                spend(&mut world);
                world.workers[who].at = At::LettingGo;
            }
            Action::CutOff(who) => {
                spend(&mut world);
                let worker = &mut world.workers[who];
                let (index, until) = (worker.rest[worker.done.len()], worker.lease_until());
                let version = worker.read.take()?;
                (worker.at, worker.in_doubt) = (At::Recording, true);
                world.in_flight = Some(((index, version), until));
            }
            Action::Lands => {
                let ((index, version), _) = world.in_flight.take()?;
                world.target[index as usize] = version;
            }
            Action::HandBack(who) => world.workers[who].at = At::Recording,
            Action::Crash(who) => {
                spend(&mut world);
                world.died += 1;
                world.visible += u8::from(world.workers[who].has_message);
                world.workers[who] = Worker::idle();
            }
            Action::LeaseEnds { message_too } => world.end_lease(message_too),
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
        let mut all = laws();
        all.extend(reached(self.kinds));
        all
    }
}

impl Batch {
    fn actions_of(&self, world: &World, who: usize, actions: &mut Vec<Action>) {
        let worker = &world.workers[who];
        if worker.at == At::Idle {
            // What is leased is put off, and delivered again when the lease has ended.
            if world.visible > 0 && (world.has_ended() || !world.is_leased()) {
                actions.push(Action::Deliver(who));
            }
            return;
        }
        actions.push(Action::Step(who));
        if worker.at == At::Copying && !worker.done.is_empty() && worker.read.is_none() {
            actions.push(Action::HandBack(who));
        }
        if world.faults_left == 0 {
            return;
        }
        if self.kinds == Faults::All {
            actions.push(Action::Crash(who));
        }
        let is_at = |places: &[At]| places.contains(&worker.at);
        if is_at(&[At::Claiming, At::Recording, At::Counting, At::Sending, At::LettingGo]) {
            actions.push(Action::LoseAnswer(who));
        }
        if is_at(&[At::Copying, At::Recording, At::Counting, At::Sending]) {
            actions.push(Action::Fail(who));
        }
        let is_in_time = world.now < worker.lease_until() && world.in_flight.is_none();
        if worker.at == At::Copying && worker.read.is_some() && is_in_time {
            actions.push(Action::CutOff(who));
        }
        if worker.at == At::Claiming && self.is(Weakening::FenceWithoutOwner) {
            actions.push(Action::LoseRequest(who));
        }
    }
}

impl World {
    /// Time passes to the end of the lease, or of the pause after it. Whoever still holds the task sleeps
    /// through that.
    fn end_lease(&mut self, message_too: bool) {
        self.now = self.task.lease.until;
        self.in_flight = self.in_flight.filter(|(_, until)| *until > self.now);
        let Some(who) = self.holder() else { return };
        self.faults_left -= 1;
        self.died += 1;
        if message_too && self.workers[who].has_message {
            self.workers[who].has_message = false;
            self.visible += 1;
        }
    }
}
