//! Walks over a source that lists by bytes.

use std::time::Duration;

use ossferry_core::error::ErrorKind;
use ossferry_core::key::Key;
use ossferry_core::object::{ETag, Entry};
use ossferry_core::outcome::Outcome;
use ossferry_core::time::Timestamp;
use ossferry_ledger::ids::{PassId, SliceId};
use ossferry_ledger::lists::{Action, Expected};
use ossferry_ledger::messages::Message;
use ossferry_ledger::rows::{PassState, SliceState, TaskKind};
use ossferry_ledger::{Handled, Swept};
use ossferry_planner::Trigger;

use crate::source::source_entry;
use crate::world::{Plan, World, numbered};

#[tokio::test]
async fn every_key_of_the_source_is_planned_exactly_once() {
    let mut source = numbered("photos/", 2_345);
    source.push(source_entry("zz/special \u{1}%", 0));
    let world = World::new(Plan { source, ..Plan::default() });
    world.begin("p1", None).await.unwrap();
    let row = world.finish("p1", 1).await;
    assert_eq!(row.state, PassState::Finished);
    world.assert_each_once("p1").await;
    let totals = row.totals.unwrap();
    assert_eq!((totals.walked.listed, totals.walked.planned), (2_346, 2_346));
    assert_eq!((totals.walked.listed_bytes, totals.sum.of(Outcome::Copied)), (23_450, 2_346));
    assert_eq!(totals.tasks, 2_346_u64.div_ceil(70));
    assert_eq!(totals.walked.requests.source["ListObjectsV2"], 24);
    assert_eq!(totals.walked.requests.target["ListObjectsV2"], 1, "an empty target costs one page");
}

#[tokio::test]
async fn a_join_skips_what_is_equal_and_plans_what_differs_or_is_missing() {
    let md5 = |digit: char| Some(ETag::new(&digit.to_string().repeat(32)));
    let mut source = numbered("a/", 900);
    let mut target = Vec::new();
    for (number, entry) in source.iter_mut().enumerate() {
        entry.etag = md5('a');
        let held =
            Entry { key: Key::from(format!("moved{entry}", entry = entry.key)), ..entry.clone() };
        match number % 3 {
            0 => target.push(Entry { etag: Some(ETag::new(&"A".repeat(32))), ..held }),
            1 => target.push(Entry { size: 9, etag: md5('b'), ..held }),
            _ => {}
        }
    }
    // Keys that only the target holds, many of them.
    target.extend((0..700).map(|n| source_entry(Key::from(format!("moveda/00000100-{n:03}")), 1)));
    target.sort_by(|one, other| one.key.cmp(&other.key));
    let mut world = World::new(Plan { source, target, page: 50, ..Plan::default() });
    world.job.target.prefix = Key::from("moved");
    world.begin("p1", None).await.unwrap();
    let row = world.finish("p1", 1).await;
    let totals = row.totals.unwrap();
    assert_eq!((totals.walked.skipped_equal, totals.walked.planned), (300, 600));
    assert!(totals.walked.is_conserved());
    assert_eq!(world.target.script.lock().unwrap().heads, 0, "the listings told everything");
    let planned = world.planned("p1").await;
    assert!(!planned.contains_key(&Key::from("a/00000000")));
    let expected = |key: &str| planned[&Key::from(key)][0].1.expected.clone();
    assert_eq!(expected("a/00000001"), Expected::Present(ETag::new(&"b".repeat(32))));
    assert_eq!(expected("a/00000002"), Expected::Absent);
    let lists = world.target.script.lock().unwrap().lists;
    assert!(lists <= 18, "{lists} pages: a run of the target's own keys is not read through");
}

#[tokio::test]
async fn where_listings_do_not_tell_the_target_is_asked_and_a_refusal_fails_one_object() {
    let plain = numbered("k", 120);
    let held = plain.iter().map(|entry| Entry { etag: Some(ETag::new("T-2")), ..entry.clone() });
    let target = held.collect();
    let world = World::new(Plan { source: plain, target, ..Plan::default() });
    {
        let mut script = world.target.script.lock().unwrap();
        for (key, info) in script.objects.iter_mut().take(50) {
            let provenance = format!("s-{key}-10");
            info.headers.user_metadata.push(("ossferry-source".to_owned(), provenance));
        }
    }
    world.begin("p1", None).await.unwrap();
    let totals = world.finish("p1", 1).await.totals.unwrap();
    assert_eq!((totals.walked.skipped_equal, totals.walked.planned), (50, 70));
    assert_eq!(totals.walked.target_heads, 0, "the listing was joined");
    assert_eq!(totals.walked.requests.target["HeadObject"], 120);
}

