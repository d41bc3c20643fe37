//! Ends that list a few keys at a time, so that a small bucket is walked and split like a large one.

use std::sync::Arc;

use async_trait::async_trait;
use ossferry_core::along::{SourceAcl, Tag};
use ossferry_core::error::PortError;
use ossferry_core::job::RestoreSpec;
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::{ByteRange, ObjectInfo, Pin};
use ossferry_core::ports::{
    ListRequest, ListStart, ListedPart, ListedUpload, ObjectBody, OpenObject, Page, PutAnswer,
    PutOptions, Restoration, Source, SourceProfile, Target, TargetProfile, UploadedPart,
};
use ossferry_core::proof::Verified;
use ossferry_core::time::Timestamp;
use ossferry_core::timely::TimeLimit;

/// Pages of so many keys.
#[derive(Clone, Copy, Debug)]
pub struct Pages {
    /// At most.
    pub keys_max: u32,
    /// Whether an empty page lies before each one but the first.
    pub has_gaps: bool,
}

/// Put before a token whose empty page was given.
const GAP: &str = "gap ";

impl Pages {
    /// What the store is asked for such a page; or the empty one that comes first.
    fn cut(self, request: &ListRequest) -> Result<ListRequest, Page> {
        let mut cut =
            ListRequest { keys_max: request.keys_max.min(self.keys_max), ..request.clone() };
        if let ListStart::Token(token) = &request.start
            && self.has_gaps
        {
            let Some(behind) = token.strip_prefix(GAP) else {
                return Err(Page { entries: Vec::new(), next: Some(format!("{GAP}{token}")) });
            };
            cut.start = ListStart::Token(behind.to_owned());
        }
        Ok(cut)
    }
}

/// A source of small pages.
#[derive(Clone)]
pub struct SmallPages {
    inner: Arc<dyn Source>,
    profile: SourceProfile,
    pages: Pages,
}

impl SmallPages {
    /// This source in such pages.
    pub fn new(inner: Arc<dyn Source>, pages: Pages) -> Self {
        let profile = SourceProfile { page_keys_max: pages.keys_max, ..inner.profile().clone() };
        Self { inner, profile, pages }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "no method of the port may escape")]
impl Source for SmallPages {
    fn profile(&self) -> &SourceProfile {
        &self.profile
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Source> {
        let inner = self.inner.metered(meter);
        Arc::new(Self { inner, profile: self.profile.clone(), pages: self.pages })
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        self.inner.now().await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        match self.pages.cut(request) {
            Ok(cut) => self.inner.list(&cut).await,
            Err(gap) => Ok(gap),
        }
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo, PortError> {
        self.inner.head(key).await
    }

    async fn open(
        &self,
        key: &Key,
        pin: &Pin,
        range: Option<ByteRange>,
    ) -> Result<OpenObject, PortError> {
        self.inner.open(key, pin, range).await
    }

    async fn restore(
        &self,
        key: &Key,
        wanted: &RestoreSpec,
        storage_class: Option<&str>,
    ) -> Result<Restoration, PortError> {
        self.inner.restore(key, wanted, storage_class).await
    }

    async fn tags(&self, key: &Key) -> Result<Vec<Tag>, PortError> {
        self.inner.tags(key).await
    }

    async fn acl(&self, key: &Key) -> Result<SourceAcl, PortError> {
        self.inner.acl(key).await
    }
}

/// A target of small pages.
#[derive(Clone)]
pub struct SmallTargetPages {
    inner: Arc<dyn Target>,
    profile: TargetProfile,
    pages: Pages,
}

impl SmallTargetPages {
    /// This target in such pages.
    pub fn new(inner: Arc<dyn Target>, pages: Pages) -> Self {
        let profile = TargetProfile { page_keys_max: pages.keys_max, ..*inner.profile() };
        Self { inner, profile, pages }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "no method of the port may escape")]
impl Target for SmallTargetPages {
    fn profile(&self) -> &TargetProfile {
        &self.profile
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Target> {
        let inner = self.inner.metered(meter);
        Arc::new(Self { inner, profile: self.profile, pages: self.pages })
    }

    fn until(&self, limit: TimeLimit) -> Arc<dyn Target> {
        let inner = self.inner.until(limit);
        Arc::new(Self { inner, profile: self.profile, pages: self.pages })
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        self.inner.now().await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        match self.pages.cut(request) {
            Ok(cut) => self.inner.list(&cut).await,
            Err(gap) => Ok(gap),
        }
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, PortError> {
        self.inner.head(key).await
    }

    async fn put(
        &self,
        key: &Key,
        options: &PutOptions,
        bytes: u64,
        body: ObjectBody,
    ) -> Result<PutAnswer, PortError> {
        self.inner.put(key, options, bytes, body).await
    }

    async fn initiate_upload(&self, key: &Key, options: &PutOptions) -> Result<String, PortError> {
        self.inner.initiate_upload(key, options).await
    }

    async fn upload_part(
        &self,
        key: &Key,
        upload_id: &str,
        part_number: u32,
        bytes: u64,
        body: ObjectBody,
    ) -> Result<PutAnswer, PortError> {
        self.inner.upload_part(key, upload_id, part_number, bytes, body).await
    }

    async fn list_parts(&self, key: &Key, upload_id: &str) -> Result<Vec<ListedPart>, PortError> {
        self.inner.list_parts(key, upload_id).await
    }

    async fn complete_upload(
        &self,
        key: &Key,
        upload_id: &str,
        parts: &[UploadedPart],
        options: &PutOptions,
        proof: &Verified,
    ) -> Result<PutAnswer, PortError> {
        self.inner.complete_upload(key, upload_id, parts, options, proof).await
    }

    async fn abort_upload(&self, key: &Key, upload_id: &str) -> Result<(), PortError> {
        self.inner.abort_upload(key, upload_id).await
    }

    async fn list_uploads(&self, key: &Key) -> Result<Vec<ListedUpload>, PortError> {
        self.inner.list_uploads(key).await
    }
}
