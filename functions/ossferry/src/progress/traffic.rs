//! What this process has sent, counted at each answer: rows only say so once a task has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use ossferry_core::error::PortError;
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::ObjectInfo;
use ossferry_core::ports::{
    ListRequest, ListedPart, ListedUpload, ObjectBody, Page, PutAnswer, PutOptions, Target,
    TargetProfile, UploadedPart,
};
use ossferry_core::proof::Verified;
use ossferry_core::time::Timestamp;
use ossferry_core::timely::TimeLimit;

/// Objects and bytes that the target has taken. For show only: what is proved stands in the ledger.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    objects: AtomicU64,
    bytes: AtomicU64,
}

impl Traffic {
    /// Objects and bytes so far.
    pub(crate) fn so_far(&self) -> (u64, u64) {
        (self.objects.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

/// The same target, with what goes into it counted.
pub(crate) fn watched(target: Arc<dyn Target>, traffic: Arc<Traffic>) -> Arc<dyn Target> {
    Arc::new(WatchedTarget { target, traffic })
}

struct WatchedTarget {
    target: Arc<dyn Target>,
    traffic: Arc<Traffic>,
}

impl WatchedTarget {
    fn taken(&self, bytes: u64) {
        self.traffic.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn published(&self) {
        self.traffic.objects.fetch_add(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Target for WatchedTarget {
    fn profile(&self) -> &TargetProfile {
        self.target.profile()
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Target> {
        watched(self.target.metered(meter), Arc::clone(&self.traffic))
    }

    fn until(&self, limit: TimeLimit) -> Arc<dyn Target> {
        watched(self.target.until(limit), Arc::clone(&self.traffic))
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        self.target.now().await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        self.target.list(request).await
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, PortError> {
        self.target.head(key).await
    }

    async fn put(
        &self,
        key: &Key,
        options: &PutOptions,
        bytes: u64,
        body: ObjectBody,
    ) -> Result<PutAnswer, PortError> {
        let answer = self.target.put(key, options, bytes, body).await?;
        self.taken(bytes);
        self.published();
        Ok(answer)
    }

    async fn initiate_upload(&self, key: &Key, options: &PutOptions) -> Result<String, PortError> {
        self.target.initiate_upload(key, options).await
    }

    async fn upload_part(
        &self,
        key: &Key,
        upload_id: &str,
        part_number: u32,
        bytes: u64,
        body: ObjectBody,
    ) -> Result<PutAnswer, PortError> {
        let answer = self.target.upload_part(key, upload_id, part_number, bytes, body).await?;
        self.taken(bytes);
        Ok(answer)
    }

    async fn list_parts(&self, key: &Key, upload_id: &str) -> Result<Vec<ListedPart>, PortError> {
        self.target.list_parts(key, upload_id).await
    }

    async fn complete_upload(
        &self,
        key: &Key,
        upload_id: &str,
        parts: &[UploadedPart],
        options: &PutOptions,
        proof: &Verified,
    ) -> Result<PutAnswer, PortError> {
        let answer = self.target.complete_upload(key, upload_id, parts, options, proof).await?;
        self.published();
        Ok(answer)
    }

    async fn abort_upload(&self, key: &Key, upload_id: &str) -> Result<(), PortError> {
        self.target.abort_upload(key, upload_id).await
    }

    async fn list_uploads(&self, key: &Key) -> Result<Vec<ListedUpload>, PortError> {
        self.target.list_uploads(key).await
    }
}
