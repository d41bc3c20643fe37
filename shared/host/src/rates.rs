//! Keeps this process within its share of the job's rates while it works on the job.
//!
//! Nothing is spawned: whoever works drives the renewals beside its work, one at a time where several do.
//! So an environment that is frozen between two invocations holds a share only until its lease ends, and
//! leases it anew before the next one begins. A job without rates and windows costs nothing at all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{Either, select};
use ossferry_core::job::Job;
use ossferry_core::rates::{Admission, Calendar};
use ossferry_ends::Paces;
use ossferry_ledger::ids::JobName;
use ossferry_ledger::messages::Message;
use ossferry_ledger::{
    Handled, Handler, HandlerError, Held, Invocation, Ledger, Moment, ShareHolder,
};
use tokio::time::{Instant, sleep, timeout};

/// The clock is looked at so often between two renewals: a lease may end, or a window begin.
const LOOK: Duration = Duration::from_secs(1);

/// Others wait in such steps for whoever looks first.
const FIRST_LOOK: Duration = Duration::from_millis(20);

/// After a renewal that failed.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// Of one job in one process.
pub struct RateKeeper {
    is_limited: bool,
    ledger: Ledger,
    paces: Paces,
    admission: Admission,
    /// Whoever has it renews.
    turn: tokio::sync::Mutex<Turn>,
    /// Whether it was looked what is in force.
    has_looked: AtomicBool,
    /// What is in force, for whoever shows it.
    held: Mutex<Option<Held>>,
}

struct Turn {
    holder: ShareHolder,
    renewed_at: Instant,
    due_at: Moment,
}

impl RateKeeper {
    /// Of a process that holds nothing yet. `owner` is its alone.
    pub fn new(ledger: &Ledger, job: &Job, paces: Paces, owner: String) -> Self {
        let calendar: Calendar = job.limits.calendar();
        let (is_limited, name) = (!calendar.is_empty(), JobName(job.name.clone()));
        let holder = ShareHolder::new(ledger.clone(), name, owner, calendar);
        let (renewed_at, due_at) = (Instant::now(), ledger.moment_after(Duration::ZERO));
        Self {
            is_limited,
            ledger: ledger.clone(),
            paces,
            admission: Admission::default(),
            turn: tokio::sync::Mutex::new(Turn { holder, renewed_at, due_at }),
            has_looked: AtomicBool::new(false),
            held: Mutex::new(None),
        }
    }

    /// For whoever copies.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// What is in force, as far as it was looked for.
    pub fn held(&self) -> Option<Held> {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does this work, and keeps its share of the rates meanwhile. Nothing of it begins before it is known
    /// what is in force.
    pub async fn around<T>(&self, work: impl Future<Output = T>) -> T {
        while self.is_looked_for() {
            // Whoever has the turn keeps it beside work of its own.
            if let Ok(mut turn) = self.turn.try_lock() {
                self.look(&mut turn).await;
                break;
            }
            if self.has_looked.load(Ordering::Relaxed) {
                break;
            }
            sleep(FIRST_LOOK).await;
        }
        let (work, keep) = (std::pin::pin!(work), std::pin::pin!(self.keep()));
        match select(work, keep).await {
            Either::Left((done, _)) => done,
            Either::Right((never, _)) => match never {},
        }
    }

    fn is_looked_for(&self) -> bool {
        self.is_limited || self.admission.rates_are_set()
    }

    async fn keep(&self) -> std::convert::Infallible {
        let mut turn = self.turn.lock().await;
        loop {
            if !self.is_looked_for() {
                sleep(LOOK).await;
                continue;
            }
            let wait = self.ledger.until(turn.due_at);
            sleep(wait.clamp(Duration::from_millis(1), LOOK)).await;
            self.look(&mut turn).await;
        }
    }

    async fn look(&self, turn: &mut Turn) {
        self.apply(&turn.holder.held());
        if self.ledger.until(turn.due_at).is_zero() {
            self.renew(turn).await;
            self.has_looked.store(true, Ordering::Relaxed);
        }
    }

    async fn renew(&self, turn: &mut Turn) {
        let now = Instant::now();
        let demands = self.paces.take_demands(now.saturating_duration_since(turn.renewed_at));
        turn.renewed_at = now;
        // Dropped half-way it is tried again by whoever comes next.
        turn.due_at = self.ledger.moment_after(TRY_AGAIN);
        let apply = |held: &Held| self.apply(held);
        let usable = turn.holder.usable_for();
        let renewal = turn.holder.renew(demands, &apply);
        // What is held ends on time, however long the table takes; what is not held cannot be kept.
        let renewed =
            if usable.is_zero() { Ok(renewal.await) } else { timeout(usable, renewal).await };
        match renewed {
            Ok(Ok(due)) => turn.due_at = self.ledger.moment_after(due),
            Ok(Err(error)) => tracing::warn!(%error, "lease a share of the job's rates"),
            Err(_) => tracing::warn!("a share of the job's rates was not leased anew in time"),
        }
        self.apply(&turn.holder.held());
    }

    fn apply(&self, held: &Held) {
        self.admission.tell(&held.in_force);
        self.paces.set_rates(&held.shares);
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(*held);
    }
}

/// A handler that keeps to its process's share.
pub struct Rated<H: ?Sized> {
    /// Of the job that it works for.
    pub keeper: Arc<RateKeeper>,
    /// Who works.
    pub inner: Arc<H>,
}

#[async_trait::async_trait]
impl<H: Handler + ?Sized> Handler for Rated<H> {
    async fn work(
        &self,
        message: &Message,
        invocation: &Invocation,
    ) -> Result<Handled, HandlerError> {
        self.keeper.around(self.inner.work(message, invocation)).await
    }
}
