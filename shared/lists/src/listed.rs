//! A bucket, and what is read in place of its listing.

use std::sync::Arc;

use async_trait::async_trait;
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

/// What stands in for the listing of a bucket.
#[async_trait]
pub(crate) trait Listing: Send + Sync {
    /// Up to when it holds every change of the bucket, whose clock shows `now`.
    fn holds_until(&self, now: Timestamp) -> Timestamp;

    /// One page, as [`Source::list`] gives it.
    async fn list(&self, bucket: &dyn Source, request: &ListRequest) -> Result<Page, PortError>;
}

/// A bucket that is listed by something else, one page after another. Its objects are asked of the bucket
/// itself.
#[derive(Clone)]
pub struct ListedBucket {
    bucket: Arc<dyn Source>,
    listing: Arc<dyn Listing>,
    profile: Arc<SourceProfile>,
}

impl ListedBucket {
    pub(crate) fn new(bucket: Arc<dyn Source>, listing: impl Listing + 'static, page: u32) -> Self {
        let profile = SourceProfile {
            order: ListingOrder::Serial,
            page_keys_max: page,
            ..bucket.profile().clone()
        };
        Self { bucket, listing: Arc::new(listing), profile: Arc::new(profile) }
    }
}

#[async_trait]
impl Source for ListedBucket {
    fn profile(&self) -> &SourceProfile {
        &self.profile
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Source> {
        Arc::new(Self { bucket: self.bucket.metered(meter), ..self.clone() })
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        Ok(self.listing.holds_until(self.bucket.now().await?))
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        self.listing.list(&*self.bucket, request).await
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo, PortError> {
        self.bucket.head(key).await
    }

    async fn open(
        &self,
        key: &Key,
        pin: &Pin,
        range: Option<ByteRange>,
    ) -> Result<OpenObject, PortError> {
        self.bucket.open(key, pin, range).await
    }

    async fn restore(
        &self,
        key: &Key,
        wanted: &RestoreSpec,
        storage_class: Option<&str>,
    ) -> Result<Restoration, PortError> {
        self.bucket.restore(key, wanted, storage_class).await
    }

    async fn tags(&self, key: &Key) -> Result<Vec<Tag>, PortError> {
        self.bucket.tags(key).await
    }

    async fn acl(&self, key: &Key) -> Result<SourceAcl, PortError> {
        self.bucket.acl(key).await
    }
}
