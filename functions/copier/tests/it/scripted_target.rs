//! A target that behaves as OSS does, and fails where a test says.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use md5::{Digest, Md5};
use ossferry_core::crc::crc64_ecma;
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::fidelity::Properties;
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::{Digests, ETag, ObjectInfo};
use ossferry_core::ports::{
    ListRequest, ListedPart, ListedUpload, ObjectBody, Page, PutAnswer, PutOptions, Target,
    TargetProfile, UploadedPart,
};
use ossferry_core::proof::Verified;
use ossferry_core::time::{Clock, Timestamp};
use ossferry_core::timely::TimeLimit;

use crate::scripted_source::refused;

/// What becomes of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goes {
    /// Refused, without an effect.
    Fails(ErrorKind),
    /// Works; the answer is lost.
    Lost,
    /// Neither works nor answers: nothing tells whether it did.
    Vanishes,
    /// Works after this time.
    Slowly(Duration),
    /// Is not answered, and works only after the next look at the target.
    WorksLater,
    /// Stores other bytes than it was sent, and says so by their CRC.
    Wrong,
}

#[derive(Clone, Debug)]
pub(crate) struct TargetObject {
    pub(crate) bytes: Bytes,
    pub(crate) info: ObjectInfo,
    pub(crate) options: PutOptions,
}

#[derive(Default)]
struct Upload {
    key: Key,
    options: PutOptions,
    parts: BTreeMap<u32, Bytes>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<Key, TargetObject>,
    uploads: BTreeMap<String, Upload>,
    initiated: usize,
    completed: usize,
    /// Requests to complete that work after the next look, with what they would then store.
    on_their_way: Vec<(Key, String, Vec<UploadedPart>, PutOptions)>,
    next: HashMap<&'static str, VecDeque<Goes>>,
    always: HashMap<&'static str, Goes>,
}

/// Objects and uploads in memory, and a script by operation.
#[derive(Clone)]
pub(crate) struct ScriptedTarget {
    state: Arc<Mutex<State>>,
    profile: Arc<TargetProfile>,
    clock: Clock,
    meter: Arc<Meter>,
}

