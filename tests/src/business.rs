//! A business that keeps creating, overwriting, reading and deleting objects, first at its source and
//! then, once it is switched, at the target. It remembers what it wrote last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use futures::TryStreamExt;
use ossferry_core::key::Key;
use ossferry_core::object::Pin;
use ossferry_core::ports::Source;
use tokio::task::JoinHandle;

use crate::oss::OssBucket;
use crate::s3::S3Bucket;

/// Bytes of every value: equal sizes leave a comparison nothing but digests and dates.
const VALUE_BYTES: usize = 96;

/// Pause between two operations of a writer.
const PAUSE: Duration = Duration::from_millis(15);

/// Where a business keeps its objects before it is switched.
#[derive(Clone)]
pub enum Before {
    /// A bucket of an S3 server.
    S3(S3Bucket),
    /// A bucket of OSS.
    Oss(OssBucket),
}

impl Before {
    async fn put(&self, key: &Key, value: &str) {
        let bytes = Bytes::copy_from_slice(value.as_bytes());
        match self {
            Self::S3(bucket) => bucket.put(key, bytes).await,
            Self::Oss(bucket) => drop(bucket.put(key, &bytes).await),
        }
    }

    async fn read(&self, key: &Key) -> String {
        let source: Arc<dyn Source> = match self {
            Self::S3(bucket) => Arc::new(bucket.source()),
            Self::Oss(bucket) => Arc::new(bucket.source()),
        };
        let info = source.head(key).await.unwrap_or_else(|error| panic!("head {key}: {error}"));
        let pin = Pin { etag: info.etag.expect("a store gives an etag") };
        let opened = source.open(key, &pin, None).await;
        let opened = opened.unwrap_or_else(|error| panic!("read {key}: {error}"));
        let frames: Vec<Bytes> = opened.body.try_collect().await.expect("it is read to its end");
        String::from_utf8(frames.concat()).expect("values are text")
    }
}

/// What it did and what it saw.
#[derive(Debug, Default)]
pub struct Tally {
    /// Writes at the source.
    pub source_writes: AtomicU64,
    /// Writes and deletions at the target.
    pub target_writes: AtomicU64,
    /// Reads at the target.
    pub target_reads: AtomicU64,
    /// Reads at the target that gave older bytes than were written last.
    pub stale_reads: AtomicU64,
    /// What should not be.
    pub wrong: Mutex<Vec<String>>,
}

impl Tally {
    fn count(number: &AtomicU64) {
        number.fetch_add(1, Ordering::Relaxed);
    }

    fn blame(&self, what: String) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}

/// The values that a writer wrote last, by key; `None` where it deleted the object.
type Values = BTreeMap<Key, Option<String>>;

struct Writer {
    name: usize,
    before: Before,
    target: OssBucket,
    tally: Arc<Tally>,
    values: Values,
    /// Keys that the writer itself wrote at the target.
    written_at_target: BTreeSet<Key>,
    random: Rng,
    numbers: u64,
}

impl Writer {
    fn value(&mut self, key: &Key) -> String {
        self.numbers += 1;
        let mut value = format!("{key} {} {} ", self.name, self.numbers);
        while value.len() < VALUE_BYTES {
            value.push(char::from(b'a' + self.random.u8(..26)));
        }
        value
    }

    /// A key that exists, or a new one.
    fn pick(&mut self, is_new: bool) -> Key {
        let existing: Vec<&Key> =
            self.values.iter().filter(|(_, value)| value.is_some()).map(|(key, _)| key).collect();
        if is_new || existing.is_empty() {
            return Key::from(format!("w{}/{:05}", self.name, self.values.len()));
        }
        existing[self.random.usize(..existing.len())].clone()
    }

    async fn at_source(&mut self) {
        let dice = self.random.u8(..10);
        let key = self.pick(dice < 3);
        if dice < 7 {
            let value = self.value(&key);
            self.before.put(&key, &value).await;
            self.values.insert(key, Some(value));
            Tally::count(&self.tally.source_writes);
        } else if let Some(Some(value)) = self.values.get(&key)
            && self.before.read(&key).await != *value
        {
            self.tally.blame(format!("{key}: the source gave another value"));
        }
    }

