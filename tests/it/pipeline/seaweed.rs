//! SeaweedFS to OSS: many small objects, keys that are hard to carry, and objects in parts.

use std::collections::BTreeMap;

use bytes::Bytes;
use md5::{Digest, Md5};
use ossferry_conformance::special_keys;
use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::Oss;
use ossferry_tests::s3::S3Bucket;
use ossferry_tests::seaweedfs::{SeaweedFs, holds};

use super::{assert_target, count, run};

const SMALL_OBJECTS: u64 = 20_000;
const MIB: usize = 1 << 20;

/// The bucket's objects, by those that are moved whole and those in parts of 2 MiB.
struct Objects {
    all: BTreeMap<Key, Bytes>,
    /// Objects over the split threshold, and their parts of 2 MiB.
    large: u64,
    parts: u64,
    /// Objects whose `ETag` is no MD5.
    in_parts: u64,
}

async fn fill(bucket: &S3Bucket) -> Objects {
    let mut all = BTreeMap::new();
    for number in 0..SMALL_OBJECTS {
        let key = Key::from(format!("d{:02}/{:02}/object-{number:05}", number % 40, number % 7));
        let size = usize::try_from(number % 400).unwrap();
        let bytes = bytes_of(&key, 1, size);
        all.insert(key, bytes);
    }
    for key in special_keys("special keys/").into_iter().filter(holds) {
        let size = if key.as_bytes().ends_with(b"/") { 0 } else { 77 };
        let bytes = bytes_of(&key, 1, size);
        all.insert(key, bytes);
    }
    let single = Key::from("large/single");
    all.insert(single.clone(), bytes_of(&single, 1, 9 * MIB));
    bucket.put_all(all.clone()).await;
    for (name, size) in [("large/in parts", 12 * MIB + 7), ("small/in parts", 5 * MIB + 1)] {
        let key = Key::from(name);
        let bytes = bytes_of(&key, 1, size);
        bucket.put_in_parts(&key, &bytes, 5 * MIB).await;
        all.insert(key, bytes);
    }
    Objects { all, large: 2, parts: 5 + 7, in_parts: 2 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_objects_cost_one_get_and_one_put_each_and_arrive_as_they_were() {
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    let mut objects = fill(&bucket).await;
    let oss = Oss::start(clock::system()).await;
    let job = JobFile::from_s3(&bucket, &oss).limits("split_bytes = 8388608\npart_bytes = 2097152");
    let ossferry = Ossferry::new(&job);
    let total = objects.all.len() as u64;
    let whole = total - objects.large;
    let lists_max = 2 * total.div_ceil(1_000);

    let first = run(&ossferry, 0).await;
    assert_eq!((first.kind.as_str(), first.listed, first.copied), ("full", total, total));
    let bytes: usize = objects.all.values().map(Bytes::len).sum();
    assert_eq!(first.bytes_copied, bytes as u64);
    assert!(first.proof.a >= total - objects.in_parts - objects.large, "{:?}", first.proof);
    let (source, target) = (&first.requests.source, &first.requests.target);
    assert_eq!(count(source, "GetObject"), whole + objects.parts, "{source:?}");
    assert_eq!(count(source, "HeadObject"), objects.large, "{source:?}");
    assert!(count(source, "ListObjectsV2") <= lists_max, "{source:?}");
    assert_eq!(count(target, "PutObject"), whole, "{target:?}");
    assert_eq!(count(target, "UploadPart"), objects.parts, "{target:?}");
    assert_eq!(count(target, "HeadObject"), 0, "{target:?}");
    assert!(count(target, "ListObjectsV2") <= lists_max, "{target:?}");
    for operation in ["PutObject", "UploadPart", "CompleteMultipartUpload"] {
        let (said, seen) = (count(target, operation), oss.wire().count(operation));
        assert_eq!(said, seen, "{operation}: the report counts other requests than were made");
    }
    assert_target(&oss, &objects.all).await;

    oss.wire().take_seen();
    let again = run(&ossferry, 0).await;
    assert_eq!((again.kind.as_str(), again.skipped, again.planned), ("incremental", total, 0));
    let (source, target) = (&again.requests.source, &again.requests.target);
    assert!(count(source, "ListObjectsV2") <= lists_max, "{source:?}");
    assert!(count(target, "ListObjectsV2") <= lists_max, "{target:?}");
    // An ETag that is no MD5 says nothing: what was copied is remembered at the target.
    assert!(count(target, "HeadObject") <= objects.in_parts + objects.large, "{target:?}");
    assert_eq!(count(source, "GetObject") + count(target, "PutObject"), 0);
    assert_eq!(oss.wire().count("PutObject"), 0);

    change(&bucket, &mut objects.all).await;
    let third = run(&ossferry, 0).await;
    assert_eq!((third.listed, third.copied, third.skipped), (total + 2, 7, total - 5), "{third:?}");
    assert_eq!(count(&third.requests.target, "PutObject"), 7);
    assert_listed(&oss, &objects.all).await;
}

/// The target lists these objects and no others, those of one PUT with the MD5 of their bytes.
async fn assert_listed(oss: &Oss, expected: &BTreeMap<Key, Bytes>) {
    let entries = oss.target().entries().await;
    assert!(entries.iter().map(|entry| &entry.key).eq(expected.keys()));
    for entry in entries {
        let bytes = &expected[&entry.key];
        assert_eq!(entry.size, bytes.len() as u64, "{}", entry.key);
        let md5: [u8; 16] = Md5::digest(bytes).into();
        let etag = entry.etag.unwrap();
        assert!(etag.as_md5().is_none_or(|found| found == md5), "{}", entry.key);
    }
}

/// Overwrites five objects, one of them with as many bytes, adds two, and deletes none: what is
/// deleted at the source stays at the target in any case.
async fn change(bucket: &S3Bucket, objects: &mut BTreeMap<Key, Bytes>) {
    for (name, size) in [
        ("d03/03/object-00003", 3),
        ("d13/05/object-01013", 999),
        ("d39/00/object-19999", 0),
        ("d20/06/object-00020", 5),
        ("small/in parts", 10),
        ("new", 10),
        ("d05/new", 1),
    ] {
        let key = Key::from(name);
        let bytes = bytes_of(&key, 2, size);
        bucket.put(&key, bytes.clone()).await;
        objects.insert(key, bytes);
    }
}
