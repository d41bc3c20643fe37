//! Deadlines, lost leases, dead workers: what is left goes back and is counted once.

use std::time::Duration;

use bytes::Bytes;
use ossferry_core::error::ErrorKind;
use ossferry_core::meter::Requests;
use ossferry_core::outcome::Outcome;
use ossferry_core::ports::{Condition, Row, Table, Value, Written};
use ossferry_ledger::ids::result_row;
use ossferry_ledger::lease::Claimant;
use ossferry_ledger::lists::ObjectResult;
use ossferry_ledger::rows::{PassState, TaskState};
use ossferry_ledger::{Handled, Invocation, LEASE_MARGIN, TaskClaim};

use crate::bench::{Bench, INVOCATION, planned};
use crate::scripted_source::Opens;
use crate::scripted_target::Goes;

async fn plan_slow(bench: &Bench, objects: usize, each: Duration) -> ossferry_ledger::ids::TaskRef {
    let objects = (0..objects)
        .map(|n| {
            let key = format!("{n:03}");
            bench.source.always(&key, Opens::Slowly(each));
            planned(&key, &bench.source.put(&key, format!("object {n}")))
        })
        .collect();
    bench.plan_batch(objects).await
}

#[tokio::test(start_paused = true)]
async fn the_rest_is_handed_back_before_the_deadline_and_each_object_counts_once() {
    let bench = Bench::new().await;
    let task = plan_slow(&bench, 100, Duration::from_secs(10)).await;
    let (_, message) = bench.copiers.take_first().unwrap();
    let start = tokio::time::Instant::now();
    assert_eq!(bench.handle(&message).await, Handled::Done);
    assert!(start.elapsed() < INVOCATION, "{:?}", start.elapsed());
    let row = bench.task(&task).await;
    // Six rounds of eight begin in 55 seconds, and the last is cut off after 58.
    assert_eq!((row.state, row.sum.of(Outcome::Copied)), (TaskState::Planned, 40));
    assert_eq!((row.attempts, bench.copiers.len()), (0, 1));

    bench.drain().await;
    let row = bench.task(&task).await;
    assert_eq!((row.state, row.sum.of(Outcome::Copied)), (TaskState::Done, 100));
    assert_eq!((row.sum.objects(), row.result_fences.len()), (100, 3));
    let indexes: Vec<u32> = bench.results(&task).await.iter().map(|result| result.index).collect();
    assert_eq!(indexes, (0..100).collect::<Vec<_>>());
    assert_eq!(bench.source.most_in_flight(), 8);
    let opened = bench.source.opened();
    assert!(opened[..8].is_sorted(), "in the order of the plan: {opened:?}");
    let status = bench.status().await;
    assert_eq!((status.row.state, status.totals.sum.objects()), (PassState::Finished, 100));
}

