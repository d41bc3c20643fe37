//! A bucket on disk: bodies, an index log, and the index in memory that the log is replayed into.

pub(crate) mod bodies;
pub(crate) mod object;
mod read;
mod receive;
mod record;
mod recovery;
mod replay;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ossferry_core::key::Key;
use ossferry_core::time::Timestamp;

use bodies::{Bodies, Extent};
use object::{Object, Part, Upload};
use record::{IndexLog, Record};

use crate::acl::ObjectAcl;
use crate::restore::Restorations;

pub(crate) use read::byte_stream;
pub(crate) use receive::{ReceiveError, Received, receive};

/// A multipart upload's name. Orders as `ListMultipartUploads` does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct UploadName {
    /// The key its object will have.
    pub(crate) key: Key,
    /// The id OSS gave.
    pub(crate) upload_id: String,
}

/// Why a change did not happen. Nothing was changed.
#[derive(Debug)]
pub(crate) enum ChangeError {
    /// There is an object, and the request forbids to overwrite it.
    Exists,
    /// No object of that key.
    NoSuchKey,
    /// No such upload.
    NoSuchUpload,
    /// The disk.
    Io(io::Error),
}

impl From<io::Error> for ChangeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What stands in the bucket.
#[derive(Debug)]
pub(crate) struct State {
    /// By key.
    pub(crate) objects: BTreeMap<Key, Arc<Object>>,
    /// By key and id.
    pub(crate) uploads: BTreeMap<UploadName, Upload>,
    /// The website configuration as it was put.
    pub(crate) website: Option<String>,
    log: IndexLog,
}

/// A bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// Its name.
    pub(crate) name: String,
    /// When it was made.
    pub(crate) created: Timestamp,
    /// Where its bodies are written.
    pub(crate) bodies: Bodies,
    /// Archived objects that can be read, or soon can.
    pub(crate) restorations: Restorations,
    folder: PathBuf,
    state: RwLock<State>,
}

impl Bucket {
    /// Opens the bucket under `root`, and makes it where it is not there.
    pub(crate) fn open(root: &Path, name: &str, now: Timestamp) -> io::Result<Self> {
        let folder = root.join(name);
        let (created, bodies, state) = replay::open(&folder, now)?;
        let state = RwLock::new(state);
        let (name, restorations) = (name.to_owned(), Restorations::default());
        Ok(Self { name, created, bodies, restorations, folder, state })
    }

    /// Whether `folder` holds a bucket.
    pub(crate) fn is_at(folder: &Path) -> bool {
        folder.join("index.log").is_file()
    }

    /// Removes an empty bucket's files. Returns `false`, with nothing changed, where it holds
    /// objects or uploads.
    pub(crate) fn remove(&self) -> io::Result<bool> {
        let state = self.write();
        if !state.objects.is_empty() || !state.uploads.is_empty() {
            return Ok(false);
        }
        std::fs::remove_dir_all(&self.folder)?;
        Ok(true)
    }

    /// The state, for looking.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The object of a key.
    pub(crate) fn object(&self, key: &Key) -> Option<Arc<Object>> {
        self.read().objects.get(key).cloned()
    }

    /// Puts an object. Its bytes are released where it may not be put.
    pub(crate) fn put(
        &self,
        key: Key,
        object: Object,
        forbid_overwrite: bool,
    ) -> Result<Arc<Object>, ChangeError> {
        let object = Arc::new(object);
        let put = self.try_put(key, &object, forbid_overwrite);
        if put.is_err() {
            release(&object.extents);
        }
        put.map(|()| object)
    }

    fn try_put(
        &self,
        key: Key,
        object: &Arc<Object>,
        forbid_overwrite: bool,
    ) -> Result<(), ChangeError> {
        let row = object.row();
        let mut state = self.write();
        if forbid_overwrite && state.objects.contains_key(&key) {
            return Err(ChangeError::Exists);
        }
        state.log.append(&Record::Put { key: key.clone(), object: row })?;
        keep(&object.extents);
        if let Some(old) = state.objects.insert(key, Arc::clone(object)) {
            release(&old.extents);
        }
        Ok(())
    }

    /// Deletes an object, if there is one.
    pub(crate) fn delete(&self, key: &Key) -> io::Result<()> {
        let mut state = self.write();
        if state.objects.contains_key(key) {
            state.log.append(&Record::Delete { key: key.clone() })?;
        }
        if let Some(old) = state.objects.remove(key) {
            release(&old.extents);
        }
        Ok(())
    }

    /// Gives an object these tags in place of its own.
    pub(crate) fn tag(&self, key: &Key, tags: Vec<(String, String)>) -> Result<(), ChangeError> {
        let mut state = self.write();
        let mut object = state.objects.get(key).cloned().ok_or(ChangeError::NoSuchKey)?;
        state.log.append(&Record::Tags { key: key.clone(), tags: tags.clone() })?;
        Arc::make_mut(&mut object).metadata.tags = tags;
        state.objects.insert(key.clone(), object);
        Ok(())
    }

