//! Which workers are alive on this machine.
//!
//! A worker holds an exclusive lock on a file of its own. The system lets go of it when the process
//! ends, however it ends, so a lock that can be had is the sign of a death, without any clock.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::time::{Clock, Timestamp};

use crate::database::Database;

/// How long after its death was noticed a worker's work is left alone.
///
/// The kernel still sends what a killed process had written to its sockets: the last bytes of a PUT
/// may arrive at the target, and take effect, after the process is gone. Those buffers hold a few
/// MB, which a slow line carries off in this time; what is stuck longer is cut off by the target.
pub const DEAD_GRACE: Duration = Duration::from_secs(5);

/// Names that were taken are tried again this often.
const JOIN_ATTEMPTS: usize = 8;

/// The end of a file's name until it is locked: nobody judges the worker by it.
const UNLOCKED_SUFFIX: &str = ".new";

/// A worker among those of one [`Database`]: alive as long as a clone or the database is.
#[derive(Clone)]
pub struct Presence {
    joined: Arc<Joined>,
}

impl Presence {
    /// Joins the workers of `database`. From here on its queues note this worker with every message
    /// received. Joining twice through one handle gives the same worker.
    pub fn join(database: &Database) -> Result<Self, PortError> {
        if let Some(presence) = database.presence().get() {
            return Ok(presence.clone());
        }
        let joined = Joined::new(database.roster().clone()).map_err(|error| {
            let folder = database.roster().folder.display();
            PortError::new(ErrorKind::Storage, format!("join the workers in {folder}: {error}"))
                .concluding(Conclusion::NotDone)
        })?;
        let presence = Self { joined: Arc::new(joined) };
        Ok(database.presence().get_or_init(|| presence).clone())
    }

    /// This worker: 32 hex digits. The first part of the owners it writes, `<worker id>/<anything>`.
    pub fn worker_id(&self) -> &str {
        &self.joined.worker_id
    }

    /// Whether that worker's process has ended. What is no worker id is never dead.
    pub fn is_dead(&self, worker_id: &str) -> bool {
        worker_id != self.worker_id() && self.joined.roster.is_dead(worker_id)
    }

    /// Whether the worker of this owner has been dead for at least [`DEAD_GRACE`] since that was
    /// first noticed here, so that what it held may be taken.
    pub fn owner_is_dead(&self, owner: &str) -> bool {
        let worker_id = owner.split_once('/').map_or(owner, |(worker_id, _)| worker_id);
        worker_id != self.worker_id() && self.joined.roster.is_dead_for_long(worker_id)
    }
}

struct Joined {
    worker_id: String,
    path: PathBuf,
    /// Held, never read: the lock goes when it is closed.
    _lock: File,
    roster: Arc<Roster>,
}

impl Joined {
    fn new(roster: Arc<Roster>) -> io::Result<Self> {
        fs::create_dir_all(&roster.folder)?;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let worker_id = format!("{:032x}", fastrand::u128(..));
            match lock_new(&roster, &worker_id) {
                Ok((path, lock)) => return Ok(Self { worker_id, path, _lock: lock, roster }),
                Err(error) if attempts >= JOIN_ATTEMPTS => return Err(error),
                // Somebody who clears up took the file before it was locked, or the name is taken.
                Err(error) => tracing::debug!(%error, "join again under another name"),
            }
        }
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, worker_id = self.worker_id, "leave the workers");
        }
    }
}

/// The file gets its name when it is locked already, so no one takes a worker that is just joining
/// for a dead one.
fn lock_new(roster: &Roster, worker_id: &str) -> io::Result<(PathBuf, File)> {
    let path = roster.folder.join(worker_id);
    let unlocked = roster.folder.join(format!("{worker_id}{UNLOCKED_SUFFIX}"));
    let file = OpenOptions::new().write(true).create_new(true).open(&unlocked)?;
    file.try_lock()?;
    fs::rename(&unlocked, &path)?;
    Ok((path, file))
}

/// The workers' files, and when each death was noticed.
pub(crate) struct Roster {
    folder: PathBuf,
    clock: Clock,
    noticed: Mutex<HashMap<String, Timestamp>>,
}

impl Roster {
    pub(crate) fn new(folder: PathBuf, clock: Clock) -> Self {
        Self { folder, clock, noticed: Mutex::default() }
    }

    /// A worker without a file left in good order, or its file was cleared away.
    fn is_dead(&self, worker_id: &str) -> bool {
        if !is_worker_id(worker_id) {
            return false;
        }
        match File::open(self.folder.join(worker_id)) {
            Ok(file) => can_be_locked(&file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => {
                tracing::warn!(%error, worker_id, "look whether a worker lives");
                false
            }
        }
    }

    /// Whether it is dead, and was found so at least [`DEAD_GRACE`] ago.
    pub(crate) fn is_dead_for_long(&self, worker_id: &str) -> bool {
        let is_dead = self.is_dead(worker_id);
        let mut noticed = self.noticed.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_dead {
            noticed.remove(worker_id);
            return false;
        }
        let now = (self.clock)();
        let since = *noticed.entry(worker_id.to_owned()).or_insert(now);
        now.since(since) >= DEAD_GRACE
    }

    /// Removes the files of the dead. That changes no answer: without a file they are dead as well.
    pub(crate) fn remove_dead(&self) {
        // Nobody has joined where there is no folder.
        let Ok(files) = fs::read_dir(&self.folder) else { return };
        for file in files.flatten() {
            let name = file.file_name();
            let Some(name) = name.to_str() else { continue };
            let is_left_over = match name.strip_suffix(UNLOCKED_SUFFIX) {
                Some(worker_id) => {
                    is_worker_id(worker_id)
                        && File::open(file.path()).is_ok_and(|file| can_be_locked(&file))
                }
                None => self.is_dead_for_long(name),
            };
            if is_left_over && let Err(error) = fs::remove_file(file.path()) {
                tracing::debug!(%error, name, "remove a dead worker's file");
            }
        }
    }
}

/// A shared lock, so that two who look at once don't take each other for the worker.
fn can_be_locked(file: &File) -> bool {
    match file.try_lock_shared() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(error)) => {
            tracing::warn!(%error, "look whether a worker lives");
            false
        }
    }
}

fn is_worker_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
