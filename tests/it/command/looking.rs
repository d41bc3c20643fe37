//! Commands that write, and the ones that look at what was written.

use std::collections::BTreeSet;
use std::time::Duration;

use ossferry_core::crc::crc64_ecma;
use ossferry_core::job::Job;
use ossferry_core::key::Key;
use ossferry_core::report::{Report, ReportState};
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry, said, signal};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::Oss;
use ossferry_tests::wire::{Fault, Rule};
use serde_json::Value;

use super::{RUN, bench};

/// One JSON object a line.
fn lines(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn init_writes_a_job_file_once_and_it_parses() {
    let oss = Oss::start(clock::system()).await;
    let ossferry = Ossferry::new(&JobFile::from_oss(&oss));
    drop(ossferry.run(&["init", "new.toml"]).await.expect(0));
    let path = ossferry.folder().join("new.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    Job::parse(&text).unwrap();
    std::fs::write(&path, "mine").unwrap();
    let again = ossferry.run(&["init", "new.toml"]).await.expect(1);
    assert!(again.stderr.contains("new.toml"), "{}", again.stderr);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_reads_both_ends_and_writes_at_neither() {
    let (oss, mut ossferry) = bench(3, "").await;
    let check = ["check", "--job", "job.toml"];
    let said = ossferry.run(&check).await.expect(0);
    assert!(said.stdout.contains("ok"), "{}", said.stdout);
    assert!(!ossferry.ledger().exists(), "a check makes no ledger");
    let reads = [
        "GetBucketInfo",
        "GetBucketVersioning",
        "GetObject",
        "HeadBucket",
        "HeadObject",
        "ListObjects",
        "ListObjectsV2",
    ];
    let seen = oss.wire().take_seen();
    let buckets: BTreeSet<&str> = seen.iter().map(|seen| seen.bucket.as_str()).collect();
    assert_eq!(buckets.len(), 2, "both ends are asked");
    for seen in &seen {
        let is_read = reads.contains(&seen.operation)
            || matches!(seen.operation, "ListMultipartUploads" | "OtherOfBucket");
        assert!(is_read, "{seen:?}");
    }
    assert_eq!(oss.target().entries().await.len(), 0);
    ossferry.set("OSS_ACCESS_KEY_SECRET", Some("wrong"));
    let refused = ossferry.run(&check).await.expect(1);
    assert!(refused.stdout.contains("FAIL"), "{}", refused.stdout);
    ossferry.set("OSS_ACCESS_KEY_SECRET", None);
    let unset = ossferry.run(&check).await.expect(1);
    let text = format!("{}{}", unset.stdout, unset.stderr);
    assert!(text.contains("OSS_ACCESS_KEY_SECRET"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_looked_at_then_copied_and_every_object_has_a_row_with_its_proof() {
    let (_oss, ossferry) = bench(60, "task_objects_max = 25").await;
    drop(ossferry.run(&["plan", "--job", "job.toml"]).await.expect(0));
    let status = ["status", "--job", "job.toml", "--json"];
    let planned = ossferry.run(&status).await.expect(0).report();
    assert_eq!((planned.state, planned.planned, planned.pending), (ReportState::Open, 61, 61));
    let inspect = async |what: &str| {
        let said = ossferry.run(&["inspect", "--job", "job.toml", what, "--json"]).await;
        lines(&said.expect(0).stdout)
    };
    assert_eq!(inspect("passes").await[0]["state"], "open");
    let slices = inspect("slices").await;
    assert_eq!(slices.iter().map(|slice| slice["planned"].as_u64().unwrap()).sum::<u64>(), 61);
    let tasks = inspect("tasks").await;
    assert_eq!(tasks.iter().map(|task| task["objects"].as_u64().unwrap()).sum::<u64>(), 61);
    assert!(tasks.iter().any(|task| task["kind"] == "upload"));
    assert_eq!(inspect("failures").await, Vec::<Value>::new());

    let watch = ossferry.spawn(&["status", "--job", "job.toml", "--json", "--watch"]);
    let copy = ossferry.run(&["copy", "--job", "job.toml", "--json"]).await.expect(0);
    let copied = copy.report();
    assert_eq!((copied.state, copied.copied), (ReportState::Finished, 61));
    let watched = said(watch).await.expect(0);
    let last: Report = serde_json::from_str(watched.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((last.state, last.copied), (ReportState::Finished, 61));

    let rows = ossferry.rows().await;
    assert_eq!(rows.iter().map(|row| &row.key).collect::<BTreeSet<_>>().len(), 61);
    assert_eq!(rows.len(), 61);
    for row in &rows {
        let key = Key::from_text(&row.key);
        let bytes = bytes_of(&key, 1, usize::try_from(row.size).unwrap());
        assert_eq!((row.outcome.as_str(), row.proof.as_str()), ("copied", "A"), "{row:?}");
        assert_eq!(row.crc64_ecma, crc64_ecma(&bytes).to_string(), "{row:?}");
        let has_same = row.source_etag == row.target_etag;
        assert_eq!(has_same, row.size < 300_000, "one PUT keeps the ETag: {row:?}");
        assert_eq!(row.reason, "", "{row:?}");
    }
    let key = ["inspect", "--job", "job.toml", "key", "large +%25", "--json"];
    let key = lines(&ossferry.run(&key).await.expect(0).stdout);
    assert_eq!((&key[0]["outcome"], &key[0]["size"]), (&"copied".into(), &300_000.into()));
    let report = ["report", "--job", "job.toml", "--format", "json", "--pass", &copied.pass];
    assert_eq!(ossferry.run(&report).await.expect(0).report(), copied);
    let text = ossferry.run(&["report", "--job", "job.toml"]).await.expect(0).stdout;
    assert!(text.contains("copied") && text.contains("61") && text.contains("proof A"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_end_with_status_2_and_each_is_named_with_its_cause_and_request_id() {
    let (oss, ossferry) = bench(30, "").await;
    let bad = Key::from("o/0007");
    let rule = Rule::first("PutObject", Fault::Forbidden("AccessDenied")).of_key(&bad);
    oss.wire().rule(rule.at(1, u64::MAX));
    let report = ossferry.run(&RUN).await.expect(2).report();
    assert_eq!((report.state, report.copied, report.failed), (ReportState::Finished, 30, 1));
    let failures = ["inspect", "--job", "job.toml", "failures", "--json"];
    let failures = lines(&ossferry.run(&failures).await.expect(0).stdout);
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0]["key"], "o/0007");
    let reason = failures[0]["reason"].as_str().unwrap();
    assert!(reason.contains("AccessDenied") && reason.contains("SCRIPTED"), "{reason}");

    oss.wire().clear_rules();
    let retry = ["run", "--job", "job.toml", "--pass", "retry", "--json"];
    let report = ossferry.run(&retry).await.expect(0).report();
    assert_eq!((report.kind.as_str(), report.listed, report.copied), ("retry", 1, 1));
    let nothing = ossferry.run(&retry).await.expect(1);
    assert!(nothing.stderr.contains("nothing is outstanding"), "{}", nothing.stderr);
    assert_eq!(oss.target().objects().await, oss.origin().objects().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_run_says_how_to_go_on_and_that_goes_on() {
    let (oss, ossferry) = bench(400, "task_objects_max = 20\nrequests_per_second = 200").await;
    let child = ossferry.spawn(&RUN);
    while oss.wire().count("PutObject") < 60 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    signal(&child, "INT").await;
    let stopped = said(child).await;
    assert_eq!(stopped.status, Some(130), "{}", stopped.stderr);
    assert!(stopped.stderr.contains("ossferry run --job job.toml"), "{}", stopped.stderr);
    let status = ossferry.run(&["status", "--job", "job.toml", "--json"]).await.expect(0).report();
    assert!(status.copied > 0 && status.pending > 0, "{status:?}");
    oss.wire().take_seen();
    let report = ossferry.run(&RUN).await.expect(0).report();
    assert_eq!((report.kind.as_str(), report.copied), ("full", 401));
    // Stopped in good order: nothing that was begun is done again.
    assert_eq!(oss.wire().count("PutObject"), 400 - (status.copied.min(400)));
    assert_eq!(oss.target().objects().await, oss.origin().objects().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standard_output_holds_the_result_alone_and_no_terminal_s_escapes() {
    let (_oss, ossferry) = bench(30, "").await;
    let json = ossferry.run(&["run", "--job", "job.toml", "--json", "--workers", "2"]).await;
    let json = json.expect(0);
    assert_eq!(json.stdout.lines().count(), 1);
    let object = json.json();
    for name in [
        "pass",
        "kind",
        "state",
        "listed",
        "filtered",
        "skipped",
        "planned",
        "copied",
        "unchanged",
        "kept",
        "gone",
        "deferred",
        "archived",
        "unsupported",
        "failed",
        "not-attempted",
        "bytes_copied",
        "proof",
        "requests",
        "seconds",
    ] {
        assert!(!object[name].is_null(), "{name} is missing: {object}");
    }
    for grade in ["A", "B", "C", "D"] {
        assert!(object["proof"][grade].is_u64(), "{object}");
    }
    let text = ossferry.run(&["run", "--job", "job.toml"]).await.expect(0);
    assert!(text.stdout.contains("listed") && text.stdout.contains("31"), "{}", text.stdout);
    for said in [&json, &text] {
        assert!(!said.stdout.contains('\u{1b}') && !said.stderr.contains('\u{1b}'), "{said:?}");
    }
}
