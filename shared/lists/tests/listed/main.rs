//! Buckets that are listed by something else: the suite of the port over each, and what each refuses.

mod inventory;
mod keys;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use ossferry_conformance::memory::MemoryBucket;
use ossferry_conformance::source::SourceFixture;
use ossferry_core::along::{CannedAcl, SourceAcl, Tag};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::job::{ListingPlace, RestoreSpec};
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::{ByteRange, Entry, ObjectHeaders, ObjectInfo, Pin};
use ossferry_core::ports::{
    ListRequest, ListStart, OpenObject, Page, Restoration, Source, SourceProfile,
};
use ossferry_core::time::Timestamp;
use tempfile::TempDir;

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_millis()).unwrap())
}

/// Waits in a thread of its own: the fixture's sources are asked for where nothing can wait.
fn block_on<T: Send>(future: impl Future<Output = T> + Send) -> T {
    let wait = || tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future);
    std::thread::scope(|scope| scope.spawn(wait).join().unwrap())
}

fn of_machine(path: &Path) -> ListingPlace {
    ListingPlace::File(path.to_str().unwrap().to_owned())
}

fn bucket() -> MemoryBucket {
    MemoryBucket::new(Arc::new(now))
}

fn entries(bucket: &MemoryBucket) -> Vec<Entry> {
    let page = block_on(Source::list(bucket, &all())).unwrap();
    assert_eq!(page.next, None);
    page.entries
}

fn all() -> ListRequest {
    ListRequest { prefix: Key::default(), start: ListStart::Beginning, keys_max: 1_000 }
}

/// Makes what lists a bucket anew after every change of it.
struct ListedFixture {
    bucket: MemoryBucket,
    folder: TempDir,
    source: fn(&MemoryBucket, &Path) -> Arc<dyn Source>,
    page_requests: u64,
    is_undated: bool,
}

impl ListedFixture {
    /// Of what is read from a file, and dated by it.
    fn new(source: fn(&MemoryBucket, &Path) -> Arc<dyn Source>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { bucket: bucket(), folder, source, page_requests: 0, is_undated: false }
    }
}

#[async_trait]
impl SourceFixture for ListedFixture {
    fn source(&self) -> Arc<dyn Source> {
        (self.source)(&self.bucket, self.folder.path())
    }

    fn can_hold(&self, key: &Key) -> bool {
        self.bucket.can_hold(key)
    }

    fn page_requests(&self) -> u64 {
        self.page_requests
    }

    fn is_undated(&self) -> bool {
        self.is_undated
    }

    fn carried(&self, key: &Key, headers: &ObjectHeaders) -> ObjectHeaders {
        self.bucket.carried(key, headers)
    }

    async fn put(&self, key: &Key, bytes: Bytes, headers: &ObjectHeaders) {
        self.bucket.put(key, bytes, headers).await;
    }

    async fn delete(&self, key: &Key) {
        MemoryBucket::delete(&self.bucket, key);
    }
}

/// A bucket with an archive, tags and ACLs, which says nothing of some keys.
struct Archive {
    bucket: MemoryBucket,
    refused: BTreeMap<Key, ErrorKind>,
}

impl Archive {
    fn of(bucket: MemoryBucket) -> Self {
        Self { bucket, refused: BTreeMap::new() }
    }
}

#[async_trait]
impl Source for Archive {
    fn profile(&self) -> &SourceProfile {
        Source::profile(&self.bucket)
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Source> {
        Source::metered(&self.bucket, meter)
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        Source::now(&self.bucket).await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        Source::list(&self.bucket, request).await
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo, PortError> {
        match self.refused.get(key) {
            Some(kind) => Err(PortError::new(*kind, "head")),
            None => Source::head(&self.bucket, key).await,
        }
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
        _: &Key,
        _: &RestoreSpec,
        _: Option<&str>,
    ) -> Result<Restoration, PortError> {
        Ok(Restoration::Ongoing)
    }

    async fn tags(&self, _: &Key) -> Result<Vec<Tag>, PortError> {
        Ok(vec![("team".to_owned(), "a".to_owned())])
    }

    async fn acl(&self, _: &Key) -> Result<SourceAcl, PortError> {
        Ok(SourceAcl::Canned(CannedAcl::PublicRead))
    }
}
