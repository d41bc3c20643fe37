//! Limits of a whole fleet, as processes on one machine keep them: shared, changed while they work, closed.

use std::time::{Duration, Instant};

use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry, said};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::Oss;
use serde_json::Value;
use tokio::time::sleep;

const RUN: [&str; 4] = ["run", "--job", "job.toml", "--json"];
const COPY: [&str; 4] = ["copy", "--job", "job.toml", "--json"];
const SHOW: [&str; 5] = ["limits", "show", "--job", "job.toml", "--json"];

/// Objects of this size, and their job.
async fn bench(count: usize, size: usize, limits: &str) -> (Oss, Ossferry) {
    let oss = Oss::start(clock::system()).await;
    for number in 0..count {
        let key = Key::from(format!("o/{number:04}"));
        oss.origin().put(&key, &bytes_of(&key, 1, size)).await;
    }
    let ossferry = Ossferry::new(&JobFile::from_oss(&oss).limits(limits));
    (oss, ossferry)
}

async fn shown(ossferry: &Ossferry) -> Value {
    ossferry.run(&SHOW).await.expect(0).json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_together_move_no_more_than_the_job_s_limit() {
    const RATE: f64 = 1_500_000.0;
    const SIZE: usize = 150_000;
    const COUNT: usize = 100;
    let limits = format!(
        "bytes_per_second = {RATE}\nconcurrency_max = 2\ntask_objects_max = 4\nworkers = 2"
    );
    let (oss, ossferry) = bench(COUNT, SIZE, &limits).await;
    let (run, copy) = (ossferry.spawn(&RUN), ossferry.spawn(&COPY));
    let mut workers = 0;
    let begun = loop {
        sleep(Duration::from_millis(100)).await;
        if oss.wire().count("PutObject") > 0 {
            break Instant::now();
        }
    };
    while workers < 2 && oss.wire().count("PutObject") < COUNT as u64 {
        let shown = shown(&ossferry).await;
        workers = workers.max(shown["workers"].as_u64().unwrap());
        let held = shown["held"]["target"]["bytes_per_second"].as_f64().unwrap_or_default();
        assert!(held <= RATE, "{shown}");
        sleep(Duration::from_millis(300)).await;
    }
    let (run, copy) = (said(run).await.expect(0), said(copy).await.expect(0));
    let took = begun.elapsed().as_secs_f64();
    assert_eq!(workers, 2, "{} {}", run.stderr, copy.stderr);
    assert_eq!(oss.target().objects().await, oss.origin().objects().await);
    // What was on its way when it was first looked, and a burst of each process, is above the rate.
    #[expect(clippy::cast_precision_loss, reason = "few")]
    let (moved, ahead) = ((COUNT * SIZE) as f64, (8 * SIZE) as f64 + RATE / 2.0);
    assert!(moved - ahead <= 1.1 * RATE * took, "{moved} bytes in {took} s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_window_lets_nothing_be_copied_until_it_is_opened_and_counts_nothing_as_failed() {
    let windows = "time_zone = \"Asia/Shanghai\"\n[[limits.window]]\nclosed = true";
    let (oss, ossferry) = bench(20, 30, windows).await;
    let run = ossferry.spawn(&RUN);
    // It is planned all the same.
    let status = loop {
        sleep(Duration::from_millis(200)).await;
        let status = ossferry.run(&["status", "--job", "job.toml", "--json"]).await;
        if status.status == Some(0) && status.json()["planned"] == 20 {
            break status.json();
        }
    };
    assert_eq!((&status["limits"]["closed"], &status["copied"]), (&true.into(), &0.into()));
    let text = ossferry.run(&["status", "--job", "job.toml"]).await.expect(0).stdout;
    assert!(text.contains("closed: the job's windows let nothing be copied"), "{text}");
    // Several messages were put off, and one came again.
    sleep(Duration::from_secs(6)).await;
    assert_eq!(oss.wire().count("PutObject"), 0);
    let open = ["limits", "set", "--job", "job.toml", "--open", "--json"];
    assert_eq!(ossferry.run(&open).await.expect(0).json()["closed"], false);
    let run = said(run).await.expect(0);
    assert_eq!((run.report().copied, run.report().failed), (20, 0));
    let tasks = ["inspect", "--job", "job.toml", "tasks", "--json"];
    let tasks = ossferry.run(&tasks).await.expect(0).stdout;
    for task in tasks.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        assert_eq!(task["attempts"], 1, "nothing was claimed in vain: {task}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_is_set_for_a_pass_that_runs_without_one_shown_and_cleared() {
    let (oss, ossferry) = bench(60, 30, "concurrency_max = 1\ntask_objects_max = 10").await;
    let refused = ossferry.run(&["limits", "set", "--job", "job.toml"]).await.expect(1);
    assert!(refused.stderr.contains("--target-bytes"), "{}", refused.stderr);
    let wrong = ["limits", "set", "--job", "job.toml", "--target-bytes", "5MB"];
    let wrong = ossferry.run(&wrong).await.expect(1);
    assert!(wrong.stderr.contains("25MB/s, or none"), "{}", wrong.stderr);
    drop(ossferry.run(&["plan", "--job", "job.toml"]).await.expect(0));
    let set = ["limits", "set", "--job", "job.toml", "--target-requests", "20", "--json"];
    let set = ossferry.run(&set).await.expect(0).json();
    assert_eq!(set["target"]["requests_per_second"], 20);
    assert!(set["set_at"].is_string() && set["source"] == serde_json::json!({}), "{set}");
    let text = ossferry.run(&["status", "--job", "job.toml"]).await.expect(0).stdout;
    assert!(text.contains("target 20 requests/s"), "{text}");
    oss.wire().take_seen();
    let begun = Instant::now();
    assert_eq!(ossferry.run(&RUN).await.expect(0).report().copied, 60);
    // A burst of a tenth of a second, and one task that may have begun before it was looked.
    let puts = oss.wire().count("PutObject").min(60);
    #[expect(clippy::cast_precision_loss, reason = "few")]
    let over = puts as f64 - 12.0;
    assert!(over <= 1.1 * 20.0 * begun.elapsed().as_secs_f64(), "{:?}", begun.elapsed());
    let line = ["limits", "set", "--job", "job.toml", "--source-bytes", "8Mbit/s", "--json"];
    let line = ossferry.run(&line).await.expect(0).json();
    assert_eq!(line["source"]["bytes_per_second"], 1_000_000);
    let none = ["limits", "set", "--job", "job.toml", "--source-bytes", "none", "--json"];
    assert_eq!(ossferry.run(&none).await.expect(0).json()["source"], serde_json::json!({}));
    let clear = ["limits", "set", "--job", "job.toml", "--clear"];
    let text = ossferry.run(&clear).await.expect(0).stdout;
    assert!(text.contains("target: no limit"), "{text}");
}
