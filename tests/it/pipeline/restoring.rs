//! Archived objects of the source that the job file wants restored: asked for, waited for, copied.

use ossferry_core::job::{RestoreSpec, RestoreTier, SourceSpec};
use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use ossferry_ledger::rows::PassState;
use ossferry_tests::fixtures::bytes_of;
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
