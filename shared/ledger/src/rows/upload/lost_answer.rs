//! After a request to complete whose answer nobody heard, or an upload that the target does not know
//! any more: what a look at the target tells.

use super::UploadRow;
use crate::invocation::LEASE_MARGIN;
use ossferry_core::time::Timestamp;

/// What stands under the key at the target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AtTarget {
    /// Nothing.
    Nothing,
    /// The object that this attempt puts together.
    Ours,
    /// Another one, as the target's clock dates it.
    Another(Option<Timestamp>),
}

/// What it means for the attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// The request took effect: the attempt is complete.
    Completed,
    /// The application wrote its own object meanwhile: it is left alone.
    Overtaken,
    /// The application wrote its own object meanwhile, and a request on its way may still write over it:
    /// the upload is aborted, then looked for again.
    Contested,
    /// The upload is lost, and no request can complete it any more.
    Vanished,
    /// A request may still be on its way: look again later.
    Unclear,
}

impl UploadRow {
    /// What a look at the target says. `is_gone`: the target does not know the upload any more;
    /// `target_now`: its clock when the look began.
    pub fn after_lost_answer(
        &self,
        at_target: AtTarget,
        is_gone: bool,
        target_now: Timestamp,
    ) -> Found {
        let began = self.completing_at.unwrap_or(target_now);
        match at_target {
            AtTarget::Ours => Found::Completed,
            AtTarget::Another(Some(written)) if written >= began && is_gone => Found::Overtaken,
            AtTarget::Another(Some(written)) if written >= began => Found::Contested,
            // OSS goes on with a request whose client has left, so that one look is not enough.
            _ if is_gone && target_now >= began.plus(LEASE_MARGIN) => Found::Vanished,
            _ => Found::Unclear,
        }
    }
}
