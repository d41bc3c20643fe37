//! From keys to open files, never out of the folder.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::object::ETag;
use ossferry_core::time::{Clock, Timestamp};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;

use super::left_out::{LeftOut, NoObject};
use super::names::NamesCache;
use super::{failure, no_such_key};

/// Longest step of a file system's clock: two writes within one step may leave the same ctime.
/// Linux steps every 1 to 10 ms.
const CLOCK_STEP: Duration = Duration::from_millis(20);

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// NONBLOCK: a pipe that took the file's place must not hold us up before it is recognised.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Where a link leads.
enum LinkEnd {
    /// To this name in this open folder.
    Inside { folder: OwnedFd, name: OsString },
    /// To the root itself.
    Root,
    /// Out of the root.
    Outside,
}

/// What a listing finds under a name.
pub(super) enum Seen {
    /// An object.
    File(FileState),
    /// Something that is no object.
    No(NoObject),
    /// Nothing any more.
    Gone,
}

/// A folder that is read as a source.
pub(super) struct Tree {
    root: PathBuf,
    clock: Clock,
    names: NamesCache,
    left_out: LeftOut,
}

impl Tree {
    pub(super) fn open(path: &Path, clock: Clock) -> Result<Self, PortError> {
        let root = path.canonicalize().map_err(|error| no_such_folder(path, &error))?;
        let tree = Self { root, clock, names: NamesCache::default(), left_out: LeftOut::default() };
        tree.open_root()?;
        Ok(tree)
    }

    pub(super) fn path(&self) -> &Path {
        &self.root
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(super) fn names(&self) -> &NamesCache {
        &self.names
    }

    pub(super) fn left_out(&self) -> &LeftOut {
        &self.left_out
    }

    /// Opened anew for each request: a folder that was taken away (unmounted, renamed) must be an
    /// error and not an empty listing.
    pub(super) fn open_root(&self) -> Result<OwnedFd, PortError> {
        openat(rustix::fs::CWD, &self.root, FOLDER, Mode::empty())
            .map_err(|error| no_such_folder(&self.root, &error.into()))
    }

    /// Opens the regular file of this key, or the one that a link of this key leads to.
    ///
    /// Goes one segment at a time and follows no link on the way, so that whatever is changed
    /// meanwhile can't lead out of the root.
    pub(super) fn open_file(&self, key: &Key) -> Result<File, PortError> {
        if let Some(folder) = key.as_bytes().strip_suffix(b"/") {
            return Err(self.unreadable_folder(key, folder));
        }
        let segments: Vec<&[u8]> = key.as_bytes().split(|byte| *byte == b'/').collect();
        let is_no_name = |segment: &&[u8]| matches!(*segment, b"" | b"." | b"..");
        if segments.iter().any(is_no_name) || key.as_bytes().contains(&0) {
            return Err(no_such_key("open", key));
        }
        let (name, folders) = segments.split_last().expect("split gives at least one segment");
        let failed = |error: Errno| failure("open", key.as_bytes(), &error.into());
        let mut folder = self.open_root()?;
        for segment in folders {
            folder = openat(&folder, *segment, FOLDER, Mode::empty()).map_err(failed)?;
        }
        let stat = statat(&folder, *name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        let file = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => openat(&folder, *name, FILE, Mode::empty()),
            FileType::Symlink => match self.linked(key)? {
                LinkEnd::Inside { folder, name } => openat(&folder, name, FILE, Mode::empty()),
                LinkEnd::Root | LinkEnd::Outside => return Err(no_such_key("follow link", key)),
            },
            _ => return Err(no_such_key("open", key)),
        };
        let file = file.map_err(failed)?;
        let stat = fstat(&file).map_err(failed)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(File::from(file)),
            _ => Err(no_such_key("open", key)),
        }
    }

    /// Why the object that stands for a folder cannot be opened.
    fn unreadable_folder(&self, key: &Key, folder: &[u8]) -> PortError {
        let mut inner = match self.open_root() {
            Ok(root) => root,
            Err(error) => return error,
        };
        for segment in folder.split(|byte| *byte == b'/') {
            if matches!(segment, b"" | b"." | b"..") || segment.contains(&0) {
                return no_such_key("open", key);
            }
            inner = match openat(&inner, segment, FOLDER, Mode::empty()) {
                Ok(inner) => inner,
                Err(error) => return failure("open folder", key.as_bytes(), &error.into()),
            };
        }
        match self.names.names(&inner, self.now()) {
            Err(error) => failure("open folder", key.as_bytes(), &error.into()),
            Ok(names) if names.is_empty() => no_such_key("open", key),
            // Its files were left out when it was listed: it must not pass for an object that is gone.
            Ok(_) => {
                let message = format!("open folder {key}: readable now, the next pass lists it");
                PortError::new(ErrorKind::AccessDenied, message)
            }
        }
    }

