//! A batch: claimed, copied, recorded, counted, acknowledged, or let go of after an error. Two copiers,
//! two objects.

mod laws;
mod steps;
mod walk;

use std::collections::BTreeMap;

use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use ossferry_core::sums::Sum;
use ossferry_core::time::Timestamp;
use ossferry_ledger::lease::{Hold, LeaseLost};
use ossferry_ledger::lists::{ObjectResult, PlannedObject};
use ossferry_ledger::rows::{ListRow, TaskKind, TaskRow};
use ossferry_ledger::sum_of;

use super::{breaks, faults, holds, planned};

const OBJECTS: usize = 2;
const OWNERS: [&str; 2] = ["a", "b"];

const COUNTED_ONCE: &str = "each object is counted once";
const RECORDED_FIRST: &str = "what counts stands in a result row";
const RECORDED_IS_THERE: &str = "what counts is what stands at the target";
const HAS_A_MESSAGE: &str = "work that is left has a message unless the queue lost it";
const HOLDS_WHAT_IT_COPIES: &str = "whoever copies before its lease has ended holds the batch";
const THE_LIVING_DO_NOT_DIE: &str = "whoever lives is not taken for dead";
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
    /// What is handed back may be taken at once, though a PUT of it may still take effect.
    HandedBackInDoubt,
    /// So may what is let go of.
    LetGoInDoubt,
    /// A worker that lost its lease lets go of what another holds.
    LateWorkerLetsGo,
    /// What was let go of looks as if its worker had died.
    LetGoAsIfDead,
}

struct Batch {
    weakening: Option<Weakening>,
    kinds: Faults,
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
    /// It met an error, and lives.
    LettingGo,
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
    /// A PUT of this claim was cut off, and may take effect until its lease ends.
    in_doubt: bool,
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
            in_doubt: false,
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
    /// A PUT that nobody waits for any more, and when it has taken effect or never will.
    in_flight: Option<(Copied, Timestamp)>,
    /// Messages that the queue may deliver.
    visible: u8,
    message_lost: bool,
    workers: [Worker; OWNERS.len()],
    seen: Seen,
    /// A sum would not have fitted the task.
    miscounted: bool,
    /// Workers that crashed, or slept through the end of their lease.
    died: u8,
}

/// What has happened on the way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Seen {
    /// A worker that had lost its lease was told so.
    refused: bool,
    /// A worker let go of what it held.
    let_go: bool,
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
    /// Its next step ends in an error that it survives.
    Fail(usize),
    /// The PUT is cut off when its body has been sent, and the rest goes back.
    CutOff(usize),
    /// A PUT that was cut off takes effect.
    Lands,
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

/// Faults that a world knows of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Faults {
    All,
    /// Errors that workers survive, and a source that changes: nobody crashes or sleeps.
    Survived,
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
        self.seen.refused = true;
        self.workers[who].at = At::Acknowledging;
    }
}

impl Batch {
    fn is(&self, weakening: Weakening) -> bool {
        self.weakening == Some(weakening)
    }
}

fn world(weakening: Option<Weakening>, kinds: Faults, faults: u8) -> Batch {
    Batch { weakening, kinds, faults }
}

#[test]
fn a_batch_is_counted_once_whoever_crashes_freezes_or_is_doubled() {
    holds("claim", world(None, Faults::All, faults(2)));
}

#[test]
fn a_batch_is_counted_once_whoever_lets_go_of_it_after_an_error() {
    holds("claim, let go of", world(None, Faults::Survived, faults(3)));
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
        (Weakening::HandedBackInDoubt, RECORDED_IS_THERE),
        (Weakening::LetGoAsIfDead, THE_LIVING_DO_NOT_DIE),
        (Weakening::LateWorkerLetsGo, HOLDS_WHAT_IT_COPIES),
    ] {
        breaks(&format!("claim, {weakening:?}"), world(Some(weakening), Faults::All, 2), law);
    }
    let in_doubt = world(Some(Weakening::LetGoInDoubt), Faults::Survived, 3);
    breaks("claim, LetGoInDoubt", in_doubt, RECORDED_IS_THERE);
}
