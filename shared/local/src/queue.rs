//! The queue port over SQLite.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::ports::{Delivery, Outgoing, Queue, Receipt, Sent};
use ossferry_core::time::Timestamp;
use rusqlite::{OptionalExtension, params};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::database::Database;

/// Messages that one send takes.
const BATCH_MAX: usize = 100;

/// How often an idle receiver looks for messages that another process sent. One such look is a
/// single search in an index.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// A receiver is sent back to its caller at least this often.
const WAIT_MAX: Duration = Duration::from_hours(1);

/// A named queue of a [`Database`].
///
/// A message received by a worker that has died becomes visible through
/// [`Database::release_dead`], before its visibility timeout ends.
#[derive(Clone)]
pub struct SqliteQueue {
    database: Database,
    name: String,
    arrivals: Arc<Notify>,
}

impl SqliteQueue {
    pub(crate) fn new(database: Database, name: &str) -> Self {
        let arrivals = database.arrivals(name);
        Self { database, name: name.to_owned(), arrivals }
    }

    fn now(&self) -> Timestamp {
        (self.database.clock())()
    }

    /// When the next message becomes visible, or did. `None` where the queue is empty.
    async fn next_visible(&self) -> Result<Option<Timestamp>, PortError> {
        let name = self.name.clone();
        self.database
            .read("look for messages", move |connection| {
                connection
                    .prepare_cached(
                        "SELECT visible_at_ms FROM queue_message WHERE queue = ?
                         ORDER BY visible_at_ms LIMIT 1",
                    )?
                    .query_row([&name], |row| row.get(0).map(Timestamp))
                    .optional()
            })
            .await
    }

    async fn take(
        &self,
        messages_max: usize,
        visibility: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        let name = self.name.clone();
        let worker = self.database.presence().get().map(|here| here.worker_id().to_owned());
        let clock = self.database.clock().clone();
        let limit = i64::try_from(messages_max).unwrap_or(i64::MAX);
        self.database
            .write("receive messages", move |connection| {
                // Read here and not before: the transaction may have waited for its turn.
                let now = clock();
                let mut statement = connection.prepare_cached(
                    "UPDATE queue_message
                     SET visible_at_ms = ?, receive_count = receive_count + 1, worker = ?
                     WHERE number IN (
                         SELECT number FROM queue_message WHERE queue = ? AND visible_at_ms <= ?
                         ORDER BY visible_at_ms LIMIT ?)
                     RETURNING number, receive_count, body",
                )?;
                let hidden_until = now.plus(visibility).0;
                let rows = statement.query_map(
                    params![hidden_until, worker, name, now.0, limit],
                    |row| {
                        let (number, receive_count) = (row.get(0)?, row.get(1)?);
                        Ok(Delivery {
                            body: row.get(2)?,
                            receipt: Named { number, receive_count }.receipt(),
                            receive_count,
                        })
                    },
                )?;
                rows.collect()
            })
            .await
    }
}

#[async_trait]
impl Queue for SqliteQueue {
    fn batch_max(&self) -> usize {
        BATCH_MAX
    }

    async fn send(&self, batch: &[Outgoing]) -> Result<Sent, PortError> {
        if batch.len() > BATCH_MAX {
            let message = format!("send messages: more than {BATCH_MAX} in one batch");
            return Err(PortError::new(ErrorKind::Unsupported, message));
        }
        let (name, clock, batch) =
            (self.name.clone(), self.database.clock().clone(), batch.to_vec());
        self.database
            .write("send messages", move |connection| {
                let now = clock();
                let mut statement = connection.prepare_cached(
                    "INSERT INTO queue_message (queue, body, visible_at_ms) VALUES (?, ?, ?)",
                )?;
                for message in &batch {
                    let visible_at = now.plus(message.delay).0;
                    statement.execute(params![name, message.body, visible_at])?;
                }
                Ok(())
            })
            .await?;
        self.arrivals.notify_waiters();
        Ok(Sent::default())
    }

