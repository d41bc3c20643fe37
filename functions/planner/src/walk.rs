//! One invocation's walk over one slice: taken, walked until its end or the deadline, handed on.

use std::sync::Arc;
use std::time::Duration;

use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::join::BadListing;
use ossferry_core::meter::{Meter, OperationCounts, Requests};
use ossferry_core::ports::{ListingOrder, Page};
use ossferry_core::rates::Admission;
use ossferry_ledger::ids::SliceRef;
use ossferry_ledger::lease::Hold;
use ossferry_ledger::messages::Message;
use ossferry_ledger::rows::{PassKind, SliceClaim, SliceRow};
use ossferry_ledger::{Handled, Invocation, Ledger, LedgerError, Recorded};
use tokio::time::{Instant, timeout_at};

use crate::deadline::work_until;
use crate::drafts::{Cuts, Drafts, SliceWrite};
use crate::judge::{Judge, Sighting};
use crate::lister::{Bound, Lister};
use crate::only_at_target::is_at_target;
use crate::{Appetite, PlanError, Planner};

/// A slice that another walks is looked at again after at most this.
const LOOK_AGAIN_MAX: Duration = Duration::from_mins(1);

/// A slice whose store failed is walked on after this, doubled with each error in a row.
const RETRY_AFTER: Duration = Duration::from_secs(5);
const RETRY_AFTER_MAX: Duration = Duration::from_mins(5);

/// How a walk ended without an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// At the slice's end: everything is committed.
    Listed,
    /// Near the deadline: everything looked at is committed, the rest is to be handed on.
    Deadline,
    /// With its pass, which somebody ended meanwhile.
    WithPass,
}

/// What is walked through, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// The keys that earlier passes left undone.
    Outstanding,
    /// Both listings, by key.
    Keyed,
    /// The source's listing, by continuation token.
    Serial,
    /// The target's listing, for keys that the source lacks: what an audit does after the serial walk.
    OnlyAtTarget,
}

impl Way {
    fn of(kind: PassKind, order: ListingOrder, row: &SliceRow) -> Self {
        match (kind, order) {
            (PassKind::Retry, _) => Self::Outstanding,
            (_, ListingOrder::Bytes) => Self::Keyed,
            (PassKind::Audit, ListingOrder::Serial) if is_at_target(row) => Self::OnlyAtTarget,
            (_, ListingOrder::Serial) => Self::Serial,
        }
    }

    fn cuts(self) -> Cuts {
        match self {
            Self::Serial => Cuts::AtPageEnds,
            Self::Outstanding | Self::Keyed | Self::OnlyAtTarget => Cuts::AfterAnyKey,
        }
    }
}

/// Why a walk ended early.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The ledger failed, or the slice is another's now.
    Ledger(LedgerError),
    /// Going on is pointless or would be wrong: the pass stops for this reason.
    Stop(String),
    /// A store failed for now.
    Later { reason: String, retry_after: Option<Duration> },
}

impl From<LedgerError> for Halt {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl Halt {
    /// An error of a listing, or one that concerns every object. What will not change stops the pass.
    pub(crate) fn of_port(end: &'static str, error: &PortError) -> Self {
        if error.is_transient() && !error.kind.concerns_every_object() {
            let retry_after = error.retry_after;
            return Self::Later { reason: format!("{end}: {error}"), retry_after };
        }
        let remedy = match error.kind {
            ErrorKind::OutOfOrder => UNORDERED,
            _ => "",
        };
        Self::Stop(format!("{end}: {error}{remedy}"))
    }

