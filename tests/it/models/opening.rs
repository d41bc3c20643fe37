//! A large object opened: by a planner that may die anywhere, again after the source changed, until it
//! stands at the target and nothing is left open there. Two planners, one copier, one range.

mod copier;
mod laws;
mod planner;
mod walk;

use ossferry_core::key::Key;
use ossferry_core::object::ETag;
use ossferry_core::time::Timestamp;
use ossferry_ledger::lease::Hold;
use ossferry_ledger::rows::{
    AbortReason, RangeRow, RangeState, RangeTurn, TaskKind, TaskRow, TaskState, UploadDue,
    UploadRow, UploadState,
};

use super::{breaks, claimant, faults, holds, planned};

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
    let object = planned(&Key::from("k"), 1);
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
