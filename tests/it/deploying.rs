//! Jobs that stand in the ledger: deployed, changed, and left alone while a pass runs.

use std::sync::Arc;

use ossferry_conformance::memory::MemoryTable;
use ossferry_core::job::{Job, Limits};
use ossferry_core::key::Key;
use ossferry_core::time::{Clock, Timestamp};
use ossferry_ledger::ids::PassRef;
use ossferry_ledger::rows::{JobRow, PassKind, PassState};
use ossferry_ledger::{BeginPass, Begun, Deployed, Ledger};
use ossferry_local::Database;

fn ledger(folder: &tempfile::TempDir) -> Ledger {
    ledger_by(folder, Arc::new(|| Timestamp(1)))
}

/// A ledger in memory by this clock, with its queues in the folder.
pub(crate) fn ledger_by(folder: &tempfile::TempDir, clock: Clock) -> Ledger {
    let database = Database::open(folder.path().join("queues"), Arc::clone(&clock)).unwrap();
    Ledger::new(
        Arc::new(MemoryTable::default()),
        Arc::new(database.queue("planner")),
        Arc::new(database.queue("copier")),
        clock,
        Arc::new(|_: &str| false),
    )
}

fn named(name: &str) -> Job {
    let job = Job::parse(Job::template()).unwrap();
    Job { name: name.to_owned(), ..job }
}

async fn begin(ledger: &Ledger, job: JobRow, pass: &str) -> PassRef {
    let name = job.name.clone();
    let begin = BeginPass {
        job,
        pass: pass.into(),
        kind: PassKind::Full,
        t1: Timestamp(1),
        since: None,
        outstanding: Vec::<Key>::new(),
        reread: None,
    };
    assert!(matches!(ledger.begin_pass(&begin).await.unwrap(), Begun::Running(_)));
    PassRef { job: name, pass: pass.into() }
}

#[tokio::test]
async fn a_running_pass_keeps_the_definition_that_it_began_with() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder);
    let job = named("photos");
    let standing = |is_new, running| Deployed::Standing { is_new, running };
    assert_eq!(ledger.deploy_job(&job).await.unwrap(), standing(true, None));
    assert_eq!(ledger.deploy_job(&job).await.unwrap(), standing(false, None));

    let first = ledger.deployed_job(&"photos".into()).await.unwrap().unwrap();
    let pass = begin(&ledger, first.clone(), "p1").await;
    let faster = Job { limits: Limits { workers: 9, ..Limits::default() }, ..job.clone() };
    let running = || Some("p1".into());
    assert_eq!(ledger.deploy_job(&faster).await.unwrap(), standing(true, running()));
    let row = ledger.pass(&pass).await.unwrap();
    assert_eq!(Job::from_json(&row.definition).unwrap(), job);
    let second = ledger.deployed_job(&"photos".into()).await.unwrap().unwrap();
    assert_eq!(Job::from_json(&second.definition).unwrap(), faster);
    assert_eq!(second.active_pass, running());

    // Other objects: not while a pass runs.
    let mut elsewhere = faster.clone();
    elsewhere.target.prefix = Key::from("elsewhere/");
    let differs = Deployed::ScopeDiffers { running: "p1".into() };
    assert_eq!(ledger.deploy_job(&elsewhere).await.unwrap(), differs);
    assert_eq!(ledger.deployed_job(&"photos".into()).await.unwrap(), Some(second));
    ledger.end_pass(&pass, PassState::Cancelled, None).await.unwrap();
    assert_eq!(ledger.deploy_job(&elsewhere).await.unwrap(), standing(true, None));

    // A trigger that had read the first definition begins with it, and takes nothing back.
    let pass = begin(&ledger, first, "p2").await;
    let row = ledger.pass(&pass).await.unwrap();
    assert_eq!(Job::from_json(&row.definition).unwrap(), job);
    let third = ledger.deployed_job(&"photos".into()).await.unwrap().unwrap();
    assert_eq!(Job::from_json(&third.definition).unwrap(), elsewhere);
}

#[tokio::test]
async fn every_deployed_job_is_known_by_name_and_a_local_one_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder);
    for name in ["b", "a"] {
        ledger.deploy_job(&named(name)).await.unwrap();
    }
    let job = named("local");
    let local = JobRow {
        name: "local".into(),
        definition: job.to_json(),
        definition_hash: job.definition_hash(),
        scope_hash: job.scope_hash(),
        active_pass: None,
        t2: None,
        deployed_at: None,
    };
    begin(&ledger, local, "p1").await;
    assert_eq!(ledger.deployed_job(&"local".into()).await.unwrap(), None);
    let names: Vec<String> =
        ledger.deployed_jobs().await.unwrap().into_iter().map(|row| row.name.0).collect();
    assert_eq!(names, ["a", "b"]);
}
