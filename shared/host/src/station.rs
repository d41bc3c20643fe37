//! One queue's loop: receive, handle, acknowledge.

#[cfg(test)]
mod tests;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use ossferry_core::error::PortError;
use ossferry_core::ports::{Delivery, Outgoing, Queue, Receipt};
use ossferry_core::time::{Clock, Timestamp};
use ossferry_ledger::messages::{Message, MessageError};
use ossferry_ledger::{Handled, Handler, HandlerError, Invocation, LEASE_MARGIN};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep};

/// An empty queue is asked again after this, so that a closed gate or a stop is noticed.
const RECEIVE_WAIT: Duration = Duration::from_millis(500);

/// A message of a newer version waits this long for a newer worker.
const NEWER_DELAY: Duration = Duration::from_mins(1);

/// A message whose handler met a transient error comes back after at most this.
const BACKOFF_MAX: Duration = Duration::from_mins(1);

/// A message of a queue that gives up comes back after this, four times as long after each further
/// failure.
const BACKOFF_OF_FEW_FIRST: Duration = Duration::from_secs(10);

/// No message of SQS can be delayed longer; nobody needs it.
const SEND_DELAY_MAX: Duration = Duration::from_mins(15);

/// Failures to receive, one after another, after which the queue is given up.
const RECEIVE_FAILURES_MAX: u32 = 8;

/// How busy the stations of one host are.
pub struct Activity {
    running: AtomicUsize,
    /// Milliseconds after `started` at which something was last dealt with. What is only put off, like
    /// work that another holds, moves nothing.
    moved: AtomicU64,
    started: Instant,
    ended: Notify,
    failed: Notify,
}

impl Activity {
    /// Of stations that have done nothing yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            running: AtomicUsize::new(0),
            moved: AtomicU64::new(0),
            started: Instant::now(),
            ended: Notify::new(),
            failed: Notify::new(),
        })
    }

    /// Handlers at work.
    pub fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    /// For how long no handler was at work and nothing was dealt with.
    pub fn idle(&self) -> Duration {
        if self.running() > 0 {
            return Duration::ZERO;
        }
        let moved = Duration::from_millis(self.moved.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(moved)
    }

    /// Returns when a handler has ended since the last call.
    pub async fn ended(&self) {
        self.ended.notified().await;
    }

    /// Returns when a handler or a queue has met what will not change.
    pub async fn failed(&self) {
        self.failed.notified().await;
    }

    fn moved(&self) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(now, Ordering::Relaxed);
    }
}

/// Counts a handler as running until it is dropped, with whatever becomes of it.
struct Running {
    all: Arc<Activity>,
    here: Arc<AtomicUsize>,
}

impl Running {
    fn new(all: &Arc<Activity>, here: &Arc<AtomicUsize>) -> Self {
        all.running.fetch_add(1, Ordering::Relaxed);
        here.fetch_add(1, Ordering::Relaxed);
        Self { all: Arc::clone(all), here: Arc::clone(here) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.all.running.fetch_sub(1, Ordering::Relaxed);
        self.here.fetch_sub(1, Ordering::Relaxed);
        self.all.ended.notify_one();
    }
}

/// How a station treats its queue.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What is received stays hidden so long, and again for as long as it is worked on.
    pub visibility: Duration,
    /// How long an empty queue is asked at a time.
    pub wait: Duration,
    /// No handler's deadline is later.
    pub until: Timestamp,
    /// Whether the queue gives messages up that were received too often. What is put off is then sent
    /// anew, what nobody can read is left to it, and no message ends the station.
    pub gives_up: bool,
}

impl Terms {
    /// For a queue that keeps everything, and invocations of this length. Hidden for longer than
    /// their leases, so that nobody else starts in vain.
    pub fn patient(invocation: Duration) -> Self {
        Self {
            visibility: invocation + LEASE_MARGIN + LEASE_MARGIN,
            wait: RECEIVE_WAIT,
            until: Timestamp(i64::MAX),
            gives_up: false,
        }
    }
}

