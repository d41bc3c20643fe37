//! Each thing that can happen to one object, and what is recorded of it.

use std::time::Duration;

use bytes::Bytes;
use ossferry_core::compare::PROVENANCE_NAME;
use ossferry_core::crc::{crc64_ecma, crc64_nvme};
use ossferry_core::error::ErrorKind;
use ossferry_core::job::Encryption;
use ossferry_core::meter::OperationCounts;
use ossferry_core::object::{Digests, ETag, ObjectInfo};
use ossferry_core::outcome::Outcome;
use ossferry_core::proof::Grade;
use ossferry_ledger::lists::{Action, ObjectResult, PlannedObject};
use ossferry_ledger::rows::{PassState, TaskState};

use crate::bench::{Bench, created, planned, replacing};
use crate::scripted_source::Opens;
use crate::scripted_target::{Goes, md5};

/// Copies one object and returns what was recorded of it.
async fn outcome_of(bench: &Bench, object: PlannedObject) -> ObjectResult {
    let task = bench.plan_batch(vec![object]).await;
    bench.drain().await;
    let row = bench.task(&task).await;
    assert_eq!((row.state, row.sum.objects()), (TaskState::Done, 1));
    bench.results(&task).await.remove(0)
}

fn reason(result: &ObjectResult) -> &str {
    result.reason.as_deref().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_small_object_costs_one_get_and_one_put_and_no_row_of_its_own() {
    let bench = Bench::new().await;
    let objects: Vec<_> = (0..20)
        .map(|n| {
            let key = format!("a/{n:02}");
            planned(&key, &bench.source.put(&key, format!("bytes {n}")))
        })
        .collect();
    let task = bench.plan_batch(objects).await;
    bench.table.take_writes();
    bench.drain().await;

    let row = bench.task(&task).await;
    assert_eq!(row.sum.of(Outcome::Copied), 20);
    assert_eq!(row.sum.proofs, [20, 0, 0, 0], "both servers gave the MD5");
    let count = |operation: &str| OperationCounts::from([(operation.to_owned(), 20)]);
    assert_eq!(row.sum.requests.source, count("GetObject"));
    assert_eq!(row.sum.requests.target, count("PutObject"));
    let writes = bench.table.take_writes();
    assert_eq!((writes["task"], writes["result"]), (2, 1), "{writes:?}");
    for (n, result) in (0..).zip(bench.results(&task).await) {
        let copy = bench.target.object(&format!("to/a/{n:02}")).unwrap();
        assert_eq!(copy.bytes, format!("bytes {n}"));
        assert_eq!(copy.options.content_md5, Some(md5(&copy.bytes)));
        assert_eq!(copy.options.headers.user_metadata, [], "the ETags of both sides tell enough");
        assert_eq!(result.crc64_ecma, Some(crc64_ecma(&copy.bytes)));
        assert_eq!(result.target_etag, copy.info.etag);
        assert!(result.source_etag.is_some() && result.reason.is_none());
    }
    assert_eq!(bench.status().await.row.state, PassState::Finished);
}

#[tokio::test(start_paused = true)]
async fn an_empty_object_is_copied_and_proved() {
    let bench = Bench::new().await;
    let object = planned("empty", &bench.source.put("empty", ""));
    let result = outcome_of(&bench, object).await;
    assert_eq!((result.outcome, result.proof), (Some(Outcome::Copied), Some(Grade::A)));
    assert_eq!(bench.target.object("to/empty").unwrap().info.size, 0);
}

#[tokio::test(start_paused = true)]
async fn a_digest_of_another_kind_is_compared_and_the_object_is_marked_with_its_source() {
    let bench = Bench::new().await;
    let bytes = Bytes::from_static(b"many parts");
    let nvme = Digests { crc64_nvme: Some(crc64_nvme(&bytes)), ..Digests::default() };
    let source = bench.source.put_with("a", bytes, nvme);
    let result = outcome_of(&bench, planned("a", &source)).await;
    assert_eq!((result.outcome, result.proof), (Some(Outcome::Copied), Some(Grade::B)));
    let mark = source.info.etag.unwrap().as_str().to_owned();
    let metadata = bench.target.object("to/a").unwrap().options.headers.user_metadata;
    assert_eq!(metadata, [(PROVENANCE_NAME.to_owned(), mark)]);
}

#[tokio::test(start_paused = true)]
async fn an_encrypted_copy_is_not_measured_by_its_etag() {
    let bench = Bench::with(|job| job.target.encryption = Some(Encryption::Kms), None).await;
    let object = planned("a", &bench.source.put("a", "text"));
    let result = outcome_of(&bench, object).await;
    assert_eq!(result.proof, Some(Grade::C));
    assert_eq!(bench.target.object("to/a").unwrap().options.encryption.as_deref(), Some("KMS"));
}

#[tokio::test(start_paused = true)]
async fn metadata_that_oss_cannot_hold_is_named() {
    let bench = Bench::new().await;
    bench.source.put("a", "text");
    bench.source.edit("a", |info| {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        info.headers.user_metadata = vec![pair("good", "1"), pair("ünder", "2"), pair("b", "grün")];
        info.headers.content_type = Some("text/plain".to_owned());
    });
    let source = bench.source.put("other", "text");
    let object = PlannedObject { key: "a".into(), ..planned("other", &source) };
    let result = outcome_of(&bench, object).await;
    assert_eq!(result.outcome, Some(Outcome::Copied));
    assert!(reason(&result).starts_with("metadata left behind: "), "{result:?}");
    assert!(reason(&result).contains("ünder") && reason(&result).contains('b'));
    let headers = bench.target.object("to/a").unwrap().options.headers;
    assert_eq!(headers.user_metadata, [("good".to_owned(), "1".to_owned())]);
    assert_eq!(headers.content_type.as_deref(), Some("text/plain"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_will_not_change_is_an_outcome_at_once() {
    for (fate, outcome) in [
        (Opens::Fails(ErrorKind::NoSuchKey), Outcome::Gone),
        (Opens::Fails(ErrorKind::Archived), Outcome::Archived),
        (Opens::Fails(ErrorKind::AccessDenied), Outcome::Failed),
        (Opens::Breaks(ErrorKind::AccessDenied), Outcome::Failed),
    ] {
        let bench = Bench::new().await;
        let object = planned("a", &bench.source.put("a", "text"));
        bench.source.always("a", fate.clone());
        let result = outcome_of(&bench, object).await;
        assert_eq!(result.outcome, Some(outcome), "{fate:?}");
        assert!(reason(&result).starts_with("source: ") && reason(&result).contains("R1"));
        assert_eq!(bench.source.opened().len(), 1);
        assert!(bench.target.object("to/a").is_none());
    }
    for (kind, outcome) in
        [(ErrorKind::Unsupported, Outcome::Unsupported), (ErrorKind::AccessDenied, Outcome::Failed)]
    {
        let bench = Bench::new().await;
        let object = planned("a", &bench.source.put("a", "text"));
        bench.target.always("PutObject", Goes::Fails(kind));
        let result = outcome_of(&bench, object).await;
        assert_eq!(result.outcome, Some(outcome), "{kind:?}");
        assert!(reason(&result).starts_with("target: ") && reason(&result).contains("R1"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_and_the_object_counts_once() {
    let bench = Bench::new().await;
    let object = planned("a", &bench.source.put("a", "some text"));
    let broken = [
        Opens::Breaks(ErrorKind::Connection),
        Opens::OfAnotherSize,
        Opens::Fails(ErrorKind::Throttled),
        Opens::Breaks(ErrorKind::Timeout),
        Opens::Fails(ErrorKind::BadAnswer),
    ];
    bench.source.script("a", broken);
    let result = outcome_of(&bench, object).await;
    assert_eq!((result.outcome, result.proof), (Some(Outcome::Copied), Some(Grade::A)));
    assert_eq!(bench.source.opened().len(), 6);
    assert_eq!(bench.target.object("to/a").unwrap().bytes, "some text");
}

#[tokio::test(start_paused = true)]
async fn a_changed_object_is_taken_again_whole() {
    let bench = Bench::new().await;
    let object = planned("a", &bench.source.put("a", "before"));
    bench.source.script("a", [Opens::Changed("after it"), Opens::Breaks(ErrorKind::Connection)]);
    let result = outcome_of(&bench, object).await;
    assert_eq!(result.outcome, Some(Outcome::Copied));
    assert_eq!((result.bytes, result.proof), (8, Some(Grade::A)));
    assert_eq!(bench.target.object("to/a").unwrap().bytes, "after it");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_changes_three_times_or_outgrows_its_task_is_deferred() {
    let bench = Bench::new().await;
    let object = planned("a", &bench.source.put("a", "0"));
    bench.source.script("a", [Opens::Changed("1"), Opens::Changed("2"), Opens::Changed("3")]);
    let result = outcome_of(&bench, object).await;
    assert_eq!(result.outcome, Some(Outcome::Deferred));
    assert!(reason(&result).contains("3 times"), "{result:?}");

    let bench = Bench::with(|job| job.limits.split_bytes = 5, None).await;
    let object = planned("a", &bench.source.put("a", "small"));
    bench.source.script("a", [Opens::Changed("larger")]);
    let result = outcome_of(&bench, object).await;
    assert_eq!(result.outcome, Some(Outcome::Deferred));
    assert!(reason(&result).contains("outgrew its task"), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_vanished_after_a_change_is_gone() {
    let bench = Bench::new().await;
    let object = planned("a", &bench.source.put("a", "0"));
    bench.source.put("a", "another");
    bench.source.script("a", [Opens::Well]);
    bench.source.remove("a");
    assert_eq!(outcome_of(&bench, object).await.outcome, Some(Outcome::Gone));
}

#[tokio::test(start_paused = true)]
async fn wrong_bytes_are_sent_again_and_never_recorded_as_copied() {
    // The MD5 guards the object; without one the target's CRC does.
    for digests in [Some(md5(b"some text")), None] {
        let digests = Digests { md5: digests, ..Digests::default() };
        let bench = Bench::new().await;
        let source = bench.source.put_with("a", Bytes::from_static(b"some text"), digests);
        bench.target.script("PutObject", [Goes::Wrong]);
        let result = outcome_of(&bench, planned("a", &source)).await;
        assert_eq!(result.outcome, Some(Outcome::Copied));
        assert_eq!(bench.target.object("to/a").unwrap().bytes, "some text");

        let bench = Bench::new().await;
        bench.source.put_with("a", Bytes::from_static(b"some text"), digests);
        bench.target.always("PutObject", Goes::Wrong);
        let result = outcome_of(&bench, planned("a", &source)).await;
        assert_eq!((result.outcome, result.proof), (Some(Outcome::Failed), None));
        assert!(reason(&result).contains("crc64_ecma"), "{result:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_etag_that_is_not_the_md5_it_looks_like_fails_the_object() {
    let bench = Bench::new().await;
    let digests = Digests { md5: Some([7; 16]), ..Digests::default() };
    let source = bench.source.put_with("a", Bytes::from_static(b"text"), digests);
    let result = outcome_of(&bench, planned("a", &source)).await;
    assert_eq!(result.outcome, Some(Outcome::Failed));
    assert!(reason(&result).contains("DigestMismatch, 3 times") || reason(&result).contains("R1"));
    assert!(bench.target.object("to/a").is_none());
}

#[tokio::test(start_paused = true)]
async fn what_must_not_be_overwritten_is_kept_unless_it_is_the_same() {
    for (there, outcome) in [("some text", Outcome::Unchanged), ("same size", Outcome::Kept)] {
        let bench = Bench::new().await;
        let object = created("a", &bench.source.put("a", "some text"));
        bench.target.write("to/a", there);
        let result = outcome_of(&bench, object).await;
        assert_eq!(result.outcome, Some(outcome));
        assert_eq!(result.proof.is_some(), outcome == Outcome::Unchanged);
        assert_eq!(bench.target.object("to/a").unwrap().bytes, there);
    }
    let bench = Bench::new().await;
    let object = created("a", &bench.source.put("a", "some text"));
    bench.target.script("PutObject", [Goes::Lost]);
    let result = outcome_of(&bench, object).await;
    assert_eq!(result.outcome, Some(Outcome::Copied), "it was our own: {result:?}");
}

#[tokio::test(start_paused = true)]
async fn a_versioned_bucket_is_asked_before_a_write_that_it_would_not_refuse() {
    let mut bench = Bench::new().await;
    bench.target.make_versioned();
    let object = created("a", &bench.source.put("a", "some text"));
    bench.target.write("to/a", "same size");
    assert_eq!(outcome_of(&bench, object).await.outcome, Some(Outcome::Kept));
    assert_eq!(bench.target.object("to/a").unwrap().bytes, "same size");
}

/// Changes what the target says of an object.
type Mend = fn(&mut ObjectInfo);

#[tokio::test(start_paused = true)]
async fn after_the_switch_what_the_application_wrote_is_kept() {
    for (written_after, outcome) in [(5, Outcome::Copied), (15, Outcome::Kept)] {
        let bench = Bench::with(|_| {}, Some(Duration::from_secs(10))).await;
        let old = bench.target.write("to/a", "old");
        let object = replacing("a", &bench.source.put("a", "some text"), &old);
        tokio::time::sleep(Duration::from_secs(written_after)).await;
        bench.target.write("to/a", "by the application");
        tokio::time::sleep(Duration::from_secs(30)).await;
        let result = outcome_of(&bench, object).await;
        assert_eq!(result.outcome, Some(outcome), "written after {written_after} s");
    }
    // What was seen when it was planned is written over only where nobody but us wrote it: the
    // application may have written the same bytes again.
    let plain: Mend = |_| {};
    let marked: Mend = |info| {
        info.headers.user_metadata = vec![(PROVENANCE_NAME.to_owned(), "older".to_owned())];
    };
    let mirrored: Mend = |info| info.mirrored = true;
    for (mend, outcome) in
        [(plain, Outcome::Kept), (marked, Outcome::Copied), (mirrored, Outcome::Copied)]
    {
        let bench = Bench::with(|_| {}, Some(Duration::ZERO)).await;
        let expected = bench.target.write("to/a", "seen when it was planned");
        bench.target.mend("to/a", mend);
        let object = replacing("a", &bench.source.put("a", "some text"), &expected);
        assert_eq!(outcome_of(&bench, object).await.outcome, Some(outcome));
    }

    let bench = Bench::with(|_| {}, Some(Duration::ZERO)).await;
    let object = planned("a", &bench.source.put("a", "some text"));
    bench.target.script("PutObject", [Goes::Lost]);
    let result = outcome_of(&bench, object).await;
    assert_eq!(result.outcome, Some(Outcome::Copied), "the lost PUT was ours: {result:?}");
}

#[tokio::test(start_paused = true)]
async fn what_the_application_deleted_since_it_was_planned_is_not_brought_back() {
    for (t2, outcome) in [(Some(Duration::ZERO), Outcome::Kept), (None, Outcome::Copied)] {
        let bench = Bench::with(|_| {}, t2).await;
        let object = replacing("a", &bench.source.put("a", "some text"), &ETag::new("deleted"));
        let result = outcome_of(&bench, object).await;
        assert_eq!(result.outcome, Some(outcome), "{result:?}");
        assert_eq!(bench.target.object("to/a").is_some(), t2.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn older_bytes_that_the_mirror_rule_fetched_meanwhile_give_way() {
    for (mirrored, outcome) in [(true, Outcome::Copied), (false, Outcome::Kept)] {
        let bench = Bench::with(|_| {}, Some(Duration::ZERO)).await;
        let object = created("a", &bench.source.put("a", "some text"));
        bench.target.write("to/a", "older");
        bench.target.mend("to/a", |info| info.mirrored = mirrored);
        let forbidding =
            PlannedObject { action: Action::Copy { forbid_overwrite: true }, ..object };
        let result = outcome_of(&bench, forbidding).await;
        assert_eq!(result.outcome, Some(outcome), "{result:?}");
        let marks = bench.target.object("to/a").unwrap().options.headers.user_metadata;
        let is_marked = marks.iter().any(|(name, _)| name == PROVENANCE_NAME);
        assert_eq!(is_marked, mirrored, "after t2 every copy of ours is marked");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_planner_knew_is_recorded_without_a_request() {
    let bench = Bench::new().await;
    let source = bench.source.put("a", "text");
    let archived = Action::Record { outcome: Outcome::Archived, reason: "restore it".to_owned() };
    let objects = vec![
        PlannedObject { action: archived, ..planned("a", &source) },
        // The prefix of the target makes the key too long for OSS.
        PlannedObject { key: "k".repeat(1_022).into(), ..planned("a", &source) },
    ];
    let task = bench.plan_batch(objects).await;
    bench.drain().await;
    let results = bench.results(&task).await;
    assert_eq!(results[0].outcome, Some(Outcome::Archived));
    assert_eq!(results[0].reason.as_deref(), Some("restore it"));
    assert_eq!(results[1].outcome, Some(Outcome::Unsupported));
    assert!(bench.source.opened().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_object_listed_without_an_etag_is_pinned_by_what_the_source_says_now() {
    let bench = Bench::new().await;
    let object = PlannedObject { etag: None, ..planned("a", &bench.source.put("a", "text")) };
    let result = outcome_of(&bench, object).await;
    assert_eq!((result.outcome, result.proof), (Some(Outcome::Copied), Some(Grade::A)));
    assert!(result.source_etag.is_some());
}
