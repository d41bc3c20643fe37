//! A large object opened: by a planner that may die anywhere, again after the source changed, until it
//! stands at the target and nothing is left open there. Two planners, one copier, one range.

use ossferry_core::key::Key;
use ossferry_core::meter::Requests;
use ossferry_core::object::{ETag, ObjectHeaders};
use ossferry_core::outcome::Outcome;
use ossferry_core::proof::Grade;
use ossferry_core::sums::Sum;
use ossferry_core::time::Timestamp;
use ossferry_ledger::LEASE_MARGIN;
use ossferry_ledger::lease::{Change, Hold, Taken};
use ossferry_ledger::lists::{Action as Planned, Expected, PlannedObject};
use ossferry_ledger::rows::{
    AbortReason, NextAttempt, Opened, OpeningTurn, PartResult, RangeRow, RangeState, RangeTurn,
    TaskKind, TaskRow, TaskState, UploadDue, UploadRow, UploadState,
};
use stateright::{Model, Property};

use super::{breaks, claimant, faults, holds};

const OWNERS: [&str; 3] = ["p", "q", "c"];
const COPIER: usize = 2;

const NOTHING_OPEN: &str = "no upload is left open at the target";
const ONE_VERSION: &str = "an attempt holds bytes of the version that it pinned, and no other";
const LAST_ENDS: &str = "the last attempt ends the task, once";
const HAS_A_MESSAGE: &str = "work that is left has a message unless the queue lost it";
const ENDS: &str = "where nothing can happen any more the object has ended";

/// A guard that is taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Weakening {
    /// Whoever opens again leaves alone what a lost planner began at the target.
    ReopenedWithoutAborting,
    /// The message of an attempt that was given up is acknowledged, and nobody asks for the next.
    NoSecondStep,
    /// A read is not pinned to the version that the attempt copies.
    ReadNotPinned,
    /// The next attempt does not wait for a request to begin whose answer was lost.
    NoPause,
    /// An opening is named although another planner has taken it.
    LatePlannerOpens,
}

struct Upload {
    weakening: Option<Weakening>,
    faults: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum At {
    Idle,
    /// A planner's steps.
    Turning,
    Taking,
    BeginningGeneration,
    Clearing,
    Pinning,
    Initiating,
    Naming,
    /// Gives up an attempt whose beginning nobody heard of.
    Abandoning,
    PuttingRange,
    SendingRange,
    NotingSent,
    /// The copier's.
    TakingRange,
    Moving,
    Recording,
    Completing,
    PuttingTogether,
    Completed,
    Concluding,
    Aborting(AbortReason),
    GivingUp(AbortReason),
    AskingAgain,
    Acknowledging,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Worker {
    at: At,
    has_message: bool,
    owner: String,
    began: Timestamp,
    generation: usize,
    hold: Option<Hold>,
    /// The version that a planner pins.
    pin: u8,
    upload_id: u8,
}

impl Worker {
    fn idle() -> Self {
        Self {
            at: At::Idle,
            has_message: false,
            owner: String::new(),
            began: Timestamp(0),
            generation: 0,
            hold: None,
            pin: 0,
            upload_id: 0,
        }
    }
}

/// An upload that is open at the target.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct AtTarget {
    id: u8,
    began: Timestamp,
    /// The version that its part holds; 0: none.
    part: u8,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    now: Timestamp,
    faults_left: u8,
    task: TaskRow,
    uploads: Vec<UploadRow>,
    /// Of each attempt, once it was put.
    ranges: Vec<Option<RangeRow>>,
    source: u8,
    at_target: Vec<AtTarget>,
    last_id: u8,
    object: u8,
    /// A request to begin an upload is on its way; its sender has given it up.
    in_flight: bool,
    /// Messages that ask to open, and those of ranges by attempt.
    asked: u8,
    visible: Vec<u8>,
    message_lost: bool,
    workers: [Worker; OWNERS.len()],
    refused: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    DeliverUpload(usize),
    DeliverRange(usize),
    Step(usize),
    LoseAnswer(usize),
    /// A request to begin an upload is given up, and may arrive later or never.
    LoseRequest(usize),
    Lands,
    NeverLands,
    Crash(usize),
    /// The lease of the last attempt ends, or the pause after it; or that of its range.
    TimePasses {
        of_range: bool,
    },
    DoubleMessage,
    LoseMessage,
    Sweep,
    SourceChanges,
}

fn plan() -> TaskRow {
    let object = PlannedObject {
        key: Key::from("k"),
        size: 1,
        etag: None,
        last_modified: None,
        storage_class: None,
        expected: Expected::Absent,
        action: Planned::Copy { forbid_overwrite: false },
    };
    let planner = Hold { owner: "p".to_owned(), fence: 1 };
    let now = Timestamp(0);
    let row = TaskRow::planned(1, &planner, TaskKind::Upload, &[object], String::new(), now);
    row.expect("it has an object")
}

fn version_of(row: &UploadRow) -> Option<u8> {
    (1..=9).find(|version| row.pinned_etag == Some(etag(*version)))
}

fn etag(version: u8) -> ETag {
    ETag::new(&version.to_string())
}

fn id_of(row: &UploadRow) -> Option<u8> {
    row.upload_id.as_ref().and_then(|id| id.parse().ok())
}

impl World {
    fn has_ended(&self) -> bool {
        self.task.state.is_final()
    }

