//! What must hold, and what must be possible.

use ossferry_core::outcome::Outcome;
use ossferry_ledger::rows::AbortReason;
use stateright::Property;

use super::super::goes_on;
use super::{
    Action, COPIED_STANDS, ENDS, HAS_A_MESSAGE, KEPT_STANDS, LANDS_WHOLE, LargeObject, NOT_IN_VAIN,
    NOTHING_OPEN, ONLY_HOLDER, Object, RANGES, RESULT_STANDS, SPARED, World,
};

/// What holds in every state.
pub(super) fn laws() -> Vec<Property<LargeObject>> {
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
        Property::always(SPARED, |model: &LargeObject, world: &World| {
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
        Property::always(ENDS, |model: &LargeObject, world: &World| {
            world.has_ended()
                || !world.nobody_works()
                || goes_on(model, world, |action| *action != Action::ApplicationWrites)
        }),
    ]
}

/// What happens in some.
pub(super) fn reached() -> Vec<Property<LargeObject>> {
    vec![
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
