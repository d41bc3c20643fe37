//! OSS as the target.

use std::sync::Arc;

use ossferry_core::error::{ErrorKind, PortError};
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

use crate::oss::{OssClient, PAGE_KEYS_MAX};

/// A bucket that objects are written to.
#[derive(Clone)]
pub struct OssTarget {
    client: OssClient,
    profile: TargetProfile,
}

impl OssTarget {
    /// `etag_is_md5` unless objects are encrypted with KMS, be it because the job asks for it or
    /// because that is the bucket's default ([`OssClient::bucket_info`] tells).
    pub fn new(client: OssClient, etag_is_md5: bool) -> Self {
        let profile = TargetProfile {
            etag_is_md5,
            ignores_forbid_overwrite: false,
            page_keys_max: PAGE_KEYS_MAX,
        };
        Self { client, profile }
    }

    /// The same bucket, known to be versioned: versioning is enabled or suspended.
    #[must_use]
    pub fn versioned(mut self) -> Self {
        self.profile.ignores_forbid_overwrite = true;
        self
    }

    /// For what the port does not have: preflight.
    pub fn client(&self) -> &OssClient {
        &self.client
    }
}

#[async_trait::async_trait]
impl Target for OssTarget {
    fn profile(&self) -> &TargetProfile {
        &self.profile
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Target> {
        Arc::new(Self { client: self.client.metered(meter), ..self.clone() })
    }

    fn until(&self, limit: TimeLimit) -> Arc<dyn Target> {
        Arc::new(Self { client: self.client.until(limit), ..self.clone() })
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        self.client.now().await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        self.client.list(request).await
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, PortError> {
        match self.client.head_object(key).await {
            Ok(info) => Ok(Some(info)),
            Err(error) if error.kind == ErrorKind::NoSuchKey => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn put(
        &self,
        key: &Key,
        options: &PutOptions,
        bytes: u64,
        body: ObjectBody,
    ) -> Result<PutAnswer, PortError> {
        holds(key)?;
        self.client.put_object(key, options, bytes, body).await
    }

    async fn initiate_upload(&self, key: &Key, options: &PutOptions) -> Result<String, PortError> {
        holds(key)?;
        self.client.initiate_multipart_upload(key, options).await
    }

    async fn upload_part(
        &self,
        key: &Key,
        upload_id: &str,
        part_number: u32,
        bytes: u64,
        body: ObjectBody,
    ) -> Result<PutAnswer, PortError> {
        self.client.upload_part(key, upload_id, part_number, bytes, body).await
    }

    async fn list_parts(&self, key: &Key, upload_id: &str) -> Result<Vec<ListedPart>, PortError> {
        self.client.list_parts(key, upload_id).await
    }

    async fn complete_upload(
        &self,
        key: &Key,
        upload_id: &str,
        parts: &[UploadedPart],
        options: &PutOptions,
        _proof: &Verified,
    ) -> Result<PutAnswer, PortError> {
        self.client.complete_multipart_upload(key, upload_id, parts, options).await
    }

    async fn abort_upload(&self, key: &Key, upload_id: &str) -> Result<(), PortError> {
        self.client.abort_multipart_upload(key, upload_id).await
    }

    async fn list_uploads(&self, key: &Key) -> Result<Vec<ListedUpload>, PortError> {
        self.client.list_multipart_uploads(key).await
    }
}

/// Refuses here what OSS would refuse, or fold into another key.
fn holds(key: &Key) -> Result<(), PortError> {
    key.oss_objection()
        .map_or(Ok(()), |objection| Err(PortError::new(ErrorKind::Unsupported, objection)))
}
