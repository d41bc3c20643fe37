//! A batch of which one object kills whoever works on it: accused, and failed by name, however many
//! workers met an error before and let go of it. One copier at a time, two objects.

use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use ossferry_core::sums::Sum;
use ossferry_core::time::Timestamp;
use ossferry_ledger::lease::{Change, Hold, Taken};
use ossferry_ledger::rows::{TaskKind, TaskRow, TaskState};
use stateright::{Model, Property};

use super::{breaks, claimant, faults, holds, planned};

const OBJECTS: u32 = 2;
/// Nobody survives work on it.
const KILLER: u32 = 1;
/// Workers that the killer has: those that take all objects at once, and those that take it alone.
const VICTIMS_MAX: u8 = 2 + 3;

const NOBODY_ALIVE_IS_DEAD: &str = "whoever lives is not taken for dead";
const VICTIMS: &str = "a batch that kills ends after so many deaths";
const HARMLESS: &str = "only what kills has failed";
const ENDS: &str = "where nothing can happen any more the batch has ended";

/// A guard that is taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Weakening {
    /// Whoever lets go leaves its note, and the batch as a dead worker would.
    LeftAsByTheDead,
    /// Whoever lets go has earlier deaths forgotten.
    DeathsForgotten,
}

struct Batch {
    weakening: Option<Weakening>,
    errors: u8,
    crashes: u8,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum At {
    Nobody,
    /// What was begun is noted where workers are careful.
    Working(Option<u32>),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    now: Timestamp,
    task: TaskRow,
    at: At,
    /// What the worker has an outcome of, and whether it was copied.
    results: Vec<(u32, bool)>,
    recorded: Vec<(u32, bool)>,
    died: u8,
    errors_left: u8,
    crashes_left: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Claim,
    Step,
    /// An error that the worker survives.
    LetGo,
    /// A death by chance.
    Crash,
}

fn plan() -> TaskRow {
    let objects: Vec<_> = ["a", "b"].iter().map(|key| planned(&Key::from(*key), 1)).collect();
    let planner = Hold { owner: "p".to_owned(), fence: 1 };
    let row = TaskRow::planned(1, &planner, TaskKind::Batch, &objects, String::new(), Timestamp(0));
    row.expect("it has objects")
}

impl World {
    fn hold(&self) -> Hold {
        self.task.lease.hold().expect("a worker holds it")
    }

    fn rest(&self) -> Vec<u32> {
        let is_left = |index: &u32| self.recorded.iter().all(|(done, _)| done != index);
        (0..OBJECTS).filter(is_left).collect()
    }

    /// What the worker takes next, if it is careful: what is suspected waits for the others, and for an
    /// invocation of its own.
    fn next(&self) -> Option<u32> {
        let due = self.rest().into_iter().filter(|index| !self.task.is_poison(*index));
        let (suspects, others): (Vec<u32>, Vec<u32>) =
            due.partition(|index| self.task.deaths.contains(index));
        let taken = if others.is_empty() { suspects } else { others };
        taken.into_iter().find(|index| self.results.iter().all(|(done, _)| done != index))
    }

    fn die(&mut self) {
        self.died += 1;
        self.at = At::Nobody;
        self.results.clear();
        self.now = self.task.lease.until;
    }

    fn claim(&mut self) {
        let attempt = claimant(&format!("w{}", self.task.lease.fence), self.now);
        let Change::Write(row, Taken::Mine) = self.task.claim(&attempt) else {
            unreachable!("nobody holds it")
        };
        self.task = row;
        self.at = At::Working(None);
        if self.task.is_given_up() {
            self.results = self.rest().into_iter().map(|index| (index, false)).collect();
            self.record();
            return;
        }
        let poison = self.rest().into_iter().filter(|index| self.task.is_poison(*index));
        self.results = poison.map(|index| (index, false)).collect();
    }

    fn step(&mut self) {
        if !self.task.is_careful() {
            if self.rest().contains(&KILLER) {
                return self.die();
            }
            self.results = self.rest().into_iter().map(|index| (index, true)).collect();
            return self.record();
        }
        match (self.at.clone(), self.next()) {
            (At::Working(noted), Some(next)) if noted != Some(next) => {
                let hold = self.hold();
                if let Ok(Change::Write(row, ())) = self.task.note_in_work(&hold, Some(next)) {
                    self.task = row;
                }
                self.at = At::Working(Some(next));
            }
            (_, Some(KILLER)) => self.die(),
            (_, Some(next)) => self.results.push((next, true)),
            (_, None) => self.record(),
        }
    }

