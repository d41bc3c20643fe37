//! The whole job by the built command: real sources, the emulator as target, every byte looked at.

mod audit;
mod azure;
mod fidelity;
mod folder;
mod gcs;
mod inventory;
mod keys;
mod order;
mod oss;
mod restoring;
mod seaweed;
mod urls;

use std::collections::BTreeMap;

use bytes::Bytes;
use ossferry_core::key::Key;
use ossferry_core::report::Report;
use ossferry_tests::command::Ossferry;
use ossferry_tests::oss::Oss;

/// `run --json` of the job file in the folder.
const RUN: [&str; 4] = ["run", "--job", "job.toml", "--json"];

/// Runs the job to its end and answers its report, of which the law must hold.
async fn run(ossferry: &Ossferry, status: i32) -> Report {
    let report = ossferry.run(&RUN).await.expect(status).report();
    assert_eq!(report.check_law(), Ok(()), "{report:?}");
    report
}

/// The target holds these objects and no others.
async fn assert_target(oss: &Oss, expected: &BTreeMap<Key, Bytes>) {
    let found = oss.target().objects().await;
    for (key, bytes) in expected {
        assert!(
            found.get(key) == Some(bytes),
            "{key} is not at the target as it was at the source"
        );
    }
    let more: Vec<&Key> = found.keys().filter(|key| !expected.contains_key(*key)).collect();
    assert!(more.is_empty(), "nobody put {more:?}");
    assert_eq!(oss.target().open_uploads().await, Vec::<String>::new());
}

fn count(requests: &BTreeMap<String, u64>, operation: &str) -> u64 {
    requests.get(operation).copied().unwrap_or_default()
}
