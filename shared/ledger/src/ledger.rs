//! The one driver of every conditional write.

use std::sync::Arc;
use std::time::Duration;

use ossferry_core::error::{Conclusion, PortError};
use ossferry_core::meter::{Meter, OperationCounts};
use ossferry_core::ports::{Condition, Queue, Row, Table, Written};
use ossferry_core::time::{Clock, Timestamp};

use crate::codec::{TypedRow, Unreadable, decode, encode};
use crate::finishing::SettledSoFar;
use crate::ids::RowId;
use crate::lease::{Change, KnownDead, Lease, LeaseLost};
use crate::lists::ListError;
use crate::observing::Observer;

/// Rounds of one conditional write before it is given up. A refused round means that another worker
/// moved on, so only a crowd on one row comes near.
const ROUNDS_MAX: u32 = 64;

/// Bytes of a row with a list that are not the list, at most: two key columns and a few numbers.
const LIST_ROW_BYTES: usize = 4 << 10;

/// Rounds after which a transient error of the table is reported.
const TRANSIENT_ROUNDS_MAX: u32 = 6;

/// Why a step of the ledger was not taken.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LedgerError {
    /// The table or a queue failed.
    #[error("ledger: {0}")]
    Port(#[from] PortError),
    /// A row could not be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// A blob could not be read.
    #[error(transparent)]
    List(#[from] ListError),
    /// Another worker has the row: stop, and write nothing more.
    #[error(transparent)]
    LeaseLost(#[from] LeaseLost),
    /// A row that must be there is not.
    #[error("row {0} is missing")]
    Missing(RowId),
    /// Somebody else wrote the row in every one of many rounds.
    #[error("row {0} is too contended")]
    Contended(RowId),
    /// The invocation's leases have ended: what it holds may be another's by now, and nothing more is
    /// written for it.
    #[error("the invocation's leases have ended")]
    TimeUp,
    /// A law of the ledger does not hold: a defect, reported rather than counted.
    #[error("ledger is inconsistent: {0}")]
    Inconsistent(String),
}

impl LedgerError {
    /// Whether the step may be tried again later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Port(error) => error.is_transient(),
            Self::Contended(_) => true,
            _ => false,
        }
    }
}

/// Shorthand of this crate.
pub(crate) type Result<T> = std::result::Result<T, LedgerError>;

/// The completion table and the two queues that stand before it.
#[derive(Clone)]
pub struct Ledger {
    pub(crate) table: Arc<dyn Table>,
    pub(crate) planner_queue: Arc<dyn Queue>,
    pub(crate) copier_queue: Arc<dyn Queue>,
    pub(crate) clock: Clock,
    pub(crate) known_dead: KnownDead,
    /// Nothing is written or sent from this moment on.
    pub(crate) write_until: Option<Timestamp>,
    pub(crate) settled_so_far: Arc<SettledSoFar>,
    pub(crate) observer: Option<Observer>,
    pub(crate) host_meter: Arc<Meter>,
}

impl Ledger {
    /// A ledger over a table, the planners' queue (slices, uploads to open) and the copiers' queue
    /// (tasks, ranges). `known_dead` names owners that need not be waited for.
    pub fn new(
        table: Arc<dyn Table>,
        planner_queue: Arc<dyn Queue>,
        copier_queue: Arc<dyn Queue>,
        clock: Clock,
        known_dead: KnownDead,
    ) -> Self {
        Self {
            table,
            planner_queue,
            copier_queue,
            clock,
            known_dead,
            write_until: None,
            settled_so_far: Arc::default(),
            observer: None,
            host_meter: Arc::default(),
        }
    }

    /// The same ledger over adapters that count on `meter` what the host bills.
    ///
    /// Whoever records next writes what was counted since the last record into its row. So the write
    /// that records is itself counted by the next one, and what an invocation counts that records
    /// nothing more stands in none, if the process ends with it.
    #[must_use]
    pub fn metered(mut self, meter: Arc<Meter>) -> Self {
        self.host_meter = meter;
        self
    }

    /// What the host bills for work since the last call.
    pub fn take_host_usage(&self) -> OperationCounts {
        self.host_meter.take()
    }

    /// The ledger's clock.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// What tells [`Ledger::now`].
    pub fn clock(&self) -> Clock {
        Arc::clone(&self.clock)
    }

    /// Refuses where the invocation that this ledger is for may have lost what it held.
    pub(crate) fn check_time(&self) -> Result<()> {
        match self.write_until {
            Some(until) if self.now() >= until => Err(LedgerError::TimeUp),
            _ => Ok(()),
        }
    }

    /// Whether nobody holds a row of this lease now.
    pub fn is_free(&self, lease: &Lease) -> bool {
        lease.is_free_at(self.now(), &self.known_dead)
    }

    /// Bytes that one row may take.
    pub fn row_bytes_max(&self) -> usize {
        self.table.row_bytes_max()
    }

    /// Bytes that the list in a row may take: keys and plain attributes of such a row are short.
    pub(crate) fn blob_bytes_max(&self) -> usize {
        self.row_bytes_max().saturating_sub(LIST_ROW_BYTES)
    }

    /// Reads a typed row.
    pub async fn read<R: TypedRow>(&self, id: &RowId) -> Result<Option<R>> {
        Ok(match self.fetch(id).await? {
            Some(row) => Some(decode(&row)?),
            None => None,
        })
    }