    fn nobody_works(&self) -> bool {
        self.asked == 0
            && self.visible.iter().all(|count| *count == 0)
            && !self.in_flight
            && self.workers.iter().all(|worker| worker.at == At::Idle)
    }

    fn is_late(&self, who: usize) -> bool {
        self.now >= claimant("", self.workers[who].began).lease_until
    }

    fn upload(&self, generation: usize) -> Option<&UploadRow> {
        self.uploads.get(generation - 1)
    }

    fn abort(&mut self, id: Option<u8>) {
        self.at_target.retain(|upload| Some(upload.id) != id);
    }

    fn begin_at_target(&mut self) -> u8 {
        self.last_id += 1;
        self.at_target.push(AtTarget { id: self.last_id, began: self.now, part: 0 });
        self.last_id
    }

    /// Whether the message would only be put off.
    fn open_waits(&self) -> bool {
        let is_open = |state| !matches!(state, UploadState::Opening | UploadState::Aborted);
        self.uploads.last().is_some_and(|row| !is_open(row.state) && row.lease.until > self.now)
    }

    fn range_waits(&self, generation: usize) -> bool {
        let Some(upload) = self.upload(generation) else { return false };
        let range = self.ranges.get(generation - 1).and_then(Option::as_ref);
        let range_is_held = range
            .is_some_and(|range| range.state != RangeState::Done && range.lease.until > self.now);
        match upload.range_turn(false) {
            RangeTurn::Claim => range_is_held,
            RangeTurn::Look => {
                upload.state == UploadState::Completing && upload.lease.until > self.now
            }
            RangeTurn::GivenUp | RangeTurn::Over => false,
        }
    }

    fn holder(&self, owner: Option<&String>) -> Option<usize> {
        let is_holder = |worker: &Worker| worker.at != At::Idle && Some(&worker.owner) == owner;
        self.workers.iter().position(is_holder)
    }

    fn put_off(&mut self, who: usize) {
        let worker = self.workers[who].clone();
        if worker.has_message && who == COPIER {
            self.visible[worker.generation - 1] += 1;
        } else if worker.has_message {
            self.asked += 1;
        }
        self.workers[who] = Worker::idle();
    }

    fn give_way(&mut self, who: usize) {
        self.refused = true;
        self.workers[who].at = At::Acknowledging;
    }
}

impl Upload {
    fn is(&self, weakening: Weakening) -> bool {
        self.weakening == Some(weakening)
    }

