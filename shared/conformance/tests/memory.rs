//! The suites of source and target against a bucket in memory: what they ask for can be done.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{TryStreamExt, stream};
use md5::{Digest, Md5};
use ossferry_conformance::source::SourceFixture;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::{ByteRange, Digests, ETag, Entry, ObjectHeaders, ObjectInfo, Pin};
use ossferry_core::ports::{
    ListRequest, ListStart, ListedPart, ListedUpload, ListingOrder, ObjectBody, OpenObject, Page,
    PutAnswer, PutOptions, Source, SourceProfile, Target, TargetProfile, UploadedPart,
};
use ossferry_core::proof::Verified;
use ossferry_core::time::Timestamp;

ossferry_conformance::conformance!(source, source, ((), Box::new(Bucket::default())));
ossferry_conformance::conformance!(target, target, ((), Box::new(Bucket::default())));

#[derive(Clone)]
struct Object {
    bytes: Bytes,
    info: ObjectInfo,
}

struct Upload {
    key: Key,
    headers: ObjectHeaders,
    initiated: Timestamp,
    parts: BTreeMap<u32, (Bytes, PutAnswer)>,
}

#[derive(Default)]
struct Held {
    objects: BTreeMap<Key, Object>,
    uploads: BTreeMap<String, Upload>,
    uploads_begun: u32,
}

#[derive(Clone)]
struct Bucket {
    held: Arc<Mutex<Held>>,
    meter: Arc<Meter>,
    source: SourceProfile,
    target: TargetProfile,
}

impl Default for Bucket {
    fn default() -> Self {
        Self {
            held: Arc::default(),
            meter: Arc::default(),
            source: SourceProfile {
                kind: "memory",
                order: ListingOrder::Bytes,
                etag_is_md5: true,
                page_keys_max: 1_000,
                etag_is_comparable: true,
            },
            target: TargetProfile {
                etag_is_md5: true,
                ignores_forbid_overwrite: false,
                page_keys_max: 1_000,
            },
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_millis()).unwrap())
}

fn refused<T>(kind: ErrorKind) -> Result<T, PortError> {
    Err(PortError::new(kind, "refused"))
}

async fn collect(bytes: u64, body: ObjectBody) -> Result<Bytes, PortError> {
    let frames: Vec<Bytes> = body.try_collect().await?;
    let whole = frames.concat();
    if whole.len() as u64 == bytes { Ok(whole.into()) } else { refused(ErrorKind::Connection) }
}

fn answer(bytes: &Bytes) -> PutAnswer {
    PutAnswer {
        etag: ETag::new(&format!("{:032X}", u128::from_be_bytes(Md5::digest(bytes).into()))),
        crc64_ecma: Some(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Xz, bytes)),
        at: Some(now()),
    }
}

impl Bucket {
    fn publish(&self, key: &Key, bytes: Bytes, etag: ETag, headers: &ObjectHeaders) -> PutAnswer {
        let answer = PutAnswer { etag, ..answer(&bytes) };
        let info = ObjectInfo {
            size: bytes.len() as u64,
            etag: Some(answer.etag.clone()),
            last_modified: answer.at,
            content_modified: None,
            digests: Digests {
                crc64_ecma: answer.crc64_ecma,
                md5: answer.etag.as_md5(),
                crc64_nvme: None,
            },
            headers: headers.clone(),
            storage_class: None,
        };
        self.held.lock().unwrap().objects.insert(key.clone(), Object { bytes, info });
        answer
    }

    fn get(&self, key: &Key) -> Option<Object> {
        self.held.lock().unwrap().objects.get(key).cloned()
    }

    fn page(&self, request: &ListRequest) -> Page {
        let after = match &request.start {
            ListStart::Beginning => None,
            ListStart::After(key) => Some(key.clone()),
            ListStart::Token(token) => Some(Key::from_text(token)),
        };
        let held = self.held.lock().unwrap();
        let wanted =
            |key: &Key| key.starts_with(request.prefix.as_bytes()) && Some(key) > after.as_ref();
        let mut found = held.objects.iter().filter(|(key, _)| wanted(key));
        let entries: Vec<_> = found
            .by_ref()
            .take(request.keys_max as usize)
            .map(|(key, object)| Entry {
                key: key.clone(),
                size: object.info.size,
                etag: object.info.etag.clone(),
                last_modified: object.info.last_modified,
                storage_class: None,
                archived: false,
            })
            .collect();
        let last = found.next().and_then(|_| entries.last());
        let next = last.map(|entry| entry.key.to_text().into_owned());
        Page { entries, next }
    }

    fn upload<T>(
        &self,
        key: &Key,
        upload_id: &str,
        look: impl FnOnce(&mut Upload) -> T,
    ) -> Result<T, PortError> {
        match self.held.lock().unwrap().uploads.get_mut(upload_id) {
            Some(upload) if upload.key == *key => Ok(look(upload)),
            _ => refused(ErrorKind::NoSuchUpload),
        }
    }
}

#[async_trait]
impl SourceFixture for Bucket {
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
        self.publish(key, bytes.clone(), answer(&bytes).etag, headers);
    }

    async fn delete(&self, key: &Key) {
        self.held.lock().unwrap().objects.remove(key);
    }
}

#[async_trait]
impl Source for Bucket {
    fn profile(&self) -> &SourceProfile {
        &self.source
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Source> {
        Arc::new(Self { meter, ..self.clone() })
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        Ok(now())
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        self.meter.count("list");
        Ok(self.page(request))
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
        let start = usize::try_from(start).unwrap();
        let bytes = bytes.slice(start..start + usize::try_from(length).unwrap());
        Ok(OpenObject { info, body: Box::pin(stream::iter([Ok(bytes)])) })
    }
}

#[async_trait]
impl Target for Bucket {
    fn profile(&self) -> &TargetProfile {
        &self.target
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Target> {
        Arc::new(Self { meter, ..self.clone() })
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        Ok(now())
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        self.meter.count("list");
        Ok(self.page(request))
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
        if options.content_md5.is_some_and(|md5| md5 != *Md5::digest(&bytes)) {
            return refused(ErrorKind::DigestMismatch);
        }
        let etag = answer(&bytes).etag;
        Ok(self.publish(key, bytes, etag, &options.headers))
    }

    async fn initiate_upload(&self, key: &Key, options: &PutOptions) -> Result<String, PortError> {
        let mut held = self.held.lock().unwrap();
        held.uploads_begun += 1;
        let upload_id = format!("upload-{}", held.uploads_begun);
        let upload = Upload {
            key: key.clone(),
            headers: options.headers.clone(),
            initiated: now(),
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
        let answer = answer(&bytes);
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
        let (bytes, headers) = self.upload(key, upload_id, |upload| {
            let frames: Vec<_> =
                parts.iter().map(|part| upload.parts[&part.part_number].0.clone()).collect();
            (Bytes::from(frames.concat()), upload.headers.clone())
        })?;
        if options.forbid_overwrite && self.get(key).is_some() {
            return refused(ErrorKind::AlreadyExists);
        }
        let etag = ETag::new(&format!("{}-{}", answer(&bytes).etag, parts.len()));
        self.held.lock().unwrap().uploads.remove(upload_id);
        Ok(self.publish(key, bytes, etag, &headers))
    }

    async fn abort_upload(&self, _key: &Key, upload_id: &str) -> Result<(), PortError> {
        self.held.lock().unwrap().uploads.remove(upload_id);
        Ok(())
    }

    async fn list_uploads(&self, key: &Key) -> Result<Vec<ListedUpload>, PortError> {
        let held = self.held.lock().unwrap();
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
