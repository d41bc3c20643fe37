//! Planner, copier and ledger over ports in memory, in one thread under one seed: every request takes a
//! time that is drawn, and so are the order of messages, their doubles and losses, the deaths of
//! handlers, and those that stand still past their lease. The same seed is the same run, call by call.

mod chance;
mod delivery;
mod distance;
mod stage;
mod weather;
mod worker;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use ossferry_conformance::memory::MemoryTable;
use ossferry_core::key::Key;
use ossferry_core::ports::{Queue, Table, Target};
use ossferry_core::time::{Clock, Timestamp};
use ossferry_ledger::ids::{JobName, PassRef};
use ossferry_ledger::rows::{JobRow, PassKind, PassRow};
use ossferry_ledger::{BeginPass, Begun, LEASE_MARGIN, Ledger};
use ossferry_planner::{PlanError, Trigger};
use tokio::time::{Instant, sleep};

use self::chance::Trace;
use self::distance::Poison;
use crate::faulty::Fates;
use crate::inspection::{Held, Inspected, inspect};
use crate::post::Post;

pub use chance::Chance;
pub use stage::Stage;
pub use weather::{Mishaps, Weather};

/// The workers' clock when a simulation begins.
const BEGAN: Timestamp = Timestamp(1_800_000_000_000);

/// The sweep is due this often.
const SWEEP_INTERVAL: Duration = Duration::from_mins(15);

/// A message counts as lost when its task waited so long.
const MESSAGE_IDLE: Duration = Duration::from_mins(10);

/// Deliveries after which a pass that does not end is a defect.
const DELIVERIES_MAX: u64 = 5_000;

/// Messages are delivered so long after the end of a pass: they change nothing any more.
const AFTERMATH: Duration = Duration::from_hours(1);

/// A job at work in one thread.
pub struct Simulation {
    /// Both ends.
    pub stage: Stage,
    /// What is drawn.
    pub chance: Chance,
    fates: Fates,
    weather: Weather,
    mishaps: Mishaps,
    trace: Trace,
    clock: Clock,
    jumped_millis: Arc<AtomicU64>,
    table: Arc<dyn Table>,
    posts: [Post; 2],
    /// Through ports without faults and without distance.
    ledger: Ledger,
    invocations: u64,
    /// How often a handler of this work has died or stood still.
    deaths: HashMap<String, u32>,
    poison: Poison,
}

impl Simulation {
    /// A job that nothing was done of.
    pub fn new(
        seed: u64,
        stage: impl FnOnce(&Clock) -> Stage,
        fates: Fates,
        weather: Weather,
    ) -> Self {
        let (start, jumped_millis) = (Instant::now(), Arc::<AtomicU64>::default());
        // The stores' clock is their own: ahead, and never set.
        let stores: Clock = Arc::new(move || BEGAN.plus(start.elapsed() + LEASE_MARGIN));
        let jumped = Arc::clone(&jumped_millis);
        let clock: Clock = Arc::new(move || {
            let jumped = Duration::from_millis(jumped.load(Ordering::SeqCst));
            BEGAN.plus(start.elapsed() + jumped)
        });
        let table: Arc<dyn Table> = Arc::new(MemoryTable::default());
        let posts = [Post::new(Arc::clone(&clock)), Post::new(Arc::clone(&clock))];
        let queues = posts.clone().map(|post| Arc::new(post) as Arc<dyn Queue>);
        let ledger = ledger_over(Arc::clone(&table), queues, &clock);
        Self {
            stage: stage(&stores),
            chance: Chance::of_seed(seed),
            fates,
            weather,
            mishaps: Mishaps::default(),
            trace: Trace::default(),
            clock,
            jumped_millis,
            table,
            posts,
            ledger,
            invocations: 0,
            deaths: HashMap::new(),
            poison: Arc::new(|_, _| false),
        }
    }

    /// The ledger, through ports without faults.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What has happened so far.
    pub fn mishaps(&self) -> Mishaps {
        self.mishaps
    }

    /// Every call so far, when and by whom.
    pub fn trace(&self) -> Vec<String> {
        self.trace.lines()
    }

    /// Has every worker die that makes such a call: by its name in the trace and what it is about.
    pub fn poison(&mut self, is_poison: impl Fn(&str, &str) -> bool + Send + Sync + 'static) {
        self.poison = Arc::new(is_poison);
    }

