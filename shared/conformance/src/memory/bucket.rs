//! A bucket in memory, at either end of a migration.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::TryStreamExt;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::fidelity::Properties;
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::{Digests, ETag, Entry, ObjectHeaders, ObjectInfo};
use ossferry_core::ports::{
    ListRequest, ListStart, ListingOrder, ObjectBody, Page, PutAnswer, SourceProfile, TargetProfile,
};
use ossferry_core::time::{Clock, Timestamp};

use crate::objects::{crc64_ecma, md5};

/// Keys of one page where nothing else is said.
const PAGE_KEYS: u32 = 1_000;

#[derive(Clone)]
pub(super) struct Object {
    pub(super) bytes: Bytes,
    pub(super) info: ObjectInfo,
}

pub(super) struct Upload {
    pub(super) key: Key,
    pub(super) headers: ObjectHeaders,
    pub(super) initiated: Timestamp,
    pub(super) parts: BTreeMap<u32, (Bytes, PutAnswer)>,
}

/// An object as it once stood under a key.
#[derive(Clone, Debug)]
pub struct Published {
    /// Under which.
    pub key: Key,
    /// Its bytes.
    pub bytes: Bytes,
    /// By the bucket's clock.
    pub at: Timestamp,
}

#[derive(Default)]
pub(super) struct Held {
    pub(super) objects: BTreeMap<Key, Object>,
    pub(super) uploads: BTreeMap<String, Upload>,
    pub(super) uploads_begun: u32,
    history: Vec<Published>,
}

/// Objects and uploads in memory. Clones are one bucket.
#[derive(Clone)]
pub struct MemoryBucket {
    held: Arc<Mutex<Held>>,
    pub(super) clock: Clock,
    pub(super) meter: Arc<Meter>,
    pub(super) source: SourceProfile,
    pub(super) target: TargetProfile,
}

impl MemoryBucket {
    /// An empty one, whose objects are dated by this clock.
    pub fn new(clock: Clock) -> Self {
        Self {
            held: Arc::default(),
            clock,
            meter: Arc::default(),
            source: SourceProfile {
                kind: "memory",
                order: ListingOrder::Bytes,
                etag_is_md5: true,
                page_keys_max: PAGE_KEYS,
                etag_is_comparable: true,
            },
            target: TargetProfile {
                etag_is_md5: true,
                ignores_forbid_overwrite: false,
                page_keys_max: PAGE_KEYS,
            },
        }
    }

    /// The same bucket, listing at most so many keys at once.
    #[must_use]
    pub fn with_pages_of(mut self, keys: u32) -> Self {
        self.source.page_keys_max = keys;
        self.target.page_keys_max = keys;
        self
    }

    /// Writes an object past the port.
    pub fn write(&self, key: &Key, bytes: Bytes, headers: &ObjectHeaders) -> ETag {
        let etag = self.answer(&bytes).etag;
        self.publish(key, bytes, etag, headers).etag
    }

    /// Deletes an object.
    pub fn delete(&self, key: &Key) {
        self.held().objects.remove(key);
    }

    /// Every object with its bytes.
    pub fn objects(&self) -> BTreeMap<Key, Bytes> {
        let held = self.held();
        held.objects.iter().map(|(key, object)| (key.clone(), object.bytes.clone())).collect()
    }

    /// Keys of uploads that were begun and neither completed nor aborted.
    pub fn open_uploads(&self) -> Vec<Key> {
        self.held().uploads.values().map(|upload| upload.key.clone()).collect()
    }

    /// Those of them into which a part was written.
    pub fn filled_uploads(&self) -> Vec<Key> {
        let held = self.held();
        let filled = held.uploads.values().filter(|upload| !upload.parts.is_empty());
        filled.map(|upload| upload.key.clone()).collect()
    }

    /// Every object that was ever published, in the order in which they were.
    pub fn history(&self) -> Vec<Published> {
        self.held().history.clone()
    }

    pub(super) fn counting_on(&self, meter: Arc<Meter>) -> Self {
        Self { meter, ..self.clone() }
    }

    pub(super) fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn answer(&self, bytes: &Bytes) -> PutAnswer {
        PutAnswer {
            etag: ETag::new(&format!("{:032X}", u128::from_be_bytes(md5(bytes)))),
            crc64_ecma: Some(crc64_ecma(bytes)),
            at: Some((self.clock)()),
        }
    }

    pub(super) fn publish(
        &self,
        key: &Key,
        bytes: Bytes,
        etag: ETag,
        headers: &ObjectHeaders,
    ) -> PutAnswer {
        let at = (self.clock)();
        let crc64_ecma = Some(crc64_ecma(&bytes));
        let info = ObjectInfo {
            size: bytes.len() as u64,
            etag: Some(etag.clone()),
            last_modified: Some(at),
            content_modified: None,
            digests: Digests { crc64_ecma, md5: etag.as_md5(), crc64_nvme: None },
            headers: headers.clone(),
            storage_class: None,
            mirrored: false,
            beyond: Properties::default(),
        };
        let mut held = self.held();
        held.history.push(Published { key: key.clone(), bytes: bytes.clone(), at });
        held.objects.insert(key.clone(), Object { bytes, info });
        PutAnswer { etag, crc64_ecma, at: Some(at) }
    }

    pub(super) fn get(&self, key: &Key) -> Option<Object> {
        self.held().objects.get(key).cloned()
    }

    pub(super) fn page(&self, request: &ListRequest, page_keys_max: u32) -> Page {
        let after = match &request.start {
            ListStart::Beginning => None,
            ListStart::After(key) => Some(key.clone()),
            ListStart::Token(token) => Some(Key::from_text(token)),
        };
        let held = self.held();
        let wanted =
            |key: &Key| key.starts_with(request.prefix.as_bytes()) && Some(key) > after.as_ref();
        let mut found = held.objects.iter().filter(|(key, _)| wanted(key));
        let entries: Vec<_> = found
            .by_ref()
            .take(request.keys_max.min(page_keys_max) as usize)
            .map(|(key, object)| Entry {
                key: key.clone(),
                size: object.info.size,
                etag: object.info.etag.clone(),
                last_modified: object.info.last_modified,
                storage_class: None,
                archived: false,
            })
            .collect();
        let last = found.next().and_then(|_| entries.last());
        let next = last.map(|entry| entry.key.to_text().into_owned());
        Page { entries, next }
    }

    pub(super) fn upload<T>(
        &self,
        key: &Key,
        upload_id: &str,
        look: impl FnOnce(&mut Upload) -> T,
    ) -> Result<T, PortError> {
        match self.held().uploads.get_mut(upload_id) {
            Some(upload) if upload.key == *key => Ok(look(upload)),
            _ => refused(ErrorKind::NoSuchUpload),
        }
    }
}

pub(super) fn refused<T>(kind: ErrorKind) -> Result<T, PortError> {
    Err(PortError::new(kind, format!("refused: {kind:?}")))
}

/// A body to its end, if that comes after as many bytes as were announced.
pub(super) async fn collect(bytes: u64, body: ObjectBody) -> Result<Bytes, PortError> {
    let frames: Vec<Bytes> = body.try_collect().await?;
    let whole = frames.concat();
    if whole.len() as u64 == bytes { Ok(whole.into()) } else { refused(ErrorKind::Connection) }
}