    /// `is_draining`: passes copy what the source still got. OSS overwrites without a condition, so what
    /// the application writes over for the first time between our look and our PUT is lost, which the
    /// documents say. The business then writes new keys, and over what it wrote at the target before.
    async fn at_target(&mut self, is_draining: bool) {
        let dice = self.random.u8(..20);
        let key = self.pick(dice < 4);
        let is_apart = !self.values.contains_key(&key) || self.written_at_target.contains(&key);
        match dice {
            0..12 if is_draining && !is_apart => self.read_at_target(&key).await,
            0..11 => {
                let value = self.value(&key);
                self.target.put(&key, &Bytes::copy_from_slice(value.as_bytes())).await;
                self.values.insert(key.clone(), Some(value));
                self.written_at_target.insert(key);
                Tally::count(&self.tally.target_writes);
            }
            // Only what was copied before the switch: of an object that never was, nobody can know that
            // it was deleted.
            11 if key.as_bytes().ends_with(b"s") => {
                self.target.delete(&key).await;
                self.values.insert(key, None);
                Tally::count(&self.tally.target_writes);
            }
            _ => self.read_at_target(&key).await,
        }
    }

    async fn read_at_target(&mut self, key: &Key) {
        let Some(Some(value)) = self.values.get(key) else { return };
        let (status, found) = self.target.get(key).await;
        Tally::count(&self.tally.target_reads);
        if !status.is_success() {
            self.tally.blame(format!("{key}: the target answered {status}: {found}"));
        } else if found != *value {
            Tally::count(&self.tally.stale_reads);
            if self.written_at_target.contains(key) {
                self.tally.blame(format!("{key}: the target lost what was written there"));
            }
        }
    }
}

/// Of one writer.
#[derive(Default)]
struct Switch {
    /// It is to write at the target.
    asked: AtomicBool,
    /// It does, and nothing of it is on its way to the source any more.
    done: AtomicBool,
}

/// A business of a few writers, each with keys of its own.
pub struct Business {
    switches: Vec<Arc<Switch>>,
    closed: Arc<AtomicBool>,
    draining: Arc<AtomicBool>,
    writers: Vec<JoinHandle<Values>>,
    /// What it did.
    pub tally: Arc<Tally>,
}

impl Business {
    /// Writes some objects, then goes on by itself.
    pub async fn open(before: &Before, target: &OssBucket, writers: usize, seeds: usize) -> Self {
        let (tally, closed) = (Arc::<Tally>::default(), Arc::<AtomicBool>::default());
        let draining = Arc::<AtomicBool>::default();
        let switches: Vec<_> = (0..writers).map(|_| Arc::<Switch>::default()).collect();
        let mut running = Vec::new();
        for (name, switch) in switches.iter().enumerate() {
            let mut writer = Writer {
                name,
                before: before.clone(),
                target: target.clone(),
                tally: Arc::clone(&tally),
                values: Values::new(),
                written_at_target: BTreeSet::new(),
                random: Rng::with_seed(name as u64),
                numbers: 0,
            };
            for number in 0..seeds {
                let key = Key::from(format!("w{name}/{number:05}s"));
                let value = writer.value(&key);
                before.put(&key, &value).await;
                writer.values.insert(key, Some(value));
            }
            let (switch, closed) = (Arc::clone(switch), Arc::clone(&closed));
            let draining = Arc::clone(&draining);
            running.push(tokio::spawn(async move {
                while !closed.load(Ordering::SeqCst) {
                    if switch.asked.load(Ordering::SeqCst) {
                        switch.done.store(true, Ordering::SeqCst);
                        writer.at_target(draining.load(Ordering::SeqCst)).await;
                    } else {
                        writer.at_source().await;
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                writer.values
            }));
        }
        Self { switches, closed, draining, writers: running, tally }
    }

    /// Switches one writer after another, with a pause between, in which those before write what no pass
    /// has copied yet. After the last one passes may begin to copy what the source still got.
    pub async fn switch(&self, pause: Duration) {
        for switch in &self.switches {
            switch.asked.store(true, Ordering::SeqCst);
            while !switch.done.load(Ordering::SeqCst) {
                tokio::time::sleep(PAUSE).await;
            }
            tokio::time::sleep(pause).await;
        }
        self.draining.store(true, Ordering::SeqCst);
        // Whatever was begun before is done.
        tokio::time::sleep(pause).await;
    }

    /// Stops it, and says what every key holds.
    pub async fn close(self) -> Values {
        self.closed.store(true, Ordering::SeqCst);
        let mut values = Values::new();
        for writer in self.writers {
            values.extend(writer.await.expect("a writer ends in order"));
        }
        values
    }
}