    async fn receive(
        &self,
        messages_max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        let until = Instant::now() + wait.min(WAIT_MAX);
        loop {
            // Listens before it looks: a message sent in between wakes it.
            let mut arrival = std::pin::pin!(self.arrivals.notified());
            arrival.as_mut().enable();
            let next = self.next_visible().await?;
            let now = self.now();
            if next.is_some_and(|next| next <= now) {
                let deliveries = self.take(messages_max, visibility).await?;
                if !deliveries.is_empty() {
                    return Ok(deliveries);
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Vec::new());
            }
            let hidden_for = next.map(|next| next.since(now)).filter(|hidden| !hidden.is_zero());
            let pause = left.min(LOOK_INTERVAL).min(hidden_for.unwrap_or(LOOK_INTERVAL));
            // Either way it looks again.
            drop(timeout(pause, arrival).await);
        }
    }

    async fn extend(&self, receipt: &Receipt, visibility: Duration) -> Result<Receipt, PortError> {
        let refused =
            || PortError::new(ErrorKind::PreconditionFailed, "extend message: not held any more");
        let named = Named::of(receipt).ok_or_else(refused)?;
        let clock = self.database.clock().clone();
        let changed = self
            .database
            .write("extend message", move |connection| {
                connection
                    .prepare_cached(
                        "UPDATE queue_message SET visible_at_ms = ?
                         WHERE number = ? AND receive_count = ?",
                    )?
                    .execute(params![clock().plus(visibility).0, named.number, named.receive_count])
            })
            .await?;
        if changed == 1 { Ok(receipt.clone()) } else { Err(refused()) }
    }

    async fn ack(&self, receipt: &Receipt) -> Result<(), PortError> {
        let Some(named) = Named::of(receipt) else { return Ok(()) };
        self.database
            .write("acknowledge message", move |connection| {
                connection
                    .prepare_cached(
                        "DELETE FROM queue_message WHERE number = ? AND receive_count = ?",
                    )?
                    .execute(params![named.number, named.receive_count])
            })
            .await
            .map(drop)
    }
}

impl Database {
    /// Makes the messages visible that workers held who are dead for longer than the grace, and
    /// removes those workers' files. Returns how many messages.
    ///
    /// A death is noticed here for the first time; only a call after [`crate::presence::DEAD_GRACE`]
    /// releases. So it is called at the start and every few seconds.
    pub async fn release_dead(&self) -> Result<usize, PortError> {
        let clock = self.clock().clone();
        let held: Vec<String> = self
            .read("look for dead workers", move |connection| {
                connection
                    .prepare_cached(
                        "SELECT DISTINCT worker FROM queue_message
                         WHERE worker IS NOT NULL AND visible_at_ms > ?",
                    )?
                    .query_map([clock().0], |row| row.get(0))?
                    .collect()
            })
            .await?;
        let (roster, here) = (self.roster().clone(), self.presence().get().cloned());
        let dead = tokio::task::spawn_blocking(move || {
            let is_here =
                |worker: &String| here.as_ref().is_some_and(|here| here.worker_id() == worker);
            let mut dead = held;
            dead.retain(|worker| !is_here(worker) && roster.is_dead_for_long(worker));
            roster.remove_dead();
            dead
        })
        .await
        .map_err(|error| {
            PortError::new(ErrorKind::Storage, format!("look for dead workers: {error}"))
        })?;
        if dead.is_empty() {
            return Ok(0);
        }
        let clock = self.clock().clone();
        let released = self
            .write("release messages", move |connection| {
                let mut statement = connection.prepare_cached(
                    "UPDATE queue_message SET visible_at_ms = ?1, worker = NULL
                     WHERE worker = ?2 AND visible_at_ms > ?1",
                )?;
                let now = clock().0;
                dead.iter().map(|worker| statement.execute(params![now, worker])).sum()
            })
            .await?;
        tracing::info!(messages = released, "released messages of dead workers");
        self.announce();
        Ok(released)
    }
}

/// What a receipt names: the message and which of its deliveries. Another delivery raises the
/// count, and the older receipt names nothing any more.
#[derive(Clone, Copy)]
struct Named {
    number: i64,
    receive_count: u32,
}

impl Named {
    fn receipt(self) -> Receipt {
        Receipt(format!("{}.{}", self.number, self.receive_count))
    }

    fn of(receipt: &Receipt) -> Option<Self> {
        let (number, receive_count) = receipt.0.split_once('.')?;
        Some(Self { number: number.parse().ok()?, receive_count: receive_count.parse().ok()? })
    }
}
