//! A planner killed at every call of a small job.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ossferry_core::ports::ListingOrder;
use ossferry_ledger::rows::{PassKind, PassState};

use crate::world::{Plan, World, numbered};

fn small(order: ListingOrder) -> World {
    let source = numbered("k", 23);
    let target = numbered("k", 12);
    World::new(Plan { source, target, order, page: 4, task_objects_max: 2 })
}

/// Runs a pass whose first process dies at each call in turn; the totals are always the same.
async fn dies_everywhere(order: ListingOrder, splits: bool, with_effect: bool) {
    let (mut deaths, mut slices) = (0, 0);
    for call in 0.. {
        let world = small(order);
        world.appetite.store(splits, Ordering::SeqCst);
        if splits {
            // So that the search for a split point comes to an end before the walk.
            world.source.script.lock().unwrap().page_delay = Duration::from_millis(2);
        }
        world.crash.at(call, with_effect);
        let begun = world.begin("p1", Some(PassKind::Full)).await;
        if begun.is_ok() {
            let _ = world.plan_all(1).await;
        }
        let died = world.crash.revive();
        world.advance(Duration::from_hours(2));
        world.begin("p1", Some(PassKind::Full)).await.unwrap();
        let row = world.finish("p1", 1).await;
        assert_eq!(row.state, PassState::Finished, "call {call}: {:?}", row.reason);
        let totals = row.totals.unwrap();
        let walked = &totals.walked;
        assert_eq!((walked.listed, walked.planned), (23, 23), "call {call}");
        assert_eq!(totals.sum.objects(), 23, "call {call}");
        world.assert_each_once("p1").await;
        slices = slices.max(totals.slices);
        if !died {
            break;
        }
        deaths += 1;
    }
    assert!(deaths > 40, "{deaths} deaths");
    assert_eq!(slices > 1, splits, "{slices} slices");
}

#[tokio::test]
async fn a_walk_survives_its_planner_wherever_it_dies() {
    dies_everywhere(ListingOrder::Bytes, true, false).await;
}

#[tokio::test]
async fn a_walk_survives_a_lost_answer_wherever_it_is_lost() {
    // Not split, so that one slice is committed in the middle, with a batch open.
    dies_everywhere(ListingOrder::Bytes, false, true).await;
}

#[tokio::test]
async fn a_serial_walk_survives_its_planner_wherever_it_dies() {
    dies_everywhere(ListingOrder::Serial, false, false).await;
    dies_everywhere(ListingOrder::Serial, false, true).await;
}
