//! One process as host: runs planner and copier handlers over the two queues until the pass has ended.

pub(crate) mod interrupt;
pub(crate) mod mark;
pub(crate) mod opener;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ossferry_core::rates::Admission;
use ossferry_core::time::Timestamp;
use ossferry_host::{Activity, Station};
use ossferry_ledger::ids::PassRef;
use ossferry_ledger::{HandlerError, PassStatus};
use ossferry_local::Database;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use self::interrupt::Interrupts;
use self::mark::{Mark, planner_mark};
use crate::command_error::CommandError;
use crate::job_ledger::JobLedger;
use crate::progress::Progress;

/// The pass's row is looked at after a handler has ended, but not more often than this.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// And at least this often.
const TICK: Duration = Duration::from_millis(500);

/// Totals are summed at most this often, and less often where that takes long.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// Dead workers are looked for this often.
const ROLL_CALL_INTERVAL: Duration = Duration::from_secs(1);

/// Nothing was done here for so long: what is left has no worker, or another one's.
const IDLE_BEFORE_SWEEP: Duration = Duration::from_secs(3);

/// A sweep that found nothing new is repeated ever less often.
const SWEEP_INTERVAL_MAX: Duration = Duration::from_mins(1);

/// That a window is closed is said so often.
const CLOSED_SAY_INTERVAL: Duration = Duration::from_mins(10);

/// Without a message for so long a planner that is alone has nothing left to open.
const IDLE_BEFORE_WALKED: Duration = Duration::from_millis(1_500);

/// A task's message counts as lost when it has waited so long since it was planned.
pub(crate) const MESSAGE_IDLE: Duration = Duration::from_secs(10);

/// Handlers that are at work when the pass ends, or at an interrupt, may take so long to end. What is
/// cut off then is done again by the next process.
const GRACE: Duration = Duration::from_secs(10);

/// Nothing is said of handlers that end within this.
const QUIET_GRACE: Duration = Duration::from_millis(500);

/// What this process does for the pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// Everything.
    Run,
    /// Takes planner messages until every slice is walked.
    Plan,
    /// Takes copier messages; opens uploads while no other process plans.
    Copy,
}

/// How a host's work ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HostEnd {
    /// The pass has ended.
    PassEnded,
    /// Every slice is walked: nothing is left for [`Role::Plan`].
    Walked,
    /// Somebody asked to stop.
    Interrupted,
}

/// One process at work on one pass.
pub(crate) struct Host<'a> {
    /// Rows and messages.
    pub(crate) kept: &'a JobLedger,
    /// Its file.
    pub(crate) database: &'a Database,
    /// The pass.
    pub(crate) pass: PassRef,
    /// What it does.
    pub(crate) role: Role,
    /// The queues it works on.
    pub(crate) stations: Vec<Station>,
    /// Of the planner's station: closed while it is for others to open uploads.
    pub(crate) planner_gate: Arc<AtomicBool>,
    /// Places of copies in flight: closed, every copier ends what it has begun and hands the rest
    /// back.
    pub(crate) in_flight: Arc<Semaphore>,
    /// Shared by the stations.
    pub(crate) activity: Arc<Activity>,
    /// Messages that a slice may have out.
    pub(crate) window: u64,
    /// Whether something new is copied now.
    pub(crate) admission: Admission,
    /// Shows how far the pass is.
    pub(crate) progress: Progress,
    /// Ctrl-C.
    pub(crate) interrupts: Interrupts,
    /// Whether work of an earlier process may lie about.
    pub(crate) goes_on: bool,
}

/// When the host last did what it does now and then.
struct Rounds {
    status_due: Instant,
    roll_call_due: Instant,
    sweep_due: Instant,
    sweep_interval: Duration,
}

