//! The emulator itself: its buckets, and the way from a request to an answer.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use futures::FutureExt;
use http::header::{CONNECTION, EXPECT};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use ossferry_aliyun::oss::sign::SigningKeys;
use ossferry_core::time::{Clock, Timestamp};

use crate::answer::{Answer, Envelope, RequestIds, ResponseBody, empty};
use crate::auth::Account;
use crate::bucket::{created, is_bucket_name, list_buckets};
use crate::call::{Call, ObjectCall};
use crate::copy_source::CopySource;
use crate::errors::{
    ACCESS_DENIED, BUCKET_NOT_EMPTY, INVALID_ARGUMENT, INVALID_BUCKET_NAME, INVALID_OBJECT_NAME,
    NO_SUCH_BUCKET, Refusal,
};
use crate::mirror::Origins;
use crate::operation::{Operation as Op, operation};
use crate::request::{Target, host};
use crate::storage::Bucket;
use crate::{EmulatorError, EmulatorOptions, RequestBody, acl, tagging};

/// Bytes of a refused request's body that are read, so that its sender sees the answer.
const DRAINED_BYTES_MAX: usize = 1 << 20;

/// An OSS endpoint without a socket: give it requests, it answers.
///
/// Cloning is cheap, and all clones are one endpoint.
#[derive(Clone)]
pub struct Emulator {
    shared: Arc<Shared>,
}

struct Shared {
    root: PathBuf,
    buckets: RwLock<BTreeMap<String, Arc<Bucket>>>,
    account: Account,
    clock: Clock,
    request_ids: RequestIds,
    origins: Origins,
    /// Held for as long as the emulator lives: two on one root would write over each other.
    _root_lock: File,
}

impl Emulator {
    /// Opens the buckets under the root, and makes those named in `options`. Replays their logs, so
    /// that everything answered before is there again.
    pub fn open(options: EmulatorOptions) -> Result<Self, EmulatorError> {
        let unusable = |error| EmulatorError::Root { root: options.root.clone(), error };
        fs::create_dir_all(&options.root).map_err(unusable)?;
        let root_lock = File::create(options.root.join("lock")).map_err(unusable)?;
        root_lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => EmulatorError::RootInUse(options.root.clone()),
            TryLockError::Error(error) => unusable(error),
        })?;
        let now = (options.clock)();
        let mut names = bucket_names(&options.root).map_err(unusable)?;
        names.extend(options.buckets.iter().cloned());
        let mut buckets = BTreeMap::new();
        for name in names {
            if !is_bucket_name(&name) {
                return Err(EmulatorError::BucketName(name));
            }
            if let Entry::Vacant(entry) = buckets.entry(name) {
                let bucket = Bucket::open(&options.root, entry.key(), now).map_err(unusable)?;
                entry.insert(Arc::new(bucket));
            }
        }
        let account = Account {
            access_key: options.access_key,
            secret_key: options.secret_key,
            security_token: options.security_token,
            region: options.region,
            keys: SigningKeys::default(),
        };
        let shared = Shared {
            root: options.root,
            buckets: RwLock::new(buckets),
            account,
            request_ids: RequestIds::from(now),
            clock: options.clock,
            origins: Origins::new(),
            _root_lock: root_lock,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Answers one request. Never fails: what goes wrong is an answer too.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<ResponseBody>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let shared = &*self.shared;
        let (parts, body) = request.into_parts();
        let mut body: RequestBody = body.map_err(Into::into).boxed_unsync();
        let received = (shared.clock)();
        let envelope = Envelope { request_id: shared.request_ids.next(received), received };
        // Boxed: its type would else be spelled out in that of every service around this one.
        let answered = shared.answer(&parts, &mut body, &envelope).boxed().await;
        let answer = match answered {
            Ok(answer) => answer,
            Err(refusal) => {
                let host = host(&parts.headers);
                let mut answer = envelope.refuse(&refusal, host, parts.method == Method::HEAD);
                let uri = parts.uri.path();
                let request_id = &envelope.request_id;
                let code = refusal.code();
                tracing::debug!(method = %parts.method, uri, code, request_id, "refused");
                if parts.headers.contains_key(EXPECT) || !drained(&mut body).await {
                    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                answer
            }
        };
        envelope.seal(answer, (shared.clock)())
    }
}

impl std::fmt::Debug for Emulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emulator").field("root", &self.shared.root).finish_non_exhaustive()
    }
}

/// Reads what is left of a short body. `false`: there is more, or it broke.
async fn drained(body: &mut RequestBody) -> bool {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += match frame {
            Ok(frame) => frame.data_ref().map_or(0, Bytes::len),
            Err(_) => return false,
        };
        if bytes > DRAINED_BYTES_MAX {
            return false;
        }
    }
    true
}

fn bucket_names(root: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string()
            && Bucket::is_at(&entry.path())
        {
            names.push(name);
        }
    }
    Ok(names)
}

