//! A target that holds what the test put there, and remembers its unfinished uploads.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::{Entry, ObjectInfo};
use ossferry_core::ports::{
    ListRequest, ListStart, ListedPart, ListedUpload, ObjectBody, Page, PutAnswer, PutOptions,
    Target, TargetProfile, UploadedPart,
};
use ossferry_core::proof::Verified;
use ossferry_core::time::Timestamp;
use ossferry_core::timely::TimeLimit;
use tokio::sync::Notify;

use crate::crash::Crash;
use crate::source::info_of;

pub(crate) const TARGET_NOW: Timestamp = Timestamp(1_600_000_000_000);

#[derive(Clone)]
pub(crate) struct ScriptedTarget {
    pub(crate) script: Arc<Mutex<TargetScript>>,
    profile: TargetProfile,
    meter: Arc<Meter>,
    crash: Crash,
}

#[derive(Default)]
pub(crate) struct TargetScript {
    pub(crate) objects: BTreeMap<Key, ObjectInfo>,
    pub(crate) uploads: Vec<ListedUpload>,
    /// Upload ids that hold a part.
    pub(crate) with_parts: Vec<String>,
    pub(crate) initiated: Vec<PutOptions>,
    /// What the next request to begin an upload is answered with, after it took effect.
    pub(crate) initiate_failure: Option<ErrorKind>,
    /// The next request to begin an upload arrives when this is notified.
    pub(crate) initiate_on_its_way: Option<Arc<Notify>>,
    pub(crate) aborted: Vec<String>,
    pub(crate) lists: usize,
    pub(crate) heads: usize,
}

impl ScriptedTarget {
    pub(crate) fn new(objects: &[Entry], page: u32, crash: Crash) -> Self {
        let objects = objects.iter().map(|entry| (entry.key.clone(), info_of(entry))).collect();
        Self {
            script: Arc::new(Mutex::new(TargetScript { objects, ..TargetScript::default() })),
            profile: TargetProfile {
                etag_is_md5: true,
                ignores_forbid_overwrite: false,
                page_keys_max: page,
            },
            meter: Arc::default(),
            crash,
        }
    }
}

fn not_for_planners() -> PortError {
    PortError::new(ErrorKind::Other, "a planner writes no object")
}

#[async_trait]
impl Target for ScriptedTarget {
    fn profile(&self) -> &TargetProfile {
        &self.profile
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Target> {
        Arc::new(Self { meter, ..self.clone() })
    }

    fn until(&self, _limit: TimeLimit) -> Arc<dyn Target> {
        // Nothing waits here.
        Arc::new(self.clone())
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        self.crash.step().map(|()| TARGET_NOW)
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        self.crash.step()?;
        self.meter.count("ListObjectsV2");
        let mut script = self.script.lock().unwrap();
        script.lists += 1;
        let after = match &request.start {
            ListStart::Beginning => Bound::Unbounded,
            ListStart::After(key) => Bound::Excluded(key.clone()),
            ListStart::Token(token) => Bound::Excluded(Key::from_text(token)),
        };
        let page = request.keys_max.min(self.profile.page_keys_max) as usize;
        let mut found: Vec<Entry> = script
            .objects
            .range((after, Bound::Unbounded))
            .filter(|(key, _)| key.starts_with(request.prefix.as_bytes()))
            .take(page + 1)
            .map(|(key, info)| Entry {
                key: key.clone(),
                size: info.size,
                etag: info.etag.clone(),
                last_modified: info.last_modified,
                storage_class: None,
                archived: false,
            })
            .collect();
        let more = found.len() > page;
        found.truncate(page);
        let next = found.last().filter(|_| more).map(|last| last.key.to_text().into_owned());
        Ok(Page { entries: found, next })
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, PortError> {
        self.crash.step()?;
        self.meter.count("HeadObject");
        let mut script = self.script.lock().unwrap();
        script.heads += 1;
        Ok(script.objects.get(key).cloned())
    }

    async fn put(
        &self,
        _: &Key,
        _: &PutOptions,
        _: u64,
        _: ObjectBody,
    ) -> Result<PutAnswer, PortError> {
        Err(not_for_planners())
    }

    async fn initiate_upload(&self, key: &Key, options: &PutOptions) -> Result<String, PortError> {
        self.crash.step()?;
        self.meter.count("InitiateMultipartUpload");
        let on_its_way = self.script.lock().unwrap().initiate_on_its_way.take();
        if let Some(arrives) = on_its_way {
            arrives.notified().await;
        }
        let mut script = self.script.lock().unwrap();
        let upload_id = format!("u{}", script.initiated.len() + 1);
        script.initiated.push(options.clone());
        let upload =
            ListedUpload { key: key.clone(), upload_id: upload_id.clone(), initiated: TARGET_NOW };
        script.uploads.push(upload);
        if let Some(kind) = script.initiate_failure.take() {
            return Err(PortError::new(kind, "scripted: no answer"));
        }
        drop(script);
        self.crash.after()?;
        Ok(upload_id)
    }

    async fn upload_part(
        &self,
        _: &Key,
        _: &str,
        _: u32,
        _: u64,
        _: ObjectBody,
    ) -> Result<PutAnswer, PortError> {
        Err(not_for_planners())
    }

    async fn list_parts(&self, _: &Key, upload_id: &str) -> Result<Vec<ListedPart>, PortError> {
        self.crash.step()?;
        let script = self.script.lock().unwrap();
        let part = ListedPart {
            part_number: 1,
            size: 1,
            etag: ossferry_core::object::ETag::new("p"),
            crc64_ecma: None,
        };
        let holds = script.with_parts.iter().any(|id| id == upload_id);
        Ok(if holds { vec![part] } else { Vec::new() })
    }

    async fn complete_upload(
        &self,
        _: &Key,
        _: &str,
        _: &[UploadedPart],
        _: &PutOptions,
        _: &Verified,
    ) -> Result<PutAnswer, PortError> {
        Err(not_for_planners())
    }

    async fn abort_upload(&self, _: &Key, upload_id: &str) -> Result<(), PortError> {
        self.crash.step()?;
        let mut script = self.script.lock().unwrap();
        script.uploads.retain(|upload| upload.upload_id != upload_id);
        script.aborted.push(upload_id.to_owned());
        Ok(())
    }

    async fn list_uploads(&self, key: &Key) -> Result<Vec<ListedUpload>, PortError> {
        self.crash.step()?;
        let script = self.script.lock().unwrap();
        Ok(script.uploads.iter().filter(|upload| upload.key == *key).cloned().collect())
    }
}
