//! Whether a process that plans is alive beside this one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Held by a process that takes planner messages: a shared lock, which the system lets go of when the
/// process ends, however it ends.
pub(crate) struct PlannerMark(#[expect(dead_code, reason = "held for its lock")] File);

impl PlannerMark {
    /// Says that this process plans, until the mark is dropped.
    pub(crate) fn set(database: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(mark_path(database))?;
        // Waits at most for a neighbour's look.
        file.lock_shared()?;
        Ok(Self(file))
    }

    /// Whether some process plans. Where that cannot be told: yes, so that nothing is taken away.
    pub(crate) fn is_set(database: &Path) -> bool {
        let file = match File::open(mark_path(database)) {
            Ok(file) => file,
            Err(error) => return error.kind() != io::ErrorKind::NotFound,
        };
        match file.try_lock() {
            Ok(()) => false,
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(error)) => {
                tracing::warn!(%error, "look for a planner");
                true
            }
        }
    }
}

fn mark_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".planner");
    PathBuf::from(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planner_is_seen_for_as_long_as_it_lives() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("state.sqlite");
        assert!(!PlannerMark::is_set(&database));
        let first = PlannerMark::set(&database).unwrap();
        let second = PlannerMark::set(&database).unwrap();
        assert!(PlannerMark::is_set(&database));
        drop(first);
        assert!(PlannerMark::is_set(&database), "the other one plans still");
        drop(second);
        assert!(!PlannerMark::is_set(&database));
    }
}