    /// Reads a row that must be there.
    pub async fn expect<R: TypedRow>(&self, id: &RowId) -> Result<R> {
        self.read(id).await?.ok_or_else(|| LedgerError::Missing(id.clone()))
    }

    pub(crate) async fn fetch(&self, id: &RowId) -> Result<Option<Row>> {
        let mut round = 0;
        loop {
            match self.table.get(&id.partition, &id.sort).await {
                Ok(row) => return Ok(row),
                Err(error) => self.pause(&mut round, error).await?,
            }
        }
    }

    /// Every row of a partition with `from` <= sort < `until`.
    pub(crate) async fn rows(
        &self,
        partition: &str,
        from: &str,
        until: &str,
        rows_max: usize,
    ) -> Result<Vec<Row>> {
        let mut rows: Vec<Row> = Vec::new();
        let mut start = from.to_owned();
        let mut round = 0;
        while rows.len() < rows_max {
            let left = rows_max - rows.len();
            match self.table.range(partition, &start, until, left).await {
                Ok(page) => {
                    let more = page.more && !page.rows.is_empty();
                    rows.extend(page.rows);
                    if !more {
                        break;
                    }
                    if let Some(last) = rows.last() {
                        start = format!("{}\0", last.sort);
                    }
                }
                Err(error) => self.pause(&mut round, error).await?,
            }
        }
        Ok(rows)
    }

    /// Takes one step of a row that must be there.
    ///
    /// `step` is pure and may run several times: after a refusal it sees the row that refused, after
    /// a lost answer the row as it stands. It answers `Keep` where its own write stands already.
    pub async fn change<R, O, E>(
        &self,
        id: &RowId,
        mut step: impl FnMut(&R) -> std::result::Result<Change<R, O>, E>,
    ) -> Result<(R, O)>
    where
        R: TypedRow,
        LedgerError: From<E>,
    {
        self.change_or_put(id, None, |row| match row {
            Some(row) => Ok(step(row)?),
            None => Err(LedgerError::Missing(id.clone())),
        })
        .await
    }

    /// [`Ledger::change`] with a step that cannot fail.
    pub async fn step<R: TypedRow, O>(
        &self,
        id: &RowId,
        mut step: impl FnMut(&R) -> Change<R, O>,
    ) -> Result<(R, O)> {
        self.change::<R, O, LeaseLost>(id, |row| Ok(step(row))).await
    }

    /// Takes one step of a row that may be absent, with a blob where the row holds a list.
    pub(crate) async fn change_or_put<R, O>(
        &self,
        id: &RowId,
        blob: Option<bytes::Bytes>,
        mut step: impl FnMut(Option<&R>) -> Result<Change<R, O>>,
    ) -> Result<(R, O)>
    where
        R: TypedRow,
    {
        // A row that holds a blob is new in almost every case: nothing is read before it is put.
        let mut stored = if blob.is_some() { None } else { self.fetch(id).await? };
        let mut transient_rounds = 0;
        for _ in 0..ROUNDS_MAX {
            let typed: Option<R> = stored.as_ref().map(decode).transpose()?;
            let (next, answer) = match step(typed.as_ref())? {
                Change::Write(next, answer) => (next, answer),
                Change::Keep(answer) => {
                    let row = typed.ok_or_else(|| LedgerError::Missing(id.clone()))?;
                    return Ok((row, answer));
                }
            };
            let mut row = encode(id, &next);
            row.blob.clone_from(&blob);
            let condition = match &stored {
                Some(stored) => Condition::Revision(stored.revision),
                None => Condition::Absent,
            };
            self.check_time()?;
            match self.table.put(&row, condition).await {
                Ok(Written::Done(_)) => return Ok((next, answer)),
                // The list that stands is this one: a client below may repeat a write by itself.
                Ok(Written::Refused(Some(current))) if blob.is_some() && same(&current, &row) => {
                    return Ok((next, answer));
                }
                Ok(Written::Refused(current)) => stored = current,
                Err(error) if error.conclusion == Conclusion::Refused => return Err(error.into()),
                Err(error) => {
                    self.pause(&mut transient_rounds, error).await?;
                    stored = self.fetch(id).await?;
                    let own = stored.as_ref().is_some_and(|current| same(current, &row));
                    if blob.is_some() && own {
                        return Ok((next, answer));
                    }
                }
            }
        }
        Err(LedgerError::Contended(id.clone()))
    }

    /// Counts a transient error and lets the caller go round again, or reports it.
    async fn pause(&self, round: &mut u32, error: PortError) -> Result<()> {
        *round += 1;
        if !error.is_transient() || *round >= TRANSIENT_ROUNDS_MAX {
            return Err(error.into());
        }
        tracing::debug!(round, %error, "table: trying again");
        tokio::time::sleep(Duration::from_millis(20 << *round)).await;
        Ok(())
    }
}

/// Whether a row holds what another does, whoever wrote it and how often.
fn same(stored: &Row, row: &Row) -> bool {
    stored.blob == row.blob && stored.attributes == row.attributes
}

/// An error where the ledger's own data do not fit together.
pub(crate) fn inconsistent(what: impl Into<String>) -> LedgerError {
    LedgerError::Inconsistent(what.into())
}
