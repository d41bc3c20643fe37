//! Opens the upload of a large object: one attempt, its ranges' rows, then their messages.

use std::sync::Arc;
use std::time::Duration;

use ossferry_core::along::read_along;
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::job::RestoreSpec;
use ossferry_core::key::Key;
use ossferry_core::meter::{Meter, Requests};
use ossferry_core::object::{ByteRange, ObjectInfo, Pin};
use ossferry_core::outcome::Outcome;
use ossferry_core::ports::{Restoration, Source, Target};
use ossferry_core::restored::count_restored;
use ossferry_ledger::ids::{TaskRef, task_row};
use ossferry_ledger::lease::Hold;
use ossferry_ledger::lists::{Action, ObjectResult, PlannedObject};
use ossferry_ledger::rows::{AbortReason, Opened, PassState, TaskRow, UploadRow, UploadState};
use ossferry_ledger::{Handled, Invocation, LEASE_MARGIN, Ledger, LedgerError, UploadTurn};
use tokio::time::timeout_at;

use crate::deadline::work_until;
use crate::leftovers::clear;
use crate::opening::{Fate, fate_of, layout_of, options_of, unopened};
use crate::pass_plan::PassPlan;
use crate::{PlanError, Planner};

/// An upload that another opens is looked at again after at most this.
const LOOK_AGAIN_MAX: Duration = Duration::from_mins(1);

/// An attempt that a store failed for now is made again after this, doubled each time.
const RETRY_AFTER: Duration = Duration::from_secs(5);
const RETRY_AFTER_MAX: Duration = Duration::from_mins(5);

/// Why an attempt was not opened.
enum Unopened {
    /// The object has its outcome.
    Ended(Fate),
    /// Nothing of the job can go on.
    Stop(String),
    /// A store failed for now.
    Later(PortError),
    /// A request to begin the upload may still be on its way: the next attempt clears up after it, and
    /// must not come before it.
    Unheard(PortError),
    Ledger(LedgerError),
}

impl From<LedgerError> for Unopened {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl Unopened {
    fn of(end: &'static str, error: PortError) -> Self {
        match error.kind {
            kind if kind.concerns_every_object() => Self::Stop(format!("{end}: {error}")),
            ErrorKind::NoSuchKey => {
                Self::Ended((Outcome::Gone, "deleted at the source since".to_owned()))
            }
            ErrorKind::Archived => Self::Ended((Outcome::Archived, format!("{end}: {error}"))),
            ErrorKind::Unsupported => {
                Self::Ended((Outcome::Unsupported, format!("{end}: {error}")))
            }
            _ if error.is_transient() => Self::Later(error),
            _ => Self::Ended((Outcome::Failed, format!("{end}: {error}"))),
        }
    }
}

/// One attempt that this invocation holds.
struct Attempt {
    task: TaskRef,
    row: UploadRow,
    hold: Hold,
    earlier: Vec<UploadRow>,
    plan: Arc<PassPlan>,
    source: Arc<dyn Source>,
    target: Arc<dyn Target>,
    ledger: Ledger,
    source_meter: Arc<Meter>,
    target_meter: Arc<Meter>,
    /// What the source has begun to restore.
    restored: Meter,
}

impl Attempt {
    fn requests(&self) -> Requests {
        Requests {
            source: self.source_meter.take(),
            target: self.target_meter.take(),
            host: self.ledger.take_host_usage(),
            restored: self.restored.take(),
        }
    }
}

impl Planner {
    pub(crate) async fn open_upload(
        &self,
        task: &TaskRef,
        invocation: &Invocation,
    ) -> Result<Handled, PlanError> {
        let claimant = self.ledger.claimant_of(invocation);
        let (source_meter, target_meter) = (Arc::<Meter>::default(), Arc::<Meter>::default());
        let target = self.target.metered(target_meter.clone());
        let target_now = match target.now().await {
            Ok(now) => now,
            Err(error) if error.kind.concerns_every_object() => {
                return self.stop(task, &format!("target: {error}")).await;
            }
            Err(error) if error.is_transient() => {
                tracing::warn!(%task, %error, "upload not opened yet");
                return Ok(Handled::Later(error.retry_after.unwrap_or(RETRY_AFTER)));
            }
            Err(error) => return Err(PlanError::Target(error)),
        };
        match self.ledger.take_upload(task, &claimant, target_now).await? {
            UploadTurn::Over => Ok(Handled::Done),
            UploadTurn::Leased(until) => {
                let left = until.since(self.ledger.now());
                Ok(Handled::Later(left.min(LOOK_AGAIN_MAX)))
            }
            UploadTurn::Opened(row) => {
                if row.state == UploadState::Open {
                    self.ledger.send_ranges(task, &row).await?;
                }
                Ok(Handled::Done)
            }
            UploadTurn::Opening { row, hold, earlier, pass } => {
                let plan = self.plan_of(&pass).await?;
                let attempt = Attempt {
                    task: task.clone(),
                    row: *row,
                    hold,
                    earlier,
                    plan,
                    source: self.source.metered(source_meter.clone()),
                    target,
                    ledger: self.ledger.clone(),
                    source_meter,
                    target_meter,
                    restored: Meter::default(),
                };
                if attempt.row.is_poison() {
                    return Ok(self.end_poisoned(&attempt).await?);
                }
                self.attempt(attempt, invocation).await
            }
        }
    }

