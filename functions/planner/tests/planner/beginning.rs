//! What a trigger makes, and what it may not.

use std::time::Duration;

use ossferry_core::key::Key;
use ossferry_core::time::Timestamp;
use ossferry_ledger::Begun;
use ossferry_ledger::ids::PassId;
use ossferry_ledger::rows::PassKind;
use ossferry_planner::{KeyCount, PlanError, Refusal, Trigger};

use crate::source::{SOURCE_NOW, source_entry};
use crate::world::{Plan, World, numbered};

fn refusal(result: Result<Begun, PlanError>) -> Refusal {
    match result {
        Err(PlanError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_filled_target_needs_a_policy_at_the_first_pass_only() {
    let target = numbered("others/", 130);
    let mut world = World::new(Plan { source: numbered("k", 3), target, ..Plan::default() });
    world.job.policy.overwrite = None;
    let Refusal::TargetFilled { count, examples } = refusal(world.begin("p1", None).await) else {
        panic!()
    };
    assert_eq!(count, KeyCount { at_least: 100, more: true });
    assert_eq!((examples.len(), &examples[0]), (5, &Key::from("others/00000000")));

    world.job.target.prefix = Key::from("elsewhere/");
    let begun = world.begin("p2", None).await.unwrap();
    assert!(matches!(begun, Begun::Running(_)), "nothing is in the scope: {begun:?}");
    world.finish("p2", 1).await;
    let held = source_entry("elsewhere/k", 1);
    let info = crate::source::info_of(&held);
    world.target.script.lock().unwrap().objects.insert(held.key, info);
    let begun = world.begin("p3", None).await.unwrap();
    assert!(matches!(begun, Begun::Running(_)), "the ledger knows the scope: {begun:?}");
}

#[tokio::test]
async fn an_incremental_pass_before_any_full_one_is_refused_and_the_kind_is_chosen() {
    let world = World::new(Plan { source: numbered("k", 3), ..Plan::default() });
    let early = world.begin("p0", Some(PassKind::Incremental)).await;
    assert_eq!(refusal(early), Refusal::NoFullPass);
    let Begun::Running(full) = world.begin("p1", None).await.unwrap() else { panic!() };
    assert_eq!((full.kind, full.t1, full.since), (PassKind::Full, SOURCE_NOW, None));
    world.finish("p1", 1).await;
    let Begun::Running(next) = world.begin("p2", None).await.unwrap() else { panic!() };
    let vouched = SOURCE_NOW.minus(Duration::from_hours(24));
    assert_eq!((next.kind, next.since), (PassKind::Incremental, Some(vouched)));
}

#[tokio::test]
async fn a_since_that_is_given_may_only_be_earlier() {
    let vouched = SOURCE_NOW.minus(Duration::from_hours(24));
    for (given, used) in [(Timestamp(5), Timestamp(5)), (SOURCE_NOW, vouched)] {
        let world = World::new(Plan { source: numbered("k", 3), ..Plan::default() });
        world.begin("p1", None).await.unwrap();
        world.finish("p1", 1).await;
        let trigger =
            Trigger { pass: PassId::from("p2"), kind: None, since: Some(given), reread: None };
        let Begun::Running(row) = world.planner().begin(&world.job, trigger).await.unwrap() else {
            panic!()
        };
        assert_eq!(row.since, Some(used));
    }
}

#[tokio::test]
async fn a_trigger_is_one_pass_however_often_and_another_is_skipped_while_it_runs() {
    let mut world = World::new(Plan { source: numbered("k", 3), ..Plan::default() });
    world.begin("p1", None).await.unwrap();
    let Begun::Running(again) = world.begin("p1", None).await.unwrap() else { panic!() };
    assert_eq!(again.kind, PassKind::Full);
    for kind in [None, Some(PassKind::Incremental), Some(PassKind::Retry)] {
        let begun = world.begin("p2", kind).await.unwrap();
        assert!(matches!(begun, Begun::Skipped { running } if running == PassId::from("p1")));
    }
    let running = world.planner().running(&world.job).await.unwrap().unwrap();
    assert_eq!(running.pass, PassId::from("p1"));
    world.job.filter.exclude = vec!["x".to_owned()];
    let differs = Refusal::ScopeDiffers { running: PassId::from("p1") };
    assert_eq!(refusal(world.begin("p1", None).await), differs);
    world.job.filter.exclude.clear();
    world.finish("p1", 1).await;
    assert!(matches!(world.begin("p1", None).await.unwrap(), Begun::Ended(_)));
}
