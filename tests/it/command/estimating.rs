//! `estimate` against a source that answers.

use std::collections::BTreeSet;

use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::{self, Oss};

use super::{RUN, bench};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_estimate_reads_a_little_of_the_source_and_nothing_else() {
    let (oss, ossferry) = bench(2_400, "").await;
    let few = ["estimate", "--job", "job.toml", "--pages", "2", "--json"];
    let unknown = ossferry.run(&few).await.expect(1);
    assert!(unknown.stderr.contains("--objects"), "{}", unknown.stderr);
    oss.wire().take_seen();
    let given = [&few[..], &["--objects", "2401", "--reads", "3", "--days", "1"]].concat();
    let estimate = ossferry.run(&given).await.expect(0).json();
    assert_eq!(estimate["work"]["objects"], 2_401, "{estimate}");
    assert_eq!(estimate["fleet"]["functions"], 1, "{estimate}");
    assert_eq!(estimate["from"], "oss");
    let sample = &estimate["sample"];
    assert_eq!((&sample["pages"], &sample["reads"]), (&2.into(), &3.into()), "{sample}");
    let seen = oss.wire().take_seen();
    let asked: BTreeSet<_> =
        seen.iter().map(|seen| (seen.bucket.as_str(), seen.operation)).collect();
    let reads = [(oss::SOURCE_BUCKET, "GetObject"), (oss::SOURCE_BUCKET, "ListObjectsV2")];
    assert_eq!(asked, reads.into());
    assert_eq!(seen.len(), 5, "two pages and three reads");
    assert!(!ossferry.ledger().exists(), "an estimate makes no ledger");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_listing_needs_no_totals() {
    let (_oss, ossferry) = bench(20, "").await;
    let all = ["estimate", "--job", "job.toml"];
    let text = ossferry.run(&all).await.expect(0).stdout;
    assert!(text.starts_with("300.6 kB in 21 objects, in 7 days"), "{text}");
    assert!(text.contains("all there is, by 1 LIST requests"), "{text}");
    assert!(text.contains("1 of them large objects"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_stands_beside_what_was_forecast() {
    let (_oss, ossferry) = bench(20, "").await;
    let forecast = ossferry.run(&["estimate", "--job", "job.toml", "--json"]).await.expect(0);
    std::fs::write(ossferry.folder().join("forecast.json"), forecast.stdout).unwrap();
    drop(ossferry.run(&RUN).await.expect(0));
    let beside = ["report", "--job", "job.toml", "--forecast", "forecast.json"];
    let text = ossferry.run(&beside).await.expect(0).stdout;
    let fields = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<_> = text.lines().map(fields).collect();
    // Tasks are cut, parts are asked for and objects are put as forecast.
    for line in [
        "objects planned 21 21",
        "bytes planned 300.6 kB 300.6 kB",
        "tasks 2 2",
        "target UploadPart 3 3",
        "target PutObject 20 20",
    ] {
        assert!(lines.iter().any(|found| found == line), "{line}: {text}");
    }
    let rows = [&beside[..], &["--format", "csv"]].concat();
    let said = ossferry.run(&rows).await.expect(1);
    assert!(said.stderr.contains("leave --format out"), "{}", said.stderr);
    let none = ["report", "--job", "job.toml", "--forecast", "job.toml"];
    let said = ossferry.run(&none).await.expect(1);
    assert!(said.stderr.contains("is no forecast"), "{}", said.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_listed_is_nothing_to_estimate() {
    let oss = Oss::start(clock::system()).await;
    let ossferry = Ossferry::new(&JobFile::from_oss(&oss));
    let said = ossferry.run(&["estimate", "--job", "job.toml"]).await.expect(1);
    assert!(said.stderr.contains("look at bucket, prefix and filter"), "{}", said.stderr);
    let key = Key::from("a");
    oss.origin().put(&key, &bytes_of(&key, 1, 10)).await;
    drop(ossferry.run(&["estimate", "--job", "job.toml"]).await.expect(0));
}
