//! A bucket that is listed by its inventory: what stands in it is moved, as it is by now.

use std::collections::BTreeMap;

use bytes::Bytes;
use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::Oss;
use ossferry_tests::seaweedfs::SeaweedFs;

use super::{assert_target, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_inventory_lists_arrives_as_it_is_by_now() {
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    let mut expected = BTreeMap::new();
    let mut rows = Vec::new();
    for n in 0..20 {
        let key = Key::from(format!("p/{n}"));
        let bytes = bytes_of(&key, 1, 100 + n);
        bucket.put(&key, bytes.clone()).await;
        rows.push(format!("{},p%2F{n},{}\n", bucket.name(), bytes.len()));
        expected.insert(key, bytes);
    }
    bucket.put(&Key::from("p/not-listed"), Bytes::from_static(b"later")).await;
    let [changed, deleted] = ["p/3", "p/4"].map(Key::from);
    let bytes = bytes_of(&changed, 2, 50);
    bucket.put(&changed, bytes.clone()).await;
    expected.insert(changed, bytes);
    bucket.delete(&deleted).await;
    expected.remove(&deleted);
    let manifest = format!(
        "{{\"sourceBucket\":\"{}\",\"fileFormat\":\"CSV\",\"fileSchema\":\"Bucket, Key, Size\",\
         \"creationTimestamp\":\"1760000000000\",\"files\":[{{\"key\":\"inv/data/a.csv\"}}]}}",
        bucket.name()
    );
    bucket.put(&Key::from("inv/data/a.csv"), rows.concat().into()).await;
    bucket.put(&Key::from("inv/manifest.json"), manifest.clone().into()).await;

    let oss = Oss::start(clock::system()).await;
    let job = JobFile::from_s3(&bucket, &oss).inventory("inv/manifest.json");
    let ossferry = Ossferry::new(&job);
    let check = ossferry.run(&["check", "--job", "job.toml"]).await.expect(0).stdout;
    assert!(check.contains("an inventory"), "{check}");
    let first = run(&ossferry, 0).await;
    assert_eq!((first.copied, first.gone), (expected.len() as u64, 1), "{first:?}");
    assert_target(&oss, &expected).await;
}
