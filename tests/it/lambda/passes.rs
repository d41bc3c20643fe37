//! Passes from SeaweedFS to OSS, triggered as an operator and a schedule trigger them.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use ossferry_core::key::Key;
use ossferry_ledger::Ledger;
use ossferry_ledger::ids::PassRef;
use ossferry_tests::clock;
use ossferry_tests::command::JobFile;
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::inspection::{Held, Inspected, inspect};
use ossferry_tests::lambda::{LambdaLimits, Stack};
use ossferry_tests::oss::Oss;
use ossferry_tests::s3::S3Bucket;
use ossferry_tests::seaweedfs::SeaweedFs;
use serde_json::json;

use super::limits::MEMORY_KIB_MAX;

/// No pass of these tests takes longer.
pub(crate) const PASS_MAX: Duration = Duration::from_mins(4);

/// Small objects in several tasks, and one object in parts.
pub(crate) async fn fill(bucket: &S3Bucket) -> BTreeMap<Key, Bytes> {
    let mut objects = BTreeMap::new();
    for number in 0..300 {
        let key = Key::from(format!("d{}/object-{number:03}", number % 7));
        objects.insert(key.clone(), bytes_of(&key, 1, number));
    }
    let large = Key::from("large");
    objects.insert(large.clone(), bytes_of(&large, 1, 5 << 20));
    bucket.put_all(objects.clone()).await;
    objects
}

/// What must hold of a pass that has ended.
pub(crate) async fn look(
    ledger: &Ledger,
    pass: &PassRef,
    oss: &Oss,
    expected: &BTreeMap<Key, Bytes>,
) -> Inspected {
    let target = oss.target();
    let held = Held { objects: target.objects().await, open_uploads: target.open_uploads().await };
    inspect(ledger, pass, &held, expected).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_pass_and_a_scheduled_one_after_changes_leave_the_target_equal() {
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    let mut objects = fill(&bucket).await;
    let oss = Oss::start(clock::system()).await;
    let limits = "task_objects_max = 50\nsplit_bytes = 4194304\npart_bytes = 1048576";
    let job = JobFile::from_s3(&bucket, &oss).limits(limits).text();
    let stack = Stack::deploy(&job, &LambdaLimits::default()).await;

    let (pass, _) = stack.run(json!({"pass": "full", "id": "first"}), PASS_MAX).await;
    let report = look(&stack.ledger, &pass, &oss, &objects).await.report;
    assert_eq!((report.listed, report.copied), (301, 301));
    let again = stack.trigger(json!({"pass": "full", "id": "first"})).await;
    assert_eq!((&again["pass"], &again["outcome"]), (&json!("first"), &json!("ended")));

    for (name, size) in [("d3/object-003", 7), ("new", 9)] {
        let key = Key::from(name);
        let bytes = bytes_of(&key, 2, size);
        bucket.put(&key, bytes.clone()).await;
        objects.insert(key, bytes);
    }
    let schedule = json!({"pass": "incremental", "time": "2026-11-26T03:00:00Z"});
    let (pass, row) = stack.run(schedule, PASS_MAX).await;
    assert_eq!(row.pass, "20261126T030000000Z-incremental".into());
    let report = look(&stack.ledger, &pass, &oss, &objects).await.report;
    assert_eq!((report.listed, report.copied, report.skipped), (302, 2, 300));
    let bytes: usize = objects.values().map(Bytes::len).sum::<usize>() + 3;
    let told = |metrics: &[&str]| metrics.iter().map(|metric| stack.copier.told(metric)).sum();
    for (metrics, sum) in [
        (&["Objects"][..], 303),
        (&["ProofA", "ProofB", "ProofC", "ProofD"], 303),
        (&["Bytes"], bytes),
        (&["Failures", "Panics"], 0),
    ] {
        let told: f64 = told(metrics);
        assert_eq!(format!("{told}"), format!("{sum}"), "{metrics:?}");
    }
    let swept = stack.planner.invoke(&json!({"sweep": true})).await.answer();
    assert_eq!(swept, json!({"swept": []}), "no pass runs");
    let is_about_a_task = |line: &serde_json::Value| {
        let fields = ["function", "request_id", "message_id", "job", "pass", "slice", "task"];
        line.get("span").is_some_and(|span| fields.iter().all(|field| span.get(field).is_some()))
    };
    assert!(stack.copier.log_lines().iter().any(is_about_a_task), "{}", stack.copier.log());
    assert!(stack.mappings.iter().all(|mapping| mapping.dead_letters().is_empty()));
    for (name, function) in [("planner", &stack.planner), ("copier", &stack.copier)] {
        let figures = function.figures();
        assert!(figures.memory_kib_max <= MEMORY_KIB_MAX, "{name}: {figures:?}");
        println!("{name}: {figures:?}");
    }
}
