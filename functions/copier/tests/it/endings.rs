//! What ends a pass early, and messages that are not a copier's.

use std::sync::Arc;

use ossferry_copier::{Copier, CopierOptions, CopierParts, CopyError};
use ossferry_core::error::ErrorKind;
use ossferry_core::outcome::Outcome;
use ossferry_ledger::Handled;
use ossferry_ledger::messages::Message;
use ossferry_ledger::rows::{PassState, TaskKind, TaskState};
use tokio::sync::Semaphore;

use crate::bench::{Bench, planned};
use crate::scripted_source::Opens;
use crate::scripted_target::Goes;

async fn batches(
    bench: &Bench,
    tasks: usize,
    objects: usize,
) -> Vec<ossferry_ledger::ids::TaskRef> {
    let batch = |task: usize| {
        let object = |n: usize| {
            let key = format!("{task}/{n:02}");
            planned(&key, &bench.source.put(&key, "text"))
        };
        (TaskKind::Batch, (0..objects).map(object).collect())
    };
    bench.plan((0..tasks).map(batch).collect()).await
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_account_stops_the_pass_at_once() {
    for (operation, kind) in [
        (Some("PutObject"), ErrorKind::AccountRefused),
        (Some("PutObject"), ErrorKind::NoSuchBucket),
        (None, ErrorKind::AccountRefused),
    ] {
        let bench = Bench::new().await;
        let tasks = batches(&bench, 3, 30).await;
        match operation {
            Some(operation) => bench.target.always(operation, Goes::Fails(kind)),
            None => (0..30).for_each(|n| {
                for task in 0..3 {
                    bench.source.always(&format!("{task}/{n:02}"), Opens::Fails(kind));
                }
            }),
        }
        bench.drain().await;
        let status = bench.status().await;
        assert_eq!(status.row.state, PassState::Stopped);
        let reason = status.row.reason.unwrap();
        assert!(reason.contains("R1") && reason.contains("scripted"), "{reason}");
        assert_eq!(status.totals.sum.objects(), 0, "nothing is recorded as failed");
        assert!(bench.source.opened().len() <= 8, "nothing more was begun");
        assert_eq!(bench.task(&tasks[0]).await.state, TaskState::Planned);
        assert_eq!(bench.ledger.running_pass(&"job".into()).await.unwrap(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn more_failures_than_the_job_allows_stop_the_pass_and_fewer_do_not() {
    for (failures_max, state) in [(40, PassState::Finished), (39, PassState::Stopped)] {
        let bench = Bench::with(|job| job.limits.failures_max = failures_max, None).await;
        let tasks = batches(&bench, 3, 20).await;
        bench.target.script("PutObject", (0..40).map(|_| Goes::Fails(ErrorKind::AccessDenied)));
        bench.drain().await;
        let status = bench.status().await;
        assert_eq!(status.row.state, state);
        assert_eq!(status.totals.sum.of(Outcome::Failed), 40);
        let stopped = status.row.reason.is_some_and(|reason| reason.contains("40 objects failed"));
        assert_eq!(stopped, state == PassState::Stopped);
        let last = bench.task(&tasks[2]).await.sum.of(Outcome::Copied);
        assert_eq!(last, if state == PassState::Finished { 20 } else { 0 });
    }
}

#[tokio::test(start_paused = true)]
async fn a_copier_does_not_take_a_planners_message() {
    let bench = Bench::new().await;
    let copier = Copier::new(CopierParts {
        ledger: bench.ledger.clone(),
        source: Arc::new(bench.source.clone()),
        target: Arc::new(bench.target.clone()),
        in_flight: Arc::new(Semaphore::new(1)),
        admission: ossferry_core::rates::Admission::default(),
        options: CopierOptions::default(),
    });
    let slice = bench.slice();
    for message in [Message::Upload(slice.task(1)), Message::Slice(slice)] {
        let handled = copier.handle(&message, &bench.invocation("copier")).await;
        assert!(matches!(handled, Err(CopyError::NotForCopiers(_))), "{handled:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_was_cancelled_is_not_worked_on() {
    let bench = Bench::new().await;
    let tasks = batches(&bench, 1, 3).await;
    bench.ledger.end_pass(&bench.pass, PassState::Cancelled, None).await.unwrap();
    assert_eq!(bench.handle(&Message::Task(tasks[0].clone())).await, Handled::Done);
    assert!(bench.source.opened().is_empty());
}
