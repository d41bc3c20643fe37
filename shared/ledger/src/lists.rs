//! The only blobs: a task's objects and what became of each, compressed.
//!
//! A blob is zstd over one JSON document `[version, [entry, …]]`; an entry is an array, because a
//! task has thousands.

use bytes::Bytes;
use ossferry_core::crc::crc64_ecma;
use ossferry_core::fidelity::Departures;
use ossferry_core::key::Key;
use ossferry_core::object::ETag;
use ossferry_core::outcome::Outcome;
use ossferry_core::proof::Grade;
use ossferry_core::time::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The newest version of lists that this code reads and writes.
pub const LIST_VERSION: u32 = 4;

/// The version of results that know of no departures. They are still written where there is none, so that
/// copiers of both times share a task; an older one that finds others leaves it to a newer.
const BEFORE_DEPARTURES: u32 = 3;

/// The version of lists that know of no audit. They are still written where there is none, so that an
/// older copier takes them; of an audit it must not copy anything.
const BEFORE_AUDITS: u32 = 1;

/// The version of lists that know of audits, and of no object that was read part of the way.
const BEFORE_PARTIAL_READS: u32 = 2;

/// A reason longer than this is cut: a thousand failures must fit one row.
pub const REASON_BYTES_MAX: usize = 240;

/// zstd's fastest ordinary level: a list is written once and read once or twice.
const COMPRESSION_LEVEL: i32 = 1;

/// What the target held under the key when the object was planned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expected {
    /// Nothing was looked up.
    Unknown,
    /// Nothing was there.
    Absent,
    /// This was there.
    Present(ETag),
}

/// What is to be done with a planned object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Copy it; with `forbid_overwrite` the target is to refuse if the key exists.
    Copy {
        /// Sent as `x-oss-forbid-overwrite`.
        forbid_overwrite: bool,
    },
    /// The planner knows the outcome; the copier only records it.
    Record {
        /// What became of it.
        outcome: Outcome,
        /// Why.
        reason: String,
    },
    /// Compare it at both ends, and write at neither.
    Audit(Audited),
}

/// What an audit is to compare. Names are stored: never reuse one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audited {
    /// What both ends say of it.
    Answers,
    /// Also the bytes, read again at the source.
    Bytes,
    /// Only the target listed the key; it is spelled as the source's, and size and `ETag` are the
    /// target's.
    Extra,
}

/// One object of a task, as listed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlannedObject {
    /// At the source.
    pub key: Key,
    /// Bytes.
    pub size: u64,
    /// As listed.
    pub etag: Option<ETag>,
    /// The source's clock.
    pub last_modified: Option<Timestamp>,
    /// As the source names it.
    pub storage_class: Option<String>,
    /// At the target.
    pub expected: Expected,
    /// What is to be done.
    pub action: Action,
}

/// What became of one object of a task.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ObjectResult {
    /// Its place in the task's list.
    pub index: u32,
    /// What became of it; `None` while an audit has read it only part of the way: so many bytes of
    /// the source's object with this `ETag`, which have that CRC. It is left to do.
    pub outcome: Option<Outcome>,
    /// How we know.
    pub proof: Option<Grade>,
    /// Of the bytes at the target, or of those that were read so far.
    pub crc64_ecma: Option<u64>,
    /// Bytes copied, or read again by an audit.
    pub bytes: u64,
    /// Of the source's object that was copied.
    pub source_etag: Option<ETag>,
    /// Of the target's object.
    pub target_etag: Option<ETag>,
    /// The cause, and the service's request id. Never a secret.
    pub reason: Option<String>,
    /// How the copy departs from its source.
    pub departures: Departures,
}

impl ObjectResult {
    /// The result without proof: for every outcome but `copied`, `unchanged` and `equal`.
    pub fn plain(index: u32, outcome: Outcome, reason: impl Into<String>) -> Self {
        let reason = cut(reason.into());
        Self { index, outcome: Some(outcome), reason: Some(reason), ..Self::default() }
    }
}

/// Cuts a reason at a character's end.
fn cut(reason: String) -> String {
    cut_at(reason, REASON_BYTES_MAX)
}

