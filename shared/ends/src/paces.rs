//! How both ends of a job are asked, together.

use std::time::Duration;

use ossferry_aliyun::OssTarget;
use ossferry_core::rates::shares::{EachKind, demand};
use ossferry_http::{Pace, Usage};

use crate::SourceEnd;

/// The paces of a job's two ends in one process; without any nothing is counted and nothing kept.
#[derive(Default)]
pub struct Paces {
    /// A folder has none.
    source: Option<Pace>,
    /// Whether the bytes of the source pass its pace. Those of a list of URLs have one a host, and a folder's
    /// none: they are counted where they go.
    counts_source_bytes: bool,
    target: Option<Pace>,
}

impl Paces {
    /// Of these two, whoever asks them.
    pub fn of(source: &SourceEnd, target: &OssTarget) -> Self {
        Self {
            source: source.requests_pace().cloned(),
            counts_source_bytes: source.pace().is_some(),
            target: Some(target.client().pace().clone()),
        }
    }

    /// How many answers asked for fewer requests since the last call.
    pub fn take_throttles(&self) -> u64 {
        self.source.iter().chain(&self.target).map(Pace::take_throttles).sum()
    }

    /// What this process could use of each rate, by what it used in this `time`: since the last call. `None`:
    /// as much as there is; so, too, of an end that does not count, which counts with no worker.
    pub fn take_demands(&self, time: Duration) -> EachKind<Option<u64>> {
        let usage = |pace: &Option<Pace>| match pace.as_ref().map(Pace::take_usage) {
            Some(usage) => usage.map(Some),
            None => [None, None],
        };
        let (source, target) = (usage(&self.source), usage(&self.target));
        // What only passes the target is used of both.
        let source_bytes = if self.counts_source_bytes { source[0] } else { target[0] };
        [source_bytes, source[1], target[0], target[1]].map(|usage: Option<Usage>| {
            usage.and_then(|usage| demand(usage.taken, usage.offered, time))
        })
    }

    /// Has each end keep to these rates from now on.
    pub fn set_rates(&self, rates: &EachKind<Option<u64>>) {
        let [source_bytes, source_requests, target_bytes, target_requests] = *rates;
        let lower = match (source_bytes, target_bytes) {
            (Some(source), Some(target)) => Some(source.min(target)),
            (one, other) => one.or(other),
        };
        let target_bytes = if self.counts_source_bytes { target_bytes } else { lower };
        if let Some(target) = &self.target {
            target.set_rates(target_bytes, target_requests);
        }
        if let Some(source) = &self.source {
            source.set_rates(source_bytes.filter(|_| self.counts_source_bytes), source_requests);
        }
    }
}