    /// Planners died while they opened the upload, one after the other: the object is failed by name.
    async fn end_poisoned(&self, attempt: &Attempt) -> Result<Handled, LedgerError> {
        let Attempt { task, row, earlier, plan, target, .. } = attempt;
        let planned: TaskRow = self.ledger.expect(&task_row(task)).await?;
        let target_key = plan.job.target_key(&planned.first_key);
        if let Some(key) = target_key.filter(|_| !row.is_deadly())
            && let Err(error) = clear(target.as_ref(), &key, row, earlier, plan.context.t2).await
        {
            tracing::warn!(%task, %error, "an unfinished upload may be left at the target");
        }
        let reason = "workers died while the upload of this object was opened";
        self.conclude(attempt, (Outcome::Failed, reason.to_owned())).await
    }

    async fn attempt(
        &self,
        attempt: Attempt,
        invocation: &Invocation,
    ) -> Result<Handled, PlanError> {
        let stop_at = work_until(invocation, self.ledger.now());
        let opened = timeout_at(stop_at, self.open(&attempt)).await.unwrap_or_else(|_| {
            let message = "open upload: the deadline is near";
            Err(Unopened::Unheard(PortError::new(ErrorKind::Deadline, message)))
        });
        let Attempt { task, row, .. } = &attempt;
        let generation = row.generation;
        let handled = match opened {
            Ok(row) => self.ledger.send_ranges(task, &row).await.map(|()| Handled::Done),
            Err(Unopened::Ended(fate)) => self.conclude(&attempt, fate).await,
            Err(Unopened::Stop(reason)) => {
                let hold = &attempt.hold;
                self.ledger.let_go_of_upload(task, generation, hold).await?;
                return self.stop(task, &reason).await;
            }
            Err(Unopened::Later(error)) => self.put_off(&attempt, &error, Duration::ZERO).await,
            Err(Unopened::Unheard(error)) => self.put_off(&attempt, &error, LEASE_MARGIN).await,
            Err(Unopened::Ledger(error)) => Err(error),
        };
        match handled {
            // Another holds the attempt now. What this one had begun beside it is aborted already.
            Err(LedgerError::LeaseLost(_)) => Ok(Handled::Done),
            handled => Ok(handled?),
        }
    }

