//! A job: passes over a source that changes, and the dates that each may trust. One object, one
//! migration after another, some of them broken off.

use std::time::Duration;

use ossferry_core::since::{EarlierPass, Walk, since};
use ossferry_core::time::Timestamp;
use stateright::{Model, Property};

use super::{breaks, faults, holds};

/// How much later than it dates an object the source may show it, in ticks of its clock.
const SHOWN_LATE: i64 = 1;
const MARGIN: Duration = Duration::from_millis(1);
const SCOPES: [&str; 2] = ["s", "t"];
const PASSES: usize = 3;
const TICKS: i64 = 3;

const NEVER_SKIPPED: &str = "what a pass trusts by its date is what stands at the target";
const SEEN_WHOLE: &str = "after a finished pass that saw it the object stands at the target";

/// A guard that is taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Weakening {
    /// A pass that was broken off counts as one that saw everything.
    UnfinishedCounts,
    /// A retry counts as one that saw everything.
    PartialCounts,
    /// A pass of another scope counts.
    OtherScopeCounts,
    /// T1 is read when the pass has ended.
    ReadLate,
    /// No time is allowed for what a store shows later than it dates.
    NoMargin,
    /// What an earlier pass left outstanding is trusted by its date.
    OutstandingTrusted,
}

struct Job {
    weakening: Option<Weakening>,
    changes: u8,
}

