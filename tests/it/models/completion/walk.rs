//! What may happen next, to whom, and what comes of it.

use std::collections::BTreeMap;

use ossferry_core::time::Timestamp;
use ossferry_ledger::rows::{RangeRow, UploadDue};
use stateright::{Model, Property};

use super::laws::{laws, reached};
use super::{Action, At, Copier, LargeObject, OWNERS, Object, RANGES, Target, World, open, plan};

impl Model for LargeObject {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let (task, upload) = open(&plan());
        vec![World {
            now: Timestamp(0),
            faults_left: self.faults,
            task,
            upload,
            ranges: [RangeRow::new(0, 1, 1), RangeRow::new(1, 2, 1)],
            results: BTreeMap::new(),
            target: Target {
                object: Object::Nothing,
                is_open: true,
                in_flight: false,
                landed: false,
                landed_half: false,
                trespassed: false,
                since_look: false,
            },
            visible: [1; RANGES],
            message_lost: false,
            asked_again: false,
            copiers: [Copier::idle(), Copier::idle()],
            refused: false,
            usurped: false,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let may_fail = world.faults_left > 0;
        let idle = world.copiers.iter().position(|copier| copier.at == At::Idle);
        for range in 0..RANGES {
            if world.visible[range] == 0 {
                continue;
            }
            if let (Some(who), false) = (idle, world.waits(range)) {
                actions.push(Action::Deliver(who, range));
            }
            if may_fail {
                actions.extend([Action::DoubleMessage(range), Action::LoseMessage(range)]);
            }
        }
        for (who, copier) in world.copiers.iter().enumerate() {
            if copier.at == At::Idle {
                continue;
            }
            actions.push(Action::Step(who));
            if may_fail {
                actions.extend([Action::Crash(who), Action::LoseAnswer(who)]);
                if copier.at == At::Completing && !world.is_late(who) && !world.target.in_flight {
                    actions.push(Action::LoseRequest(who));
                }
            }
        }
        if world.target.in_flight {
            actions.extend([Action::Lands, Action::NeverLands]);
        }
        let leases = world.ranges.iter().map(|range| &range.lease).enumerate();
        let leases = leases.map(|(range, lease)| (Some(range), lease));
        for (of_range, lease) in leases.chain([(None, &world.upload.lease)]) {
            // What was sent before the deadline has arrived by then, or never will.
            if lease.owner.is_none() || lease.until <= world.now || world.target.in_flight {
                continue;
            }
            if world.holder(lease.owner.as_ref()).is_none() || may_fail {
                actions.push(Action::LeaseEnds { of_range });
            }
        }
        if !matches!(world.target.object, Object::Foreign(_)) {
            actions.push(Action::ApplicationWrites);
        }
        if may_fail && world.target.is_open {
            actions.push(Action::TargetLosesUpload);
        }
        let is_leased = world.upload.lease.until > world.now
            || world.ranges.iter().any(|range| range.lease.until > world.now);
        if world.nobody_works() && !world.has_ended() && !is_leased {
            actions.push(Action::Sweep);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        let spend = |world: &mut World| world.faults_left = world.faults_left.saturating_sub(1);
        match action {
            Action::Deliver(who, range) => {
                world.visible[range] -= 1;
                let fences = (world.ranges[range].lease.fence, world.upload.lease.fence);
                world.copiers[who] = Copier {
                    at: At::Taking,
                    range,
                    has_message: true,
                    owner: format!("{}{range}-{}-{}", OWNERS[who], fences.0, fences.1),
                    began: world.now,
                    ..Copier::idle()
                };
            }
            Action::Step(who) => self.step(&mut world, who),
            Action::LoseAnswer(who) => return self.lose_answer(before, who),
            Action::LoseRequest(who) => {
                spend(&mut world);
                world.target.in_flight = true;
                world.copiers[who].at = At::Searching { is_gone: false };
            }
            Action::Lands => {
                let is_whole = world.all_done();
                world.target.in_flight = false;
                world.target.complete(is_whole);
            }
            Action::NeverLands => world.target.in_flight = false,
            Action::Crash(who) => {
                spend(&mut world);
                world.put_off(who);
            }
            Action::LeaseEnds { of_range } => end_lease(&mut world, of_range),
            Action::DoubleMessage(range) => {
                spend(&mut world);
                world.visible[range] += 1;
            }
            Action::LoseMessage(range) => {
                spend(&mut world);
                world.visible[range] -= 1;
                world.message_lost = true;
            }
            Action::Sweep => sweep(&mut world)?,
            Action::ApplicationWrites => {
                let looked = world.copiers.iter().any(|copier| copier.at == At::Completing);
                world.target.since_look = looked || world.target.in_flight;
                world.target.object = Object::Foreign(world.now);
            }
            Action::TargetLosesUpload => {
                spend(&mut world);
                world.target.is_open = false;
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        laws().into_iter().chain(reached()).collect()
    }
}

impl LargeObject {
    /// The step takes effect, and its worker does not know.
    fn lose_answer(&self, before: &World, who: usize) -> Option<World> {
        let mut world = before.clone();
        world.faults_left -= 1;
        let was = before.copiers[who].clone();
        self.step(&mut world, who);
        let is_same = world.task == before.task
            && world.upload == before.upload
            && world.ranges == before.ranges
            && world.results == before.results
            && world.target == before.target;
        if is_same {
            return None;
        }
        let completed = was.at == At::Completing;
        world.copiers[who] = was;
        if completed {
            world.copiers[who].at = At::Searching { is_gone: false };
        }
        Some(world)
    }
}

fn end_lease(world: &mut World, of_range: Option<usize>) {
    let lease = match of_range {
        Some(range) => world.ranges[range].lease.clone(),
        None => world.upload.lease.clone(),
    };
    world.now = lease.until;
    if let Some(who) = world.holder(lease.owner.as_ref()) {
        world.faults_left = world.faults_left.saturating_sub(1);
        let copier = &mut world.copiers[who];
        world.visible[copier.range] += u8::from(copier.has_message);
        copier.has_message = false;
    }
}

/// `Ledger::sweep` of this upload; `None` where nothing is due.
fn sweep(world: &mut World) -> Option<()> {
    let now = world.now;
    match world.upload.due(&world.ranges, |lease| lease.until <= now) {
        UploadDue::Nothing => return None,
        UploadDue::Open => world.asked_again = true,
        UploadDue::Look => world.visible[0] += 1,
        UploadDue::Ranges(numbers) => {
            for number in numbers {
                world.visible[usize::try_from(number).ok()?] += 1;
            }
        }
    }
    Some(())
}