    /// A page that cannot be what was asked for.
    pub(crate) fn of_listing(end: &'static str, bad: &BadListing) -> Self {
        let remedy = match bad {
            BadListing::OutOfOrder { .. } => UNORDERED,
            BadListing::Misplaced { .. } => "",
        };
        Self::Stop(format!("{end}: {bad}{remedy}"))
    }
}

const UNORDERED: &str = ": the store does not list by the bytes of its keys, so that key ranges of \
                         it cannot be trusted; take listing_order out of the job file";

/// A slice that this invocation holds.
pub(crate) struct Walk {
    pub(crate) ledger: Ledger,
    pub(crate) slice: SliceRef,
    pub(crate) hold: Hold,
    /// As taken. Its bounds, cursor and counts go on in the fields below.
    pub(crate) row: SliceRow,
    /// The last key that belongs; a split lowers it.
    pub(crate) until: Bound,
    pub(crate) judge: Judge,
    pub(crate) drafts: Drafts,
    pub(crate) appetite: Appetite,
    pub(crate) stop_at: Instant,
    admission: Admission,
    source_meter: Arc<Meter>,
    target_meter: Arc<Meter>,
    requests: Requests,
}

impl Planner {
    pub(crate) async fn walk_slice(
        &self,
        slice: &SliceRef,
        invocation: &Invocation,
    ) -> Result<Handled, PlanError> {
        let pass = self.ledger.pass(&slice.pass).await?;
        if pass.state.is_final() {
            return Ok(Handled::Done);
        }
        let plan = self.plan_of(&pass).await?;
        let window = plan.window;
        let claimant = self.ledger.claimant_of(invocation);
        let (row, claim) = self.ledger.take_slice(slice, &claimant).await?;
        match claim {
            SliceClaim::Leased(until) => {
                let left = until.since(self.ledger.now());
                return Ok(Handled::Later(left.min(LOOK_AGAIN_MAX)));
            }
            SliceClaim::Walked(_) => {
                // Whoever walked it may have died before its last messages were sent.
                self.ledger.settle(slice, window).await?;
                return Ok(Handled::Done);
            }
            SliceClaim::GivenUp => return Ok(Handled::Done),
            SliceClaim::Mine => {}
        }
        let source_meter = Arc::<Meter>::default();
        let target_meter = Arc::<Meter>::default();
        let way = Way::of(plan.kind, self.source.profile().order, &row);
        let walk = Walk {
            ledger: self.ledger.clone(),
            slice: slice.clone(),
            hold: Hold { owner: claimant.owner.clone(), fence: row.lease.fence },
            until: Bound::at(row.until.clone()),
            drafts: Drafts::new(&row, plan.batch_limits, way.cuts())
                .after_t2(plan.context.t2.is_some()),
            judge: Judge {
                plan,
                ledger: self.ledger.clone(),
                source: self.source.metered(source_meter.clone()),
                target: self.target.metered(target_meter.clone()),
            },
            appetite: self.appetite.clone(),
            stop_at: work_until(invocation, self.ledger.now()),
            admission: self.admission.clone(),
            requests: row.walked.requests.clone(),
            row,
            source_meter,
            target_meter,
        };
        walk.run(way).await
    }
}

impl Walk {
    async fn run(mut self, way: Way) -> Result<Handled, PlanError> {
        let ended = match (self.misfit(way), way) {
            (Some(reason), _) => Err(Halt::Stop(reason)),
            (None, Way::Outstanding) => self.walk_outstanding().await,
            (None, Way::Serial) => self.walk_serial().await,
            (None, Way::OnlyAtTarget) => self.walk_only_at_target().await,
            (None, Way::Keyed) => self.walk_keyed().await,
        };
        let ended = match ended {
            // What was looked at is saved; what comes next is the same again, later.
            Err(Halt::Later { reason, retry_after }) => match self.commit(true, false).await {
                Ok(()) => Err(Halt::Later { reason, retry_after }),
                Err(halt) => Err(halt),
            },
            ended => ended,
        };
        self.conclude(ended).await
    }

    /// Why this row cannot be walked on: the source lists otherwise than when the row was written.
    fn misfit(&self, way: Way) -> Option<String> {
        let row = &self.row;
        let is_cut = row.after.is_some() || row.until.is_some() || row.cursor.is_some();
        let is_misfit = match way {
            Way::Keyed | Way::Outstanding => row.token.is_some(),
            Way::Serial => is_cut,
            Way::OnlyAtTarget => false,
        };
        is_misfit.then(|| {
            "the pass began with another listing order of its source: begin a new pass".to_owned()
        })
    }