    /// Lets go of the attempt, so that the next one need not wait for this one's lease, but comes not
    /// before `least`.
    async fn put_off(
        &self,
        attempt: &Attempt,
        error: &PortError,
        least: Duration,
    ) -> Result<Handled, LedgerError> {
        let Attempt { task, row, hold, earlier, .. } = attempt;
        let requests = attempt.requests();
        let delay = error.retry_after.unwrap_or_else(|| pause(unopened(earlier))).max(least);
        tracing::warn!(%task, %error, ?delay, "upload not opened yet");
        self.ledger.put_off_opening(task, row.generation, hold, &requests, delay).await?;
        Ok(Handled::Later(delay))
    }

    /// Begins the upload at the target, after what lost planners began there is aborted, and fixes it.
    async fn open(&self, attempt: &Attempt) -> Result<UploadRow, Unopened> {
        let Attempt { task, row, hold, earlier, plan, source, target, .. } = attempt;
        let planned = self.planned(task).await?;
        let Some(target_key) = plan.job.target_key(&planned.key) else {
            let reason = "the key does not begin with the job's prefix";
            return Err(Unopened::Ended((Outcome::Failed, reason.to_owned())));
        };
        let at_target = |error| match Unopened::of("target", error) {
            // Only the source says that an object is gone.
            Unopened::Ended((Outcome::Gone, _)) => {
                Unopened::Ended((Outcome::Failed, "target: no such key".to_owned()))
            }
            unopened => unopened,
        };
        clear(target.as_ref(), &target_key, row, earlier, plan.context.t2)
            .await
            .map_err(at_target)?;
        if let Some(fate) = fate_of(earlier) {
            return Err(Unopened::Ended(fate));
        }
        let info =
            source.head(&planned.key).await.map_err(|error| Unopened::of("source", error))?;
        let Some(pinned_etag) = info.etag.clone() else {
            let reason = "the source gives no ETag to pin the object by";
            return Err(Unopened::Ended((Outcome::Failed, reason.to_owned())));
        };
        if let Some(wanted) = plan.job.source.restore() {
            let pin = Pin { etag: pinned_etag.clone() };
            be_readable(attempt, &planned, &pin, wanted).await?;
        }
        let layout = layout_of(info.size, &plan.job.limits).map_err(Unopened::Ended)?;
        let along = read_along(source.as_ref(), &plan.job, &planned.key, &info)
            .await
            .map_err(|error| Unopened::of("source", error))?;
        let carried = options_of(&plan.job, plan.context.comparable, &planned, &info, &along);
        let begun = target.initiate_upload(&target_key, &carried.options).await;
        let upload_id = begun.map_err(|error| match at_target(error) {
            Unopened::Later(error) if error.conclusion == Conclusion::Unknown => {
                Unopened::Unheard(error)
            }
            unopened => unopened,
        })?;
        let ObjectInfo { size, digests, .. } = info;
        let opened = Opened {
            upload_id,
            pinned_etag,
            size,
            part_bytes: layout.parts().part_bytes(),
            range_parts: u64::from(layout.parts_per_range()),
            ranges: u64::from(layout.range_count()),
            left_behind: carried.left_behind(),
            departures: carried.departures,
            acl: carried.options.acl,
            headers: carried.options.headers,
            source_crc64_ecma: digests.crc64_ecma,
            source_crc64_nvme: digests.crc64_nvme,
            requests: attempt.requests(),
        };
        let fixed = self.ledger.open_upload(task, row.generation, hold, &opened).await;
        if let Err(LedgerError::LeaseLost(_)) = fixed {
            self.abort_unnamed(attempt, &target_key, &opened.upload_id).await;
        }
        Ok(fixed?)
    }

    /// Aborts the upload that this invocation began and another's attempt took the place of. Whoever took
    /// over by a clock that is ahead may have cleared up before it came to exist, and would never hear of it.
    async fn abort_unnamed(&self, attempt: &Attempt, target_key: &Key, id: &String) {
        let Attempt { task, row, hold, target, .. } = attempt;
        let aborted = async {
            let now = self.ledger.upload(task, row.generation).await?;
            // As long as nobody has taken over our own write may still name it; whoever takes over then
            // finds it in the listing.
            if now.lease.fence != hold.fence && now.upload_id.as_ref() != Some(id) {
                target.abort_upload(target_key, id).await.map_err(PlanError::Target)?;
            }
            Ok::<_, PlanError>(())
        };
        if let Err(error) = aborted.await {
            tracing::warn!(%task, upload_id = id, %error, "an upload may be left at the target");
        }
    }

