//! Planner and copier as the host calls them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ossferry_copier::{Copier, CopyError};
use ossferry_ledger::messages::Message;
use ossferry_ledger::{Handled, Invocation};
use ossferry_planner::{PlanError, Planner};

use crate::host::station::{Handler, HandlerError};

/// A slice's message that came to a process that does not walk is left alone for so long.
const NOT_OURS_DELAY: Duration = Duration::from_secs(2);

/// Walks slices and opens uploads.
pub(crate) struct PlannerHandler(pub(crate) Arc<Planner>);

#[async_trait]
impl Handler for PlannerHandler {
    async fn handle(
        &self,
        message: &Message,
        invocation: &Invocation,
    ) -> Result<Handled, HandlerError> {
        self.0.handle(message, invocation).await.map_err(|error| HandlerError {
            is_transient: match &error {
                PlanError::Ledger(error) => error.is_transient(),
                PlanError::Source(error) | PlanError::Target(error) => error.is_transient(),
                PlanError::Refused(_)
                | PlanError::Definition(_)
                | PlanError::Glob(_)
                | PlanError::NotForPlanners(_) => false,
            },
            message: error.to_string(),
        })
    }
}

/// Opens uploads; slices are for a planner.
pub(crate) struct OpenerHandler(pub(crate) PlannerHandler);

#[async_trait]
impl Handler for OpenerHandler {
    async fn handle(
        &self,
        message: &Message,
        invocation: &Invocation,
    ) -> Result<Handled, HandlerError> {
        match message {
            Message::Slice(_) => Ok(Handled::Later(NOT_OURS_DELAY)),
            _ => self.0.handle(message, invocation).await,
        }
    }
}

/// Moves batches and ranges.
pub(crate) struct CopierHandler(pub(crate) Copier);

#[async_trait]
impl Handler for CopierHandler {
    async fn handle(
        &self,
        message: &Message,
        invocation: &Invocation,
    ) -> Result<Handled, HandlerError> {
        self.0.handle(message, invocation).await.map_err(|error| HandlerError {
            is_transient: match &error {
                CopyError::Ledger(error) => error.is_transient(),
                CopyError::Definition(_) | CopyError::NotForCopiers(_) => false,
            },
            message: error.to_string(),
        })
    }
}
