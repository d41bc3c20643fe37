//! The tables of the file, and how a connection is set up.

use std::path::Path;
use std::time::Duration;

use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use rusqlite::ffi::ErrorCode;
use rusqlite::{Connection, OpenFlags, Row};

use super::failure;

/// Marks the file as ours ("ossf"), so that another program's is never written to.
const APPLICATION_ID: i32 = 0x6f73_7366;

/// Number of the tables below, in the file's `user_version`. Raise it with every change.
const SCHEMA_VERSION: i32 = 1;

/// Rows may be hundreds of KB. With a row id they stand beside the key's index, which so stays
/// small and is not written when a row is; without one they would stand in it.
///
/// A message's row is found by queue and time; its number is never used again, so that a receipt of
/// a removed message can't name another.
const TABLES: &str = "
    CREATE TABLE ledger_row (
        partition TEXT NOT NULL,
        sort TEXT NOT NULL,
        revision INTEGER NOT NULL,
        attributes TEXT NOT NULL,
        blob BLOB,
        PRIMARY KEY (partition, sort)
    ) STRICT;
    CREATE TABLE queue_message (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        body TEXT NOT NULL,
        visible_at_ms INTEGER NOT NULL,
        receive_count INTEGER NOT NULL DEFAULT 0,
        worker TEXT
    ) STRICT;
    CREATE INDEX queue_message_by_time ON queue_message (queue, visible_at_ms);
";

/// How long a connection waits for another process's transaction.
const BUSY_WAIT: Duration = Duration::from_secs(30);

/// SQLite's own handler sleeps up to 100 ms between attempts; a process that commits without pause
/// would hardly ever be caught between two transactions.
const BUSY_STEP: Duration = Duration::from_millis(2);

/// The log is cut back to this after a burst, in bytes.
const LOG_BYTES_MAX: i64 = 64 << 20;

/// A connection to the file, which is made if it is not there.
pub(super) fn connect(path: &Path) -> Result<Connection, PortError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let what = format!("open database {}", path.display());
    let failed = |error| failure(&what, &error, Conclusion::NotDone);
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection
        .busy_handler(Some(|attempts: i32| {
            std::thread::sleep(BUSY_STEP);
            BUSY_STEP.saturating_mul(attempts.unsigned_abs()) < BUSY_WAIT
        }))
        .map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(32);
    // In WAL mode a commit at NORMAL is one write to the log without waiting for the disk. The
    // death of a process loses nothing then; a power loss may lose the last commits, but always a
    // tail of them: what is left is a state that once was. Table and queue stand in one file, so
    // both go back together: a row that is missing again has its message back as well, or its
    // planner's cursor. Work is repeated, and repeated work finds the target equal; none is lost.
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX).map_err(failed)?;
    Ok(connection)
}

/// Makes the tables in a new file and refuses a file that is not ours.
pub(super) fn prepare(connection: &Connection, path: &Path) -> Result<(), PortError> {
    let what = format!("open database {}", path.display());
    let failed = |error| failure(&what, &error, Conclusion::NotDone);
    if is_ready(connection, &what)? {
        return Ok(());
    }
    enter_wal(connection).map_err(failed)?;
    connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    // Another process may have made the tables since the first look.
    if is_ready(connection, &what)? {
        return connection.execute_batch("ROLLBACK").map_err(failed);
    }
    connection.execute_batch(TABLES).map_err(failed)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    connection.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(failed)?;
    connection.execute_batch("COMMIT").map_err(failed)
}

/// Whether the tables are there: `false` for a new, empty file.
fn is_ready(connection: &Connection, what: &str) -> Result<bool, PortError> {
    let failed = |error| failure(what, &error, Conclusion::NotDone);
    let refused = |cause: &str| {
        PortError::new(ErrorKind::Storage, format!("{what}: {cause}"))
            .concluding(Conclusion::Refused)
    };
    // One statement, so one snapshot: read one after the other, a file that another process makes
    // ours in between would show tables without our mark.
    let facts = "
        SELECT (SELECT application_id FROM pragma_application_id),
               (SELECT user_version FROM pragma_user_version),
               count(*)
        FROM sqlite_schema";
    let fact = |row: &Row<'_>| Ok((row.get::<_, i32>(0)?, row.get::<_, i32>(1)?, row.get(2)?));
    let (application, version, tables): (i32, i32, i32) =
        connection.query_row(facts, [], fact).map_err(failed)?;
    match (application, version, tables) {
        (0, 0, 0) => Ok(false),
        (APPLICATION_ID, SCHEMA_VERSION, _) => Ok(true),
        (APPLICATION_ID, version, _) if version > SCHEMA_VERSION => {
            Err(refused("it was written by a newer ossferry"))
        }
        (APPLICATION_ID, _, _) => Err(refused("its tables are of an unknown version")),
        _ => Err(refused("it belongs to another program")),
    }
}

/// The switch to WAL may find the file locked without the busy handler being asked.
fn enter_wal(connection: &Connection) -> rusqlite::Result<()> {
    let mut waited = Duration::ZERO;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && waited < BUSY_WAIT =>
            {
                std::thread::sleep(BUSY_STEP);
                waited += BUSY_STEP;
            }
            result => return result,
        }
    }
}