impl Shared {
    fn bucket(&self, name: &str) -> Option<Arc<Bucket>> {
        self.buckets.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    async fn answer(
        &self,
        parts: &Parts,
        body: &mut RequestBody,
        envelope: &Envelope,
    ) -> Result<Answer, Refusal> {
        let target = Target::of(parts, |name| self.bucket(name).is_some());
        self.account.authenticate(parts, &target, envelope.received)?;
        let operation = operation(&parts.method, &target, &parts.headers)?;
        let host = host(&parts.headers);
        let region = self.account.region.as_str();
        let Some(name) = &target.bucket else {
            let buckets = self.buckets.read().unwrap_or_else(PoisonError::into_inner);
            let buckets: Vec<_> = buckets.values().cloned().collect();
            return Ok(list_buckets(&buckets, region, host));
        };
        match operation {
            Op::PutBucket => return self.put_bucket(name, envelope.received),
            Op::DeleteBucket => return self.delete_bucket(name),
            _ => {}
        }
        let no_such_bucket = || NO_SUCH_BUCKET.with("BucketName", name.as_str());
        let bucket = self.bucket(name).ok_or_else(no_such_bucket)?;
        let call = Call {
            bucket: &bucket,
            headers: &parts.headers,
            query: &target.query,
            host,
            clock: &self.clock,
        };
        match target.key {
            None => bucket_answer(operation, &call, body, region).await,
            Some(key) => {
                if let Some(objection) = key.oss_objection() {
                    return Err(INVALID_OBJECT_NAME
                        .with("ObjectName", key.to_string())
                        .with("Reason", objection));
                }
                let call = ObjectCall { call, key };
                self.object_answer(operation, call, body, &envelope.request_id).await
            }
        }
    }

    fn put_bucket(&self, name: &str, now: Timestamp) -> Result<Answer, Refusal> {
        if !is_bucket_name(name) {
            return Err(INVALID_BUCKET_NAME.with("BucketName", name));
        }
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        if !buckets.contains_key(name) {
            buckets.insert(name.to_owned(), Arc::new(Bucket::open(&self.root, name, now)?));
        }
        Ok(created(name))
    }

    fn delete_bucket(&self, name: &str) -> Result<Answer, Refusal> {
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.get(name).ok_or(NO_SUCH_BUCKET)?;
        if !bucket.remove()? {
            return Err(BUCKET_NOT_EMPTY.with("BucketName", name));
        }
        buckets.remove(name);
        Ok(empty(StatusCode::NO_CONTENT))
    }

    async fn object_answer(
        &self,
        operation: Op,
        call: ObjectCall<'_>,
        body: &mut RequestBody,
        request_id: &str,
    ) -> Result<Answer, Refusal> {
        let source = CopySource::of(call.call.headers, |name| self.bucket(name))?;
        match (operation, source) {
            (Op::PutObject, _) => call.put(body).await,
            (Op::GetObject, _) => call.get_or_mirror(&self.origins).await,
            (Op::HeadObject, _) => call.head(),
            (Op::DeleteObject, _) => call.delete(),
            (Op::CopyObject, Some(source)) => call.copy(source).await,
            (Op::PutObjectTagging, _) => {
                let body = call.call.read_document(body).await?;
                tagging::put(call.call.bucket, &call.key, &body)
            }
            (Op::GetObjectTagging, _) => tagging::get(call.call.bucket, &call.key),
            (Op::DeleteObjectTagging, _) => tagging::delete(call.call.bucket, &call.key),
            (Op::PutObjectAcl, _) => acl::put(call.call.bucket, &call.key, call.call.headers),
            (Op::GetObjectAcl, _) => acl::get(call.call.bucket, &call.key),
            (Op::RestoreObject, _) => call.restore(body).await,
            (Op::InitiateMultipartUpload, _) => call.initiate(request_id),
            (Op::UploadPart, _) => call.put_part(body).await,
            (Op::UploadPartCopy, Some(source)) => call.copy_part(source).await,
            (Op::CompleteMultipartUpload, _) => call.complete(body).await,
            (Op::AbortMultipartUpload, _) => call.abort(),
            (Op::ListParts, _) => call.list_parts(),
            _ => Err(INVALID_ARGUMENT.because("not an operation on an object")),
        }
    }
}

async fn bucket_answer(
    operation: Op,
    call: &Call<'_>,
    body: &mut RequestBody,
    region: &str,
) -> Result<Answer, Refusal> {
    match operation {
        Op::HeadBucket => Ok(Call::head_bucket(region)),
        Op::GetBucketInfo => Ok(call.info(region)),
        Op::GetBucketLocation => Ok(Call::location(region)),
        Op::GetBucketVersioning => Ok(Call::versioning()),
        Op::GetBucketAcl => Ok(Call::acl()),
        Op::GetBucketStat => Ok(call.stat()),
        Op::PutBucketWebsite => call.put_website(body).await,
        Op::GetBucketWebsite => call.get_website(),
        Op::DeleteBucketWebsite => call.delete_website(),
        Op::ListObjects => call.list_v1(),
        Op::ListObjectsV2 => call.list_v2(),
        Op::ListMultipartUploads => call.list_uploads(),
        Op::DeleteMultipleObjects => call.delete_many(body).await,
        _ => Err(ACCESS_DENIED.because("not an operation on a bucket")),
    }
}
