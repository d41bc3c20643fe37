//! Answers that nobody heard, and completers that died.

use std::time::Duration;

use ossferry_core::outcome::Outcome;
use ossferry_core::ports::Target as _;
use ossferry_core::proof::Grade;
use ossferry_ledger::ids::TaskRef;
use ossferry_ledger::lease::Taken;
use ossferry_ledger::messages::Message;
use ossferry_ledger::rows::{AbortReason, UploadState};
use ossferry_ledger::{Handled, Invocation};

use crate::bench::{Bench, INVOCATION, created, planned};
use crate::large_objects::{large, outcome_of};
use crate::scripted_target::Goes;

/// Moves every range but the last, whose message is the answer.
async fn all_but_one(bench: &Bench, task: &TaskRef) -> Message {
    bench.open(task).await;
    while bench.planners.take_first().is_some() {}
    while bench.copiers.len() > 1 {
        let (_, message) = bench.copiers.take_first().unwrap();
        assert_eq!(bench.handle(&message).await, Handled::Done);
    }
    bench.copiers.take_first().unwrap().1
}

#[tokio::test(start_paused = true)]
async fn a_completion_whose_answer_was_lost_is_found_and_not_repeated() {
    for forbids in [false, true] {
        let bench = Bench::new().await;
        let source = large(&bench);
        let object = if forbids { created } else { planned }("large", &source);
        let task = bench.plan_upload(object).await;
        bench.target.script("CompleteMultipartUpload", [Goes::Lost]);
        let last = all_but_one(&bench, &task).await;
        assert_eq!(bench.handle(&last).await, Handled::Done);
        let result = outcome_of(&bench, &task).await;
        assert_eq!((result.outcome, result.proof), (Some(Outcome::Copied), Some(Grade::B)));
        assert_eq!(bench.target.completed(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_completion_that_never_took_effect_is_repeated_after_one_lease() {
    let bench = Bench::new().await;
    let task = bench.plan_upload(planned("large", &large(&bench))).await;
    bench.target.script("CompleteMultipartUpload", [Goes::Vanishes]);
    let last = all_but_one(&bench, &task).await;
    assert_eq!(bench.handle(&last).await, Handled::Later(Duration::from_secs(30)));
    assert_eq!(bench.handle(&last).await, Handled::Later(Duration::from_secs(30)), "held");
    assert_eq!((bench.target.completed(), bench.target.open_uploads()), (0, 1));
    bench.copiers.put(last.to_text(), Duration::ZERO);
    let start = tokio::time::Instant::now();
    bench.drain().await;
    assert!(start.elapsed() >= INVOCATION, "not before the lease has ended");
    assert_eq!(outcome_of(&bench, &task).await.outcome, Some(Outcome::Copied));
}

#[tokio::test(start_paused = true)]
async fn another_object_written_while_the_answer_was_lost_is_kept() {
    let bench = Bench::new().await;
    let task = bench.plan_upload(planned("large", &large(&bench))).await;
    bench.target.script("CompleteMultipartUpload", [Goes::Vanishes]);
    let last = all_but_one(&bench, &task).await;
    assert!(matches!(bench.handle(&last).await, Handled::Later(_)));
    bench.target.lose_uploads();
    bench.target.write("to/large", "by the application");
    bench.copiers.put(last.to_text(), Duration::ZERO);
    bench.drain().await;
    assert_eq!(outcome_of(&bench, &task).await.outcome, Some(Outcome::Kept));
    assert_eq!(bench.target.object("to/large").unwrap().bytes, "by the application");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_works_after_the_look_is_not_recorded_as_kept() {
    let bench = Bench::new().await;
    let task = bench.plan_upload(planned("large", &large(&bench))).await;
    bench.target.script("CompleteMultipartUpload", [Goes::WorksLater]);
    let last = all_but_one(&bench, &task).await;
    bench.target.write("to/large", "by the application");
    bench.handle(&last).await;
    bench.drain().await;
    let (result, object) =
        (outcome_of(&bench, &task).await, bench.target.object("to/large").unwrap());
    let is_kept = object.bytes == "by the application";
    assert_eq!(result.outcome, Some(if is_kept { Outcome::Kept } else { Outcome::Copied }));
    assert_eq!(bench.target.open_uploads(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_the_target_lost_is_waited_for_and_begun_again() {
    let bench = Bench::new().await;
    let source = large(&bench);
    let task = bench.plan_upload(planned("large", &source)).await;
    bench.target.write("to/large", "an older copy");
    tokio::time::sleep(Duration::from_secs(1)).await;
    bench.target.script("CompleteMultipartUpload", [Goes::Vanishes]);
    let last = all_but_one(&bench, &task).await;
    assert!(matches!(bench.handle(&last).await, Handled::Later(_)));
    bench.target.lose_uploads();
    bench.copiers.put(last.to_text(), Duration::ZERO);
    bench.drain().await;
    assert_eq!(outcome_of(&bench, &task).await.outcome, Some(Outcome::Copied));
    assert_eq!(bench.target.object("to/large").unwrap().bytes, source.bytes);
    let uploads = bench.ledger.uploads(&task).await.unwrap();
    assert_eq!(uploads[0].abort_reason, Some(AbortReason::Vanished));
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_vanished_while_ranges_were_at_work_is_begun_again() {
    let bench = Bench::new().await;
    let task = bench.plan_upload(planned("large", &large(&bench))).await;
    let last = all_but_one(&bench, &task).await;
    bench.target.lose_uploads();
    assert_eq!(bench.handle(&last).await, Handled::Done);
    let uploads = bench.ledger.uploads(&task).await.unwrap();
    assert_eq!(uploads[0].abort_reason, Some(AbortReason::Vanished));
    bench.drain().await;
    assert_eq!(outcome_of(&bench, &task).await.outcome, Some(Outcome::Copied));
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_after_a_dead_completer_goes_on() {
    let bench = Bench::new().await;
    let task = bench.plan_upload(planned("large", &large(&bench))).await;
    bench.target.script("CompleteMultipartUpload", [Goes::Vanishes]);
    let last = all_but_one(&bench, &task).await;
    let owner = "dead/1".to_owned();
    let dead = Invocation { owner, deadline: bench.ledger.now().plus(INVOCATION) };
    assert!(matches!(bench.handle_as(&last, &dead).await, Handled::Later(_)));
    assert_eq!(bench.handle(&last).await, Handled::Done, "its lease need not be waited for");
    assert_eq!(outcome_of(&bench, &task).await.outcome, Some(Outcome::Copied));
    assert_eq!(bench.target.completed(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_completed_upload_whose_task_did_not_hear_of_it_is_concluded_by_the_next_message() {
    let bench = Bench::new().await;
    let source = large(&bench);
    let task = bench.plan_upload(planned("large", &source)).await;
    let last = all_but_one(&bench, &task).await;
    // A worker that dies between the upload's row and the task's: the proof of another bench stands in.
    let claimant = bench.ledger.claimant_of(&bench.invocation("dying"));
    let other = Bench::new().await;
    let twin = other.plan_upload(planned("large", &large(&other))).await;
    other.drain().await;
    let known = other.ledger.uploads(&twin).await.unwrap().remove(0).result().unwrap();
    let now = bench.target.now().await.unwrap();
    let (row, taken) = bench.ledger.take_completing(&task, 1, &claimant, now).await.unwrap();
    assert_eq!(taken, Taken::Mine);
    let (hold, etag) = (row.lease.hold().unwrap(), known.target_etag.clone().unwrap());
    let (crc, proof) = (known.crc64_ecma.unwrap(), known.proof.unwrap());
    bench.ledger.complete_upload(&task, 1, &hold, crc, &etag, proof).await.unwrap();
    bench.target.lose_uploads();

    assert_eq!(bench.handle(&last).await, Handled::Done);
    assert_eq!(outcome_of(&bench, &task).await, known);
    assert_eq!(bench.ledger.uploads(&task).await.unwrap()[0].state, UploadState::Complete);
}

#[tokio::test(start_paused = true)]
async fn whoever_lost_an_upload_while_giving_it_up_does_not_end_its_task() {
    let bench = Bench::with(|_| {}, Some(Duration::from_secs(1))).await;
    let task = bench.plan_upload(planned("large", &large(&bench))).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let last = all_but_one(&bench, &task).await;
    bench.target.write("to/large", "by the application");
    let owner = "dead/1".to_owned();
    let slow = Invocation { owner, deadline: bench.ledger.now().plus(INVOCATION) };
    bench.target.script("AbortMultipartUpload", [Goes::Slowly(Duration::from_secs(2))]);
    let taken_over = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let claimant = bench.ledger.claimant_of(&bench.invocation("after"));
        let now = bench.target.now().await.unwrap();
        bench.ledger.take_completing(&task, 1, &claimant, now).await.unwrap().1
    };
    let (handled, taken) = tokio::join!(bench.handle_as(&last, &slow), taken_over);
    assert_eq!((handled, taken), (Handled::Done, Taken::Mine));
    let row = bench.task(&task).await;
    assert!(!row.state.is_final() && row.sum.objects() == 0, "{row:?}");
}
