//! Uploads that are mistaken for others, that nobody ends, and that nobody clears away.

use ossferry_core::key::Key;
use ossferry_core::ports::{PutOptions, Target};
use ossferry_tests::drive::Weather;
use ossferry_tests::faulty::{Fate, Fates};
use ossferry_tests::wire::{Fault, Rule};
use ossferry_tests::world::World;

use super::{cancelling, pass};

const LARGE_BYTES: usize = 6 * 102_400;

/// Data Transfer Hub resumes the last upload whose key begins with the object's, and so a sibling's
/// (`aws-solutions/data-transfer-hub-cli`, `dth/client.go` L732-756).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_of_keys_that_begin_alike_are_neither_resumed_nor_aborted() {
    let mut world = World::empty().await;
    world.put(&"large".into(), LARGE_BYTES).await;
    let target = world.oss.target().target();
    let mut siblings = Vec::new();
    for name in ["larg", "large+", "large-2", "large/part"] {
        let key = Key::from(name);
        let id = target.initiate_upload(&key, &PutOptions::default()).await.unwrap();
        siblings.push((key, id));
    }
    // The planner never hears the id of its first upload, and looks for it.
    let mut initiations = 0;
    let fates = Fates::new(move |_, call| {
        initiations += u64::from(call == "target.initiate");
        if call == "target.initiate" && initiations == 1 { Fate::Lost } else { Fate::Works }
    });
    let mut drive = world.drive_under(&fates, Weather::default());
    let pass = drive.begin("p1", None).await;
    drive.until_end(&pass).await;
    assert!(fates.calls().contains(&"target.list_uploads"), "nothing was looked for");
    let open = world.oss.target().open_uploads().await;
    assert_eq!(open, ["larg", "large+", "large-2", "large/part"], "and our lost one is aborted");
    for (key, id) in siblings {
        assert_eq!(target.list_parts(&key, &id).await.unwrap(), [], "{key}");
        target.abort_upload(&key, &id).await.unwrap();
    }
    let report = drive.check(&pass, &world.oss, &world.expected).await;
    assert_eq!(report.copied, 1, "{report:?}");
}

/// Data Transfer Hub's state machine asks for the rows of all parts every minute, for ever where
/// one was cancelled (`aws-solutions/data-transfer-hub`, `lambda/plugin/s3/multi-part-controller`);
/// `AReplica`'s main function spins until every worker has reported (`pkusys/LambdaReplicaCLI`,
/// `lambdareplica/functions/aws/main/handler.py` L114-150); the Glacier pipeline sends its
/// validation twice (`aws-solutions/data-transfer-from-amazon-s3-glacier-vaults-to-amazon-s3`,
/// `facilitator.py`).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_range_completes_an_upload_with_one_look_and_one_request() {
    let mut world = World::empty().await;
    world.put(&"large".into(), LARGE_BYTES).await;
    let weather = Weather { at_once: 6, ..Weather::default() };
    let mut drive = world.drive_under(&Fates::kind(), weather);
    let report = pass(&mut drive, &world, "p1", None).await;
    assert_eq!(report.copied, 1, "{report:?}");
    let wire = world.oss.wire();
    let counts = ["InitiateMultipartUpload", "UploadPart", "ListParts", "CompleteMultipartUpload"]
        .map(|operation| wire.count(operation));
    assert_eq!(counts, [1, 6, 1, 1]);
}

/// Data Transfer Hub sets its count of retries to zero at each attempt, so that a part which never
/// gets through never ends (`aws-solutions/data-transfer-hub-cli`, `dth/service.go` L378).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_never_gets_through_ends_as_a_failure_of_its_object_alone() {
    let mut world = World::empty().await;
    let (large, small) = (Key::from("large"), Key::from("small"));
    world.put(&large, LARGE_BYTES).await;
    world.put(&small, 10).await;
    let rule = Rule::first("UploadPart", Fault::AnswerLost).at(3, u64::MAX);
    world.oss.wire().rule(rule);
    world.expected.remove(&large);
    let report = pass(&mut world.drive(), &world, "p1", None).await;
    assert_eq!((report.copied, report.failed), (1, 1), "{report:?}");
    assert_eq!(report.exit_status(), 2);
    assert!(!world.oss.target().objects().await.contains_key(&large));
}

/// `cos_migrate_tool` leaves the parts of what it did not finish behind, to be paid for
/// (`tencentyun/cos_migrate_tool_v5` issue 10).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_upload_of_a_pass_that_was_cancelled_is_aborted_though_its_object_is_gone() {
    let mut world = World::empty().await;
    let large = Key::from("large");
    world.put(&large, LARGE_BYTES).await;
    world.put(&"small".into(), 10).await;
    let mut drive = world.drive();
    let first = drive.begin("p1", None).await;
    let cancel = cancelling(&drive, &first);
    world.oss.wire().rule(Rule::first("UploadPart", cancel).at(2, 1));
    drive.until_end(&first).await;
    assert_eq!(world.oss.target().open_uploads().await, ["large"], "what is to be cleared away");

    world.oss.origin().delete(&large).await;
    world.expected.remove(&large);
    let report = pass(&mut drive, &world, "p2", None).await;
    assert_eq!((report.listed, report.failed), (1, 0), "{report:?}");
}