/// What a station is made of.
#[derive(Clone)]
pub struct Station {
    /// `planner` or `copier`.
    pub name: &'static str,
    /// Where messages come from.
    pub queue: Arc<dyn Queue>,
    /// Who works on them.
    pub handler: Arc<dyn Handler>,
    /// Messages worked on at once.
    pub slots: usize,
    /// Messages worked on now: shared with whoever asks for free slots.
    pub busy: Arc<AtomicUsize>,
    /// While it is closed nothing is received.
    pub gate: Arc<AtomicBool>,
    /// From the receipt of a message to its handler's deadline.
    pub invocation: Duration,
    /// With its queue.
    pub terms: Terms,
    /// This process among the workers of the ledger.
    pub worker_id: String,
    /// The local clock.
    pub clock: Clock,
    /// Shared by the stations of a host.
    pub activity: Arc<Activity>,
}

type Received = Result<Vec<Delivery>, PortError>;

impl Station {
    /// Works until `stop` says so and every handler has returned, or until a handler met what will not
    /// change: then it waits for the other handlers, and that error is the answer.
    ///
    /// Dropping the future drops the handlers: what they hold is released once this worker is seen
    /// to be dead.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), HandlerError> {
        let (mut stopping, mut fatal) = (false, None);
        let mut running: JoinSet<Option<HandlerError>> = JoinSet::new();
        let mut receiving: Option<BoxFuture<'static, Received>> = None;
        let (mut failures, mut number) = (0_u32, 0_u64);
        loop {
            if fatal.is_some() && !stopping {
                stopping = true;
                self.activity.failed.notify_one();
            }
            let free = self.slots.saturating_sub(running.len());
            if receiving.is_none() && !stopping && free > 0 {
                receiving = Some(self.receive(free, failures));
            }
            if stopping && receiving.is_none() && running.is_empty() {
                return fatal.map_or(Ok(()), Err);
            }
            tokio::select! {
                // Never dropped half-way: a message received and not handled would stay hidden.
                received = of(&mut receiving) => {
                    receiving = None;
                    match received {
                        Ok(deliveries) => {
                            failures = 0;
                            for delivery in deliveries {
                                if stopping {
                                    self.put_back(&delivery.receipt, Duration::ZERO).await;
                                    continue;
                                }
                                number += 1;
                                running.spawn(self.clone().work(delivery, number));
                            }
                        }
                        Err(error) => {
                            failures += 1;
                            tracing::warn!(queue = self.name, %error, "receive");
                            if !error.is_transient() || failures >= RECEIVE_FAILURES_MAX {
                                fatal = Some(HandlerError {
                                    is_transient: false,
                                    message: error.to_string(),
                                });
                            }
                        }
                    }
                }
                Some(ended) = running.join_next(), if !running.is_empty() => {
                    fatal = fatal.or(self.note(ended));
                }
                () = told(&mut stop), if !stopping => stopping = true,
            }
        }
    }

    fn receive(&self, free: usize, failures: u32) -> BoxFuture<'static, Received> {
        let (queue, gate) = (Arc::clone(&self.queue), Arc::clone(&self.gate));
        let Terms { visibility, wait, .. } = self.terms;
        async move {
            if failures > 0 {
                sleep(Duration::from_millis(50 << failures.min(6))).await;
            }
            if !gate.load(Ordering::Relaxed) {
                sleep(RECEIVE_WAIT).await;
                return Ok(Vec::new());
            }
            queue.receive(free, visibility, wait).await
        }
        .boxed()
    }

    fn note(&self, ended: Result<Option<HandlerError>, JoinError>) -> Option<HandlerError> {
        ended.unwrap_or_else(|error| {
            // Its message comes back; the ledger counts the attempt.
            tracing::error!(worker = self.name, %error, "a handler panicked");
            None
        })
    }

    /// Handles one delivery; answers an error that ends the run.
    async fn work(self, delivery: Delivery, number: u64) -> Option<HandlerError> {
        let _running = Running::new(&self.activity, &self.busy);
        let message = match Message::from_text(&delivery.body) {
            Ok(message) => message,
            Err(error @ MessageError::Version(_)) => {
                tracing::warn!(queue = self.name, %error, "left for a newer worker");
                self.put_off(&delivery.receipt, delivery.body, NEWER_DELAY).await;
                return None;
            }
            Err(error) if self.terms.gives_up => {
                tracing::error!(queue = self.name, %error, "left to the dead letters");
                self.put_back(&delivery.receipt, self.backoff(delivery.receive_count)).await;
                return None;
            }
            Err(error) => {
                tracing::error!(queue = self.name, %error, "message thrown away");
                self.ack(&delivery.receipt).await;
                return None;
            }
        };
        let invocation = Invocation {
            owner: format!("{}/{number}{}", self.worker_id, &self.name[..1]),
            deadline: (self.clock)().plus(self.invocation).min(self.terms.until),
        };
        let (handled, receipt) = self.handle(&message, &invocation, delivery.receipt).await;
        match handled {
            Ok(Handled::Done) => {
                self.activity.moved();
                self.ack(&receipt).await;
            }
            Ok(Handled::Later(delay)) => self.put_off(&receipt, delivery.body, delay).await,
            Err(error) => {
                let delay = self.backoff(delivery.receive_count);
                self.put_back(&receipt, delay).await;
                if !error.is_transient && !self.terms.gives_up {
                    return Some(error);
                }
                let (is_transient, error) = (error.is_transient, error.message);
                if is_transient {
                    tracing::warn!(
                        worker = self.name,
                        ?message,
                        error,
                        ?delay,
                        "tried again later"
                    );
                } else {
                    tracing::error!(worker = self.name, ?message, error, ?delay, "message failed");
                }
            }
        }
        None
    }

    fn backoff(&self, receive_count: u32) -> Duration {
        if self.terms.gives_up { backoff_of_few(receive_count) } else { backoff(receive_count) }
    }

    /// Has the message come again after `delay` without counting as failed.
    async fn put_off(&self, receipt: &Receipt, body: String, delay: Duration) {
        if !self.terms.gives_up {
            return self.put_back(receipt, delay).await;
        }
        let again = Outgoing { body, delay: delay.min(SEND_DELAY_MAX) };
        match self.queue.send(&[again]).await {
            Ok(sent) if sent.refused.is_empty() => self.ack(receipt).await,
            // The one that was received serves as well, once more.
            Ok(_) => self.put_back(receipt, delay).await,
            Err(error) => {
                tracing::warn!(queue = self.name, %error, "send on");
                self.put_back(receipt, delay).await;
            }
        }
    }

    /// Runs the handler and keeps the message hidden meanwhile.
    async fn handle(
        &self,
        message: &Message,
        invocation: &Invocation,
        mut receipt: Receipt,
    ) -> (Result<Handled, HandlerError>, Receipt) {
        let visibility = self.terms.visibility;
        let mut handling = self.handler.work(message, invocation);
        loop {
            tokio::select! {
                handled = &mut handling => return (handled, receipt),
                () = sleep(visibility / 3) => {
                    match self.queue.extend(&receipt, visibility).await {
                        Ok(extended) => receipt = extended,
                        Err(error) => tracing::warn!(queue = self.name, %error, "extend"),
                    }
                }
            }
        }
    }

    async fn ack(&self, receipt: &Receipt) {
        if let Err(error) = self.queue.ack(receipt).await {
            tracing::warn!(queue = self.name, %error, "acknowledge: it will come again");
        }
    }

    async fn put_back(&self, receipt: &Receipt, delay: Duration) {
        if let Err(error) = self.queue.extend(receipt, delay).await {
            tracing::warn!(queue = self.name, %error, "put back: it will come again");
        }
    }
}

async fn of(receiving: &mut Option<BoxFuture<'static, Received>>) -> Received {
    match receiving {
        Some(receiving) => receiving.await,
        None => pending().await,
    }
}

/// Returns when `stop` says so, or when nobody is left to say so.
async fn told(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        tracing::debug!("the host has gone");
    }
}

/// For a queue that keeps everything.
fn backoff(receive_count: u32) -> Duration {
    Duration::from_secs(1 << receive_count.min(6)).min(BACKOFF_MAX)
}

/// For a queue that gives up after a few deliveries: what ails a service is over by then, as a rule.
fn backoff_of_few(receive_count: u32) -> Duration {
    let factor = 4_u32.saturating_pow(receive_count.saturating_sub(1));
    BACKOFF_OF_FEW_FIRST.saturating_mul(factor).min(SEND_DELAY_MAX)
}