#[tokio::test(start_paused = true)]
async fn objects_too_slow_for_a_whole_invocation_fail_with_the_remedy() {
    let bench = Bench::new().await;
    let task = plan_slow(&bench, 2, Duration::from_secs(100)).await;
    bench.drain().await;
    let results = bench.results(&task).await;
    assert_eq!(
        results.iter().map(|result| result.outcome).collect::<Vec<_>>(),
        [Some(Outcome::Failed), Some(Outcome::Failed)]
    );
    let reason = results[0].reason.as_deref().unwrap();
    assert!(reason.contains("limits.task_seconds"), "{reason}");
    assert_eq!(bench.source.most_in_flight(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_a_slow_line_cannot_carry_at_once_it_carries_one_after_another() {
    let bench = Bench::new().await;
    let objects = (0..12)
        .map(|n| {
            let key = format!("{n:02}");
            bench.source.always(&key, Opens::OverASlowLine(Duration::from_secs(20)));
            planned(&key, &bench.source.put(&key, vec![7; 5 << 20]))
        })
        .collect();
    let task = bench.plan_batch(objects).await;
    let start = tokio::time::Instant::now();
    bench.drain().await;
    let row = bench.task(&task).await;
    assert_eq!((row.state, row.sum.of(Outcome::Copied)), (TaskState::Done, 12));
    // Twelve take four minutes, one by one; the first minute moved nothing and showed how slow it is.
    assert!(start.elapsed() < Duration::from_mins(10), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn transient_errors_go_back_with_the_rest_for_half_an_hour_and_then_fail() {
    let bench = Bench::new().await;
    let objects =
        ["a", "b"].map(|key| planned(key, &bench.source.put(key, "text"))).into_iter().collect();
    bench.source.always("b", Opens::Fails(ErrorKind::ServerError));
    let task = bench.plan_batch(objects).await;
    let start = tokio::time::Instant::now();
    bench.drain().await;
    assert!(start.elapsed() > Duration::from_mins(20), "{:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_mins(40), "{:?}", start.elapsed());
    let results = bench.results(&task).await;
    assert_eq!(results[0].outcome, Some(Outcome::Copied));
    assert_eq!(results[1].outcome, Some(Outcome::Failed));
    assert!(results[1].reason.as_deref().unwrap().contains("scripted: ServerError"));
    assert_eq!(bench.target.object("to/a").unwrap().bytes, "text");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_lost_its_lease_records_nothing() {
    let bench = Bench::new().await;
    let task = plan_slow(&bench, 1, Duration::from_secs(20)).await;
    let (_, message) = bench.copiers.take_first().unwrap();
    // The host knows that this one is dead, and is wrong.
    let owner = "dead/1".to_owned();
    let zombie = Invocation { owner, deadline: bench.ledger.now().plus(INVOCATION) };
    let late = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        bench.source.always("000", Opens::Fails(ErrorKind::NoSuchKey));
        bench.handle(&message).await
    };
    let (zombie, late) = tokio::join!(bench.handle_as(&message, &zombie), late);
    assert_eq!((zombie, late), (Handled::Done, Handled::Done));
    let row = bench.task(&task).await;
    assert_eq!((row.sum.of(Outcome::Gone), row.sum.of(Outcome::Copied)), (1, 0));
    assert_eq!(row.result_fences.len(), 1);
    assert_eq!(bench.copiers.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn work_that_another_holds_comes_again_and_what_ended_does_not() {
    let bench = Bench::new().await;
    let task = plan_slow(&bench, 1, Duration::from_secs(20)).await;
    let (_, message) = bench.copiers.take_first().unwrap();
    let (first, second) = tokio::join!(bench.handle(&message), bench.handle(&message));
    let later = Handled::Later(Duration::from_secs(30));
    assert!([first, second].contains(&Handled::Done) && [first, second].contains(&later));
    assert_eq!(bench.handle(&message).await, Handled::Done);
    assert_eq!(bench.task(&task).await.sum.objects(), 1);
    assert_eq!(bench.source.opened().len(), 1);
}

fn dying(bench: &Bench, death: usize) -> Claimant {
    let owner = format!("dead/{death}");
    bench.ledger.claimant_of(&Invocation { owner, deadline: bench.ledger.now().plus(INVOCATION) })
}

#[tokio::test(start_paused = true)]
async fn after_two_deaths_one_object_is_taken_at_a_time_and_the_deadly_one_is_named() {
    let bench = Bench::new().await;
    let keys = ["a", "b", "c"];
    let objects = keys.map(|key| planned(key, &bench.source.put(key, "text"))).into();
    let task = bench.plan_batch(objects).await;
    let (_, message) = bench.copiers.take_first().unwrap();
    for death in 0..5 {
        let claim = bench.ledger.take_task(&task, &dying(&bench, death)).await.unwrap();
        let TaskClaim::Mine(claimed) = claim else { panic!("{claim:?}") };
        assert_eq!(claimed.row.is_careful(), death >= 2);
        if claimed.row.is_careful() {
            bench.ledger.note_in_work(&claimed, Some(1)).await.unwrap();
        }
    }
    bench.table.take_writes();
    assert_eq!(bench.handle(&message).await, Handled::Done);
    let results = bench.results(&task).await;
    let outcomes = results.iter().map(|result| result.outcome.unwrap()).collect::<Vec<_>>();
    assert_eq!(outcomes, [Outcome::Copied, Outcome::Failed, Outcome::Copied]);
    assert_eq!(results[1].reason.as_deref(), Some("workers died at this object"));
    assert_eq!(bench.source.most_in_flight(), 1);
    // The claim, a note for each of two objects, the end.
    assert_eq!(bench.table.take_writes()["task"], 4);
    assert_eq!(bench.task(&task).await.in_work, None);
}

#[tokio::test(start_paused = true)]
async fn an_object_at_which_one_worker_died_waits_until_the_others_are_recorded() {
    let bench = Bench::new().await;
    let keys = ["a", "b", "c"];
    let objects = keys.map(|key| planned(key, &bench.source.put(key, "text"))).into();
    let task = bench.plan_batch(objects).await;
    let (_, message) = bench.copiers.take_first().unwrap();
    for death in 0..3 {
        let claim = bench.ledger.take_task(&task, &dying(&bench, death)).await.unwrap();
        let TaskClaim::Mine(claimed) = claim else { panic!("{claim:?}") };
        if claimed.row.is_careful() {
            bench.ledger.note_in_work(&claimed, Some(1)).await.unwrap();
        }
    }
    assert_eq!(bench.handle(&message).await, Handled::Done);
    let row = bench.task(&task).await;
    assert_eq!((row.state, row.sum.of(Outcome::Copied)), (TaskState::Planned, 2));
    assert_eq!(bench.source.opened(), ["a".into(), "c".into()]);
    // Whoever was killed by chance accuses nobody: it is copied in the end.
    bench.drain().await;
    assert_eq!(bench.task(&task).await.sum.of(Outcome::Copied), 3);
}

#[tokio::test(start_paused = true)]
async fn a_batch_whose_workers_die_before_any_object_fails_by_name_and_what_was_recorded_stands() {
    let bench = Bench::new().await;
    let keys = ["a", "b", "c"];
    let objects = keys.map(|key| planned(key, &bench.source.put(key, "text"))).into();
    let task = bench.plan_batch(objects).await;
    let (_, message) = bench.copiers.take_first().unwrap();
    // One of them is recorded by a worker that lives.
    let claim = bench.ledger.take_task(&task, &dying(&bench, 100)).await.unwrap();
    let TaskClaim::Mine(claimed) = claim else { panic!("{claim:?}") };
    let middle = [ObjectResult::plain(1, Outcome::Gone, "deleted")];
    let requests = Requests::default();
    bench.ledger.record_task(&claimed, &middle, requests, Duration::ZERO, 1).await.unwrap();
    for death in 0..8 {
        let claim = bench.ledger.take_task(&task, &dying(&bench, death)).await.unwrap();
        assert!(matches!(claim, TaskClaim::Mine(_)), "{claim:?}");
    }
    assert_eq!(bench.handle(&message).await, Handled::Done);
    assert!(bench.source.opened().is_empty());
    let row = bench.task(&task).await;
    assert_eq!((row.state, row.sum.of(Outcome::Failed)), (TaskState::Failed, 2));
    let records = bench.ledger.object_records(&task, &row).await.unwrap();
    let outcomes = records.into_iter().map(|record| {
        let result = record.result.unwrap();
        (record.object.key.to_string(), result.outcome.unwrap(), result.reason.unwrap())
    });
    let reason = "8 workers died before they began any object of its task";
    let want = [
        ("a", Outcome::Failed, reason),
        ("b", Outcome::Gone, "deleted"),
        ("c", Outcome::Failed, reason),
    ];
    let want = want.map(|(key, outcome, why)| (key.to_owned(), outcome, why.to_owned()));
    assert!(outcomes.eq(want));
    assert_eq!(bench.status().await.row.state, PassState::Finished);
}

#[tokio::test(start_paused = true)]
async fn a_copier_that_cannot_read_what_a_newer_one_recorded_leaves_it_and_counts_as_no_death() {
    let bench = Bench::new().await;
    let objects = ["a", "b"].map(|key| planned(key, &bench.source.put(key, "text"))).into();
    let task = bench.plan_batch(objects).await;
    let (_, message) = bench.copiers.take_first().unwrap();
    let claim = bench.ledger.take_task(&task, &dying(&bench, 0)).await.unwrap();
    let TaskClaim::Mine(claimed) = claim else { panic!("{claim:?}") };
    let first = [ObjectResult::plain(0, Outcome::Gone, "deleted")];
    let requests = Requests::default();
    bench.ledger.record_task(&claimed, &first, requests, Duration::ZERO, 1).await.unwrap();
    let id = result_row(&task, claimed.hold.fence);
    let recorded = bench.table.get(&id.partition, &id.sort).await.unwrap().unwrap();
    let newer = zstd::encode_all(&b"[99,[]]"[..], 1).unwrap();
    write_blob(&bench, &recorded, newer.into()).await;
    let before = bench.task(&task).await;

    for _ in 0..10 {
        let refused = bench.try_handle(&message).await.unwrap_err();
        assert!(refused.to_string().contains("99"), "{refused}");
        let row = bench.task(&task).await;
        assert_eq!((row.state, row.unnoted_deaths), (TaskState::Planned, 0));
        assert_eq!((&row.sum, row.fruitless), (&before.sum, before.fruitless));
    }
    write_blob(&bench, &recorded, recorded.blob.clone().unwrap()).await;
    bench.drain().await;
    let row = bench.task(&task).await;
    assert_eq!((row.state, row.sum.of(Outcome::Copied)), (TaskState::Done, 1));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_let_go_of_while_a_put_may_take_effect_is_left_alone_until_the_lease_ends()
{
    let bench = Bench::new().await;
    let task = bench.plan_batch(vec![planned("a", &bench.source.put("a", "text"))]).await;
    let (_, message) = bench.copiers.take_first().unwrap();
    bench.target.always("PutObject", Goes::Vanishes);
    // What a newer copier left stands where the results would.
    let id = result_row(&task, bench.task(&task).await.lease.fence + 1);
    let newer = Row {
        partition: id.partition,
        sort: id.sort,
        attributes: [("version".to_owned(), Value::Integer(99))].into(),
        ..Row::default()
    };
    let written = bench.table.put(&newer, Condition::Absent).await.unwrap();
    assert!(matches!(written, Written::Done(_)), "{written:?}");

    let lease_until = bench.ledger.now().plus(INVOCATION + LEASE_MARGIN);
    bench.try_handle(&message).await.unwrap_err();
    let row = bench.task(&task).await;
    assert_eq!((row.state, row.attempts, row.lease.owner), (TaskState::Planned, 0, None));
    assert_eq!(row.lease.until, lease_until, "old bytes may arrive until then");
    assert!(matches!(bench.handle(&message).await, Handled::Later(_)));
}

/// Writes a row over what stands there.
async fn write_blob(bench: &Bench, row: &Row, blob: Bytes) {
    let stands = bench.table.get(&row.partition, &row.sort).await.unwrap().unwrap();
    let revision = stands.revision;
    let row = Row { revision: revision + 1, blob: Some(blob), ..row.clone() };
    let written = bench.table.put(&row, Condition::Revision(revision)).await.unwrap();
    assert!(!matches!(written, Written::Refused(_)), "{written:?}");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_closes_the_permits_gets_the_rest_handed_back() {
    let bench = Bench::new().await;
    let task = plan_slow(&bench, 20, Duration::from_secs(3)).await;
    let (_, message) = bench.copiers.take_first().unwrap();
    let close = async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        bench.in_flight.close();
    };
    let start = tokio::time::Instant::now();
    let (handled, ()) = tokio::join!(bench.handle(&message), close);
    assert_eq!((handled, start.elapsed().as_secs()), (Handled::Done, 6));
    let row = bench.task(&task).await;
    assert_eq!((row.state, row.sum.of(Outcome::Copied)), (TaskState::Planned, 16));
    assert_eq!(bench.copiers.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_put_leaves_one_object_and_one_outcome() {
    let bench = Bench::new().await;
    let object = planned("a", &bench.source.put("a", "text"));
    bench.target.script("PutObject", [Goes::Vanishes, Goes::Lost]);
    let task = bench.plan_batch(vec![object]).await;
    bench.drain().await;
    let row = bench.task(&task).await;
    assert_eq!((row.sum.of(Outcome::Copied), row.sum.objects()), (1, 1));
    assert_eq!(row.sum.requests.target["PutObject"], 3);
}
