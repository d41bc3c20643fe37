//! A folder as source: every regular file below it is an object, its path from there the key.

mod left_out;
mod names;
mod reading;
mod tree;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::fidelity::Properties;
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::{ByteRange, Digests, ObjectHeaders, ObjectInfo, Pin};
use ossferry_core::ports::{
    ListRequest, ListStart, ListingOrder, OpenObject, Page, Source, SourceProfile,
};
use ossferry_core::time::{Clock, Timestamp};
use rustix::io::Errno;

use self::tree::{FileState, Tree};

/// Keys of one page, as S3 and OSS list them.
const PAGE_KEYS_MAX: u32 = 1_000;

/// The regular files of a folder as objects.
///
/// - Keys are paths with `/` between, byte for byte; a name that is not UTF-8 gives a key that is not.
/// - A link to a file is an object with the file's bytes, if the file lies in the folder. Nothing
///   outside is ever opened. Links to folders are not entered: they could go round in circles.
/// - Empty folders, pipes, sockets and devices are no objects. They are counted, as are links that lead
///   to no file of the folder, and told in the log when a listing has come to its end.
/// - A folder that cannot be read is listed as an object of its key with the `/`, and what cannot be
///   looked at as one of its own key: none can be opened, so that the hole is told by name.
/// - The `ETag` names the file's state (mtime, ctime, size, inode) and is no digest of its bytes.
#[derive(Clone)]
pub struct FolderSource {
    tree: Arc<Tree>,
    meter: Arc<Meter>,
    profile: SourceProfile,
}

impl FolderSource {
    /// The folder at `path`, which must be there. Fails with `NoSuchBucket` where it is not.
    pub fn open(path: impl AsRef<Path>, clock: Clock) -> Result<Self, PortError> {
        Ok(Self {
            tree: Arc::new(Tree::open(path.as_ref(), clock)?),
            meter: Arc::default(),
            profile: SourceProfile {
                kind: "folder",
                order: ListingOrder::Bytes,
                etag_is_md5: false,
                page_keys_max: PAGE_KEYS_MAX,
                etag_is_comparable: false,
            },
        })
    }

    /// Where the folder is: absolute, links resolved.
    pub fn path(&self) -> PathBuf {
        self.tree.path().to_owned()
    }

    /// Runs what may wait for the disk where that delays no one else.
    async fn blocking<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Tree) -> Result<T, PortError> + Send + 'static,
    ) -> Result<T, PortError> {
        let tree = self.tree.clone();
        reading::blocking(move || run(&tree)).await
    }
}

#[async_trait]
impl Source for FolderSource {
    fn profile(&self) -> &SourceProfile {
        &self.profile
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Source> {
        Arc::new(Self { meter, ..self.clone() })
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        Ok(self.tree.now())
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        self.meter.count("list");
        let after = match &request.start {
            ListStart::Beginning => None,
            ListStart::After(key) => Some(key.clone()),
            ListStart::Token(token) => Some(Key::from_text(token)),
        };
        let prefix = request.prefix.clone();
        let keys_max = request.keys_max.clamp(1, PAGE_KEYS_MAX) as usize;
        self.blocking(move |tree| {
            let after = after.as_ref().map(Key::as_bytes);
            let entries = walk::page(tree, prefix.as_bytes(), after, keys_max)?;
            if entries.len() < keys_max {
                tree.left_out().tell();
            }
            // A full page has a next one, which may turn out to be empty.
            let next = (entries.len() == keys_max).then(|| entries.last()).flatten();
            let next = next.map(|entry| entry.key.to_text().into_owned());
            Ok(Page { entries, next })
        })
        .await
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo, PortError> {
        self.meter.count("head");
        let key = key.clone();
        self.blocking(move |tree| {
            let file = tree.open_file(&key)?;
            Ok(object_info(&key, FileState::of_file(&file, &key)?))
        })
        .await
    }

    async fn open(
        &self,
        key: &Key,
        pin: &Pin,
        range: Option<ByteRange>,
    ) -> Result<OpenObject, PortError> {
        self.meter.count("open");
        let (key, pin) = (key.clone(), pin.clone());
        self.blocking(move |tree| {
            let file = tree.open_file(&key)?;
            let state = FileState::of_file(&file, &key)?;
            if state.etag() != pin.etag {
                return Err(reading::changed(&key));
            }
            let (start, bytes) = range.map_or((0, state.size), |range| (range.start, range.bytes));
            if start.checked_add(bytes).is_none_or(|end| end > state.size) {
                let message = format!("open {key}: the range ends after the object");
                return Err(PortError::new(ErrorKind::Other, message));
            }
            tree.wait_until_settled(&state);
            let info = object_info(&key, state);
            let body = reading::body(file, key, state, start, bytes)?;
            Ok(OpenObject { info, body })
        })
        .await
    }
}

fn object_info(key: &Key, state: FileState) -> ObjectInfo {
    let name = key.as_str().and_then(|key| key.rsplit('/').next()).unwrap_or_default();
    let content_type = mime_guess::from_path(name).first_raw().map(str::to_owned);
    ObjectInfo {
        size: state.size,
        etag: Some(state.etag()),
        last_modified: Some(state.last_modified()),
        content_modified: Some(state.modified()),
        digests: Digests::default(),
        headers: ObjectHeaders { content_type, ..ObjectHeaders::default() },
        storage_class: None,
        mirrored: false,
        beyond: Properties::default(),
    }
}

/// What an error of the system means for one object. Reading changes nothing, so all but the
/// refusals may be tried again.
fn failure(what: &str, key: &[u8], error: &std::io::Error) -> PortError {
    use std::io::ErrorKind as Io;
    let kind = match error.kind() {
        // A segment that is a file, a link, or too long for a name: no file can be there.
        Io::NotFound | Io::NotADirectory | Io::InvalidFilename => ErrorKind::NoSuchKey,
        _ if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => ErrorKind::NoSuchKey,
        Io::PermissionDenied => ErrorKind::AccessDenied,
        _ => ErrorKind::Storage,
    };
    let message = format!("{what} {}: {error}", Key::new(key.to_vec()));
    let error = PortError::new(kind, message);
    if kind == ErrorKind::Storage { error.concluding(Conclusion::NotDone) } else { error }
}

fn no_such_key(what: &str, key: &Key) -> PortError {
    PortError::new(ErrorKind::NoSuchKey, format!("{what} {key}: no such file"))
}
