//! One invocation: its time, its counted ports, and how it ends a pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ossferry_core::compare::is_ours_since_t2;
use ossferry_core::job::Job;
use ossferry_core::meter::{Meter, Requests};
use ossferry_core::object::ObjectInfo;
use ossferry_core::outcome::Outcome;
use ossferry_core::ports::{Source, Target};
use ossferry_core::rates::Admission;
use ossferry_core::time::Timestamp;
use ossferry_core::timely::TimelyTarget;
use ossferry_ledger::ids::PassRef;
use ossferry_ledger::lease::Claimant;
use ossferry_ledger::lists::Expected;
use ossferry_ledger::rows::{PassRow, PassState};
use ossferry_ledger::{Handled, Invocation, Ledger, LedgerError};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::copier::{CopierOptions, CopierParts};
use crate::flight::Load;
use crate::line::{Line, rate};
use crate::reaction::Trouble;
use crate::reading::Reading;

/// A message is never delivered again sooner: whoever holds the work needs time to do it.
pub(crate) const LOOK_AGAIN_MIN: Duration = Duration::from_secs(1);

/// The pause before the rest is taken again after a transient error; four times as long after each
/// further claim in vain. With [`HAND_BACK_MAX`] six of them make about half an hour.
const HAND_BACK_FIRST: Duration = Duration::from_secs(5);

/// The longest such pause.
const HAND_BACK_MAX: Duration = Duration::from_mins(10);

/// A pass and the definition that it began with.
pub(crate) struct PassWork {
    pub(crate) job: Arc<Job>,
    /// As read when the work was claimed.
    pub(crate) pass: PassRow,
}

impl PassWork {
    /// Messages that a slice may have out.
    pub(crate) fn window(&self) -> u64 {
        u64::from(self.job.limits.window_tasks)
    }

    /// Whether the application, and not we, may have written what stands at the target.
    pub(crate) fn may_be_the_applications(&self, found: &ObjectInfo, expected: &Expected) -> bool {
        let is_since = |t2| found.last_modified.is_none_or(|time| time >= t2);
        let expected = match expected {
            Expected::Present(etag) => Some(etag),
            Expected::Absent | Expected::Unknown => None,
        };
        self.pass.t2.is_some_and(is_since) && !is_ours_since_t2(found, expected)
    }

    /// Whether the application deleted what stood under a key when it was planned, where nothing does now.
    pub(crate) fn was_deleted_since_planned(&self, expected: &Expected) -> bool {
        self.pass.t2.is_some() && matches!(expected, Expected::Present(_))
    }

    /// How much may be at work at once, after so many claims in vain: each time a quarter. What is too
    /// much for all may be enough for a few.
    pub(crate) fn load(&self, fruitless: u64) -> Load {
        let shift = u32::try_from(fruitless.saturating_mul(2)).unwrap_or(u32::MAX);
        let most = self.job.limits.concurrency_max.checked_shr(shift).unwrap_or(0);
        Load { pieces_max: usize::try_from(most.max(1)).unwrap_or(usize::MAX), fruitless }
    }
}

/// What one invocation has at hand.
pub(crate) struct Session {
    pub(crate) ledger: Ledger,
    /// Counts on this invocation's meter.
    pub(crate) source: Arc<dyn Source>,
    /// Counts on this invocation's meter.
    pub(crate) target: Arc<dyn Target>,
    pub(crate) in_flight: Arc<Semaphore>,
    pub(crate) options: CopierOptions,
    admission: Admission,
    pub(crate) claimant: Claimant,
    /// Nothing new begins from here on.
    pub(crate) closing_at: Instant,
    /// What still runs is dropped here.
    pub(crate) cut_off_at: Instant,
    /// Bytes of objects that have passed.
    pub(crate) passed_bytes: Arc<AtomicU64>,
    /// Whether a PUT of a whole object may still take effect after it was given up.
    pub(crate) in_doubt: AtomicBool,
    /// How far an audit has read objects again.
    pub(crate) reading: Reading,
    /// What the source has begun to restore.
    pub(crate) restored: Meter,
    began_at: Instant,
    line: Arc<Line>,
    /// By the ledger's clock, which goes on while a process is frozen.
    deadline: Timestamp,
    source_meter: Arc<Meter>,
    target_meter: Arc<Meter>,
}

impl Session {
    pub(crate) fn new(parts: &CopierParts, line: Arc<Line>, invocation: &Invocation) -> Self {
        let (source_meter, target_meter) = (Arc::<Meter>::default(), Arc::<Meter>::default());
        let claimant = parts.ledger.claimant_of(invocation);
        let left = invocation.deadline.since(claimant.now);
        let now = tokio::time::Instant::now();
        let (target, clock) = (parts.target.as_ref(), parts.ledger.clock());
        let target = TimelyTarget::new(target, clock, invocation.deadline);
        let before_end = |margin: Duration| now + left.saturating_sub(margin);
        Self {
            ledger: parts.ledger.within(invocation),
            source: parts.source.metered(Arc::clone(&source_meter)),
            target: target.metered(Arc::clone(&target_meter)),
            in_flight: Arc::clone(&parts.in_flight),
            options: parts.options,
            admission: parts.admission.clone(),
            closing_at: before_end(parts.options.stop_margin.min(left / 4)),
            cut_off_at: before_end(parts.options.record_margin.min(left / 8)),
            claimant,
            passed_bytes: Arc::default(),
            in_doubt: AtomicBool::new(false),
            reading: Reading::default(),
            restored: Meter::default(),
            began_at: now,
            line,
            deadline: invocation.deadline,
            source_meter,
            target_meter,
        }
    }

