//! T2 and the switch itself.

use std::time::Duration;

use ossferry_core::time::Timestamp;
use ossferry_ledger::rows::{CutoverStep, Switched};
use tokio::time::sleep;

use super::steps::Facts;
use super::{Cutover, CutoverRefusal, Flow, WAITS_FOR_SWITCH, Waiting};
use crate::command_error::CommandError;
use crate::host::interrupt::INTERRUPTED;

/// OSS dates objects and answers in whole seconds. T2 lies in a later one than our last copy, so that
/// nothing of ours is taken for the application's.
const BEFORE_T2: Duration = Duration::from_secs(2);

/// Pause between two looks at the target's clock.
const LOOK_AGAIN: Duration = Duration::from_millis(300);

impl Cutover<'_> {
    /// Records T2. The application must not have written at the target before.
    pub(super) async fn switch(&mut self) -> Result<Flow, CommandError> {
        let arguments = self.arguments;
        self.workers.wait_for_predecessors().await?;
        self.stale = match self.look_for_stale().await? {
            None => return Ok(Flow::End(INTERRUPTED)),
            found => found,
        };
        eprintln!(
            "what the source changed since the last pass began is older at the target until the next one \
             ends: the application reads it so, because a mirror rule helps only where nothing is"
        );
        let question = if arguments.switch.instant {
            "does nobody write at the source now, and nobody at the target yet?"
        } else {
            "record T2 now? The application must not have written at the target yet."
        };
        match self.ask(question).await? {
            None => return Ok(Flow::End(INTERRUPTED)),
            Some(false) => return Err(CommandError::Declined),
            Some(true) => {}
        }
        let t2 = self.after_our_last_copy().await?;
        let kept = self.kept();
        let t2 = match kept.ledger.declare_switch(&kept.job, t2).await? {
            Switched::At(t2) => t2,
            Switched::PassRuns(pass) => return Err(CutoverRefusal::PassBegan(pass).into()),
        };
        eprintln!("T2 is {t2}, by the target's clock");
        if arguments.switch.instant {
            self.note(&CutoverStep::Switched(t2)).await?;
            eprintln!("start the application on the target now");
        } else {
            eprintln!("switch the application to the target now, every writer of it");
        }
        Ok(Flow::Next)
    }

    /// The target's time, once it is certainly later than any copy of ours.
    async fn after_our_last_copy(&self) -> Result<Timestamp, CommandError> {
        let first = self.client.now().await.map_err(CommandError::Target)?;
        loop {
            sleep(LOOK_AGAIN).await;
            let now = self.client.now().await.map_err(CommandError::Target)?;
            if now >= first.plus(BEFORE_T2) {
                return Ok(now);
            }
        }
    }

    /// Hears that every writer is switched.
    pub(super) async fn confirm_switch(&self, facts: &Facts) -> Result<Flow, CommandError> {
        let arguments = self.arguments;
        if !arguments.switch.switched {
            if arguments.yes {
                return self.wait_for_switch(facts);
            }
            let question = "is every writer of the application switched to the target?";
            match self.ask(question).await? {
                None => return Ok(Flow::End(INTERRUPTED)),
                Some(false) => return self.wait_for_switch(facts),
                Some(true) => {}
            }
        }
        let until = self.client.now().await.map_err(CommandError::Target)?;
        self.note(&CutoverStep::Switched(until)).await?;
        eprintln!("switched, until {until} by the target's clock");
        Ok(Flow::Next)
    }

    fn wait_for_switch(&self, facts: &Facts) -> Result<Flow, CommandError> {
        let next = format!("{} --switched", self.asked.line("cutover"));
        eprintln!("T2 is recorded: switch the application, then go on with: {next}");
        let t2 = facts.t2.map(|t2| t2.to_string()).unwrap_or_default();
        let stale = self.stale.as_ref();
        self.print_json(&Waiting { job: &self.job.name, what: "switch", t2, stale, next })?;
        Ok(Flow::End(WAITS_FOR_SWITCH))
    }
}
