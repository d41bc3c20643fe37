//! A large object whose ranges are copied: proved, put together once, and concluded. Two copiers, two
//! ranges, and an application that may write at the target.

use std::collections::BTreeMap;

use ossferry_core::key::Key;
use ossferry_core::meter::Requests;
use ossferry_core::object::{ETag, ObjectHeaders};
use ossferry_core::outcome::Outcome;
use ossferry_core::proof::Grade;
use ossferry_core::sums::Sum;
use ossferry_core::time::Timestamp;
use ossferry_ledger::lease::{Change, Hold, Taken};
use ossferry_ledger::lists::{Action as Planned, Expected, PlannedObject};
use ossferry_ledger::rows::{
    AbortReason, AtTarget, Found, ListRow, Opened, PartResult, RangeRow, RangeState, RangeTurn,
    TaskKind, TaskRow, UploadDue, UploadRow, UploadState,
};
use stateright::{Model, Property};

use super::{breaks, claimant, faults, holds};

const RANGES: usize = 2;
const OWNERS: [&str; 2] = ["a", "b"];

const LANDS_WHOLE: &str = "an upload is put together once and of all its parts";
const COPIED_STANDS: &str = "what is recorded as copied was put together";
const KEPT_STANDS: &str = "what is recorded as kept stands at the target";
const ONLY_HOLDER: &str = "who lost the upload does not end its task otherwise than copied";
const SPARED: &str = "what the application wrote before the look is not written over";
const NOT_IN_VAIN: &str = "what was put together is not taken for lost";
const NOTHING_OPEN: &str = "no upload is left open at the target";
const RESULT_STANDS: &str = "an ended task has one result, which stands";
const HAS_A_MESSAGE: &str = "work that is left has a message unless the queue lost it";
const ENDS: &str = "where nothing can happen any more the object has ended or is taken anew";

/// A guard that is taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Weakening {
    /// An upload that the target does not know is lost, without a look at what stands there.
    CompletionWithoutLook,
    /// What the application wrote counts as kept while a request may still write over it.
    ContestedIsKept,
    /// After T2 nobody looks before the request that puts the upload together.
    NoLookBeforeWriting,
    /// A holder concludes the task before it shows that the upload is still its own.
    LateHolderConcludes,
    /// The first range that is done has the upload put together.
    RangesNotCounted,
    /// The task ends before its result stands.
    CountedBeforeRecorded,
    /// The message is acknowledged when the parts are recorded.
    AcknowledgedFirst,
}

