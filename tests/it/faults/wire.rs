//! Faults on the wire, at both ends: the handlers see what a network and a tired server do.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use ossferry_core::key::Key;
use ossferry_core::report::Report;
use ossferry_ledger::rows::PassState;
use ossferry_tests::fixtures;
use ossferry_tests::oss::TARGET_BUCKET;
use ossferry_tests::seaweedfs::SeaweedFs;
use ossferry_tests::wire::{Fault, Hook, Rule, Wire};
use ossferry_tests::world::World;

/// A whole object that the rules are for, and one in parts.
const SMALL: &str = "z/2";
const LARGE: &str = "large";

async fn moved(world: &World) -> Report {
    let mut drive = world.drive();
    let pass = drive.begin("p1", None).await;
    drive.until_end(&pass).await;
    drive.check(&pass, &world.oss, &world.expected).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_answers_late_wrong_or_not_at_all_gets_every_object_all_the_same() {
    let throttled = || Fault::Throttled { code: "TotalQpsLimitExceeded", delay_millis: 20 };
    for operation in
        ["PutObject", "UploadPart", "InitiateMultipartUpload", "CompleteMultipartUpload"]
    {
        for fault in [throttled(), Fault::Refused, Fault::AnswerLost, Fault::BodyCut(0)] {
            let world = World::small().await;
            world.oss.wire().rule(Rule::first(operation, fault));
            let report = moved(&world).await;
            assert_eq!((report.copied, report.failed), (8, 0), "{operation}: {report:?}");
        }
    }
    for operation in ["PutObject", "UploadPart", "CompleteMultipartUpload"] {
        let world = World::small().await;
        world.oss.wire().rule(Rule::first(operation, Fault::WrongCrc));
        let report = moved(&world).await;
        assert_eq!((report.copied, report.failed), (8, 0), "{operation}: {report:?}");
        let again = world.oss.wire().count(operation);
        let once = match operation {
            "PutObject" => 7,
            "UploadPart" => 6,
            _ => 1,
        };
        assert!(again > once, "{operation} was taken as proved though its crc was wrong");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_asks_to_be_left_alone_is_left_alone_for_as_long() {
    let world = World::small().await;
    let fault = Fault::Throttled { code: "UploadTrafficRateLimitExceeded", delay_millis: 600 };
    world.oss.wire().rule(Rule::first("PutObject", fault));
    let report = moved(&world).await;
    assert_eq!((report.copied, report.failed), (8, 0));
    let seen = world.oss.wire().take_seen();
    let put = seen.iter().find(|seen| seen.operation == "PutObject").unwrap();
    // What had been sent before the answer came may still arrive.
    let quiet = put.at + Duration::from_millis(200)..put.at + Duration::from_millis(600);
    let target = seen.iter().filter(|seen| seen.bucket == TARGET_BUCKET);
    let meanwhile: Vec<_> = target.filter(|seen| quiet.contains(&seen.at)).collect();
    assert!(meanwhile.is_empty(), "{meanwhile:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_account_stops_the_pass_at_once_and_by_name() {
    let world = World::small().await;
    let fault = Fault::Forbidden("InvalidAccessKeyId");
    world.oss.wire().rule(Rule::first("PutObject", fault).at(1, u64::MAX));
    let mut drive = world.drive();
    let pass = drive.begin("p1", None).await;
    let row = drive.until_end(&pass).await;
    assert_eq!(row.state, PassState::Stopped);
    let reason = row.reason.unwrap();
    assert!(reason.contains("InvalidAccessKeyId") && reason.contains("SCRIPTED"), "{reason}");
    let puts = world.oss.wire().count("PutObject");
    assert!(puts <= 4, "{puts} requests were made with an account that is refused");
}

/// What the source may do to the answer of a GET.
fn source_faults(whole: &bytes::Bytes, is_range: bool) -> Vec<Fault> {
    let mut faults = vec![
        Fault::Refused,
        Fault::AnswerLost,
        Fault::BodyCut(1_000),
        Fault::BodyShortened(1_000),
        Fault::BodyStalled(1_000, Duration::from_secs(3)),
        Fault::Throttled { code: "SlowDown", delay_millis: 5 },
    ];
    if is_range {
        faults.extend([Fault::RangeIgnored(whole.clone()), Fault::RangeShortened(1_000)]);
    }
    faults
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_cuts_stalls_or_ignores_a_range_is_read_again() {
    for name in [SMALL, LARGE] {
        let key = Key::from(name);
        let whole = fixtures::bytes_of(&key, 1, if name == LARGE { 614_399 } else { 70_000 });
        for fault in source_faults(&whole, name == LARGE) {
            let mut world = World::small().await;
            world.lane.receive_stall_timeout = Duration::from_millis(500);
            world.oss.wire().rule(Rule::first("GetObject", fault).of_key(&key));
            let report = moved(&world).await;
            assert_eq!((report.copied, report.failed), (8, 0), "{name}: {report:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_s3_source_that_cuts_or_ignores_a_range_is_read_again() {
    let seaweed = SeaweedFs::shared();
    let bucket = seaweed.fresh_bucket().await;
    let (small, large) = (Key::from("small"), Key::from("large"));
    let objects = [(&small, 50_000), (&large, 6 * 102_400)];
    let objects = objects.map(|(key, size)| (key.clone(), fixtures::bytes_of(key, 1, size)));
    bucket.put_all(objects.clone()).await;
    for (key, whole) in &objects {
        for fault in source_faults(whole, *key == large) {
            let wire = Wire::before_server(seaweed.address()).await;
            let mut world = World::from_s3(&bucket, &wire).await;
            world.expected = objects.clone().into();
            wire.rule(Rule::first("GetObject", fault).of_key(key));
            let report = moved(&world).await;
            assert_eq!((report.copied, report.failed), (2, 0), "{key}: {report:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_of_s3_that_is_overwritten_while_it_is_copied_is_taken_again_whole() {
    let seaweed = SeaweedFs::shared();
    let bucket = seaweed.fresh_bucket().await;
    for (name, size, at) in [("small", 50_000, 1), ("large", 6 * 102_400, 3)] {
        let key = Key::from(name);
        bucket.put(&key, fixtures::bytes_of(&key, 1, size)).await;
        let wire = Wire::before_server(seaweed.address()).await;
        let (writer, written) = (bucket.clone(), key.clone());
        let hook: Hook = Arc::new(move || {
            let (writer, key) = (writer.clone(), written.clone());
            async move { writer.put(&key, fixtures::bytes_of(&key, 2, size)).await }.boxed()
        });
        wire.rule(Rule::first("GetObject", Fault::After(hook)).of_key(&key).at(at, 1));
        let mut world = World::from_s3(&bucket, &wire).await;
        world.expected = [(key.clone(), fixtures::bytes_of(&key, 2, size))].into();
        let report = moved(&world).await;
        assert_eq!((report.copied, report.failed), (1, 0), "{key}: {report:?}");
        bucket.delete(&key).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_never_answers_a_range_rightly_fails_that_object_only() {
    let seaweed = SeaweedFs::shared();
    let bucket = seaweed.fresh_bucket().await;
    let large = Key::from("large");
    let whole = fixtures::bytes_of(&large, 1, 6 * 102_400);
    let small = (Key::from("small"), bytes::Bytes::from_static(b"small"));
    bucket.put_all([(large.clone(), whole.clone()), small.clone()]).await;
    let wire = Wire::before_server(seaweed.address()).await;
    let mut world = World::from_s3(&bucket, &wire).await;
    world.expected = [small].into();
    let fault = Fault::RangeIgnored(whole);
    wire.rule(Rule::first("GetObject", fault).of_key(&large).at(1, u64::MAX));
    let report = moved(&world).await;
    assert_eq!((report.copied, report.failed), (1, 1), "{report:?}");
    assert!(wire.count("GetObject") < 60, "asked {} times", wire.count("GetObject"));
}