fn cut_at(mut reason: String, bytes_max: usize) -> String {
    if reason.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|end| reason.is_char_boundary(*end));
        reason.truncate(end.unwrap_or(0));
        reason.push('…');
    }
    reason
}

/// A list that could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ListError {
    /// Not zstd, or not our JSON.
    #[error("damaged list: {0}")]
    Damaged(String),
    /// A newer planner wrote it.
    #[error("list of version {0}, this reads up to version {LIST_VERSION}")]
    Version(u32),
}

// key, size, etag, last modified, storage class, expected target etag ("" absent, null unknown),
// 0 copy / 1 copy if absent / [outcome, reason] / what an audit compares (from version 2)
type ObjectTuple<'a> = (
    std::borrow::Cow<'a, str>,
    u64,
    Option<std::borrow::Cow<'a, str>>,
    Option<i64>,
    Option<std::borrow::Cow<'a, str>>,
    Option<std::borrow::Cow<'a, str>>,
    ActionTuple<'a>,
);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ActionTuple<'a> {
    Copy(u8),
    Record(Outcome, std::borrow::Cow<'a, str>),
    Audit(Audited),
}

// A result, and departures as one number (from version 3 on: an array of two).
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ResultEntry {
    Plain(ResultTuple),
    Departing(ResultTuple, Departures),
}

// index, outcome, grade, crc64_ecma, bytes, source etag, target etag, reason
type ResultTuple = (
    u32,
    Option<Outcome>,
    Option<Grade>,
    Option<u64>,
    u64,
    Option<ETag>,
    Option<ETag>,
    Option<String>,
);

fn object_tuple(object: &PlannedObject) -> ObjectTuple<'_> {
    let text = |etag: &ETag| std::borrow::Cow::Owned(etag.as_str().to_owned());
    (
        object.key.to_text(),
        object.size,
        object.etag.as_ref().map(|etag| etag.as_str().into()),
        object.last_modified.map(|time| time.0),
        object.storage_class.as_deref().map(Into::into),
        match &object.expected {
            Expected::Unknown => None,
            Expected::Absent => Some("".into()),
            Expected::Present(etag) => Some(text(etag)),
        },
        match &object.action {
            Action::Copy { forbid_overwrite } => ActionTuple::Copy(u8::from(*forbid_overwrite)),
            Action::Record { outcome, reason } => {
                ActionTuple::Record(*outcome, cut(reason.clone()).into())
            }
            Action::Audit(audited) => ActionTuple::Audit(*audited),
        },
    )
}

/// Spells a task's objects.
pub fn encode_objects(objects: &[PlannedObject]) -> Bytes {
    let tuples: Vec<_> = objects.iter().map(object_tuple).collect();
    let is_of_audit = objects.iter().any(|object| matches!(object.action, Action::Audit(_)));
    compress(&(if is_of_audit { BEFORE_PARTIAL_READS } else { BEFORE_AUDITS }, tuples))
}

/// Reads a task's objects.
pub fn decode_objects(blob: &[u8]) -> Result<Vec<PlannedObject>, ListError> {
    let tuples: Vec<ObjectTuple<'static>> = decompress(blob)?;
    let objects = tuples.into_iter().map(|tuple| {
        let (key, size, etag, last_modified, storage_class, expected, action) = tuple;
        PlannedObject {
            key: Key::from_text(&key),
            size,
            etag: etag.map(|text| ETag::new(&text)),
            last_modified: last_modified.map(Timestamp),
            storage_class: storage_class.map(std::borrow::Cow::into_owned),
            expected: match expected.as_deref() {
                None => Expected::Unknown,
                Some("") => Expected::Absent,
                Some(etag) => Expected::Present(ETag::new(etag)),
            },
            action: match action {
                ActionTuple::Copy(flag) => Action::Copy { forbid_overwrite: flag != 0 },
                ActionTuple::Record(outcome, reason) => {
                    Action::Record { outcome, reason: reason.into_owned() }
                }
                ActionTuple::Audit(audited) => Action::Audit(audited),
            },
        }
    });
    Ok(objects.collect())
}