#[tokio::test]
async fn large_archived_and_impossible_objects_are_planned_as_what_they_are() {
    let mut world = World::new(Plan {
        source: vec![
            source_entry("/slash", 1),
            Entry { archived: true, ..source_entry("archived", 1) },
            source_entry("large", 65 << 20),
            source_entry("small", 1),
        ],
        ..Plan::default()
    });
    world.job.filter.exclude = vec!["small".to_owned()];
    world.begin("p1", None).await.unwrap();
    world.plan_one(&world.planner()).await.unwrap();
    let planned = world.planned("p1").await;
    let record = |key: &str| match &planned[&Key::from(key)][0].1.action {
        Action::Record { outcome, .. } => Some(*outcome),
        Action::Copy { .. } | Action::Audit(_) => None,
    };
    assert_eq!(record("/slash"), Some(Outcome::Unsupported));
    assert_eq!(record("archived"), Some(Outcome::Archived));
    assert_eq!(record("large"), None);
    assert_eq!(planned[&Key::from("large")][0].0, TaskKind::Upload);
    assert_eq!(planned.len(), 3);
    let status = world.ledger.status(&world.pass("p1")).await.unwrap();
    assert_eq!((status.totals.walked.filtered, status.totals.walked.listed), (1, 4));
}

#[tokio::test]
async fn near_its_deadline_a_walk_is_handed_on_and_nothing_is_lost() {
    let mut world = World::new(Plan { source: numbered("k", 3_000), ..Plan::default() });
    world.invocation = Duration::from_millis(200);
    world.source.script.lock().unwrap().page_delay = Duration::from_millis(20);
    world.begin("p1", None).await.unwrap();
    let row = world.finish("p1", 1).await;
    assert_eq!(row.state, PassState::Finished, "{:?}", row.reason);
    world.assert_each_once("p1").await;
    let root = world.pass("p1").slice(SliceId::root());
    let slice = world.ledger.slice(&root).await.unwrap();
    assert!(slice.hops >= 3, "{} invocations", slice.hops);
    assert_eq!(slice.state, SliceState::Settled);
}

#[tokio::test]
async fn a_throttled_listing_is_gone_on_with_later_and_a_refused_one_stops_the_pass() {
    let world = World::new(Plan { source: numbered("k", 1_000), ..Plan::default() });
    world.source.script.lock().unwrap().list_failures.insert(4, ErrorKind::Throttled);
    world.begin("p1", None).await.unwrap();
    assert_eq!(world.finish("p1", 1).await.state, PassState::Finished);
    world.assert_each_once("p1").await;

    for (kind, cause) in [
        (ErrorKind::AccountRefused, "scripted"),
        (ErrorKind::PageRepeated, "scripted"),
        (ErrorKind::OutOfOrder, "listing_order"),
    ] {
        let world = World::new(Plan { source: numbered("k", 1_000), ..Plan::default() });
        world.source.script.lock().unwrap().list_failures.insert(4, kind);
        world.begin("p1", None).await.unwrap();
        let row = world.finish("p1", 1).await;
        assert_eq!(row.state, PassState::Stopped);
        assert!(row.reason.as_ref().unwrap().contains(cause), "{:?}", row.reason);
    }
}

#[tokio::test]
async fn a_store_that_vouches_for_byte_order_and_lists_otherwise_stops_the_pass() {
    let mut source = numbered("a/", 250);
    source.push(source_entry("a-b", 1));
    let world = World::new(Plan { source, ..Plan::default() });
    world.begin("p1", None).await.unwrap();
    let row = world.finish("p1", 1).await;
    assert_eq!(row.state, PassState::Stopped);
    let reason = row.reason.unwrap();
    assert!(reason.contains("out of order: a-b") && reason.contains("listing_order"), "{reason}");
    let status = world.ledger.status(&world.pass("p1")).await.unwrap();
    assert!(status.totals.walked.listed <= 200, "no key of the wrong page was committed");
}

