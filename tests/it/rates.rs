//! Rates shared by a whole fleet, simulated: many workers over one table with slow and lost answers, on a
//! clock that moves only when everything waits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ossferry_conformance::memory::MemoryTable;
use ossferry_core::error::PortError;
use ossferry_core::job::Job;
use ossferry_core::ports::{Condition, Row, RowPage, Table, Written};
use ossferry_core::rates::shares::{THOUSANDTHS, demand};
use ossferry_core::rates::{Calendar, Rates};
use ossferry_core::time::{Clock, Timestamp};
use ossferry_ends::Paces;
use ossferry_host::RateKeeper;
use ossferry_ledger::ids::JobName;
use ossferry_ledger::rows::{ClosedWindows, RatesRow};
use ossferry_ledger::{Held, Ledger, ShareHolder};
use ossferry_tests::faulty::{Fate, Fates, FaultyTable};
use ossferry_tests::post::Post;
use ossferry_tests::seeds;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until};

/// Target bytes.
const KIND: usize = 2;

/// The job's limit, bytes a second.
const LIMIT: f64 = 100e6;

/// Bytes move in ticks of this length.
const TICK: Duration = Duration::from_millis(100);

/// A fleet has settled so long after something changed.
const SETTLED: usize = 60;

/// The table of a cloud: every call takes its time, on the way there and back, and a write as much more
/// as it is told to.
struct SlowTable {
    inner: FaultyTable,
    stall: Mutex<Duration>,
}

async fn on_the_way() {
    sleep(Duration::from_millis(fastrand::u64(2..40))).await;
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "no method of the port may escape")]
impl Table for SlowTable {
    fn row_bytes_max(&self) -> usize {
        self.inner.row_bytes_max()
    }

    async fn get(&self, partition: &str, sort: &str) -> Result<Option<Row>, PortError> {
        on_the_way().await;
        let row = self.inner.get(partition, sort).await;
        on_the_way().await;
        row
    }

    async fn range(
        &self,
        partition: &str,
        from: &str,
        until: &str,
        rows_max: usize,
    ) -> Result<RowPage, PortError> {
        on_the_way().await;
        let page = self.inner.range(partition, from, until, rows_max).await;
        on_the_way().await;
        page
    }

    async fn put(&self, row: &Row, condition: Condition) -> Result<Written, PortError> {
        let stall = *self.stall.lock().unwrap();
        on_the_way().await;
        sleep(stall).await;
        let written = self.inner.put(row, condition).await;
        on_the_way().await;
        written
    }
}

/// What one worker moves. Bytes a second, and bytes.
#[derive(Default)]
struct Flow {
    wants: f64,
    share: f64,
    taken: f64,
    offered: f64,
}

/// Workers over one table.
struct Fleet {
    memory: Arc<MemoryTable>,
    table: Arc<SlowTable>,
    fates: Fates,
    begun: Instant,
    flows: BTreeMap<usize, (Arc<Mutex<Flow>>, AbortHandle)>,
    /// Bytes of each second so far.
    moved: Vec<f64>,
    joined: usize,
}

fn bytes(value: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small and positive"
    )]
    let whole = value as u64;
    whole
}

fn clock(begun: Instant) -> Clock {
    // Each looks a little later or earlier than the others.
    let skew = fastrand::i64(-1_500..1_500);
    Arc::new(move || {
        let millis = i64::try_from(begun.elapsed().as_millis()).unwrap();
        Timestamp(1_795_000_000_000 + millis + skew)
    })
}

fn slow(memory: &Arc<MemoryTable>, fates: &Fates) -> Arc<SlowTable> {
    let inner = FaultyTable::new(Arc::clone(memory) as _, fates.clone());
    Arc::new(SlowTable { inner, stall: Mutex::default() })
}

impl Fleet {
    /// `bad_percent` of the table's calls fail, and as many lose their answers.
    fn new(bad_percent: u64) -> Self {
        let fates = Fates::new(move |_, _| match fastrand::u64(..100) {
            draw if draw < bad_percent => Fate::Fails,
            draw if draw < 2 * bad_percent => Fate::Lost,
            _ => Fate::Works,
        });
        let memory = MemoryTable::default().with_pages_of_bytes(1 << 20);
        let memory = Arc::new(memory);
        let table = slow(&memory, &fates);
        let (flows, moved) = (BTreeMap::new(), Vec::new());
        Self { memory, table, fates, begun: Instant::now(), flows, moved, joined: 0 }
    }

    fn ledger(&self) -> Ledger {
        self.ledger_by(Arc::clone(&self.table))
    }

    /// By a way to the same table that is slow for itself.
    fn ledger_by(&self, table: Arc<SlowTable>) -> Ledger {
        Self::ledger_of(table, clock(self.begun))
    }

