//! The bucket as source and as target.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::{ByteRange, ETag, ObjectHeaders, ObjectInfo, Pin};
use ossferry_core::ports::{
    ListRequest, ListedPart, ListedUpload, ObjectBody, OpenObject, Page, PutAnswer, PutOptions,
    Source, SourceProfile, Target, TargetProfile, UploadedPart,
};
use ossferry_core::proof::Verified;
use ossferry_core::time::Timestamp;
use ossferry_core::timely::TimeLimit;

use super::bucket::{MemoryBucket, Object, Upload, collect, refused};
use crate::objects::md5;
use crate::source::SourceFixture;

#[async_trait]
impl SourceFixture for MemoryBucket {
    fn source(&self) -> Arc<dyn Source> {
        Arc::new(self.clone())
    }

    fn can_hold(&self, _key: &Key) -> bool {
        true
    }

    fn carried(&self, _key: &Key, headers: &ObjectHeaders) -> ObjectHeaders {
        headers.clone()
    }

    async fn put(&self, key: &Key, bytes: Bytes, headers: &ObjectHeaders) {
        self.write(key, bytes, headers);
    }

    async fn delete(&self, key: &Key) {
        Self::delete(self, key);
    }
}

#[async_trait]
impl Source for MemoryBucket {
    fn profile(&self) -> &SourceProfile {
        &self.source
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Source> {
        Arc::new(self.counting_on(meter))
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        Ok((self.clock)())
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        self.meter.count("list");
        Ok(self.page(request, self.source.page_keys_max))
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo, PortError> {
        self.meter.count("head");
        self.get(key).map_or_else(|| refused(ErrorKind::NoSuchKey), |object| Ok(object.info))
    }

    async fn open(
        &self,
        key: &Key,
        pin: &Pin,
        range: Option<ByteRange>,
    ) -> Result<OpenObject, PortError> {
        self.meter.count("open");
        let Some(Object { bytes, info }) = self.get(key) else {
            return refused(ErrorKind::NoSuchKey);
        };
        if info.etag.as_ref() != Some(&pin.etag) {
            return refused(ErrorKind::PreconditionFailed);
        }
        let (start, length) = range.map_or((0, info.size), |range| (range.start, range.bytes));
        if start + length > info.size {
            return refused(ErrorKind::BadAnswer);
        }
        let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
        let bytes = bytes.slice(at(start)..at(start + length));
        Ok(OpenObject { info, body: Box::pin(stream::iter([Ok(bytes)])) })
    }
}

#[async_trait]
impl Target for MemoryBucket {
    fn profile(&self) -> &TargetProfile {
        &self.target
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Target> {
        Arc::new(self.counting_on(meter))
    }

    fn until(&self, _limit: TimeLimit) -> Arc<dyn Target> {
        // Nothing waits here.
        Arc::new(self.clone())
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        Ok((self.clock)())
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        self.meter.count("list");
        Ok(self.page(request, self.target.page_keys_max))
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, PortError> {
        self.meter.count("head");
        Ok(self.get(key).map(|object| object.info))
    }

    async fn put(
        &self,
        key: &Key,
        options: &PutOptions,
        bytes: u64,
        body: ObjectBody,
    ) -> Result<PutAnswer, PortError> {
        self.meter.count("put");
        let bytes = collect(bytes, body).await?;
        if options.forbid_overwrite && self.get(key).is_some() {
            return refused(ErrorKind::AlreadyExists);
        }
        if options.content_md5.is_some_and(|sent| sent != md5(&bytes)) {
            return refused(ErrorKind::DigestMismatch);
        }
        let etag = self.answer(&bytes).etag;
        Ok(self.publish(key, bytes, etag, &options.headers))
    }

    async fn initiate_upload(&self, key: &Key, options: &PutOptions) -> Result<String, PortError> {
        let initiated = (self.clock)();
        let mut held = self.held();
        held.uploads_begun += 1;
        let upload_id = format!("upload-{}", held.uploads_begun);
        let upload = Upload {
            key: key.clone(),
            headers: options.headers.clone(),
            initiated,
            parts: BTreeMap::new(),
        };
        held.uploads.insert(upload_id.clone(), upload);
        Ok(upload_id)
    }

    async fn upload_part(
        &self,
        key: &Key,
        upload_id: &str,
        part_number: u32,
        bytes: u64,
        body: ObjectBody,
    ) -> Result<PutAnswer, PortError> {
        let bytes = collect(bytes, body).await?;
        let answer = self.answer(&bytes);
        self.upload(key, upload_id, |upload| {
            upload.parts.insert(part_number, (bytes, answer.clone()));
            answer
        })
    }

    async fn list_parts(&self, key: &Key, upload_id: &str) -> Result<Vec<ListedPart>, PortError> {
        self.upload(key, upload_id, |upload| {
            let listed = |(number, (bytes, answer)): (&u32, &(Bytes, PutAnswer))| ListedPart {
                part_number: *number,
                size: bytes.len() as u64,
                etag: answer.etag.clone(),
                crc64_ecma: answer.crc64_ecma,
            };
            upload.parts.iter().map(listed).collect()
        })
    }

    async fn complete_upload(
        &self,
        key: &Key,
        upload_id: &str,
        parts: &[UploadedPart],
        options: &PutOptions,
        _proof: &Verified,
    ) -> Result<PutAnswer, PortError> {
        let (frames, headers) = self.upload(key, upload_id, |upload| {
            let held = parts.iter().map(|part| match upload.parts.get(&part.part_number) {
                Some((bytes, answer)) if answer.etag == part.etag => Ok(bytes.clone()),
                _ => refused(ErrorKind::InvalidPart),
            });
            (held.collect::<Result<Vec<Bytes>, PortError>>(), upload.headers.clone())
        })?;
        let bytes = Bytes::from(frames?.concat());
        if options.forbid_overwrite && self.get(key).is_some() {
            return refused(ErrorKind::AlreadyExists);
        }
        let etag = ETag::new(&format!("{}-{}", self.answer(&bytes).etag, parts.len()));
        self.held().uploads.remove(upload_id);
        Ok(self.publish(key, bytes, etag, &headers))
    }

    async fn abort_upload(&self, key: &Key, upload_id: &str) -> Result<(), PortError> {
        let mut held = self.held();
        if held.uploads.get(upload_id).is_some_and(|upload| upload.key == *key) {
            held.uploads.remove(upload_id);
        }
        Ok(())
    }

    async fn list_uploads(&self, key: &Key) -> Result<Vec<ListedUpload>, PortError> {
        let held = self.held();
        let of_key = held.uploads.iter().filter(|(_, upload)| upload.key == *key);
        Ok(of_key
            .map(|(upload_id, upload)| ListedUpload {
                key: key.clone(),
                upload_id: upload_id.clone(),
                initiated: upload.initiated,
            })
            .collect())
    }
}
