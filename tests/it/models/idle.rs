//! A slice that planners take in vain: given up by their deaths, whatever errors are met in between, and
//! by errors only after as many as make a day.

use ossferry_core::key::Key;
use ossferry_core::sums::Walked;
use ossferry_core::time::Timestamp;
use ossferry_ledger::ids::SliceId;
use ossferry_ledger::lease::{Change, Hold};
use ossferry_ledger::rows::{IDLE_HOPS_MAX, Progress, SliceRow, SliceState};
use stateright::{Model, Property};

use super::{breaks, claimant, faults, holds};

const ENOUGH_DIED: &str = "a slice is given up after so many planners in vain, and not before";
const VICTIMS: &str = "it is given up after no more";

/// A guard that is taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Weakening {
    /// Whoever lets go only hands on.
    ErrorsCountAsDeaths,
    /// Whoever lets go has earlier deaths forgotten.
    DeathsForgotten,
}

struct Slice {
    weakening: Option<Weakening>,
    errors: u8,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    now: Timestamp,
    row: SliceRow,
    hold: Option<Hold>,
    /// Planners that died, or whose time was up, since the cursor was moved.
    in_vain: u64,
    has_moved: bool,
    errors_left: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Claim,
    Move,
    Die,
    TimeIsUp,
    LetGo,
}

impl Model for Slice {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            now: Timestamp(0),
            row: SliceRow::new(SliceId::root(), None, None),
            hold: None,
            in_vain: 0,
            has_moved: false,
            errors_left: self.errors,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        // More than the law allows are not walked through: there may be no end of them.
        if world.row.state.is_walked() || world.in_vain > IDLE_HOPS_MAX {
            return;
        }
        if world.hold.is_none() {
            return actions.push(Action::Claim);
        }
        actions.extend([Action::Die, Action::TimeIsUp]);
        if !world.has_moved {
            actions.push(Action::Move);
        }
        if world.errors_left > 0 {
            actions.push(Action::LetGo);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        let row = &before.row;
        let change = match (action, &before.hold) {
            (Action::Claim, _) => {
                let attempt = claimant(&format!("p{}", row.lease.fence), world.now);
                let Change::Write(row, _) = row.claim(&attempt) else { return None };
                Change::Write(row, ())
            }
            (Action::Move, Some(hold)) => {
                (world.has_moved, world.in_vain) = (true, 0);
                row.commit(hold, &progress()).ok()?
            }
            (Action::Die, _) => {
                world.now = row.lease.until;
                Change::Keep(())
            }
            (Action::TimeIsUp, Some(hold)) => row.hand_on(hold, world.now),
            (Action::LetGo, Some(hold)) => {
                world.errors_left -= 1;
                self.let_go(row, hold, world.now)
            }
            (_, None) => return None,
        };
        if let Change::Write(row, ()) = change {
            world.row = row;
        }
        world.hold = match action {
            Action::Claim | Action::Move => world.row.lease.hold(),
            Action::Die | Action::TimeIsUp | Action::LetGo => None,
        };
        // Who moved the cursor was not in vain, whatever becomes of it.
        let is_in_vain = matches!(action, Action::Die | Action::TimeIsUp) && row.idle_hops > 0;
        world.in_vain += u64::from(is_in_vain);
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ENOUGH_DIED, |_, world: &World| {
                let is_given_up = world.row.state == SliceState::Stopped;
                !is_given_up || world.in_vain >= IDLE_HOPS_MAX
            }),
            Property::always(VICTIMS, |_, world: &World| world.in_vain <= IDLE_HOPS_MAX),
            Property::sometimes("it is given up after errors and deaths", |_, world: &World| {
                world.row.state == SliceState::Stopped && world.errors_left == 0
            }),
        ]
    }
}

impl Slice {
    fn let_go(&self, row: &SliceRow, hold: &Hold, now: Timestamp) -> Change<SliceRow, ()> {
        let change = match self.weakening {
            Some(Weakening::ErrorsCountAsDeaths) => row.hand_on(hold, now),
            Some(Weakening::DeathsForgotten) | None => row.let_go(hold, now),
        };
        match change {
            Change::Write(row, ()) if self.weakening == Some(Weakening::DeathsForgotten) => {
                Change::Write(SliceRow { idle_hops: 0, ..row }, ())
            }
            change => change,
        }
    }
}

fn progress() -> Progress {
    let cursor = Some(Key::from("k"));
    Progress { cursor, token: None, next_seq: 1, walked: Walked::default(), listed: false }
}

fn world(weakening: Option<Weakening>) -> Slice {
    Slice { weakening, errors: faults(3) }
}

#[test]
fn a_slice_is_given_up_by_deaths_and_not_by_errors() {
    holds("idle", world(None));
}

#[test]
fn a_slice_whose_errors_count_otherwise_goes_wrong() {
    for (weakening, law) in
        [(Weakening::ErrorsCountAsDeaths, ENOUGH_DIED), (Weakening::DeathsForgotten, VICTIMS)]
    {
        breaks(&format!("idle, {weakening:?}"), world(Some(weakening)), law);
    }
}
