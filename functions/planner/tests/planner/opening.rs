//! Large objects: opened once, cleared up after, given up by name.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ossferry_core::error::ErrorKind;
use ossferry_core::key::Key;
use ossferry_core::object::ETag;
use ossferry_core::outcome::Outcome;
use ossferry_core::ports::ListedUpload;
use ossferry_ledger::ids::{SliceId, TaskRef};
use ossferry_ledger::messages::Message;
use ossferry_ledger::rows::{AbortReason, PassState, UploadState};
use ossferry_ledger::{Handled, LEASE_MARGIN, UploadTurn};
use tokio::sync::Notify;
use tokio::task::yield_now;

use crate::source::source_entry;
use crate::target::TARGET_NOW;
use crate::world::{Plan, World};

const LARGE: u64 = 200 << 20;

async fn planned() -> (World, TaskRef) {
    let source = vec![source_entry("large", LARGE)];
    let world = World::new(Plan { source, ..Plan::default() });
    world.begin("p1", None).await.unwrap();
    assert!(world.plan_one(&world.planner()).await.unwrap());
    let task = world.pass("p1").slice(SliceId::root()).task(1);
    (world, task)
}

async fn open(world: &World, task: &TaskRef) -> Handled {
    let message = Message::Upload(task.clone());
    world.planner().handle(&message, &world.invocation()).await.unwrap()
}

fn leftover(id: &str, key: &str, initiated: i64) -> ListedUpload {
    ListedUpload {
        key: Key::from(key),
        upload_id: id.to_owned(),
        initiated: ossferry_core::time::Timestamp(TARGET_NOW.0 + initiated),
    }
}

/// A planner took the attempt and died.
async fn lose_planner(world: &World, task: &TaskRef) {
    let claimant = world.ledger.claimant_of(&world.invocation());
    let turn = world.ledger.take_upload(task, &claimant, TARGET_NOW).await.unwrap();
    assert!(matches!(turn, UploadTurn::Opening { .. }), "{turn:?}");
    world.advance(Duration::from_hours(1));
}

#[tokio::test]
async fn a_large_object_is_opened_once_and_all_its_ranges_are_written() {
    let (world, task) = planned().await;
    for _ in 0..2 {
        assert_eq!(open(&world, &task).await, Handled::Done);
    }
    let upload = world.ledger.upload(&task, 1).await.unwrap();
    assert_eq!((upload.state, upload.size), (UploadState::Open, LARGE));
    assert_eq!(upload.pinned_etag, Some(ETag::new(&format!("s-large-{LARGE}"))));
    assert_eq!((upload.part_bytes, upload.ranges_sent), (32 << 20, upload.ranges));
    assert_eq!(upload.requests.target["InitiateMultipartUpload"], 1);
    let ranges = world.ledger.ranges(&task, &upload).await.unwrap();
    let parts: u32 = ranges.iter().map(|range| range.parts).sum();
    assert_eq!((parts, ranges.len() as u64), (7, upload.ranges));
    let script = world.target.script.lock().unwrap();
    assert_eq!(script.initiated.len(), 1);
    let remembered = ("ossferry-source".to_owned(), format!("s-large-{LARGE}"));
    assert_eq!(script.initiated[0].headers.user_metadata, [remembered]);
}

#[tokio::test]
async fn whoever_reopens_aborts_the_uploads_of_exactly_this_key_and_begins_its_own() {
    let (world, task) = planned().await;
    lose_planner(&world, &task).await;
    {
        let mut script = world.target.script.lock().unwrap();
        script.uploads = vec![
            leftover("older", "large", -60_000),
            leftover("filled", "large", 0),
            leftover("empty", "large", 1),
            leftover("second", "large", 2),
            leftover("other", "large-too", 0),
        ];
        script.with_parts = vec!["filled".to_owned()];
    }
    assert_eq!(open(&world, &task).await, Handled::Done);
    let upload = world.ledger.upload(&task, 1).await.unwrap();
    assert_eq!(upload.lease.fence, 2);
    let script = world.target.script.lock().unwrap();
    assert_eq!(script.aborted, ["filled", "empty", "second"]);
    assert_eq!(script.initiated.len(), 1);
}

