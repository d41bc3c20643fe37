//! Ends that list a few keys at a time, so that a small bucket is walked and split like a large one.

use std::sync::Arc;

use async_trait::async_trait;
use ossferry_core::error::PortError;
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::{ByteRange, ObjectInfo, Pin};
use ossferry_core::ports::{
    ListRequest, ListedPart, ListedUpload, ObjectBody, OpenObject, Page, PutAnswer, PutOptions,
    Source, SourceProfile, Target, TargetProfile, UploadedPart,
};
use ossferry_core::proof::Verified;
use ossferry_core::time::Timestamp;

/// A source of small pages.
#[derive(Clone)]
pub struct SmallPages {
    inner: Arc<dyn Source>,
    profile: SourceProfile,
}

impl SmallPages {
    /// At most so many keys a page.
    pub fn new(inner: Arc<dyn Source>, page_keys_max: u32) -> Self {
        let profile = SourceProfile { page_keys_max, ..inner.profile().clone() };
        Self { inner, profile }
    }
}

fn cut(request: &ListRequest, page_keys_max: u32) -> ListRequest {
    ListRequest { keys_max: request.keys_max.min(page_keys_max), ..request.clone() }
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "no method of the port may escape")]
impl Source for SmallPages {
    fn profile(&self) -> &SourceProfile {
        &self.profile
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Source> {
        Arc::new(Self { inner: self.inner.metered(meter), profile: self.profile.clone() })
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        self.inner.now().await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        self.inner.list(&cut(request, self.profile.page_keys_max)).await
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
}

/// A target of small pages.
#[derive(Clone)]
pub struct SmallTargetPages {
    inner: Arc<dyn Target>,
    profile: TargetProfile,
}

impl SmallTargetPages {
    /// At most so many keys a page.
    pub fn new(inner: Arc<dyn Target>, page_keys_max: u32) -> Self {
        let profile = TargetProfile { page_keys_max, ..*inner.profile() };
        Self { inner, profile }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "no method of the port may escape")]
impl Target for SmallTargetPages {
    fn profile(&self) -> &TargetProfile {
        &self.profile
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Target> {
        Arc::new(Self { inner: self.inner.metered(meter), profile: self.profile })
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        self.inner.now().await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        self.inner.list(&cut(request, self.profile.page_keys_max)).await
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
