//! A container of Azure to OSS.

use std::collections::BTreeMap;

use ossferry_core::key::Key;
use ossferry_tests::azurite::Azurite;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::{bytes_of, every_header};
use ossferry_tests::oss::Oss;

use super::{assert_target, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_arrives_whole_and_is_found_equal_after() {
    let azurite = Azurite::shared();
    let container = azurite.fresh_container().await;
    let mut expected = BTreeMap::new();
    for (name, size) in
        [("a", 0), ("a b/c+d.txt", 700), ("a-b", 1), ("caf\u{e9}/x", 9), ("large.bin", 3 << 20)]
    {
        let key = Key::from(name);
        let bytes = bytes_of(&key, 1, size);
        container.put(&key, bytes.clone(), &every_header()).await;
        expected.insert(key, bytes);
    }
    let cold = Key::from("cold");
    container.put(&cold, bytes_of(&cold, 1, 10), &every_header()).await;
    container.set_tier(&cold, "Archive").await;

    let oss = Oss::start(clock::system()).await;
    let job = JobFile::from_azure(&azurite.endpoint(), container.name(), &oss)
        .limits("split_bytes = 1048576\npart_bytes = 1048576");
    let mut ossferry = Ossferry::new(&job);
    ossferry.set("AZURE_KEY", Some(azurite.key()));
    let check = ossferry.run(&["check", "--job", "job.toml"]).await.expect(0).stdout;
    assert!(check.contains("are archived") && check.contains("one page after another"), "{check}");
    let first = run(&ossferry, 0).await;
    assert_eq!((first.copied, first.archived), (expected.len() as u64, 1), "{first:?}");
    assert_target(&oss, &expected).await;
    let head = oss.target().head(&Key::from("a-b")).await.unwrap();
    assert_eq!(head.headers.content_type, every_header().content_type);
    let again = run(&ossferry, 0).await;
    assert_eq!((again.copied, again.archived), (0, 1), "{again:?}");
}
