//! What would lose data is refused by name, and the same command goes on once it is mended.

use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::Oss;
use ossferry_tests::wire::{Fault, Rule};

use super::{cutover, small_job, until_switch};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_with_failures_outstanding_is_refused() {
    let (oss, ossferry) = small_job(4).await;
    let (failing, to_the_switch) = (Key::from("k/002"), ["--no-mirror", "--delta-max", "100"]);
    let rule = Rule::first("PutObject", Fault::Forbidden("AccessDenied"));
    oss.wire().rule(rule.of_key(&failing).at(0, u64::MAX));
    let refused = cutover(&ossferry, &to_the_switch).await.expect(1);
    assert!(refused.stderr.contains("1 objects failed"), "{}", refused.stderr);
    assert!(refused.stderr.contains("inspect failures"), "{}", refused.stderr);
    let early = cutover(&ossferry, &["--switched"]).await.expect(1);
    assert!(early.stderr.contains("T2 is not recorded yet"), "{}", early.stderr);
    oss.wire().clear_rules();
    until_switch(&ossferry, &to_the_switch).await;
    until_switch(&ossferry, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cutover_is_about_one_source_and_one_target() {
    let (oss, ossferry) = small_job(3).await;
    until_switch(&ossferry, &["--no-mirror"]).await;
    let job = JobFile::from_oss(&oss).source("prefix = \"k/\"");
    ossferry.write_job(&job.text());
    let refused = cutover(&ossferry, &["--switched"]).await.expect(1);
    assert!(refused.stderr.contains("another source, target, prefix"), "{}", refused.stderr);
    let run = ossferry.run(&["run", "--job", "job.toml", "--pass", "full"]).await.expect(1);
    assert!(run.stderr.contains("was switched to the target of this job"), "{}", run.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_whose_listing_stands_still_is_not_cut_over() {
    let oss = Oss::start(clock::system()).await;
    for (line, named) in [
        ("inventory_file = \"manifest.json\"", "an inventory"),
        ("keys = \"failed.csv\"", "a list of keys"),
    ] {
        let ossferry = Ossferry::new(&JobFile::from_oss(&oss).source(line));
        let refused = cutover(&ossferry, &["--no-mirror"]).await.expect(1);
        assert!(refused.stderr.contains(&format!("is listed by {named}")), "{}", refused.stderr);
        assert!(!ossferry.ledger().exists(), "nothing was begun");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mirror_rule_stays_until_the_audit_has_passed() {
    let (oss, ossferry) = small_job(3).await;
    let public = ["--mirror-auth", "none", "--mirror-url", "http://127.0.0.1:9/origin/"];
    until_switch(&ossferry, &public).await;
    let off = ["mirror", "off", "--job", "job.toml"];
    let refused = ossferry.run(&off).await.expect(1);
    assert!(refused.stderr.contains("has not passed its audit"), "{}", refused.stderr);
    assert!(oss.target().website().await.is_some());
    let _ = ossferry.run(&[&off[..], &["--despite-cutover"]].concat()).await.expect(0);
    assert_eq!(oss.target().website().await, None);
    // Whoever goes on has it on again until the audit, and off at the end.
    let certificate = cutover(&ossferry, &[&["--switched"][..], &public].concat()).await.expect(0);
    assert_eq!(certificate.json()["mirror"], "wanted");
    assert_eq!(oss.target().website().await, None);
    let _ = ossferry.run(&off).await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_changes_faster_than_it_is_copied_is_not_switched() {
    let (oss, ossferry) = small_job(3).await;
    let _ = ossferry.run(&["run", "--job", "job.toml"]).await.expect(0);
    let (origin, stop) = (oss.origin(), std::sync::atomic::AtomicBool::new(false));
    let writes = async {
        let mut version = 1;
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            let key = Key::from("k/001");
            origin.put(&key, &bytes_of(&key, version, 64)).await;
            version += 1;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let asks = async {
        let said = cutover(&ossferry, &["--no-mirror", "--delta-max", "0"]).await;
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        said
    };
    let (said, ()) = tokio::join!(asks, writes);
    assert!(said.expect(1).stderr.contains("--delta-max 0"));
    until_switch(&ossferry, &["--delta-max", "0"]).await;
}
