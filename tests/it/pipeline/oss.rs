//! OSS to OSS, under another prefix: every key that OSS holds, proved by both servers' digests.

use std::collections::BTreeMap;

use ossferry_conformance::special_keys;
use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::{bytes_of, every_header};
use ossferry_tests::oss::Oss;

use super::{assert_target, count, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_key_that_oss_holds_arrives_under_the_other_prefix_with_its_headers() {
    let oss = Oss::start(clock::system()).await;
    let mut expected = BTreeMap::new();
    let elsewhere = Key::from("elsewhere/not of the job");
    oss.origin().put(&elsewhere, &bytes_of(&elsewhere, 1, 5)).await;
    for (number, key) in special_keys("from/").into_iter().enumerate() {
        let bytes = bytes_of(&key, 1, number * 10);
        oss.origin().put(&key, &bytes).await;
        expected.insert(key.moved(b"from/", b"to/").unwrap(), bytes);
    }
    let headers = every_header();
    for (name, size) in [("headers", 10), ("large headers", 1_000_000)] {
        let key = Key::from(format!("from/{name}"));
        let bytes = bytes_of(&key, 1, size);
        oss.origin().put_with(&key, &bytes, &headers).await;
        expected.insert(key.moved(b"from/", b"to/").unwrap(), bytes);
    }
    let mut job = JobFile::from_oss(&oss)
        .limits("split_bytes = 500000\npart_bytes = 204800")
        .source("prefix = \"from/\"");
    job.target.push_str("prefix = \"to/\"\n");
    let ossferry = Ossferry::new(&job);
    let total = expected.len() as u64;
    let first = run(&ossferry, 0).await;
    assert_eq!((first.listed, first.copied), (total, total), "{first:?}");
    assert_eq!(first.proof.a, total, "both ends give the same digests");
    assert_target(&oss, &expected).await;
    for name in ["to/headers", "to/large headers"] {
        let mut found = oss.target().head(&Key::from(name)).await.unwrap().headers;
        found.user_metadata.retain(|(name, _)| name != "ossferry-source");
        assert_eq!(found, headers, "{name}");
    }
    let again = run(&ossferry, 0).await;
    assert_eq!((again.skipped, again.planned), (total, 0), "{again:?}");
    assert_eq!(count(&again.requests.target, "PutObject"), 0);
    assert!(again.target_heads <= 1, "only the large one's ETags differ: {again:?}");
}
