//! Where the bytes of objects and parts lie: small ones one after another in segments, large ones
//! in files of their own.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// A segment is closed once it has grown past this, so that space comes back in pieces.
const SEGMENT_BYTES: u64 = 256 << 20;

/// A file that is removed with its last user, once nothing in the bucket refers to it.
#[derive(Debug)]
pub(crate) struct StoredFile {
    path: PathBuf,
    number: u64,
    unreferenced: AtomicBool,
}

impl StoredFile {
    fn keep(&self) {
        self.unreferenced.store(false, Ordering::Release);
    }

    /// The file of this number, which must hold at least `bytes` bytes and is referred to.
    pub(super) fn find(folder: &Path, number: u64, bytes: u64) -> io::Result<Arc<Self>> {
        let path = folder.join(file_name(number, Kind::File));
        require_length(&File::open(&path)?, bytes)?;
        Ok(Arc::new(Self { path, number, unreferenced: AtomicBool::new(false) }))
    }

    fn give_up(&self) {
        self.unreferenced.store(true, Ordering::Release);
    }
}

impl Drop for StoredFile {
    fn drop(&mut self) {
        if self.unreferenced.load(Ordering::Acquire)
            && let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "remove stored file");
        }
    }
}

/// A file that many small bodies share.
#[derive(Debug)]
pub(crate) struct Segment {
    file: File,
    stored: StoredFile,
    /// Extents that lie here and are still referred to, and one more while it is written to.
    users: AtomicU64,
}

impl Segment {
    /// The segment of this number, so far without users.
    pub(super) fn find(folder: &Path, number: u64) -> io::Result<Arc<Self>> {
        let path = folder.join(file_name(number, Kind::Segment));
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let stored = StoredFile { path, number, unreferenced: AtomicBool::new(false) };
        Ok(Arc::new(Self { file, stored, users: AtomicU64::new(0) }))
    }

    /// Refuses a segment that is shorter than its extents say.
    pub(super) fn require_length(&self, bytes: u64) -> io::Result<()> {
        require_length(&self.file, bytes)
    }

    /// Counts one extent more.
    pub(super) fn add_user(&self) {
        self.users.fetch_add(1, Ordering::AcqRel);
    }

    fn release(&self) {
        if self.users.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.stored.give_up();
        }
    }
}

/// Bytes in one place.
#[derive(Clone, Debug)]
pub(crate) struct Extent {
    pub(super) place: Place,
    /// Length in bytes.
    pub(crate) bytes: u64,
}

#[derive(Clone, Debug)]
pub(super) enum Place {
    Segment { segment: Arc<Segment>, offset: u64 },
    File(Arc<StoredFile>),
}

/// An [`Extent`] as the index log spells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct ExtentRow {
    /// Number of the segment, or of the file where `at` is absent.
    pub(super) file: u64,
    /// Offset in the segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<u64>,
    /// Length.
    pub(super) bytes: u64,
}

impl Extent {
    /// How the index log spells it.
    pub(crate) fn row(&self) -> ExtentRow {
        match &self.place {
            Place::Segment { segment, offset } => {
                ExtentRow { file: segment.stored.number, at: Some(*offset), bytes: self.bytes }
            }
            Place::File(file) => ExtentRow { file: file.number, at: None, bytes: self.bytes },
        }
    }

    /// Says that the bucket refers to these bytes from now on.
    pub(crate) fn keep(&self) {
        if let Place::File(file) = &self.place {
            file.keep();
        }
    }

    /// Says that nothing refers to these bytes any more. Readers that have begun go on.
    pub(crate) fn release(&self) {
        match &self.place {
            Place::Segment { segment, .. } => segment.release(),
            Place::File(file) => file.give_up(),
        }
    }

    /// Opens the bytes for reading.
    pub(crate) fn open(&self) -> io::Result<OpenExtent> {
        match &self.place {
            Place::Segment { segment, offset } => {
                Ok(OpenExtent::Segment { segment: Arc::clone(segment), offset: *offset })
            }
            Place::File(stored) => Ok(OpenExtent::File(File::open(&stored.path)?)),
        }
    }
}

