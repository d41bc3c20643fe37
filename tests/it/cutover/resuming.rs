//! Interrupted and killed at any moment, a cutover goes on where it was.

use std::time::Duration;

use ossferry_tests::command::{said, signal};

use super::{cutover, small_job, until_switch};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cutover_that_is_interrupted_or_killed_goes_on_where_it_was() {
    let (oss, ossferry) = small_job(150).await;
    let call = ["cutover", "--job", "job.toml", "--yes", "--json", "--no-mirror"];
    let mut interrupted = 0;
    for (round, how) in ["INT", "KILL", "INT", "KILL", "INT", "KILL"].into_iter().enumerate() {
        let child = ossferry.spawn(&call);
        tokio::time::sleep(Duration::from_millis(250 * (1 + round as u64))).await;
        signal(&child, how).await;
        let ended = said(child).await;
        match (how, ended.status) {
            ("INT", Some(130)) => {
                assert!(ended.stderr.contains("go on with: ossferry cutover"), "{ended:?}");
                interrupted += 1;
            }
            // It was as far as it goes by itself, or was killed, or did not listen yet.
            (_, Some(3) | None) => {}
            _ => panic!("{how}: {ended:?}"),
        }
    }
    assert!(interrupted > 0, "an interrupt came in time");
    let waiting = until_switch(&ossferry, &[]).await;
    let again = until_switch(&ossferry, &[]).await;
    assert_eq!(waiting["t2"], again["t2"], "t2 is recorded once");
    for millis in [200, 700] {
        let child = ossferry.spawn(&[&call[..], &["--switched"]].concat());
        tokio::time::sleep(Duration::from_millis(millis)).await;
        signal(&child, "KILL").await;
        let _ = said(child).await;
    }
    let certificate = cutover(&ossferry, &["--switched"]).await.expect(0).json();
    assert_eq!(certificate["t2"], waiting["t2"]);
    assert_eq!(oss.target().objects().await, oss.origin().objects().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instant_is_a_switch_without_a_question() {
    let (_oss, ossferry) = small_job(3).await;
    let certificate = cutover(&ossferry, &["--no-mirror", "--instant"]).await.expect(0).json();
    assert_eq!(certificate["t2"], certificate["switched_until"], "{certificate}");
    let text = ossferry.run(&["cutover", "--job", "job.toml"]).await.expect(0);
    assert!(text.stdout.contains("outstanding failures: none"), "{}", text.stdout);
    let digest = certificate["ledger_digest"].as_str().unwrap();
    assert!(text.stdout.contains(digest), "{}", text.stdout);
}
