//! What README promises, a test a line. The names are those of the list there.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ossferry_conformance::special_keys;
use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry, said, signal};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::{self, Oss};
use ossferry_tests::wire::{Fault, Rule};

const SMALL: usize = 300;

/// A bucket of small objects, a job that moves it, and what lies between.
async fn small_objects(count: usize) -> (Oss, Ossferry) {
    let oss = Oss::start(clock::system()).await;
    for number in 0..count {
        let key = Key::from(format!("photos/{number:05}"));
        oss.origin().put(&key, &bytes_of(&key, 1, SMALL)).await;
    }
    let ossferry = Ossferry::new(&JobFile::from_oss(&oss));
    (oss, ossferry)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_object_of_the_listing_has_exactly_one_outcome() {
    let oss = Oss::start(clock::system()).await;
    let folder = tempfile::tempdir().unwrap();
    for name in ["kept.txt", "empty", "skip.tmp", "sub/large", "\u{e9}"] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes_of(&Key::from(name), 1, 300_000)).unwrap();
    }
    std::fs::write(folder.path().join("empty"), b"").unwrap();
    let unnameable: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"bad-\xff");
    std::fs::write(folder.path().join(unnameable), b"x").unwrap();
    let job = JobFile::from_folder(folder.path(), &oss)
        .limits("split_bytes = 250000\npart_bytes = 102400")
        .more("[filter]\nexclude = [\"*.tmp\", \"empty\"]");
    let ossferry = Ossferry::new(&job);
    let run = ["run", "--job", "job.toml", "--json"];

    let first = ossferry.run(&run).await.expect(0).report();
    first.check_law().unwrap();
    assert_eq!((first.listed, first.filtered, first.skipped, first.planned), (6, 2, 0, 4));
    assert_eq!((first.copied, first.unsupported), (3, 1));
    let planned: u64 = Outcome::ALL.into_iter().map(|outcome| first.of(outcome)).sum();
    assert_eq!(first.planned, planned);

    let again = ossferry.run(&run).await.expect(0).report();
    again.check_law().unwrap();
    assert_eq!(again.kind, "incremental");
    assert_eq!((again.listed, again.filtered, again.skipped, again.planned), (6, 2, 3, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_counts_as_copied_only_after_a_digest_agreed_with_the_target_s_own() {
    let (oss, ossferry) = small_objects(4).await;
    let wrong = Key::from("photos/00002");
    let rule = Rule::first("PutObject", Fault::WrongCrc).of_key(&wrong).at(1, 100);
    oss.wire().rule(rule);
    let run = ["run", "--job", "job.toml", "--json"];
    let report = ossferry.run(&run).await.expect(2).report();
    assert_eq!((report.copied, report.failed), (3, 1));
    let proved = &report.proof;
    assert_eq!(proved.a + proved.b + proved.c, 3, "{proved:?}");
    assert_eq!(proved.d, 0);

    oss.wire().clear_rules();
    let retry = ["run", "--job", "job.toml", "--pass", "retry", "--json"];
    let report = ossferry.run(&retry).await.expect(0).report();
    assert_eq!((report.listed, report.failed), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_killed_ends_whole_and_copies_nothing_again_that_was_recorded() {
    let (oss, ossferry) = small_objects(600).await;
    let job = JobFile::from_oss(&oss).limits("task_objects_max = 20\nworkers = 1");
    ossferry.write_job(&job.text());
    oss.wire().take_seen();
    let run = ["run", "--job", "job.toml", "--json"];
    let mut child = ossferry.spawn(&run);
    while oss.wire().count("PutObject") < 200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(child.try_wait().unwrap().is_none(), "killed before its end");
    }
    signal(&child, "KILL").await;
    said(child).await;
    oss.wire().quiet().await;
    let status = ossferry.run(&["status", "--job", "job.toml", "--json"]).await.expect(0).json();
    let recorded = status["copied"].as_u64().unwrap();
    let before = oss.wire().count("PutObject");

    let report = ossferry.run(&run).await.expect(0).report();
    report.check_law().unwrap();
    assert_eq!((report.kind.as_str(), report.listed, report.copied), ("full", 600, 600));
    let after = oss.wire().count("PutObject") - before;
    assert!(recorded > 0 && after == 600 - recorded, "{recorded} recorded, then {after} copied");
    assert_eq!(oss.target().objects().await, oss.origin().objects().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_changes_while_it_is_copied_is_taken_again_whole_or_deferred() {
    let (oss, ossferry) = small_objects(3).await;
    let oss = Arc::new(oss);
    let (once, always) = (Key::from("photos/00000"), Key::from("photos/00001"));
    for (key, times) in [(&once, 1), (&always, 100)] {
        let (rewritten, weak) = (key.clone(), Arc::downgrade(&oss));
        let version = Arc::new(std::sync::atomic::AtomicU64::new(2));
        let hook = Arc::new(move || {
            let (key, weak, version) = (rewritten.clone(), weak.clone(), version.clone());
            Box::pin(async move {
                let version = version.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                if let Some(oss) = weak.upgrade() {
                    oss.origin().put(&key, &bytes_of(&key, version, SMALL)).await;
                }
            }) as futures::future::BoxFuture<'static, ()>
        });
        oss.wire().rule(Rule::first("GetObject", Fault::After(hook)).of_key(key).at(1, times));
    }
    let report = ossferry.run(&["run", "--job", "job.toml", "--json"]).await.expect(0).report();
    assert_eq!((report.copied, report.deferred), (2, 1));
    let arrived = oss.target().objects().await;
    assert_eq!(arrived[&once], bytes_of(&once, 2, SMALL), "the new bytes, whole");
    assert!(!arrived.contains_key(&always));

    oss.wire().clear_rules();
    let report = ossferry.run(&["run", "--job", "job.toml", "--json"]).await.expect(0).report();
    assert_eq!((report.kind.as_str(), report.copied), ("incremental", 1));
    assert_eq!(oss.target().objects().await, oss.origin().objects().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_arrive_byte_for_byte_and_what_oss_cannot_hold_is_named() {
    let oss = Oss::start(clock::system()).await;
    let keys = special_keys("k/");
    for key in &keys {
        oss.origin().put(key, &bytes_of(key, 1, 10)).await;
    }
    // A longer prefix at the target pushes the longest keys over what OSS holds.
    let longest = keys.iter().filter(|key| key.len() > 1_023 - "moved/".len()).count() as u64;
    assert!(longest > 0);
    let job = JobFile::from_oss(&oss);
    let job = JobFile { target: format!("{}prefix = \"moved/\"\n", job.target), ..job };
    let ossferry = Ossferry::new(&job);
    let report = ossferry.run(&["run", "--job", "job.toml", "--json"]).await.expect(0).report();
    assert_eq!((report.unsupported, report.copied), (longest, keys.len() as u64 - longest));
    let arrived = oss.target().objects().await;
    for key in keys {
        let moved = key.moved(b"", b"moved/").unwrap();
        if moved.oss_objection().is_none() {
            assert_eq!(arrived.get(&moved), Some(&bytes_of(&key, 1, 10)), "{key}");
        } else {
            let csv = ["report", "--job", "job.toml", "--format", "csv"];
            let table = ossferry.run(&csv).await.expect(0).stdout;
            assert!(table.contains(&*key.to_text()), "{key}");
        }
    }
    assert_eq!(arrived.len() as u64, report.copied, "and under no other key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_new_object_costs_one_get_and_one_put_and_an_unchanged_one_nothing() {
    let (oss, ossferry) = small_objects(1_500).await;
    let run = ["run", "--job", "job.toml", "--json"];
    let lists = |report: &ossferry_core::report::Report| {
        let count = |counts: &ossferry_core::meter::OperationCounts| {
            counts.get("ListObjectsV2").copied().unwrap_or(0)
        };
        (count(&report.requests.source), count(&report.requests.target))
    };
    let first = ossferry.run(&run).await.expect(0).report();
    assert_eq!(first.copied, 1_500);
    assert_eq!((oss.wire().count("GetObject"), oss.wire().count("PutObject")), (1_500, 1_500));
    assert_eq!(oss.wire().count("HeadObject"), 0);
    assert_eq!(first.requests.source["GetObject"], 1_500);
    assert_eq!(first.requests.target["PutObject"], 1_500);

    oss.wire().take_seen();
    let again = ossferry.run(&run).await.expect(0).report();
    assert_eq!((again.skipped, again.planned), (1_500, 0));
    let (source, target) = lists(&again);
    assert!(source <= 3 && target <= 3, "{source} and {target} lists for 1,500 objects");
    for operation in ["GetObject", "PutObject", "HeadObject"] {
        assert_eq!(oss.wire().count(operation), 0, "{operation}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_reaches_the_ledger_the_output_or_an_error() {
    let (oss, mut ossferry) = small_objects(20).await;
    let bad = Key::from("photos/00003");
    oss.wire().rule(Rule::first("PutObject", Fault::Forbidden("AccessDenied")).of_key(&bad));
    let log = ["--log", "trace", "run", "--job", "job.toml", "--json"];
    let moved = ossferry.run(&log).await.expect(2);
    ossferry.set("OSS_ACCESS_KEY_SECRET", Some("another-secret-canary"));
    let refused = ossferry.run(&log).await.expect(1);
    let checked = ossferry.run(&["check", "--job", "job.toml"]).await.expect(1);
    for said in [&moved, &refused, &checked] {
        for text in [&said.stdout, &said.stderr] {
            assert!(!text.contains(oss::SECRET_KEY), "{text}");
            assert!(!text.contains("another-secret-canary"), "{text}");
        }
    }
    assert!(moved.stderr.len() > 1_000, "it did log");
    let canaries = [oss::SECRET_KEY.as_bytes(), b"another-secret-canary"];
    for entry in std::fs::read_dir(ossferry.folder()).unwrap() {
        let path = entry.unwrap().path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let bytes = Bytes::from(bytes);
        for canary in canaries {
            let found = bytes.windows(canary.len()).any(|window| window == canary);
            assert!(!found, "{} holds a secret", path.display());
        }
    }
}

#[test]
fn readme_names_every_promise() {
    let readme =
        std::fs::read_to_string(ossferry_tests::fixtures::root().join("README.md")).unwrap();
    let section =
        readme.split("## What it promises").nth(1).unwrap().split("\n## ").next().unwrap();
    let named = section.matches("`tests/it/promises.rs`").count();
    let lines = section.lines().filter(|line| line.starts_with("- ")).count();
    let tests = include_str!("promises.rs").matches("\n#[tokio::test(").count();
    assert_eq!((named, lines), (1, tests), "a line a test");
}
