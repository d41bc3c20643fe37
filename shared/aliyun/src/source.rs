//! OSS as a source.

use std::sync::Arc;

use ossferry_core::along::{SourceAcl, Tag};
use ossferry_core::error::PortError;
use ossferry_core::job::RestoreSpec;
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::{ByteRange, ObjectInfo, Pin};
use ossferry_core::ports::{
    ListRequest, ListingOrder, OpenObject, Page, Restoration, Source, SourceProfile,
};
use ossferry_core::time::Timestamp;

use crate::oss::{OssClient, PAGE_KEYS_MAX};

static PROFILE: SourceProfile = SourceProfile {
    kind: "oss",
    order: ListingOrder::Bytes,
    etag_is_md5: true,
    page_keys_max: PAGE_KEYS_MAX,
    etag_is_comparable: true,
};

/// A bucket that objects are read from.
#[derive(Clone)]
pub struct OssSource {
    client: OssClient,
}

impl OssSource {
    /// The bucket of this client.
    pub fn new(client: OssClient) -> Self {
        Self { client }
    }

    /// For what the port does not have: preflight.
    pub fn client(&self) -> &OssClient {
        &self.client
    }
}

#[async_trait::async_trait]
impl Source for OssSource {
    fn profile(&self) -> &SourceProfile {
        &PROFILE
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Source> {
        Arc::new(Self { client: self.client.metered(meter) })
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        self.client.now().await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        self.client.list(request).await
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo, PortError> {
        self.client.head_object(key).await
    }

    async fn open(
        &self,
        key: &Key,
        pin: &Pin,
        range: Option<ByteRange>,
    ) -> Result<OpenObject, PortError> {
        self.client.get_object(key, pin, range).await
    }

    async fn restore(
        &self,
        key: &Key,
        wanted: &RestoreSpec,
        storage_class: Option<&str>,
    ) -> Result<Restoration, PortError> {
        self.client.restore_object(key, wanted, storage_class).await
    }

    async fn tags(&self, key: &Key) -> Result<Vec<Tag>, PortError> {
        self.client.object_tags(key).await
    }

    async fn acl(&self, key: &Key) -> Result<SourceAcl, PortError> {
        self.client.object_acl(key).await
    }
}
