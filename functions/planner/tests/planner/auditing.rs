//! What an audit plans, and that it asks for nothing but listings.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ossferry_core::audit::Share;
use ossferry_core::key::Key;
use ossferry_core::object::{ETag, Entry};
use ossferry_core::outcome::Outcome;
use ossferry_core::ports::ListingOrder;
use ossferry_ledger::Begun;
use ossferry_ledger::ids::PassId;
use ossferry_ledger::lists::{Action, Audited, Expected};
use ossferry_ledger::rows::PassKind;
use ossferry_planner::{PlanError, Refusal, Trigger};
use proptest::prelude::*;

use crate::source::source_entry;
use crate::world::{Plan, World, numbered};

const AUDIT: Option<PassKind> = Some(PassKind::Audit);

/// An entry whose `ETag` both stores show as an MD5.
fn plain(key: &str, size: u64) -> Entry {
    Entry { etag: Some(ETag::new(&format!("{size:032x}"))), ..source_entry(key, size) }
}

#[tokio::test]
async fn what_only_the_target_holds_is_filtered_by_its_size() {
    let target = vec![plain("folder/", 0), plain("large", 2), plain("small", 1)];
    let mut world = World::new(Plan { target, ..Plan::default() });
    world.job.filter.size_min = Some(2);
    world.job.policy.overwrite = None;
    assert!(matches!(world.begin("a1", AUDIT).await, Ok(Begun::Running(_))));
    world.plan_all(1).await.unwrap();
    let planned = world.planned("a1").await;
    assert_eq!(planned.keys().collect::<Vec<_>>(), [&Key::from("large")]);
}

#[tokio::test]
async fn what_the_listings_show_equal_is_counted_and_the_rest_is_for_copiers_to_ask_about() {
    let source = vec![
        source_entry("/slash", 1),
        plain("b/equal", 3),
        plain("b/larger", 4),
        plain("b/missing", 5),
        source_entry("b/unclear", 6),
        plain("hidden/x", 7),
        plain("huge", 60 << 40),
    ];
    let target = vec![
        plain("a/extra", 1),
        plain("b/equal", 3),
        plain("b/larger", 9),
        source_entry("b/unclear", 6),
        plain("hidden/extra", 7),
        plain("z/extra", 0),
    ];
    let mut world = World::new(Plan { source, target, page: 2, ..Plan::default() });
    world.job.filter.exclude = vec!["hidden/**".to_owned()];
    world.job.policy.overwrite = None;
    assert!(matches!(world.begin("a1", AUDIT).await, Ok(Begun::Running(_))), "it writes nothing");
    world.plan_all(1).await.unwrap();
    let planned = world.planned("a1").await;
    let action = |key: &str| &planned[&Key::from(key)][0].1.action;
    let expected = |key: &str| &planned[&Key::from(key)][0].1.expected;
    assert!(matches!(action("/slash"), Action::Record { .. }), "OSS cannot hold it");
    for key in ["b/larger", "b/missing", "b/unclear", "huge"] {
        assert_eq!(*action(key), Action::Audit(Audited::Answers), "{key}");
    }
    for key in ["a/extra", "z/extra"] {
        assert_eq!(*action(key), Action::Audit(Audited::Extra), "{key}");
    }
    assert_eq!(*expected("b/missing"), Expected::Absent);
    assert!(matches!(expected("b/larger"), Expected::Present(_)));
    assert_eq!(planned.len(), 7, "{:?}", planned.keys());
    let status = world.ledger.status(&world.pass("a1")).await.unwrap();
    let walked = &status.totals.walked;
    assert_eq!((walked.listed, walked.filtered, walked.skipped_equal), (10, 2, 1));
    assert!(walked.is_conserved(), "{walked:?}");
    let script = world.target.script.lock().unwrap();
    assert_eq!((script.heads, script.initiated.len()), (0, 0), "a copier asks, and nobody uploads");
}

#[tokio::test]
async fn bytes_are_to_be_read_again_of_exactly_the_share_even_where_the_listings_are_equal() {
    let keys: Vec<Entry> = (0..300).map(|n| plain(&format!("k{n:04}"), n)).collect();
    let world = World::new(Plan { source: keys.clone(), target: keys.clone(), ..Plan::default() });
    let share = Share::from_text("20%");
    let trigger = Trigger { pass: PassId::from("a1"), kind: AUDIT, since: None, reread: share };
    world.planner().begin(&world.job, trigger).await.unwrap();
    world.plan_all(1).await.unwrap();
    let planned = world.planned("a1").await;
    let want: BTreeSet<Key> =
        keys.into_iter().map(|entry| entry.key).filter(|key| share.unwrap().holds(key)).collect();
    assert!((30..90).contains(&want.len()));
    assert!(planned.keys().eq(&want));
    let is_read = |action: &Action| *action == Action::Audit(Audited::Bytes);
    assert!(planned.values().all(|objects| is_read(&objects[0].1.action)));
}

#[tokio::test]
async fn a_source_of_another_order_is_compared_key_by_key_and_then_the_target_is_looked_through() {
    let source = vec![plain("b", 1), plain("a", 2), plain("c", 3), plain("hidden/a", 1)];
    let target = vec![
        plain("a", 2),
        plain("a/extra", 1),
        plain("b", 7),
        plain("hidden/a", 1),
        plain("hidden/extra", 1),
        plain("x/extra", 1),
    ];
    let order = ListingOrder::Serial;
    let mut world = World::new(Plan { source, target, order, page: 2, ..Plan::default() });
    world.job.filter.exclude = vec!["hidden/**".to_owned()];
    world.begin("a1", AUDIT).await.unwrap();
    world.plan_all(1).await.unwrap();
    let planned = world.planned("a1").await;
    let keys: Vec<String> = planned.keys().map(Key::to_string).collect();
    assert_eq!(keys, ["a/extra", "b", "c", "x/extra"]);
    for (key, objects) in &planned {
        let is_extra = objects[0].1.action == Action::Audit(Audited::Extra);
        assert_eq!(is_extra, key.to_string().ends_with("extra"), "{key}");
    }
    let status = world.ledger.status(&world.pass("a1")).await.unwrap();
    let walked = &status.totals.walked;
    // What the filter leaves out at the target is counted where the source lists it, and nowhere else.
    assert_eq!((walked.listed, walked.filtered, walked.skipped_equal), (6, 1, 1));
    assert!(walked.is_conserved(), "{walked:?}");
}

