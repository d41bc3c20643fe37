//! A source whose keys, order, pages and failures the test decides.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::fidelity::Properties;
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::{ByteRange, Digests, ETag, Entry, ObjectHeaders, ObjectInfo, Pin};
use ossferry_core::ports::{
    ListRequest, ListStart, ListingOrder, OpenObject, Page, Source, SourceProfile,
};
use ossferry_core::time::Timestamp;

use crate::crash::Crash;

pub(crate) const SOURCE_NOW: Timestamp = Timestamp(1_700_000_000_000);

/// Lists its entries in the order they were given, whatever the profile says.
#[derive(Clone)]
pub(crate) struct ScriptedSource {
    pub(crate) script: Arc<Mutex<SourceScript>>,
    profile: SourceProfile,
    meter: Arc<Meter>,
    crash: Crash,
}

#[derive(Default)]
pub(crate) struct SourceScript {
    pub(crate) entries: Vec<Entry>,
    pub(crate) page_delay: Duration,
    /// Fails the list request of this number, from 0, once.
    pub(crate) list_failures: BTreeMap<usize, ErrorKind>,
    pub(crate) head_failures: BTreeMap<Key, ErrorKind>,
    pub(crate) lists: usize,
    pub(crate) probes: usize,
    pub(crate) keys_listed: usize,
}

pub(crate) fn source_entry(key: impl Into<Key>, size: u64) -> Entry {
    let key = key.into();
    let etag = Some(ETag::new(&format!("s-{key}-{size}")));
    let last_modified = Some(Timestamp(SOURCE_NOW.0 - 86_400_000 * 30));
    Entry { key, size, etag, last_modified, storage_class: None, archived: false }
}

impl ScriptedSource {
    pub(crate) fn new(entries: Vec<Entry>, order: ListingOrder, page: u32, crash: Crash) -> Self {
        let profile = SourceProfile {
            kind: "s3",
            order,
            etag_is_md5: true,
            page_keys_max: page,
            etag_is_comparable: true,
        };
        let script = Arc::new(Mutex::new(SourceScript { entries, ..SourceScript::default() }));
        Self { script, profile, meter: Arc::default(), crash }
    }

    fn page(&self, request: &ListRequest) -> Result<Page, PortError> {
        let mut script = self.script.lock().unwrap();
        if request.keys_max == 1 {
            script.probes += 1;
        }
        let number = script.lists;
        script.lists += 1;
        if let Some(kind) = script.list_failures.remove(&number) {
            return Err(PortError::new(kind, "list: scripted"));
        }
        let from = match &request.start {
            ListStart::Beginning => 0,
            ListStart::Token(token) => token.parse().unwrap(),
            // As a store does that lists otherwise: it begins at the first key that is greater.
            ListStart::After(after) => {
                let entries = &script.entries;
                entries.iter().position(|entry| entry.key > *after).unwrap_or(entries.len())
            }
        };
        let page = usize::try_from(request.keys_max.min(self.profile.page_keys_max)).unwrap();
        let mut entries = Vec::new();
        let mut next = None;
        for (at, entry) in script.entries.iter().enumerate().skip(from) {
            if !entry.key.starts_with(request.prefix.as_bytes()) {
                continue;
            }
            if entries.len() == page {
                next = Some(at.to_string());
                break;
            }
            entries.push(entry.clone());
        }
        script.keys_listed += entries.len();
        Ok(Page { entries, next })
    }
}

#[async_trait]
impl Source for ScriptedSource {
    fn profile(&self) -> &SourceProfile {
        &self.profile
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Source> {
        Arc::new(Self { meter, ..self.clone() })
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        self.crash.step().map(|()| SOURCE_NOW)
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        self.crash.step()?;
        self.meter.count("ListObjectsV2");
        let delay = self.script.lock().unwrap().page_delay;
        if request.keys_max > 1 && !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.page(request)
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo, PortError> {
        self.crash.step()?;
        self.meter.count("HeadObject");
        let script = self.script.lock().unwrap();
        if let Some(kind) = script.head_failures.get(key) {
            return Err(PortError::new(*kind, "head: scripted"));
        }
        let entry = script.entries.iter().find(|entry| entry.key == *key);
        let missing = || PortError::new(ErrorKind::NoSuchKey, "head: NoSuchKey");
        entry.map(info_of).ok_or_else(missing)
    }

    async fn open(&self, _: &Key, _: &Pin, _: Option<ByteRange>) -> Result<OpenObject, PortError> {
        Err(PortError::new(ErrorKind::Other, "a planner reads no object"))
    }
}

pub(crate) fn info_of(entry: &Entry) -> ObjectInfo {
    ObjectInfo {
        size: entry.size,
        etag: entry.etag.clone(),
        last_modified: entry.last_modified,
        content_modified: None,
        digests: Digests::default(),
        headers: ObjectHeaders::default(),
        storage_class: entry.storage_class.clone(),
        mirrored: false,
        beyond: Properties::default(),
    }
}
