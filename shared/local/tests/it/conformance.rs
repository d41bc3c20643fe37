//! Table, queue and source against the suites that every adapter passes.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use ossferry_conformance::source::SourceFixture;
use ossferry_core::key::Key;
use ossferry_core::object::ObjectHeaders;
use ossferry_core::ports::Source;
use ossferry_local::{Database, FolderSource};
use tempfile::TempDir;

use crate::clock;

fn database() -> (TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(folder.path().join("state.sqlite"), clock()).unwrap();
    (folder, database)
}

ossferry_conformance::conformance!(table, table, {
    let (folder, database) = database();
    (folder, Box::new(database.table()))
});

ossferry_conformance::conformance!(queue, queue, {
    let (folder, database) = database();
    (folder, Box::new(database.queue("tasks")))
});

ossferry_conformance::conformance!(source, source, ((), Box::new(FolderFixture::new())));

#[tokio::test]
async fn one_table_passes_every_case_one_after_another() {
    let (_folder, database) = database();
    ossferry_conformance::table::every(&database.table()).await;
}

struct FolderFixture {
    folder: TempDir,
    source: FolderSource,
}

impl FolderFixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = FolderSource::open(folder.path(), clock()).unwrap();
        Self { folder, source }
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.folder.path().join(std::ffi::OsStr::from_bytes(key.as_bytes()))
    }
}

#[async_trait]
impl SourceFixture for FolderFixture {
    fn source(&self) -> Arc<dyn Source> {
        Arc::new(self.source.clone())
    }

    fn can_hold(&self, key: &Key) -> bool {
        let mut segments = key.as_bytes().split(|byte| *byte == b'/');
        segments.all(|segment| !matches!(segment, b"" | b"." | b"..") && segment.len() <= 255)
    }

    fn carried(&self, key: &Key, _headers: &ObjectHeaders) -> ObjectHeaders {
        assert!(key.as_bytes().ends_with(b".txt"));
        ObjectHeaders { content_type: Some("text/plain".to_owned()), ..ObjectHeaders::default() }
    }

    async fn put(&self, key: &Key, bytes: Bytes, _headers: &ObjectHeaders) {
        let path = self.path(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    async fn delete(&self, key: &Key) {
        std::fs::remove_file(self.path(key)).unwrap();
    }
}
