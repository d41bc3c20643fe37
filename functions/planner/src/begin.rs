//! A trigger: which pass it asks for, and whether that may begin.

use std::time::Duration;

use ossferry_core::audit::Share;
use ossferry_core::job::{Job, Overwrite, SourceSpec, StoreKind};
use ossferry_core::key::Key;
use ossferry_core::ports::{ListRequest, ListStart};
use ossferry_core::since::{EarlierPass, Walk, since};
use ossferry_core::time::Timestamp;
use ossferry_ledger::ids::{JobName, PassId, PassRef, pass_row};
use ossferry_ledger::rows::{JobRow, PassIndexRow, PassKind, PassRow, PassState};
use ossferry_ledger::{BeginPass, Begun};

use crate::{KeyCount, PlanError, Planner, Refusal};

/// Keys named when a filled target is refused.
const EXAMPLES_MAX: usize = 5;

/// What asks for a pass: a person, a schedule, a program.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// Made by whoever triggers, so that a trigger delivered twice is one pass.
    pub pass: PassId,
    /// `None`: full if no full pass of the scope has finished, else incremental.
    pub kind: Option<PassKind>,
    /// For an incremental pass: source dates before this are trusted. Used as given, but never later
    /// than what earlier passes vouch for: a later time could hide a change that none of them saw.
    pub since: Option<Timestamp>,
    /// For an audit: the share of keys whose bytes are read again at the source.
    pub reread: Option<Share>,
}

impl Planner {
    /// The pass of the job that runs, if one does. Refused where the file names another scope.
    pub async fn running(&self, job: &Job) -> Result<Option<PassRow>, PlanError> {
        let name = JobName(job.name.clone());
        let Some(pass) = self.ledger.running_pass(&name).await? else { return Ok(None) };
        let row = self.ledger.pass(&PassRef { job: name, pass }).await?;
        if row.scope_hash != job.scope_hash() {
            return Err(Refusal::ScopeDiffers { running: row.pass }.into());
        }
        Ok(Some(row))
    }

    /// Begins the pass of a trigger, unless another runs. May be repeated: the same pass id is the
    /// same pass.
    ///
    /// Refused by name are: a file whose scope is not that of the running pass, or not that of T2, once
    /// that is declared; an incremental pass
    /// before any full pass of the scope; a retry with nothing outstanding; any pass while workers of
    /// one that was stopped or cancelled are still at work; the first pass into a target that already holds keys, until the file names a policy.
    pub async fn begin(&self, job: &Job, trigger: Trigger) -> Result<Begun, PlanError> {
        let running = self.running(job).await?;
        let begin = match (self.begin_pass(job, &trigger).await, running) {
            // What would be refused is no reason to complain while another pass runs.
            (Err(PlanError::Refused(_)), Some(row)) if row.pass != trigger.pass => {
                return Ok(Begun::Skipped { running: row.pass });
            }
            (begin, _) => begin?,
        };
        Ok(self.ledger.begin_pass(&begin).await?)
    }

    pub(crate) async fn begin_pass(
        &self,
        job: &Job,
        trigger: &Trigger,
    ) -> Result<BeginPass, PlanError> {
        let name = JobName(job.name.clone());
        let pass = PassRef { job: name.clone(), pass: trigger.pass.clone() };
        if let Some(row) = self.ledger.read::<PassRow>(&pass_row(&pass)).await? {
            return Ok(again(row));
        }
        let scope_hash = job.scope_hash();
        if let Some(row) = self.ledger.job(&name).await?
            && row.t2.is_some()
            && row.scope_hash != scope_hash
        {
            return Err(Refusal::SwitchedScope.into());
        }
        let mut ours = self.ledger.passes(&name).await?;
        if trigger.kind != Some(PassKind::Audit) {
            self.clear_predecessors(&name, &ours).await?;
        }
        ours.retain(|pass| pass.scope_hash == scope_hash && pass.state != PassState::Skipped);
        let earlier = earlier_passes(&ours, job);
        let has_full = earlier.iter().any(|pass| pass.walk == Walk::Full && pass.is_finished);
        let kind =
            trigger.kind.unwrap_or(if has_full { PassKind::Incremental } else { PassKind::Full });
        let since = match kind {
            PassKind::Incremental => {
                let vouched = since(&earlier, &scope_hash, since_margin(&job.source))
                    .map_err(|_| Refusal::NoFullPass)?;
                Some(trigger.since.map_or(vouched, |since| since.min(vouched)))
            }
            // An audit trusts no date: of the target's bytes the source's date says nothing.
            PassKind::Full | PassKind::Retry | PassKind::Audit => None,
        };
        if trigger.reread.is_some() && kind != PassKind::Audit {
            return Err(Refusal::RereadWithout(kind).into());
        }
        // A pass that trusts no date finds by itself what was never tried.
        let trusts_dates =
            kind != PassKind::Full || job.policy.overwrite == Some(Overwrite::SizeAndTime);
        // What is outstanding is for a pass that copies.
        let outstanding = match kind {
            PassKind::Audit => Vec::new(),
            _ => self.ledger.outstanding_of(&name, &scope_hash, trusts_dates).await?,
        };
        if kind == PassKind::Retry && outstanding.is_empty() {
            return Err(Refusal::NothingOutstanding.into());
        }
        // An audit writes nothing, and so makes no pass after it the second.
        let is_first = ours.iter().all(|pass| pass.kind == PassKind::Audit);
        if is_first && kind != PassKind::Audit && job.policy.overwrite.is_none() {
            self.refuse_filled_target(&job.target.prefix).await?;
        }
        // T1 is read last, but before the pass exists and so before its first page.
        let t1 = self.source.now().await.map_err(PlanError::Source)?;
        let job = JobRow {
            name,
            definition: job.to_json(),
            definition_hash: job.definition_hash(),
            scope_hash,
            active_pass: None,
            t2: None,
            deployed_at: None,
        };
        let (pass, reread) = (trigger.pass.clone(), trigger.reread);
        Ok(BeginPass { job, pass, kind, t1, since, outstanding, reread })
    }