    /// Where a link leads.
    ///
    /// The system resolves the link, and then the real path is walked like a key's: a real path
    /// holds no link, so one that is met was put there since and is refused.
    fn linked(&self, key: &Key) -> Result<LinkEnd, PortError> {
        let failed = |error: io::Error| failure("follow link", key.as_bytes(), &error);
        let link = self.root.join(OsStr::from_bytes(key.as_bytes()));
        let real = link.canonicalize().map_err(failed)?;
        let Ok(inside) = real.strip_prefix(&self.root) else { return Ok(LinkEnd::Outside) };
        let (Some(name), Some(folders)) = (inside.file_name(), inside.parent()) else {
            return Ok(LinkEnd::Root);
        };
        let mut folder = self.open_root()?;
        for segment in folders {
            folder = openat(&folder, segment, FOLDER, Mode::empty())
                .map_err(|error| failed(error.into()))?;
        }
        Ok(LinkEnd::Inside { folder, name: name.to_owned() })
    }

    /// What an entry of a folder that has no `/` at its end is.
    pub(super) fn look_at(
        &self,
        folder: impl AsFd,
        name: &[u8],
        key: &[u8],
    ) -> Result<Seen, PortError> {
        let mut stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
        let is_link =
            stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
        if is_link {
            stat = match self.linked(&Key::new(key.to_vec())) {
                Ok(LinkEnd::Inside { folder, name }) => {
                    statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
                }
                Ok(LinkEnd::Root) => return Ok(Seen::No(NoObject::LinkToFolder)),
                Ok(LinkEnd::Outside) => return Ok(Seen::No(NoObject::LinkOutside)),
                Err(error) if error.kind == ErrorKind::NoSuchKey => {
                    return Ok(Seen::No(NoObject::DanglingLink));
                }
                Err(error) => return Err(error),
            };
        }
        match stat {
            Ok(stat) => Ok(match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => Seen::File(FileState::of_stat(&stat)),
                FileType::Directory if is_link => Seen::No(NoObject::LinkToFolder),
                // It took the file's place since the names were read.
                FileType::Directory | FileType::Symlink => Seen::Gone,
                _ => Seen::No(NoObject::Special),
            }),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(Seen::Gone),
            Err(error) => Err(failure("list", key, &error.into())),
        }
    }

    /// Waits until a write to the file can't leave its ctime as it is.
    ///
    /// A change while the file is read shows in its ctime, unless the last change before and this
    /// one fall into one step of the clock.
    pub(super) fn wait_until_settled(&self, state: &FileState) {
        let age = self.now().since(state.changed());
        std::thread::sleep(CLOCK_STEP.saturating_sub(age));
    }
}

/// Opens a folder of the folder, `None` where it is not there any more.
pub(super) fn open_folder(
    folder: impl AsFd,
    name: &[u8],
    key: &[u8],
) -> Result<Option<OwnedFd>, PortError> {
    match openat(folder, name, FOLDER, Mode::empty()) {
        Ok(folder) => Ok(Some(folder)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(error) => Err(failure("list", key, &error.into())),
    }
}

fn no_such_folder(path: &Path, error: &io::Error) -> PortError {
    let message = format!("open folder {}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            PortError::new(ErrorKind::NoSuchBucket, message)
        }
        io::ErrorKind::PermissionDenied => PortError::new(ErrorKind::AccountRefused, message),
        _ => PortError::new(ErrorKind::Storage, message).concluding(Conclusion::NotDone),
    }
}

/// What tells one content of a file from another without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FileState {
    /// Bytes.
    pub(super) size: u64,
    inode: u64,
    /// Nanoseconds since 1970.
    modified_ns: i128,
    changed_ns: i128,
}

impl FileState {
    pub(super) fn of_file(file: &File, key: &Key) -> Result<Self, PortError> {
        let stat =
            fstat(file).map_err(|error| failure("look at", key.as_bytes(), &error.into()))?;
        Ok(Self::of_stat(&stat))
    }

    fn of_stat(stat: &Stat) -> Self {
        Self {
            size: u64::try_from(stat.st_size).unwrap_or(0),
            inode: stat.st_ino,
            modified_ns: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
            changed_ns: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    /// Opaque; of a form that no digest has.
    pub(super) fn etag(&self) -> ETag {
        let Self { size, inode, modified_ns, changed_ns } = self;
        ETag::new(&format!("{modified_ns:x}-{changed_ns:x}-{size:x}-{inode:x}"))
    }

    /// The later of mtime and ctime: a file moved or unpacked into the folder keeps its old mtime,
    /// but not its ctime.
    pub(super) fn last_modified(&self) -> Timestamp {
        milliseconds(self.modified_ns.max(self.changed_ns))
    }

    /// When the bytes were written, as far as whoever set it last is to be believed.
    pub(super) fn modified(&self) -> Timestamp {
        milliseconds(self.modified_ns)
    }

    fn changed(&self) -> Timestamp {
        milliseconds(self.changed_ns)
    }
}

/// Since 1970. The systems don't agree on the type of the fraction.
pub(super) fn nanoseconds(seconds: i64, fraction: impl Into<i128>) -> i128 {
    i128::from(seconds) * 1_000_000_000 + fraction.into()
}

/// The millisecond that this nanosecond since 1970 lies in.
pub(super) fn milliseconds(nanoseconds: i128) -> Timestamp {
    Timestamp(i64::try_from(nanoseconds.div_euclid(1_000_000)).unwrap_or(i64::MAX))
}
