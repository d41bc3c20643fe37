//! Functions whose time is short: what does not get done in one invocation is handed on.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::stream::{self, StreamExt};
use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::JobFile;
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::lambda::{LambdaLimits, Stack};
use ossferry_tests::oss::Oss;
use ossferry_tests::wire::{Fault, Hook, Rule};
use serde_json::json;

use super::passes::{PASS_MAX, look};

/// Pages of the source's listing, of 1,000 keys each; set for the second tier.
const PAGES: &str = "OSSFERRY_LAMBDA_PAGES";

/// Parts of the large object, of 4 MiB each; set for the second tier.
const PARTS: &str = "OSSFERRY_LAMBDA_PARTS";

const PART_BYTES: usize = 4 << 20;

/// 80 MB: what the smallest function of Lambda leaves room for.
pub(super) const MEMORY_KIB_MAX: u64 = 80_000_000 / 1_024;

fn set_or(variable: &str, usual: usize) -> usize {
    std::env::var(variable).map_or(usual, |text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planner_of_a_few_seconds_walks_a_listing_of_many_to_its_end() {
    let oss = Oss::start(clock::system()).await;
    let pages = set_or(PAGES, 6);
    let bytes = Bytes::from_static(b"x");
    let origin = &oss.origin();
    let expected: BTreeMap<Key, Bytes> =
        (0..pages * 1_000).map(|n| (Key::from(format!("{n:09}")), bytes.clone())).collect();
    let puts = stream::iter(&expected).map(|(key, bytes)| origin.put(key, bytes));
    puts.buffer_unordered(16).for_each(|_| async {}).await;
    // One planner, and listings that take their time: no invocation gets through all of them.
    let (pause, timeout) = if pages > 6 { (300, 10) } else { (1_200, 6) };
    let pause = Duration::from_millis(pause);
    let slow: Hook = std::sync::Arc::new(move || tokio::time::sleep(pause).boxed());
    oss.wire().rule(Rule::first("ListObjectsV2", Fault::After(slow)).every(1));
    let job = JobFile::from_oss(&oss).limits("slices_max = 1\ntask_objects_max = 1000").text();
    let limits = LambdaLimits {
        planner_timeout: Duration::from_secs(timeout),
        planners: 1,
        ..LambdaLimits::default()
    };
    let stack = Stack::deploy(&job, &limits).await;
    oss.wire().take_seen();
    let limit = PASS_MAX * u32::try_from(1 + pages / 20).unwrap();
    let (pass, _) = stack.run(json!({"pass": "full"}), limit).await;
    oss.wire().clear_rules();
    let report = look(&stack.ledger, &pass, &oss, &expected).await.report;
    assert_eq!(report.listed, expected.len() as u64);
    let figures = stack.planner.figures();
    // The trigger is one of them.
    assert!(figures.invocations > 2, "it was handed on: {figures:?}");
    println!("planner of {timeout} s over {} keys: {figures:?}", expected.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copier_of_five_seconds_moves_an_object_that_takes_it_many_times_as_long() {
    let oss = Oss::start(clock::system()).await;
    let parts = set_or(PARTS, 20);
    let key = Key::from("large");
    let bytes = bytes_of(&key, 1, parts * PART_BYTES);
    oss.origin().put(&key, &bytes).await;
    let expected = BTreeMap::from([(key, bytes)]);
    let job = JobFile::from_oss(&oss).limits(
        "workers = 1\nconcurrency_max = 2\nsplit_bytes = 8388608\npart_bytes = 4194304\n\
         bytes_per_second = 6291456",
    );
    let limits = LambdaLimits {
        copier_timeout: Duration::from_secs(5),
        copiers: 1,
        ..LambdaLimits::default()
    };
    let stack = Stack::deploy(&job.text(), &limits).await;
    oss.wire().take_seen();
    let limit = PASS_MAX * u32::try_from(1 + parts / 50).unwrap();
    let (pass, _) = stack.run(json!({"pass": "full"}), limit).await;
    let sent = oss.wire().count("UploadPart");
    let report = look(&stack.ledger, &pass, &oss, &expected).await.report;
    assert_eq!((report.copied, report.failed), (1, 0), "{report:?}");
    let figures = stack.copier.figures();
    assert!(figures.invocations > 2, "it was handed back: {figures:?}");
    assert!(figures.memory_kib_max <= MEMORY_KIB_MAX, "{figures:?}");
    let twice = sent - parts as u64;
    let gib = f64::from(u32::try_from(parts * (PART_BYTES >> 20)).unwrap()) / 1_024.0;
    let per_gib = figures.processor_seconds / gib;
    println!(
        "copier of 5 s over {parts} parts of {PART_BYTES} bytes: {twice} begun again, {per_gib:.2} \
         CPU seconds a GiB without TLS, {figures:?}"
    );
    // Each invocation cuts off at most what it has in flight.
    assert!(twice <= 2 * figures.invocations, "{twice} parts were sent again: {figures:?}");
}