/// A version of the object: of equal size all, so that only the date tells them apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Version {
    number: u8,
    dated: i64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Running {
    walk: Kind,
    scope: usize,
    t1: i64,
    since: Option<i64>,
    /// The version that was planned, if any; it stands at the target when its copy ends.
    planned: Option<u8>,
    looked: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Kind {
    Full,
    Incremental,
    Retry,
}

/// A pass that ended, as the index keeps it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Ended {
    walk: Kind,
    scope: usize,
    finished: bool,
    t1: i64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that happened")]
struct World {
    now: i64,
    source: Version,
    /// What a listing shows: the source, at most so many ticks late.
    listed: Version,
    target: u8,
    changes_left: u8,
    passes: Vec<Ended>,
    running: Option<Running>,
    /// The object's copy failed in a finished pass: it is outstanding.
    outstanding: bool,
    /// A date was trusted although another version stood at the target.
    skipped: bool,
    /// A finished pass looked, planned nothing for lack of need, and another version stood there.
    missed: bool,
    trusted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Tick,
    SourceChanges,
    /// The source's listing shows the last change.
    Shows,
    Begin(Kind, usize),
    /// The planner comes to the object.
    Look,
    /// The copy ends, well or not.
    Copy,
    CopyFails,
    Finish,
    BreakOff,
}

fn pass(ended: &Ended) -> EarlierPass {
    EarlierPass {
        walk: match ended.walk {
            Kind::Full => Walk::Full,
            Kind::Incremental => Walk::Incremental,
            Kind::Retry => Walk::Partial,
        },
        scope_hash: SCOPES[ended.scope].to_owned(),
        is_finished: ended.finished,
        t1: Timestamp(ended.t1),
        until: None,
    }
}

impl Job {
    fn is(&self, weakening: Weakening) -> bool {
        self.weakening == Some(weakening)
    }

    fn since(&self, world: &World, scope: usize) -> Option<i64> {
        let earlier = world.passes.iter().map(|ended| {
            let mut earlier = pass(ended);
            earlier.is_finished |= self.is(Weakening::UnfinishedCounts);
            if self.is(Weakening::PartialCounts) && earlier.walk == Walk::Partial {
                earlier.walk = Walk::Incremental;
            }
            if self.is(Weakening::OtherScopeCounts) {
                SCOPES[scope].clone_into(&mut earlier.scope_hash);
            }
            earlier
        });
        let margin = if self.is(Weakening::NoMargin) { Duration::ZERO } else { MARGIN };
        since(&earlier.collect::<Vec<_>>(), SCOPES[scope], margin).ok().map(|since| since.0)
    }

    /// The planner compares: by date where the pass may trust it, else by what stands there.
    fn look(&self, world: &mut World) {
        let Some(running) = &mut world.running else { return };
        running.looked = true;
        // The other scope does not hold the object.
        if running.scope != 0 {
            return;
        }
        let listed = world.listed;
        let is_outstanding = world.outstanding && !self.is(Weakening::OutstandingTrusted);
        // A missing object has no size to be equal by.
        let is_trusted =
            world.target > 0 && running.since.is_some_and(|since| listed.dated < since);
        if running.walk == Kind::Retry && !world.outstanding {
            return;
        }
        if is_trusted && !is_outstanding && running.walk != Kind::Retry {
            world.trusted = true;
            world.skipped |= world.target != listed.number;
        } else if world.target != listed.number {
            running.planned = Some(listed.number);
        } else {
            world.outstanding = false;
        }
    }
}

impl Model for Job {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let first = Version { number: 1, dated: 0 };
        vec![World {
            now: 1,
            source: first,
            listed: first,
            target: 0,
            changes_left: self.changes,
            passes: Vec::new(),
            running: None,
            outstanding: false,
            skipped: false,
            missed: false,
            trusted: false,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let is_shown = world.source == world.listed;
        // A store that shows a change late shows it within the margin.
        if world.now < TICKS && (is_shown || world.now < world.source.dated + SHOWN_LATE) {
            actions.push(Action::Tick);
        }
        if world.changes_left > 0 && is_shown {
            actions.push(Action::SourceChanges);
        }
        if !is_shown {
            actions.push(Action::Shows);
        }
        match &world.running {
            None if world.passes.len() < PASSES => {
                actions.extend([Action::Begin(Kind::Full, 0), Action::Begin(Kind::Full, 1)]);
                if self.since(world, 0).is_some() {
                    actions.push(Action::Begin(Kind::Incremental, 0));
                }
                // Of this object, or of others that are outstanding.
                actions.push(Action::Begin(Kind::Retry, 0));
            }
            None => {}
            Some(running) => {
                actions.push(Action::BreakOff);
                if !running.looked {
                    actions.push(Action::Look);
                } else if running.planned.is_some() {
                    actions.extend([Action::Copy, Action::CopyFails]);
                } else {
                    actions.push(Action::Finish);
                }
            }
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        match action {
            Action::Tick => world.now += 1,
            Action::SourceChanges => {
                world.changes_left -= 1;
                let number = world.source.number + 1;
                world.source = Version { number, dated: world.now };
            }
            Action::Shows => world.listed = world.source,
            Action::Begin(walk, scope) => {
                let since = match walk {
                    Kind::Incremental => Some(self.since(&world, scope)?),
                    Kind::Full | Kind::Retry => None,
                };
                let t1 = world.now;
                let (planned, looked) = (None, false);
                world.running = Some(Running { walk, scope, t1, since, planned, looked });
            }
            Action::Look => self.look(&mut world),
            Action::Copy => {
                world.target = world.running.as_mut()?.planned.take()?;
                world.outstanding = false;
            }
            Action::CopyFails => {
                world.running.as_mut()?.planned = None;
                world.outstanding = true;
            }
            Action::Finish | Action::BreakOff => {
                let running = world.running.take()?;
                let finished = action == Action::Finish;
                // What was planned and not copied stands in the rows of the pass.
                world.outstanding |= running.planned.is_some();
                let t1 = if self.is(Weakening::ReadLate) { world.now } else { running.t1 };
                let Running { walk, scope, .. } = running;
                world.passes.push(Ended { walk, scope, finished, t1 });
                let was_seen = walk != Kind::Retry && scope == 0 && finished;
                let is_old = world.source.dated + SHOWN_LATE < running.t1;
                let stands = world.target == world.source.number;
                world.missed |= was_seen && is_old && !stands && !world.outstanding;
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(NEVER_SKIPPED, |_, world: &World| !world.skipped),
            Property::always(SEEN_WHOLE, |_, world: &World| !world.missed),
            Property::sometimes("a date is trusted", |_, world: &World| world.trusted),
            Property::sometimes("the last version arrives", |model, world: &World| {
                world.target == model.changes + 1
            }),
            Property::sometimes(
                "an incremental pass brings the last version",
                |_, world: &World| {
                    let last = world.passes.last();
                    let is_incremental = last.is_some_and(|ended| ended.walk == Kind::Incremental);
                    is_incremental && world.target == world.source.number && world.source.number > 1
                },
            ),
        ]
    }
}

fn job(weakening: Option<Weakening>) -> Job {
    Job { weakening, changes: faults(1) }
}

#[test]
fn an_object_is_never_skipped_for_its_date_while_another_version_stands_at_the_target() {
    holds("since", job(None));
}

#[test]
fn dates_that_are_trusted_without_one_of_the_guards_hide_a_change() {
    for (weakening, law) in [
        (Weakening::UnfinishedCounts, NEVER_SKIPPED),
        (Weakening::PartialCounts, NEVER_SKIPPED),
        (Weakening::OtherScopeCounts, NEVER_SKIPPED),
        (Weakening::ReadLate, NEVER_SKIPPED),
        (Weakening::NoMargin, NEVER_SKIPPED),
        (Weakening::OutstandingTrusted, NEVER_SKIPPED),
    ] {
        breaks(&format!("since, {weakening:?}"), job(Some(weakening)), law);
    }
}
