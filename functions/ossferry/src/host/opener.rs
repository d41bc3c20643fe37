//! A planner that only opens uploads.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ossferry_ledger::messages::Message;
use ossferry_ledger::{Handled, Handler, HandlerError, Invocation};
use ossferry_planner::Planner;

/// A slice's message that came to a process that does not walk is left alone for so long.
const NOT_OURS_DELAY: Duration = Duration::from_secs(2);

/// Opens uploads; slices are for a planner.
pub(crate) struct Opener(pub(crate) Arc<Planner>);

#[async_trait]
impl Handler for Opener {
    async fn work(
        &self,
        message: &Message,
        invocation: &Invocation,
    ) -> Result<Handled, HandlerError> {
        match message {
            Message::Slice(_) => Ok(Handled::Later(NOT_OURS_DELAY)),
            _ => self.0.work(message, invocation).await,
        }
    }
}
