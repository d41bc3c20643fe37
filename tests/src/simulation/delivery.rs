//! Messages handed out, each to a process of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use ossferry_copier::{Copier, CopierOptions, CopierParts, CopyError};
use ossferry_core::ports::{Queue, Source, Table, Target};
use ossferry_ledger::ids::PassRef;
use ossferry_ledger::messages::Message;
use ossferry_ledger::{Handled, Invocation, LEASE_MARGIN, Ledger};
use ossferry_planner::{PlanError, Planner, PlannerParts};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::distance::{Distance, DistantQueue, DistantSource, DistantTable, DistantTarget, OnOpen};
use super::worker::{Lot, SHIFT, Shift, Worker};
use super::{MESSAGE_IDLE, SWEEP_INTERVAL, Simulation, ledger_over};
use crate::faulty::{FaultyQueue, FaultySource, FaultyTable, FaultyTarget};
use crate::post::{Letter, Post};

/// Drawn deaths at one piece of work, and settings of the clock: at one more an object may be given up as
/// poison.
const DEATHS_MAX: u32 = 3;

/// A handler that is to die or to stand still does so within so many polls.
const POLLS_MAX: u64 = 60;

/// How one delivery ended.
pub(super) struct Ended {
    at: usize,
    body: String,
    /// The message comes again after this.
    again: Option<Duration>,
}

/// A process that handles one message.
pub(super) struct Process {
    pub(super) ledger: Ledger,
    pub(super) planner: Planner,
    copier: Copier,
}

/// What deaths are counted by: everything of one large object is one piece of work.
fn work_of(message: &Message) -> String {
    match message {
        Message::Slice(slice) => format!("{slice:?}"),
        Message::Upload(task) | Message::Task(task) | Message::Range { task, .. } => {
            task.to_string()
        }
    }
}

impl Simulation {
    /// A process of its own: nothing is shared with another but what it calls.
    pub(super) fn process(&self) -> Process {
        let fates = || self.fates.clone();
        let distance = || Distance {
            chance: self.chance.clone(),
            trace: self.trace.clone(),
            clock: Arc::clone(&self.clock),
            poison: Arc::clone(&self.poison),
        };
        let table = DistantTable { inner: Arc::clone(&self.table), distance: distance() };
        let table: Arc<dyn Table> = Arc::new(FaultyTable::new(Arc::new(table), fates()));
        let queues = self.posts.clone().map(|post: Post| {
            let queue = DistantQueue { inner: Arc::new(post), distance: distance() };
            Arc::new(FaultyQueue::new(Arc::new(queue), fates())) as Arc<dyn Queue>
        });
        let ledger = ledger_over(table, queues, &self.clock);
        let stage = self.stage.clone();
        let on_open: OnOpen = Arc::new(move |key| stage.opened(key));
        let inner = Arc::new(self.stage.source.clone());
        let source = DistantSource { inner, distance: distance(), on_open };
        let source: Arc<dyn Source> = Arc::new(FaultySource::new(Arc::new(source), fates()));
        let inner = Arc::new(self.stage.target.clone());
        let target = DistantTarget { inner, distance: distance() };
        let target: Arc<dyn Target> = Arc::new(FaultyTarget::new(Arc::new(target), fates()));
        let planner = Planner::new(PlannerParts {
            ledger: ledger.clone(),
            source: Arc::clone(&source),
            target: Arc::clone(&target),
            appetite: Arc::new(|| true),
        });
        let copier = Copier::new(CopierParts {
            ledger: ledger.clone(),
            source,
            target,
            in_flight: Arc::new(Semaphore::new(8)),
            admission: ossferry_core::rates::Admission::default(),
            options: CopierOptions::default(),
        });
        Process { ledger, planner, copier }
    }

