//! The whole cutover against a business that never stops: no value is lost, and no read fails that would
//! have succeeded at the source.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use ossferry_core::key::Key;
use ossferry_core::time::Clock;
use ossferry_tests::business::{Before, Business};
use ossferry_tests::clock::{self, system_now};
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::Oss;
use ossferry_tests::s3::{S3Bucket, Upload};
use ossferry_tests::seaweedfs::SeaweedFs;
use serde_json::Value;

use super::{OTHERS, cutover, until_switch};

/// Whoever moves has the system's time; an end may have another.
const SKEW: Duration = Duration::from_mins(10);

/// Bytes of an object that is written in parts.
const LARGE_BYTES: usize = 6 << 20;

/// Bytes of its parts.
const PART_BYTES: usize = 5 << 20;

fn ahead() -> Clock {
    Arc::new(|| system_now().plus(SKEW))
}

fn behind() -> Clock {
    Arc::new(|| system_now().minus(SKEW))
}

/// Moves a business over while it writes. Answers the certificate.
async fn move_over(
    before: &Before,
    oss: &Oss,
    job: &JobFile,
    origin: &[&str],
    straggler: impl Future<Output = ()>,
) -> Value {
    let target = oss.target();
    target.set_website(Some(OTHERS)).await;
    let business = Business::open(before, &target, 3, 25).await;
    let ossferry = Ossferry::new(job);
    until_switch(&ossferry, &[&["--delta-max", "10000"], origin].concat()).await;
    straggler.await;
    business.switch(Duration::from_millis(400)).await;
    let more = ["--switched", "--certificate", "done.json"];
    let certificate = cutover(&ossferry, &[&more, origin].concat()).await.expect(0).json();

    let tally = Arc::clone(&business.tally);
    let values = business.close().await;
    let wrong = tally.wrong.lock().unwrap().clone();
    assert!(wrong.is_empty(), "{} of {tally:?}: {:#?}", wrong.len(), &wrong[..wrong.len().min(9)]);
    let held = target.objects().await;
    for (key, value) in &values {
        let value = value.as_ref().map(|value| Bytes::copy_from_slice(value.as_bytes()));
        assert_eq!(held.get(key), value.as_ref(), "{key}");
    }
    for number in [&tally.source_writes, &tally.target_writes, &tally.target_reads] {
        assert!(number.load(Ordering::Relaxed) > 20, "the business was at work: {tally:?}");
    }
    assert_eq!(target.website().await.as_deref(), Some(OTHERS), "put back as it was");
    assert_eq!(certificate["outstanding_failures"], 0, "{certificate}");
    assert_eq!(certificate["ledger_digest"].as_str().map(str::len), Some(64));
    let written = std::fs::read_to_string(ossferry.folder().join("done.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), certificate);
    certificate
}

/// From SeaweedFS, whose key the rule is given, to an OSS of this clock. An upload that was begun before
/// the first pass ends after T2.
async fn from_s3(clock: Clock) {
    let oss = Oss::start(clock).await;
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    let (key, newer, upload) = begun_before(&bucket).await;
    let job = JobFile::from_s3(&bucket, &oss);
    let before = Before::S3(bucket.clone());
    let ends = async { bucket.complete(&upload).await };
    let certificate = move_over(&before, &oss, &job, &["--mirror-auth", "key"], ends).await;
    assert_eq!(oss.target().objects().await.get(&key), Some(&newer), "it ended after T2");
    assert!(certificate["stale_at_switch"].as_u64() >= Some(1), "that one was: {certificate}");
}

async fn begun_before(bucket: &S3Bucket) -> (Key, Bytes, Upload) {
    let key = Key::from("large/begun-before-t1");
    bucket.put(&key, bytes_of(&key, 1, LARGE_BYTES)).await;
    let newer = bytes_of(&key, 2, LARGE_BYTES);
    let upload = bucket.upload_parts(&key, &newer, PART_BYTES).await;
    (key, newer, upload)
}

/// From one OSS to another, each of its own clock, the source behind an address that anybody may read.
async fn from_oss(source_clock: Clock, target_clock: Clock) {
    let (source, oss) = (Oss::start(source_clock).await, Oss::start(target_clock).await);
    let origin = source.origin();
    let front = origin.public_front().await;
    let job = JobFile { source: JobFile::from_oss(&source).source, ..JobFile::from_oss(&oss) };
    let url = format!("{}/", front.endpoint());
    let auth = ["--mirror-auth", "none", "--mirror-url", &url];
    move_over(&Before::Oss(origin), &oss, &job, &auth, async {}).await;
    front.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_business_loses_no_value_and_no_read_whatever_the_clocks_show() {
    tokio::join!(
        from_s3(clock::system()),
        from_s3(ahead()),
        from_s3(behind()),
        from_oss(ahead(), behind()),
        from_oss(behind(), ahead()),
    );
}
