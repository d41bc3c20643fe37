//! What holds for every key of a pass: its own definition, not the job file of today.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ossferry_core::audit::Share;
use ossferry_core::compare::{Context, Copies, Past};
use ossferry_core::job::{Encryption, Filter, Job};
use ossferry_core::key::Key;
use ossferry_core::packing::BatchLimits;
use ossferry_ledger::CopiedBefore;
use ossferry_ledger::ids::PassRef;
use ossferry_ledger::rows::{PassKind, PassRow};
use tokio::sync::OnceCell;

use crate::{PlanError, Planner};

/// Bytes of a row that are not its list: key columns, names and numbers.
const ROW_OVERHEAD_BYTES: usize = 4 << 10;

/// Passes remembered at once. One runs at a time, so more are only remnants.
const PLANS_MAX: usize = 4;

/// Everything about a pass that does not change while it runs.
pub(crate) struct PassPlan {
    pub(crate) pass: PassRef,
    pub(crate) kind: PassKind,
    pub(crate) job: Job,
    pub(crate) filter: Filter,
    pub(crate) context: Context,
    /// Keys that earlier passes left undone, sorted. For a retry: what it walks.
    pub(crate) outstanding: Vec<Key>,
    pub(crate) batch_limits: BatchLimits,
    /// Messages a slice may have out that are not settled.
    pub(crate) window: u64,
    /// What earlier passes copied, read when the first key asks for it: after T2 only.
    pub(crate) copied: OnceCell<CopiedBefore>,
    /// The share of keys whose bytes an audit reads again.
    pub(crate) reread: Option<Share>,
}

impl PassPlan {
    /// What is known of a key without asking the ledger.
    pub(crate) fn past(&self, key: &Key) -> Past {
        let is_outstanding =
            !self.outstanding.is_empty() && self.outstanding.binary_search(key).is_ok();
        Past { is_outstanding, copies: Copies::NotAsked }
    }
}

/// The plans of the passes whose messages came in last.
#[derive(Default)]
pub(crate) struct PassPlans(Mutex<HashMap<PassRef, Arc<PassPlan>>>);

impl PassPlans {
    fn get(&self, pass: &PassRef) -> Option<Arc<PassPlan>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(pass).cloned()
    }

    fn keep(&self, plan: Arc<PassPlan>) {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= PLANS_MAX {
            plans.clear();
        }
        plans.insert(plan.pass.clone(), plan);
    }
}

impl Planner {
    /// The plan of a pass, read once.
    pub(crate) async fn plan_of(&self, row: &PassRow) -> Result<Arc<PassPlan>, PlanError> {
        let pass = PassRef { job: row.job.clone(), pass: row.pass.clone() };
        if let Some(plan) = self.plans.get(&pass) {
            return Ok(plan);
        }
        let outstanding = self.ledger.outstanding_keys(&pass).await?;
        let plan = Arc::new(self.make_plan(row, outstanding)?);
        self.plans.keep(plan.clone());
        Ok(plan)
    }

    /// The plan of a pass that left these keys to do.
    pub(crate) fn make_plan(
        &self,
        row: &PassRow,
        outstanding: Vec<Key>,
    ) -> Result<PassPlan, PlanError> {
        let pass = PassRef { job: row.job.clone(), pass: row.pass.clone() };
        let job = Job::from_json(&row.definition)?;
        let row_bytes_max = self.ledger.row_bytes_max().saturating_sub(ROW_OVERHEAD_BYTES);
        Ok(PassPlan {
            kind: row.kind,
            filter: job.compiled_filter()?,
            context: self.context(&job, row),
            outstanding,
            batch_limits: BatchLimits::of(&job.limits, row_bytes_max),
            window: u64::from(job.limits.window_tasks),
            copied: OnceCell::new(),
            reread: row.reread_millionths,
            job,
            pass,
        })
    }

    fn context(&self, job: &Job, row: &PassRow) -> Context {
        let (source, target) = (self.source.profile(), self.target.profile());
        let is_kms = job.target.encryption == Some(Encryption::Kms);
        Context {
            policy: job.policy.overwrite,
            since: row.since.filter(|_| row.kind == PassKind::Incremental),
            comparable: source.etag_is_comparable
                && source.etag_is_md5
                && target.etag_is_md5
                && !is_kms,
            source_reports_crc64_ecma: matches!(source.kind, "cos" | "oss"),
            t2: row.t2,
            restores: job.source.restore().is_some(),
        }
    }
}
