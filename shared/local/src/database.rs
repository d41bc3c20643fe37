//! One SQLite file that holds the table and the queues.

mod group_commit;
mod schema;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::time::Clock;
use rusqlite::Connection;
use rusqlite::ffi::ErrorCode;
use tokio::sync::{Notify, oneshot};

use self::group_commit::{Job, Operation};
use crate::presence::{Presence, Roster};
use crate::queue::SqliteQueue;
use crate::table::SqliteTable;

/// One SQLite file, shared by every clone of this handle and by other processes.
///
/// Two threads own a connection each. One writes: it takes every operation that waits and runs
/// them in one transaction, so that a hundred workers cost one commit and not a hundred. The other
/// reads. An operation is answered after its COMMIT, and a read begins a fresh snapshot, so a read
/// sees every write that returned before it began, in this process or in another.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    clock: Clock,
    writes: Sender<Box<dyn Job>>,
    reads: Sender<Box<dyn Job>>,
    /// Wakes this process's receivers of a queue when it sends.
    arrivals: Mutex<HashMap<String, Arc<Notify>>>,
    roster: Arc<Roster>,
    presence: OnceLock<Presence>,
}

impl Database {
    /// Opens the file, or makes it in a folder that is there.
    ///
    /// Fails with `Storage` where the folder is not there, where the file is damaged, is another
    /// program's, or was written by a newer ossferry, and where the disk refuses.
    pub fn open(path: impl AsRef<Path>, clock: Clock) -> Result<Self, PortError> {
        let path = absolute(path.as_ref())?;
        let writing = schema::connect(&path)?;
        schema::prepare(&writing, &path)?;
        let reading = schema::connect(&path)?;
        reading
            .pragma_update(None, "query_only", true)
            .map_err(|error| failure("open database", &error, Conclusion::NotDone))?;
        let (writes, to_write) = channel();
        let (reads, to_read) = channel();
        spawn("sqlite-write", move || group_commit::write_all(&writing, &to_write))?;
        spawn("sqlite-read", move || group_commit::read_all(&reading, &to_read))?;
        let mut workers = OsString::from(&path);
        workers.push(".workers");
        let roster = Arc::new(Roster::new(PathBuf::from(workers), clock.clone()));
        Ok(Self {
            inner: Arc::new(Inner {
                path,
                clock,
                writes,
                reads,
                arrivals: Mutex::default(),
                roster,
                presence: OnceLock::new(),
            }),
        })
    }

    /// Where the file is: absolute, links in its folder resolved.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The rows in it.
    pub fn table(&self) -> SqliteTable {
        SqliteTable::new(self.clone())
    }

    /// The queue of this name in it. A queue exists as soon as somebody sends.
    pub fn queue(&self, name: &str) -> SqliteQueue {
        SqliteQueue::new(self.clone(), name)
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    pub(crate) fn roster(&self) -> &Arc<Roster> {
        &self.inner.roster
    }

    pub(crate) fn presence(&self) -> &OnceLock<Presence> {
        &self.inner.presence
    }

    /// What a sender of the queue wakes.
    pub(crate) fn arrivals(&self, queue: &str) -> Arc<Notify> {
        let mut arrivals = self.inner.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        arrivals.entry(queue.to_owned()).or_default().clone()
    }

    /// Wakes the receivers of every queue.
    pub(crate) fn announce(&self) {
        let arrivals = self.inner.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        arrivals.values().for_each(|arrivals| arrivals.notify_waiters());
    }

    /// Runs `run` inside a write transaction and returns after its COMMIT. It may be run again
    /// when another operation of the same transaction fails, and must then do the same.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        what: &'static str,
        run: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, PortError> {
        submit(&self.inner.writes, what, run).await
    }

    /// Runs `run` on a fresh snapshot.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        what: &'static str,
        run: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, PortError> {
        submit(&self.inner.reads, what, run).await
    }
}

async fn submit<T: Send + 'static>(
    jobs: &Sender<Box<dyn Job>>,
    what: &'static str,
    run: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, PortError> {
    let gone = || PortError::new(ErrorKind::Storage, format!("{what}: database thread has ended"));
    let (answer, answered) = oneshot::channel();
    jobs.send(Box::new(Operation::new(what, run, answer)))
        .map_err(|_| gone().concluding(Conclusion::NotDone))?;
    answered.await.map_err(|_| gone())?
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), PortError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map(drop).map_err(|error| {
        PortError::new(ErrorKind::Storage, format!("open database: start thread: {error}"))
            .concluding(Conclusion::NotDone)
    })
}

