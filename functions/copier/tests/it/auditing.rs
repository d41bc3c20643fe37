//! What a copier finds of one object of an audit, and that it writes nothing on the way.

use std::time::Duration;

use ossferry_core::crc::crc64_ecma;
use ossferry_core::error::ErrorKind;
use ossferry_core::object::Digests;
use ossferry_core::outcome::Outcome;
use ossferry_core::proof::Grade;
use ossferry_ledger::Handled;
use ossferry_ledger::lists::{Action, Audited, ObjectResult, PlannedObject};
use ossferry_ledger::rows::TaskState;
use tokio::time::sleep_until;

use crate::bench::{Bench, created, planned, replacing};
use crate::scripted_source::{Opens, SourceObject};
use crate::scripted_target::Goes;

/// An object of which the source's server gives the CRC that the target's gives too.
fn put(bench: &Bench, bytes: &'static str) -> SourceObject {
    let crc64_ecma = Some(crc64_ecma(bytes.as_bytes()));
    bench.source.put_with("a", bytes.into(), Digests { crc64_ecma, ..Digests::default() })
}

/// Audits one object and returns what was recorded of it.
async fn finding(bench: &Bench, object: PlannedObject, audited: Audited) -> ObjectResult {
    let object = PlannedObject { action: Action::Audit(audited), ..object };
    let task = bench.plan_batch(vec![object]).await;
    bench.drain().await;
    let row = bench.task(&task).await;
    assert_eq!((row.state, row.sum.objects()), (TaskState::Done, 1));
    let asked: Vec<&String> = row.sum.requests.target.keys().collect();
    assert!(asked.iter().all(|operation| *operation == "HeadObject"), "{asked:?}");
    bench.results(&task).await.remove(0)
}

fn found(result: &ObjectResult) -> (Option<Outcome>, Option<Grade>) {
    (result.outcome, result.proof)
}

#[tokio::test(start_paused = true)]
async fn both_ends_are_asked_and_compared() {
    for (at_target, want) in [
        (Some("text"), (Outcome::Equal, Some(Grade::A))),
        (Some("tixt"), (Outcome::Different, None)),
        (Some("longer"), (Outcome::Different, None)),
        (None, (Outcome::Missing, None)),
    ] {
        let bench = Bench::new().await;
        let source = put(&bench, "text");
        let etag = at_target.map(|bytes| bench.target.write("to/a", bytes));
        let object = match &etag {
            Some(etag) => replacing("a", &source, etag),
            None => planned("a", &source),
        };
        let result = finding(&bench, object, Audited::Answers).await;
        assert_eq!(found(&result), (Some(want.0), want.1), "{at_target:?} {result:?}");
        assert_eq!((result.bytes, result.target_etag), (0, etag));
        assert!(bench.source.opened().is_empty(), "no bytes are read");
    }
}

#[tokio::test(start_paused = true)]
async fn what_changed_or_went_at_either_end_since_the_listing_is_told_apart() {
    let bench = Bench::new().await;
    let object = planned("a", &bench.source.put("a", "text"));
    bench.target.write("to/a", "came to be");
    assert_eq!(finding(&bench, object, Audited::Answers).await.outcome, Some(Outcome::Changed));

    let bench = Bench::new().await;
    let object = planned("a", &bench.source.put("a", "text"));
    bench.source.put("a", "another size");
    assert_eq!(finding(&bench, object, Audited::Answers).await.outcome, Some(Outcome::Changed));

    let bench = Bench::new().await;
    let object = planned("a", &bench.source.put("a", "text"));
    bench.source.remove("a");
    assert_eq!(finding(&bench, object, Audited::Answers).await.outcome, Some(Outcome::Gone));
}

