//! Whether a process that works, or plans, is alive beside this one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Held by every process that does what the file stands for: a shared lock, which the system lets go of
/// when the process ends, however it ends.
pub(crate) struct Mark(#[expect(dead_code, reason = "held for its lock")] File);

impl Mark {
    /// Says that this process does it, until the mark is dropped.
    pub(crate) fn set(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        // Waits at most for a neighbour's look.
        file.lock_shared()?;
        Ok(Self(file))
    }

    /// Whether some process does it. Where that cannot be told: yes, so that nothing is taken away.
    pub(crate) fn is_set(path: &Path) -> bool {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) => return error.kind() != io::ErrorKind::NotFound,
        };
        match file.try_lock() {
            Ok(()) => false,
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(error)) => {
                tracing::warn!(%error, path = %path.display(), "look for another process");
                true
            }
        }
    }
}

/// Stands for taking planner messages of a ledger.
pub(crate) fn planner_mark(database: &Path) -> PathBuf {
    beside(database, ".planner")
}

/// Stands for working on a job of a ledger, in whatever role.
pub(crate) fn worker_mark(database: &Path, job: &str) -> PathBuf {
    beside(database, &format!(".{job}.working"))
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    PathBuf::from(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_seen_for_as_long_as_it_lives() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("state.sqlite");
        let path = planner_mark(&database);
        assert!(!Mark::is_set(&path));
        let first = Mark::set(&path).unwrap();
        let second = Mark::set(&path).unwrap();
        assert!(Mark::is_set(&path));
        assert!(!Mark::is_set(&worker_mark(&database, "photos")), "another mark");
        drop(first);
        assert!(Mark::is_set(&path), "the other one is at it still");
        drop(second);
        assert!(!Mark::is_set(&path));
    }
}
