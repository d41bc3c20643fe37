//! A large object whose ranges are copied: proved, put together once, and concluded. Two copiers, two
//! ranges, and an application that may write at the target.

mod laws;
mod steps;
mod walk;

use std::collections::BTreeMap;

use ossferry_core::fidelity::Departures;
use ossferry_core::key::Key;
use ossferry_core::meter::Requests;
use ossferry_core::object::{ETag, ObjectHeaders};
use ossferry_core::outcome::Outcome;
use ossferry_core::sums::Sum;
use ossferry_core::time::Timestamp;
use ossferry_ledger::lease::{Change, Hold};
use ossferry_ledger::rows::{
    ListRow, Opened, RangeRow, RangeState, RangeTurn, TaskKind, TaskRow, UploadRow,
};

use super::{breaks, claimant, faults, holds, planned};

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
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that happened")]
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
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that happened")]
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
    let object = planned(&Key::from("k"), 2);
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
        departures: Departures::default(),
        acl: None,
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
