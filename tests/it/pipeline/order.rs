//! A store that does not list by bytes: nothing is lost while it is not trusted, and trusting it is
//! refused as soon as a page proves it wrong.

use std::collections::BTreeMap;

use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::Oss;
use ossferry_tests::s3::S3Bucket;
use ossferry_tests::seaweedfs::SeaweedFs;

use super::{RUN, assert_target, count, run};

/// Folders whose names continue with bytes on both sides of `/`: SeaweedFS lists `a/b` before `a-b`.
async fn fill(bucket: &S3Bucket) -> BTreeMap<Key, bytes::Bytes> {
    let mut objects = BTreeMap::new();
    for number in 0..400 {
        for rest in ["/b", "-b", ".b/c", "/b.d/e", "0", "/z"] {
            let key = Key::from(format!("a{number:03}{rest}"));
            let bytes = bytes_of(&key, 1, 20);
            objects.insert(key, bytes);
        }
    }
    bucket.put_all(objects.clone()).await;
    objects
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_on_a_store_that_lists_by_folders() {
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    let objects = fill(&bucket).await;
    let oss = Oss::start(clock::system()).await;
    let ossferry = Ossferry::new(&JobFile::from_s3(&bucket, &oss));
    let total = objects.len() as u64;
    let first = run(&ossferry, 0).await;
    assert_eq!((first.listed, first.copied, first.slices), (total, total, 1));
    assert_target(&oss, &objects).await;
    let again = run(&ossferry, 0).await;
    assert_eq!((again.listed, again.skipped, again.planned), (total, total, 0));
    assert_eq!(count(&again.requests.target, "HeadObject"), again.target_heads);
    assert!(again.target_heads <= total / 10, "{} keys were looked up", again.target_heads);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_does_not_list_by_bytes_is_not_believed_to() {
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    fill(&bucket).await;
    let oss = Oss::start(clock::system()).await;
    let job = JobFile::from_s3(&bucket, &oss).source("listing_order = \"bytes\"");
    let ossferry = Ossferry::new(&job);
    let said = ossferry.run(&RUN).await.expect(1);
    let text = format!("{}{}", said.stdout, said.stderr);
    assert!(text.contains("order"), "{text}");
    assert!(text.contains("a000"), "the key is named: {text}");
}