    /// Workers of a pass that ended early may still write older bytes: the next pass waits for them.
    async fn clear_predecessors(
        &self,
        job: &JobName,
        passes: &[PassIndexRow],
    ) -> Result<(), PlanError> {
        for index in passes {
            let is_early = matches!(index.state, PassState::Stopped | PassState::Cancelled);
            if !is_early || index.cleared.is_some() {
                continue;
            }
            let pass = PassRef { job: job.clone(), pass: index.pass.clone() };
            if let Some(until) = self.clear_uploads(&pass).await?.held_until {
                return Err(Refusal::StillAtWork { pass: pass.pass, until }.into());
            }
        }
        Ok(())
    }

    /// The first pass into a target with keys of others needs a policy by name.
    async fn refuse_filled_target(&self, prefix: &Key) -> Result<(), PlanError> {
        let mut request = ListRequest {
            prefix: prefix.clone(),
            start: ListStart::Beginning,
            keys_max: self.target.profile().page_keys_max,
        };
        loop {
            let page = self.target.list(&request).await.map_err(PlanError::Target)?;
            match page.next {
                Some(next) if page.entries.is_empty() => request.start = ListStart::Token(next),
                None if page.entries.is_empty() => return Ok(()),
                next => {
                    let count =
                        KeyCount { at_least: page.entries.len() as u64, more: next.is_some() };
                    let examples =
                        page.entries.into_iter().take(EXAMPLES_MAX).map(|entry| entry.key);
                    let examples = examples.collect();
                    return Err(Refusal::TargetFilled { count, examples }.into());
                }
            }
        }
    }
}

/// The pass of a trigger that was delivered before: as it was begun. Its keys stand already.
fn again(row: PassRow) -> BeginPass {
    let job = JobRow {
        name: row.job,
        definition: row.definition,
        definition_hash: row.definition_hash,
        scope_hash: row.scope_hash,
        active_pass: None,
        t2: row.t2,
        deployed_at: None,
    };
    BeginPass {
        job,
        pass: row.pass,
        kind: row.kind,
        t1: row.t1,
        since: row.since,
        outstanding: Vec::new(),
        reread: row.reread_millionths,
    }
}

fn earlier_passes(passes: &[PassIndexRow], job: &Job) -> Vec<EarlierPass> {
    let earlier = passes.iter().filter_map(|pass| {
        Some(EarlierPass {
            walk: match pass.kind {
                PassKind::Full => Walk::Full,
                PassKind::Incremental => Walk::Incremental,
                PassKind::Audit | PassKind::Retry => Walk::Partial,
            },
            scope_hash: pass.scope_hash.clone(),
            is_finished: pass.state == PassState::Finished,
            t1: pass.t1?,
            // Later dates were filtered away; the filter is part of the scope, so it was the same.
            until: job.filter.modified_until,
        })
    });
    earlier.collect()
}

/// How much later than it dates an object a source may show it.
fn since_margin(source: &SourceSpec) -> Duration {
    match source {
        // A file's own clock may be a network's, and may tick in two seconds.
        SourceSpec::Folder(_) => Duration::from_mins(1),
        // The service's own clock dates every object when its write ends.
        SourceSpec::Azure(_) | SourceSpec::Gcs(_) => Duration::from_mins(15),
        // A file may be put into its place with a date of long ago: no date vouches for it.
        SourceSpec::UrlList(_) => Duration::from_hours(24 * 365 * 100),
        SourceSpec::Bucket(bucket) => match bucket.kind {
            StoreKind::Oss => Duration::from_mins(15),
            // S3 dates a multipart object by when its upload began; a day is long for one.
            _ => Duration::from_hours(24),
        },
    }
}