    /// `Ledger::take_upload`, and the planner's opening after it.
    fn step_planner(&self, world: &mut World, who: usize) {
        let worker = world.workers[who].clone();
        let attempt = claimant(&worker.owner, worker.began);
        let at = match worker.at {
            At::Turning => {
                if let Change::Write(row, _) = world.task.begin_upload(world.now) {
                    world.task = row;
                }
                let now = attempt.now;
                let next = UploadRow::next_attempt(&world.uploads, |lease| lease.until <= now);
                match next {
                    _ if world.has_ended() => At::Acknowledging,
                    NextAttempt::NotBefore(_) => return world.put_off(who),
                    NextAttempt::Generation(generation) => {
                        world.workers[who].generation =
                            usize::try_from(generation).expect("few attempts");
                        At::Taking
                    }
                }
            }
            At::Taking => {
                let first = UploadRow::opening(worker.generation as u64, &attempt, world.now);
                let stored = world.upload(worker.generation).cloned();
                let taken = match first.open_over(stored.as_ref(), &attempt) {
                    Change::Write(row, taken) => {
                        world.uploads.truncate(worker.generation - 1);
                        world.uploads.push(row);
                        world.ranges.resize(world.uploads.len(), None);
                        world.visible.resize(world.uploads.len(), 0);
                        taken
                    }
                    Change::Keep(taken) => taken,
                };
                let row = &world.uploads[worker.generation - 1];
                match row.opening_turn(&taken) {
                    OpeningTurn::NotBefore(_) => return world.put_off(who),
                    OpeningTurn::Opened if row.state == UploadState::Open => At::PuttingRange,
                    OpeningTurn::Opened => At::Acknowledging,
                    OpeningTurn::Open => {
                        world.workers[who].hold = row.lease.hold();
                        At::BeginningGeneration
                    }
                }
            }
            At::BeginningGeneration => {
                let least = world.uploads[worker.generation - 1].first_result_fence();
                let taken = match world.task.begin_generation(least) {
                    Change::Write(row, taken) => {
                        world.task = row;
                        taken
                    }
                    Change::Keep(taken) => taken,
                };
                if taken == Taken::Over { At::Acknowledging } else { At::Clearing }
            }
            At::Clearing | At::Pinning | At::Initiating => {
                if world.is_late(who) {
                    return world.put_off(who);
                }
                self.prepare(world, who)
            }
            At::Naming => return self.name(world, who),
            At::Abandoning => {
                let due = world.now.plus(LEASE_MARGIN);
                let due = if self.is(Weakening::NoPause) { world.now } else { due };
                let row = &world.uploads[worker.generation - 1];
                match row.aborted(AbortReason::Ended, worker.hold.as_ref(), due) {
                    Ok(Change::Write(row, _)) => world.uploads[worker.generation - 1] = row,
                    Ok(Change::Keep(_)) => {}
                    Err(_) => return world.give_way(who),
                }
                return world.put_off(who);
            }
            At::PuttingRange => {
                let range = &mut world.ranges[worker.generation - 1];
                if range.is_none() {
                    *range = Some(RangeRow::new(0, 1, 1));
                }
                At::SendingRange
            }
            At::SendingRange => {
                world.visible[worker.generation - 1] += 1;
                At::NotingSent
            }
            At::NotingSent => {
                if let Change::Write(row, ()) = world.uploads[worker.generation - 1].sent(1) {
                    world.uploads[worker.generation - 1] = row;
                }
                At::Acknowledging
            }
            _ => At::Idle,
        };
        world.workers[who].at = at;
        if at == At::Idle {
            world.workers[who] = Worker::idle();
        }
    }

