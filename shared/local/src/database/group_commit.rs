//! The threads that own the connections.

use std::sync::mpsc::Receiver;

use ossferry_core::error::{Conclusion, PortError};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::failure;

/// Operations in one transaction. Bounds how long another process waits for its turn.
const TRANSACTION_OPERATIONS_MAX: usize = 128;

/// Something to do on a connection for a caller that waits.
pub(super) trait Job: Send {
    /// Does it and keeps the result. May be called again after a rollback.
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()>;

    /// Says what it is, for errors.
    fn what(&self) -> &'static str;

    /// Hands the kept result to the caller, or the error.
    fn answer(self: Box<Self>, outcome: Result<(), PortError>);
}

/// A [`Job`] made of a closure.
pub(super) struct Operation<T, F> {
    what: &'static str,
    run: F,
    result: Option<T>,
    answer: oneshot::Sender<Result<T, PortError>>,
}

impl<T, F> Operation<T, F> {
    pub(super) fn new(
        what: &'static str,
        run: F,
        answer: oneshot::Sender<Result<T, PortError>>,
    ) -> Self {
        Self { what, run, result: None, answer }
    }
}

impl<T, F> Job for Operation<T, F>
where
    T: Send,
    F: FnMut(&Connection) -> rusqlite::Result<T> + Send,
{
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.result = Some((self.run)(connection)?);
        Ok(())
    }

    fn what(&self) -> &'static str {
        self.what
    }

    fn answer(self: Box<Self>, outcome: Result<(), PortError>) {
        let Self { result, answer, .. } = *self;
        let result = outcome.map(|()| result.expect("an operation that ran has a result"));
        // Whoever asked may have been dropped; what was written stands all the same.
        drop(answer.send(result));
    }
}

/// Where a transaction failed decides what its callers may conclude.
enum Failed {
    /// Nothing was begun.
    Begin(rusqlite::Error),
    /// One operation failed and everything was rolled back.
    Operation(rusqlite::Error),
    /// The commit did not answer well: it may stand or not.
    Commit(rusqlite::Error),
}

/// Reads until every handle is gone.
pub(super) fn read_all(connection: &Connection, jobs: &Receiver<Box<dyn Job>>) {
    for mut job in jobs {
        let outcome = job.run(connection);
        let outcome = outcome.map_err(|error| failure(job.what(), &error, Conclusion::NotDone));
        job.answer(outcome);
    }
}

/// Writes until every handle is gone, all that waits in one transaction.
pub(super) fn write_all(connection: &Connection, jobs: &Receiver<Box<dyn Job>>) {
    while let Ok(first) = jobs.recv() {
        let mut batch = vec![first];
        batch.extend(jobs.try_iter().take(TRANSACTION_OPERATIONS_MAX - 1));
        write_batch(connection, batch);
    }
}

fn write_batch(connection: &Connection, mut batch: Vec<Box<dyn Job>>) {
    let (error, conclusion) = match transact(connection, &mut batch) {
        Ok(()) => return batch.into_iter().for_each(|job| job.answer(Ok(()))),
        Err(Failed::Operation(_)) if batch.len() > 1 => {
            // One fails for its own reason: the others must not fail with it.
            return batch.into_iter().for_each(|job| write_batch(connection, vec![job]));
        }
        Err(Failed::Begin(error) | Failed::Operation(error)) => (error, Conclusion::NotDone),
        Err(Failed::Commit(error)) => (error, Conclusion::Unknown),
    };
    for job in batch {
        let failed = failure(job.what(), &error, conclusion);
        job.answer(Err(failed));
    }
}

/// IMMEDIATE takes the write lock before anything is read, so a condition that was checked inside
/// still holds at COMMIT, whatever other processes do.
fn transact(connection: &Connection, batch: &mut [Box<dyn Job>]) -> Result<(), Failed> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(Failed::Begin)?;
    let ran = batch.iter_mut().try_for_each(|job| job.run(connection));
    if let Err(error) = ran {
        roll_back(connection);
        return Err(Failed::Operation(error));
    }
    connection.execute_batch("COMMIT").map_err(|error| {
        roll_back(connection);
        Failed::Commit(error)
    })
}

fn roll_back(connection: &Connection) {
    // SQLite has rolled back by itself after some errors (a full disk).
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "roll back");
    }
}