    /// Gives an object this ACL in place of its own.
    pub(crate) fn set_acl(&self, key: &Key, acl: ObjectAcl) -> Result<(), ChangeError> {
        let mut state = self.write();
        let mut object = state.objects.get(key).cloned().ok_or(ChangeError::NoSuchKey)?;
        state.log.append(&Record::Acl { key: key.clone(), acl })?;
        Arc::make_mut(&mut object).metadata.acl = acl;
        state.objects.insert(key.clone(), object);
        Ok(())
    }

    /// Puts or removes the website configuration.
    pub(crate) fn set_website(&self, xml: Option<String>) -> io::Result<()> {
        let mut state = self.write();
        state.log.append(&Record::Website { xml: xml.clone() })?;
        state.website = xml;
        Ok(())
    }

    /// Begins an upload.
    pub(crate) fn initiate(&self, name: UploadName, upload: Upload) -> io::Result<()> {
        let mut state = self.write();
        let UploadName { key, upload_id } = name.clone();
        state.log.append(&Record::Initiate { key, upload_id, upload: upload.row() })?;
        state.uploads.insert(name, upload);
        Ok(())
    }

    /// The upload, with the parts it has now.
    pub(crate) fn upload(&self, name: &UploadName) -> Option<Upload> {
        self.read().uploads.get(name).cloned()
    }

    /// Whether the upload is open.
    pub(crate) fn has_upload(&self, name: &UploadName) -> bool {
        self.read().uploads.contains_key(name)
    }

    /// Puts a part. Its bytes are released where the upload is gone.
    pub(crate) fn put_part(
        &self,
        name: &UploadName,
        number: u32,
        part: Part,
    ) -> Result<(), ChangeError> {
        let part = Arc::new(part);
        let put = self.try_put_part(name, number, &part);
        if put.is_err() {
            release(&part.extents);
        }
        put
    }

    fn try_put_part(
        &self,
        name: &UploadName,
        number: u32,
        part: &Arc<Part>,
    ) -> Result<(), ChangeError> {
        let mut state = self.write();
        let State { uploads, log, .. } = &mut *state;
        let upload = uploads.get_mut(name).ok_or(ChangeError::NoSuchUpload)?;
        let UploadName { key, upload_id } = name.clone();
        log.append(&Record::Part { key, upload_id, number, part: part.row() })?;
        keep(&part.extents);
        if let Some(old) = upload.parts.insert(number, Arc::clone(part)) {
            release(&old.extents);
        }
        Ok(())
    }

    /// Ends an upload; its parts are gone.
    pub(crate) fn abort(&self, name: &UploadName) -> Result<(), ChangeError> {
        let mut state = self.write();
        if !state.uploads.contains_key(name) {
            return Err(ChangeError::NoSuchUpload);
        }
        let UploadName { key, upload_id } = name.clone();
        state.log.append(&Record::Abort { key, upload_id })?;
        for part in state.uploads.remove(name).iter().flat_map(|upload| upload.parts.values()) {
            release(&part.extents);
        }
        Ok(())
    }

    /// Makes an object of an upload. `assemble` looks at the upload and says what the object is, and
    /// by number which parts it is made of; no byte is copied, the other parts are released.
    pub(crate) fn complete<E: From<ChangeError>>(
        &self,
        name: &UploadName,
        forbid_overwrite: bool,
        assemble: impl FnOnce(&Upload) -> Result<(Object, Vec<u32>), E>,
    ) -> Result<Arc<Object>, E> {
        let mut state = self.write();
        let upload = state.uploads.get(name).ok_or(ChangeError::NoSuchUpload)?;
        let (object, used) = assemble(upload)?;
        if forbid_overwrite && state.objects.contains_key(&name.key) {
            return Err(ChangeError::Exists.into());
        }
        let UploadName { key, upload_id } = name.clone();
        let record = Record::Complete { key, upload_id, object: object.row() };
        state.log.append(&record).map_err(ChangeError::Io)?;
        let parts = state.uploads.remove(name).map(|upload| upload.parts).unwrap_or_default();
        for (_, part) in parts.iter().filter(|(number, _)| used.binary_search(number).is_err()) {
            release(&part.extents);
        }
        let object = Arc::new(object);
        if let Some(old) = state.objects.insert(name.key.clone(), Arc::clone(&object)) {
            release(&old.extents);
        }
        Ok(object)
    }
}

fn keep(extents: &[Extent]) {
    extents.iter().for_each(Extent::keep);
}

fn release(extents: &[Extent]) {
    extents.iter().for_each(Extent::release);
}