    async fn conclude(self, ended: Result<Ended, Halt>) -> Result<Handled, PlanError> {
        let Self { ledger, slice, hold, .. } = &self;
        match ended {
            Ok(Ended::Listed | Ended::WithPass) => {}
            Ok(Ended::Deadline) => ledger.hand_on_slice(slice, hold, Duration::ZERO).await?,
            Err(Halt::Stop(reason)) => {
                tracing::error!(slice = %slice.slice, reason, "slice stopped");
                ledger.stop_slice(slice, hold, &reason).await?;
            }
            Err(Halt::Later { reason, retry_after }) => {
                let delay = self.patience().max(retry_after.unwrap_or_default());
                tracing::warn!(slice = %slice.slice, reason, ?delay, "slice let go of");
                self.let_go(delay).await?;
            }
            Err(Halt::Ledger(LedgerError::LeaseLost(lost))) => {
                tracing::debug!(slice = %slice.slice, %lost, "slice taken over");
            }
            Err(Halt::Ledger(error)) if error.is_transient() => {
                tracing::warn!(slice = %slice.slice, %error, "slice let go of");
                self.let_go(self.patience()).await?;
            }
            Err(Halt::Ledger(error)) => {
                // A row of a newer version waits for a newer planner. The message goes back to the queue,
                // whose dead letters tell of it.
                if let Err(refusal) = ledger.let_go_of_slice(slice, hold, self.patience()).await {
                    tracing::warn!(slice = %slice.slice, %refusal, "slice not let go of");
                }
                return Err(error.into());
            }
        }
        Ok(Handled::Done)
    }

    /// Leaves the slice to a planner that comes after `delay`: this one lives, and met an error.
    async fn let_go(&self, delay: Duration) -> Result<(), LedgerError> {
        self.ledger.let_go_of_slice(&self.slice, &self.hold, delay).await?;
        self.ledger.send(&[Message::Slice(self.slice.clone())], delay).await
    }

    /// How long a slice at which errors were met is left alone.
    fn patience(&self) -> Duration {
        let doublings = u32::try_from(self.row.failed_hops).unwrap_or(u32::MAX);
        let factor = 1_u32.checked_shl(doublings.min(16)).unwrap_or(u32::MAX);
        RETRY_AFTER.saturating_mul(factor).min(RETRY_AFTER_MAX)
    }

    /// Asks about what is unclear, then counts and plans everything, in order.
    pub(crate) async fn settle(&mut self, sightings: &mut Vec<Sighting>) -> Result<(), Halt> {
        self.judge.resolve(sightings).await?;
        for sighting in sightings.drain(..) {
            sighting.settle(&mut self.drafts);
        }
        Ok(())
    }

    /// Commits what is due. Answers why the walk ends here, if it does.
    pub(crate) async fn rest(&mut self) -> Result<Option<Ended>, Halt> {
        let is_late = Instant::now() >= self.stop_at;
        if !is_late && !self.drafts.is_due() {
            return Ok(None);
        }
        self.rest_now().await
    }

    /// Commits everything that can be. Answers why the walk ends here, if it does.
    pub(crate) async fn rest_now(&mut self) -> Result<Option<Ended>, Halt> {
        let is_late = Instant::now() >= self.stop_at;
        if self.is_over().await? {
            return Ok(Some(Ended::WithPass));
        }
        self.commit(is_late, false).await?;
        Ok(is_late.then_some(Ended::Deadline))
    }

    /// Commits everything: the slice ends here.
    pub(crate) async fn finish(&mut self) -> Result<Ended, Halt> {
        if self.is_over().await? {
            return Ok(Ended::WithPass);
        }
        self.commit(true, true).await?;
        Ok(Ended::Listed)
    }

    /// Whether the pass has ended. Its row also says whether rates were set meanwhile.
    async fn is_over(&self) -> Result<bool, Halt> {
        let pass = self.ledger.pass(&self.slice.pass).await?;
        if pass.rates_set_at.is_some() {
            self.admission.note_set_rates();
        }
        Ok(pass.state.is_final())
    }

    async fn commit(&mut self, all: bool, listed: bool) -> Result<(), Halt> {
        let counted = Requests {
            source: self.source_meter.take(),
            target: self.target_meter.take(),
            host: self.ledger.take_host_usage(),
            // A walk asks for none.
            restored: OperationCounts::default(),
        };
        self.requests.add(&counted);
        let to = SliceWrite {
            ledger: &self.ledger,
            slice: &self.slice,
            hold: &self.hold,
            window: self.judge.plan.window,
        };
        self.drafts.commit(&to, self.requests.clone(), all, listed).await?;
        self.ledger.tell(&self.slice.pass.job, Recorded::Planning(&counted));
        Ok(())
    }

    /// The next page, unless the deadline comes first: then `None`, for [`Walk::rest`] to end the walk.
    pub(crate) async fn next_page(
        &self,
        lister: &mut Lister,
        end: &'static str,
    ) -> Result<Option<Page>, Halt> {
        match timeout_at(self.stop_at, lister.next()).await {
            Err(_) => Ok(None),
            Ok(Ok(page)) => Ok(Some(page)),
            Ok(Err(error)) => Err(Halt::of_port(end, &error)),
        }
    }
}
