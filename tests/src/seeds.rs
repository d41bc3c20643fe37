//! Runs of one test under many seeds, each on a clock that moves only when everything waits.

use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Failures after which no further seed is begun.
const FAILURES_MAX: usize = 5;

/// The seeds to run: `OSSFERRY_SEEDS=from..until` in the environment, else these.
pub fn wanted(default: Range<u64>) -> Range<u64> {
    let wanted = std::env::var("OSSFERRY_SEEDS").ok();
    let bounds = wanted.as_deref().and_then(|text| text.split_once(".."));
    bounds.map_or(default, |(from, until)| {
        let number = |text: &str| text.parse().expect("OSSFERRY_SEEDS=from..until");
        number(from)..number(until)
    })
}

/// Runs a future to its end in this thread, on a clock that moves only when everything waits, with every
/// draw of the process's own generator decided by the seed.
pub fn under<T>(seed: u64, run: impl Future<Output = T>) -> T {
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(run)
}

/// Runs each seed, on every core, and names the ones that fail with what they failed of.
pub fn each<T: Send, F: Future<Output = T>>(
    seeds: Range<u64>,
    run: impl Fn(u64) -> F + Sync,
) -> Vec<T> {
    let next = AtomicU64::new(seeds.start);
    let (ended, failed) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while failed.lock().unwrap().len() < FAILURES_MAX {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    match catch_unwind(AssertUnwindSafe(|| under(seed, run(seed)))) {
                        Ok(end) => ended.lock().unwrap().push(end),
                        Err(panic) => failed.lock().unwrap().push((seed, words(panic.as_ref()))),
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(
        failed.is_empty(),
        "failed under these seeds (OSSFERRY_SEEDS={0}..{1} runs the first again): {failed:#?}",
        failed[0].0,
        failed[0].0 + 1
    );
    ended.into_inner().unwrap()
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "it panicked without words".to_owned())
}