    /// Whether nothing new may begin any more.
    pub(crate) fn is_closing(&self) -> bool {
        tokio::time::Instant::now() >= self.closing_at
            || self.ledger.now() >= self.deadline
            || self.is_closed()
    }

    /// Whether a window lets nothing new be copied: what does not move then says nothing.
    pub(crate) fn is_closed(&self) -> bool {
        self.admission.closed_until().is_some()
    }

    /// Whether the time is up, so that nothing may be ended in the ledger that needs no lease.
    pub(crate) fn is_over(&self) -> bool {
        tokio::time::Instant::now() >= self.cut_off_at || self.ledger.now() >= self.deadline
    }

    /// Bytes that may be in flight now, if they are to end in time.
    pub(crate) fn bytes_at_once(&self, fruitless: u64) -> u64 {
        let left = self.cut_off_at.saturating_duration_since(tokio::time::Instant::now());
        self.line.carries(self.bytes_per_second(), left, fruitless)
    }

    /// Tells the process how fast the line was for this invocation.
    pub(crate) fn learn_line(&self, cut_off_bytes: u64) {
        self.line.learn(self.bytes_per_second(), cut_off_bytes);
    }

    fn bytes_per_second(&self) -> u64 {
        rate(self.passed_bytes.load(Ordering::Relaxed), self.began_at.elapsed())
    }

    /// Whether both stores' `ETag`s of 32 hex digits are MD5s.
    pub(crate) fn etags_are_comparable(&self) -> bool {
        let source = self.source.profile();
        source.etag_is_comparable && source.etag_is_md5 && self.target.profile().etag_is_md5
    }

    /// Whether the target is asked right before an object is written there: after T2, and where a
    /// versioned bucket ignores that overwriting is forbidden.
    pub(crate) fn looks_before_writing(&self, work: &PassWork, forbid_overwrite: bool) -> bool {
        let is_ignored = self.target.profile().ignores_forbid_overwrite;
        work.pass.t2.is_some() || (forbid_overwrite && is_ignored)
    }

    /// The requests made since the last call, and what the host bills for work since then.
    pub(crate) fn take_requests(&self) -> Requests {
        Requests {
            source: self.source_meter.take(),
            target: self.target_meter.take(),
            host: self.ledger.take_host_usage(),
            restored: self.restored.take(),
        }
    }

    /// The message is to come again when another worker's lease may have ended.
    pub(crate) fn later(&self, until: Timestamp) -> Handled {
        let wait = until.since(self.ledger.now());
        Handled::Later(wait.min(self.options.look_again_max).max(LOOK_AGAIN_MIN))
    }

    /// The message is to come again when this invocation's own leases have ended.
    pub(crate) fn after_own_lease(&self) -> Handled {
        self.later(self.claimant.lease_until)
    }

    /// How long what goes back is left alone at least: where a PUT may still take effect, until nothing
    /// of this invocation can be on its way any more.
    pub(crate) fn doubt_pause(&self) -> Duration {
        if self.in_doubt.load(Ordering::Relaxed) {
            self.claimant.lease_until.since(self.ledger.now())
        } else {
            Duration::ZERO
        }
    }

    /// Waits before another attempt: full jitter, but never less than the service asked for. Says
    /// whether there is time for one.
    pub(crate) async fn pause(&self, failed_attempts: u32, trouble: &Trouble) -> bool {
        let shift = failed_attempts.saturating_sub(1).min(16);
        let bound = self.options.backoff.saturating_mul(1 << shift).min(self.options.backoff_max);
        let wait = bound.mul_f64(fastrand::f64()) + trouble.error.retry_after.unwrap_or_default();
        if tokio::time::Instant::now() + wait >= self.closing_at {
            return false;
        }
        sleep(wait).await;
        true
    }

    /// How long the rest is left alone after a transient error.
    pub(crate) fn hand_back_pause(fruitless: u64, trouble: &Trouble) -> Duration {
        let factor = 4_u32.saturating_pow(u32::try_from(fruitless).unwrap_or(u32::MAX));
        let pause = HAND_BACK_FIRST.saturating_mul(factor).min(HAND_BACK_MAX);
        pause.max(trouble.error.retry_after.unwrap_or_default())
    }

    /// Ends the pass for a refusal that concerns every object.
    pub(crate) async fn stop_pass(
        &self,
        pass: &PassRef,
        trouble: &Trouble,
    ) -> Result<(), LedgerError> {
        let reason = trouble.to_string();
        tracing::error!(pass = %pass.pass, %reason, "copier: pass stopped");
        self.ledger.end_pass(pass, PassState::Stopped, Some(&reason)).await?;
        Ok(())
    }

    /// Ends the pass if more objects failed than the job allows. Called after failures were recorded.
    pub(crate) async fn stop_if_too_many_failed(
        &self,
        pass: &PassRef,
        work: &PassWork,
    ) -> Result<(), LedgerError> {
        let status = self.ledger.status(pass).await?;
        let failed = status.totals.sum.of(Outcome::Failed);
        if status.row.state.is_final() || failed <= work.job.limits.failures_max {
            return Ok(());
        }
        let reason = format!("{failed} objects failed, more than limits.failures_max");
        tracing::error!(pass = %pass.pass, %reason, "copier: pass stopped");
        self.ledger.end_pass(pass, PassState::Stopped, Some(&reason)).await?;
        Ok(())
    }
}
