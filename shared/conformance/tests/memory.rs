//! The suites against the adapters in memory: what they ask for can be done.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ossferry_conformance::memory::{MemoryBucket, MemoryTable};
use ossferry_core::time::{Clock, Timestamp};

fn system() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Timestamp(i64::try_from(since.as_millis()).unwrap())
    })
}

ossferry_conformance::conformance!(source, source, ((), Box::new(MemoryBucket::new(system()))));
ossferry_conformance::conformance!(target, target, ((), Box::new(MemoryBucket::new(system()))));
ossferry_conformance::conformance!(table, table, ((), Box::<MemoryTable>::default()));
