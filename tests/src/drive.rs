//! Planner, copier and ledger in one task under one seed: the order of messages, their doubles and
//! losses, and the deaths of handlers are drawn; the clock stands still while anything can be done.

mod weather;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use ossferry_copier::{Copier, CopierOptions, CopierParts, CopyError};
use ossferry_core::job::Job;
use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use ossferry_core::ports::{Queue, Source, Table, Target};
use ossferry_core::report::{PassFacts, Report, ReportState};
use ossferry_ledger::ids::{JobName, PassRef};
use ossferry_ledger::messages::Message;
use ossferry_ledger::rows::{PassKind, PassRow, PassState};
use ossferry_ledger::{Begun, Handled, Invocation, Ledger};
use ossferry_local::Database;
use ossferry_planner::{PlanError, Planner, PlannerParts, Trigger};
use tempfile::TempDir;
use tokio::sync::{Notify, Semaphore};

use self::weather::Mortal;
use crate::clock::SteppedClock;
use crate::faulty::{Fates, FaultyQueue, FaultySource, FaultyTable, FaultyTarget};
use crate::oss::Oss;
use crate::post::{Letter, Post};

pub use weather::{Mishaps, Weather};

/// A message whose handler died comes again after this, as a queue's visibility timeout says.
const VISIBILITY: Duration = Duration::from_mins(5);

/// The sweep is due at least this often, by the clock of the drive.
const SWEEP_INTERVAL: Duration = Duration::from_mins(15);

/// A message counts as lost when its task waited so long.
const MESSAGE_IDLE: Duration = Duration::from_mins(10);

/// Drawn deaths at one message: at one more its object may be given up as poison.
const DEATHS_MAX: u32 = 3;

/// Deliveries after which a pass that does not end is a defect.
const DELIVERIES_MAX: u64 = 20_000;