impl Host<'_> {
    /// Works until there is nothing left for this process, or somebody asks to stop.
    pub(crate) async fn run(mut self) -> Result<HostEnd, CommandError> {
        // Before anything begins: it keeps to what was set.
        if self.kept.ledger.pass(&self.pass).await?.rates_set_at.is_some() {
            self.admission.note_set_rates();
        }
        if self.goes_on {
            self.roll_call().await;
            self.sweep().await?;
        }
        let (stop, stopped) = watch::channel(false);
        let mut stations: JoinSet<StationEnd> = JoinSet::new();
        for station in self.stations.drain(..) {
            let (name, work) = (station.name, station.run(stopped.clone()));
            stations.spawn(async move { (name, work.await) });
        }
        let end = self.watch().await;
        stop.send_replace(true);
        self.in_flight.close();
        let failure = self.drain(&mut stations).await;
        stations.shutdown().await;
        self.progress.finish();
        match end? {
            Some(end) => Ok(end),
            None => Err(failure.unwrap_or_else(|| CommandError::Handler {
                worker: "worker",
                error: "met an error that is in the log".to_owned(),
            })),
        }
    }

    /// Waits for handlers that are at work. Answers what one of them met that will not change.
    async fn drain(&self, stations: &mut JoinSet<StationEnd>) -> Option<CommandError> {
        let mut all = std::pin::pin!(async {
            let mut failure = None;
            while let Some(ended) = stations.join_next().await {
                failure = failure.or(station_error(ended));
            }
            failure
        });
        if let Ok(failure) = timeout(QUIET_GRACE, &mut all).await {
            return failure;
        }
        let (running, grace) = (self.activity.running(), GRACE.as_secs());
        self.progress.say(&format!(
            "stopping: {running} handlers end what they have begun, for up to {grace} s; Ctrl-C \
             ends it at once"
        ));
        timeout(GRACE, all).await.unwrap_or_else(|_| {
            tracing::debug!(running = self.activity.running(), "handlers dropped");
            None
        })
    }

    /// Returns when there is nothing left to do, or `None` when a handler met what will not change.
    async fn watch(&mut self) -> Result<Option<HostEnd>, CommandError> {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let now = Instant::now();
        let mut rounds = Rounds {
            status_due: now,
            roll_call_due: now,
            sweep_due: now,
            sweep_interval: IDLE_BEFORE_SWEEP,
        };
        let interrupts = self.interrupts.clone();
        let activity = Arc::clone(&self.activity);
        loop {
            tokio::select! {
                biased;
                () = interrupts.first() => return Ok(Some(HostEnd::Interrupted)),
                () = activity.failed() => return Ok(None),
                _ = tick.tick() => {}
                () = activity.ended() => {}
            }
            let next_look = Instant::now() + LOOK_INTERVAL;
            let row = self.kept.ledger.pass(&self.pass).await?;
            if row.state.is_final() {
                return Ok(Some(HostEnd::PassEnded));
            }
            if row.rates_set_at.is_some() {
                self.admission.note_set_rates();
            }
            if let Some(end) = self.round(&mut rounds).await? {
                return Ok(Some(end));
            }
            sleep_until(next_look).await;
        }
    }

    /// What is due now.
    async fn round(&mut self, rounds: &mut Rounds) -> Result<Option<HostEnd>, CommandError> {
        let now = Instant::now();
        if now >= rounds.roll_call_due {
            self.roll_call().await;
            rounds.roll_call_due = Instant::now() + ROLL_CALL_INTERVAL;
        }
        let mut status = None;
        if now >= rounds.status_due {
            let found = self.kept.ledger.status(&self.pass).await?;
            self.progress.show(&found);
            // Never more than a tenth of the time for looking.
            let took = now.elapsed();
            rounds.status_due = Instant::now() + STATUS_INTERVAL.max(took * 9);
            let is_walked = self.role == Role::Plan
                && found.slices_unwalked == 0
                && self.activity.idle() >= IDLE_BEFORE_WALKED;
            if is_walked {
                return Ok(Some(HostEnd::Walked));
            }
            status = Some(found);
        }
        if self.activity.idle() < IDLE_BEFORE_SWEEP {
            rounds.sweep_interval = IDLE_BEFORE_SWEEP;
            rounds.sweep_due = now;
        } else if let Some(until) = self.admission.closed_until() {
            // Every message comes again by itself; one that a sweep sends beside it would, too.
            if now >= rounds.sweep_due {
                self.progress.say(&closed_text(until));
                rounds.sweep_due = now + CLOSED_SAY_INTERVAL;
            }
        } else if now >= rounds.sweep_due {
            self.sweep().await?;
            let status = match status {
                Some(status) => status,
                None => self.kept.ledger.status(&self.pass).await?,
            };
            if status.row.state.is_final() {
                return Ok(Some(HostEnd::PassEnded));
            }
            let is_unplanned = self.role == Role::Copy && self.planner_gate.load(Ordering::Relaxed);
            self.progress.say(&waits_for(&status, is_unplanned));
            rounds.sweep_interval = (rounds.sweep_interval * 2).min(SWEEP_INTERVAL_MAX);
            rounds.sweep_due = Instant::now() + rounds.sweep_interval;
        }
        Ok(None)
    }

    /// Takes up what the dead have left, and the planner's part where nobody plans.
    async fn roll_call(&self) {
        if let Err(error) = self.database.release_dead().await {
            tracing::warn!(%error, "release messages of dead workers");
        }
        if self.role == Role::Copy {
            let is_planned = Mark::is_set(&planner_mark(self.database.path()));
            self.planner_gate.store(!is_planned, Ordering::Relaxed);
        }
    }

    async fn sweep(&self) -> Result<(), CommandError> {
        // Boxed: it holds a tree of slices, and what waits for it would be as large.
        let swept = Box::pin(self.kept.ledger.sweep(&self.pass, self.window, MESSAGE_IDLE)).await;
        match swept {
            Ok(swept) => {
                tracing::debug!(?swept, "sweep");
                Ok(())
            }
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "sweep");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// That a window of the job is closed.
pub(crate) fn closed_text(until: Timestamp) -> String {
    if until == Timestamp::MAX {
        return "closed: the job's windows let nothing be copied".to_owned();
    }
    format!("closed until {until}: the job's windows let nothing be copied before")
}

/// Why nothing moves in this process. `is_unplanned`: no process takes the planner's messages.
fn waits_for(status: &PassStatus, is_unplanned: bool) -> String {
    let open = status.totals.tasks.saturating_sub(status.tasks_ended);
    let mut parts = Vec::new();
    if status.slices_unwalked > 0 {
        let slices = status.slices_unwalked;
        parts.push(if is_unplanned {
            format!("{slices} key ranges to be walked, and no planner runs: start ossferry plan")
        } else {
            format!("{slices} key ranges that wait after an error or are another planner's")
        });
    }
    if open > 0 {
        parts.push(format!(
            "{open} tasks, of which {} are begun: they wait after an error or are another copier's",
            status.tasks_copying
        ));
    }
    if parts.is_empty() {
        parts.push("the pass to be finished".to_owned());
    }
    format!("waiting for {}", parts.join("; and "))
}

type StationEnd = (&'static str, Result<(), HandlerError>);

fn station_error(ended: Result<StationEnd, JoinError>) -> Option<CommandError> {
    match ended {
        Ok((_, Ok(()))) => None,
        Ok((worker, Err(error))) => Some(CommandError::Handler { worker, error: error.message }),
        Err(error) => Some(CommandError::Handler { worker: "worker", error: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use ossferry_ledger::rows::{PassRow, PassTotals};

    use super::*;

    #[test]
    fn a_host_that_waits_says_for_what() {
        let row = PassRow::open("j".into(), "p".into());
        let status = |slices_unwalked, tasks| PassStatus {
            row: row.clone(),
            totals: PassTotals { tasks, ..PassTotals::default() },
            slices_unwalked,
            tasks_copying: 1,
            tasks_ended: 2,
            restoring: 0,
        };
        for (status, is_unplanned, want) in [
            (status(3, 2), true, "start ossferry plan"),
            (status(3, 2), false, "3 key ranges that wait"),
            (status(0, 7), true, "5 tasks, of which 1 are begun"),
            (status(0, 2), false, "the pass to be finished"),
        ] {
            let text = waits_for(&status, is_unplanned);
            assert!(text.contains(want), "{text}");
        }
    }
}