    /// What a planner asks of the target and the source before an attempt is open.
    fn prepare(&self, world: &mut World, who: usize) -> At {
        let worker = world.workers[who].clone();
        match worker.at {
            At::Clearing => {
                let (earlier, row) = world.uploads.split_at(worker.generation - 1);
                let known: Vec<Option<u8>> = earlier.iter().map(id_of).collect();
                let since = row[0].begun_since(earlier);
                known.into_iter().for_each(|id| world.abort(id));
                if let Some(since) = since
                    && !self.is(Weakening::ReopenedWithoutAborting)
                {
                    world.at_target.retain(|upload| upload.began < since);
                }
                At::Pinning
            }
            At::Pinning => {
                world.workers[who].pin = world.source;
                At::Initiating
            }
            _ => {
                world.workers[who].upload_id = world.begin_at_target();
                At::Naming
            }
        }
    }

    fn name(&self, world: &mut World, who: usize) {
        let worker = world.workers[who].clone();
        let opened = Opened {
            upload_id: worker.upload_id.to_string(),
            pinned_etag: etag(worker.pin),
            size: 1,
            part_bytes: 1,
            range_parts: 1,
            ranges: 1,
            headers: ObjectHeaders::default(),
            left_behind: None,
            source_crc64_ecma: None,
            source_crc64_nvme: None,
            requests: Requests::default(),
        };
        let row = &world.uploads[worker.generation - 1];
        let Some(mut hold) = worker.hold else { return };
        if self.is(Weakening::LatePlannerOpens) {
            hold = row.lease.hold().unwrap_or(hold);
        }
        match row.opened(&hold, &opened) {
            Ok(change) => {
                if let Change::Write(row, ()) = change {
                    world.uploads[worker.generation - 1] = row;
                }
                world.workers[who].at = At::PuttingRange;
            }
            // Whoever took over has aborted what was begun here.
            Err(_) => world.give_way(who),
        }
    }

