//! What a copier needs of its instance.

use std::collections::BTreeMap;

use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::JobFile;
use ossferry_tests::fc::{FcLimits, FcStack};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::Oss;
use serde_json::json;

use crate::lambda::passes::{PASS_MAX, look};

/// 64 MB.
const MEMORY_KIB_MAX: u64 = 64_000_000 / 1_024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copier_holds_64_mb_at_most_while_it_copies_sixteen_large_objects() {
    let oss = Oss::start(clock::system()).await;
    let mut objects = BTreeMap::new();
    for number in 0..16 {
        let key = Key::from(format!("large-{number:02}"));
        let bytes = bytes_of(&key, 1, 12 << 20);
        oss.origin().put(&key, &bytes).await;
        objects.insert(key, bytes);
    }
    // Slow enough that many are under way at once.
    let job = JobFile::from_oss(&oss).limits(
        "concurrency_max = 16\nsplit_bytes = 8388608\npart_bytes = 4194304\n\
         bytes_per_second = 67108864",
    );
    let stack = FcStack::deploy(&job, &FcLimits { copiers: 1, ..FcLimits::default() }).await;
    let pass = stack.begun(&stack.trigger(json!({"pass": "full"})).await);
    stack.until_end(&pass, PASS_MAX).await;
    let report = look(&stack.ledger, &pass, &oss, &objects).await.report;
    assert_eq!((report.copied, report.failed), (16, 0), "{report:?}");
    let figures = stack.copier.figures();
    assert!(figures.memory_kib_max > 0, "it was measured");
    assert!(figures.memory_kib_max <= MEMORY_KIB_MAX, "{figures:?}");
    println!("{figures:?}");
}
