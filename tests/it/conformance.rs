//! Every adapter that speaks to a server, against the suite of its port: S3 over SeaweedFS, OSS as
//! source and as target, Simple Message Queue as queue and Tablestore as table over their emulators.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use ossferry_aliyun::smq::BodyEncoding;
use ossferry_conformance::source::SourceFixture;
use ossferry_core::key::Key;
use ossferry_core::object::ObjectHeaders;
use ossferry_core::ports::Source;
use ossferry_tests::clock;
use ossferry_tests::oss::{Oss, OssBucket};
use ossferry_tests::s3::S3Bucket;
use ossferry_tests::seaweedfs::{self, SeaweedFs};
use ossferry_tests::smq::Smq;
use ossferry_tests::tablestore::Tablestore;
use smq_tablestore_emulator::smq::QueueAttributes;

struct SeaweedFixture {
    bucket: S3Bucket,
    source: Arc<dyn Source>,
}

#[async_trait]
impl SourceFixture for SeaweedFixture {
    fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.source)
    }

    fn can_hold(&self, key: &Key) -> bool {
        // What stands under a folder's own key is dropped.
        seaweedfs::holds(key) && !key.as_bytes().ends_with(b"/")
    }

    fn folds_keys(&self) -> bool {
        true
    }

    fn carried(&self, _key: &Key, headers: &ObjectHeaders) -> ObjectHeaders {
        headers.clone()
    }

    async fn put(&self, key: &Key, bytes: Bytes, headers: &ObjectHeaders) {
        self.bucket.put_with(key, bytes, headers).await;
    }

    async fn delete(&self, key: &Key) {
        self.bucket.delete(key).await;
    }
}

async fn seaweed(list_version: u8) -> ((), Box<dyn SourceFixture>) {
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    let mut spec = bucket.spec();
    spec.list_version = list_version;
    let source = Arc::new(bucket.source_of(&spec));
    ((), Box::new(SeaweedFixture { bucket, source }))
}

ossferry_conformance::conformance!(s3_over_seaweedfs, source, seaweed(2).await);

ossferry_conformance::conformance!(s3_by_list_version_1, source, seaweed(1).await);

struct OssFixture(OssBucket);

#[async_trait]
impl SourceFixture for OssFixture {
    fn source(&self) -> Arc<dyn Source> {
        Arc::new(self.0.source())
    }

    fn can_hold(&self, key: &Key) -> bool {
        key.oss_objection().is_none()
    }

    fn carried(&self, _key: &Key, headers: &ObjectHeaders) -> ObjectHeaders {
        headers.clone()
    }

    async fn put(&self, key: &Key, bytes: Bytes, headers: &ObjectHeaders) {
        self.0.put_with(key, &bytes, headers).await;
    }

    async fn delete(&self, key: &Key) {
        self.0.delete(key).await;
    }
}

ossferry_conformance::conformance!(oss_as_source, source, {
    let oss = Oss::start(clock::system()).await;
    let fixture: Box<dyn SourceFixture> = Box::new(OssFixture(oss.origin()));
    (oss, fixture)
});

ossferry_conformance::conformance!(oss_as_target, target, {
    let oss = Oss::start(clock::system()).await;
    let target = Box::new(oss.target().target());
    (oss, target)
});

ossferry_conformance::conformance!(smq_as_queue, queue, {
    let smq = Smq::start(clock::system()).await;
    let queue = Box::new(smq.queue("tasks", QueueAttributes::default(), BodyEncoding::Base64));
    (smq, queue)
});

ossferry_conformance::conformance!(tablestore_as_table, table, {
    let tablestore = Tablestore::start().await;
    let table = Box::new(tablestore.table());
    (tablestore, table)
});