    /// `Ledger::take_range`, and the copier's work after it.
    fn step_copier(&self, world: &mut World) {
        let worker = world.workers[COPIER].clone();
        let attempt = claimant(&worker.owner, worker.began);
        let place = worker.generation - 1;
        let asks_target = matches!(worker.at, At::Moving | At::PuttingTogether | At::Aborting(_));
        if asks_target && world.is_late(COPIER) {
            return world.put_off(COPIER);
        }
        let at = match worker.at {
            At::TakingRange => {
                let has_next = world.uploads.len() > worker.generation;
                match world.uploads[place].range_turn(has_next) {
                    RangeTurn::Over => At::Acknowledging,
                    RangeTurn::GivenUp if self.is(Weakening::NoSecondStep) => At::Acknowledging,
                    RangeTurn::GivenUp => At::AskingAgain,
                    RangeTurn::Look => At::Completing,
                    RangeTurn::Claim => {
                        let Some(range) = &mut world.ranges[place] else { return };
                        let taken = match range.claim(&attempt) {
                            Change::Write(row, taken) => {
                                *range = row;
                                taken
                            }
                            Change::Keep(taken) => taken,
                        };
                        match taken {
                            Taken::Leased(_) => return world.put_off(COPIER),
                            Taken::Over => At::Completing,
                            Taken::Mine => {
                                world.workers[COPIER].hold = range.lease.hold();
                                At::Moving
                            }
                        }
                    }
                }
            }
            At::Moving => {
                let row = &world.uploads[place];
                let is_pinned = version_of(row) == Some(world.source);
                let id = id_of(row);
                let upload = world.at_target.iter_mut().find(|upload| Some(upload.id) == id);
                match upload {
                    _ if !is_pinned && !self.is(Weakening::ReadNotPinned) => {
                        At::Aborting(AbortReason::Changed)
                    }
                    None => At::Aborting(AbortReason::Vanished),
                    Some(upload) => {
                        upload.part = world.source;
                        At::Recording
                    }
                }
            }
            At::Recording => {
                let (Some(range), Some(hold)) = (&world.ranges[place], &worker.hold) else {
                    return;
                };
                let (part_number, crc64_nvme) = (1, None);
                let part = PartResult { part_number, etag: etag(1), crc64_ecma: 0, crc64_nvme };
                match range.record(hold, &[part], &Requests::default(), Timestamp(0)) {
                    Ok(change) => {
                        if let Change::Write(row, _) = change {
                            world.ranges[place] = Some(row);
                        }
                        At::Completing
                    }
                    Err(_) => return world.give_way(COPIER),
                }
            }
            At::Completing => {
                let taken = match world.uploads[place].claim_completing(&attempt, world.now) {
                    Change::Write(row, taken) => {
                        world.uploads[place] = row;
                        taken
                    }
                    Change::Keep(taken) => taken,
                };
                match (taken, world.uploads[place].state) {
                    (Taken::Leased(_), _) => return world.put_off(COPIER),
                    (Taken::Over, UploadState::Complete) => At::Concluding,
                    (Taken::Over, UploadState::Aborted) => At::AskingAgain,
                    (Taken::Over, _) => At::Acknowledging,
                    (Taken::Mine, _) => {
                        world.workers[COPIER].hold = world.uploads[place].lease.hold();
                        At::PuttingTogether
                    }
                }
            }
            At::PuttingTogether => {
                let id = id_of(&world.uploads[place]);
                let version = version_of(&world.uploads[place]);
                let found = world.at_target.iter().find(|upload| Some(upload.id) == id);
                match found.map(|upload| upload.part) {
                    Some(part) => {
                        world.object = part;
                        world.abort(id);
                        At::Completed
                    }
                    // What was put together before is found by a look.
                    None if Some(world.object) == version => At::Completed,
                    None => At::GivingUp(AbortReason::Vanished),
                }
            }
            At::Completed => {
                let Some(hold) = &worker.hold else { return };
                match world.uploads[place].completed(hold, 0, &etag(1), Grade::C) {
                    Ok(Change::Write(row, ())) => world.uploads[place] = row,
                    Ok(Change::Keep(())) => {}
                    Err(_) => return world.give_way(COPIER),
                }
                At::Concluding
            }
            At::Concluding => {
                let mut sum = Sum::default();
                sum.count(Outcome::Copied, 1, None);
                let fence = world.uploads[place].result_fence();
                match world.task.finish_upload(fence, &sum, world.now) {
                    Change::Write(row, _) => world.task = row,
                    Change::Keep(true) => {}
                    Change::Keep(false) => return world.give_way(COPIER),
                }
                At::Acknowledging
            }
            At::Aborting(reason) => {
                let id = id_of(&world.uploads[place]);
                world.abort(id);
                // While ranges are at work nobody holds the upload.
                world.workers[COPIER].hold = None;
                At::GivingUp(reason)
            }
            At::GivingUp(reason) => {
                let hold = worker.hold.as_ref();
                match world.uploads[place].aborted(reason, hold, Timestamp(0)) {
                    Ok(Change::Write(row, _)) => world.uploads[place] = row,
                    Ok(Change::Keep(Some(_))) => {}
                    Ok(Change::Keep(None)) => {
                        world.workers[COPIER].at = At::Acknowledging;
                        return;
                    }
                    Err(_) => return world.give_way(COPIER),
                }
                At::AskingAgain
            }
            At::AskingAgain => {
                world.asked += 1;
                At::Acknowledging
            }
            _ => At::Idle,
        };
        world.workers[COPIER].at = at;
        if at == At::Idle {
            world.workers[COPIER] = Worker::idle();
        }
    }

    fn step(&self, world: &mut World, who: usize) {
        if who == COPIER { self.step_copier(world) } else { self.step_planner(world, who) }
    }

