//! Large objects: ranges in any order, completed once, proved before they are published.

use std::time::Duration;

use bytes::Bytes;
use ossferry_core::crc::{crc64_ecma, crc64_nvme};
use ossferry_core::error::ErrorKind;
use ossferry_core::object::Digests;
use ossferry_core::outcome::Outcome;
use ossferry_core::ports::{Condition, Row, Table as _, Value, Written};
use ossferry_core::proof::Grade;
use ossferry_ledger::ids::{TaskRef, task_row};
use ossferry_ledger::lists::ObjectResult;
use ossferry_ledger::messages::Message;
use ossferry_ledger::rows::{AbortReason, PassState, RangeState, TaskState, UploadState};
use ossferry_ledger::{Handled, RangeClaim};

use crate::bench::{Bench, PART_BYTES, created, planned};
use crate::scripted_source::{Opens, SourceObject};
use crate::scripted_target::Goes;

/// Five parts in three ranges, the last part a short one.
pub(crate) fn large(bench: &Bench) -> SourceObject {
    let size = 4 * PART_BYTES + 7;
    let bytes: Bytes = (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let crc64_nvme = Some(crc64_nvme(&bytes));
    bench.source.put_with("large", bytes, Digests { crc64_nvme, ..Digests::default() })
}

pub(crate) async fn outcome_of(bench: &Bench, task: &TaskRef) -> ObjectResult {
    let row = bench.task(task).await;
    assert_eq!((row.state, row.sum.objects()), (TaskState::Done, 1));
    assert_eq!(bench.target.open_uploads(), 0, "no upload is left open");
    bench.results(task).await.remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_large_object_is_proved_from_the_targets_own_parts_and_then_published() {
    let bench = Bench::new().await;
    let source = large(&bench);
    let task = bench.plan_upload(planned("large", &source)).await;
    bench.drain().await;
    let result = outcome_of(&bench, &task).await;
    assert_eq!((result.outcome, result.proof), (Some(Outcome::Copied), Some(Grade::B)));
    assert_eq!(result.crc64_ecma, Some(crc64_ecma(&source.bytes)));
    assert_eq!((result.bytes, result.source_etag), (source.info.size, source.info.etag));
    assert_eq!(bench.target.object("to/large").unwrap().bytes, source.bytes);
    let row = bench.task(&task).await;
    assert_eq!(row.sum.requests.source["GetObject"], 5);
    let target = &row.sum.requests.target;
    assert_eq!(target["UploadPart"], 5);
    assert_eq!((target["ListParts"], target["CompleteMultipartUpload"]), (1, 1));
    assert_eq!(bench.status().await.row.state, PassState::Finished);
}

#[tokio::test(start_paused = true)]
async fn doubled_and_reordered_messages_complete_an_upload_once() {
    let bench = Bench::new().await;
    let source = large(&bench);
    let task = bench.plan_upload(planned("large", &source)).await;
    bench.open(&task).await;
    bench.planners.take_first();
    bench.planners.take_first();
    bench.copiers.double_and_reverse();
    assert_eq!(bench.copiers.len(), 6);
    bench.drain().await;
    assert_eq!(outcome_of(&bench, &task).await.outcome, Some(Outcome::Copied));
    assert_eq!(bench.target.completed(), 1);
    for range in 0..3 {
        let message = Message::Range { task: task.clone(), generation: 1, range };
        assert_eq!(bench.handle(&message).await, Handled::Done);
    }
    assert_eq!(bench.target.completed(), 1);
    assert_eq!(bench.source.opened().len(), 5, "no part was moved twice");
}

#[tokio::test(start_paused = true)]
async fn ranges_at_work_side_by_side_complete_an_upload_once() {
    let bench = Bench::new().await;
    bench.source.always("large", Opens::Slowly(Duration::from_secs(3)));
    let source = large(&bench);
    let task = bench.plan_upload(planned("large", &source)).await;
    bench.open(&task).await;
    let message = |range| Message::Range { task: task.clone(), generation: 1, range };
    let (first, second, third) = (message(0), message(1), message(2));
    let handled = tokio::join!(bench.handle(&first), bench.handle(&second), bench.handle(&third));
    assert!([handled.0, handled.1, handled.2].contains(&Handled::Done));
    bench.drain().await;
    assert_eq!(outcome_of(&bench, &task).await.outcome, Some(Outcome::Copied));
    assert_eq!(bench.target.completed(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_range_keeps_its_parts_over_a_deadline_and_over_errors() {
    let bench = Bench::new().await;
    let task = bench.plan_upload(planned("large", &large(&bench))).await;
    bench.open(&task).await;
    bench.source.script("large", [Opens::Slowly(Duration::from_secs(90))]);
    let (_, first) = bench.copiers.take_first().unwrap();
    assert_eq!(bench.handle(&first).await, Handled::Done);
    let upload = bench.ledger.upload(&task, 1).await.unwrap();
    let ranges = bench.ledger.ranges(&task, &upload).await.unwrap();
    assert_eq!((ranges[0].state, ranges[0].results.len()), (RangeState::Planned, 1));

    bench.target.script("UploadPart", [Goes::Fails(ErrorKind::Throttled), Goes::Lost, Goes::Wrong]);
    bench.drain().await;
    assert_eq!(outcome_of(&bench, &task).await.outcome, Some(Outcome::Copied));
    let (moved, cut_off, went_wrong) = (5, 1, 3);
    assert_eq!(bench.source.opened().len(), moved + cut_off + went_wrong);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_changes_is_taken_again_from_the_start_and_left_after_three_times() {
    let bench = Bench::new().await;
    let task = bench.plan_upload(planned("large", &large(&bench))).await;
    bench.source.script("large", [Opens::Well, Opens::Well, Opens::Changed("now a short one")]);
    bench.drain().await;
    let result = outcome_of(&bench, &task).await;
    assert_eq!((result.outcome, result.bytes), (Some(Outcome::Copied), 15));
    assert_eq!(bench.target.object("to/large").unwrap().bytes, "now a short one");
    let uploads = bench.ledger.uploads(&task).await.unwrap();
    assert_eq!(uploads.len(), 2);
    assert_eq!(uploads[0].abort_reason, Some(AbortReason::Changed));

    let bench = Bench::new().await;
    let task = bench.plan_upload(planned("large", &large(&bench))).await;
    bench.source.script("large", [Opens::Changed("1"), Opens::Changed("2"), Opens::Changed("3")]);
    bench.drain().await;
    assert_eq!(outcome_of(&bench, &task).await.outcome, Some(Outcome::Deferred));
    assert!(bench.target.object("to/large").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_message_of_an_attempt_that_was_given_up_asks_for_the_next() {
    let bench = Bench::new().await;
    let task = bench.plan_upload(planned("large", &large(&bench))).await;
    bench.open(&task).await;
    bench
        .ledger
        .abandon_upload(&task, 1, AbortReason::Changed, None, Duration::ZERO)
        .await
        .unwrap();
    while bench.planners.take_first().is_some() {}
    let (_, message) = bench.copiers.take_first().unwrap();
    assert_eq!(bench.handle(&message).await, Handled::Done);
    let (_, next) = bench.planners.take_first().unwrap();
    assert_eq!(next, Message::Upload(task));
}

#[tokio::test(start_paused = true)]
async fn an_object_at_whose_range_workers_die_is_failed_by_name_and_its_upload_aborted() {
    let bench = Bench::new().await;
    let task = bench.plan_upload(planned("large", &large(&bench))).await;
    bench.open(&task).await;
    for death in 0..4 {
        let claimant = bench.ledger.claimant_of(&bench.invocation(&format!("dies-{death}")));
        let claim = bench.ledger.take_range(&task, 1, 0, &claimant).await.unwrap();
        assert!(matches!(claim, RangeClaim::Mine(_)), "{claim:?}");
        tokio::time::sleep(Duration::from_hours(1)).await;
    }
    bench.drain().await;
    let result = outcome_of(&bench, &task).await;
    assert_eq!(result.outcome, Some(Outcome::Failed));
    assert!(result.reason.unwrap().contains("workers died"));
    assert!(bench.target.open_uploads() == 0 && bench.target.object("to/large").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_copier_that_cannot_read_what_a_newer_one_wrote_lets_go_of_the_range() {
    let bench = Bench::new().await;
    let task = bench.plan_upload(planned("large", &large(&bench))).await;
    bench.open(&task).await;
    let (_, message) = bench.copiers.take_first().unwrap();
    let id = task_row(&task);
    let row = bench.table.get(&id.partition, &id.sort).await.unwrap().unwrap();
    let mut newer = row.clone();
    newer.attributes.insert("version".to_owned(), Value::Integer(99));
    newer.revision += 1;
    let stands = Condition::Revision(row.revision);
    assert!(matches!(bench.table.put(&newer, stands).await, Ok(Written::Done(_))));
    for _ in 0..10 {
        let refused = bench.try_handle(&message).await.unwrap_err();
        assert!(refused.to_string().contains("99"), "{refused}");
        let upload = bench.ledger.upload(&task, 1).await.unwrap();
        let range = &bench.ledger.ranges(&task, &upload).await.unwrap()[0];
        assert_eq!((range.state, range.attempts), (RangeState::Planned, 0));
    }
    let restored = Row { revision: newer.revision + 1, ..row };
    let stands = Condition::Revision(newer.revision);
    assert!(matches!(bench.table.put(&restored, stands).await, Ok(Written::Done(_))));
    bench.handle(&message).await;
    bench.drain().await;
    assert_eq!(outcome_of(&bench, &task).await.outcome, Some(Outcome::Copied));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_gone_refused_or_archived_ends_with_its_upload() {
    for (fate, outcome) in [
        (ErrorKind::NoSuchKey, Outcome::Gone),
        (ErrorKind::Archived, Outcome::Archived),
        (ErrorKind::AccessDenied, Outcome::Failed),
    ] {
        let bench = Bench::new().await;
        let task = bench.plan_upload(planned("large", &large(&bench))).await;
        bench.open(&task).await;
        if fate == ErrorKind::NoSuchKey {
            bench.source.remove("large");
        }
        bench.source.always("large", Opens::Fails(fate));
        bench.drain().await;
        assert_eq!(outcome_of(&bench, &task).await.outcome, Some(outcome));
    }
}

#[tokio::test(start_paused = true)]
async fn parts_that_arrive_wrong_every_time_fail_the_object() {
    let bench = Bench::new().await;
    let task = bench.plan_upload(planned("large", &large(&bench))).await;
    bench.target.always("UploadPart", Goes::Wrong);
    bench.drain().await;
    let result = outcome_of(&bench, &task).await;
    assert_eq!((result.outcome, result.proof), (Some(Outcome::Failed), None));
    assert!(result.reason.unwrap().contains("crc64_ecma"));
    assert!(bench.target.object("to/large").is_none(), "nothing was published");
}

#[tokio::test(start_paused = true)]
async fn a_range_that_never_gets_through_ends_as_a_failure() {
    let bench = Bench::new().await;
    let task = bench.plan_upload(planned("large", &large(&bench))).await;
    bench.source.always("large", Opens::Breaks(ErrorKind::Connection));
    bench.drain().await;
    let result = outcome_of(&bench, &task).await;
    assert_eq!(result.outcome, Some(Outcome::Failed));
    assert!(result.reason.unwrap().contains("over many invocations"));
}

#[tokio::test(start_paused = true)]
async fn a_proof_that_does_not_hold_publishes_nothing_and_takes_the_object_again() {
    let bench = Bench::new().await;
    let source = large(&bench);
    let task = bench.plan_upload(planned("large", &source)).await;
    bench.open(&task).await;
    while bench.copiers.len() > 1 {
        let (_, message) = bench.copiers.take_first().unwrap();
        bench.handle(&message).await;
    }
    bench.target.lose_part(1);
    bench.drain().await;
    assert_eq!(outcome_of(&bench, &task).await.outcome, Some(Outcome::Copied));
    let uploads = bench.ledger.uploads(&task).await.unwrap();
    assert_eq!(uploads[0].abort_reason, Some(AbortReason::Mismatch));
    assert_eq!((uploads.len(), bench.target.completed()), (2, 1));
    assert_eq!(bench.target.object("to/large").unwrap().bytes, source.bytes);
}

#[tokio::test(start_paused = true)]
async fn a_source_whose_own_digest_disagrees_is_never_published() {
    let bench = Bench::new().await;
    let source = large(&bench);
    bench.source.edit("large", |info| info.digests.crc64_nvme = Some(1));
    let task = bench.plan_upload(planned("large", &source)).await;
    bench.drain().await;
    let result = outcome_of(&bench, &task).await;
    assert_eq!(result.outcome, Some(Outcome::Failed));
    let reason = result.reason.unwrap();
    assert!(reason.contains("crc64_nvme") && reason.contains("last of 3"), "{reason}");
    assert!(bench.target.object("to/large").is_none());
    let uploads = bench.ledger.uploads(&task).await.unwrap();
    let reasons: Vec<_> = uploads.iter().filter_map(|upload| upload.abort_reason).collect();
    assert_eq!(reasons, [AbortReason::Mismatch, AbortReason::Mismatch, AbortReason::Ended]);
}

#[tokio::test(start_paused = true)]
async fn an_upload_over_an_object_of_the_application_is_given_up() {
    for t2 in [None, Some(Duration::from_secs(1))] {
        let bench = Bench::with(|_| {}, t2).await;
        let source = large(&bench);
        let object = if t2.is_some() { planned } else { created }("large", &source);
        let task = bench.plan_upload(object).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        bench.target.write("to/large", "by the application");
        bench.drain().await;
        assert_eq!(outcome_of(&bench, &task).await.outcome, Some(Outcome::Kept));
        assert_eq!(bench.target.object("to/large").unwrap().bytes, "by the application");
        let uploads = bench.ledger.uploads(&task).await.unwrap();
        assert_eq!(uploads[0].state, UploadState::Aborted);
    }
}
