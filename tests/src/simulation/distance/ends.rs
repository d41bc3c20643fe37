//! Source and target at a distance.

use std::sync::Arc;

use async_trait::async_trait;
use futures::{StreamExt, stream};
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
use tokio::time::sleep;

use super::Distance;
use crate::fixtures;

/// What happens elsewhere just before an object is opened.
pub(in crate::simulation) type OnOpen = Arc<dyn Fn(&Key) + Send + Sync>;

/// A source at a distance.
#[derive(Clone)]
pub(in crate::simulation) struct DistantSource {
    pub(in crate::simulation) inner: Arc<dyn Source>,
    pub(in crate::simulation) distance: Distance,
    pub(in crate::simulation) on_open: OnOpen,
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "no method of the port may escape")]
impl Source for DistantSource {
    fn profile(&self) -> &SourceProfile {
        self.inner.profile()
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Source> {
        Arc::new(Self { inner: self.inner.metered(meter), ..self.clone() })
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        self.distance.ask(self.inner.now()).await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        self.distance.note("list source", format_args!("{:?}", request.start));
        self.distance.ask(self.inner.list(request)).await
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo, PortError> {
        self.distance.note("head source", key);
        self.distance.ask(self.inner.head(key)).await
    }

    async fn open(
        &self,
        key: &Key,
        pin: &Pin,
        range: Option<ByteRange>,
    ) -> Result<OpenObject, PortError> {
        self.distance.note("open", key);
        let open = async {
            (self.on_open)(key);
            self.inner.open(key, pin, range).await
        };
        let OpenObject { info, body } = self.distance.ask(open).await?;
        let chance = self.distance.chance.clone();
        let body = body.chain(stream::empty()).then(move |frame| {
            let delay = chance.delay();
            async move {
                sleep(delay).await;
                frame
            }
        });
        Ok(OpenObject { info, body: body.boxed() })
    }

    async fn restore(
        &self,
        key: &Key,
        wanted: &RestoreSpec,
        storage_class: Option<&str>,
    ) -> Result<Restoration, PortError> {
        self.distance.note("restore", key);
        self.distance.ask(self.inner.restore(key, wanted, storage_class)).await
    }

    async fn tags(&self, key: &Key) -> Result<Vec<Tag>, PortError> {
        self.distance.note("tags", key);
        self.distance.ask(self.inner.tags(key)).await
    }

    async fn acl(&self, key: &Key) -> Result<SourceAcl, PortError> {
        self.distance.note("acl", key);
        self.distance.ask(self.inner.acl(key)).await
    }
}

/// A target at a distance.
#[derive(Clone)]
pub(in crate::simulation) struct DistantTarget {
    pub(in crate::simulation) inner: Arc<dyn Target>,
    pub(in crate::simulation) distance: Distance,
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "no method of the port may escape")]
impl Target for DistantTarget {
    fn profile(&self) -> &TargetProfile {
        self.inner.profile()
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Target> {
        Arc::new(Self { inner: self.inner.metered(meter), distance: self.distance.clone() })
    }

    fn until(&self, limit: TimeLimit) -> Arc<dyn Target> {
        Arc::new(Self { inner: self.inner.until(limit), distance: self.distance.clone() })
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        self.distance.ask(self.inner.now()).await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        self.distance.note("list target", format_args!("{:?}", request.start));
        self.distance.ask(self.inner.list(request)).await
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, PortError> {
        self.distance.note("head target", key);
        self.distance.ask(self.inner.head(key)).await
    }

    async fn put(
        &self,
        key: &Key,
        options: &PutOptions,
        bytes: u64,
        body: ObjectBody,
    ) -> Result<PutAnswer, PortError> {
        let whole = self.distance.read(body).await?;
        let (inner, key, options) = (Arc::clone(&self.inner), key.clone(), options.clone());
        let put = {
            let key = key.clone();
            async move { inner.put(&key, &options, bytes, fixtures::body(&whole)).await }
        };
        self.distance.send("put", key.to_string(), put).await
    }

    async fn initiate_upload(&self, key: &Key, options: &PutOptions) -> Result<String, PortError> {
        let subject = key.to_string();
        let (inner, key, options) = (Arc::clone(&self.inner), key.clone(), options.clone());
        let initiate = async move { inner.initiate_upload(&key, &options).await };
        self.distance.send("initiate", subject, initiate).await
    }

    async fn upload_part(
        &self,
        key: &Key,
        upload_id: &str,
        part_number: u32,
        bytes: u64,
        body: ObjectBody,
    ) -> Result<PutAnswer, PortError> {
        let whole = self.distance.read(body).await?;
        let subject = format!("{key} {upload_id} {part_number}");
        let (inner, key, id) = (Arc::clone(&self.inner), key.clone(), upload_id.to_owned());
        let put = async move {
            inner.upload_part(&key, &id, part_number, bytes, fixtures::body(&whole)).await
        };
        self.distance.send("part", subject, put).await
    }

    async fn list_parts(&self, key: &Key, upload_id: &str) -> Result<Vec<ListedPart>, PortError> {
        self.distance.note("list parts", key);
        self.distance.ask(self.inner.list_parts(key, upload_id)).await
    }

    async fn complete_upload(
        &self,
        key: &Key,
        upload_id: &str,
        parts: &[UploadedPart],
        options: &PutOptions,
        proof: &Verified,
    ) -> Result<PutAnswer, PortError> {
        let subject = format!("{key} {upload_id}");
        let (inner, key, id) = (Arc::clone(&self.inner), key.clone(), upload_id.to_owned());
        let (parts, options, proof) = (parts.to_vec(), options.clone(), *proof);
        let complete =
            async move { inner.complete_upload(&key, &id, &parts, &options, &proof).await };
        self.distance.send("complete", subject, complete).await
    }

    async fn abort_upload(&self, key: &Key, upload_id: &str) -> Result<(), PortError> {
        let subject = format!("{key} {upload_id}");
        let (inner, key, id) = (Arc::clone(&self.inner), key.clone(), upload_id.to_owned());
        let abort = async move { inner.abort_upload(&key, &id).await };
        self.distance.send("abort", subject, abort).await
    }

    async fn list_uploads(&self, key: &Key) -> Result<Vec<ListedUpload>, PortError> {
        self.distance.note("list uploads", key);
        self.distance.ask(self.inner.list_uploads(key)).await
    }
}
