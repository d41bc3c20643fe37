//! What must hold, and what must be possible.

use ossferry_core::key::Key;
use ossferry_ledger::rows::PassState;
use ossferry_ledger::{Branch, check_tiling};
use stateright::Property;

use super::super::goes_on;
use super::{
    COMMITTED_STANDS, ENDS, FINISHED_WHOLE, KEYS, LAW, NO_KEY_LOST, Pass, TILES, World, belongs,
};

/// What holds in every state.
pub(super) fn laws() -> Vec<Property<Pass>> {
    vec![
        Property::always(TILES, |_, world: &World| check_tiling(&world.tree()).is_ok()),
        Property::always(NO_KEY_LOST, |_, world: &World| {
            let tree = world.tree();
            KEYS.iter().map(|key| Key::from(*key)).all(|key| {
                let planned =
                    world.committed().flatten().filter(|task| task.first_key == key).count();
                let due = |branch: &Branch| match branch {
                    Branch::Settled(_) => false,
                    Branch::Live(row) => belongs(row, &key),
                    Branch::Unborn(child) => {
                        child.after < key && child.until.as_ref().is_none_or(|until| key <= *until)
                    }
                };
                planned + tree.iter().filter(|branch| due(branch)).count() == 1
            })
        }),
        Property::always(COMMITTED_STANDS, |_, world: &World| {
            world.committed().all(|task| task.is_some())
        }),
        Property::always(FINISHED_WHOLE, |_, world: &World| {
            let done = world.committed().flatten().filter(|task| task.state.is_final());
            !world.state.is_final() || done.count() == KEYS.len()
        }),
        Property::always(LAW, |_, world: &World| !world.inconsistent),
        Property::always(ENDS, |model: &Pass, world: &World| {
            world.state.is_final()
                || world.inconsistent
                || !world.nobody_works()
                || goes_on(model, world, |_| true)
        }),
    ]
}

/// What happens in some.
pub(super) fn reached() -> Vec<Property<Pass>> {
    vec![
        Property::sometimes("the pass is finished", |_, world: &World| {
            world.state == PassState::Finished
        }),
        Property::sometimes("three slices share the keys", |_, world: &World| {
            world.state == PassState::Finished && world.slices.len() == 3
        }),
        Property::sometimes("a late planner is refused", |_, world: &World| {
            world.state == PassState::Finished && world.refused
        }),
        Property::sometimes(
            "what a planner let go of another walks to its end",
            |_, world: &World| world.state == PassState::Finished && world.let_go,
        ),
        Property::sometimes("a child waits unborn", |_, world: &World| {
            let is_unborn = |branch: &Branch| matches!(branch, Branch::Unborn(_));
            world.nobody_works() && world.tree().iter().any(is_unborn)
        }),
    ]
}
