//! The copier as a function.

use std::sync::Arc;

use ossferry_host::Parts;
use tokio::sync::Semaphore;

use crate::{Copier, CopierOptions, CopierParts};

/// As every host of functions makes one.
impl From<Parts> for Copier {
    fn from(parts: Parts) -> Self {
        let Parts { ledger, source, target, job, admission, .. } = parts;
        let places = usize::try_from(job.limits.concurrency_max).unwrap_or(usize::MAX);
        let in_flight = Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        let options = CopierOptions::default();
        Self::new(CopierParts { ledger, source, target, in_flight, admission, options })
    }
}
