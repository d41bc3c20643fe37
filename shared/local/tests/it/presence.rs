//! Workers that die, and what they held.

use std::path::Path;
use std::time::Duration;

use ossferry_core::ports::{Outgoing, Queue};
use ossferry_local::presence::DEAD_GRACE;
use ossferry_local::{Database, Presence};

use crate::database::Process;
use crate::{SteppedClock, clock};

const HOUR: Duration = Duration::from_hours(1);

/// Receives one message for ever and writes its id down.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process that another test starts and kills"]
async fn process_that_holds_a_message() {
    let database = Database::open("state.sqlite", clock()).unwrap();
    let presence = Presence::join(&database).unwrap();
    let received = database.queue("tasks").receive(1, 24 * HOUR, HOUR).await.unwrap();
    assert_eq!(received.len(), 1);
    std::fs::write("worker.new", presence.worker_id()).unwrap();
    std::fs::rename("worker.new", "worker").unwrap();
    // Long enough for any test, and not for ever where the test itself was killed.
    tokio::time::sleep(Duration::from_mins(5)).await;
}

/// A process that holds the only message, and its worker id.
async fn holder(folder: &Path) -> (Process, String) {
    let process = Process::start("presence::process_that_holds_a_message", folder);
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if let Ok(worker_id) = std::fs::read_to_string(folder.join("worker")) {
            return (process, worker_id);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_worker_held_is_released_after_the_grace() {
    let folder = tempfile::tempdir().unwrap();
    // The clocks of the two agree, or what the other hides would be visible here already.
    let stepped = SteppedClock::default();
    stepped.step(Duration::from_millis(u64::try_from(clock()().0).unwrap()));
    let path = folder.path().join("state.sqlite");
    let database = Database::open(&path, stepped.clock()).unwrap();
    let presence = Presence::join(&database).unwrap();
    let queue = database.queue("tasks");
    let _ = queue.send(&[Outgoing::now("message".into())]).await.unwrap();
    let (mut process, worker_id) = holder(folder.path()).await;
    let owner = format!("{worker_id}/task/7");
    let workers = folder.path().join("state.sqlite.workers");
    let files = || std::fs::read_dir(&workers).unwrap().count();
    assert_eq!(files(), 2);

    stepped.step(2 * DEAD_GRACE);
    assert!(!presence.is_dead(&worker_id) && !presence.owner_is_dead(&owner));
    assert_eq!(database.release_dead().await.unwrap(), 0);

    process.kill();
    assert!(presence.is_dead(&worker_id));
    assert!(!presence.owner_is_dead(&owner), "its last bytes may still be on the way");
    assert_eq!(database.release_dead().await.unwrap(), 0);
    assert!(queue.receive(1, HOUR, Duration::ZERO).await.unwrap().is_empty());

    stepped.step(DEAD_GRACE);
    assert!(presence.owner_is_dead(&owner));
    let (released, received) =
        tokio::join!(database.release_dead(), queue.receive(1, HOUR, Duration::from_secs(10)));
    assert_eq!(released.unwrap(), 1);
    assert_eq!(received.unwrap()[0].receive_count, 2);
    assert_eq!(files(), 1, "the dead worker's file is removed");
    assert!(presence.owner_is_dead(&owner), "and it stays dead");
    stepped.step(2 * DEAD_GRACE);
    assert_eq!(database.release_dead().await.unwrap(), 0, "our own message is not released");
}

#[tokio::test]
async fn a_worker_is_alive_as_long_as_its_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    let [a, b] = [(); 2].map(|()| Database::open(&path, clock()).unwrap());
    let here = Presence::join(&a).unwrap();
    let there = Presence::join(&b).unwrap().worker_id().to_owned();
    assert_ne!(here.worker_id(), there);
    assert_eq!(Presence::join(&a).unwrap().worker_id(), here.worker_id());
    assert!(!here.is_dead(&there) && !here.is_dead(here.worker_id()));
    drop(b);
    assert!(here.is_dead(&there));
}

#[tokio::test]
async fn an_owner_that_names_no_worker_is_not_dead() {
    let folder = tempfile::tempdir().unwrap();
    let stepped = SteppedClock::default();
    let path = folder.path().join("state.sqlite");
    let database = Database::open(path, stepped.clock()).unwrap();
    let presence = Presence::join(&database).unwrap();
    for owner in ["", "/", "lambda-request-id", "../state.sqlite/x", &"F".repeat(32)] {
        for _ in 0..2 {
            assert!(!presence.is_dead(owner) && !presence.owner_is_dead(owner), "{owner}");
            stepped.step(2 * DEAD_GRACE);
        }
    }
    let own = format!("{}/x", presence.worker_id());
    assert!(!presence.owner_is_dead(&own));
}
