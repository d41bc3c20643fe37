//! What cannot be done: one clear error, exit status 1, nothing written.

use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::{self, Oss};

use super::{RUN, bench};

/// Runs, and answers the error of a command that could not run.
async fn refused(ossferry: &Ossferry, arguments: &[&str]) -> String {
    let said = ossferry.run(arguments).await.expect(1);
    assert!(!said.stderr.contains("panicked"), "{}", said.stderr);
    format!("{}{}", said.stdout, said.stderr)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_job_file_is_named_by_line_and_remedy() {
    let oss = Oss::start(clock::system()).await;
    let job = JobFile::from_oss(&oss);
    let ossferry = Ossferry::new(&job);
    let text = job.text();
    let line_of = |text: &str, what: &str| {
        1 + text.lines().position(|line| line.contains(what)).expect("the line is there")
    };
    for (right, wrong, at, says) in [
        ("[limits]\n", "[limits]\nworkerz = 3\n", "workerz", "workerz"),
        ("[limits]\n", "[limits]\npart_bytes = \"16 MiB\"\n", "16 MiB", "part_bytes"),
        ("[limits]\n", "[limits]\npart_bytes = 5\n", "part_bytes = 5", "part_bytes"),
        ("[limits]\n", "[limits]\nworkers = 0\n", "workers = 0", "workers"),
        ("kind = \"oss\"", "kind = \"ftp\"", "ftp", "s3-compatible"),
        (
            "access_key = \"OSS_ACCESS_KEY_ID\", secret_key = \"OSS_ACCESS_KEY_SECRET\"",
            "access_key = \"LTAI5tAbCdEfGhIjKlMnOpQr\", secret_key = \"s3cr3t-v4lue-of-a-key\"",
            "LTAI5t",
            "credentials",
        ),
        ("bucket = \"origin\"", "bucket = \"moved\"", "[target]", "target"),
    ] {
        let wrong_text = text.replacen(right, wrong, 1);
        assert_ne!(wrong_text, text, "{right}");
        ossferry.write_job(&wrong_text);
        let said = refused(&ossferry, &RUN).await;
        assert!(said.contains(says), "{wrong}: {said}");
        assert!(!said.contains("s3cr3t-v4lue"), "a secret is shown: {said}");
        let line = line_of(&wrong_text, at);
        if at == "[target]" {
            assert!(said.contains("line "), "{wrong}: {said}");
        } else {
            assert!(said.contains(&format!("line {line}")), "line {line}, {wrong}: {said}");
        }
    }
    assert!(!ossferry.ledger().exists());
    assert_eq!(oss.wire().total(), 0, "nothing was asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_object_survives_stops_the_command_by_name() {
    let (oss, mut ossferry) = bench(3, "").await;
    let job = JobFile::from_oss(&oss);
    for (of, wrong, says) in [
        (oss::SOURCE_BUCKET, "no-such-source", "NoSuchBucket"),
        (oss::TARGET_BUCKET, "no-such-target", "NoSuchBucket"),
    ] {
        let text = job.text().replace(&format!("\"{of}\""), &format!("\"{wrong}\""));
        ossferry.write_job(&text);
        let said = refused(&ossferry, &RUN).await;
        assert!(said.contains(says), "{wrong}: {said}");
    }
    ossferry.write_job(&job.text());
    ossferry.set("OSS_ACCESS_KEY_SECRET", Some("wrong"));
    let said = refused(&ossferry, &RUN).await;
    assert!(said.contains("SignatureDoesNotMatch"), "{said}");
    ossferry.set("OSS_ACCESS_KEY_SECRET", None);
    let said = refused(&ossferry, &RUN).await;
    assert!(said.contains("OSS_ACCESS_KEY_SECRET"), "{said}");
    assert_eq!(oss.target().entries().await.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_of_nothing_is_no_success() {
    let oss = Oss::start(clock::system()).await;
    let ossferry = Ossferry::new(&JobFile::from_oss(&oss));
    let said = refused(&ossferry, &RUN).await;
    assert!(said.contains("stopped") && said.contains("empty"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filled_target_is_refused_until_the_file_says_who_wins() {
    let (oss, ossferry) = bench(3, "").await;
    let theirs = Key::from("o/0001");
    let before = bytes_of(&theirs, 9, 40);
    oss.target().put(&theirs, &before).await;
    let said = refused(&ossferry, &RUN).await;
    assert!(said.contains("overwrite") && said.contains("o/0001"), "{said}");
    let job = JobFile::from_oss(&oss);
    ossferry.write_job(&job.clone().more("[policy]\noverwrite = \"never\"").text());
    let report = ossferry.run(&RUN).await.expect(0).report();
    assert_eq!((report.copied, report.skipped_exists), (3, 1), "{report:?}");
    assert_eq!(oss.target().objects().await[&theirs], before);
    ossferry.write_job(&job.more("[policy]\noverwrite = \"source-wins\"").text());
    let report = ossferry.run(&RUN).await.expect(0).report();
    assert_eq!((report.copied, report.skipped), (1, 3), "{report:?}");
    assert_eq!(oss.target().objects().await, oss.origin().objects().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incremental_pass_before_any_full_one_is_refused_and_nothing_is_shown_of_nothing() {
    let (_oss, ossferry) = bench(1, "").await;
    let incremental = ["run", "--job", "job.toml", "--pass", "incremental"];
    let said = refused(&ossferry, &incremental).await;
    assert!(said.contains("full"), "{said}");
    for what in [
        &["status", "--job", "job.toml"][..],
        &["report", "--job", "job.toml"],
        &["inspect", "--job", "job.toml", "tasks"],
        &["cancel", "--job", "job.toml"],
    ] {
        let said = refused(&ossferry, what).await;
        assert!(said.contains("ossferry run") || said.contains("no pass"), "{what:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_a_stack_has_is_refused_with_what_to_do_here() {
    let (_oss, ossferry) = bench(3, "").await;
    for (command, says) in [
        ("deploy-job", "run takes the job file as it is"),
        ("redrive", "ossferry sweep"),
        ("sweep", "nothing was run yet"),
    ] {
        let said = refused(&ossferry, &[command, "--job", "job.toml"]).await;
        assert!(said.contains(says), "{command}: {said}");
    }
    assert!(!ossferry.ledger().exists(), "nothing is made to be swept");
    drop(ossferry.run(&["plan", "--job", "job.toml"]).await.expect(0));
    let swept = ossferry.run(&["sweep", "--job", "job.toml"]).await.expect(0);
    assert!(swept.stderr.contains("0 key ranges and"), "{}", swept.stderr);
    drop(ossferry.run(&["cancel", "--job", "job.toml"]).await.expect(0));
    let swept = ossferry.run(&["sweep", "--job", "job.toml"]).await.expect(0);
    assert!(swept.stderr.contains("no pass of job tests runs"), "{}", swept.stderr);
}
