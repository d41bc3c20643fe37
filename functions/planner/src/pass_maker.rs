//! The planner as a function: what a trigger and a sweep ask of it.

use std::sync::Arc;

use ossferry_core::job::Job;
use ossferry_host::{AskedPass, Parts, PassMaker, TriggerAnswer, TriggerOutcome};
use ossferry_ledger::ids::PassRef;
use ossferry_ledger::{Begun, HandlerError};

use crate::{PlanError, Planner, PlannerParts, Trigger};

/// As every host of functions makes one.
impl From<Parts> for Planner {
    fn from(parts: Parts) -> Self {
        let Parts { ledger, source, target, slots, admission, .. } = parts;
        let appetite = Arc::new(move || slots.has_room());
        Self::new(PlannerParts { ledger, source, target, appetite }).telling(admission)
    }
}

#[async_trait::async_trait]
impl PassMaker for Planner {
    async fn begin_pass(&self, job: &Job, asked: AskedPass) -> Result<TriggerAnswer, HandlerError> {
        let AskedPass { pass, kind, since, reread } = asked;
        let answer = |outcome| TriggerAnswer::new(pass.clone(), outcome);
        let trigger = Trigger { pass: pass.clone(), kind, since, reread };
        match self.begin(job, trigger).await {
            Ok(Begun::Running(_)) => Ok(answer(TriggerOutcome::Running)),
            Ok(Begun::Skipped { running }) => {
                let running = Some(running);
                Ok(TriggerAnswer { running, ..answer(TriggerOutcome::Skipped) })
            }
            Ok(Begun::Ended(row)) => {
                let reason = row.reason.unwrap_or_else(|| row.state.to_string());
                Ok(answer(TriggerOutcome::Ended).because(reason))
            }
            Err(PlanError::Refused(refusal)) => {
                Ok(answer(TriggerOutcome::Refused).because(refusal.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn clear_up(&self, pass: &PassRef) -> Result<(), HandlerError> {
        let cleared = self.clear_uploads(pass).await?;
        if let Some(until) = cleared.held_until {
            tracing::info!(pass = %pass.pass, %until, "workers of an ended pass may be at work");
        }
        Ok(())
    }
}
