//! After T2: what the application does at the target stands, and what is missing is completed.

use bytes::Bytes;
use ossferry_core::key::Key;
use ossferry_tests::fixtures::bytes_of;

use super::{cutover, small_job, until_switch};

fn key(number: u64) -> Key {
    Key::from(format!("k/{number:03}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_application_wrote_or_deleted_since_t2_stands_and_the_rest_is_completed() {
    let (oss, ossferry) = small_job(12).await;
    let (origin, target) = (oss.origin(), oss.target());
    let waiting = until_switch(&ossferry, &["--no-mirror"]).await;
    assert!(waiting["next"].as_str().unwrap().contains("--switched"), "{waiting}");
    // By the application, at the target: overwritten, deleted, created, and created under a key that the
    // source gets as well.
    let ours = |number| bytes_of(&key(number), 7, 64);
    target.put(&key(0), &ours(0)).await;
    target.delete(&key(1)).await;
    target.put(&Key::from("new/at-target"), &ours(2)).await;
    target.put(&Key::from("new/at-both"), &ours(3)).await;
    // By its last writers, at the source.
    let theirs = |number| bytes_of(&key(number), 9, 64);
    for number in [0, 1, 4] {
        origin.put(&key(number), &theirs(number)).await;
    }
    origin.put(&Key::from("new/at-source"), &theirs(5)).await;
    origin.put(&Key::from("new/at-both"), &theirs(6)).await;

    let certificate = cutover(&ossferry, &["--switched"]).await.expect(0).json();
    let held = target.objects().await;
    let at = |key: &str| held.get(&Key::from(key)).cloned();
    assert_eq!(at("k/000"), Some(ours(0)), "the application wrote it");
    assert_eq!(at("k/001"), None, "the application deleted it");
    assert_eq!(at("k/004"), Some(theirs(4)), "nobody wrote it at the target");
    assert_eq!(at("new/at-target"), Some(ours(2)));
    assert_eq!(at("new/at-both"), Some(ours(3)), "the application wrote it");
    assert_eq!(at("new/at-source"), Some(theirs(5)));
    let number = |name: &str| certificate[name].as_u64();
    assert_eq!(number("kept"), Some(2), "{certificate}");
    assert_eq!(number("deleted_at_target"), Some(1), "{certificate}");
    assert_eq!(number("stale_at_switch"), Some(1), "{certificate}");
    assert_eq!(certificate["stale_keys"][0], "k/004");
    let last = certificate["passes"].as_array().and_then(|passes| passes.last()).unwrap();
    assert_eq!((&last["kind"], &last["pass"]), (&"audit".into(), &certificate["audited_by"]));

    // A copy that was made after T2 gives way to what the source still gets, until the application
    // writes it.
    origin.put(&key(4), &ours(8)).await;
    let run = ["run", "--job", "job.toml", "--json"];
    assert_eq!(ossferry.run(&run).await.expect(0).report().copied, 1);
    assert_eq!(target.objects().await.get(&key(4)), Some(&ours(8)));
    target.put(&key(4), &Bytes::from_static(b"written last")).await;
    let report = ossferry.run(&["run", "--job", "job.toml", "--json", "--pass", "full"]).await;
    let report = report.expect(0).report();
    assert_eq!((report.copied, report.kept, report.skipped_deleted), (0, 3, 1), "{report}");
    // And the certificate of a cutover that has ended is printed again.
    assert_eq!(cutover(&ossferry, &[]).await.expect(0).json(), certificate);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_keys_whose_copies_are_stale_are_named_right_before_t2_is_recorded() {
    let (oss, ossferry) = small_job(30).await;
    // Nobody answers the question: all is caught up, and T2 is not recorded.
    let asked = ["cutover", "--job", "job.toml", "--json", "--no-mirror"];
    let unanswered = ossferry.run(&asked).await.expect(1);
    assert!(unanswered.stderr.contains("stale at the target now: 0 objects"), "{unanswered:?}");
    for number in 0..25 {
        oss.origin().put(&key(number), &bytes_of(&key(number), 5, 64)).await;
    }
    oss.origin().put(&Key::from("new"), &bytes_of(&key(99), 1, 64)).await;
    let file = ["--no-mirror", "--stale-keys", "stale.txt"];
    let said = cutover(&ossferry, &file).await.expect(3);
    let stale = &said.json()["stale"];
    assert_eq!((&stale["count"], &stale["whole"]), (&25.into(), &true.into()), "{stale}");
    let written = std::fs::read_to_string(ossferry.folder().join("stale.txt")).unwrap();
    let named: Vec<&str> = written.lines().collect();
    let keys: Vec<String> = (0..25).map(|number| key(number).to_string()).collect();
    assert_eq!(named, keys);
    assert!(said.stderr.contains("  k/019\n  and 5 more"), "{}", said.stderr);
    // What this call did not find out it does not say.
    assert!(until_switch(&ossferry, &[]).await.get("stale").is_none());
    let certificate = cutover(&ossferry, &["--switched"]).await.expect(0).json();
    assert_eq!(certificate["stale_at_switch"], 25, "{certificate}");
}
