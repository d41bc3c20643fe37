//! An invocation that receives from its queue by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ossferry_core::ports::Queue;
use ossferry_core::time::Timestamp;
use ossferry_host::{Activity, Call, Station, Terms, Workshop, logs};
use ossferry_ledger::messages::Message;
use ossferry_ledger::{Handled, Handler, HandlerError, Invocation, Ledger};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tracing::Instrument as _;

use crate::answer::{PullAnswer, PullEnd};
use crate::starting::{Starter, running_passes};

/// No invocation receives for longer: its credentials are good for an hour.
const PULL_MAX: Duration = Duration::from_mins(50);

/// A handler has so long for a message, less where the invocation ends before.
const HANDLING_MAX: Duration = Duration::from_mins(5);

/// An empty queue is asked for so long at a time; a stop waits for it.
const POLL: Duration = Duration::from_secs(5);

/// SMQ waits for whole seconds.
const POLL_MIN: Duration = Duration::from_secs(1);

/// Between two looks at the time and at what the station does.
const LOOK: Duration = Duration::from_millis(500);

/// Between two looks at the passes, which read a row a job.
const ROUND: Duration = Duration::from_secs(10);

/// Numbers for watching are told so often.
const TELL: Duration = Duration::from_mins(1);

/// Without a pass that runs nothing is waited for.
const IDLE_WITHOUT_PASS: Duration = Duration::from_secs(2);

/// What receives.
pub(crate) struct Puller<W> {
    /// `planner` or `copier`.
    pub(crate) name: &'static str,
    pub(crate) workshop: Arc<Workshop<W>>,
    pub(crate) queue: Arc<dyn Queue>,
    /// Messages worked on at once.
    pub(crate) slots: usize,
    /// As the queue is deployed.
    pub(crate) visibility: Duration,
    /// While a pass runs, an invocation that nothing comes to goes on for so long.
    pub(crate) idle_max: Duration,
    /// Starts others.
    pub(crate) starter: Option<Arc<Starter>>,
}

/// Until when an invocation receives, and works.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Times {
    /// From its begin.
    receives: Duration,
    /// The last deadline of a handler.
    until: Timestamp,
}

impl Times {
    /// A quarter of a short invocation is kept for what was received last.
    fn of(asked: Option<Duration>, call: &Call, now: Timestamp) -> Self {
        let until = call.invocation(0).deadline;
        let left = until.since(now);
        let kept = (left / 4).min(HANDLING_MAX);
        let receives = asked.unwrap_or(PULL_MAX).min(PULL_MAX).min(left.saturating_sub(kept));
        Self { receives, until }
    }
}