    /// The sweep, as a schedule runs it.
    pub(super) fn sweep(&self, pass: &PassRef) -> BoxFuture<'static, Option<Ended>> {
        let (process, pass) = (self.process(), pass.clone());
        let window = u64::from(self.stage.job.limits.window_tasks);
        async move {
            if let Err(error) = process.ledger.sweep(&pass, window, MESSAGE_IDLE).await {
                assert!(error.is_transient(), "sweep: {error}");
            }
            None
        }
        .boxed()
    }

    /// Walks every slice, and delivers nothing to copiers.
    pub async fn walk(&mut self) {
        while let Some(letter) = self.posts[0].take(|_| 0) {
            let ended = self.work(0, letter).await;
            self.note(ended);
        }
    }

    /// Lets a day go by on which nobody takes anything and a sweep is run every quarter of an hour.
    /// Answers how many messages stand in the copiers' queue then.
    pub async fn idle_for_a_day(&mut self, pass: &PassRef) -> usize {
        for _ in 0..24 * 4 {
            sleep(SWEEP_INTERVAL).await;
            self.sweep(pass).await;
        }
        self.posts[1].visible()
    }

    /// The next message to deliver, after drawing which, what is lost and what is doubled.
    pub(super) fn take_letter(&mut self) -> Option<(usize, Letter)> {
        loop {
            let visible = [self.posts[0].visible(), self.posts[1].visible()];
            let total = visible[0] + visible[1];
            if total == 0 {
                return None;
            }
            let drawn = self.chance.index(total);
            let (at, index) = if drawn < visible[0] { (0, drawn) } else { (1, drawn - visible[0]) };
            let letter = self.posts[at].take(|_| index)?;
            if self.chance.in_a_thousand(self.weather.lost) {
                self.mishaps.lost += 1;
                self.trace.note(format_args!("lost: {}", letter.body));
                continue;
            }
            if self.chance.in_a_thousand(self.weather.doubled) {
                self.mishaps.doubled += 1;
                for _ in 0..self.chance.within(1..3) {
                    let delay = Duration::from_secs(self.chance.within(0..200));
                    self.posts[at].put_back(letter.body.clone(), delay);
                }
            }
            return Some((at, letter));
        }
    }

    /// Sets the workers' clock on by an hour, soon, if that is drawn.
    pub(super) fn jump(&mut self) -> Option<BoxFuture<'static, Option<Ended>>> {
        let is_enough = self.mishaps.jumps >= u64::from(DEATHS_MAX);
        if is_enough || !self.chance.in_a_thousand(self.weather.jumps) {
            return None;
        }
        self.mishaps.jumps += 1;
        let (jumped, trace) = (Arc::clone(&self.jumped_millis), self.trace.clone());
        let after = Duration::from_millis(self.chance.within(1..500));
        let jump = async move {
            sleep(after).await;
            trace.note("the workers' clock is set on");
            jumped.fetch_add(3_600_000, Ordering::SeqCst);
            None
        };
        Some(jump.boxed())
    }

    /// What befalls the handler of this message, and the time that it is given.
    fn draw_lot(&mut self, message: &Message) -> (Lot, Duration) {
        let task_time = Duration::from_secs(u64::from(self.stage.job.limits.task_seconds));
        let task_time = if self.chance.in_a_thousand(self.weather.hurried) {
            Duration::from_millis(self.chance.within(1..2_000))
        } else {
            task_time
        };
        let polls = self.chance.within(1..POLLS_MAX);
        let (deaths, freezes) = (self.weather.deaths, self.weather.freezes);
        let drawn = u32::try_from(self.chance.within(0..1_000)).unwrap_or_default();
        let past = self.deaths.entry(work_of(message)).or_default();
        if *past >= DEATHS_MAX || drawn >= deaths + freezes {
            return (Lot::Lives, task_time);
        }
        *past += 1;
        if drawn < deaths {
            self.mishaps.deaths += 1;
            return (Lot::Dies(polls), task_time);
        }
        self.mishaps.freezes += 1;
        let after = Duration::from_secs(self.chance.within(1..600));
        (Lot::Freezes(polls, task_time + LEASE_MARGIN + after), task_time)
    }

    /// Has one message handled.
    pub(super) fn work(&mut self, at: usize, letter: Letter) -> BoxFuture<'static, Option<Ended>> {
        self.invocations += 1;
        let message = Message::from_text(&letter.body).expect("a message of ours");
        let (lot, task_time) = self.draw_lot(&message);
        let is_forgotten = self.chance.in_a_thousand(self.weather.unacknowledged);
        self.mishaps.unacknowledged += u64::from(is_forgotten);
        let invocation = Invocation {
            owner: format!("worker-{}", self.invocations),
            deadline: self.now().plus(task_time),
        };
        self.trace.note(format_args!("{} {lot:?} {}", invocation.owner, letter.body));
        let visibility = task_time + LEASE_MARGIN + LEASE_MARGIN;
        if matches!(lot, Lot::Freezes(..)) {
            // The queue does not wait for a worker that stands still.
            self.posts[at].put_back(letter.body.clone(), visibility);
        }
        let process = self.process();
        let body = letter.body;
        let shift = Shift { invocation: invocation.clone(), is_doomed: Arc::default() };
        let is_doomed = Arc::clone(&shift.is_doomed);
        let handling = SHIFT.scope(shift, async move {
            if at == 0 {
                process.planned(&message, &invocation).await
            } else {
                process.copied(&message, &invocation).await
            }
        });
        async move {
            let again = match Worker::new(handling, lot, is_doomed).await {
                None => Some(visibility),
                Some(Err(_)) => Some(Duration::from_secs(30)),
                Some(Ok(Handled::Later(delay))) => Some(delay),
                Some(Ok(Handled::Done)) => is_forgotten.then_some(visibility),
            };
            Some(Ended { at, body, again })
        }
        .boxed()
    }

    /// Tells the queue how a delivery ended.
    pub(super) fn note(&mut self, ended: Option<Ended>) {
        if let Some(Ended { at, body, again: Some(delay) }) = ended {
            self.posts[at].put_back(body, delay);
        }
    }
}

impl Process {
    async fn planned(&self, message: &Message, invocation: &Invocation) -> Result<Handled, String> {
        self.planner.handle(message, invocation).await.map_err(|error| match error {
            PlanError::Ledger(error) if error.is_transient() => error.to_string(),
            PlanError::Source(error) | PlanError::Target(error) if error.is_transient() => {
                error.to_string()
            }
            error => panic!("planner: {} {error}", message.to_text()),
        })
    }

    async fn copied(&self, message: &Message, invocation: &Invocation) -> Result<Handled, String> {
        self.copier.handle(message, invocation).await.map_err(|error| match error {
            CopyError::Ledger(error) if error.is_transient() => error.to_string(),
            error => panic!("copier: {} {error}", message.to_text()),
        })
    }
}
