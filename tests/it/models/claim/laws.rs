//! What must hold, and what must be possible.

use stateright::Property;

use super::super::goes_on;
use super::{
    At, Batch, COUNTED_ONCE, Copied, ENDS, Faults, HAS_A_MESSAGE, HOLDS_WHAT_IT_COPIES, OBJECTS,
    RECORDED_FIRST, RECORDED_IS_THERE, THE_LIVING_DO_NOT_DIE, World,
};

/// What holds in every state.
pub(super) fn laws() -> Vec<Property<Batch>> {
    vec![
        Property::always(COUNTED_ONCE, |_, world: &World| {
            let mut indexes: Vec<u32> =
                world.counted().into_iter().map(|(index, _)| index).collect();
            let count = indexes.len();
            indexes.sort_unstable();
            indexes.dedup();
            let whole = !world.has_ended() || count == OBJECTS;
            let is_recorded =
                world.task.result_fences.iter().all(|fence| world.results.contains_key(fence));
            !world.miscounted
                && (!is_recorded
                    || indexes.len() == count && world.task.sum.objects() == count as u64 && whole)
        }),
        Property::always(RECORDED_FIRST, |_, world: &World| {
            world.task.result_fences.iter().all(|fence| world.results.contains_key(fence))
        }),
        Property::always(RECORDED_IS_THERE, |_, world: &World| {
            let is_there = |(index, version): Copied| world.target[index as usize] == version;
            world.counted().into_iter().all(is_there)
        }),
        Property::always(HAS_A_MESSAGE, |_, world: &World| {
            let held = world.workers.iter().any(|worker| worker.has_message);
            world.has_ended() || held || world.visible > 0 || world.message_lost
        }),
        Property::always(HOLDS_WHAT_IT_COPIES, |_, world: &World| {
            let copying = world.workers.iter().filter(|worker| worker.at == At::Copying);
            let in_time = copying.filter(|worker| world.now < worker.lease_until());
            let mut holds = in_time.filter_map(|worker| worker.hold.as_ref());
            holds.all(|hold| world.task.lease.check(hold).is_ok())
        }),
        Property::always(THE_LIVING_DO_NOT_DIE, |_, world: &World| {
            let (deaths, attempts) = (world.task.unnoted_deaths, world.task.attempts);
            deaths <= u64::from(world.died) && attempts <= u64::from(world.died) + 1
        }),
        Property::always(ENDS, |model, world: &World| {
            world.has_ended() || !world.nobody_works() || goes_on(model, world, |_| true)
        }),
    ]
}

/// What happens in some.
pub(super) fn reached(kinds: Faults) -> Vec<Property<Batch>> {
    let mut reached = vec![
        Property::sometimes("the batch ends", |_, world: &World| {
            world.has_ended() && world.nobody_works()
        }),
        Property::sometimes("what one handed back another ends", |_, world: &World| {
            world.has_ended() && world.task.result_fences.len() == OBJECTS
        }),
        Property::sometimes("what one let go of another ends", |_, world: &World| {
            world.has_ended() && world.seen.let_go
        }),
        Property::sometimes("the changed object is copied", |_, world: &World| {
            world.has_ended() && world.target[0] == 2
        }),
    ];
    if kinds == Faults::All {
        reached.push(Property::sometimes("a late worker is refused", |_, world: &World| {
            world.seen.refused && world.has_ended()
        }));
    }
    reached
}
