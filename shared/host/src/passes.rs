//! What only a planner does: passes are begun on a trigger, and swept.

mod sweeping;

use std::future::Future;

use ossferry_core::audit::Share;
use ossferry_core::job::Job;
use ossferry_core::time::Timestamp;
use ossferry_ledger::ids::{JobName, PassId, PassRef};
use ossferry_ledger::rows::{PassIndexRow, PassKind};
use ossferry_ledger::{Handler, HandlerError, Ledger, LedgerError};
use tokio::time::timeout;

use crate::answer::{TriggerAnswer, TriggerOutcome};
use crate::asked::TriggerEvent;
use crate::call::Call;
use crate::metrics::Metric;
use crate::workshop::{Workshop, WorkshopError};

/// Characters of a request id in the id of a pass that brings none of its own.
const REQUEST_DIGITS: usize = 12;

/// A pass that is asked for, by its id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AskedPass {
    /// The same for every delivery of one trigger.
    pub pass: PassId,
    /// `None`: full if no full pass of the scope has finished, else incremental.
    pub kind: Option<PassKind>,
    /// Source dates before it are trusted.
    pub since: Option<Timestamp>,
    /// For an audit: the share of keys whose bytes are read again.
    pub reread: Option<Share>,
}

/// Begins passes and clears up after them: a planner.
#[async_trait::async_trait]
pub trait PassMaker: Handler {
    /// Begins a pass, unless another runs. May be repeated.
    async fn begin_pass(&self, job: &Job, asked: AskedPass) -> Result<TriggerAnswer, HandlerError>;

    /// Aborts the unfinished uploads of a pass that ended early. May be repeated.
    async fn clear_up(&self, pass: &PassRef) -> Result<(), HandlerError>;
}

/// Deals with triggers and sweeps.
pub struct Passes<'a, W> {
    /// Planners.
    pub workshop: &'a Workshop<W>,
    /// In which it is done.
    pub call: &'a Call,
}

impl<W: PassMaker> Passes<'_, W> {
    fn ledger(&self) -> &Ledger {
        self.workshop.ledger()
    }

    /// Begins the pass of a trigger.
    pub async fn begin(&self, event: &TriggerEvent) -> Result<TriggerAnswer, HandlerError> {
        let answer = self.in_time(1, self.begin_at_leisure(event)).await;
        if let Ok(TriggerAnswer { outcome: TriggerOutcome::Refused, reason, .. }) = &answer {
            tracing::warn!(job = %event.job, reason, "trigger refused");
            self.workshop.metrics().add(&event.job, Metric::Refusals, 1.0);
        }
        answer
    }

    async fn begin_at_leisure(&self, event: &TriggerEvent) -> Result<TriggerAnswer, HandlerError> {
        let pass = self.pass_of(event).await.map_err(ledger_error)?;
        let deployed = self.ledger().deployed_job(&event.job).await.map_err(ledger_error)?;
        let Some(row) = deployed else {
            let reason = format!("no job {} is deployed: ossferry deploy-job", event.job);
            return Ok(TriggerAnswer::new(pass, TriggerOutcome::Refused).because(reason));
        };
        let (definition, hash) = (&row.definition, &row.definition_hash);
        let made = self.workshop.of_definition(definition, hash).await?;
        let TriggerEvent { kind, since, reread, .. } = *event;
        let asked = AskedPass { pass, kind, since, reread };
        made.rates.around(made.worker.begin_pass(&made.job, asked)).await
    }

    /// The id of a trigger's pass: the same, however often the trigger is delivered.
    async fn pass_of(&self, event: &TriggerEvent) -> Result<PassId, LedgerError> {
        if let Some(id) = &event.id {
            return Ok(id.clone());
        }
        if let Some(time) = event.time {
            let kind = event.kind.map_or("scheduled", PassKind::as_str);
            return Ok(PassId(format!("{}-{kind}", digits(&time.to_string()))));
        }
        let end = format!("-{}", request_digits(&self.call.request_id));
        Ok(match self.begun_by(&event.job, &end).await? {
            Some(earlier) => earlier,
            None => PassId(format!("{}{end}", digits(&self.ledger().now().to_string()))),
        })
    }

    /// The pass that an earlier delivery of the same invocation began.
    async fn begun_by(&self, job: &JobName, end: &str) -> Result<Option<PassId>, LedgerError> {
        if let Some(running) = self.ledger().running_pass(job).await?
            && running.0.ends_with(end)
        {
            return Ok(Some(running));
        }
        let is_of_this = |index: &PassIndexRow| index.pass.0.ends_with(end);
        let found = self.ledger().passes(job).await?.into_iter().find(is_of_this);
        Ok(found.map(|index| index.pass))
    }

    /// Returns before Lambda ends the process, and leaves time for `pieces` - 1 further ones.
    async fn in_time<T>(
        &self,
        pieces: u32,
        work: impl Future<Output = Result<T, HandlerError>>,
    ) -> Result<T, HandlerError> {
        let patience = self.call.patience(self.ledger().now()) / pieces.max(1);
        timeout(patience, work).await.unwrap_or_else(|_| {
            Err(HandlerError {
                is_transient: true,
                message: "did not return in the invocation's time: it may be repeated".to_owned(),
            })
        })
    }
}

pub(crate) fn ledger_error(error: LedgerError) -> HandlerError {
    WorkshopError::from(error).into()
}

/// A time as ids spell it, so that they sort by it: `20261122T100000000Z`.
fn digits(time: &str) -> String {
    time.chars().filter(char::is_ascii_alphanumeric).collect()
}

fn request_digits(request_id: &str) -> String {
    request_id.chars().filter(char::is_ascii_alphanumeric).take(REQUEST_DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_end_as_their_request() {
        let time = Timestamp::from_rfc3339("2026-11-22T10:00:00Z").unwrap();
        assert_eq!(digits(&time.to_string()), "20261122T100000000Z");
        assert_eq!(request_digits("8476a536-e9f4-11e8-9739-2dfe598c3fcd"), "8476a536e9f4");
    }
}
