//! Archived objects of the source that the job file wants restored: asked for, waited for, copied.

use std::sync::Arc;

use ossferry_core::job::{BucketSource, RestoreSpec, RestoreTier, SourceSpec, StoreKind};
use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use ossferry_core::report::Report;
use ossferry_ledger::rows::PassState;
use ossferry_tests::drive::{Drive, Weather};
use ossferry_tests::faulty::Fates;
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::ministack::Ministack;
use ossferry_tests::s3::S3Bucket;
use ossferry_tests::seaweedfs::account;
use ossferry_tests::wire::{Fault, Rule};
use ossferry_tests::world::World;

use super::count;

/// Objects of this class and size beside a warm one.
async fn world(objects: &[(&str, usize, &str)]) -> World {
    let mut world = World::empty().await;
    world.put(&Key::from("warm"), 40).await;
    for (name, size, class) in objects {
        let key = Key::from(*name);
        let bytes = bytes_of(&key, 1, *size);
        world.oss.origin().put_of_class(&key, &bytes, class).await;
        world.expected.insert(key, bytes);
    }
    let SourceSpec::Bucket(bucket) = &mut world.job.source else { panic!("a bucket") };
    bucket.restore = Some(RestoreSpec { days: 2, tier: RestoreTier::Standard });
    world
}

#[tokio::test]
async fn archived_objects_are_restored_waited_for_and_copied() {
    // An hour at the most, five hours, and one that is moved in parts.
    let world = world(&[
        ("a/cold", 70, "Archive"),
        ("a/colder", 80, "ColdArchive"),
        ("large", 300_000, "Archive"),
    ])
    .await;
    let mut drive = world.drive();
    let began = world.clock.now();
    let pass = drive.begin("p1", None).await;
    let row = drive.until_end(&pass).await;
    assert_eq!(row.state, PassState::Finished, "{:?}", row.reason);
    let report = drive.check(&pass, &world.oss, &world.expected).await;
    assert_eq!((report.copied, report.archived, report.restoring), (4, 0, 0), "{report:?}");
    let hours = world.clock.now().since(began).as_secs_f64() / 3_600.0;
    assert!(hours >= 5.0, "nothing can be read sooner, and it took {hours} h");
    // Each look is one of these, and each class is looked at every half an hour.
    let asked = count(&report.requests.source, "RestoreObject");
    assert!((3..=20).contains(&asked), "{asked} requests to restore");
    // Each is asked for once.
    assert_eq!(told(&report), [("Archive", 2, 300_070), ("ColdArchive", 1, 80)]);
}

/// Class, objects and bytes, of one tier.
fn told(report: &Report) -> Vec<(&str, u64, u64)> {
    report.restored.iter().map(|it| (it.class.as_str(), it.objects, it.bytes)).collect()
}

/// Ministack as S3: a GLACIER object answers 403 until it was asked for and two seconds have passed, and
/// shows `x-amz-restore`.
#[tokio::test]
async fn archived_objects_of_s3_are_restored_counted_once_and_copied() {
    let ministack = Ministack::shared();
    ministack.fresh_queue().await;
    let bucket = S3Bucket::new(
        &ministack.endpoint(),
        &format!("archive-{:016x}", fastrand::u64(..)),
        account().clone(),
    );
    bucket.create().await.unwrap();
    let mut world = World::empty().await;
    let objects = [
        ("a/cold", 70, Some("GLACIER")),
        ("a/colder", 80, Some("DEEP_ARCHIVE")),
        ("a/warm", 90, None),
        ("large", 300_000, Some("GLACIER")),
    ];
    for (name, size, class) in objects {
        let key = Key::from(name);
        let bytes = bytes_of(&key, 1, size);
        bucket.put_of_class(&key, bytes.clone(), class).await;
        world.expected.insert(key, bytes);
    }
    let restore = RestoreSpec { days: 2, tier: RestoreTier::Standard };
    let spec = BucketSource { kind: StoreKind::S3, restore: Some(restore), ..bucket.spec() };
    let source = Arc::new(bucket.source_of(&spec));
    world.job.source = SourceSpec::Bucket(spec);
    let mut drive = Drive::new(
        world.job.clone(),
        source,
        world.target(),
        &world.clock,
        &Fates::kind(),
        Weather::default(),
    );
    let pass = drive.begin("p1", None).await;
    let row = drive.until_end(&pass).await;
    assert_eq!(row.state, PassState::Finished, "{:?}", row.reason);
    let report = drive.check(&pass, &world.oss, &world.expected).await;
    assert_eq!((report.copied, report.archived), (4, 0), "{report:?}");
    assert_eq!(told(&report), [("DEEP_ARCHIVE", 1, 80), ("GLACIER", 2, 300_070)]);
    assert!(report.to_string().contains("asked to restore"), "{report}");
}

#[tokio::test]
async fn what_must_not_be_restored_is_named_with_its_cause() {
    let world = world(&[("a/cold", 70, "Archive"), ("large", 300_000, "Archive")]).await;
    let denied = Fault::Forbidden("AccessDenied");
    world.oss.wire().rule(Rule::first("RestoreObject", denied).every(1));
    let mut drive = world.drive();
    let pass = drive.begin("p1", None).await;
    drive.until_end(&pass).await;
    let status = drive.ledger().status(&pass).await.unwrap();
    let sum = &status.totals.sum;
    assert_eq!((sum.of(Outcome::Archived), sum.of(Outcome::Copied)), (2, 1), "{sum:?}");
}
