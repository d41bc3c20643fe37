//! A target that stores other bytes than it was sent, now and then or always.

use std::collections::BTreeMap;

use bytes::Bytes;
use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::Oss;
use ossferry_tests::wire::{Fault, Rule};
use tempfile::TempDir;

const LIMITS: &str = "task_objects_max = 20\nsplit_bytes = 204800\npart_bytes = 102400";

const RUN: [&str; 4] = ["run", "--job", "job.toml", "--json"];

/// A folder of files. Nobody knows their MD5s, so that no server refuses wrong bytes by one.
struct Files {
    oss: Oss,
    ossferry: Ossferry,
    expected: BTreeMap<Key, Bytes>,
    _folder: TempDir,
}

impl Files {
    /// So many small files, and large ones of twenty parts.
    async fn new(small: usize, large: usize) -> Self {
        let (oss, folder) = (Oss::start(clock::system()).await, tempfile::tempdir().unwrap());
        let sizes = (0..small).map(|number| (format!("small-{number:04}"), 300));
        let sizes = sizes.chain((0..large).map(|n| (format!("large-{n:02}"), 20 * 102_400 - 5)));
        let mut expected = BTreeMap::new();
        for (name, size) in sizes {
            let key = Key::from(name.as_str());
            let bytes = bytes_of(&key, 1, size);
            std::fs::write(folder.path().join(&name), &bytes).unwrap();
            expected.insert(key, bytes);
        }
        let ossferry = Ossferry::new(&JobFile::from_folder(folder.path(), &oss).limits(LIMITS));
        Self { oss, ossferry, expected, _folder: folder }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_the_target_corrupts_now_and_then_are_caught_and_sent_again() {
    let files = Files::new(150, 5).await;
    for operation in ["PutObject", "UploadPart"] {
        files.oss.wire().rule(Rule::first(operation, Fault::BodyCorrupted).every(25));
    }
    let report = files.ossferry.run(&RUN).await.expect(0).report();
    assert_eq!((report.copied, report.failed), (155, 0));
    let puts = files.oss.wire().count("PutObject");
    let parts = files.oss.wire().count("UploadPart");
    assert_eq!((puts, parts), (150 + 7, 100 + 5), "each corrupted body is sent once more");
    assert!(files.oss.target().objects().await == files.expected, "the target is another");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_target_always_corrupts_is_failed_by_name_and_never_counted_as_copied() {
    let files = Files::new(20, 1).await;
    let bad = ["large-00", "small-0007"];
    for (operation, name) in ["UploadPart", "PutObject"].into_iter().zip(bad) {
        let rule = Rule::first(operation, Fault::BodyCorrupted).of_key(&name.into());
        files.oss.wire().rule(rule.every(1));
    }
    let said = files.ossferry.run(&RUN).await;
    let report = said.report();
    assert_eq!((report.copied, report.failed), (19, 2));
    let rows = files.ossferry.rows().await;
    let failed: Vec<_> = rows.iter().filter(|row| row.outcome == "failed").collect();
    assert_eq!(failed.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), bad);
    for row in failed {
        assert!(row.reason.contains("crc64_ecma") && row.proof.is_empty(), "{row:?}");
    }
    assert_eq!(files.oss.target().open_uploads().await, Vec::<String>::new());
    assert_eq!(files.oss.target().head(&"large-00".into()).await, None);
}
