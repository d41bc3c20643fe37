//! The audit: both ends compared once more, before the mirror rule goes.

use ossferry_ledger::rows::CutoverStep;

use super::steps::{CutoverRefusal, judge_drain};
use super::{Cutover, Flow};
use crate::cli::WantedPass;
use crate::command_error::CommandError;
use crate::host::interrupt::INTERRUPTED;

impl Cutover<'_> {
    /// Compares everything, trusting no date.
    pub(super) async fn audit(&self) -> Result<Flow, CommandError> {
        let Some((pass, report)) = self.pass(Some(WantedPass::Full)).await? else {
            return Ok(Flow::End(INTERRUPTED));
        };
        if !judge_drain(&report)? {
            let delta = super::delta_of(&report);
            return Err(CutoverRefusal::SourceStillWritten { delta }.into());
        }
        self.note(&CutoverStep::Audited(pass.pass)).await?;
        Ok(Flow::Next)
    }
}
