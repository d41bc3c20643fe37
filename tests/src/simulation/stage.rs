//! The two buckets of a simulation, and what others do to them meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use ossferry_conformance::memory::MemoryBucket;
use ossferry_core::job::Job;
use ossferry_core::key::Key;
use ossferry_core::object::ObjectHeaders;
use ossferry_core::time::Clock;

use crate::fixtures;

/// Tasks of a few objects, uploads of six ranges of one part, a window of two.
const JOB: &str = r#"
name = "move"
[source]
kind = "s3"
region = "eu-central-1"
bucket = "from"
credentials = { from = "anonymous" }
[target]
region = "cn-hangzhou"
bucket = "to"
credentials = { from = "env", access_key = "A", secret_key = "B" }
[policy]
overwrite = "source-wins"
[limits]
workers = 3
task_objects_max = 3
window_tasks = 2
slices_max = 2
split_bytes = 204800
part_bytes = 102400
concurrency_max = 4
"#;

/// What somebody does when an object is read.
#[derive(Clone, Debug)]
enum Deed {
    /// Overwrites it at the source.
    Overwrite,
    /// Writes an object of their own under its key at the target.
    Occupy,
}

/// Two buckets, a job, and what the target is to hold in the end.
#[derive(Clone)]
pub struct Stage {
    /// Where objects come from.
    pub source: MemoryBucket,
    /// Where they go.
    pub target: MemoryBucket,
    /// The job.
    pub job: Job,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    expected: BTreeMap<Key, Bytes>,
    versions: BTreeMap<Key, u64>,
    readings: BTreeMap<Key, u64>,
    deeds: Vec<(Key, u64, Deed)>,
    occupied: BTreeMap<Key, Bytes>,
}

impl Stage {
    /// Two empty buckets that list so many keys at once.
    pub fn empty(clock: &Clock, page_keys: u32) -> Self {
        let bucket = || MemoryBucket::new(Arc::clone(clock)).with_pages_of(page_keys);
        Self {
            source: bucket(),
            target: bucket(),
            job: Job::parse(JOB).unwrap_or_else(|errors| panic!("{errors}")),
            state: Arc::default(),
        }
    }

    /// Small objects, an empty one, odd keys, one of six ranges, listed three at a time.
    pub fn small(clock: &Clock) -> Self {
        let stage = Self::empty(clock, 3);
        for (key, size) in [
            ("a/1", 1),
            ("a/2", 1_000),
            ("a//b + %20\u{1}/../c", 10),
            ("empty", 0),
            ("changing", 500),
            ("large", 6 * 102_400 - 1),
            ("z/1", 5_000),
            ("z/2", 70_000),
        ] {
            stage.put(&Key::from(key), size);
        }
        stage
    }

    /// Forty small objects, flat and in folders, listed four at a time: the walk is split.
    pub fn wide(clock: &Clock) -> Self {
        let stage = Self::empty(clock, 4);
        for number in 0..20 {
            for key in [format!("flat-{:03}", number * 7 % 20), format!("d{}/{number}", number % 3)]
            {
                stage.put(&Key::from(key), 20 + number);
            }
        }
        stage
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the next version of an object at the source.
    pub fn put(&self, key: &Key, size: usize) {
        let mut state = self.state();
        let version = state.versions.entry(key.clone()).or_default();
        *version += 1;
        let bytes = fixtures::bytes_of(key, *version, size);
        state.expected.entry(key.clone()).or_default().clone_from(&bytes);
        drop(state);
        self.source.write(key, bytes, &ObjectHeaders::default());
    }

    /// Has the object overwritten at the source when it is read for the `reading`th time.
    pub fn overwrite_at(&self, key: &Key, reading: u64) {
        self.state().deeds.push((key.clone(), reading, Deed::Overwrite));
    }

    /// Has the application write an object of its own at the target at that reading.
    pub fn occupy_at(&self, key: &Key, reading: u64) {
        self.state().deeds.push((key.clone(), reading, Deed::Occupy));
    }

    /// What the target is to hold: the source's last version, or what the application wrote there.
    pub fn expected(&self) -> BTreeMap<Key, Bytes> {
        let state = self.state();
        let mut expected = state.expected.clone();
        expected.extend(state.occupied.clone());
        expected
    }

    /// Keys under which the application has written.
    pub fn occupied(&self) -> Vec<Key> {
        self.state().occupied.keys().cloned().collect()
    }

    /// Keys whose object at the target is an earlier one of the source: overwritten there since it was
    /// read. The next pass takes them.
    pub fn stale(&self) -> Vec<Key> {
        let (held, expected, source) =
            (self.target.objects(), self.expected(), self.source.history());
        let is_stale = |key: &Key| {
            held.get(key) != expected.get(key)
                && source.iter().any(|old| old.key == *key && held.get(key) == Some(&old.bytes))
        };
        expected.keys().filter(|key| is_stale(key)).cloned().collect()
    }

    /// An object is about to be read: whoever waits for that acts.
    pub fn opened(&self, key: &Key) {
        let mut state = self.state();
        let reading = state.readings.entry(key.clone()).or_default();
        *reading += 1;
        let reading = *reading;
        let due = state.deeds.iter().filter(|(of, at, _)| of == key && *at == reading);
        let due: Vec<Deed> = due.map(|(.., deed)| deed.clone()).collect();
        let size = state.expected.get(key).map_or(0, Bytes::len);
        drop(state);
        for deed in due {
            match deed {
                Deed::Overwrite => self.put(key, size),
                Deed::Occupy => {
                    let bytes = Bytes::from_static(b"the application's own");
                    self.target.write(key, bytes.clone(), &ObjectHeaders::default());
                    self.state().occupied.insert(key.clone(), bytes);
                }
            }
        }
    }

    /// Nothing older was ever written over something newer, and nothing over what the application wrote.
    pub fn assert_never_older(&self) {
        let (source, occupied) = (self.source.history(), self.state().occupied.clone());
        let mut newest: BTreeMap<Key, usize> = BTreeMap::new();
        for written in self.target.history() {
            let key = written.key;
            let place = if occupied.get(&key) == Some(&written.bytes) {
                usize::MAX
            } else {
                let version = source
                    .iter()
                    .rposition(|version| version.key == key && version.bytes == written.bytes);
                version.unwrap_or_else(|| panic!("{key} was given bytes that no version has"))
            };
            let before = newest.insert(key.clone(), place);
            assert!(before <= Some(place), "{key} was given an older version than it had");
        }
    }
}
