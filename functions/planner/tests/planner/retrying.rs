//! Passes over what earlier ones left undone.

use ossferry_core::error::ErrorKind;
use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use ossferry_ledger::Begun;
use ossferry_ledger::lists::Action;
use ossferry_ledger::rows::{PassKind, PassState};
use ossferry_planner::{PlanError, Refusal};

use crate::world::{Plan, World, numbered};

#[tokio::test]
async fn a_retry_gives_every_outstanding_key_its_outcome_and_looks_at_no_other() {
    let world = World::new(Plan { source: numbered("k", 500), ..Plan::default() });
    let nothing = world.begin("r0", Some(PassKind::Retry)).await.unwrap_err();
    assert!(matches!(nothing, PlanError::Refused(Refusal::NothingOutstanding)), "{nothing}");

    world.begin("full", None).await.unwrap();
    world.plan_all(1).await.unwrap();
    let fails = |key: &Key| key.as_bytes().ends_with(b"9");
    let outcome = |key: &Key| if fails(key) { Outcome::Failed } else { Outcome::Copied };
    world.copy_all(outcome).await;
    let row = world.ledger.pass(&world.pass("full")).await.unwrap();
    assert_eq!(row.state, PassState::Finished);

    let (gone, denied) = (Key::from("k00000009"), Key::from("k00000019"));
    {
        let mut script = world.source.script.lock().unwrap();
        script.entries.retain(|entry| entry.key != gone);
        script.head_failures.insert(denied.clone(), ErrorKind::AccessDenied);
        script.lists = 0;
    }
    let begun = world.begin("retry", Some(PassKind::Retry)).await.unwrap();
    assert!(matches!(begun, Begun::Running(_)));
    let row = world.finish("retry", 2).await;
    assert_eq!(row.state, PassState::Finished, "{:?}", row.reason);
    let totals = row.totals.unwrap();
    assert_eq!((totals.walked.listed, totals.walked.planned), (50, 50));
    assert_eq!(totals.sum.of(Outcome::Gone), 1);
    assert_eq!((totals.sum.of(Outcome::Failed), totals.sum.of(Outcome::Copied)), (1, 48));
    assert_eq!(world.source.script.lock().unwrap().lists, 0, "nothing is listed");
    let planned = world.planned("retry").await;
    let Action::Record { reason, .. } = &planned[&denied][0].1.action else { panic!() };
    assert!(reason.contains("scripted"), "{reason}");

    // What is still outstanding is looked at by the next incremental pass, whatever its date.
    world.source.script.lock().unwrap().head_failures.clear();
    world.begin("later", None).await.unwrap();
    let row = world.ledger.pass(&world.pass("later")).await.unwrap();
    assert_eq!(row.kind, PassKind::Incremental);
    assert_eq!(world.ledger.outstanding_keys(&world.pass("later")).await.unwrap(), [denied]);
}