#[tokio::test]
async fn what_came_to_exist_after_another_took_over_is_aborted_by_whoever_began_it() {
    let (world, task) = planned().await;
    let arrives = Arc::new(Notify::new());
    world.target.script.lock().unwrap().initiate_on_its_way = Some(arrives.clone());
    let another = async {
        while world.target.script.lock().unwrap().initiate_on_its_way.is_some() {
            yield_now().await;
        }
        // By a clock that is an hour ahead.
        world.advance(Duration::from_hours(1));
        assert_eq!(open(&world, &task).await, Handled::Done);
        world.clock.fetch_sub(3_600_000, Ordering::SeqCst);
        arrives.notify_one();
    };
    let (handled, ()) = tokio::join!(open(&world, &task), another);
    assert_eq!(handled, Handled::Done);
    let upload = world.ledger.upload(&task, 1).await.unwrap();
    assert_eq!((upload.lease.fence, upload.upload_id.as_deref()), (2, Some("u1")));
    let script = world.target.script.lock().unwrap();
    assert_eq!(script.aborted, ["u2"]);
    let left: Vec<_> = script.uploads.iter().map(|upload| upload.upload_id.as_str()).collect();
    assert_eq!(left, ["u1"], "the one that the ranges are written into");
}

#[tokio::test]
async fn an_object_that_changes_three_times_is_deferred_and_its_uploads_are_aborted() {
    let (world, task) = planned().await;
    for generation in 1..=3 {
        assert_eq!(open(&world, &task).await, Handled::Done);
        let changed = AbortReason::Changed;
        world
            .ledger
            .abandon_upload(&task, generation, changed, None, Duration::ZERO)
            .await
            .unwrap();
    }
    assert_eq!(open(&world, &task).await, Handled::Done);
    assert_eq!(open(&world, &task).await, Handled::Done);
    let row = world.ledger.pass(&world.pass("p1")).await.unwrap();
    assert_eq!(row.state, PassState::Finished);
    assert_eq!(row.totals.unwrap().sum.of(Outcome::Deferred), 1);
    let script = world.target.script.lock().unwrap();
    assert!(script.uploads.is_empty(), "{:?}", script.uploads);
    assert_eq!(script.initiated.len(), 3);
}

#[tokio::test]
async fn what_the_source_says_of_the_object_decides_its_outcome() {
    for (size, failure, outcome) in [
        (LARGE, Some(ErrorKind::NoSuchKey), Outcome::Gone),
        (LARGE, Some(ErrorKind::Archived), Outcome::Archived),
        (LARGE, Some(ErrorKind::AccessDenied), Outcome::Failed),
        (0, None, Outcome::Deferred),
    ] {
        let (world, task) = planned().await;
        {
            let mut script = world.source.script.lock().unwrap();
            script.entries[0].size = size;
            script.head_failures.extend(failure.map(|kind| (Key::from("large"), kind)));
        }
        assert_eq!(open(&world, &task).await, Handled::Done);
        let row = world.ledger.pass(&world.pass("p1")).await.unwrap();
        assert_eq!(row.state, PassState::Finished, "{outcome}");
        assert_eq!(row.totals.unwrap().sum.of(outcome), 1, "{outcome}");
        assert!(world.target.script.lock().unwrap().uploads.is_empty());
    }
}

#[tokio::test]
async fn a_store_that_fails_for_now_is_asked_again_and_a_refused_account_stops_the_pass() {
    let (world, task) = planned().await;
    let fail = |kind| {
        let mut script = world.source.script.lock().unwrap();
        script.head_failures.insert(Key::from("large"), kind);
    };
    fail(ErrorKind::Throttled);
    let first = open(&world, &task).await;
    assert_eq!(first, Handled::Later(Duration::from_secs(5)));
    let early = open(&world, &task).await;
    assert!(matches!(early, Handled::Later(left) if left <= Duration::from_secs(5)), "{early:?}");
    world.advance(Duration::from_secs(5));
    assert_eq!(open(&world, &task).await, Handled::Later(Duration::from_secs(10)));
    world.advance(Duration::from_secs(10));
    world.source.script.lock().unwrap().head_failures.clear();
    assert_eq!(open(&world, &task).await, Handled::Done);
    assert_eq!(world.ledger.upload(&task, 3).await.unwrap().state, UploadState::Open);

    let (world, task) = planned().await;
    let kind = ErrorKind::AccountRefused;
    world.source.script.lock().unwrap().head_failures.insert(Key::from("large"), kind);
    assert_eq!(open(&world, &task).await, Handled::Done);
    let row = world.ledger.pass(&world.pass("p1")).await.unwrap();
    assert_eq!(row.state, PassState::Stopped);
}

