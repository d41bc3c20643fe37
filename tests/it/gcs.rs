//! A bucket of Google Cloud Storage by its JSON interface, over an emulator.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use ossferry_conformance::source::SourceFixture;
use ossferry_core::key::Key;
use ossferry_core::object::ObjectHeaders;
use ossferry_core::ports::Source;
use ossferry_tests::gcs::{FakeGcs, GcsBucket};

struct GcsFixture(GcsBucket);

#[async_trait]
impl SourceFixture for GcsFixture {
    fn source(&self) -> Arc<dyn Source> {
        Arc::new(self.0.source())
    }

    /// <https://cloud.google.com/storage/docs/objects#naming>
    fn can_hold(&self, key: &Key) -> bool {
        let is_text = std::str::from_utf8(key.as_bytes()).is_ok();
        is_text && key.len() <= 1_024 && !key.as_bytes().iter().any(|byte| b"\r\n".contains(byte))
    }

    /// Bytes and metadata are asked for one after the other.
    fn object_requests(&self) -> u64 {
        2
    }

    fn carried(&self, _key: &Key, headers: &ObjectHeaders) -> ObjectHeaders {
        ObjectHeaders { expires: None, ..headers.clone() }
    }

    async fn put(&self, key: &Key, bytes: Bytes, headers: &ObjectHeaders) {
        self.0.put(key, &bytes, headers).await;
    }

    async fn delete(&self, key: &Key) {
        self.0.delete(key).await;
    }
}

ossferry_conformance::conformance!(gcs_json_over_fake_gcs_server, source, {
    let bucket = FakeGcs::shared().fresh_bucket().await;
    let fixture: Box<dyn SourceFixture> = Box::new(GcsFixture(bucket));
    ((), fixture)
});
