//! How many copiers of a job work at once, where they come by themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::future::join_all;
use ossferry_core::time::Timestamp;
use ossferry_ledger::ids::JobName;

use crate::deploying::ledger_by;

#[tokio::test]
async fn of_fifty_copiers_at_once_as_many_find_a_place_as_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let seconds = Arc::new(AtomicI64::new(0));
    let shown = Arc::clone(&seconds);
    let clock = Arc::new(move || Timestamp(shown.load(Ordering::Relaxed) * 1_000));
    let (ledger, job) = (ledger_by(&folder, clock), JobName("photos".to_owned()));
    let until = Timestamp(60_000);
    let owners: Vec<String> = (0..50).map(|number| format!("copier-{number}")).collect();
    let asked = owners.iter().map(|owner| ledger.take_place(&job, None, owner, 8, until));
    let found = join_all(asked).await.into_iter().map(Result::unwrap);
    let mut found: Vec<(u32, &String)> =
        found.zip(&owners).filter_map(|(place, owner)| Some((place?, owner))).collect();
    found.sort_unstable();
    assert_eq!(
        found.iter().map(|(place, _)| *place).collect::<Vec<_>>(),
        (0..8).collect::<Vec<_>>()
    );
    assert_eq!(ledger.places_taken(&job).await.unwrap(), 8);

    // Who has a place keeps it; one that was left, and one whose time is over, go to others.
    let (kept, keeper) = found[3];
    let later = Timestamp(90_000);
    assert_eq!(ledger.take_place(&job, Some(kept), keeper, 8, later).await.unwrap(), Some(kept));
    let (left, leaver) = found[5];
    ledger.leave_place(&job, left, leaver).await.unwrap();
    assert_eq!(ledger.places_taken(&job).await.unwrap(), 7);
    assert_eq!(ledger.take_place(&job, None, "late", 8, later).await.unwrap(), Some(left));
    assert_eq!(ledger.take_place(&job, None, "later", 8, later).await.unwrap(), None);
    seconds.store(60, Ordering::Relaxed);
    assert_eq!(ledger.places_taken(&job).await.unwrap(), 2);
    let place = ledger.take_place(&job, None, "later", 8, Timestamp(99_000)).await.unwrap();
    assert_eq!(place, Some(0));
    // Another job has places of its own, and a job with fewer workers fewer.
    let other = JobName("other".to_owned());
    let until = ledger.now().plus(Duration::from_secs(9));
    assert_eq!(ledger.take_place(&other, None, "later", 1, until).await.unwrap(), Some(0));
    assert_eq!(ledger.take_place(&job, Some(7), "shrunk", 1, until).await.unwrap(), None);
}