impl<W: Handler + 'static> Puller<W> {
    /// Receives until the time is up, or there is nothing to wait for.
    pub(crate) async fn pull(
        &self,
        asked: Option<Duration>,
        call: &Call,
    ) -> Result<PullAnswer, String> {
        let ledger = self.workshop.ledger();
        let times = Times::of(asked, call, ledger.now());
        let pulled = Arc::new(Pulled {
            workshop: Arc::clone(&self.workshop),
            call: call.clone(),
            handled: AtomicU64::new(0),
        });
        let (stop, stopped) = watch::channel(false);
        let activity = Activity::new();
        let station = Station {
            name: self.name,
            queue: Arc::clone(&self.queue),
            handler: Arc::clone(&pulled) as Arc<dyn Handler>,
            slots: self.slots,
            busy: Arc::default(),
            gate: Arc::new(AtomicBool::new(true)),
            invocation: HANDLING_MAX,
            terms: Terms {
                visibility: self.visibility,
                wait: POLL.min(times.receives / 4).max(POLL_MIN),
                until: times.until,
                gives_up: true,
            },
            worker_id: call.request_id.clone(),
            clock: ledger.clock(),
            activity: Arc::clone(&activity),
        };
        // Dropped with this call, and every handler with it.
        let mut stations = JoinSet::new();
        stations.spawn(station.run(stopped));
        let ended = tokio::select! {
            ended = self.watch(times, &activity) => ended,
            failed = stations.join_next() => return Err(station_failed(failed)),
        };
        stop.send_replace(true);
        let patience = call.patience(ledger.now());
        match timeout(patience, stations.join_next()).await {
            Ok(Some(Ok(Ok(())))) => {}
            Ok(failed) => return Err(station_failed(failed)),
            // Its leases run out, its message comes again.
            Err(_) => tracing::warn!("handlers did not return in the invocation's time"),
        }
        self.hand_over(ended).await;
        Ok(PullAnswer { handled: pulled.handled.load(Ordering::Relaxed), ended })
    }

    /// Returns when it is time to stop.
    async fn watch(&self, times: Times, activity: &Activity) -> PullEnd {
        let begun = Instant::now();
        let (mut round_due, mut tell_due) = (begun, begun + TELL);
        let mut runs = true;
        loop {
            if begun.elapsed() >= times.receives {
                return PullEnd::Time;
            }
            let now = Instant::now();
            if now >= tell_due {
                logs::print(&self.workshop.metrics().take_plain_lines());
                tell_due = now + TELL;
            }
            if now >= round_due || (runs && activity.idle() >= IDLE_WITHOUT_PASS) {
                // What cannot be read is looked at again; till then there may be work.
                runs = self.round(self.workshop.ledger()).await.unwrap_or(true);
                // Often while nothing happens here: a pass may have ended.
                let pause = if activity.idle() >= IDLE_WITHOUT_PASS { ROUND / 5 } else { ROUND };
                round_due = Instant::now() + pause;
            }
            if !runs && activity.idle() >= IDLE_WITHOUT_PASS {
                return PullEnd::NoPass;
            }
            if activity.idle() >= self.idle_max {
                return PullEnd::Idle;
            }
            sleep(LOOK).await;
        }
    }

    /// Whether a pass runs; starts copiers where some are missing.
    async fn round(&self, ledger: &Ledger) -> Option<bool> {
        let running = running_passes(ledger).await;
        let running = running.inspect_err(|error| tracing::warn!(%error, "look at passes")).ok()?;
        if let Some(starter) = &self.starter {
            starter.start_copiers(ledger, &running).await;
        }
        Some(!running.is_empty())
    }

    /// Starts the next one where this one's time was up before the work.
    async fn hand_over(&self, ended: PullEnd) {
        let Some(starter) = &self.starter else { return };
        if ended == PullEnd::Time
            && running_passes(self.workshop.ledger()).await.is_ok_and(|passes| !passes.is_empty())
        {
            starter.start_planner().await;
        }
    }
}

fn station_failed(
    ended: Option<Result<Result<(), HandlerError>, tokio::task::JoinError>>,
) -> String {
    match ended {
        Some(Ok(Err(error))) => error.message,
        Some(Err(error)) => error.to_string(),
        Some(Ok(Ok(()))) | None => "the station ended by itself".to_owned(),
    }
}

/// A station's handler: whoever works for the pass of a message, with its log lines and its time.
struct Pulled<W> {
    workshop: Arc<Workshop<W>>,
    call: Call,
    handled: AtomicU64,
}

#[async_trait::async_trait]
impl<W: Handler> Handler for Pulled<W> {
    async fn work(
        &self,
        message: &Message,
        invocation: &Invocation,
    ) -> Result<Handled, HandlerError> {
        /// A handler that has not returned so long after its deadline is given up.
        const OVERTIME: Duration = Duration::from_secs(1);
        let span = logs::record_span(&self.call, &invocation.owner);
        logs::note_message(&span, message);
        let patience = invocation.deadline.since(self.workshop.ledger().now()) + OVERTIME;
        let work = self.workshop.deal_with(message, invocation).instrument(span);
        let handled = timeout(patience, work).await.unwrap_or_else(|_| {
            Err(HandlerError {
                is_transient: true,
                message: "did not return in the invocation's time".to_owned(),
            })
        });
        if handled.is_ok() {
            self.handled.fetch_add(1, Ordering::Relaxed);
        }
        handled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_receives_for_fifty_minutes_or_its_own_time_less_a_margin() {
        let now = Timestamp(1_000_000);
        for (timeout_seconds, asked_seconds, receives_millis) in [
            (3_600, None, 3_000_000),
            (3_600, Some(60), 60_000),
            (86_400, Some(86_400), 3_000_000),
            // Two seconds are for the answer.
            (600, None, 448_500),
            (60, None, 43_500),
            (8, None, 5_400),
        ] {
            let killed_at = now.plus(Duration::from_secs(timeout_seconds));
            let call = Call::new("copier", "r", killed_at, now);
            let times = Times::of(asked_seconds.map(Duration::from_secs), &call, now);
            let receives = Duration::from_millis(receives_millis);
            assert_eq!(times.receives, receives, "{timeout_seconds} {asked_seconds:?}");
            assert!(times.until < killed_at);
        }
    }
}
