//! Planners that meet errors and live: the slice waits for the next one, and nobody is taken for dead.

use std::time::Duration;

use ossferry_core::error::ErrorKind;
use ossferry_core::ports::{Condition, Row, Value, Written};
use ossferry_ledger::ids::{SliceId, objects_row};
use ossferry_ledger::messages::Message;
use ossferry_ledger::rows::{IDLE_HOPS_MAX, PassState, SliceState};

use crate::world::{Plan, World, numbered};

#[tokio::test]
async fn a_listing_that_is_throttled_for_hours_does_not_give_its_slice_up() {
    let world = World::new(Plan { source: numbered("k", 1_000), ..Plan::default() });
    let throttled = (4..34).map(|list| (list, ErrorKind::Throttled));
    world.source.script.lock().unwrap().list_failures.extend(throttled);
    world.begin("p1", None).await.unwrap();
    let row = world.finish("p1", 1).await;
    assert_eq!(row.state, PassState::Finished, "{:?}", row.reason);
    world.assert_each_once("p1").await;
    let slice = world.ledger.slice(&world.pass("p1").slice(SliceId::root())).await.unwrap();
    assert!(slice.hops > 2 * IDLE_HOPS_MAX, "{} invocations", slice.hops);
}

#[tokio::test]
async fn planners_that_only_run_out_of_time_give_a_slice_up() {
    let mut world = World::new(Plan { source: numbered("k", 1_000), ..Plan::default() });
    world.invocation = Duration::from_millis(40);
    world.source.script.lock().unwrap().page_delay = Duration::from_mins(1);
    world.begin("p1", None).await.unwrap();
    let row = world.finish("p1", 1).await;
    let reason = row.reason.unwrap_or_default();
    assert_eq!(row.state, PassState::Stopped, "{reason}");
    assert!(reason.contains("8 planners in a row made no progress"), "{reason}");
}

#[tokio::test]
async fn a_planner_that_cannot_read_what_a_newer_one_wrote_leaves_it_and_counts_as_no_death() {
    let world = World::new(Plan { source: numbered("k", 100), ..Plan::default() });
    world.begin("p1", None).await.unwrap();
    let root = world.pass("p1").slice(SliceId::root());
    let list = list_of_version(99, &root.task(1));
    let written = world.table.put(&list, Condition::Absent).await.unwrap();
    assert!(matches!(written, Written::Done(_)), "{written:?}");

    let message = Message::Slice(root.clone());
    for error in 1..=IDLE_HOPS_MAX + 2 {
        let refused = world.planner().handle(&message, &world.invocation()).await.unwrap_err();
        assert!(refused.to_string().contains("99"), "{refused}");
        let slice = world.ledger.slice(&root).await.unwrap();
        assert_eq!((slice.state, slice.lease.owner), (SliceState::Open, None));
        assert_eq!((slice.idle_hops, slice.failed_hops), (0, error));
        assert!(slice.lease.until > world.ledger.now(), "nobody takes it at once");
        world.advance(Duration::from_mins(10));
    }
    let stands = world.table.get(&list.partition, &list.sort).await.unwrap().unwrap();
    let row = Row { revision: stands.revision + 1, ..list_of_version(1, &root.task(1)) };
    let written = world.table.put(&row, Condition::Revision(stands.revision)).await.unwrap();
    assert!(matches!(written, Written::Done(_)), "{written:?}");
    assert_eq!(world.finish("p1", 1).await.state, PassState::Finished);
    world.assert_each_once("p1").await;
}

/// A list under a fence that every planner writes over.
fn list_of_version(version: i64, task: &ossferry_ledger::ids::TaskRef) -> Row {
    let id = objects_row(task);
    let numbers = [("version", version), ("fence", 0), ("entries", 0)];
    let attributes = numbers.map(|(name, number)| (name.to_owned(), Value::Integer(number)));
    Row {
        partition: id.partition,
        sort: id.sort,
        attributes: attributes.into(),
        blob: Some(Vec::new().into()),
        ..Row::default()
    }
}