    fn ledger_of(table: Arc<SlowTable>, clock: Clock) -> Ledger {
        let post = Arc::new(Post::new(Arc::clone(&clock)));
        Ledger::new(table, Arc::clone(&post) as _, post, clock, Arc::new(|_| false))
    }

    fn join(&mut self, wants: f64) {
        let number = self.joined;
        self.joined += 1;
        let target = Rates { bytes_per_second: Some(bytes(LIMIT)), requests_per_second: None };
        let calendar = Calendar { target, ..Calendar::default() };
        let holder =
            ShareHolder::new(self.ledger(), JobName::from("j"), format!("w{number}"), calendar);
        let flow = Arc::new(Mutex::new(Flow { wants, ..Flow::default() }));
        let worker = tokio::spawn(work(holder, Arc::clone(&flow)));
        self.flows.insert(number, (flow, worker.abort_handle()));
    }

    /// Ends a worker without a word.
    fn kill(&mut self, number: usize) {
        let (_, worker) = self.flows.remove(&number).unwrap();
        worker.abort();
    }

    fn want(&self, wants: impl Fn(usize) -> Option<f64>) {
        for (number, (flow, _)) in &self.flows {
            if let Some(wants) = wants(*number) {
                flow.lock().unwrap().wants = wants;
            }
        }
    }

    /// What all could use together.
    fn wanted(&self) -> f64 {
        self.flows.values().map(|(flow, _)| flow.lock().unwrap().wants).sum()
    }

    /// Lets so many seconds pass.
    async fn pass(&mut self, seconds: usize) {
        for _ in 0..seconds {
            let mut moved = 0.0;
            for _ in 0..10 {
                sleep_until(Instant::now() + TICK).await;
                for (flow, _) in self.flows.values() {
                    let mut flow = flow.lock().unwrap();
                    let took = flow.wants.min(flow.share) * TICK.as_secs_f64();
                    flow.taken += took;
                    flow.offered += flow.share * TICK.as_secs_f64();
                    moved += took;
                }
            }
            self.moved.push(moved);
        }
    }

    /// The least and the most of any ten seconds among the last `seconds`, in bytes a second.
    fn bounds(&self, seconds: usize) -> (f64, f64) {
        let tens: Vec<f64> = self.moved[self.moved.len() - seconds..]
            .windows(10)
            .map(|ten| ten.iter().sum::<f64>() / 10.0)
            .collect();
        (tens.iter().copied().fold(f64::MAX, f64::min), tens.iter().copied().fold(0.0, f64::max))
    }

    /// Lets the fleet settle, and holds what it then moves against the limit.
    async fn hold(&mut self, limit: f64, what: &str) {
        self.pass(SETTLED).await;
        self.pass(60).await;
        let (least, most) = self.bounds(60);
        let due = limit.min(self.wanted());
        println!("{what}: {:.1} to {:.1} of {:.1} MB/s", least / 1e6, most / 1e6, due / 1e6);
        assert!(least >= 0.9 * due, "{what}: {least} of {due}");
        assert!(most <= limit * 1.000_1, "{what}: {most} of {limit}");
    }
}

/// Renews, as a host does.
async fn work(mut holder: ShareHolder, flow: Arc<Mutex<Flow>>) {
    let apply = {
        let flow = Arc::clone(&flow);
        move |held: &Held| {
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            let share = held.shares[KIND].map_or(f64::MAX, |share| share as f64 / 1e3);
            flow.lock().unwrap().share = share;
        }
    };
    let mut renewed = Instant::now();
    loop {
        let (taken, offered) = {
            let mut flow = flow.lock().unwrap();
            (std::mem::take(&mut flow.taken), std::mem::take(&mut flow.offered))
        };
        let millis = |bytes: f64| self::bytes(bytes).saturating_mul(THOUSANDTHS);
        let could_use = demand(millis(taken), millis(offered), renewed.elapsed());
        renewed = Instant::now();
        let due = holder.renew([None, None, could_use, None], &apply).await;
        let due = renewed + due.unwrap_or(Duration::from_secs(2));
        while Instant::now() < due {
            sleep((due - Instant::now()).min(Duration::from_secs(1))).await;
            apply(&holder.held());
        }
    }
}

fn set(target_bytes_per_second: Option<u64>) -> RatesRow {
    RatesRow { target_bytes_per_second, ..RatesRow::default() }
}

