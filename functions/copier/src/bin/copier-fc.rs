//! The copier on Function Compute.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use ossferry_copier::{Copier, CopierOptions, CopierParts};
use ossferry_core::time::Timestamp;
use ossferry_ends::Surroundings;
use ossferry_fc::run_copier;
use ossferry_host::Parts;
use tokio::sync::Semaphore;

fn main() -> ExitCode {
    let around = Surroundings {
        clock: Arc::new(now),
        variables: Arc::new(|name: &str| std::env::var(name).ok()),
        function: None,
    };
    run_copier(around, Box::new(copier))
}

fn copier(parts: Parts) -> Copier {
    let Parts { ledger, source, target, job, .. } = parts;
    let places = usize::try_from(job.limits.concurrency_max).unwrap_or(usize::MAX);
    let in_flight = Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
    Copier::new(CopierParts {
        ledger,
        source,
        target,
        in_flight,
        options: CopierOptions::default(),
    })
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