#[tokio::test]
async fn an_audit_counts_as_no_pass_that_copies() {
    let target = vec![plain("old", 1)];
    let mut world = World::new(Plan { source: numbered("k", 3), target, ..Plan::default() });
    world.job.policy.overwrite = None;
    world.begin("a1", AUDIT).await.unwrap();
    world.finish("a1", 1).await;
    let refused = world.begin("p0", None).await;
    assert!(matches!(refused, Err(PlanError::Refused(Refusal::TargetFilled { .. }))));
    world.target.script.lock().unwrap().objects.clear();
    let Begun::Running(full) = world.begin("p1", None).await.unwrap() else { panic!() };
    assert_eq!(full.kind, PassKind::Full);
    world.finish("p1", 1).await;
    let since = |begun| match begun {
        Begun::Running(row) => row.since,
        begun => panic!("{begun:?}"),
    };
    let next = since(world.begin("p2", None).await.unwrap());
    world.finish("p2", 1).await;
    let Begun::Running(audit) = world.begin("a2", AUDIT).await.unwrap() else { panic!() };
    assert_eq!(audit.since, None, "an audit trusts no date");
    world.finish("a2", 1).await;
    assert_eq!(since(world.begin("p3", None).await.unwrap()), next);
}

#[tokio::test]
async fn what_an_audit_finds_is_taken_by_the_next_pass_with_what_was_outstanding_before() {
    let world = World::new(Plan { source: numbered("k", 4), ..Plan::default() });
    let key = |number: usize| numbered("k", 4)[number].key.clone();
    world.begin("p1", None).await.unwrap();
    world.plan_all(1).await.unwrap();
    let failed = key(1);
    let outcome = |key: &Key| if *key == failed { Outcome::Failed } else { Outcome::Copied };
    world.copy_all(outcome).await;
    world.advance(Duration::from_secs(1));
    world.begin("a1", AUDIT).await.unwrap();
    world.plan_all(1).await.unwrap();
    let (different, missing, extra) = (key(0), key(2), key(3));
    world
        .copy_all(|key| match key {
            key if *key == different => Outcome::Different,
            key if *key == missing => Outcome::Missing,
            key if *key == extra => Outcome::ExtraAtTarget,
            _ => Outcome::Equal,
        })
        .await;
    world.advance(Duration::from_secs(1));
    world.begin("r1", Some(PassKind::Retry)).await.unwrap();
    world.plan_all(1).await.unwrap();
    let planned = world.planned("r1").await;
    assert!(planned.keys().eq([&different, &failed, &missing]), "{:?}", planned.keys());
}

#[tokio::test]
async fn only_an_audit_is_asked_to_read_again() {
    let world = World::new(Plan { source: numbered("k", 1), ..Plan::default() });
    let reread = Share::from_text("5%");
    let trigger = Trigger { pass: PassId::from("p1"), kind: None, since: None, reread };
    let refused = world.planner().begin(&world.job, trigger).await;
    assert!(matches!(refused, Err(PlanError::Refused(Refusal::RereadWithout(PassKind::Full)))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Whatever the pages and the splits, and wherever an invocation ends.
    #[test]
    fn every_key_of_either_side_is_planned_once(
        source in prop::collection::btree_set("[a-c/]{1,3}", 0..60),
        target in prop::collection::btree_set("[a-c/]{1,3}", 0..60),
        page in 1_u32..9,
        splits: bool,
        is_short: bool,
        is_serial: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let is_held = |key: &&String| !key.starts_with('/');
            let entries = |keys: &BTreeSet<String>, size| -> Vec<Entry> {
                keys.iter().filter(is_held).map(|key| plain(key, size)).collect()
            };
            let (at_source, at_target) = (entries(&source, 1), entries(&target, 2));
            let mut world = World::new(Plan {
                source: at_source.clone(),
                target: at_target.clone(),
                page,
                task_objects_max: 3,
                order: if is_serial { ListingOrder::Serial } else { ListingOrder::Bytes },
            });
            world.appetite.store(splits, Ordering::SeqCst);
            if is_short {
                world.source.script.lock().unwrap().page_delay = Duration::from_millis(2);
                world.invocation = Duration::from_millis(12);
            }
            world.begin("a1", AUDIT).await.unwrap();
            for _ in 0..200 {
                world.plan_all(if splits { 3 } else { 1 }).await.unwrap();
                if world.ledger.slices_unwalked(&world.pass("a1")).await.unwrap() == 0 {
                    break;
                }
                world.advance(Duration::from_mins(30));
            }
            let planned = world.planned("a1").await;
            let both = at_source.iter().chain(&at_target).map(|entry| entry.key.clone());
            let want: BTreeSet<Key> = both.collect();
            assert!(planned.keys().eq(&want), "{:?} {want:?}", planned.keys());
            for (key, objects) in planned {
                assert_eq!(objects.len(), 1, "{key} was planned twice");
                let is_extra = objects[0].1.action == Action::Audit(Audited::Extra);
                assert_eq!(is_extra, !at_source.iter().any(|entry| entry.key == key), "{key}");
            }
        });
    }
}
