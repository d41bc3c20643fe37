//! An audit by the built command: every finding planted at the two ends, and nothing written at either.

use std::collections::BTreeMap;

use bytes::Bytes;
use ossferry_core::key::Key;
use ossferry_core::report::Report;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, ObjectRow, Ossferry};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::{Oss, TARGET_BUCKET};
use ossferry_tests::s3::S3Bucket;
use ossferry_tests::seaweedfs::SeaweedFs;

use super::{assert_target, count, run};

const AUDIT: [&str; 6] = ["run", "--job", "job.toml", "--json", "--pass", "audit"];

/// What the target may be asked for by an audit.
const READS: [&str; 4] = ["GetBucketInfo", "GetBucketVersioning", "HeadObject", "ListObjectsV2"];

/// Runs an audit, which must not have written anything at the target.
async fn audit(ossferry: &Ossferry, oss: &Oss, more: &[&str], status: i32) -> Report {
    let (before, uploads) = (oss.target().objects().await, oss.target().open_uploads().await);
    oss.wire().take_seen();
    let report = ossferry.run(&[&AUDIT[..], more].concat()).await.expect(status).report();
    assert_eq!(report.check_law(), Ok(()), "{report:?}");
    let seen = oss.wire().take_seen().into_iter().filter(|seen| seen.bucket == TARGET_BUCKET);
    let others: Vec<_> = seen.filter(|seen| !READS.contains(&seen.operation)).collect();
    assert!(others.is_empty(), "an audit asked for {others:?}");
    assert!(before == oss.target().objects().await, "an audit changed an object");
    assert_eq!(uploads, oss.target().open_uploads().await);
    report
}

/// The rows of the audit's CSV, by key.
async fn rows(ossferry: &Ossferry) -> BTreeMap<String, ObjectRow> {
    let csv = ossferry.run(&["report", "--job", "job.toml", "--format", "csv"]).await.expect(2);
    let mut reader = csv::Reader::from_reader(csv.stdout.as_bytes());
    let rows = reader.deserialize().map(|row| row.expect("a row of the report"));
    rows.map(|row: ObjectRow| (row.key.clone(), row)).collect()
}

async fn fill(bucket: &S3Bucket) -> BTreeMap<Key, Bytes> {
    let mut all = BTreeMap::new();
    for number in 0..1_200 {
        let key = Key::from(format!("d{}/object-{number:04}", number % 7));
        all.insert(key.clone(), bytes_of(&key, 1, 10 + number % 90));
    }
    bucket.put_all(all.clone()).await;
    let key = Key::from("in parts");
    let bytes = bytes_of(&key, 1, 6 << 20);
    bucket.put_in_parts(&key, &bytes, 5 << 20).await;
    all.insert(key, bytes);
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_finds_what_is_missing_different_and_extra_and_writes_nothing() {
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    let mut all = fill(&bucket).await;
    let oss = Oss::start(clock::system()).await;
    // Of these keys it lists by bytes; only so are keys found that the target alone holds.
    let job = JobFile::from_s3(&bucket, &oss).source("listing_order = \"bytes\"");
    let ossferry = Ossferry::new(&job);
    run(&ossferry, 0).await;

    let total = all.len() as u64;
    let clean = audit(&ossferry, &oss, &[], 0).await;
    assert_eq!(
        (clean.kind.as_str(), clean.listed, clean.skipped_equal),
        ("audit", total, total - 1)
    );
    // Its ETag is no MD5: the mark of the copy is all that both ends show without reading.
    assert_eq!((clean.planned, clean.equal, clean.proof.d), (1, 1, 1), "{clean:?}");
    assert_eq!(count(&clean.requests.source, "GetObject"), 0);
    let clean = audit(&ossferry, &oss, &["--reread", "100%"], 0).await;
    assert_eq!((clean.equal, clean.reread, clean.proof.d), (total, total, 0), "{clean:?}");
    let bytes: usize = all.values().map(Bytes::len).sum();
    assert_eq!(clean.bytes_reread, bytes as u64);

    let target = oss.target();
    for (key, found) in [
        ("d1/object-0001", "missing"),
        ("d2/object-0002", "different"),
        ("d3/object-0003", "different"),
        ("in parts", "different"),
        ("a first", "extra-at-target"),
        ("d3/object-0003x", "extra-at-target"),
        ("z last", "extra-at-target"),
    ] {
        let (key, was) = (Key::from(key), all.get(&Key::from(key)));
        match (found, was) {
            ("missing", _) => target.delete(&key).await,
            (_, Some(was)) if key != Key::from("d2/object-0002") => {
                drop(target.put(&key, &bytes_of(&key, 2, was.len())).await);
            }
            (..) => drop(target.put(&key, &bytes_of(&key, 2, 999)).await),
        }
    }
    let found = audit(&ossferry, &oss, &[], 2).await;
    assert_eq!((found.missing, found.different, found.extra_at_target), (1, 3, 3), "{found:?}");
    assert_eq!((found.listed, found.planned, found.equal), (total + 3, 7, 0));
    let rows = rows(&ossferry).await;
    assert_eq!(rows["d1/object-0001"].outcome, "missing");
    assert!(rows["d2/object-0002"].reason.starts_with("size: source "), "{rows:?}");
    assert!(rows["d3/object-0003"].reason.starts_with("md5: "), "{rows:?}");
    assert_eq!((rows["z last"].outcome.as_str(), rows["z last"].size), ("extra-at-target", 999));
    let inspect = ["inspect", "--job", "job.toml", "objects", "--outcome", "different"];
    let listed = ossferry.run(&inspect).await.expect(0).stdout;
    assert_eq!(listed.matches(" different ").count(), 3, "{listed}");
    assert!(listed.contains("in parts"), "{listed}");
    let said = ossferry.run(&["report", "--job", "job.toml"]).await.expect(2).stdout;
    assert!(said.contains("the target holds something else"), "{said}");

    // What it found is taken by a retry, which trusts no date; extra keys stay.
    let retried =
        ossferry.run(&["run", "--job", "job.toml", "--json", "--pass", "retry"]).await.expect(0);
    assert_eq!(retried.report().copied, 4);
    for name in ["a first", "d3/object-0003x", "z last"] {
        let key = Key::from(name);
        let bytes = bytes_of(&key, 2, 999);
        all.insert(key, bytes);
    }
    assert_target(&oss, &all).await;
}

#[tokio::test]
async fn both_servers_crcs_are_compared_where_both_have_one() {
    let oss = Oss::start(clock::system()).await;
    let (same, other) = (Key::from("same"), Key::from("other"));
    for key in [&same, &other] {
        oss.origin().put(key, &bytes_of(key, 1, 300_000)).await;
    }
    // Moved in parts, the target's ETag is no MD5, and the listings tell nothing.
    let job = JobFile::from_oss(&oss).limits("split_bytes = 204800\npart_bytes = 102400");
    let ossferry = Ossferry::new(&job);
    run(&ossferry, 0).await;
    oss.target().put(&other, &bytes_of(&other, 2, 300_000)).await;
    let found = audit(&ossferry, &oss, &[], 2).await;
    assert_eq!((found.equal, found.proof.a, found.different), (1, 1, 1), "{found:?}");
    assert_eq!((count(&found.requests.source, "GetObject"), found.reread), (0, 0));
    let rows = rows(&ossferry).await;
    assert!(rows["other"].reason.starts_with("crc64_ecma: "), "{rows:?}");
    assert_ne!(rows["same"].crc64_ecma, "");
}