struct LargeObject {
    weakening: Option<Weakening>,
    after_t2: bool,
    faults: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum At {
    Idle,
    Taking,
    Moving,
    Recording,
    /// Looks whether every range is done, and takes the upload.
    Looking,
    Listing,
    /// The look before the request.
    Checking,
    Completing,
    /// The look after a request whose answer was lost.
    Searching {
        is_gone: bool,
    },
    /// Aborts the upload, so that no request can complete it any more.
    Clearing,
    Completed,
    EndOf,
    Concluding,
    Abandoning,
    GivingUp,
    AskingAgain,
    /// The result's row, then the task's.
    Result(Outcome),
    Counting(Outcome),
    Acknowledging,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Copier {
    at: At,
    range: usize,
    has_message: bool,
    owner: String,
    began: Timestamp,
    /// Of the range, then of the upload.
    hold: Option<Hold>,
    result_fence: u64,
}

impl Copier {
    fn idle() -> Self {
        Self {
            at: At::Idle,
            range: 0,
            has_message: false,
            owner: String::new(),
            began: Timestamp(0),
            hold: None,
            result_fence: 0,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Object {
    Nothing,
    Ours,
    /// The application's, and when it wrote it.
    Foreign(Timestamp),
}

/// The target, and what happened there.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Target {
    object: Object,
    is_open: bool,
    /// A request to complete that is still on its way; its sender has given it up.
    in_flight: bool,
    landed: bool,
    landed_half: bool,
    /// Ours was written over what the application had written before the look.
    trespassed: bool,
    /// The application wrote its object between a look and the request that followed it: the window
    /// that a target without conditional writes leaves.
    since_look: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    now: Timestamp,
    faults_left: u8,
    task: TaskRow,
    upload: UploadRow,
    ranges: [RangeRow; RANGES],
    results: BTreeMap<u64, (ListRow, Outcome)>,
    target: Target,
    visible: [u8; RANGES],
    message_lost: bool,
    /// A message asks for the next attempt.
    asked_again: bool,
    copiers: [Copier; OWNERS.len()],
    refused: bool,
    /// A copier that had lost the upload ended its task.
    usurped: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Deliver(usize, usize),
    Step(usize),
    /// The step takes effect, its answer is lost.
    LoseAnswer(usize),
    /// The request to complete is given up, and may arrive later or never.
    LoseRequest(usize),
    Lands,
    NeverLands,
    Crash(usize),
    LeaseEnds {
        of_range: Option<usize>,
    },
    DoubleMessage(usize),
    LoseMessage(usize),
    Sweep,
    ApplicationWrites,
    TargetLosesUpload,
}

fn plan() -> TaskRow {
    let object = PlannedObject {
        key: Key::from("k"),
        size: 2,
        etag: None,
        last_modified: None,
        storage_class: None,
        expected: Expected::Absent,
        action: Planned::Copy { forbid_overwrite: false },
    };
    let planner = Hold { owner: "p".to_owned(), fence: 1 };
    let now = Timestamp(0);
    let row = TaskRow::planned(1, &planner, TaskKind::Upload, &[object], String::new(), now);
    let Change::Write(row, _) = row.expect("it has an object").begin_upload(now) else {
        panic!("it has not begun")
    };
    row
}

fn open(task: &TaskRow) -> (TaskRow, UploadRow) {
    let row = UploadRow::opening(1, &claimant("p", Timestamp(0)), Timestamp(0));
    let Change::Write(task, _) = task.begin_generation(row.first_result_fence()) else {
        panic!("no attempt was made before")
    };
    let opened = Opened {
        upload_id: "u".to_owned(),
        pinned_etag: ETag::new("e"),
        size: RANGES as u64,
        part_bytes: 1,
        range_parts: 1,
        ranges: RANGES as u64,
        headers: ObjectHeaders::default(),
        left_behind: None,
        source_crc64_ecma: None,
        source_crc64_nvme: None,
        requests: Requests::default(),
    };
    let hold = row.lease.hold().expect("it is held");
    let Ok(Change::Write(row, ())) = row.opened(&hold, &opened) else { panic!("it is held") };
    (task, UploadRow { ranges_sent: RANGES as u64, ..row })
}

fn one(outcome: Outcome) -> Sum {
    let mut sum = Sum::default();
    sum.count(outcome, 1, None);
    sum
}

impl Target {
    /// A request to complete arrives. Answers whether it found its upload.
    fn complete(&mut self, is_whole: bool) -> bool {
        if !self.is_open {
            return false;
        }
        if matches!(self.object, Object::Foreign(_)) && !self.since_look {
            self.trespassed = true;
        }
        self.is_open = false;
        self.landed_half |= !is_whole || self.landed;
        self.landed = true;
        self.object = Object::Ours;
        true
    }
}

impl World {
    fn has_ended(&self) -> bool {
        self.task.state.is_final() || self.asked_again
    }

    fn outcome(&self) -> Option<Outcome> {
        let is_final = self.task.state.is_final();
        [Outcome::Copied, Outcome::Kept]
            .into_iter()
            .find(|outcome| is_final && self.task.sum.of(*outcome) == 1)
    }

    fn all_done(&self) -> bool {
        self.upload.done_through(&self.ranges) == self.upload.ranges
    }

    fn nobody_works(&self) -> bool {
        self.visible == [0; RANGES]
            && !self.target.in_flight
            && self.copiers.iter().all(|copier| copier.at == At::Idle)
    }

    fn is_late(&self, who: usize) -> bool {
        self.now >= claimant("", self.copiers[who].began).lease_until
    }

    /// Whether a message of this range would only be put off.
    fn waits(&self, range: usize) -> bool {
        let upload_is_held = self.upload.lease.until > self.now;
        match self.upload.range_turn(false) {
            RangeTurn::Claim if self.ranges[range].state != RangeState::Done => {
                self.ranges[range].lease.until > self.now
            }
            RangeTurn::Claim | RangeTurn::Look => upload_is_held,
            RangeTurn::GivenUp | RangeTurn::Over => false,
        }
    }

    fn holder(&self, owner: Option<&String>) -> Option<usize> {
        let is_holder = |copier: &Copier| copier.at != At::Idle && Some(&copier.owner) == owner;
        self.copiers.iter().position(is_holder)
    }

    /// The message is delivered again later: `Handled::Later`.
    fn put_off(&mut self, who: usize) {
        let copier = &self.copiers[who];
        self.visible[copier.range] += u8::from(copier.has_message);
        self.copiers[who] = Copier::idle();
    }

    fn give_way(&mut self, who: usize) {
        self.refused = true;
        self.copiers[who].at = At::Acknowledging;
    }
}

impl LargeObject {
    fn is(&self, weakening: Weakening) -> bool {
        self.weakening == Some(weakening)
    }

    /// `Ledger::take_range`.
    fn take(world: &mut World, who: usize) {
        let copier = &mut world.copiers[who];
        let attempt = claimant(&copier.owner, copier.began);
        copier.at = match world.upload.range_turn(false) {
            RangeTurn::Over => At::Acknowledging,
            RangeTurn::GivenUp => At::AskingAgain,
            RangeTurn::Look => At::Looking,
            RangeTurn::Claim => {
                let range = &mut world.ranges[copier.range];
                let taken = match range.claim(&attempt) {
                    Change::Write(row, taken) => {
                        *range = row;
                        taken
                    }
                    Change::Keep(taken) => taken,
                };
                match taken {
                    Taken::Mine => {
                        copier.hold = range.lease.hold();
                        At::Moving
                    }
                    Taken::Over => At::Looking,
                    Taken::Leased(_) => return world.put_off(who),
                }
            }
        };
    }

    fn record(&self, world: &mut World, who: usize) {
        let copier = &mut world.copiers[who];
        let Some(hold) = &copier.hold else { return };
        let range = &mut world.ranges[copier.range];
        let part = PartResult {
            part_number: range.first_part,
            etag: ETag::new("e"),
            crc64_ecma: 0,
            crc64_nvme: None,
        };
        match range.record(hold, &[part], &Requests::default(), Timestamp(0)) {
            Ok(change) => {
                if let Change::Write(row, _) = change {
                    *range = row;
                }
                copier.at = At::Looking;
                if self.is(Weakening::AcknowledgedFirst) {
                    copier.has_message = false;
                }
            }
            Err(_) => world.give_way(who),
        }
    }

    /// The copier's `finish_upload`, up to the claim.
    fn look(&self, world: &mut World, who: usize) {
        let all_done = world.all_done() || self.is(Weakening::RangesNotCounted);
        let copier = &mut world.copiers[who];
        match world.upload.state {
            UploadState::Open if !all_done => copier.at = At::Acknowledging,
            UploadState::Open | UploadState::Completing => {
                let attempt = claimant(&copier.owner, copier.began);
                let taken = match world.upload.claim_completing(&attempt, world.now) {
                    Change::Write(row, taken) => {
                        world.upload = row;
                        taken
                    }
                    Change::Keep(taken) => taken,
                };
                match taken {
                    Taken::Leased(_) => return world.put_off(who),
                    Taken::Over => copier.at = At::EndOf,
                    Taken::Mine => {
                        copier.hold = world.upload.lease.hold();
                        copier.result_fence = world.upload.result_fence();
                        copier.at = if all_done { At::Listing } else { At::GivingUp };
                    }
                }
            }
            _ => copier.at = At::EndOf,
        }
    }

    /// A request to the target, whose deadline comes before the lease's end.
    fn ask_target(&self, world: &mut World, who: usize) {
        if world.is_late(who) {
            return world.put_off(who);
        }
        let is_whole = world.all_done();
        let at_target = match world.target.object {
            Object::Nothing => AtTarget::Nothing,
            Object::Ours => AtTarget::Ours,
            Object::Foreign(written) => AtTarget::Another(Some(written)),
        };
        let copier = &mut world.copiers[who];
        copier.at = match copier.at {
            At::Moving if world.task.state.is_final() => At::Acknowledging,
            At::Moving if world.target.is_open => At::Recording,
            At::Moving => match world.upload.state {
                UploadState::Completing | UploadState::Complete => At::Looking,
                _ => {
                    copier.hold = None;
                    At::GivingUp
                }
            },
            At::Listing if !world.target.is_open => At::Searching { is_gone: true },
            At::Listing => At::Checking,
            At::Checking if !self.after_t2 => At::Completing,
            At::Checking if self.is(Weakening::NoLookBeforeWriting) => At::Completing,
            At::Checking => match at_target {
                AtTarget::Nothing => At::Completing,
                AtTarget::Ours => At::Completed,
                AtTarget::Another(_) => At::Concluding,
            },
            At::Completing if world.target.complete(is_whole) => At::Completed,
            At::Completing => At::Searching { is_gone: true },
            At::Searching { is_gone: true } if self.is(Weakening::CompletionWithoutLook) => {
                At::GivingUp
            }
            At::Searching { is_gone } => {
                let target_now = copier.began;
                match world.upload.after_lost_answer(at_target, is_gone, target_now) {
                    Found::Completed => {
                        world.target.is_open = false;
                        At::Completed
                    }
                    Found::Overtaken => At::Concluding,
                    Found::Contested if self.is(Weakening::ContestedIsKept) => At::Concluding,
                    Found::Contested => At::Clearing,
                    Found::Vanished => At::GivingUp,
                    Found::Unclear => return world.put_off(who),
                }
            }
            At::Clearing => {
                world.target.is_open = false;
                At::Searching { is_gone: true }
            }
            At::Concluding => {
                world.target.is_open = false;
                match self.is(Weakening::LateHolderConcludes) {
                    true => At::Result(Outcome::Kept),
                    false => At::Abandoning,
                }
            }
            at => at,
        };
    }

    /// The row of the upload, as its holder writes it.
    fn write_upload(&self, world: &mut World, who: usize) {
        let copier = &mut world.copiers[who];
        let hold = copier.hold.clone();
        let (reason, next) = match copier.at {
            At::Completed => {
                let Some(hold) = hold else { return };
                match world.upload.completed(&hold, 0, &ETag::new("t"), Grade::C) {
                    Ok(change) => {
                        if let Change::Write(row, ()) = change {
                            world.upload = row;
                        }
                        copier.at = At::EndOf;
                    }
                    Err(_) => world.give_way(who),
                }
                return;
            }
            At::Abandoning if self.is(Weakening::LateHolderConcludes) => {
                (AbortReason::Ended, At::Acknowledging)
            }
            At::Abandoning => (AbortReason::Ended, At::Result(Outcome::Kept)),
            _ => (AbortReason::Vanished, At::AskingAgain),
        };
        match world.upload.aborted(reason, hold.as_ref(), Timestamp(0)) {
            Ok(change) => {
                if let Change::Write(row, _) = change {
                    world.upload = row;
                }
                let is_own = hold.is_none_or(|hold| hold.fence == world.upload.lease.fence);
                world.copiers[who].at = if is_own { next } else { At::AskingAgain };
            }
            Err(_) => world.give_way(who),
        }
    }

    /// `Ledger::conclude_upload`.
    fn conclude(&self, world: &mut World, who: usize) {
        let copier = &mut world.copiers[who];
        let (at, fence) = (copier.at, copier.result_fence);
        let counts_first = self.is(Weakening::CountedBeforeRecorded);
        match at {
            At::Result(outcome) if !counts_first || world.task.state.is_final() => {
                let row = ListRow { fence, entries: 1 };
                let stored = world.results.get(&fence).map(|(row, _)| row);
                match row.put_over(stored) {
                    Ok(_) => {
                        world.results.insert(fence, (row, outcome));
                        copier.at =
                            if counts_first { At::Acknowledging } else { At::Counting(outcome) };
                    }
                    Err(_) => world.give_way(who),
                }
            }
            At::Result(outcome) | At::Counting(outcome) => {
                match world.task.finish_upload(fence, &one(outcome), world.now) {
                    Change::Keep(false) => world.give_way(who),
                    Change::Write(row, _) => {
                        let fence = copier.hold.as_ref().map(|hold| hold.fence);
                        let is_holder = fence == Some(world.upload.lease.fence);
                        world.usurped |= outcome == Outcome::Kept && !is_holder;
                        world.task = row;
                        copier.at = self.after_counting(outcome);
                    }
                    Change::Keep(true) => copier.at = self.after_counting(outcome),
                }
            }
            _ => {}
        }
    }

    fn after_counting(&self, outcome: Outcome) -> At {
        match outcome {
            _ if self.is(Weakening::CountedBeforeRecorded) => At::Result(outcome),
            Outcome::Kept if self.is(Weakening::LateHolderConcludes) => At::Abandoning,
            _ => At::Acknowledging,
        }
    }

    fn step(&self, world: &mut World, who: usize) {
        match world.copiers[who].at {
            At::Idle => {}
            At::Taking => Self::take(world, who),
            At::Recording => self.record(world, who),
            At::Looking => self.look(world, who),
            At::Moving
            | At::Listing
            | At::Checking
            | At::Completing
            | At::Searching { .. }
            | At::Clearing
            | At::Concluding => self.ask_target(world, who),
            At::GivingUp => {
                if world.is_late(who) {
                    return world.put_off(who);
                }
                world.target.is_open = false;
                self.write_upload(world, who);
            }
            At::Completed | At::Abandoning => self.write_upload(world, who),
            At::EndOf => {
                let copier = &mut world.copiers[who];
                copier.result_fence = world.upload.result_fence();
                copier.at = match world.upload.state {
                    UploadState::Complete => At::Result(Outcome::Copied),
                    UploadState::Aborted => At::AskingAgain,
                    _ => At::Acknowledging,
                };
            }
            At::AskingAgain => {
                world.asked_again |= !world.task.state.is_final();
                world.copiers[who].at = At::Acknowledging;
            }
            At::Result(_) | At::Counting(_) => self.conclude(world, who),
            At::Acknowledging => world.copiers[who] = Copier::idle(),
        }
    }
}

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
            Action::LoseAnswer(who) => {
                spend(&mut world);
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
            }
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
            Action::LeaseEnds { of_range } => {
                let lease = match of_range {
                    Some(range) => world.ranges[range].lease.clone(),
                    None => world.upload.lease.clone(),
                };
                world.now = lease.until;
                if let Some(who) = world.holder(lease.owner.as_ref()) {
                    spend(&mut world);
                    let copier = &mut world.copiers[who];
                    world.visible[copier.range] += u8::from(copier.has_message);
                    copier.has_message = false;
                }
            }
            Action::DoubleMessage(range) => {
                spend(&mut world);
                world.visible[range] += 1;
            }
            Action::LoseMessage(range) => {
                spend(&mut world);
                world.visible[range] -= 1;
                world.message_lost = true;
            }
            Action::Sweep => {
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
            }
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
        vec![
            Property::always(LANDS_WHOLE, |_, world: &World| !world.target.landed_half),
            Property::always(COPIED_STANDS, |_, world: &World| {
                world.outcome() != Some(Outcome::Copied) || world.target.landed
            }),
            Property::always(KEPT_STANDS, |_, world: &World| {
                world.outcome() != Some(Outcome::Kept)
                    || matches!(world.target.object, Object::Foreign(_))
            }),
            Property::always(ONLY_HOLDER, |_, world: &World| !world.usurped),
            Property::always(SPARED, |model, world: &World| {
                !model.after_t2 || !world.target.trespassed
            }),
            Property::always(NOT_IN_VAIN, |_, world: &World| {
                world.upload.abort_reason != Some(AbortReason::Vanished) || !world.target.landed
            }),
            Property::always(NOTHING_OPEN, |_, world: &World| {
                !world.nobody_works() || !world.has_ended() || !world.target.is_open
            }),
            Property::always(RESULT_STANDS, |_, world: &World| {
                !world.task.state.is_final() || {
                    let fences = &world.task.result_fences;
                    fences.len() == 1
                        && fences.iter().all(|fence| {
                            let result = world.results.get(fence).map(|(_, outcome)| *outcome);
                            result.is_some() && result == world.outcome()
                        })
                }
            }),
            Property::always(HAS_A_MESSAGE, |_, world: &World| {
                let held = world.copiers.iter().any(|copier| copier.has_message);
                world.has_ended() || held || world.visible != [0; RANGES] || world.message_lost
            }),
            Property::always(ENDS, |model, world: &World| {
                if world.has_ended() || !world.nobody_works() {
                    return true;
                }
                let mut actions = Vec::new();
                model.actions(world, &mut actions);
                actions.retain(|action| *action != Action::ApplicationWrites);
                actions.into_iter().any(|action| model.next_state(world, action).is_some())
            }),
            Property::sometimes("the object is copied", |_, world: &World| {
                world.outcome() == Some(Outcome::Copied) && world.nobody_works()
            }),
            Property::sometimes("the application's object is kept", |_, world: &World| {
                world.outcome() == Some(Outcome::Kept)
            }),
            Property::sometimes("another goes on where the first stopped", |_, world: &World| {
                world.outcome() == Some(Outcome::Copied) && world.upload.lease.fence > 2
            }),
            Property::sometimes("a late copier is refused", |_, world: &World| world.refused),
            Property::sometimes("a lost upload is taken anew", |_, world: &World| {
                world.asked_again && world.nobody_works()
            }),
        ]
    }
}

fn world(weakening: Option<Weakening>, after_t2: bool, faults: u8) -> LargeObject {
    LargeObject { weakening, after_t2, faults }
}

#[test]
fn an_upload_is_put_together_once_and_said_to_be_what_it_is() {
    holds("completion before T2", world(None, false, faults(1)));
    holds("completion after T2", world(None, true, faults(1)));
}

#[test]
fn a_completion_without_one_of_its_guards_goes_wrong() {
    for (weakening, after_t2, faults, law) in [
        (Weakening::CompletionWithoutLook, false, 1, NOT_IN_VAIN),
        (Weakening::ContestedIsKept, false, 1, KEPT_STANDS),
        (Weakening::NoLookBeforeWriting, true, 0, SPARED),
        (Weakening::LateHolderConcludes, false, 2, ONLY_HOLDER),
        (Weakening::RangesNotCounted, false, 0, LANDS_WHOLE),
        (Weakening::CountedBeforeRecorded, false, 1, RESULT_STANDS),
        (Weakening::AcknowledgedFirst, false, 1, HAS_A_MESSAGE),
    ] {
        let name = format!("completion, {weakening:?}");
        breaks(&name, world(Some(weakening), after_t2, faults), law);
    }
}