#[tokio::test]
async fn a_planner_whose_slice_was_taken_over_stops_quietly() {
    let mut world = World::new(Plan { source: numbered("k", 800), ..Plan::default() });
    world.invocation = Duration::from_secs(3);
    world.source.script.lock().unwrap().page_delay = Duration::from_millis(20);
    world.begin("p1", None).await.unwrap();
    let planner = world.planner();
    let slow = world.plan_one(&planner);
    let fast = async {
        tokio::time::sleep(Duration::from_millis(60)).await;
        world.advance(Duration::from_mins(5));
        world.ledger.sweep(&world.pass("p1"), 64, Duration::ZERO).await.unwrap();
        world.plan_one(&world.planner()).await.unwrap();
    };
    let (slow, ()) = tokio::join!(slow, fast);
    assert!(slow.unwrap());
    assert_eq!(world.finish("p1", 1).await.state, PassState::Finished);
    world.assert_each_once("p1").await;
}

#[tokio::test]
async fn while_a_window_is_closed_planning_is_swept_on_and_no_copier_is_told_again() {
    let world = World::new(Plan { source: numbered("k", 300), ..Plan::default() });
    world.begin("p1", None).await.unwrap();
    let (pass, idle) = (world.pass("p1"), Duration::from_mins(10));
    let closed = async || world.ledger.sweep_while_closed(&pass, 64, idle).await.unwrap();
    assert_eq!(world.lose_messages().await, (1, 0), "the slice's");
    assert_eq!(closed().await, Swept { slices: 1, tasks: 0 });
    world.plan_all(1).await.unwrap();
    assert_eq!(world.lose_messages().await, (0, 5), "of the five batches");
    world.advance(Duration::from_hours(1));
    assert_eq!(closed().await, Swept::default());
    assert_eq!(world.lose_messages().await, (0, 0));

    let opened = world.ledger.sweep(&pass, 64, idle).await.unwrap();
    assert_eq!(opened, Swept { slices: 0, tasks: 5 });
    assert_eq!(world.copy_all(|_| Outcome::Copied).await, 5);
    assert_eq!(world.finish("p1", 1).await.state, PassState::Finished);
}

#[tokio::test]
async fn an_object_dated_before_since_counts_as_equal_only_in_an_incremental_pass() {
    let source = numbered("k", 100);
    let world = World::new(Plan { source: source.clone(), ..Plan::default() });
    world.begin("full", None).await.unwrap();
    assert_eq!(world.finish("full", 1).await.state, PassState::Finished);
    {
        let mut script = world.target.script.lock().unwrap();
        for entry in &source {
            let held = Entry { etag: Some(ETag::new("T-2")), ..entry.clone() };
            script.objects.insert(entry.key.clone(), crate::source::info_of(&held));
        }
        let mut script = world.source.script.lock().unwrap();
        script.entries[7].last_modified = Some(Timestamp(crate::source::SOURCE_NOW.0 + 1));
        script.entries[8].size = 11;
    }
    world.begin("later", None).await.unwrap();
    let row = world.finish("later", 1).await;
    let totals = row.totals.unwrap();
    assert_eq!((totals.walked.skipped_equal, totals.walked.planned), (98, 2));
    assert_eq!(
        totals.walked.requests.target["HeadObject"], 1,
        "only the one dated later was asked for"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_may_handle_each_message_in_a_task_of_its_own() {
    let world = World::new(Plan { source: numbered("k", 300), ..Plan::default() });
    let (planner, invocation) = (world.planner(), world.invocation());
    let root = world.pass("p1").slice(SliceId::root());
    let job = world.job.clone();
    let handled = tokio::spawn(async move {
        let message = Message::Slice(root);
        let trigger = Trigger { pass: PassId::from("p1"), kind: None, since: None, reread: None };
        planner.begin(&job, trigger).await.unwrap();
        assert!(planner.running(&job).await.unwrap().is_some());
        planner.handle(&message, &invocation).await
    });
    assert_eq!(handled.await.unwrap().unwrap(), Handled::Done);
    world.assert_each_once("p1").await;
}
