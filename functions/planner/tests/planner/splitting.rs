//! Slices split while they are walked.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ossferry_core::key::Key;
use ossferry_core::object::Entry;
use ossferry_ledger::rows::PassState;

use crate::source::source_entry;
use crate::world::{Plan, World, numbered};

async fn walked(source: Vec<Entry>, planners: usize) -> (World, u64) {
    let world = World::new(Plan { source, ..Plan::default() });
    world.appetite.store(true, Ordering::SeqCst);
    world.source.script.lock().unwrap().page_delay = Duration::from_millis(3);
    world.begin("p1", None).await.unwrap();
    let row = world.finish("p1", planners).await;
    assert_eq!(row.state, PassState::Finished, "{:?}", row.reason);
    world.assert_each_once("p1").await;
    // Finishing asserts that the slices tile the key space.
    let slices = row.totals.unwrap().slices;
    (world, slices)
}

#[tokio::test]
async fn a_flat_bucket_is_split_and_its_slices_lose_and_double_nothing() {
    let (world, slices) = walked(numbered("obj-", 8_000), 4).await;
    assert!(slices >= 4, "{slices} slices");
    let script = world.source.script.lock().unwrap();
    assert!(script.probes < 40 * usize::try_from(slices).unwrap(), "{} probes", script.probes);
    assert!(script.keys_listed < 10_000, "{} keys were listed for 8,000", script.keys_listed);
}

#[tokio::test]
async fn folders_and_hashes_are_split_too() {
    let mut source: Vec<Entry> = (0..2_000_u64)
        .map(|n| format!("{:016x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
        .chain((0..2_000).map(|n| format!("logs/{:02}/{:04}", n / 100, n)))
        .chain((0..200).map(|n| format!("é/{n}/x")))
        .map(|key| source_entry(Key::from(key), 1))
        .collect();
    source.sort_by(|one, other| one.key.cmp(&other.key));
    let (_, slices) = walked(source, 3).await;
    assert!(slices >= 2, "{slices} slices");
}

#[tokio::test]
async fn without_appetite_nothing_is_split_and_nothing_is_searched() {
    let world = World::new(Plan { source: numbered("obj-", 2_000), ..Plan::default() });
    world.begin("p1", None).await.unwrap();
    let row = world.finish("p1", 2).await;
    assert_eq!(row.totals.unwrap().slices, 1);
    assert_eq!(world.source.script.lock().unwrap().probes, 0);
}
