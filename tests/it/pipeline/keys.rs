//! What a pass left behind is the listing of another job: those keys are moved, and no others.

use std::collections::BTreeMap;

use bytes::Bytes;
use ossferry_core::key::Key;
use ossferry_core::report::Report;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::{Oss, TARGET_BUCKET};
use ossferry_tests::s3::S3Bucket;
use ossferry_tests::seaweedfs::SeaweedFs;
use ossferry_tests::wire::{Fault, Rule};

use super::{assert_target, count, run};

/// Keys that a list has to quote or to spell.
const FAILING: [&str; 3] = ["p/07", "p/a,\"b\" 100%25\u{e9}", "p/gone later"];

/// Everything at the source, after a pass in which these keys failed.
async fn failed_pass(bucket: &S3Bucket, oss: &Oss) -> (BTreeMap<Key, Bytes>, Ossferry) {
    let mut all = BTreeMap::new();
    let names = (0..20).map(|n| format!("p/{n:02}"));
    for key in names.chain(FAILING.map(str::to_owned)).map(Key::from) {
        let bytes = bytes_of(&key, 1, 100);
        bucket.put(&key, bytes.clone()).await;
        all.insert(key, bytes);
    }
    for key in FAILING.map(Key::from) {
        let rule = Rule::first("PutObject", Fault::Forbidden("AccessDenied")).of_key(&key);
        oss.wire().rule(rule.at(0, u64::MAX));
    }
    let ossferry = Ossferry::new(&JobFile::from_s3(bucket, oss));
    let report = run(&ossferry, 2).await;
    assert_eq!((report.copied, report.failed), (19, 3), "{report:?}");
    oss.wire().clear_rules();
    (all, ossferry)
}

/// A job of its own, with a ledger of its own, over a list. Its filter takes no key of which nothing is known
/// for a small object.
fn over(line: &str, bucket: &S3Bucket, oss: &Oss) -> Ossferry {
    let job = JobFile::from_s3(bucket, oss).source(line);
    Ossferry::new(&job.more("[policy]\noverwrite = \"source-wins\"\n[filter]\nsize_min = 1"))
}

/// The keys that were written at the target.
fn written(oss: &Oss) -> Vec<Key> {
    let seen = oss.wire().take_seen().into_iter();
    let reads = |operation: &str| operation.starts_with("Get") || operation.starts_with("List");
    let written = seen.filter(|seen| {
        seen.bucket == TARGET_BUCKET && !reads(seen.operation) && seen.operation != "HeadObject"
    });
    let mut keys: Vec<Key> = written.filter_map(|seen| seen.key).collect();
    keys.sort();
    keys
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_pass_left_behind_is_moved_by_its_list_and_nothing_else() {
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    let oss = Oss::start(clock::system()).await;
    let (mut all, first) = failed_pass(&bucket, &oss).await;
    let list = ["inspect", "--job", "job.toml", "--json", "failures"];
    let list = first.run(&list).await.expect(0).stdout;
    assert_eq!(list.lines().count(), 3, "{list}");

    // One is written over, one is deleted, and one is new, of which the list knows nothing.
    let [changed, other, gone] = FAILING.map(Key::from);
    let bytes = bytes_of(&changed, 2, 300);
    bucket.put(&changed, bytes.clone()).await;
    all.insert(changed.clone(), bytes);
    bucket.delete(&gone).await;
    all.remove(&gone);
    bucket.put(&Key::from("p/new"), Bytes::from_static(b"later")).await;

    let second = over("keys_file = \"left.json\"", &bucket, &oss);
    std::fs::write(second.folder().join("left.json"), &list).unwrap();
    let check = second.run(&["check", "--job", "job.toml"]).await.expect(0).stdout;
    assert!(check.contains("that of a list of keys"), "{check}");
    assert!(check.contains("of the first 3, 1 are not at the source any more"), "{check}");
    oss.wire().take_seen();
    let report = run(&second, 0).await;
    assert_eq!((report.listed, report.copied, report.gone), (3, 2, 1), "{report:?}");
    assert_eq!(written(&oss), [changed, other]);
    assert_target(&oss, &all).await;
    let rows = second.rows().await;
    let named = rows.iter().filter(|row| row.outcome == "gone").map(|row| row.key.as_str());
    assert_eq!(named.collect::<Vec<_>>(), [gone.to_text()], "it is named");

    // No date of the list's time is trusted: a pass after it looks at every key of the list again.
    let again = run(&second, 0).await;
    assert_eq!((again.kind.as_str(), again.listed), ("incremental", 3), "{again:?}");
    assert_eq!((again.copied, again.gone), (0, 1), "{again:?}");
    assert_eq!(count(&again.requests.source, "ListObjectsV2"), 0, "{again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_over_a_whole_report_calls_nothing_beside_it_extra() {
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    let oss = Oss::start(clock::system()).await;
    let (mut all, first) = failed_pass(&bucket, &oss).await;
    let report = ["report", "--job", "job.toml", "--format", "csv"];
    let report = first.run(&report).await.expect(0).stdout;
    bucket.put(&Key::from("lists/report.csv"), report.into()).await;

    let second = over("keys = \"lists/report.csv\"", &bucket, &oss);
    let report = run(&second, 0).await;
    assert_eq!((report.listed, report.copied, report.skipped_equal), (22, 3, 19), "{report:?}");
    let extra = Key::from("p/of the application");
    let bytes = Bytes::from_static(b"x");
    oss.target().put(&extra, &bytes).await;
    all.insert(extra, bytes);
    let audit = ["run", "--job", "job.toml", "--json", "--pass", "audit"];
    let audit: Report = second.run(&audit).await.expect(0).report();
    assert_eq!(audit.check_law(), Ok(()), "{audit:?}");
    assert_eq!((audit.listed, audit.unequal(), audit.extra_at_target), (22, 0, 0), "{audit:?}");
    assert!(!audit.serial, "not every key of the target was asked for at the source");
    assert_target(&oss, &all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_is_of_another_job_stops_the_pass_with_its_reason() {
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    let oss = Oss::start(clock::system()).await;
    bucket.put(&Key::from("in/a"), Bytes::from_static(b"1")).await;
    let ossferry = over("keys_file = \"list\"\nprefix = \"in/\"", &bucket, &oss);
    for (list, said) in [
        (None, "list of keys: list: No such file"),
        (Some("in/a\nout/b\n"), "out/b does not begin with the prefix of the job, in/"),
        (Some("in/a,1,failed,,,,,\n"), "without the line of its header"),
    ] {
        if let Some(list) = list {
            std::fs::write(ossferry.folder().join("list"), list).unwrap();
        }
        let refused = ossferry.run(&["run", "--job", "job.toml", "--json"]).await.expect(1);
        let reason = refused.report().reason.unwrap_or_default();
        assert!(reason.contains(said), "{said}: {reason}");
        let check = ossferry.run(&["check", "--job", "job.toml"]).await.expect(1).stdout;
        assert!(check.contains(said), "{said}: {check}");
    }
    assert_target(&oss, &BTreeMap::new()).await;
}