#[tokio::test(start_paused = true)]
async fn a_key_of_the_target_alone_is_extra_unless_the_application_wrote_it_since_the_switch() {
    for (t2, want) in [
        (None, Outcome::ExtraAtTarget),
        (Some(Duration::ZERO), Outcome::NewerAtTarget),
        (Some(Duration::from_secs(9)), Outcome::ExtraAtTarget),
    ] {
        let bench = Bench::with(|_| {}, t2).await;
        let was = bench.source.put("a", "extra");
        bench.source.remove("a");
        let object = replacing("a", &was, &bench.target.write("to/a", "extra"));
        let object = PlannedObject { etag: None, last_modified: None, ..object };
        assert_eq!(finding(&bench, object, Audited::Extra).await.outcome, Some(want), "{t2:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_are_read_again_where_that_was_wanted_and_may_tell() {
    let bench = Bench::new().await;
    let bytes = "of many parts";
    let source = bench.source.put_with("a", bytes.into(), Digests::default());
    let object = replacing("a", &source, &bench.target.write("to/a", bytes));
    let result = finding(&bench, object, Audited::Bytes).await;
    assert_eq!(found(&result), (Some(Outcome::Equal), Some(Grade::C)), "{result:?}");
    assert_eq!(result.bytes, bytes.len() as u64);

    let bench = Bench::new().await;
    let source = bench.source.put_with("a", bytes.into(), Digests::default());
    let object = replacing("a", &source, &bench.target.write("to/a", "of other parts"));
    let result = finding(&bench, object, Audited::Bytes).await;
    assert_eq!((result.outcome, result.bytes), (Some(Outcome::Different), 0), "sizes tell");
}

/// A minute's invocation reads a third of it at most: each of ten ranges takes half a minute, four at once.
#[tokio::test(start_paused = true)]
async fn a_large_object_is_read_again_in_ranges_over_as_many_invocations_as_it_takes() {
    for (at_target, want) in
        [(None, (Outcome::Equal, Some(Grade::C))), (Some(7), (Outcome::Different, None))]
    {
        let bench = Bench::with(|job| job.limits.part_bytes = 1_000, None).await;
        let bytes: Vec<u8> = (0..9_500_u32).map(|n| n.to_le_bytes()[0]).collect();
        let source = bench.source.put_with("a", bytes.clone().into(), Digests::default());
        bench.source.always("a", Opens::Slowly(Duration::from_secs(30)));
        let mut held = bytes.clone();
        if let Some(place) = at_target {
            held[place] ^= 1;
        }
        let object = replacing("a", &source, &bench.target.write("to/a", held));
        let small = bench.source.put("b", "small");
        let small = replacing("b", &small, &bench.target.write("to/b", "small"));
        let audit = |object| PlannedObject { action: Action::Audit(Audited::Bytes), ..object };
        let task = bench.plan_batch(vec![audit(object), audit(small)]).await;
        bench.drain().await;
        let row = bench.task(&task).await;
        assert_eq!((row.state, row.sum.objects()), (TaskState::Done, 2));
        assert!(row.result_fences.len() > 1, "it took more than one invocation");
        let results = bench.results(&task).await;
        let ended: Vec<_> = results.iter().filter(|result| result.outcome.is_some()).collect();
        let of_large = ended.iter().find(|result| result.index == 0).unwrap();
        assert_eq!(found(of_large), (Some(want.0), want.1), "{of_large:?}");
        assert_eq!(of_large.bytes, 9_500);
        let opened = bench.source.opened();
        let reads = opened.iter().filter(|key| **key == "a".into()).count();
        // What was in flight when the time was up is read again.
        assert!((10..=10 + 4 * row.result_fences.len()).contains(&reads), "{reads} ranges");
        let records = bench.ledger.object_records(&task, &row).await.unwrap();
        assert!(records.iter().all(|record| record.result.as_ref().unwrap().outcome.is_some()));
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_changed_while_it_was_read_is_read_from_its_beginning() {
    let bench = Bench::with(|job| job.limits.part_bytes = 1_000, None).await;
    let old = bench.source.put_with("a", vec![1; 9_500].into(), Digests::default());
    bench.source.always("a", Opens::Slowly(Duration::from_secs(30)));
    let object = replacing("a", &old, &bench.target.write("to/a", vec![2; 9_500]));
    let object = PlannedObject { action: Action::Audit(Audited::Bytes), ..object };
    let task = bench.plan_batch(vec![object]).await;
    let (_, message) = bench.copiers.take_first().unwrap();
    bench.handle(&message).await;
    let partial = bench.results(&task).await.remove(0);
    assert_eq!(partial.outcome, None);
    assert!(partial.bytes > 0 && partial.bytes < 9_500, "{partial:?}");
    bench.source.put_with("a", vec![2; 9_500].into(), Digests::default());
    bench.drain().await;
    let last = bench.results(&task).await.pop().unwrap();
    assert_eq!(last.outcome, Some(Outcome::Equal), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_changes_before_it_was_ever_read_is_given_up_by_name() {
    let bench = Bench::with(|job| job.limits.part_bytes = 1_000, None).await;
    let old = bench.source.put_with("a", vec![0; 9_500].into(), Digests::default());
    bench.source.always("a", Opens::Slowly(Duration::from_secs(30)));
    let object = replacing("a", &old, &bench.target.write("to/a", vec![9; 9_500]));
    let object = PlannedObject { action: Action::Audit(Audited::Bytes), ..object };
    let task = bench.plan_batch(vec![object]).await;
    for change in 1..40 {
        let Some((at, message)) = bench.copiers.take_first() else { break };
        sleep_until(at).await;
        bench.source.put_with("a", vec![change; 9_500].into(), Digests::default());
        if let Handled::Later(wait) = bench.handle(&message).await {
            bench.copiers.put(message.to_text(), wait);
        }
    }
    let last = bench.results(&task).await.pop().unwrap();
    assert_eq!(last.outcome, Some(Outcome::Failed), "{last:?}");
    assert_eq!(bench.task(&task).await.state, TaskState::Done);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_again_is_compared_as_far_as_answers_tell_and_that_is_said() {
    let bench = Bench::new().await;
    let object = replacing("a", &put(&bench, "x"), &bench.target.write("to/a", "x"));
    bench.source.always("a", Opens::Fails(ErrorKind::Archived));
    let result = finding(&bench, object, Audited::Bytes).await;
    assert_eq!(found(&result), (Some(Outcome::Equal), Some(Grade::A)));
    assert!(result.reason.unwrap().contains("must be restored first"));

    let bench = Bench::new().await;
    let object = replacing("a", &put(&bench, "x"), &bench.target.write("to/a", "x"));
    bench.source.always("a", Opens::Fails(ErrorKind::PreconditionFailed));
    let result = finding(&bench, object, Audited::Bytes).await;
    assert_eq!(result.outcome, Some(Outcome::Changed), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn an_error_that_may_pass_is_no_finding() {
    let bench = Bench::new().await;
    let object = replacing("a", &put(&bench, "x"), &bench.target.write("to/a", "x"));
    bench.source.script("a", [Opens::Breaks(ErrorKind::Connection), Opens::OfAnotherSize]);
    bench.target.script("HeadObject", [Goes::Fails(ErrorKind::Throttled)]);
    let result = finding(&bench, object, Audited::Bytes).await;
    assert_eq!(found(&result), (Some(Outcome::Equal), Some(Grade::A)), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_copied_in_a_pass_that_is_an_audit_whatever_its_lists_say() {
    let bench = Bench::of_audit().await;
    let object = created("a", &bench.source.put("a", "text"));
    let task = bench.plan_batch(vec![object]).await;
    bench.drain().await;
    assert_eq!(bench.results(&task).await[0].outcome, Some(Outcome::Failed));
    assert!(bench.target.object("to/a").is_none() && bench.source.opened().is_empty());
}
