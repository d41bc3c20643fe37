//! One machine: SQLite, a planner, and a copier that reports every object as copied.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use ossferry_core::job::Job;
use ossferry_core::key::Key;
use ossferry_core::meter::Requests;
use ossferry_core::object::Entry;
use ossferry_core::outcome::Outcome;
use ossferry_core::ports::{ListingOrder, Queue, Table};
use ossferry_core::proof::Grade;
use ossferry_core::time::Timestamp;
use ossferry_ledger::ids::{JobName, PassId, PassRef};
use ossferry_ledger::lists::{Action, ObjectResult, PlannedObject};
use ossferry_ledger::messages::Message;
use ossferry_ledger::rows::{PassKind, PassRow, TaskKind};
use ossferry_ledger::{Begun, Handled, Invocation, Ledger, TaskClaim};
use ossferry_local::Database;
use ossferry_planner::{PlanError, Planner, PlannerParts, Trigger};

use crate::crash::{Crash, CrashingTable};
use crate::source::ScriptedSource;
use crate::target::ScriptedTarget;

pub(crate) struct World {
    pub(crate) ledger: Ledger,
    /// Beside the ledger, for rows that it would not write.
    pub(crate) table: Arc<dyn Table>,
    pub(crate) source: ScriptedSource,
    pub(crate) target: ScriptedTarget,
    pub(crate) crash: Crash,
    pub(crate) clock: Arc<AtomicI64>,
    pub(crate) job: Job,
    /// Whether a further slice would be walked at once.
    pub(crate) appetite: Arc<AtomicBool>,
    /// How long one invocation may take.
    pub(crate) invocation: Duration,
    planner_queue: Arc<dyn Queue>,
    copier_queue: Arc<dyn Queue>,
    owners: AtomicU64,
    _folder: tempfile::TempDir,
}

/// What a test may decide about its world.
pub(crate) struct Plan {
    pub(crate) source: Vec<Entry>,
    pub(crate) target: Vec<Entry>,
    pub(crate) order: ListingOrder,
    pub(crate) page: u32,
    pub(crate) task_objects_max: u32,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            source: Vec::new(),
            target: Vec::new(),
            order: ListingOrder::Bytes,
            page: 100,
            task_objects_max: 70,
        }
    }
}

pub(crate) const JOB: &str = r#"
name = "move"
[source]
kind = "s3"
region = "eu-central-1"
bucket = "from"
credentials = { from = "anonymous" }
[target]
region = "cn-hangzhou"
bucket = "to"
credentials = { from = "env", access_key = "A", secret_key = "B" }
[policy]
overwrite = "source-wins"
"#;

