//! A small job from one bucket of the emulator into the other, under a clock that stands still: what
//! the fault tests do over and over.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use ossferry_aliyun::{OssSource, OssTarget};
use ossferry_core::job::Job;
use ossferry_core::key::Key;
use ossferry_core::ports::{Source, Table, Target};
use ossferry_http::{LaneOptions, RetryPolicy};
use std::time::Duration;

use crate::clock::{SteppedClock, system_now};
use crate::command::JobFile;
use crate::drive::{Drive, Weather};
use crate::faulty::Fates;
use crate::fixtures;
use crate::oss::{self, Oss};
use crate::pages::{Pages, SmallPages, SmallTargetPages};
use crate::s3::S3Bucket;
use crate::wire::{Fault, Hook, Rule, Wire};

/// Tasks of a few objects, uploads of six ranges of one part, a window of two.
const LIMITS: &str = "workers = 3\ntask_objects_max = 3\nwindow_tasks = 2\nslices_max = 2\n\
                      split_bytes = 204800\npart_bytes = 102400\nconcurrency_max = 4";

/// A few attempts at the adapters and short waits: the rest is for the handlers to take again.
const RETRY: RetryPolicy = RetryPolicy {
    attempts_max: 4,
    base_wait: Duration::from_millis(1),
    wait_max: Duration::from_millis(5),
    total: Duration::from_secs(5),
};

/// A job and its two ends.
pub struct World {
    /// Both ends.
    pub oss: Oss,
    /// Everybody's clock.
    pub clock: SteppedClock,
    /// The job.
    pub job: Job,
    /// What the target is to hold at the end.
    pub expected: BTreeMap<Key, Bytes>,
    /// Of both ends' lanes.
    pub lane: LaneOptions,
    /// How either end lists; as it does by itself where `None`.
    pub pages: Option<Pages>,
    from: Option<Arc<dyn Source>>,
}

impl World {
    /// Two empty buckets.
    pub async fn empty() -> Self {
        let clock = SteppedClock::at(system_now());
        let oss = Oss::start(clock.clock()).await;
        let text = JobFile::from_oss(&oss).limits(LIMITS).text();
        let job = Job::parse(&text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        let lane = LaneOptions::default();
        Self { oss, clock, job, expected: BTreeMap::new(), lane, pages: None, from: None }
    }

    /// An empty target, and a bucket of an S3 server as source, read through this wire.
    pub async fn from_s3(bucket: &S3Bucket, wire: &Wire) -> Self {
        let mut world = Self::empty().await;
        let bucket = bucket.at(&wire.endpoint());
        let text = JobFile::from_s3(&bucket, &world.oss).limits(LIMITS).text();
        world.job = Job::parse(&text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        world.from = Some(Arc::new(bucket.source_with(&bucket.spec(), &world.lane, RETRY)));
        world
    }

    /// Small objects, an empty one, an odd key, an object of six ranges, and one that is overwritten
    /// when it is first read.
    pub async fn small() -> Self {
        let mut world = Self::empty().await;
        for (key, size) in [
            ("a/1", 1),
            ("a/2", 1_000),
            ("a//b + %20\u{1}/../c", 10),
            ("empty", 0),
            ("z/1", 5_000),
            ("z/2", 70_000),
            ("large", 6 * 102_400 - 1),
        ] {
            world.put(&Key::from(key), size).await;
        }
        world.put_changing(&Key::from("changing"), 500).await;
        world
    }

    /// A hundred small objects, flat and in folders, listed four at a time: the walk is split.
    pub async fn wide() -> Self {
        let mut world = Self::empty().await;
        world.pages = Some(Pages { keys_max: 4, has_gaps: false });
        for number in 0..50 {
            for key in [format!("flat-{:03}", number * 7 % 50), format!("d{}/{number}", number % 5)]
            {
                world.put(&Key::from(key), 20 + number).await;
            }
        }
        world
    }

    /// Writes an object at the source.
    pub async fn put(&mut self, key: &Key, size: usize) {
        let bytes = fixtures::bytes_of(key, 1, size);
        self.oss.origin().put(key, &bytes).await;
        self.expected.insert(key.clone(), bytes);
    }

    /// Writes an object at the source that is overwritten by another version of the same size when it
    /// is first read.
    pub async fn put_changing(&mut self, key: &Key, size: usize) {
        self.put(key, size).await;
        let last = fixtures::bytes_of(key, 2, size);
        let (origin, written, bytes) = (self.oss.origin(), key.clone(), last.clone());
        let hook: Hook = Arc::new(move || {
            let (origin, key, bytes) = (origin.clone(), written.clone(), bytes.clone());
            async move { drop(origin.put(&key, &bytes).await) }.boxed()
        });
        self.oss.wire().rule(Rule::first("GetObject", Fault::After(hook)).of_key(key));
        self.expected.insert(key.clone(), last);
    }

    /// The source, through the wire.
    pub fn source(&self) -> Arc<dyn Source> {
        if let Some(source) = &self.from {
            return Arc::clone(source);
        }
        let client = self.oss.client(oss::SOURCE_BUCKET, &self.lane, RETRY);
        let source = Arc::new(OssSource::new(client));
        match self.pages {
            Some(pages) => Arc::new(SmallPages::new(source, pages)),
            None => source,
        }
    }

    /// The target, through the wire.
    pub fn target(&self) -> Arc<dyn Target> {
        let client = self.oss.client(oss::TARGET_BUCKET, &self.lane, RETRY);
        let target = Arc::new(OssTarget::new(client, true));
        match self.pages {
            Some(pages) => Arc::new(SmallTargetPages::new(target, pages)),
            None => target,
        }
    }

    /// The job at work, with nothing that goes wrong by itself.
    pub fn drive(&self) -> Drive {
        self.drive_under(&Fates::kind(), Weather::default())
    }

    /// The job at work over another table.
    pub fn drive_over(&self, table: Arc<dyn Table>) -> Drive {
        let (job, ends) = (self.job.clone(), (self.source(), self.target()));
        Drive::over(table, job, ends, &self.clock, &Fates::kind(), Weather::default())
    }

    /// The job at work, under these fates of its ports and this weather.
    pub fn drive_under(&self, fates: &Fates, weather: Weather) -> Drive {
        let job = self.job.clone();
        Drive::new(job, self.source(), self.target(), &self.clock, fates, weather)
    }
}
