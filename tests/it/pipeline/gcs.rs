//! A bucket of Google to OSS, by a service account's key.

use std::collections::BTreeMap;

use ossferry_core::key::Key;
use ossferry_core::object::ObjectHeaders;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::{bytes_of, every_header};
use ossferry_tests::gcs::{FakeGcs, PlayedTokens};
use ossferry_tests::oss::Oss;

use super::{assert_target, run};

/// `hello` a hundred times, as gzip writes it: whoever does not say that he takes gzip is sent 500 bytes.
const PACKED: &[u8] = &[
    0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xcf, 0x18, 0x25, 0x46, 0x12,
    1, 0, 0x28, 0x78, 0x8b, 0xc8, 0xf4, 1, 0, 0,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_of_google_arrives_whole_and_is_found_equal_after() {
    let google = FakeGcs::shared();
    let (bucket, tokens) = (google.fresh_bucket().await, PlayedTokens::start().await);
    let mut expected = BTreeMap::new();
    for (name, size) in [
        ("a", 0),
        ("a b/c+d.txt", 700),
        ("a//b", 1),
        ("../x", 2),
        ("caf\u{e9}/x", 9),
        ("large.bin", 3 << 20),
    ] {
        let key = Key::from(name);
        let bytes = bytes_of(&key, 1, size);
        bucket.put(&key, &bytes, &every_header()).await;
        expected.insert(key, bytes);
    }
    let packed = Key::from("packed.txt");
    let gzip = ObjectHeaders { content_encoding: Some("gzip".to_owned()), ..every_header() };
    bucket.put(&packed, &PACKED.into(), &gzip).await;
    expected.insert(packed, PACKED.into());

    let oss = Oss::start(clock::system()).await;
    let job = JobFile::from_gcs(&google.endpoint(), bucket.name(), &oss)
        .limits("split_bytes = 1048576\npart_bytes = 1048576");
    let mut ossferry = Ossferry::new(&job);
    ossferry.set("GCS_KEY", Some(&tokens.another_s_key_file()));
    let refused = ossferry.run(&["check", "--job", "job.toml"]).await.expect(1).stdout;
    assert!(refused.contains("invalid_grant") && !refused.contains("PRIVATE"), "{refused}");
    assert_eq!(tokens.given(), 0);

    ossferry.set("GCS_KEY", Some(&tokens.key_file()));
    let check = ossferry.run(&["check", "--job", "job.toml"]).await.expect(0).stdout;
    assert!(check.contains("gcs-json bucket") && check.contains("walked side by side"), "{check}");
    let first = run(&ossferry, 0).await;
    assert_eq!(first.copied, expected.len() as u64, "{first:?}");
    assert!(tokens.given() > 0);
    assert_target(&oss, &expected).await;
    let head = oss.target().head(&Key::from("a//b")).await.unwrap();
    assert_eq!(head.headers.content_type, every_header().content_type);
    let carried = &every_header().user_metadata[0];
    assert!(head.headers.user_metadata.contains(carried), "{:?}", head.headers);
    let again = run(&ossferry, 0).await;
    assert_eq!(again.copied, 0, "{again:?}");
}
