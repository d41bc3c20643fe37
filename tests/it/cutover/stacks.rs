//! The rule and a whole cutover of jobs that functions work on.

use std::sync::Arc;

use bytes::Bytes;
use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fc::{FcLimits, FcStack};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::operated::{OperatedStack, keys};
use ossferry_tests::oss::Oss;
use ossferry_tests::s3::S3Bucket;
use ossferry_tests::seaweedfs::{SeaweedFs, account};

use super::{OTHERS, cutover, mirror, until_switch};

const KEY: [&str; 2] = ["--mirror-auth", "key"];

/// A private source, and a target that serves mirror rules.
async fn ends() -> (S3Bucket, Oss) {
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    for number in 0..5 {
        bucket.put(&key(number), value(number, 0)).await;
    }
    (bucket, Oss::start(clock::system()).await)
}

fn key(number: u64) -> Key {
    Key::from(format!("k/{number}"))
}

fn value(number: u64, version: u64) -> Bytes {
    bytes_of(&key(number), version, 60)
}

/// The rule on, seen and off; then every step until the certificate.
async fn move_over(ossferry: &Ossferry, origin: &S3Bucket, oss: &Oss) {
    let target = oss.target();
    target.set_website(Some(OTHERS)).await;
    assert_eq!(mirror(ossferry, &["status"]).await.expect(0).json()["state"], "never on");
    let on = [&["on", "--yes"][..], &KEY].concat();
    assert_eq!(mirror(ossferry, &on).await.expect(0).json()["state"], "on");
    assert_eq!(mirror(ossferry, &["status"]).await.expect(0).json()["in_bucket"], true);
    assert_eq!(target.get(&key(1)).await.0.as_u16(), 200, "it is fetched from the source");
    assert_eq!(mirror(ossferry, &["off"]).await.expect(0).json()["state"], "off");
    assert_eq!(target.website().await.as_deref(), Some(OTHERS));
    target.delete(&key(1)).await;

    let waiting = until_switch(ossferry, &KEY).await;
    assert_eq!(target.objects().await.len(), 5);
    // By its last writer at the source; and by the application, at the target.
    origin.put(&key(2), value(2, 1)).await;
    origin.put(&key(7), value(7, 1)).await;
    target.put(&key(3), &value(3, 9)).await;
    assert_eq!(target.get(&key(7)).await.0.as_u16(), 200, "not copied yet, and served");
    let switched = [&["--switched"][..], &KEY].concat();
    let certificate = cutover(ossferry, &switched).await.expect(0).json();
    assert_eq!(certificate["t2"], waiting["t2"], "{certificate}");
    let last = certificate["passes"].as_array().and_then(|passes| passes.last()).unwrap();
    assert_eq!(last["kind"], "audit", "{certificate}");
    assert_eq!(mirror(ossferry, &["status"]).await.expect(0).json()["state"], "off");
    assert_eq!(target.website().await.as_deref(), Some(OTHERS));
    let held = target.objects().await;
    assert_eq!(held.len(), 6);
    for (number, version) in [(0, 0), (1, 0), (2, 1), (3, 9), (4, 0), (7, 1)] {
        assert_eq!(held[&key(number)], value(number, version), "{number}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_work_lambda_does_moves_over_by_the_same_command() {
    let (origin, oss) = ends().await;
    let ends = (Arc::new(origin.source()) as _, Arc::new(oss.target().target()) as _);
    let account = account();
    let source_keys = keys(&account.access_key, &account.secret_key);
    let file = JobFile::from_s3(&origin, &oss);
    let operated = OperatedStack::deploy(&file, &source_keys, ends, false).await;
    let _ = operated.ossferry.run(&["deploy-job", "--job", "job.toml"]).await.expect(0);
    move_over(&operated.ossferry, &origin, &oss).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_work_function_compute_does_moves_over_by_the_same_command() {
    let (origin, oss) = ends().await;
    let file = JobFile::from_s3(&origin, &oss);
    let stack = FcStack::deploy(&file, &FcLimits::default()).await;
    let mut ossferry = Ossferry::new(&file);
    ossferry.write_job(&stack.job_text);
    for (name, value) in stack.operator_variables() {
        ossferry.set(name, Some(&value));
    }
    move_over(&ossferry, &origin, &oss).await;
}
