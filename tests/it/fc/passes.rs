//! Passes from COS (SeaweedFS behind a front) to OSS, triggered as an operator and a timer trigger them.

use std::time::Duration;

use bytes::Bytes;
use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::JobFile;
use ossferry_tests::cos::Cos;
use ossferry_tests::fc::{FcLimits, FcStack};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::Oss;
use ossferry_tests::seaweedfs::SeaweedFs;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::lambda::passes::{PASS_MAX, fill, look};

const LIMITS: &str = "task_objects_max = 50\nsplit_bytes = 4194304\npart_bytes = 1048576";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_copier_is_started_while_a_window_is_closed() {
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    fill(&bucket).await;
    let oss = Oss::start(clock::system()).await;
    let cos = Cos::start(&bucket).await;
    let closed =
        format!("{LIMITS}\ntime_zone = \"Asia/Shanghai\"\n[[limits.window]]\nclosed = true");
    let job = JobFile::from_cos(&cos, &oss).limits(&closed);
    let stack = FcStack::deploy(&job, &FcLimits::default()).await;
    let pass = stack.begun(&stack.trigger(json!({"pass": "full", "id": "closed"})).await);
    let listed = async {
        while stack.ledger.status(&pass).await.unwrap().totals.tasks < 7 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PASS_MAX, listed).await.expect("it is planned");
    let swept = stack.planner.ring("2026-11-26T03:05:00Z", &json!({"sweep": true})).await.answer();
    assert!(swept["swept"].is_array(), "{swept}");
    assert!(stack.service.started("ferry-planner") >= 1);
    assert_eq!(stack.service.started("ferry-copier"), 0);
    assert!(oss.target().objects().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_pass_and_a_timed_one_after_changes_leave_the_target_equal() {
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    let mut objects = fill(&bucket).await;
    let oss = Oss::start(clock::system()).await;
    let cos = Cos::start(&bucket).await;
    let job = JobFile::from_cos(&cos, &oss).limits(LIMITS);
    let stack = FcStack::deploy(&job, &FcLimits::default()).await;

    // The trigger alone: it starts a planner, and that one copiers.
    let pass = stack.begun(&stack.trigger(json!({"pass": "full", "id": "first"})).await);
    stack.until_end(&pass, PASS_MAX).await;
    let report = look(&stack.ledger, &pass, &oss, &objects).await.report;
    assert_eq!((report.listed, report.copied), (301, 301));
    assert_eq!(report.proof.a, 301, "COS says the CRC-64 of each object: {report}");
    let cost = report.alibaba_cost.as_ref().expect("it is billed");
    assert!(cost.functions.is_some_and(|price| price > 0.0), "{report}");
    let counted = [cost.calls, cost.queue_requests, cost.table_read_units, cost.table_write_units];
    assert!(counted.iter().all(|count| *count > 0), "{report}");
    assert_eq!(report.cost, None, "nothing of it is on AWS");
    assert!(stack.service.started("ferry-planner") >= 1);
    assert!((1..=8).contains(&stack.service.started("ferry-copier")), "no more than workers");
    let again = stack.trigger(json!({"pass": "full", "id": "first"})).await;
    assert_eq!((&again["pass"], &again["outcome"]), (&json!("first"), &json!("ended")));

    for (name, size) in [("d3/object-003", 7), ("new", 9)] {
        let key = Key::from(name);
        let bytes = bytes_of(&key, 2, size);
        bucket.put(&key, bytes.clone()).await;
        objects.insert(key, bytes);
    }
    let asked = json!({"job": stack.job.name, "pass": "incremental"});
    let answer = stack.planner.ring("2026-11-26T03:00:00Z", &asked).await.answer();
    let pass = stack.begun(&answer);
    assert_eq!(pass.pass, "20261126T030000000Z-incremental".into());
    stack.until_end(&pass, PASS_MAX).await;
    let report = look(&stack.ledger, &pass, &oss, &objects).await.report;
    assert_eq!((report.listed, report.copied, report.skipped), (302, 2, 300));

    let swept = stack.planner.ring("2026-11-26T03:05:00Z", &json!({"sweep": true})).await.answer();
    assert_eq!(swept, json!({"swept": []}), "no pass runs");
    let pulled = stack.copier.ring("2026-11-26T03:05:00Z", &json!({"pull": true})).await.answer();
    assert_eq!(pulled, json!({"handled": 0, "ended": "no-pass"}));
    assert_eq!(stack.dead_letters(), 0);
    assert_eq!(cos.refused(), Vec::<String>::new());
    let bytes: usize = objects.values().map(Bytes::len).sum();
    println!("{bytes} bytes, planner: {:?}", stack.planner.figures());
    println!("copier: {:?}", stack.copier.figures());
}
