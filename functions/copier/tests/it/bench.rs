//! A pass of one slice, planned by the test, and a loop that hands its messages out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ossferry_conformance::memory::MemoryTable;
use ossferry_copier::{Copier, CopierOptions, CopierParts, CopyError};
use ossferry_core::fidelity::Departures;
use ossferry_core::job::Job;
use ossferry_core::meter::Requests;
use ossferry_core::object::ETag;
use ossferry_core::outcome::Outcome;
use ossferry_core::ports::PutOptions;
use ossferry_core::sums::Walked;
use ossferry_core::time::{Clock, Timestamp};
use ossferry_ledger::ids::{PassRef, SliceId, SliceRef, TaskRef, task_row};
use ossferry_ledger::lists::{Action, Expected, ObjectResult, PlannedObject};
use ossferry_ledger::messages::Message;
use ossferry_ledger::rows::{
    AbortReason, JobRow, Opened, PassKind, Progress, SliceClaim, TaskKind, TaskRow,
};
use ossferry_ledger::{BeginPass, Begun, Handled, Invocation, Ledger, PassStatus, UploadTurn};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

use crate::memory::MemoryQueue;
use crate::scripted_source::{ScriptedSource, SourceObject};
use crate::scripted_target::ScriptedTarget;

const JOB: &str = r#"
name = "job"
[source]
kind = "s3"
region = "eu-central-1"
bucket = "photos"
credentials = { from = "anonymous" }
[target]
region = "cn-hangzhou"
bucket = "moved"
prefix = "to/"
credentials = { from = "env", access_key = "A", secret_key = "B" }
"#;

/// The ledger's clock when a test begins.
const BEGAN: i64 = 1_800_000_000_000;

/// The target's clock is ahead of the ledger's by this: times of the two are not to be compared.
const TARGET_AHEAD: Duration = Duration::from_hours(1);

/// What one invocation may take.
pub(crate) const INVOCATION: Duration = Duration::from_mins(1);

