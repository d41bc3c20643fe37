use std::sync::Arc;

use async_trait::async_trait;
use ossferry_core::along::{SourceAcl, Tag};
use ossferry_core::error::PortError;
use ossferry_core::job::RestoreSpec;
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::{ByteRange, ObjectInfo, Pin};
use ossferry_core::ports::{
    ListRequest, ListedPart, ListedUpload, ObjectBody, OpenObject, Page, PutAnswer, PutOptions,
    Restoration, Source, SourceProfile, Target, TargetProfile, UploadedPart,
};
use ossferry_core::proof::Verified;
use ossferry_core::time::Timestamp;
use ossferry_core::timely::TimeLimit;

use super::Fates;

/// A source whose calls meet their fates.
#[derive(Clone)]
pub struct FaultySource {
    inner: Arc<dyn Source>,
    fates: Fates,
}

impl FaultySource {
    /// Over this source.
    pub fn new(inner: Arc<dyn Source>, fates: Fates) -> Self {
        Self { inner, fates }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "no method of the port may escape")]
impl Source for FaultySource {
    fn profile(&self) -> &SourceProfile {
        self.inner.profile()
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Source> {
        Arc::new(Self { inner: self.inner.metered(meter), fates: self.fates.clone() })
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        self.fates.meet("source.now", self.inner.now()).await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        self.fates.meet("source.list", self.inner.list(request)).await
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo, PortError> {
        self.fates.meet("source.head", self.inner.head(key)).await
    }

    async fn open(
        &self,
        key: &Key,
        pin: &Pin,
        range: Option<ByteRange>,
    ) -> Result<OpenObject, PortError> {
        self.fates.meet("source.open", self.inner.open(key, pin, range)).await
    }

    async fn restore(
        &self,
        key: &Key,
        wanted: &RestoreSpec,
        storage_class: Option<&str>,
    ) -> Result<Restoration, PortError> {
        let restored = self.inner.restore(key, wanted, storage_class);
        self.fates.meet("source.restore", restored).await
    }

    async fn tags(&self, key: &Key) -> Result<Vec<Tag>, PortError> {
        self.fates.meet("source.tags", self.inner.tags(key)).await
    }

    async fn acl(&self, key: &Key) -> Result<SourceAcl, PortError> {
        self.fates.meet("source.acl", self.inner.acl(key)).await
    }
}

/// A target whose calls meet their fates.
#[derive(Clone)]
pub struct FaultyTarget {
    inner: Arc<dyn Target>,
    fates: Fates,
}

impl FaultyTarget {
    /// Over this target.
    pub fn new(inner: Arc<dyn Target>, fates: Fates) -> Self {
        Self { inner, fates }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "no method of the port may escape")]
impl Target for FaultyTarget {
    fn profile(&self) -> &TargetProfile {
        self.inner.profile()
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Target> {
        Arc::new(Self { inner: self.inner.metered(meter), fates: self.fates.clone() })
    }

    fn until(&self, limit: TimeLimit) -> Arc<dyn Target> {
        Arc::new(Self { inner: self.inner.until(limit), fates: self.fates.clone() })
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        self.fates.meet("target.now", self.inner.now()).await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        self.fates.meet("target.list", self.inner.list(request)).await
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, PortError> {
        self.fates.meet("target.head", self.inner.head(key)).await
    }

    async fn put(
        &self,
        key: &Key,
        options: &PutOptions,
        bytes: u64,
        body: ObjectBody,
    ) -> Result<PutAnswer, PortError> {
        self.fates.meet("target.put", self.inner.put(key, options, bytes, body)).await
    }

    async fn initiate_upload(&self, key: &Key, options: &PutOptions) -> Result<String, PortError> {
        self.fates.meet("target.initiate", self.inner.initiate_upload(key, options)).await
    }

    async fn upload_part(
        &self,
        key: &Key,
        upload_id: &str,
        part_number: u32,
        bytes: u64,
        body: ObjectBody,
    ) -> Result<PutAnswer, PortError> {
        let upload = self.inner.upload_part(key, upload_id, part_number, bytes, body);
        self.fates.meet("target.upload_part", upload).await
    }

    async fn list_parts(&self, key: &Key, upload_id: &str) -> Result<Vec<ListedPart>, PortError> {
        self.fates.meet("target.list_parts", self.inner.list_parts(key, upload_id)).await
    }

    async fn complete_upload(
        &self,
        key: &Key,
        upload_id: &str,
        parts: &[UploadedPart],
        options: &PutOptions,
        proof: &Verified,
    ) -> Result<PutAnswer, PortError> {
        let complete = self.inner.complete_upload(key, upload_id, parts, options, proof);
        self.fates.meet("target.complete", complete).await
    }

    async fn abort_upload(&self, key: &Key, upload_id: &str) -> Result<(), PortError> {
        self.fates.meet("target.abort", self.inner.abort_upload(key, upload_id)).await
    }

    async fn list_uploads(&self, key: &Key) -> Result<Vec<ListedUpload>, PortError> {
        self.fates.meet("target.list_uploads", self.inner.list_uploads(key)).await
    }
}