    fn record(&mut self) {
        let (hold, mut sum) = (self.hold(), Sum::default());
        for (_, is_copied) in &self.results {
            let outcome = if *is_copied { Outcome::Copied } else { Outcome::Failed };
            sum.count(outcome, 1, None);
        }
        let is_whole = self.results.len() == self.rest().len();
        let change = if is_whole {
            self.task.finish(&hold, &sum, TaskState::Done, self.now)
        } else {
            self.task.hand_back(&hold, &sum, self.now)
        };
        let Ok(Change::Write(row, ())) = change else { unreachable!("it holds the batch") };
        self.task = row;
        self.recorded.append(&mut self.results);
        self.at = At::Nobody;
    }
}

impl Model for Batch {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            now: Timestamp(0),
            task: plan(),
            at: At::Nobody,
            results: Vec::new(),
            recorded: Vec::new(),
            died: 0,
            errors_left: self.errors,
            crashes_left: self.crashes,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        // More deaths than the law allows are not walked through: there may be no end of them.
        if world.task.state.is_final() || world.died > VICTIMS_MAX + self.crashes {
            return;
        }
        if world.at == At::Nobody {
            return actions.push(Action::Claim);
        }
        actions.push(Action::Step);
        if world.errors_left > 0 {
            actions.push(Action::LetGo);
        }
        if world.crashes_left > 0 {
            actions.push(Action::Crash);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        match action {
            Action::Claim => world.claim(),
            Action::Step => world.step(),
            Action::LetGo => {
                world.errors_left -= 1;
                let Ok(Change::Write(row, ())) = world.task.let_go(&world.hold(), world.now) else {
                    return None;
                };
                world.task = match self.weakening {
                    None => row,
                    Some(Weakening::LeftAsByTheDead) => {
                        TaskRow { lease: row.lease, ..world.task.clone() }
                    }
                    Some(Weakening::DeathsForgotten) => {
                        TaskRow { attempts: 0, unnoted_deaths: 0, deaths: Vec::new(), ..row }
                    }
                };
                world.at = At::Nobody;
                world.results.clear();
            }
            Action::Crash => {
                world.crashes_left -= 1;
                world.die();
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(NOBODY_ALIVE_IS_DEAD, |_, world: &World| {
                let counted = world.task.deaths.len() as u64 + world.task.unnoted_deaths;
                counted <= u64::from(world.died)
            }),
            Property::always(VICTIMS, |model: &Self, world: &World| {
                world.died <= VICTIMS_MAX + model.crashes
            }),
            Property::always(HARMLESS, |_, world: &World| {
                world.recorded.iter().all(|(index, is_copied)| (*index == KILLER) != *is_copied)
            }),
            // Each claim raises the fence, so that no world comes twice: a walk that ends is a batch that
            // ends, and the only worlds without a next one are those.
            Property::always(ENDS, |model, world: &World| {
                world.task.state.is_final() || super::goes_on(model, world, |_| true)
            }),
            Property::sometimes(
                "the killer fails by name after as many errors",
                |_, world: &World| {
                    world.task.state == TaskState::Done
                        && world.recorded.contains(&(KILLER, false))
                        && world.errors_left == 0
                },
            ),
        ]
    }
}

fn world(weakening: Option<Weakening>) -> Batch {
    Batch { weakening, errors: faults(5), crashes: 1 }
}

#[test]
fn what_kills_its_copiers_fails_by_name_however_many_let_go_of_it() {
    holds("deaths", world(None));
}

#[test]
fn deaths_counted_without_one_of_their_guards_go_wrong() {
    for (weakening, law) in
        [(Weakening::LeftAsByTheDead, NOBODY_ALIVE_IS_DEAD), (Weakening::DeathsForgotten, VICTIMS)]
    {
        breaks(&format!("deaths, {weakening:?}"), world(Some(weakening)), law);
    }
}