    async fn planned(&self, task: &TaskRef) -> Result<PlannedObject, Unopened> {
        let row: TaskRow = self.ledger.expect(&task_row(task)).await?;
        let object = self.ledger.objects(task, &row).await?.into_iter().next();
        let is_copy = |object: &PlannedObject| matches!(object.action, Action::Copy { .. });
        object.filter(is_copy).ok_or_else(|| {
            let message = format!("task {task} holds no object to copy");
            LedgerError::Inconsistent(message).into()
        })
    }

    /// Ends the object here. The attempt is given up first, which shows whether it is still ours.
    async fn conclude(
        &self,
        attempt: &Attempt,
        (outcome, reason): Fate,
    ) -> Result<Handled, LedgerError> {
        let Attempt { task, row, hold, plan, .. } = attempt;
        let ended = AbortReason::Ended;
        let given_up = self
            .ledger
            .abandon_upload(task, row.generation, ended, Some(hold), Duration::ZERO)
            .await?;
        if given_up.lease.fence != hold.fence {
            // Another had opened it since; the next attempt begins anew.
            self.ledger.send_upload(task, Duration::ZERO).await?;
            return Ok(Handled::Done);
        }
        let result = ObjectResult::plain(0, outcome, reason);
        let (fence, requests) = (row.result_fence(), attempt.requests());
        self.ledger.conclude_upload(task, fence, result, &requests, plan.window).await?;
        Ok(Handled::Done)
    }

    async fn stop(&self, task: &TaskRef, reason: &str) -> Result<Handled, PlanError> {
        tracing::error!(%task, reason, "pass stopped");
        self.ledger.end_pass(task.pass(), PassState::Stopped, Some(reason)).await?;
        Ok(Handled::Done)
    }
}

/// Reads the first byte of an object whose class may be an archive's, and asks for it to be restored where
/// that is refused. Nothing is begun at the target before it can be read.
async fn be_readable(
    attempt: &Attempt,
    planned: &PlannedObject,
    pin: &Pin,
    wanted: &RestoreSpec,
) -> Result<(), Unopened> {
    if planned.storage_class.is_none() {
        return Ok(());
    }
    let first = ByteRange { start: 0, bytes: 1 };
    let source = &attempt.source;
    match source.open(&planned.key, pin, Some(first)).await {
        Ok(_) => return Ok(()),
        Err(error) if error.kind == ErrorKind::Archived => {}
        Err(error) if error.kind == ErrorKind::PreconditionFailed => {
            return Err(Unopened::Later(error.concluding(Conclusion::NotDone)));
        }
        Err(error) => return Err(Unopened::of("source", error)),
    }
    let class = planned.storage_class.as_deref();
    let asked = source.restore(&planned.key, wanted, class).await;
    if matches!(asked, Ok(Restoration::Asked)) {
        count_restored(&attempt.restored, class, wanted.tier, planned.size);
    }
    match asked {
        Ok(Restoration::Readable) => Ok(()),
        Ok(Restoration::Asked | Restoration::Ongoing) => {
            let waits = PortError::new(ErrorKind::Restoring, "restore: it is being restored");
            let retry_after = Some(wanted.tier.pause());
            Err(Unopened::Later(PortError { retry_after, ..waits }))
        }
        Err(error) if error.is_transient() => Err(Unopened::of("source", error)),
        Err(error) if error.kind.concerns_every_object() => Err(Unopened::of("source", error)),
        Err(error) => Err(Unopened::Ended((Outcome::Archived, format!("source: {error}")))),
    }
}

fn pause(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts).unwrap_or(u32::MAX).min(16);
    RETRY_AFTER.saturating_mul(1 << doublings).min(RETRY_AFTER_MAX)
}