/// Joins, deaths, other demands and another limit; answers the table's calls a worker and hour.
async fn a_day_of_a_fleet(workers: usize) -> f64 {
    let mut fleet = Fleet::new(3);
    let (small, large) = (LIMIT / 500.0, LIMIT / 5.0);
    let usual = |number: usize| [large, large, small, 0.0, large * 2.0][number % 5];
    for number in 0..workers {
        fleet.join(usual(number));
        if number % 5 == 0 {
            fleet.pass(1).await;
        }
    }
    fleet.hold(LIMIT, "joined").await;
    for number in (0..workers).step_by(4) {
        fleet.kill(number);
    }
    fleet.hold(LIMIT, "died").await;
    for number in 0..workers / 3 {
        fleet.join(usual(number));
    }
    fleet.hold(LIMIT, "joined at once").await;
    fleet.want(|number| Some(usual(number + 1)));
    fleet.hold(LIMIT, "other demands").await;
    let (_, most) = fleet.bounds(fleet.moved.len());
    assert!(most <= LIMIT * 1.000_1, "{most} while nothing but the fleet changed");
    let (job, ledger) = (JobName::from("j"), fleet.ledger());
    while ledger.put_rates(&job, &set(Some(bytes(LIMIT * 0.4)))).await.is_err() {}
    // Thirty seconds after it was set, however many there are.
    fleet.pass(30).await;
    fleet.pass(30).await;
    let (_, most) = fleet.bounds(30);
    assert!(most <= 0.4 * LIMIT * 1.000_1, "{most} in the half minute after that of the change");
    fleet.hold(LIMIT * 0.4, "a lower limit").await;
    while ledger.put_rates(&job, &set(Some(bytes(LIMIT * 1.5)))).await.is_err() {}
    fleet.hold(LIMIT * 1.5, "a higher limit").await;
    fleet.want(|number| (number % 7 != 0).then_some(0.0));
    fleet.hold(LIMIT * 1.5, "most are idle").await;
    #[expect(clippy::cast_precision_loss, reason = "few")]
    let (calls, hours) = (fleet.fates.calls().len() as f64, fleet.moved.len() as f64 / 3_600.0);
    #[expect(clippy::cast_precision_loss, reason = "few")]
    let workers = workers as f64;
    calls / hours / workers
}

/// A larger fleet for the second tier.
const WORKERS: &str = "OSSFERRY_FLEET";

#[test]
fn fifty_workers_share_a_rate_whoever_comes_goes_or_wants_less() {
    let workers = std::env::var(WORKERS).map_or(50, |text| text.parse().expect("a number"));
    for calls in seeds::each(seeds::wanted(0..2), |_| a_day_of_a_fleet(workers)) {
        println!("{calls:.0} calls of the table a worker and hour");
        assert!(calls < 2_400.0, "{calls}");
    }
}

#[test]
fn a_lone_worker_that_paused_has_the_whole_limit_as_soon_as_it_goes_on() {
    seeds::under(1, async {
        let mut fleet = Fleet::new(0);
        fleet.join(0.0);
        fleet.pass(SETTLED).await;
        fleet.want(|_| Some(LIMIT));
        fleet.pass(1).await;
        let moved = fleet.moved.last().copied().unwrap_or_default();
        assert!(moved >= 0.9 * LIMIT, "{moved}");
    });
}