/// Spells what became of a task's objects, in at most `bytes_max` bytes: reasons are cut shorter where
/// whole ones do not fit. What became of an object is never cut.
pub fn encode_results_within(results: &[ObjectResult], bytes_max: usize) -> Bytes {
    let mut blob = encode_results(results);
    let mut reason_bytes_max = REASON_BYTES_MAX;
    while blob.len() > bytes_max && reason_bytes_max > 0 {
        reason_bytes_max /= 2;
        let shorter = |result: &ObjectResult| ObjectResult {
            reason: result.reason.clone().map(|reason| cut_at(reason, reason_bytes_max)),
            ..result.clone()
        };
        blob = encode_results(&results.iter().map(shorter).collect::<Vec<_>>());
    }
    blob
}

/// Spells what became of a task's objects.
pub fn encode_results(results: &[ObjectResult]) -> Bytes {
    let entries: Vec<ResultEntry> = results.iter().map(entry_of).collect();
    compress(&(results.iter().map(version_of).max().unwrap_or(BEFORE_AUDITS), entries))
}

fn version_of(result: &ObjectResult) -> u32 {
    match result.outcome {
        _ if !result.departures.is_none() => LIST_VERSION,
        None => BEFORE_DEPARTURES,
        Some(outcome) if outcome.is_finding() => BEFORE_PARTIAL_READS,
        Some(_) => BEFORE_AUDITS,
    }
}

fn entry_of(result: &ObjectResult) -> ResultEntry {
    let tuple = (
        result.index,
        result.outcome,
        result.proof,
        result.crc64_ecma,
        result.bytes,
        result.source_etag.clone(),
        result.target_etag.clone(),
        result.reason.clone().map(cut),
    );
    if result.departures.is_none() {
        ResultEntry::Plain(tuple)
    } else {
        ResultEntry::Departing(tuple, result.departures)
    }
}

/// Reads what became of a task's objects.
pub fn decode_results(blob: &[u8]) -> Result<Vec<ObjectResult>, ListError> {
    let entries: Vec<ResultEntry> = decompress(blob)?;
    let results = entries.into_iter().map(|entry| {
        let (tuple, departures) = match entry {
            ResultEntry::Departing(tuple, departures) => (tuple, departures),
            ResultEntry::Plain(tuple) => (tuple, Departures::default()),
        };
        let (index, outcome, proof, crc64_ecma, bytes, source_etag, target_etag, reason) = tuple;
        ObjectResult {
            index,
            outcome,
            proof,
            crc64_ecma,
            bytes,
            source_etag,
            target_etag,
            reason,
            departures,
        }
    });
    Ok(results.collect())
}

/// Spells a sorted list of keys.
pub fn encode_keys(keys: &[Key]) -> Bytes {
    compress(&(BEFORE_AUDITS, keys))
}

/// Reads a sorted list of keys.
pub fn decode_keys(blob: &[u8]) -> Result<Vec<Key>, ListError> {
    decompress(blob)
}

/// Names the content of a list: 16 hex digits.
pub fn list_digest(blob: &[u8]) -> String {
    format!("{:016x}", crc64_ecma(blob))
}

fn compress(value: &impl Serialize) -> Bytes {
    let json = serde_json::to_vec(value).expect("texts and numbers are JSON");
    zstd::bulk::compress(&json, COMPRESSION_LEVEL).expect("memory is not bounded here").into()
}

fn decompress<T: DeserializeOwned>(blob: &[u8]) -> Result<Vec<T>, ListError> {
    let damaged = |cause: &dyn std::fmt::Display| ListError::Damaged(cause.to_string());
    let json = zstd::stream::decode_all(blob).map_err(|cause| damaged(&cause))?;
    let mut stream = serde_json::Deserializer::from_slice(&json);
    let (version, entries): (u32, serde_json::Value) =
        Deserialize::deserialize(&mut stream).map_err(|cause| damaged(&cause))?;
    if !(BEFORE_AUDITS..=LIST_VERSION).contains(&version) {
        return Err(ListError::Version(version));
    }
    serde_json::from_value(entries).map_err(|cause| damaged(&cause))
}

#[cfg(test)]
mod tests;