pub(crate) struct Bench {
    pub(crate) table: Arc<MemoryTable>,
    pub(crate) ledger: Ledger,
    pub(crate) source: ScriptedSource,
    pub(crate) target: ScriptedTarget,
    pub(crate) in_flight: Arc<Semaphore>,
    pub(crate) planners: MemoryQueue,
    pub(crate) copiers: MemoryQueue,
    pub(crate) pass: PassRef,
    pub(crate) job: Job,
    copier: Arc<Copier>,
    calls: AtomicU64,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}, None).await
    }

    /// A bench whose job is edited first; `t2` by the target's clock, after the test began.
    pub(crate) async fn with(edit: impl FnOnce(&mut Job), t2: Option<Duration>) -> Self {
        Self::of(PassKind::Full, edit, t2).await
    }

    /// A bench whose pass is an audit.
    pub(crate) async fn of_audit() -> Self {
        Self::of(PassKind::Audit, |_| {}, None).await
    }

    async fn of(kind: PassKind, edit: impl FnOnce(&mut Job), t2: Option<Duration>) -> Self {
        let start = Instant::now();
        let elapsed = move || Timestamp(BEGAN).plus(start.elapsed());
        let clock: Clock = Arc::new(elapsed);
        let target = ScriptedTarget::new(Arc::new(move || elapsed().plus(TARGET_AHEAD)));
        let source = ScriptedSource::new();
        let mut job = Job::parse(JOB).unwrap_or_else(|errors| panic!("{errors}"));
        edit(&mut job);
        let table = Arc::<MemoryTable>::default();
        let (planners, copiers) = (MemoryQueue::default(), MemoryQueue::default());
        let ledger = Ledger::new(
            table.clone(),
            Arc::new(planners.clone()),
            Arc::new(copiers.clone()),
            clock,
            Arc::new(|owner: &str| owner.starts_with("dead")),
        );
        let in_flight = Arc::new(Semaphore::new(8));
        let copier = Arc::new(Copier::new(CopierParts {
            ledger: ledger.clone(),
            source: Arc::new(source.clone()),
            target: Arc::new(target.clone()),
            in_flight: in_flight.clone(),
            admission: ossferry_core::rates::Admission::default(),
            options: CopierOptions::default(),
        }));
        let t2 = t2.map(|after| Timestamp(BEGAN).plus(TARGET_AHEAD + after));
        let pass = begin(&ledger, &job, kind, t2).await;
        let calls = AtomicU64::new(0);
        Self {
            table,
            ledger,
            source,
            target,
            in_flight,
            planners,
            copiers,
            pass,
            job,
            copier,
            calls,
        }
    }

    pub(crate) fn slice(&self) -> SliceRef {
        self.pass.slice(SliceId::root())
    }

    /// Plans these tasks and ends the listing.
    pub(crate) async fn plan(&self, tasks: Vec<(TaskKind, Vec<PlannedObject>)>) -> Vec<TaskRef> {
        let slice = self.slice();
        let claimant = self.ledger.claimant_of(&self.invocation("planner"));
        let (row, claim) = self.ledger.take_slice(&slice, &claimant).await.unwrap();
        assert_eq!(claim, SliceClaim::Mine);
        let hold = row.lease.hold().unwrap();
        let mut planned = Vec::new();
        let objects = tasks.iter().map(|(_, objects)| objects.len() as u64).sum();
        for ((kind, objects), seq) in tasks.into_iter().zip(1..) {
            let task = slice.task(seq);
            self.ledger.write_task(&task, &hold, kind, &objects).await.unwrap();
            planned.push(task);
        }
        let walked = Walked { listed: objects, planned: objects, ..Walked::default() };
        let next_seq = planned.len() as u64 + 1;
        let progress = Progress { cursor: None, token: None, next_seq, walked, listed: true };
        self.ledger.commit_slice(&slice, &hold, &progress, 64).await.unwrap();
        planned
    }

    /// Plans one batch of objects that the source holds.
    pub(crate) async fn plan_batch(&self, objects: Vec<PlannedObject>) -> TaskRef {
        self.plan(vec![(TaskKind::Batch, objects)]).await.remove(0)
    }

    /// Plans one large object, and opens its first upload.
    pub(crate) async fn plan_upload(&self, object: PlannedObject) -> TaskRef {
        self.plan(vec![(TaskKind::Upload, vec![object])]).await.remove(0)
    }

    pub(crate) fn invocation(&self, who: &str) -> Invocation {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let owner = format!("{who}/{number}");
        Invocation { owner, deadline: self.ledger.now().plus(INVOCATION) }
    }

    /// One invocation for one message.
    pub(crate) async fn handle(&self, message: &Message) -> Handled {
        let invocation = self.invocation("copier");
        self.handle_as(message, &invocation).await
    }

    /// Runs on a task of its own, which holds that the work may move between threads.
    pub(crate) async fn handle_as(&self, message: &Message, invocation: &Invocation) -> Handled {
        self.try_handle_as(message, invocation).await.unwrap()
    }

    /// For a message that may be left to be delivered again.
    pub(crate) async fn try_handle(&self, message: &Message) -> Result<Handled, CopyError> {
        self.try_handle_as(message, &self.invocation("copier")).await
    }

    async fn try_handle_as(
        &self,
        message: &Message,
        invocation: &Invocation,
    ) -> Result<Handled, CopyError> {
        let (copier, message) = (Arc::clone(&self.copier), message.clone());
        let invocation = invocation.clone();
        tokio::spawn(async move { copier.handle(&message, &invocation).await }).await.unwrap()
    }

    /// Hands messages out, each when it is due, until none is left.
    pub(crate) async fn drain(&self) {
        for _ in 0..400 {
            let (planner, copier) = (self.planners.first_at(), self.copiers.first_at());
            let queue = match (planner, copier) {
                (None, None) => return,
                (Some(planner), Some(copier)) if planner <= copier => &self.planners,
                (Some(_), None) => &self.planners,
                _ => &self.copiers,
            };
            let (at, message) = queue.take_first().unwrap();
            sleep_until(at).await;
            match &message {
                Message::Slice(_) => {}
                Message::Upload(task) => self.open(task).await,
                Message::Task(_) | Message::Range { .. } => {
                    if let Handled::Later(wait) = self.handle(&message).await {
                        queue.put(message.to_text(), wait);
                    }
                }
            }
        }
        panic!("the work does not come to an end");
    }

    /// What a planner does with an upload message, without its care for crashes.
    pub(crate) async fn open(&self, task: &TaskRef) {
        let claimant = self.ledger.claimant_of(&self.invocation("opener"));
        let ledger = &self.ledger;
        let target: &dyn ossferry_core::ports::Target = &self.target;
        let source: &dyn ossferry_core::ports::Source = &self.source;
        let now = target.now().await.unwrap();
        let UploadTurn::Opening { row, hold, earlier, .. } =
            ledger.take_upload(task, &claimant, now).await.unwrap()
        else {
            return;
        };
        let key = ledger.expect::<TaskRow>(&task_row(task)).await.unwrap().first_key;
        let ended = |reason| earlier.iter().filter(|row| row.abort_reason == Some(reason)).count();
        let changes = ended(AbortReason::Changed);
        assert!(ended(AbortReason::Mismatch) < 3 && ended(AbortReason::Vanished) < 3);
        let info = source.head(&key).await;
        let outcome = match info {
            Err(_) => Some(Outcome::Gone),
            Ok(_) if changes >= 3 => Some(Outcome::Deferred),
            Ok(_) => None,
        };
        if let Some(outcome) = outcome {
            let result = ObjectResult::plain(0, outcome, "opener");
            let (fence, none) = (row.result_fence(), Requests::default());
            ledger.conclude_upload(task, fence, result, &none, 64).await.unwrap();
            let generation = row.generation;
            let ended = AbortReason::Ended;
            ledger
                .abandon_upload(task, generation, ended, Some(&hold), Duration::ZERO)
                .await
                .unwrap();
            return;
        }
        let info = info.unwrap();
        let target_key = self.job.target_key(&key).unwrap();
        let options = PutOptions::default();
        let opened = Opened {
            upload_id: target.initiate_upload(&target_key, &options).await.unwrap(),
            pinned_etag: info.etag.unwrap(),
            size: info.size,
            part_bytes: PART_BYTES,
            range_parts: 2,
            ranges: info.size.div_ceil(PART_BYTES).div_ceil(2),
            left_behind: None,
            departures: Departures::default(),
            acl: None,
            headers: info.headers,
            source_crc64_ecma: info.digests.crc64_ecma,
            source_crc64_nvme: info.digests.crc64_nvme,
            requests: Requests::default(),
        };
        let row = ledger.open_upload(task, row.generation, &hold, &opened).await.unwrap();
        ledger.send_ranges(task, &row).await.unwrap();
    }

    pub(crate) async fn task(&self, task: &TaskRef) -> TaskRow {
        self.ledger.expect(&task_row(task)).await.unwrap()
    }

    /// What became of each object of a task, by index.
    pub(crate) async fn results(&self, task: &TaskRef) -> Vec<ObjectResult> {
        let row = self.task(task).await;
        let mut results = self.ledger.results(task, &row).await.unwrap();
        results.sort_by_key(|result| result.index);
        results
    }

    pub(crate) async fn status(&self) -> PassStatus {
        self.ledger.status(&self.pass).await.unwrap()
    }
}

