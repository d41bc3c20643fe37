//! Tasks that are lost between planner and copier, and messages that come when they should not.

use ossferry_core::key::Key;
use ossferry_tests::drive::Weather;
use ossferry_tests::faulty::{Fate, Fates};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::TARGET_BUCKET;
use ossferry_tests::wire::Rule;
use ossferry_tests::world::World;

use super::{cancelling, pass};

/// Data Transfer Hub never reads which messages of a batch the queue refused
/// (`aws-solutions/data-transfer-hub-cli`, `dth/service.go` L185-209).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_the_queue_refuses_out_of_a_batch_is_sent_again() {
    let mut world = World::wide().await;
    world.job.limits.window_tasks = 40;
    let weather = Weather { refused: 300, seed: 5, ..Weather::default() };
    let (mut drive, began) = (world.drive_under(&Fates::kind(), weather), world.clock.now());
    let report = pass(&mut drive, &world, "p1", None).await;
    assert_eq!((report.listed, report.copied), (100, 100), "{report:?}");
    let refused = drive.mishaps().refused;
    assert!(refused > 5, "only {refused} messages were refused");
    // The clock of the drive stands still while there is anything to do.
    assert_eq!(world.clock.now(), began, "they were sent again only by the sweep");
}

/// Nor does it say that it gave a batch up after six attempts (the same lines).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_takes_nothing_for_longer_than_a_sender_tries_loses_no_task() {
    let world = World::small().await;
    let mut sends = 0;
    let fates = Fates::new(move |_, call| {
        sends += u64::from(call == "queue.send");
        // The first is of the pass's own slice; the next seven are of its tasks.
        if call == "queue.send" && (2..9).contains(&sends) { Fate::Fails } else { Fate::Works }
    });
    let mut drive = world.drive_under(&fates, Weather::default());
    let report = pass(&mut drive, &world, "p1", None).await;
    assert_eq!((report.listed, report.copied), (8, 8), "{report:?}");
}

/// Data Transfer Hub prints keys into its part messages without escaping them
/// (`aws-solutions/data-transfer-hub-cli`, `dth/job.go` L895); amazon-s3-resumable-upload decodes
/// `%` and `+` that were never encoded and folds `//` (`aws-samples/amazon-s3-resumable-upload`,
/// `sqs2trans.go` L354).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_object_is_copied_in_parts_whatever_its_key_holds() {
    let mut world = World::empty().await;
    let keys = [
        "\"quotes\", {\"Key\": \"another\"}",
        "back\\slash\\\"",
        "a//b/../c",
        "line\nfeed\ttab\u{1}",
        "1+1=%32%2F%",
        "<Key>&amp;</Key>",
    ];
    for key in keys {
        world.put(&Key::from(key), 250_000).await;
    }
    let report = pass(&mut world.drive(), &world, "p1", None).await;
    let total = keys.len() as u64;
    assert_eq!((report.listed, report.copied), (total, total), "{report:?}");
    assert_eq!(world.oss.wire().count("UploadPart"), 3 * total);
    assert_eq!(world.oss.target().entries().await.len(), keys.len(), "and under no other key");
}

/// Data Transfer Hub's guard against events that are older than what was copied is overwritten two
/// lines on (`aws-solutions/data-transfer-hub-cli`, `dth/job.go` L626-637).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_a_cancelled_pass_write_nothing_during_the_next() {
    let mut world = World::empty().await;
    let keys: Vec<Key> = (0..30).map(|number| Key::from(format!("{number:02}"))).collect();
    for key in &keys {
        world.put(key, 40).await;
    }
    (world.job.limits.task_objects_max, world.job.limits.window_tasks) = (1, 10);
    // Every message comes again and again, through both passes.
    let weather = Weather { doubled: 1_000, seed: 3, ..Weather::default() };
    let mut drive = world.drive_under(&Fates::kind(), weather);
    let first = drive.begin("p1", None).await;
    let cancel = cancelling(&drive, &first);
    world.oss.wire().rule(Rule::first("GetObject", cancel).at(4, 1));
    drive.until_end(&first).await;
    let early = world.oss.wire().count("PutObject");
    assert!((1..30).contains(&early), "{early} objects were written before it was cancelled");

    for key in &keys {
        let bytes = bytes_of(key, 2, 40);
        world.oss.origin().put(key, &bytes).await;
        world.expected.insert(key.clone(), bytes);
    }
    world.oss.wire().take_seen();
    let report = pass(&mut drive, &world, "p2", None).await;
    assert_eq!((report.listed, report.copied), (30, 30), "{report:?}");
    assert!(drive.mishaps().outdated > 5, "{:?}", drive.mishaps());
    let seen = world.oss.wire().take_seen();
    let puts = seen.iter().filter(|seen| seen.operation == "PutObject");
    assert!(puts.clone().all(|put| put.bucket == TARGET_BUCKET));
    assert_eq!(puts.count(), 30, "each object is written once");
}
