//! What must hold, and what must be possible.

use ossferry_ledger::rows::{UploadRow, UploadState};
use stateright::Property;

use super::super::goes_on;
use super::{
    ENDS, HAS_A_MESSAGE, LAST_ENDS, NOTHING_OPEN, ONE_VERSION, Upload, World, id_of, version_of,
};

/// What holds in every state.
pub(super) fn laws() -> Vec<Property<Upload>> {
    vec![
        Property::always(NOTHING_OPEN, |_, world: &World| {
            !world.has_ended() || !world.nobody_works() || world.at_target.is_empty()
        }),
        Property::always(ONE_VERSION, |_, world: &World| {
            world.uploads.iter().all(|row| {
                let id = id_of(row);
                let held = world.at_target.iter().filter(|upload| Some(upload.id) == id);
                let is_pinned = |part: u8| part == 0 || Some(part) == version_of(row);
                held.map(|upload| upload.part).all(is_pinned)
                    && (row.state != UploadState::Complete || is_pinned(world.object))
            })
        }),
        Property::always(LAST_ENDS, |_, world: &World| {
            let ended: Vec<&UploadRow> =
                world.uploads.iter().filter(|row| row.state == UploadState::Complete).collect();
            let last = world.uploads.last().map(UploadRow::result_fence);
            !world.has_ended()
                || ended.len() == 1 && world.task.result_fences.as_slice() == last.as_slice()
        }),
        Property::always(HAS_A_MESSAGE, |_, world: &World| {
            let held = world.workers.iter().any(|worker| worker.has_message);
            let sent = world.asked > 0 || world.visible.iter().any(|count| *count > 0);
            world.has_ended() || held || sent || world.message_lost
        }),
        Property::always(ENDS, |model: &Upload, world: &World| {
            world.has_ended() || !world.nobody_works() || goes_on(model, world, |_| true)
        }),
    ]
}

/// What happens in some.
pub(super) fn reached() -> Vec<Property<Upload>> {
    vec![
        Property::sometimes("the object stands at the target", |_, world: &World| {
            world.has_ended() && world.nobody_works() && world.object == 1
        }),
        Property::sometimes("a changed object is taken anew", |_, world: &World| {
            world.has_ended() && world.object == 2 && world.uploads.len() == 2
        }),
        Property::sometimes("an opening is taken over", |_, world: &World| {
            world.has_ended() && world.uploads.len() == 1 && world.last_id == 2
        }),
        Property::sometimes("a late planner is refused", |_, world: &World| {
            world.has_ended() && world.refused
        }),
    ]
}