/// The path with its folder resolved, so that neither a change of the working directory nor a name
/// that SQLite reads as a URI or as memory leads elsewhere.
fn absolute(path: &Path) -> Result<PathBuf, PortError> {
    let refused = |cause: String| {
        PortError::new(ErrorKind::Storage, format!("open database {}: {cause}", path.display()))
            .concluding(Conclusion::Refused)
    };
    let name = path.file_name().ok_or_else(|| refused("the path names no file".into()))?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder = folder
        .canonicalize()
        .map_err(|error| refused(format!("its folder {}: {error}", folder.display())))?;
    Ok(folder.join(name))
}

/// What an error of SQLite means. `otherwise` is concluded where its code says nothing better.
pub(crate) fn failure(what: &str, error: &rusqlite::Error, otherwise: Conclusion) -> PortError {
    let (cause, conclusion) = match error.sqlite_error_code() {
        // It stays full until somebody makes room: waiting would only look like work.
        Some(ErrorCode::DiskFull) => ("the disk is full", Conclusion::Refused),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            ("another process held the database too long", otherwise)
        }
        Some(ErrorCode::DatabaseCorrupt) => ("the database file is damaged", Conclusion::Refused),
        Some(ErrorCode::NotADatabase) => {
            ("the file is no database, or is damaged", Conclusion::Refused)
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            ("the database file may not be written", Conclusion::Refused)
        }
        Some(ErrorCode::CannotOpen) => ("the file cannot be opened", Conclusion::Refused),
        _ => ("the database failed", otherwise),
    };
    PortError::new(ErrorKind::Storage, format!("{what}: {cause} ({error})")).concluding(conclusion)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use ossferry_core::ports::{Condition, Row, Table, Written};
    use ossferry_core::time::Timestamp;

    use super::*;

    fn open(folder: &Path) -> Database {
        Database::open(folder.join("state.sqlite"), Arc::new(|| Timestamp(1))).unwrap()
    }

    fn large(sort: &str) -> Row {
        Row {
            partition: "p".into(),
            sort: sort.into(),
            blob: Some(Bytes::from(vec![7; 200_000])),
            ..Row::default()
        }
    }

    #[tokio::test]
    async fn a_full_disk_refuses_the_row_that_does_not_fit_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let database = open(folder.path());
        let limit = |pages: u32| {
            database.write("limit", move |connection| {
                connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
            })
        };
        limit(40).await.unwrap();
        let table = database.table();
        let small = Row { partition: "p".into(), sort: "small".into(), ..Row::default() };
        let row = large("large");
        let (refused, written) =
            tokio::join!(table.put(&row, Condition::Absent), table.put(&small, Condition::Absent),);
        let refused = refused.unwrap_err();
        assert_eq!((refused.kind, refused.conclusion), (ErrorKind::Storage, Conclusion::Refused));
        assert!(refused.message.contains("full"), "{refused}");
        assert_eq!(written.unwrap(), Written::Done(1));
        limit(1_000_000).await.unwrap();
        assert_eq!(table.get("p", "large").await.unwrap(), None);
        assert_eq!(table.put(&row, Condition::Absent).await.unwrap(), Written::Done(1));
    }

    #[test]
    fn a_file_that_cannot_be_ours_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("text"), "no database at all, but long enough to be read".repeat(99))
            .unwrap();
        Connection::open(path("other")).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
        drop(Database::open(path("newer"), Arc::new(|| Timestamp(1))).unwrap());
        Connection::open(path("newer")).unwrap().pragma_update(None, "user_version", 99).unwrap();
        for (name, cause) in [
            ("text", "no database"),
            ("other", "another program"),
            ("newer", "newer ossferry"),
            ("absent/state", "folder"),
            ("..", "names no file"),
        ] {
            let error = Database::open(path(name), Arc::new(|| Timestamp(1))).err().unwrap();
            assert_eq!(error.kind, ErrorKind::Storage, "{name}");
            assert_eq!(error.conclusion, Conclusion::Refused, "{name}: {error}");
            assert!(error.message.contains(cause), "{name}: {error}");
        }
        let other = Connection::open(path("other")).unwrap();
        let mode: String = other.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(mode, "delete", "another program's database was changed");
    }
}