/// A job whose `[limits]` holds these lines.
fn job(limits: &str) -> Job {
    let text = Job::template().replace("[limits]", &format!("[limits]\n{limits}\n"));
    Job::parse(&text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn keeper(ledger: &Ledger, job: &Job) -> RateKeeper {
    let owner = format!("w{:x}", fastrand::u32(..));
    RateKeeper::new(ledger, job, Paces::default(), owner)
}

#[test]
fn a_job_without_limits_costs_no_call_of_the_table_until_some_are_set_while_it_runs() {
    seeds::under(1, async {
        let fleet = Fleet::new(0);
        let ledger = fleet.ledger();
        let keeper = keeper(&ledger, &job(""));
        let hour = Duration::from_hours(1);
        keeper.around(sleep(hour)).await;
        assert_eq!(fleet.fates.calls().len(), 0);
        let name = JobName::from("photos");
        ledger.put_rates(&name, &set(Some(1_000))).await.unwrap();
        // As a claim finds it in the pass's row.
        keeper.admission().note_set_rates();
        let before = fleet.fates.calls().len();
        keeper.around(sleep(hour)).await;
        let held = keeper.held().unwrap();
        assert_eq!(held.shares, [None, None, Some(1_000_000), None]);
        let calls = fleet.fates.calls().len() - before;
        assert!(calls > 300 && calls < 1_500, "{calls} calls in an hour");
    });
}

#[test]
fn a_worker_that_was_frozen_past_its_lease_has_nothing_when_it_wakes_until_it_leases_anew() {
    seeds::under(1, async {
        let fleet = Fleet::new(0);
        let ledger = fleet.ledger();
        let job = job("bytes_per_second = 1000");
        let keepers = [0, 1].map(|_| keeper(&ledger, &job));
        let share = |keeper: &RateKeeper| keeper.held().unwrap().shares[KIND];
        keepers[0].around(sleep(Duration::from_secs(20))).await;
        assert!(share(&keepers[0]) > Some(900_000), "alone it has nearly everything");
        // Nobody drives the first one: an environment between two invocations.
        keepers[1].around(sleep(Duration::from_mins(2))).await;
        assert!(share(&keepers[1]) > Some(900_000), "the other's lease has ended");
        let waking = keepers[0].around(async { share(&keepers[0]).unwrap() });
        assert_eq!(waking.await, 0, "work begins with what was leased anew: all is the other's");
        let both = async { keepers[1].around(sleep(Duration::from_mins(1))).await };
        tokio::join!(keepers[0].around(sleep(Duration::from_mins(1))), both);
        let shares = [share(&keepers[0]).unwrap(), share(&keepers[1]).unwrap()];
        assert!(shares[0] + shares[1] <= 1_000_000, "{shares:?}");
        assert!(shares.iter().all(|share| *share > 400_000), "{shares:?}");
    });
}

#[test]
fn a_share_ends_on_time_however_long_the_table_takes_to_renew_it() {
    seeds::under(1, async {
        let fleet = Fleet::new(0);
        let way = slow(&fleet.memory, &fleet.fates);
        let job = job("bytes_per_second = 1000");
        let keepers = [fleet.ledger_by(Arc::clone(&way)), fleet.ledger()];
        let keepers = keepers.map(|ledger| keeper(&ledger, &job));
        let share = |keeper: &RateKeeper| keeper.held().and_then(|held| held.shares[KIND]);
        keepers[0].around(sleep(Duration::from_secs(20))).await;
        *way.stall.lock().unwrap() = Duration::from_mins(2);
        let watch = async {
            for _ in 0..300 {
                sleep(Duration::from_secs(1)).await;
                let shares = [0, 1].map(|worker| share(&keepers[worker]).unwrap_or_default());
                assert!(shares[0] + shares[1] <= 1_000_000, "{shares:?}");
            }
        };
        tokio::join!(keepers[0].around(sleep(Duration::from_mins(5))), keepers[1].around(watch));
        assert!(share(&keepers[1]) > Some(400_000), "it went to the other");
    });
}

#[test]
fn a_share_ends_on_time_and_is_leased_anew_where_the_workers_clock_is_put_back() {
    seeds::under(1, async {
        let fleet = Fleet::new(0);
        let back = Arc::new(AtomicI64::new(0));
        let put_back: Clock = {
            let (clock, back) = (clock(fleet.begun), Arc::clone(&back));
            Arc::new(move || Timestamp(clock().0 - back.load(Ordering::Relaxed)))
        };
        let ledgers = [Fleet::ledger_of(Arc::clone(&fleet.table), put_back), fleet.ledger()];
        let job = job("bytes_per_second = 1000");
        let keepers = ledgers.map(|ledger| keeper(&ledger, &job));
        let share = |keeper: &RateKeeper| keeper.held().and_then(|held| held.shares[KIND]);
        keepers[0].around(sleep(Duration::from_secs(20))).await;
        assert!(share(&keepers[0]) > Some(900_000), "alone it has nearly everything");
        back.store(600_000, Ordering::Relaxed);
        // Nobody drives the first one, whose lease ends by the other's clock.
        keepers[1].around(sleep(Duration::from_mins(2))).await;
        let waking = keepers[0].around(async { share(&keepers[0]).unwrap() });
        assert_eq!(waking.await, 0, "by its own clock it has its lease for minutes");
        let (first, second) = (Duration::from_mins(1), Duration::from_mins(1));
        tokio::join!(keepers[0].around(sleep(first)), keepers[1].around(sleep(second)));
        let shares = [share(&keepers[0]).unwrap(), share(&keepers[1]).unwrap()];
        assert!(shares[0] + shares[1] <= 1_000_000, "{shares:?}");
    });
}

#[test]
fn nothing_begins_before_it_is_known_whether_a_closed_window_was_opened_by_hand() {
    seeds::under(1, async {
        let fleet = Fleet::new(0);
        let ledger = fleet.ledger();
        let job = job("time_zone = \"UTC\"\n[[limits.window]]\nclosed = true");
        let closed_at_once = async || {
            let keeper = keeper(&ledger, &job);
            keeper.around(async { keeper.admission().closed_until() }).await.is_some()
        };
        assert!(closed_at_once().await);
        let open = RatesRow { closed_windows: ClosedWindows::Ignored, ..RatesRow::default() };
        ledger.put_rates(&JobName::from("photos"), &open).await.unwrap();
        assert!(!closed_at_once().await);
    });
}
