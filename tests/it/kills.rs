//! Processes killed at any instant: the same command again ends whole, and nothing that was recorded
//! is copied again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry, said, signal};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::Oss;
use tokio::process::Child;
use tokio::time::sleep;

mod full_disk;

const RUN: [&str; 4] = ["run", "--job", "job.toml", "--json"];
const PLAN: [&str; 3] = ["plan", "--job", "job.toml"];
const COPY: [&str; 6] = ["copy", "--job", "job.toml", "--json", "--workers", "2"];

/// Small objects, one of twenty parts, and a job of small tasks.
struct Bench {
    oss: Oss,
    ossferry: Ossferry,
    /// The text of the job file.
    job: String,
    expected: BTreeMap<Key, Bytes>,
}

impl Bench {
    async fn new(small: usize, limits: &str) -> Self {
        let oss = Oss::start(clock::system()).await;
        let mut expected = BTreeMap::new();
        let mut objects: Vec<(Key, usize)> =
            (0..small).map(|number| (Key::from(format!("o/{number:05}")), 200)).collect();
        objects.push((Key::from("large"), 20 * 102_400 - 5));
        for (key, size) in objects {
            let bytes = bytes_of(&key, 1, size);
            oss.origin().put(&key, &bytes).await;
            expected.insert(key, bytes);
        }
        let limits =
            format!("task_objects_max = 20\nsplit_bytes = 204800\npart_bytes = 102400\n{limits}");
        let job = JobFile::from_oss(&oss).limits(&limits);
        Self { oss, ossferry: Ossferry::new(&job), job: job.text(), expected }
    }

    /// Waits until so many more requests were made. `false`: the process ended before.
    async fn after_requests(&self, more: usize, child: &mut Child) -> bool {
        let until = self.oss.wire().total() + more;
        while self.oss.wire().total() < until {
            if child.try_wait().expect("its status").is_some() {
                return false;
            }
            sleep(Duration::from_millis(1)).await;
        }
        true
    }

    async fn kill(&self, child: Child) {
        signal(&child, "KILL").await;
        drop(said(child).await);
        self.oss.wire().quiet().await;
    }

    /// Keys that are recorded as copied.
    async fn recorded(&self) -> BTreeSet<String> {
        let rows = self.ossferry.rows().await;
        rows.into_iter().filter(|row| row.outcome == "copied").map(|row| row.key).collect()
    }

    /// Every object once in the ledger and as it was at the target, and nothing left open there.
    async fn assert_whole(&self) {
        let rows = self.ossferry.rows().await;
        let keys: BTreeSet<&str> = rows.iter().map(|row| row.key.as_str()).collect();
        assert_eq!((rows.len(), keys.len()), (self.expected.len(), self.expected.len()));
        assert!(rows.iter().all(|row| row.outcome == "copied"));
        let status = self.ossferry.run(&["status", "--job", "job.toml", "--json"]).await;
        let report = status.expect(0).report();
        assert_eq!(report.check_law(), Ok(()));
        assert_eq!(report.copied, self.expected.len() as u64);
        assert!(self.oss.target().objects().await == self.expected, "the target is another");
        assert_eq!(self.oss.target().open_uploads().await, Vec::<String>::new());
    }
}

/// `OSSFERRY_KILLS` in the environment, for a longer watch.
fn wanted_kills() -> usize {
    let wanted = std::env::var("OSSFERRY_KILLS").ok();
    wanted.map_or(6, |text| text.parse().expect("OSSFERRY_KILLS is a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_killed_again_and_again_copies_nothing_again_that_was_recorded() {
    let wanted = wanted_kills();
    // As much work as so many runs get through before they are killed.
    let small = (wanted * 32).max(400);
    let bench = Bench::new(small, "workers = 2\nconcurrency_max = 4").await;
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut kills, mut parts) = (0, 0);
    let mut recorded = BTreeSet::new();
    for _ in 0..wanted {
        let mut child = bench.ossferry.spawn(&RUN);
        let is_at_work = bench.after_requests(rng.usize(3..120), &mut child).await;
        assert!(is_at_work, "it ended after {kills} kills");
        bench.kill(child).await;
        kills += 1;
        parts += bench.oss.wire().count("UploadPart");
        // What was done until this kill is held against what was recorded before the last.
        assert_not_copied_again(&bench, &recorded);
        recorded = bench.recorded().await;
    }
    let report = bench.ossferry.run(&RUN).await.expect(0).report();
    parts += bench.oss.wire().count("UploadPart");
    assert_not_copied_again(&bench, &recorded);
    assert_eq!((report.kind.as_str(), report.copied), ("full", small as u64 + 1));
    bench.assert_whole().await;
    // At each kill the ranges in work are lost, and a range has a quarter of the parts.
    assert!(parts <= 20 + kills * 2 * 5, "{parts} parts were written of 20, {kills} kills");
}

fn assert_not_copied_again(bench: &Bench, recorded: &BTreeSet<String>) {
    for seen in bench.oss.wire().take_seen() {
        let Some(key) = seen.key else { continue };
        let again = seen.operation == "PutObject" && recorded.contains(&*key.to_text());
        assert!(!again, "{key} was recorded and then copied again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planner_and_copiers_killed_beside_others_leave_nothing_undone() {
    let bench = Bench::new(1_500, "requests_per_second = 300").await;
    let mut planner = bench.ossferry.spawn(&PLAN);
    let mut first = bench.ossferry.spawn(&COPY);
    let second = bench.ossferry.spawn(&COPY);
    // Both ends are asked before the walk begins: kill it while it walks.
    assert!(bench.after_requests(5, &mut planner).await, "the planner ended too early");
    signal(&planner, "KILL").await;
    drop(said(planner).await);
    let planner = bench.ossferry.spawn(&PLAN);
    assert!(bench.after_requests(150, &mut first).await, "the copier ended too early");
    bench.kill(first).await;
    let third = bench.ossferry.spawn(&COPY);
    assert_eq!(said(planner).await.expect(0).status, Some(0));
    for copier in [second, third] {
        let report = said(copier).await.expect(0).report();
        assert_eq!((report.listed, report.copied), (1_501, 1_501));
    }
    bench.assert_whole().await;
}