#[tokio::test]
async fn the_next_attempt_waits_for_a_request_to_begin_that_may_be_on_its_way() {
    let (world, task) = planned().await;
    world.target.script.lock().unwrap().initiate_failure = Some(ErrorKind::Timeout);
    assert_eq!(open(&world, &task).await, Handled::Later(LEASE_MARGIN));
    assert!(matches!(open(&world, &task).await, Handled::Later(_)), "not before");
    world.advance(LEASE_MARGIN);
    assert_eq!(open(&world, &task).await, Handled::Done);
    assert_eq!(world.target.script.lock().unwrap().aborted, ["u1"]);
    assert_eq!(world.target.script.lock().unwrap().uploads.len(), 1);
}

#[tokio::test]
async fn an_opening_survives_its_planner_wherever_it_dies() {
    for with_effect in [false, true] {
        for call in 0.. {
            let (world, task) = planned().await;
            world.crash.at(call, with_effect);
            let message = Message::Upload(task.clone());
            let _ = world.planner().handle(&message, &world.invocation()).await;
            let died = world.crash.revive();
            world.advance(Duration::from_hours(1));
            assert_eq!(open(&world, &task).await, Handled::Done, "call {call}");
            let uploads = world.ledger.uploads(&task).await.unwrap();
            let upload = uploads.last().unwrap();
            assert_eq!(upload.state, UploadState::Open, "call {call}");
            assert_eq!(upload.ranges_sent, upload.ranges, "call {call}");
            let ranges = world.ledger.ranges(&task, upload).await.unwrap();
            assert_eq!(ranges.len() as u64, upload.ranges, "call {call}");
            {
                let script = world.target.script.lock().unwrap();
                let left: Vec<_> = script.uploads.iter().map(|left| &left.upload_id).collect();
                assert_eq!(left, [upload.upload_id.as_ref().unwrap()], "call {call}");
            }
            if !died {
                assert!(call > 10, "only {call} calls");
                break;
            }
        }
    }
}

#[tokio::test]
async fn the_uploads_of_a_cancelled_pass_are_aborted_once_and_of_a_running_one_never() {
    let (world, task) = planned().await;
    open(&world, &task).await;
    let pass = world.pass("p1");
    assert_eq!(world.planner().clear_uploads(&pass).await.unwrap().aborted, 0, "the pass runs");
    world.ledger.end_pass(&pass, PassState::Cancelled, None).await.unwrap();
    assert_eq!(world.planner().clear_uploads(&pass).await.unwrap().aborted, 1);
    assert_eq!(world.planner().clear_uploads(&pass).await.unwrap().aborted, 0, "it was noted");
    let upload = world.ledger.upload(&task, 1).await.unwrap();
    assert_eq!(upload.abort_reason, Some(AbortReason::Ended));
    let id = upload.upload_id.unwrap();
    assert_eq!(world.target.script.lock().unwrap().aborted, [id]);
}

#[tokio::test]
async fn an_upload_that_a_lost_planner_did_not_name_is_aborted_by_its_key_and_date() {
    let (world, task) = planned().await;
    lose_planner(&world, &task).await;
    world.target.script.lock().unwrap().uploads = vec![
        leftover("older", "large", -60_000),
        leftover("lost", "large", 1),
        leftover("sibling", "large-too", 1),
    ];
    let pass = world.pass("p1");
    world.ledger.end_pass(&pass, PassState::Stopped, Some("key revoked")).await.unwrap();
    assert_eq!(world.planner().clear_uploads(&pass).await.unwrap().aborted, 1);
    assert_eq!(world.target.script.lock().unwrap().aborted, ["lost"]);
}
