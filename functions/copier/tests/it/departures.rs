//! What a copy has beside its bytes, and how it is told that it departs from its source.

use ossferry_core::along::Tag;
use ossferry_core::error::ErrorKind;
use ossferry_core::fidelity::{Properties, Property};
use ossferry_core::job::{Job, SourceSpec, StoreKind};
use ossferry_core::outcome::Outcome;
use ossferry_ledger::rows::TaskState;

use crate::bench::{Bench, created, planned};
use crate::scripted_target::Goes;

fn team() -> Vec<Tag> {
    vec![("team".to_owned(), "a".to_owned())]
}

#[tokio::test(start_paused = true)]
async fn departures_are_counted_of_copies_alone_and_cost_no_request() {
    let bench = Bench::new().await;
    let objects = ["tagged", "plain", "gone"].map(|key| {
        let object = bench.source.put(key, key);
        bench.source.tag(key, &team());
        planned(key, &object)
    });
    bench.source.edit("plain", |info| info.beyond = Properties::default());
    bench.source.remove("gone");
    let task = bench.plan_batch(objects.into()).await;
    bench.drain().await;
    let row = bench.task(&task).await;
    assert_eq!((row.state, row.sum.of(Outcome::Copied)), (TaskState::Done, 2));
    assert_eq!(row.sum.departures.dropped(Property::Tags), 1);
    assert_eq!(row.sum.requests.source.get("GetObjectTagging"), None);
    let is_dropped: Vec<bool> = bench
        .results(&task)
        .await
        .iter()
        .map(|result| result.departures.dropped.has(Property::Tags))
        .collect();
    assert_eq!(is_dropped.iter().filter(|dropped| **dropped).count(), 1);
    assert_eq!(bench.status().await.totals.sum.departures.dropped(Property::Tags), 1);
}

#[tokio::test(start_paused = true)]
async fn tags_are_asked_for_again_after_trouble_and_written_with_the_object() {
    let bench = Bench::with(|job| job.policy.tags = true, None).await;
    let objects = ["tagged", "plain"].map(|key| planned(key, &bench.source.put(key, key)));
    bench.source.tag("tagged", &team());
    bench.source.refuse_tags([ErrorKind::Throttled]);
    let task = bench.plan_batch(objects.into()).await;
    bench.drain().await;
    let row = bench.task(&task).await;
    assert_eq!(row.sum.of(Outcome::Copied), 2);
    assert!(row.sum.departures.is_none());
    assert_eq!(row.sum.requests.source["GetObjectTagging"], 2, "one more for the trouble");
    let tags = |key: &str| bench.target.object(key).unwrap().options.tags;
    assert_eq!((tags("to/tagged"), tags("to/plain")), (team(), vec![]));
}

#[tokio::test(start_paused = true)]
async fn tags_arrive_from_a_store_that_does_not_count_them_in_its_answers() {
    let s3_like = |job: &mut Job| {
        let SourceSpec::Bucket(bucket) = &mut job.source else { panic!("{:?}", job.source) };
        bucket.kind = StoreKind::S3Compatible;
        job.policy.tags = true;
    };
    let bench = Bench::with(s3_like, None).await;
    let objects = ["tagged", "plain"].map(|key| planned(key, &bench.source.put(key, key)));
    bench.source.tag("tagged", &team());
    bench.source.edit("tagged", |info| info.beyond = Properties::default());
    let task = bench.plan_batch(objects.into()).await;
    bench.drain().await;
    assert_eq!(bench.task(&task).await.sum.requests.source["GetObjectTagging"], 2);
    let tags = |key: &str| bench.target.object(key).unwrap().options.tags;
    assert_eq!((tags("to/tagged"), tags("to/plain")), (team(), vec![]));
}

#[tokio::test(start_paused = true)]
async fn an_object_whose_tags_may_not_be_read_is_failed_and_not_written() {
    let bench = Bench::with(|job| job.policy.tags = true, None).await;
    let object = planned("a", &bench.source.put("a", "bytes"));
    bench.source.tag("a", &team());
    bench.source.refuse_tags([ErrorKind::AccessDenied]);
    let task = bench.plan_batch(vec![object]).await;
    bench.drain().await;
    let result = bench.results(&task).await.remove(0);
    assert_eq!(result.outcome, Some(Outcome::Failed));
    assert!(bench.target.object("to/a").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_copy_whose_answer_was_lost_is_told_to_depart_all_the_same() {
    let bench = Bench::new().await;
    let object = created("a", &bench.source.put("a", "bytes"));
    bench.source.tag("a", &team());
    bench.target.script("PutObject", [Goes::Lost]);
    let task = bench.plan_batch(vec![object]).await;
    bench.drain().await;
    let row = bench.task(&task).await;
    assert_eq!((row.sum.of(Outcome::Copied), row.sum.departures.dropped(Property::Tags)), (1, 1));
}