    /// Begins a pass. The trigger is delivered again until it is taken, as a schedule's is.
    pub async fn begin(&mut self, id: &str) -> PassRef {
        let pass = PassRef { job: JobName(self.stage.job.name.clone()), pass: id.into() };
        for _ in 0..10 {
            let trigger =
                Trigger { pass: pass.pass.clone(), kind: None, since: None, reread: None };
            let process = self.process();
            match process.planner.begin(&self.stage.job, trigger).await {
                Ok(Begun::Running(_) | Begun::Ended(_)) => return pass,
                Ok(Begun::Skipped { running }) => panic!("pass {running} is running"),
                Err(PlanError::Refused(refusal)) => panic!("refused: {refusal}"),
                Err(_) => sleep(Duration::from_secs(30)).await,
            }
        }
        panic!("the trigger is never taken");
    }

    /// Begins a pass of a job whose application writes at the target from now on.
    pub async fn begin_after_t2(&mut self, id: &str) -> PassRef {
        let job = &self.stage.job;
        let target: &dyn Target = &self.stage.target;
        let now = target.now().await.expect("the target's clock");
        let row = JobRow {
            name: JobName(job.name.clone()),
            definition: job.to_json(),
            definition_hash: job.definition_hash(),
            scope_hash: job.scope_hash(),
            active_pass: None,
            t2: Some(now),
            deployed_at: None,
        };
        let begin = BeginPass {
            job: row,
            pass: id.into(),
            kind: PassKind::Full,
            t1: now,
            since: None,
            outstanding: Vec::new(),
            reread: None,
        };
        let answer = self.ledger.begin_pass(&begin).await.expect("a pass begins");
        assert!(matches!(answer, Begun::Running(_)));
        PassRef { job: begin.job.name, pass: begin.pass }
    }

    /// Delivers messages until the pass has ended, and what is left of them for an hour more: handlers
    /// that stood still go on meanwhile.
    pub async fn until_end(&mut self, pass: &PassRef) -> PassRow {
        let mut running = FuturesUnordered::new();
        let mut swept_at = self.now();
        let mut over_at = None;
        for _ in 0..DELIVERIES_MAX {
            let (row, now) = (self.ledger.pass(pass).await.expect("the pass is there"), self.now());
            if row.state.is_final() {
                over_at.get_or_insert_with(|| now.plus(AFTERMATH));
            }
            let is_over = over_at.is_some_and(|over_at| now >= over_at);
            if is_over && running.is_empty() {
                return row;
            }
            if now.since(swept_at) >= SWEEP_INTERVAL {
                swept_at = now;
                running.push(self.sweep(pass));
            }
            while !is_over && running.len() < self.weather.at_once.max(1) {
                let Some((at, letter)) = self.take_letter() else { break };
                running.push(self.work(at, letter));
                running.extend(self.jump());
            }
            let next = self.posts.iter().filter_map(Post::next_visible_at).min();
            let due = swept_at.plus(SWEEP_INTERVAL);
            let wait = next.map_or(due, |next| next.min(due)).since(self.now());
            tokio::select! {
                biased;
                Some(ended) = running.next(), if !running.is_empty() => self.note(ended),
                () = sleep(wait.max(Duration::from_millis(1))) => {}
            }
        }
        let status = self.ledger.status(pass).await;
        panic!("the pass does not end under {:?}: {status:#?}", self.weather);
    }

    /// What became of a pass that has ended, after everything was looked at that must hold.
    pub async fn check(&self, pass: &PassRef) -> Inspected {
        self.check_all_but(pass, &[]).await
    }

    /// The same where these keys need not have arrived.
    pub async fn check_all_but(&self, pass: &PassRef, missing: &[Key]) -> Inspected {
        // After T2 an upload that a lost planner began is left alone: it may be the application's.
        let is_after_t2 = self.ledger.pass(pass).await.expect("the pass is there").t2.is_some();
        let open = if is_after_t2 {
            Vec::new()
        } else if self.weather.jumps > 0 {
            // A lease that a clock ended early may end while a request to begin an upload is on its way.
            // Nobody hears of that upload; nothing is ever written into it.
            self.stage.target.filled_uploads()
        } else {
            self.stage.target.open_uploads()
        };
        let held = Held {
            objects: self.stage.target.objects(),
            open_uploads: open.iter().map(ToString::to_string).collect(),
        };
        let mut expected: BTreeMap<_, _> = self.stage.expected();
        expected.retain(|key, _| !missing.contains(key));
        self.stage.assert_never_older();
        inspect(&self.ledger, pass, &held, &expected).await
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

fn ledger_over(table: Arc<dyn Table>, queues: [Arc<dyn Queue>; 2], clock: &Clock) -> Ledger {
    let [planner, copier] = queues;
    Ledger::new(table, planner, copier, Arc::clone(clock), Arc::new(|_: &str| false))
}
