//! The audit: both ends compared, writing nothing, before the mirror rule goes.

use ossferry_core::error::ErrorKind;
use ossferry_core::job::Overwrite;
use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use ossferry_core::report::Report;
use ossferry_ledger::ids::PassRef;
use ossferry_ledger::rows::CutoverStep;
use ossferry_ledger::{CopiedBefore, ObjectRecord};

use super::stale::Named;
use super::steps::{CutoverRefusal, check_end};
use super::{Cutover, Flow};
use crate::cli::WantedPass;
use crate::command_error::CommandError;
use crate::host::interrupt::INTERRUPTED;

/// Audits of one call. What the first finds is mended by a pass before the second.
const AUDITS_MAX: u32 = 3;

/// What an audit may find that has to be explained.
const FINDINGS: [Outcome; 3] = [Outcome::Missing, Outcome::Different, Outcome::Changed];

impl Cutover<'_> {
    /// Compares everything. What the application deleted at the target is missing there by its own will;
    /// whatever else is missing or different is copied, and looked at again.
    pub(super) async fn audit(&mut self) -> Result<Flow, CommandError> {
        let Some((pass, report)) = self.pass(Some(WantedPass::Audit)).await? else {
            return Ok(Flow::End(INTERRUPTED));
        };
        check_end(&report)?;
        let unexplained = self.unexplained(&pass, &report).await?;
        if unexplained.count == 0 {
            self.rounds = 0;
            self.note(&CutoverStep::Audited(pass.pass)).await?;
            return Ok(Flow::Next);
        }
        self.rounds += 1;
        if self.rounds >= AUDITS_MAX {
            return Err(CutoverRefusal::AuditDiffers {
                pass: pass.pass,
                count: unexplained.count,
                example: unexplained.keys.first().map(Key::to_string).unwrap_or_default(),
            }
            .into());
        }
        let mended = self.pass(Some(WantedPass::Incremental)).await?;
        Ok(mended.map_or(Flow::End(INTERRUPTED), |_| Flow::Next))
    }

    /// Keys that an audit found missing or different, and that the ledger does not explain.
    async fn unexplained(&self, pass: &PassRef, report: &Report) -> Result<Named, CommandError> {
        let mut found = Named::default();
        if report.missing + report.different + report.changed == 0 {
            return Ok(found);
        }
        let ledger = &self.kept().ledger;
        let copied = ledger.copied_before(pass).await?;
        let mut walk = ledger.task_walk(pass).await?;
        while let Some((task, row)) = walk.next().await? {
            if FINDINGS.iter().all(|outcome| row.sum.of(*outcome) == 0) {
                continue;
            }
            for record in ledger.object_records(&task, &row).await? {
                if !self.is_explained(&copied, &record).await? {
                    found.add(record.object.key);
                }
            }
        }
        Ok(found)
    }

    async fn is_explained(
        &self,
        before: &CopiedBefore,
        record: &ObjectRecord,
    ) -> Result<bool, CommandError> {
        let outcome = record.result.as_ref().and_then(|result| result.outcome);
        let keeps_others = self.job.policy.overwrite == Some(Overwrite::Never);
        match outcome {
            Some(Outcome::Different) => Ok(keeps_others),
            // Copied once, and not there any more: the application deleted it.
            Some(Outcome::Missing | Outcome::Changed) => {
                let key = &record.object.key;
                let copies = self.kept().ledger.copies_of(before, key).await?;
                Ok(!copies.is_empty() && self.is_absent(key).await?)
            }
            _ => Ok(true),
        }
    }

    async fn is_absent(&self, key: &Key) -> Result<bool, CommandError> {
        let Some(target_key) = self.job.target_key(key) else { return Ok(false) };
        match self.client.head_object(&target_key).await {
            Ok(_) => Ok(false),
            Err(error) if error.kind == ErrorKind::NoSuchKey => Ok(true),
            Err(error) => Err(CommandError::Target(error)),
        }
    }
}
