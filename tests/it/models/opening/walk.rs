//! What may happen next, to whom, and what comes of it.

use ossferry_core::time::Timestamp;
use stateright::{Model, Property};

use super::laws::{laws, reached};
use super::{Action, At, COPIER, OWNERS, Upload, Worker, World, plan};

impl Model for Upload {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            now: Timestamp(0),
            faults_left: self.faults,
            task: plan(),
            uploads: Vec::new(),
            ranges: Vec::new(),
            source: 1,
            at_target: Vec::new(),
            last_id: 0,
            object: 0,
            in_flight: false,
            asked: 1,
            visible: Vec::new(),
            message_lost: false,
            workers: [Worker::idle(), Worker::idle(), Worker::idle()],
            refused: false,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let may_fail = world.faults_left > 0;
        let idle = (0..COPIER).find(|who| world.workers[*who].at == At::Idle);
        if let (Some(who), false) = (idle, world.asked == 0 || world.open_waits()) {
            actions.push(Action::DeliverUpload(who));
        }
        for generation in 1..=world.visible.len() {
            let is_due = world.visible[generation - 1] > 0 && !world.range_waits(generation);
            if is_due && world.workers[COPIER].at == At::Idle {
                actions.push(Action::DeliverRange(generation));
            }
        }
        for (who, worker) in world.workers.iter().enumerate() {
            if worker.at == At::Idle {
                continue;
            }
            actions.push(Action::Step(who));
            if may_fail {
                actions.push(Action::Crash(who));
                // The answer to that request is the subject of the model of completion.
                if worker.at != At::PuttingTogether {
                    actions.push(Action::LoseAnswer(who));
                }
                if worker.at == At::Initiating && !world.is_late(who) && !world.in_flight {
                    actions.push(Action::LoseRequest(who));
                }
            }
        }
        if world.in_flight {
            actions.extend([Action::Lands, Action::NeverLands]);
        }
        let range = world.ranges.last().and_then(Option::as_ref);
        let leases = [
            (false, world.uploads.last().map(|row| &row.lease)),
            (true, range.map(|row| &row.lease)),
        ];
        for (of_range, lease) in leases {
            let Some(lease) = lease.filter(|lease| lease.until > world.now) else { continue };
            // What was sent before the deadline has arrived by then, or never will.
            let sleeps = world.holder(lease.owner.as_ref()).is_some();
            if !world.in_flight && (!sleeps || may_fail) {
                actions.push(Action::TimePasses { of_range });
            }
        }
        if may_fail && world.asked > 0 {
            actions.extend([Action::DoubleMessage, Action::LoseMessage]);
        }
        if may_fail && world.source == 1 {
            actions.push(Action::SourceChanges);
        }
        let is_leased =
            leases.iter().any(|(_, lease)| lease.is_some_and(|it| it.until > world.now));
        if world.nobody_works() && !world.has_ended() && !is_leased {
            actions.push(Action::Sweep);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        let spend = |world: &mut World| world.faults_left = world.faults_left.saturating_sub(1);
        match action {
            Action::DeliverUpload(who) => {
                world.asked -= 1;
                let last = world.uploads.last();
                let of = last.map_or((0, 0), |row| (row.generation, row.lease.fence));
                world.workers[who] = Worker {
                    at: At::Turning,
                    has_message: true,
                    owner: format!("{}{}-{}", OWNERS[who], of.0, of.1),
                    began: world.now,
                    ..Worker::idle()
                };
            }
            Action::DeliverRange(generation) => {
                world.visible[generation - 1] -= 1;
                let range = world.ranges[generation - 1].as_ref().map_or(0, |row| row.lease.fence);
                let upload = world.uploads[generation - 1].lease.fence;
                world.workers[COPIER] = Worker {
                    at: At::TakingRange,
                    has_message: true,
                    owner: format!("{}{generation}-{range}-{upload}", OWNERS[COPIER]),
                    began: world.now,
                    generation,
                    ..Worker::idle()
                };
            }
            Action::Step(who) => self.step(&mut world, who),
            Action::LoseAnswer(who) => return self.lose_answer(before, who),
            Action::LoseRequest(who) => {
                spend(&mut world);
                world.in_flight = true;
                world.workers[who].at = At::Abandoning;
            }
            Action::Lands => {
                world.in_flight = false;
                world.begin_at_target();
            }
            Action::NeverLands => world.in_flight = false,
            Action::Crash(who) => {
                spend(&mut world);
                world.put_off(who);
            }
            Action::TimePasses { of_range } => pass_time(&mut world, of_range)?,
            Action::DoubleMessage => {
                spend(&mut world);
                world.asked += 1;
            }
            Action::LoseMessage => {
                spend(&mut world);
                world.asked -= 1;
                world.message_lost = true;
            }
            Action::Sweep => Self::sweep(&mut world),
            Action::SourceChanges => {
                spend(&mut world);
                world.source = 2;
            }
        }
        (world != *before).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        laws().into_iter().chain(reached()).collect()
    }
}

impl Upload {
    /// The step takes effect, and its worker does not know.
    fn lose_answer(&self, before: &World, who: usize) -> Option<World> {
        let mut world = before.clone();
        world.faults_left -= 1;
        let was = before.workers[who].clone();
        self.step(&mut world, who);
        let is_same = world.task == before.task
            && world.uploads == before.uploads
            && world.ranges == before.ranges
            && world.at_target == before.at_target
            && world.visible == before.visible;
        if is_same || was.at == At::Abandoning {
            return None;
        }
        let begun = was.at == At::Initiating;
        world.workers[who] = was;
        if begun {
            world.workers[who].at = At::Abandoning;
        }
        Some(world)
    }
}

fn pass_time(world: &mut World, of_range: bool) -> Option<()> {
    let lease = if of_range {
        world.ranges.last()?.as_ref()?.lease.clone()
    } else {
        world.uploads.last()?.lease.clone()
    };
    world.now = lease.until;
    if let Some(who) = world.holder(lease.owner.as_ref()) {
        world.faults_left = world.faults_left.saturating_sub(1);
        let worker = world.workers[who].clone();
        if worker.has_message && who == COPIER {
            world.visible[worker.generation - 1] += 1;
        } else if worker.has_message {
            world.asked += 1;
        }
        world.workers[who].has_message = false;
    }
    Some(())
}