/// An [`Extent`] with its file open.
#[derive(Debug)]
pub(crate) enum OpenExtent {
    Segment { segment: Arc<Segment>, offset: u64 },
    File(File),
}

impl OpenExtent {
    /// Reads exactly `bytes` bytes from `offset` of the extent on.
    pub(crate) fn read(&self, offset: u64, bytes: usize) -> io::Result<Bytes> {
        let mut buffer = vec![0; bytes];
        match self {
            Self::Segment { segment, offset: start } => {
                segment.file.read_exact_at(&mut buffer, start + offset)?;
            }
            Self::File(file) => file.read_exact_at(&mut buffer, offset)?,
        }
        Ok(Bytes::from(buffer))
    }
}

/// The bodies of one bucket.
#[derive(Debug)]
pub(crate) struct Bodies {
    folder: PathBuf,
    next_number: AtomicU64,
    writing: Mutex<Writing>,
}

#[derive(Debug)]
struct Writing {
    segment: Arc<Segment>,
    end: u64,
}

impl Bodies {
    /// Begins to write with file numbers from `next_number` on.
    pub(crate) fn open(folder: PathBuf, next_number: u64) -> io::Result<Self> {
        let segment = new_segment(&folder, next_number)?;
        Ok(Self {
            folder,
            next_number: AtomicU64::new(next_number + 1),
            writing: Mutex::new(Writing { segment, end: 0 }),
        })
    }

    /// Appends a small body to the segment that is being written.
    pub(crate) fn append(&self, pieces: &[Bytes], bytes: u64) -> io::Result<Extent> {
        let (segment, mut offset) = {
            let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            if writing.end >= SEGMENT_BYTES {
                let number = self.next_number.fetch_add(1, Ordering::Relaxed);
                let full =
                    std::mem::replace(&mut writing.segment, new_segment(&self.folder, number)?);
                full.release();
                writing.end = 0;
            }
            let offset = writing.end;
            writing.end += bytes;
            writing.segment.add_user();
            (Arc::clone(&writing.segment), offset)
        };
        let extent = Extent { place: Place::Segment { segment, offset }, bytes };
        let Place::Segment { segment, .. } = &extent.place else { return Ok(extent) };
        for piece in pieces {
            if let Err(error) = segment.file.write_all_at(piece, offset) {
                extent.release();
                return Err(error);
            }
            offset += piece.len() as u64;
        }
        Ok(extent)
    }

    /// A new file for a large body. It vanishes unless its extent is kept.
    pub(crate) fn create(&self) -> io::Result<(File, Arc<StoredFile>)> {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(file_name(number, Kind::File));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        let unreferenced = AtomicBool::new(true);
        Ok((file, Arc::new(StoredFile { path, number, unreferenced })))
    }

    /// The extent that is the whole of a file.
    pub(crate) fn whole(file: Arc<StoredFile>, bytes: u64) -> Extent {
        Extent { place: Place::File(file), bytes }
    }
}

impl Drop for Bodies {
    fn drop(&mut self) {
        self.writing.get_mut().unwrap_or_else(PoisonError::into_inner).segment.release();
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Segment,
    File,
}

fn file_name(number: u64, kind: Kind) -> String {
    match kind {
        Kind::Segment => format!("{number:010}.segment"),
        Kind::File => format!("{number:010}.body"),
    }
}

fn new_segment(folder: &Path, number: u64) -> io::Result<Arc<Segment>> {
    let path = folder.join(file_name(number, Kind::Segment));
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    let stored = StoredFile { path, number, unreferenced: AtomicBool::new(false) };
    Ok(Arc::new(Segment { file, stored, users: AtomicU64::new(1) }))
}

fn require_length(file: &File, bytes: u64) -> io::Result<()> {
    let held = file.metadata()?.len();
    if held < bytes {
        let text = format!("a body file holds {held} bytes of at least {bytes}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(())
}