/// Of every upload of the bench: the least that OSS takes.
pub(crate) const PART_BYTES: u64 = 100 << 10;

async fn begin(ledger: &Ledger, job: &Job, kind: PassKind, t2: Option<Timestamp>) -> PassRef {
    let row = JobRow {
        name: "job".into(),
        definition: job.to_json(),
        definition_hash: job.definition_hash(),
        scope_hash: job.scope_hash(),
        active_pass: None,
        t2,
        deployed_at: None,
    };
    let begin = BeginPass {
        job: row,
        pass: "p1".into(),
        kind,
        t1: Timestamp(3_000),
        since: None,
        outstanding: Vec::new(),
        reread: None,
    };
    let answer = ledger.begin_pass(&begin).await.unwrap();
    assert!(matches!(answer, Begun::Running(_)));
    PassRef { job: "job".into(), pass: "p1".into() }
}

/// The object as a listing gives it.
pub(crate) fn planned(key: &str, object: &SourceObject) -> PlannedObject {
    PlannedObject {
        key: key.into(),
        size: object.info.size,
        etag: object.info.etag.clone(),
        last_modified: object.info.last_modified,
        storage_class: object.info.storage_class.clone(),
        expected: Expected::Absent,
        action: Action::Copy { forbid_overwrite: false },
    }
}

/// The object as a listing gives it, of which nothing may be overwritten.
pub(crate) fn created(key: &str, object: &SourceObject) -> PlannedObject {
    PlannedObject { action: Action::Copy { forbid_overwrite: true }, ..planned(key, object) }
}

/// The object as a listing gives it, in place of this one at the target.
pub(crate) fn replacing(key: &str, object: &SourceObject, etag: &ETag) -> PlannedObject {
    PlannedObject { expected: Expected::Present(etag.clone()), ..planned(key, object) }
}