pub(crate) fn md5(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap().to_ascii_uppercase();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

async fn collect(mut body: ObjectBody, bytes: u64) -> Result<Bytes, PortError> {
    let mut all = Vec::new();
    while let Some(frame) = body.next().await {
        // As a connection reports it that was given up: without the cause.
        let gone = |_| PortError::new(ErrorKind::Connection, "put: the body ended early");
        all.extend_from_slice(&frame.map_err(gone)?);
    }
    assert_eq!(all.len() as u64, bytes, "as many bytes as announced");
    Ok(all.into())
}

impl ScriptedTarget {
    pub(crate) fn new(clock: Clock) -> Self {
        let profile = Arc::new(TargetProfile {
            etag_is_md5: true,
            ignores_forbid_overwrite: false,
            page_keys_max: 1_000,
        });
        Self { state: Arc::default(), profile, clock, meter: Arc::default() }
    }

    /// Makes the bucket a versioned one, which overwrites whatever the request says.
    pub(crate) fn make_versioned(&mut self) {
        Arc::make_mut(&mut self.profile).ignores_forbid_overwrite = true;
    }

    fn refuses(&self, options: &PutOptions, key: &Key) -> bool {
        options.forbid_overwrite && !self.profile.ignores_forbid_overwrite && self.exists(key)
    }

    /// What becomes of the next requests of this operation.
    pub(crate) fn script(&self, operation: &'static str, fates: impl IntoIterator<Item = Goes>) {
        self.state.lock().unwrap().next.entry(operation).or_default().extend(fates);
    }

    /// What becomes of every request of this operation.
    pub(crate) fn always(&self, operation: &'static str, fate: Goes) {
        self.state.lock().unwrap().always.insert(operation, fate);
    }

    /// What the application writes.
    pub(crate) fn write(&self, key: &str, bytes: impl Into<Bytes>) -> ETag {
        let bytes = bytes.into();
        let etag = ETag::new(&hex(&md5(&bytes)));
        self.store(Key::from(key), bytes, etag.clone(), PutOptions::default());
        etag
    }

    pub(crate) fn object(&self, key: &str) -> Option<TargetObject> {
        self.state.lock().unwrap().objects.get(&Key::from(key)).cloned()
    }

    /// Uploads that are open.
    pub(crate) fn open_uploads(&self) -> usize {
        self.state.lock().unwrap().uploads.len()
    }

    /// Uploads that were completed.
    pub(crate) fn completed(&self) -> usize {
        self.state.lock().unwrap().completed
    }

    /// Loses every upload.
    pub(crate) fn lose_uploads(&self) {
        self.state.lock().unwrap().uploads.clear();
    }

    /// Changes what it says of an object.
    pub(crate) fn mend(&self, key: &str, change: impl FnOnce(&mut ObjectInfo)) {
        let mut state = self.state.lock().unwrap();
        change(&mut state.objects.get_mut(&Key::from(key)).expect("it is there").info);
    }

    /// Loses a part of every upload.
    pub(crate) fn lose_part(&self, part_number: u32) {
        for upload in self.state.lock().unwrap().uploads.values_mut() {
            upload.parts.remove(&part_number);
        }
    }

    fn fate(&self, operation: &'static str) -> Option<Goes> {
        self.meter.count(operation);
        let mut state = self.state.lock().unwrap();
        let next = state.next.get_mut(operation).and_then(VecDeque::pop_front);
        next.or_else(|| state.always.get(operation).copied())
    }

    fn store(&self, key: Key, bytes: Bytes, etag: ETag, options: PutOptions) -> PutAnswer {
        let crc64_ecma = Some(crc64_ecma(&bytes));
        let at = Some((self.clock)());
        let info = ObjectInfo {
            size: bytes.len() as u64,
            etag: Some(etag.clone()),
            last_modified: at,
            content_modified: None,
            digests: Digests { crc64_ecma, ..Digests::default() },
            headers: options.headers.clone(),
            storage_class: None,
            mirrored: false,
            beyond: Properties::default(),
        };
        let object = TargetObject { bytes, info, options };
        self.state.lock().unwrap().objects.insert(key, object);
        PutAnswer { etag, crc64_ecma, at }
    }

    fn put_together(
        &self,
        key: &Key,
        upload_id: &str,
        parts: &[UploadedPart],
        options: &PutOptions,
    ) -> Result<PutAnswer, PortError> {
        if self.refuses(options, key) {
            return Err(refused(ErrorKind::AlreadyExists));
        }
        let mut whole = Vec::new();
        let upload = {
            let mut state = self.state.lock().unwrap();
            let gone = || refused(ErrorKind::NoSuchUpload);
            let upload = state.uploads.get(upload_id).ok_or_else(gone)?;
            assert_eq!(upload.key, *key, "the upload is of this key");
            for part in parts {
                let bytes = upload.parts.get(&part.part_number);
                let bytes = bytes.ok_or_else(|| refused(ErrorKind::InvalidPart))?;
                assert_eq!(ETag::new(&hex(&md5(bytes))), part.etag);
                whole.extend_from_slice(bytes);
            }
            state.completed += 1;
            state.uploads.remove(upload_id).expect("found above")
        };
        let etag = ETag::new(&format!("{}-{}", hex(&md5(&whole)), parts.len()));
        Ok(self.store(key.clone(), whole.into(), etag, upload.options))
    }

    fn exists(&self, key: &Key) -> bool {
        self.state.lock().unwrap().objects.contains_key(key)
    }
}

fn lost() -> PortError {
    PortError::new(ErrorKind::Timeout, "scripted: no answer").concluding(Conclusion::Unknown)
}

fn spoiled(bytes: &Bytes) -> Bytes {
    bytes.iter().map(|byte| byte ^ 1).collect::<Vec<u8>>().into()
}

#[async_trait]
impl Target for ScriptedTarget {
    fn profile(&self) -> &TargetProfile {
        &self.profile
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Target> {
        Arc::new(Self { meter, ..self.clone() })
    }

    fn until(&self, _limit: TimeLimit) -> Arc<dyn Target> {
        // Nothing waits here.
        Arc::new(self.clone())
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        self.meter.count("GetTime");
        Ok((self.clock)())
    }

    async fn list(&self, _request: &ListRequest) -> Result<Page, PortError> {
        unreachable!("a copier lists nothing")
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, PortError> {
        self.meter.count("HeadObject");
        let found = self.state.lock().unwrap().objects.get(key).map(|object| object.info.clone());
        let on_their_way = std::mem::take(&mut self.state.lock().unwrap().on_their_way);
        for (key, upload_id, parts, options) in on_their_way {
            // Nobody hears what becomes of it.
            self.put_together(&key, &upload_id, &parts, &options).ok();
        }
        Ok(found)
    }

    async fn put(
        &self,
        key: &Key,
        options: &PutOptions,
        bytes: u64,
        body: ObjectBody,
    ) -> Result<PutAnswer, PortError> {
        let fate = self.fate("PutObject");
        if let Some(Goes::Fails(kind)) = fate {
            return Err(refused(kind));
        }
        if self.refuses(options, key) {
            return Err(refused(ErrorKind::AlreadyExists));
        }
        let mut bytes = collect(body, bytes).await?;
        if options.content_md5.is_some_and(|md5| md5 != self::md5(&bytes)) {
            return Err(refused(ErrorKind::DigestMismatch));
        }
        match fate {
            Some(Goes::Vanishes) => return Err(lost()),
            Some(Goes::Wrong) => bytes = spoiled(&bytes),
            _ => {}
        }
        let etag = ETag::new(&hex(&md5(&bytes)));
        let answer = self.store(key.clone(), bytes, etag, options.clone());
        if let Some(Goes::Lost) = fate { Err(lost()) } else { Ok(answer) }
    }

    async fn initiate_upload(&self, key: &Key, options: &PutOptions) -> Result<String, PortError> {
        self.meter.count("InitiateMultipartUpload");
        let mut state = self.state.lock().unwrap();
        state.initiated += 1;
        let upload_id = format!("u{}", state.initiated);
        let upload = Upload { key: key.clone(), options: options.clone(), parts: BTreeMap::new() };
        state.uploads.insert(upload_id.clone(), upload);
        Ok(upload_id)
    }

    async fn upload_part(
        &self,
        _key: &Key,
        upload_id: &str,
        part_number: u32,
        bytes: u64,
        body: ObjectBody,
    ) -> Result<PutAnswer, PortError> {
        let fate = self.fate("UploadPart");
        if let Some(Goes::Fails(kind)) = fate {
            return Err(refused(kind));
        }
        let mut bytes = collect(body, bytes).await?;
        if let Some(Goes::Wrong) = fate {
            bytes = spoiled(&bytes);
        }
        let answer = PutAnswer {
            etag: ETag::new(&hex(&md5(&bytes))),
            crc64_ecma: Some(crc64_ecma(&bytes)),
            at: None,
        };
        let mut state = self.state.lock().unwrap();
        let gone = || refused(ErrorKind::NoSuchUpload);
        state.uploads.get_mut(upload_id).ok_or_else(gone)?.parts.insert(part_number, bytes);
        if let Some(Goes::Lost) = fate { Err(lost()) } else { Ok(answer) }
    }

    async fn list_parts(&self, _key: &Key, upload_id: &str) -> Result<Vec<ListedPart>, PortError> {
        self.meter.count("ListParts");
        let state = self.state.lock().unwrap();
        let gone = || refused(ErrorKind::NoSuchUpload);
        let upload = state.uploads.get(upload_id).ok_or_else(gone)?;
        let parts = upload.parts.iter().map(|(part_number, bytes)| ListedPart {
            part_number: *part_number,
            size: bytes.len() as u64,
            etag: ETag::new(&hex(&md5(bytes))),
            crc64_ecma: Some(crc64_ecma(bytes)),
        });
        Ok(parts.collect())
    }

    async fn complete_upload(
        &self,
        key: &Key,
        upload_id: &str,
        parts: &[UploadedPart],
        options: &PutOptions,
        _proof: &Verified,
    ) -> Result<PutAnswer, PortError> {
        let fate = self.fate("CompleteMultipartUpload");
        match fate {
            Some(Goes::Fails(kind)) => return Err(refused(kind)),
            Some(Goes::Vanishes) => return Err(lost()),
            Some(Goes::WorksLater) => {
                let request = (key.clone(), upload_id.to_owned(), parts.to_vec(), options.clone());
                self.state.lock().unwrap().on_their_way.push(request);
                return Err(lost());
            }
            _ => {}
        }
        let answer = self.put_together(key, upload_id, parts, options)?;
        if let Some(Goes::Lost) = fate { Err(lost()) } else { Ok(answer) }
    }

    async fn abort_upload(&self, _key: &Key, upload_id: &str) -> Result<(), PortError> {
        if let Some(Goes::Slowly(time)) = self.fate("AbortMultipartUpload") {
            tokio::time::sleep(time).await;
        }
        self.state.lock().unwrap().uploads.remove(upload_id);
        Ok(())
    }

    async fn list_uploads(&self, _key: &Key) -> Result<Vec<ListedUpload>, PortError> {
        unreachable!("only the opener lists uploads")
    }
}