    /// `Ledger::sweep` of this task.
    fn sweep(world: &mut World) {
        let now = world.now;
        let Some(last) = world.uploads.last() else {
            world.asked += 1;
            return;
        };
        let ranges: Vec<RangeRow> = world.ranges.last().cloned().flatten().into_iter().collect();
        let due = match world.task.state {
            TaskState::Copying => last.due(&ranges, |lease| lease.until <= now),
            _ => UploadDue::Open,
        };
        let place = world.visible.len() - 1;
        match due {
            UploadDue::Nothing => {}
            UploadDue::Open => world.asked += 1,
            UploadDue::Look => world.visible[place] += 1,
            UploadDue::Ranges(numbers) => {
                world.visible[place] += u8::from(!numbers.is_empty());
            }
        }
    }
}

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
            Action::LoseAnswer(who) => {
                spend(&mut world);
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
            }
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
            Action::TimePasses { of_range } => {
                let lease = if of_range {
                    world.ranges.last()?.as_ref()?.lease.clone()
                } else {
                    world.uploads.last()?.lease.clone()
                };
                world.now = lease.until;
                if let Some(who) = world.holder(lease.owner.as_ref()) {
                    spend(&mut world);
                    let worker = world.workers[who].clone();
                    if worker.has_message && who == COPIER {
                        world.visible[worker.generation - 1] += 1;
                    } else if worker.has_message {
                        world.asked += 1;
                    }
                    world.workers[who].has_message = false;
                }
            }
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
        vec![
            Property::always(NOTHING_OPEN, |_, world: &World| {
                !world.has_ended() || !world.nobody_works() || world.at_target.is_empty()
            }),
            Property::always(ONE_VERSION, |_, world: &World| {
                world.uploads.iter().all(|row| {
                    let id = id_of(row);
                    let held = world.at_target.iter().filter(|upload| Some(upload.id) == id);
                    let is_pinned = |part: u8| part == 0 || Some(part) == version_of(row);
                    held.map(|upload| upload.part).all(is_pinned)
                        && (row.state != UploadState::Complete || is_pinned(world.object))
                })
            }),
            Property::always(LAST_ENDS, |_, world: &World| {
                let ended: Vec<&UploadRow> =
                    world.uploads.iter().filter(|row| row.state == UploadState::Complete).collect();
                let last = world.uploads.last().map(UploadRow::result_fence);
                !world.has_ended()
                    || ended.len() == 1 && world.task.result_fences.as_slice() == last.as_slice()
            }),
            Property::always(HAS_A_MESSAGE, |_, world: &World| {
                let held = world.workers.iter().any(|worker| worker.has_message);
                let sent = world.asked > 0 || world.visible.iter().any(|count| *count > 0);
                world.has_ended() || held || sent || world.message_lost
            }),
            Property::always(ENDS, |model, world: &World| {
                if world.has_ended() || !world.nobody_works() {
                    return true;
                }
                let mut actions = Vec::new();
                model.actions(world, &mut actions);
                actions.into_iter().any(|action| model.next_state(world, action).is_some())
            }),
            Property::sometimes("the object stands at the target", |_, world: &World| {
                world.has_ended() && world.nobody_works() && world.object == 1
            }),
            Property::sometimes("a changed object is taken anew", |_, world: &World| {
                world.has_ended() && world.object == 2 && world.uploads.len() == 2
            }),
            Property::sometimes("an opening is taken over", |_, world: &World| {
                world.has_ended() && world.uploads.len() == 1 && world.last_id == 2
            }),
            Property::sometimes("a late planner is refused", |_, world: &World| {
                world.has_ended() && world.refused
            }),
        ]
    }
}

fn upload(weakening: Option<Weakening>, faults: u8) -> Upload {
    Upload { weakening, faults }
}

#[test]
fn an_object_is_opened_until_it_stands_there_and_nothing_is_left_open() {
    holds("opening", upload(None, faults(2)));
}

#[test]
fn an_opening_without_one_of_its_guards_goes_wrong() {
    for (weakening, law) in [
        (Weakening::ReopenedWithoutAborting, NOTHING_OPEN),
        (Weakening::NoSecondStep, HAS_A_MESSAGE),
        (Weakening::ReadNotPinned, ONE_VERSION),
        (Weakening::NoPause, NOTHING_OPEN),
        (Weakening::LatePlannerOpens, NOTHING_OPEN),
    ] {
        breaks(&format!("opening, {weakening:?}"), upload(Some(weakening), 2), law);
    }
}