/// A job at work in this task.
pub struct Drive {
    job: Job,
    /// Through ports without faults.
    ledger: Ledger,
    /// Through ports with faults.
    handlers_ledger: Ledger,
    planner: Planner,
    copier: Copier,
    posts: [Post; 2],
    clock: SteppedClock,
    weather: Weather,
    rng: fastrand::Rng,
    invocations: u64,
    mishaps: Mishaps,
    /// How often the handler of this message has died.
    deaths: HashMap<String, u32>,
    knell: Arc<Notify>,
    _folder: TempDir,
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
        let post = || Post::new(clock.clock()).refusing(weather.refused, weather.seed);
        let posts = [post(), post()];
        let ledger = |table: Arc<dyn Table>, queues: [Arc<dyn Queue>; 2]| {
            let [planner, copier] = queues;
            Ledger::new(table, planner, copier, clock.clock(), Arc::new(|_: &str| false))
        };
        let clean = posts.clone().map(|post| Arc::new(post) as Arc<dyn Queue>);
        let clean_ledger = ledger(Arc::clone(&table), clean);
        let faulty = |post: Post| -> Arc<dyn Queue> {
            Arc::new(FaultyQueue::new(Arc::new(post), fates.clone()))
        };
        let table = Arc::new(FaultyTable::new(table, fates.clone()));
        let handlers_ledger = ledger(table, posts.clone().map(faulty));
        let source: Arc<dyn Source> = Arc::new(FaultySource::new(source, fates.clone()));
        let target: Arc<dyn Target> = Arc::new(FaultyTarget::new(target, fates.clone()));
        let planner = Planner::new(PlannerParts {
            ledger: handlers_ledger.clone(),
            source: Arc::clone(&source),
            target: Arc::clone(&target),
            appetite: Arc::new(|| true),
        });
        let copier = Copier::new(CopierParts {
            ledger: handlers_ledger.clone(),
            source,
            target,
            in_flight: Arc::new(Semaphore::new(8)),
            options: CopierOptions {
                backoff: Duration::from_millis(1),
                backoff_max: Duration::from_millis(2),
                ..CopierOptions::default()
            },
        });
        Self {
            job,
            ledger: clean_ledger,
            handlers_ledger,
            planner,
            copier,
            posts,
            clock: clock.clone(),
            weather,
            rng: fastrand::Rng::with_seed(weather.seed),
            invocations: 0,
            mishaps: Mishaps::default(),
            deaths: HashMap::new(),
            knell: Arc::default(),
            _folder: folder,
        }
    }

    /// The ledger through ports without faults.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whoever notifies its waiters has every handler die that is at work.
    pub fn knell(&self) -> Arc<Notify> {
        Arc::clone(&self.knell)
    }

    /// What has happened so far.
    pub fn mishaps(&self) -> Mishaps {
        let refused = self.posts.iter().map(Post::refused).sum();
        Mishaps { refused, ..self.mishaps }
    }

    /// Begins a pass. The trigger is delivered again until it is taken, as a schedule's is.
    pub async fn begin(&mut self, id: &str, kind: Option<PassKind>) -> PassRef {
        let pass = PassRef { job: JobName(self.job.name.clone()), pass: id.into() };
        for _ in 0..10 {
            let trigger = Trigger { pass: pass.pass.clone(), kind, since: None };
            match self.planner.begin(&self.job, trigger).await {
                Ok(Begun::Running(_) | Begun::Ended(_)) => return pass,
                Ok(Begun::Skipped { running }) => panic!("pass {running} is running"),
                Err(PlanError::Refused(refusal)) => panic!("refused: {refusal}"),
                Err(_) => self.clock.step(Duration::from_secs(30)),
            }
        }
        panic!("the trigger is never taken");
    }

    /// Delivers messages until the pass has ended. After a handler died, what it had begun at the
    /// wire is waited for: nothing of it is in flight any more when its lease runs out.
    pub async fn until_end(&mut self, pass: &PassRef, oss: &Oss) -> PassRow {
        let mut swept_at = self.clock.now();
        for _ in 0..DELIVERIES_MAX {
            let row = self.ledger.pass(pass).await.expect("the pass is there");
            if row.state.is_final() {
                return row;
            }
            if self.clock.now().since(swept_at) >= SWEEP_INTERVAL {
                swept_at = self.clock.now();
                self.sweep(pass).await;
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
            let ended = join_all(calls.into_iter().map(|call| this.deliver(call))).await;
            let deaths = ended.iter().filter(|has_died| **has_died).count() as u64;
            self.mishaps.deaths += deaths;
            if deaths > 0 {
                oss.wire().quiet().await;
            }
        }
        let status = self.ledger.status(pass).await;
        panic!("the pass does not end under {:?}: {status:#?}", self.weather);
    }

    async fn sweep(&self, pass: &PassRef) {
        let window = u64::from(self.job.limits.window_tasks);
        if let Err(error) = self.handlers_ledger.sweep(pass, window, MESSAGE_IDLE).await {
            assert!(error.is_transient(), "sweep: {error}");
        }
    }

    fn chance(&mut self, in_a_thousand: u32) -> bool {
        self.rng.u32(0..1_000) < in_a_thousand
    }

    /// Takes what is delivered next, after drawing what is lost and what is doubled.
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
            if self.chance(self.weather.lost) {
                self.mishaps.lost += 1;
                continue;
            }
            if self.chance(self.weather.doubled) {
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
        let task_time = if self.chance(self.weather.hurried) {
            Duration::from_millis(self.rng.u64(1..60))
        } else {
            Duration::from_secs(u64::from(self.job.limits.task_seconds))
        };
        let is_forgotten = self.chance(self.weather.unacknowledged);
        self.mishaps.unacknowledged += u64::from(is_forgotten);
        let deaths = self.deaths.entry(letter.body.clone()).or_default();
        let may_die = *deaths < DEATHS_MAX;
        let dies = may_die && self.rng.u32(0..1_000) < self.weather.deaths;
        *deaths += u32::from(dies);
        let polls = if dies { self.rng.u32(1..40) } else { u32::MAX };
        Call {
            at,
            message: Message::from_text(&letter.body).expect("a message of ours"),
            letter,
            invocation: Invocation {
                owner: format!("drive/{}", self.invocations),
                deadline: self.clock.now().plus(task_time),
            },
            polls,
            is_forgotten,
        }
    }

    /// Has one message handled, and tells the queue what came of it. Says whether the handler died.
    async fn deliver(&self, call: Call) -> bool {
        let Call { at, letter, message, invocation, polls, is_forgotten } = call;
        let work = async {
            if at == 0 {
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
            }
        };
        let handled = tokio::select! {
            biased;
            () = self.knell.notified() => None,
            handled = Mortal::new(work, polls) => handled,
        };
        let again = match &handled {
            None => Some(VISIBILITY),
            Some(Err(_)) => Some(Duration::from_secs(30)),
            Some(Ok(Handled::Later(delay))) => Some(*delay),
            Some(Ok(Handled::Done)) => is_forgotten.then_some(VISIBILITY),
        };
        if let Some(delay) = again {
            self.posts[at].put_back(letter.body.clone(), delay);
        }
        handled.is_none()
    }

    /// The report of a pass that has ended, after everything that must hold of one was looked at:
    /// it is finished, the law holds, each planned object has one outcome in one task, every key
    /// expected stands at the target with its bytes, and no upload is open there.
    pub async fn check(
        &self,
        pass: &PassRef,
        oss: &Oss,
        expected: &BTreeMap<Key, bytes::Bytes>,
    ) -> Report {
        let status = self.ledger.status(pass).await.expect("a status");
        let row = &status.row;
        let seed = self.weather.seed;
        assert_eq!(row.state, PassState::Finished, "seed {seed}: {:?}", row.reason);
        let facts = PassFacts {
            pass: row.pass.0.clone(),
            kind: row.kind.as_str().to_owned(),
            state: ReportState::Finished,
            reason: None,
            serial: false,
            slices: status.totals.slices,
            tasks: status.totals.tasks,
            seconds: 0.0,
        };
        let report = Report::new(facts, &status.totals.walked, &status.totals.sum);
        assert_eq!(report.check_law(), Ok(()), "seed {seed}");
        let mut outcomes: BTreeMap<Key, Option<Outcome>> = BTreeMap::new();
        let mut counts = [0_u64; 9];
        let mut walk = self.ledger.task_walk(pass).await.expect("the tasks");
        while let Some((task, row)) = walk.next().await.expect("a task") {
            assert!(row.state.is_final(), "seed {seed}: task {task} has not ended");
            for record in self.ledger.object_records(&task, &row).await.expect("its objects") {
                let key = record.object.key;
                let outcome = record.result.and_then(|result| result.outcome);
                let known = outcome.unwrap_or_else(|| panic!("seed {seed}: {key} has no outcome"));
                counts[known.index()] += 1;
                let earlier = outcomes.insert(key.clone(), outcome);
                assert_eq!(earlier, None, "seed {seed}: {key} was planned twice");
            }
        }
        assert_eq!(counts, status.totals.sum.outcomes, "seed {seed}: rows and sums differ");
        let found = oss.target().objects().await;
        for (key, bytes) in expected {
            let same = found.get(key) == Some(bytes);
            assert!(same, "seed {seed}: {key} {:?} is not what it is to be", outcomes.get(key));
        }
        let open = oss.target().open_uploads().await;
        assert_eq!(open, Vec::<String>::new(), "seed {seed}: uploads left open");
        report
    }
}

/// One delivery.
struct Call {
    at: usize,
    letter: Letter,
    message: Message,
    invocation: Invocation,
    polls: u32,
    is_forgotten: bool,
}
