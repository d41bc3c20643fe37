//! Keys that are never listed, and listings that never end.

use std::sync::Arc;

use futures::FutureExt;
use ossferry_conformance::special_keys;
use ossferry_core::key::Key;
use ossferry_ledger::rows::PassState;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::Oss;
use ossferry_tests::pages::Pages;
use ossferry_tests::wire::{Fault, Hook, Rule};
use ossferry_tests::world::World;

use super::{RUN, pass};

/// So few keys a page that a walk over some dozens of them is split.
const FEW: Pages = Pages { keys_max: 4, has_gaps: false };

/// Data Transfer Hub fans out by `/` and leaves out what stands at the levels it passes through
/// (`aws-solutions/data-transfer-hub-cli`, `dth/client.go` L312-343).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_at_every_level_above_and_between_split_folders_arrive() {
    let mut world = World::empty().await;
    world.pages = Some(FEW);
    let mut keys = vec!["zz-top".to_owned(), "m".to_owned(), "m/".to_owned()];
    for outer in 0..6 {
        keys.push(format!("d{outer}"));
        keys.push(format!("d{outer}/"));
        keys.push(format!("d{outer}-beside"));
        for inner in 0..4 {
            keys.push(format!("d{outer}/{inner}"));
            keys.extend((0..3).map(|leaf| format!("d{outer}/{inner}/{leaf}")));
        }
    }
    for key in &keys {
        world.put(&Key::from(key.as_str()), 9).await;
    }
    let report = pass(&mut world.drive(), &world, "p1", None).await;
    let total = keys.len() as u64;
    assert_eq!((report.listed, report.copied), (total, total), "{report:?}");
    assert!(report.slices > 2, "nothing was split: {report:?}");
}

/// Data Transfer Hub's lister takes a place in a channel for every leaf and never gives it back:
/// more prefixes than places hang it (`aws-solutions/data-transfer-hub-cli`, `dth/client.go`
/// L316-321).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_folders_than_slices_and_messages_at_once_do_not_hang_the_walk() {
    let mut world = World::empty().await;
    world.pages = Some(FEW);
    let limits = &world.job.limits;
    let folders = 200;
    assert!(folders > 10 * limits.slices_max && folders > 10 * limits.window_tasks);
    for folder in 0..folders {
        world.put(&Key::from(format!("{folder:03}/only")), 1).await;
    }
    let report = pass(&mut world.drive(), &world, "p1", None).await;
    assert_eq!((report.listed, report.copied), (200, 200), "{report:?}");
}

/// s3p bisects between printable ASCII bounds and doubts its own upper one (`generalui/s3p`,
/// `source/S3Parallel/Lib/S3Keys.caf` L36).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_any_characters_survive_the_splitting_of_their_range() {
    let mut world = World::empty().await;
    world.pages = Some(FEW);
    for key in special_keys("k/") {
        world.put(&key, 5).await;
    }
    for number in 0..40 {
        world.put(&Key::from(format!("k/\u{7f}{number}\u{10FFFF}")), 5).await;
        world.put(&Key::from(format!("\u{1}{number}")), 5).await;
    }
    let total = world.expected.len() as u64;
    let report = pass(&mut world.drive(), &world, "p1", None).await;
    assert_eq!((report.listed, report.copied), (total, total), "{report:?}");
    assert!(report.slices > 1, "nothing was split: {report:?}");
}

/// A transient empty answer ends a worker of juicefs sync for good (`juicedata/juicefs`,
/// `pkg/sync/cluster.go` L243-283).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_page_in_the_middle_ends_the_listing_of_neither_end() {
    let mut world = World::wide().await;
    world.pages = Some(Pages { has_gaps: true, ..FEW });
    let mut drive = world.drive();
    let first = pass(&mut drive, &world, "p1", None).await;
    assert_eq!((first.listed, first.copied), (100, 100), "{first:?}");
    let again = pass(&mut drive, &world, "p2", None).await;
    assert_eq!((again.listed, again.skipped, again.planned), (100, 100, 0), "{again:?}");
}

/// amazon-s3-resumable-upload only prints that a prefix could not be listed, and goes on without it
/// (`aws-samples/amazon-s3-resumable-upload`, `check.go` L203-234).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_of_keys_that_may_not_be_listed_is_no_success() {
    let world = World::wide().await;
    let refused = Rule::first("ListObjectsV2", Fault::Forbidden("AccessDenied")).at(14, u64::MAX);
    world.oss.wire().rule(refused);
    let mut drive = world.drive();
    let pass = drive.begin("p1", None).await;
    let row = drive.until_end(&pass).await;
    assert_eq!(row.state, PassState::Stopped, "{row:?}");
    assert!(row.reason.unwrap().contains("AccessDenied"));
    let listed = drive.ledger().status(&pass).await.unwrap().totals.walked.listed;
    assert!(listed < 100, "all was listed before it stopped");
}

/// ossimport takes a prefix only if it ends with `/` (`aliyun/ossimport` issue 11); Data Transfer
/// Hub lists the wrong ones (`aws-solutions/data-transfer-hub` issue 143); aws s3 sync lists what
/// it does not need (`aws/aws-cli` issue 2800).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prefix_that_ends_within_a_name_takes_what_begins_with_it_and_lists_nothing_else() {
    let oss = Oss::start(clock::system()).await;
    for key in ["2025/x", "2026", "2026-01/a", "2026-02", "2026/a", "2027/a", "202"] {
        let key = Key::from(key);
        oss.origin().put(&key, &bytes_of(&key, 1, 8)).await;
    }
    for number in 0..1_001 {
        let key = Key::from(format!("3/{number}"));
        oss.origin().put(&key, &bytes_of(&key, 1, 1)).await;
    }
    let ossferry = Ossferry::new(&JobFile::from_oss(&oss).source("prefix = \"2026-\""));
    let report = ossferry.run(&RUN).await.expect(0).report();
    assert_eq!((report.listed, report.copied), (2, 2), "{report:?}");
    let arrived: Vec<Key> = oss.target().objects().await.into_keys().collect();
    assert_eq!(arrived, ["01/a", "02"].map(Key::from), "the prefix is replaced by the target's");
    let listings = report.requests.source["ListObjectsV2"];
    assert_eq!(listings, 1, "the whole bucket has two pages");
}

/// Super Slurper may miss what is added while it runs
/// (blog.cloudflare.com/making-super-slurper-five-times-faster).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_added_behind_the_walk_is_taken_by_the_next_pass() {
    let mut world = World::wide().await;
    let (origin, late) = (world.oss.origin(), Key::from("a-first-of-all"));
    let bytes = bytes_of(&late, 1, 11);
    let (key, content) = (late.clone(), bytes.clone());
    let hook: Hook = Arc::new(move || {
        let (origin, key, content) = (origin.clone(), key.clone(), content.clone());
        async move { drop(origin.put(&key, &content).await) }.boxed()
    });
    world.oss.wire().rule(Rule::first("ListObjectsV2", Fault::After(hook)).at(12, 1));
    let mut drive = world.drive();
    let first = pass(&mut drive, &world, "p1", None).await;
    assert_eq!((first.listed, first.copied), (100, 100), "{first:?}");
    world.expected.insert(late, bytes);
    let second = pass(&mut drive, &world, "p2", None).await;
    assert_eq!((second.listed, second.copied, second.skipped), (101, 1, 100), "{second:?}");
}
