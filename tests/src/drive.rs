//! Planner, copier and ledger in one task, over ends that are reached through sockets: the clock stands
//! still while anything can be done.

mod weather;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use ossferry_copier::{Copier, CopierOptions, CopierParts, CopyError};
use ossferry_core::audit::Share;
use ossferry_core::job::Job;
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::ports::{Queue, Source, Table, Target};
use ossferry_core::report::Report;
use ossferry_ledger::ids::{JobName, PassRef};
use ossferry_ledger::messages::Message;
use ossferry_ledger::rows::{PassKind, PassRow};
use ossferry_ledger::{Begun, Handled, Invocation, Ledger};
use ossferry_local::Database;
use ossferry_planner::{PlanError, Planner, PlannerParts, Trigger};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::clock::SteppedClock;
use crate::faulty::{Fates, FaultyQueue, FaultySource, FaultyTable, FaultyTarget};
use crate::inspection::{Held, inspect};
use crate::oss::Oss;
use crate::post::{Letter, Post};

pub use weather::{Mishaps, Weather};

/// The sweep is due at least this often, by the clock of the drive.
const SWEEP_INTERVAL: Duration = Duration::from_mins(15);

/// A message counts as lost when its task waited so long.
const MESSAGE_IDLE: Duration = Duration::from_mins(10);

/// Deliveries after which a pass that does not end is a defect.
const DELIVERIES_MAX: u64 = 20_000;

/// Where a ledger is kept, and what counts on the way there.
pub struct Store {
    /// Its rows.
    pub table: Arc<dyn Table>,
    /// On which the table counts what is billed for it.
    pub meter: Arc<Meter>,
}

impl From<Arc<dyn Table>> for Store {
    fn from(table: Arc<dyn Table>) -> Self {
        Self { table, meter: Arc::default() }
    }
}

/// A job at work in this task.
pub struct Drive {
    job: Job,
    /// Through ports without faults.
    ledger: Ledger,
    planner: Planner,
    copier: Copier,
    posts: [Post; 2],
    clock: SteppedClock,
    weather: Weather,
    rng: fastrand::Rng,
    mishaps: Mishaps,
    invocations: u64,
    _folder: Option<TempDir>,
}

impl Drive {
    /// A job that nothing was done of. The fates are those of every port.
    pub fn new(
        job: Job,
        source: Arc<dyn Source>,
        target: Arc<dyn Target>,
        clock: &SteppedClock,
        fates: &Fates,
        weather: Weather,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let database = Database::open(folder.path().join("state.sqlite"), clock.clock());
        let table: Arc<dyn Table> = Arc::new(database.expect("a new database").table());
        let drive = Self::over(table, job, source, target, clock, fates, weather);
        Self { _folder: Some(folder), ..drive }
    }

    /// [`Drive::new`] with its ledger in this store.
    pub fn over(
        store: impl Into<Store>,
        job: Job,
        source: Arc<dyn Source>,
        target: Arc<dyn Target>,
        clock: &SteppedClock,
        fates: &Fates,
        weather: Weather,
    ) -> Self {
        let Store { table, meter } = store.into();
        let post = || Post::new(clock.clock()).refusing(weather.refused, weather.seed);
        let posts = [post(), post()];
        let ledger = |table: Arc<dyn Table>, queues: [Arc<dyn Queue>; 2]| {
            let [planners, copiers] = queues;
            Ledger::new(table, planners, copiers, clock.clock(), Arc::new(|_: &str| false))
                .metered(Arc::clone(&meter))
        };
        let clean = posts.clone().map(|post| Arc::new(post) as Arc<dyn Queue>);
        let faulty = |queue| Arc::new(FaultyQueue::new(queue, fates.clone())) as Arc<dyn Queue>;
        let handlers_ledger = ledger(
            Arc::new(FaultyTable::new(Arc::clone(&table), fates.clone())),
            clean.clone().map(faulty),
        );
        let clean_ledger = ledger(table, clean);
        let source: Arc<dyn Source> = Arc::new(FaultySource::new(source, fates.clone()));
        let target: Arc<dyn Target> = Arc::new(FaultyTarget::new(target, fates.clone()));
        let planner = Planner::new(PlannerParts {
            ledger: handlers_ledger.clone(),
            source: Arc::clone(&source),
            target: Arc::clone(&target),
            appetite: Arc::new(|| true),
        });
        let copier = Copier::new(CopierParts {
            ledger: handlers_ledger,
            source,
            target,
            in_flight: Arc::new(Semaphore::new(8)),
            admission: ossferry_core::rates::Admission::default(),
            options: CopierOptions {
                backoff: Duration::from_millis(1),
                backoff_max: Duration::from_millis(2),
                ..CopierOptions::default()
            },
        });
        Self {
            job,
            ledger: clean_ledger,
            planner,
            copier,
            posts,
            clock: clock.clone(),
            weather,
            rng: fastrand::Rng::with_seed(weather.seed),
            mishaps: Mishaps::default(),
            invocations: 0,
            _folder: None,
        }
    }

    /// What has happened so far.
    pub fn mishaps(&self) -> Mishaps {
        let refused = self.posts.iter().map(Post::refused).sum();
        Mishaps { refused, ..self.mishaps }
    }

    /// Messages delivered so far.
    pub fn deliveries(&self) -> u64 {
        self.invocations
    }

