//! The sorted names of one folder.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ossferry_core::time::Timestamp;
use rustix::fs::{AtFlags, Dir, FileType, fstat, statat};

use super::tree::{milliseconds, nanoseconds};

/// Names of which a folder is kept: smaller ones are quickly read again.
const KEPT_NAMES_MIN: usize = 1_000;

/// Bytes of all that is kept, save that the folder read last is kept whatever its size.
const KEPT_BYTES_MAX: usize = 64 << 20;

/// A folder is kept only if it was last changed this long before it was read: otherwise a name added
/// later might leave the same mtime.
const SETTLED: Duration = Duration::from_secs(2);

/// Ends the name of a pipe, a socket or a device. No name holds it.
pub(super) const NO_OBJECT: &[u8] = b"\0";

/// The names of a folder's files and folders in the order of their keys: a folder's name ends in `/`,
/// because that is what its keys go on with, so that `a/b` sorts after `a-b`.
pub(super) struct Names {
    text: Vec<u8>,
    /// Where each name stands in `text`: start and length.
    spans: Vec<(usize, u16)>,
}

impl Names {
    /// Reads the folder. Links count as files.
    pub(super) fn read(folder: impl AsFd) -> rustix::io::Result<Self> {
        let (mut text, mut spans) = (Vec::new(), Vec::new());
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let file_type = match entry.file_type() {
                // Not every file system says it here.
                FileType::Unknown => {
                    let stat = statat(&folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW);
                    // One that cannot be looked at is told of when the walk comes to it.
                    stat.map_or(FileType::RegularFile, |stat| FileType::from_raw_mode(stat.st_mode))
                }
                known => known,
            };
            let end = match file_type {
                FileType::Directory => &b"/"[..],
                FileType::RegularFile | FileType::Symlink => b"",
                _ => NO_OBJECT,
            };
            // No system has names of more than 1 KB.
            let Ok(length) = u16::try_from(name.len() + end.len()) else { continue };
            spans.push((text.len(), length));
            text.extend_from_slice(name);
            text.extend_from_slice(end);
        }
        let mut names = Self { text, spans };
        let text = &names.text;
        names.spans.sort_unstable_by(|a, b| name_at(text, *a).cmp(name_at(text, *b)));
        Ok(names)
    }

    /// The name of this index, a folder's with its `/`.
    pub(super) fn get(&self, index: usize) -> Option<&[u8]> {
        self.spans.get(index).map(|span| name_at(&self.text, *span))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The index of the first name that is not `before`.
    pub(super) fn first_not(&self, before: impl Fn(&[u8]) -> bool) -> usize {
        self.spans.partition_point(|span| before(name_at(&self.text, *span)))
    }

    fn bytes(&self) -> usize {
        self.text.capacity() + self.spans.capacity() * size_of::<(usize, u16)>()
    }
}

fn name_at(text: &[u8], (start, length): (usize, u16)) -> &[u8] {
    &text[start..start + usize::from(length)]
}

/// Large folders as they were read, so that each page of a flat one does not read it all again.
#[derive(Default)]
pub(super) struct NamesCache(Mutex<VecDeque<Kept>>);

struct Kept {
    state: FolderState,
    names: Arc<Names>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct FolderState {
    device: i128,
    inode: u64,
    modified_ns: i128,
    changed_ns: i128,
}

impl FolderState {
    fn of(folder: &OwnedFd) -> rustix::io::Result<Self> {
        let stat = fstat(folder)?;
        Ok(Self {
            device: i128::from(stat.st_dev),
            inode: stat.st_ino,
            modified_ns: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
            changed_ns: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
        })
    }

    fn is_settled(&self, now: Timestamp) -> bool {
        milliseconds(self.changed_ns.max(self.modified_ns)).plus(SETTLED) < now
    }
}

impl NamesCache {
    /// The names of an open folder: kept ones where it has not changed since.
    pub(super) fn names(&self, folder: &OwnedFd, now: Timestamp) -> rustix::io::Result<Arc<Names>> {
        // Taken before the names are read: a change while they are gives another state later.
        let state = FolderState::of(folder)?;
        if let Some(names) = self.find(&state) {
            return Ok(names);
        }
        let names = Arc::new(Names::read(folder)?);
        if names.spans.len() >= KEPT_NAMES_MIN && state.is_settled(now) {
            self.keep(Kept { state, names: names.clone() });
        }
        Ok(names)
    }

    fn find(&self, state: &FolderState) -> Option<Arc<Names>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = kept.iter().position(|kept| kept.state == *state)?;
        let found = kept.remove(index)?;
        let names = found.names.clone();
        kept.push_front(found);
        Some(names)
    }

    fn keep(&self, newest: Kept) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|old| old.state.inode != newest.state.inode);
        kept.push_front(newest);
        let mut bytes = 0;
        let fitting = kept
            .iter()
            .take_while(|kept| {
                bytes += kept.names.bytes();
                bytes <= KEPT_BYTES_MAX
            })
            .count();
        kept.truncate(fitting.max(1));
    }
}
