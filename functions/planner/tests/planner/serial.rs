//! Walks over a source of another order.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ossferry_core::key::Key;
use ossferry_core::object::{ETag, Entry};
use ossferry_core::ports::ListingOrder;
use ossferry_ledger::rows::PassState;

use crate::source::source_entry;
use crate::world::{Plan, World};

/// As SeaweedFS lists: folder by folder, `a/b` before `a-b`.
fn by_folders() -> Vec<Entry> {
    let mut keys: Vec<String> = (0..300)
        .flat_map(|n| {
            [format!("a/{n:03}"), format!("a-{n:03}"), format!("a/{n:03}/x"), format!("b{n}")]
        })
        .collect();
    keys.sort_by(|one, other| one.split('/').cmp(other.split('/')));
    assert!(!keys.is_sorted());
    keys.into_iter().map(|key| source_entry(Key::from(key), 10)).collect()
}

fn serial(target: Vec<Entry>) -> World {
    let order = ListingOrder::Serial;
    let world = World::new(Plan { source: by_folders(), target, order, ..Plan::default() });
    world.appetite.store(true, Ordering::SeqCst);
    world
}

#[tokio::test]
async fn a_store_that_lists_by_folders_loses_nothing_and_is_not_split() {
    let world = serial(Vec::new());
    world.begin("p1", None).await.unwrap();
    let row = world.finish("p1", 2).await;
    assert_eq!(row.state, PassState::Finished);
    world.assert_each_once("p1").await;
    let totals = row.totals.unwrap();
    assert_eq!((totals.slices, totals.walked.listed), (1, 1_200));
    assert_eq!(totals.walked.target_heads, 0);
}

#[tokio::test]
async fn its_pages_are_compared_with_the_target_rightly() {
    let md5 = Some(ETag::new(&"a".repeat(32)));
    let mut target: Vec<Entry> =
        by_folders().into_iter().map(|entry| Entry { etag: md5.clone(), ..entry }).collect();
    target.retain(|entry| !entry.key.as_bytes().ends_with(b"7"));
    let world = serial(target.clone());
    for entry in &mut world.source.script.lock().unwrap().entries {
        entry.etag.clone_from(&md5);
    }
    world.begin("p1", None).await.unwrap();
    let totals = world.finish("p1", 1).await.totals.unwrap();
    assert_eq!(totals.walked.skipped_equal, target.len() as u64);
    assert_eq!(totals.walked.planned, 1_200 - target.len() as u64);
    let heads = world.target.script.lock().unwrap().heads as u64;
    assert_eq!(totals.walked.target_heads, heads, "what no listing reached is counted");
}

#[tokio::test]
async fn a_serial_walk_is_handed_on_by_its_token() {
    let mut world = serial(Vec::new());
    world.invocation = Duration::from_millis(120);
    world.source.script.lock().unwrap().page_delay = Duration::from_millis(20);
    world.begin("p1", None).await.unwrap();
    let row = world.finish("p1", 1).await;
    assert_eq!(row.state, PassState::Finished, "{:?}", row.reason);
    world.assert_each_once("p1").await;
    let root = world.pass("p1").slice(ossferry_ledger::ids::SliceId::root());
    assert!(world.ledger.slice(&root).await.unwrap().hops >= 2);
}

#[tokio::test]
async fn a_pass_that_began_by_token_is_not_walked_by_keys() {
    let mut world = serial(Vec::new());
    world.invocation = Duration::from_millis(120);
    world.source.script.lock().unwrap().page_delay = Duration::from_millis(20);
    world.begin("p1", None).await.unwrap();
    world.plan_one(&world.planner()).await.unwrap();
    let root = world.pass("p1").slice(ossferry_ledger::ids::SliceId::root());
    assert!(world.ledger.slice(&root).await.unwrap().token.is_some());
    let entries = by_folders();
    world.source =
        crate::source::ScriptedSource::new(entries, ListingOrder::Bytes, 100, world.crash.clone());
    let row = world.finish("p1", 1).await;
    assert_eq!(row.state, PassState::Stopped);
    assert!(row.reason.unwrap().contains("listing order"));
}