impl World {
    pub(crate) fn new(plan: Plan) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
        let read = clock.clone();
        let clock_of_all: ossferry_core::time::Clock =
            Arc::new(move || Timestamp(read.load(Ordering::SeqCst)));
        let database =
            Database::open(folder.path().join("state.sqlite"), clock_of_all.clone()).unwrap();
        let crash = Crash::default();
        let table = CrashingTable { inner: Arc::new(database.table()), crash: crash.clone() };
        let planner_queue: Arc<dyn Queue> = Arc::new(database.queue("planners"));
        let copier_queue: Arc<dyn Queue> = Arc::new(database.queue("copiers"));
        let ledger = Ledger::new(
            Arc::new(table),
            planner_queue.clone(),
            copier_queue.clone(),
            clock_of_all,
            Arc::new(|_| false),
        );
        let mut job = Job::parse(JOB).unwrap();
        job.limits.task_objects_max = plan.task_objects_max;
        Self {
            ledger,
            table: Arc::new(database.table()),
            source: ScriptedSource::new(plan.source, plan.order, plan.page, crash.clone()),
            target: ScriptedTarget::new(&plan.target, plan.page, crash.clone()),
            crash,
            clock,
            job,
            appetite: Arc::new(AtomicBool::new(false)),
            invocation: Duration::from_mins(5),
            planner_queue,
            copier_queue,
            owners: AtomicU64::new(0),
            _folder: folder,
        }
    }

    pub(crate) fn planner(&self) -> Planner {
        let appetite = self.appetite.clone();
        Planner::new(PlannerParts {
            ledger: self.ledger.clone(),
            source: Arc::new(self.source.clone()),
            target: Arc::new(self.target.clone()),
            appetite: Arc::new(move || appetite.load(Ordering::SeqCst)),
        })
    }

    pub(crate) fn invocation(&self) -> Invocation {
        let number = self.owners.fetch_add(1, Ordering::SeqCst);
        let deadline = self.ledger.now().plus(self.invocation);
        Invocation { owner: format!("w{number}"), deadline }
    }

    pub(crate) async fn begin(
        &self,
        pass: &str,
        kind: Option<PassKind>,
    ) -> Result<Begun, PlanError> {
        let trigger = Trigger { pass: PassId::from(pass), kind, since: None, reread: None };
        self.planner().begin(&self.job, trigger).await
    }

    pub(crate) fn pass(&self, pass: &str) -> PassRef {
        PassRef { job: JobName(self.job.name.clone()), pass: PassId::from(pass) }
    }

    pub(crate) fn advance(&self, duration: Duration) {
        let millis = i64::try_from(duration.as_millis()).unwrap();
        self.clock.fetch_add(millis, Ordering::SeqCst);
    }

    /// One message of the planners' queue, if one is there. Answers whether one was.
    pub(crate) async fn plan_one(&self, planner: &Planner) -> Result<bool, PlanError> {
        let queue = self.planner_queue.as_ref();
        let hidden = Duration::from_hours(1);
        let received = queue.receive(1, hidden, Duration::ZERO).await.unwrap();
        let Some(delivery) = received.first() else { return Ok(false) };
        let message = Message::from_text(&delivery.body).unwrap();
        match planner.handle(&message, &self.invocation()).await? {
            Handled::Done => queue.ack(&delivery.receipt).await.unwrap(),
            Handled::Later(delay) => {
                queue.extend(&delivery.receipt, delay).await.unwrap();
            }
        }
        Ok(true)
    }

    /// Several planners at once, until their queue is empty.
    pub(crate) async fn plan_all(&self, planners: usize) -> Result<(), PlanError> {
        let planner = self.planner();
        let at_once = (0..planners).map(|_| async {
            // A split fills the queue while another planner finds it empty.
            let patience = if planners > 1 { 20 } else { 1 };
            let mut empty = 0;
            while empty < patience {
                if self.plan_one(&planner).await? {
                    empty = 0;
                } else {
                    empty += 1;
                    if empty < patience {
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                }
            }
            Ok(())
        });
        futures::future::join_all(at_once).await.into_iter().collect()
    }

    /// Every batch that was sent: each object copied. Answers how many batches there were.
    pub(crate) async fn copy_all(&self, outcome: impl Fn(&Key) -> Outcome) -> usize {
        let mut copied = 0;
        loop {
            let queue = self.copier_queue.as_ref();
            let hidden = Duration::from_hours(1);
            let received = queue.receive(10, hidden, Duration::ZERO).await.unwrap();
            if received.is_empty() {
                return copied;
            }
            for delivery in received {
                let message = Message::from_text(&delivery.body).unwrap();
                if let Message::Task(task) = &message {
                    let claimant = self.ledger.claimant_of(&self.invocation());
                    let claim = self.ledger.take_task(task, &claimant).await.unwrap();
                    if let TaskClaim::Mine(claimed) = claim {
                        let results: Vec<_> = claimed
                            .rest
                            .iter()
                            .map(|index| {
                                result(*index, &claimed.objects[*index as usize], &outcome)
                            })
                            .collect();
                        let requests = Requests::default();
                        self.ledger
                            .record_task(&claimed, &results, requests, Duration::ZERO, 64)
                            .await
                            .unwrap();
                        copied += 1;
                    }
                }
                queue.ack(&delivery.receipt).await.unwrap();
            }
        }
    }

    /// Loses what the queues hold: how many messages of the planners', and of the copiers'.
    pub(crate) async fn lose_messages(&self) -> (usize, usize) {
        let lose = async |queue: &dyn Queue| {
            let mut lost = 0;
            while let Some(delivery) =
                queue.receive(1, Duration::from_hours(1), Duration::ZERO).await.unwrap().pop()
            {
                queue.ack(&delivery.receipt).await.unwrap();
                lost += 1;
            }
            lost
        };
        (lose(self.planner_queue.as_ref()).await, lose(self.copier_queue.as_ref()).await)
    }

    /// Planners and copiers until the pass has ended.
    pub(crate) async fn finish(&self, pass: &str, planners: usize) -> PassRow {
        for _ in 0..200 {
            self.plan_all(planners).await.unwrap();
            self.copy_all(|_| Outcome::Copied).await;
            let row = self.ledger.pass(&self.pass(pass)).await.unwrap();
            if row.state.is_final() {
                return row;
            }
            self.advance(Duration::from_mins(10));
            self.ledger.sweep(&self.pass(pass), 64, Duration::ZERO).await.unwrap();
        }
        panic!("the pass does not end");
    }

    /// Every object of every task, by key: how often it was planned, and as what.
    pub(crate) async fn planned(
        &self,
        pass: &str,
    ) -> BTreeMap<Key, Vec<(TaskKind, PlannedObject)>> {
        let mut planned: BTreeMap<Key, Vec<_>> = BTreeMap::new();
        let pass = self.pass(pass);
        let mut walk = self.ledger.task_walk(&pass).await.unwrap();
        while let Some((task, row)) = walk.next().await.unwrap() {
            for object in self.ledger.objects(&task, &row).await.unwrap() {
                planned.entry(object.key.clone()).or_default().push((row.kind, object));
            }
        }
        planned
    }

    /// Every key of the source is planned exactly once.
    pub(crate) async fn assert_each_once(&self, pass: &str) {
        let planned = self.planned(pass).await;
        let mut keys: Vec<Key> = {
            let script = self.source.script.lock().unwrap();
            script.entries.iter().map(|entry| entry.key.clone()).collect()
        };
        keys.sort();
        assert!(planned.values().all(|objects| objects.len() == 1), "planned twice");
        assert_eq!(planned.into_keys().collect::<Vec<_>>(), keys);
    }
}

fn result(index: u32, object: &PlannedObject, outcome: impl Fn(&Key) -> Outcome) -> ObjectResult {
    match (&object.action, outcome(&object.key)) {
        (Action::Record { outcome, reason }, _) => {
            ObjectResult::plain(index, *outcome, reason.clone())
        }
        (Action::Copy { .. }, Outcome::Copied) => ObjectResult {
            index,
            outcome: Some(Outcome::Copied),
            proof: Some(Grade::C),
            bytes: object.size,
            ..ObjectResult::default()
        },
        (Action::Audit(_), Outcome::Copied) => ObjectResult {
            proof: Some(Grade::A),
            ..ObjectResult::plain(index, Outcome::Equal, "scripted")
        },
        (Action::Copy { .. } | Action::Audit(_), outcome) => {
            ObjectResult::plain(index, outcome, "scripted")
        }
    }
}

/// `count` keys of eight digits after a name.
pub(crate) fn numbered(name: &str, count: usize) -> Vec<Entry> {
    (0..count)
        .map(|number| crate::source::source_entry(Key::from(format!("{name}{number:08}")), 10))
        .collect()
}