    /// The ledger through ports without faults.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Begins a pass. The trigger is delivered again until it is taken, as a schedule's is.
    pub async fn begin(&mut self, id: &str, kind: Option<PassKind>) -> PassRef {
        self.begin_rereading(id, kind, None).await
    }

    /// [`Drive::begin`] of an audit that reads this share of all keys again.
    pub async fn begin_rereading(
        &mut self,
        id: &str,
        kind: Option<PassKind>,
        reread: Option<Share>,
    ) -> PassRef {
        let pass = PassRef { job: JobName(self.job.name.clone()), pass: id.into() };
        for _ in 0..10 {
            let trigger = Trigger { pass: pass.pass.clone(), kind, since: None, reread };
            match self.planner.begin(&self.job, trigger).await {
                Ok(Begun::Running(_) | Begun::Ended(_)) => return pass,
                Ok(Begun::Skipped { running }) => panic!("pass {running} is running"),
                Err(PlanError::Refused(refusal)) => panic!("refused: {refusal}"),
                Err(_) => self.clock.step(Duration::from_secs(30)),
            }
        }
        panic!("the trigger is never taken");
    }

    /// Delivers messages until the pass has ended.
    pub async fn until_end(&mut self, pass: &PassRef) -> PassRow {
        let mut swept_at = self.clock.now();
        for _ in 0..DELIVERIES_MAX {
            let row = self.ledger.pass(pass).await.expect("the pass is there");
            if row.state.is_final() {
                return row;
            }
            if self.clock.now().since(swept_at) >= SWEEP_INTERVAL {
                swept_at = self.clock.now();
                let window = u64::from(self.job.limits.window_tasks);
                self.ledger.sweep(pass, window, MESSAGE_IDLE).await.expect("a sweep");
            }
            let letters = self.take_letters();
            if letters.is_empty() {
                let next = self.posts.iter().filter_map(Post::next_visible_at).min();
                let due = swept_at.plus(SWEEP_INTERVAL);
                self.clock.step_to(next.map_or(due, |next| next.min(due)));
                continue;
            }
            let calls: Vec<_> =
                letters.into_iter().map(|(at, letter)| self.call(at, letter)).collect();
            let is_outdated = |call: &&Call| call.message.pass() != pass;
            self.mishaps.outdated += calls.iter().filter(is_outdated).count() as u64;
            let this = &*self;
            join_all(calls.into_iter().map(|call| Box::pin(this.deliver(call)))).await;
        }
        let status = self.ledger.status(pass).await;
        panic!("the pass does not end: {status:#?}");
    }

    /// Takes what is delivered next, after drawing what is doubled.
    fn take_letters(&mut self) -> Vec<(usize, Letter)> {
        let mut taken = Vec::new();
        for _ in 0..self.weather.at_once.max(1) {
            let visible = [self.posts[0].visible(), self.posts[1].visible()];
            let total = visible[0] + visible[1];
            if total == 0 {
                break;
            }
            let drawn = self.rng.usize(0..total);
            let (at, index) = if drawn < visible[0] { (0, drawn) } else { (1, drawn - visible[0]) };
            let Some(letter) = self.posts[at].take(|_| index) else { break };
            if self.rng.u32(0..1_000) < self.weather.doubled {
                self.mishaps.doubled += 1;
                let delay = Duration::from_secs(self.rng.u64(0..200));
                self.posts[at].put_back(letter.body.clone(), delay);
            }
            taken.push((at, letter));
        }
        taken
    }

    fn call(&mut self, at: usize, letter: Letter) -> Call {
        self.invocations += 1;
        let task_time = Duration::from_secs(u64::from(self.job.limits.task_seconds));
        Call {
            at,
            message: Message::from_text(&letter.body).expect("a message of ours"),
            letter,
            invocation: Invocation {
                owner: format!("drive/{}", self.invocations),
                deadline: self.clock.now().plus(task_time),
            },
        }
    }

    /// Has one message handled, and tells the queue what came of it.
    async fn deliver(&self, call: Call) {
        let Call { at, letter, message, invocation } = call;
        let handled = if at == 0 {
            self.planner.handle(&message, &invocation).await.map_err(|error| match error {
                PlanError::Ledger(error) if error.is_transient() => error.to_string(),
                PlanError::Source(error) | PlanError::Target(error) if error.is_transient() => {
                    error.to_string()
                }
                error => panic!("planner: {} {error}", letter.body),
            })
        } else {
            self.copier.handle(&message, &invocation).await.map_err(|error| match error {
                CopyError::Ledger(error) if error.is_transient() => error.to_string(),
                error => panic!("copier: {} {error}", letter.body),
            })
        };
        match handled {
            Err(_) => self.posts[at].put_back(letter.body, Duration::from_secs(30)),
            Ok(Handled::Later(delay)) => self.posts[at].put_back(letter.body, delay),
            Ok(Handled::Done) => {}
        }
    }

    /// The report of a pass that has ended, after everything that must hold of one was looked at.
    pub async fn check(
        &self,
        pass: &PassRef,
        oss: &Oss,
        expected: &BTreeMap<Key, bytes::Bytes>,
    ) -> Report {
        let target = oss.target();
        let held =
            Held { objects: target.objects().await, open_uploads: target.open_uploads().await };
        inspect(&self.ledger, pass, &held, expected).await.report
    }
}

/// One delivery.
struct Call {
    at: usize,
    letter: Letter,
    message: Message,
    invocation: Invocation,
}
