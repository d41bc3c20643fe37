//! What an object takes along: headers, user metadata, storage class, and what OSS cannot hold.

use crate::compare::PROVENANCE_NAME;
use crate::job::Job;
use crate::object::{ObjectHeaders, ObjectInfo};
use crate::ports::PutOptions;
use crate::time::Timestamp;

/// OSS holds 8 KB of user metadata, names and values together (limits page, February 2026).
pub const USER_METADATA_BYTES_MAX: usize = 8 << 10;

/// Name, without `x-oss-meta-`, of the user metadata that keeps the source's date. Seconds with a
/// fraction, as rclone writes and reads it.
pub const MTIME_NAME: &str = "mtime";

/// How an object is to be written, and what of it is left behind.
#[derive(Clone, Debug, Default)]
pub struct Carried {
    /// For the target.
    pub options: PutOptions,
    /// Names of user metadata that OSS cannot hold.
    pub dropped: Vec<String>,
}

impl Carried {
    /// What the report says of what is left behind; `None` where everything is carried.
    pub fn left_behind(&self) -> Option<String> {
        (!self.dropped.is_empty())
            .then(|| format!("metadata left behind: {}", self.dropped.join(", ")))
    }
}

/// Maps what the source's answer says of an object to what is sent to OSS.
///
/// Names of user metadata become lower case; OSS holds `a-z`, `0-9` and `-` in them, so that `_` and
/// `.` become `-` unless another name has that spelling. Values must be visible ASCII. What exceeds
/// [`USER_METADATA_BYTES_MAX`] is left behind. `provenance` goes first: it is ours.
pub fn carry(job: &Job, info: &ObjectInfo, provenance: Option<String>) -> Carried {
    let mut own: Vec<(String, String)> = Vec::new();
    if let Some(provenance) = provenance.filter(|_| job.policy.provenance) {
        own.push((PROVENANCE_NAME.to_owned(), provenance));
    }
    let date = info.content_modified.or(info.last_modified);
    if let Some(time) = date.filter(|_| job.target.keep_last_modified) {
        own.push((MTIME_NAME.to_owned(), mtime_text(time)));
    }
    let (user_metadata, dropped) = held(own, &info.headers.user_metadata);
    let headers = ObjectHeaders { user_metadata, ..info.headers.clone() };
    let storage_class =
        job.target.storage_class_for(info.storage_class.as_deref()).map(str::to_owned);
    let encryption = job.target.encryption.map(|kind| kind.as_str().to_owned());
    let options = PutOptions { headers, storage_class, encryption, ..PutOptions::default() };
    Carried { options, dropped }
}

/// Seconds since 1970 with milliseconds.
fn mtime_text(time: Timestamp) -> String {
    let (sign, millis) = (if time.0 < 0 { "-" } else { "" }, time.0.unsigned_abs());
    format!("{sign}{}.{:03}", millis / 1_000, millis % 1_000)
}

type Pairs = Vec<(String, String)>;

fn held(mut kept: Pairs, wanted: &[(String, String)]) -> (Pairs, Vec<String>) {
    let mut dropped = Vec::new();
    let mut bytes: usize = kept.iter().map(|(name, value)| name.len() + value.len()).sum();
    // Names that need no change come first, so that a changed one never takes their place.
    let (exact, changed): (Vec<_>, Vec<_>) = wanted.iter().partition(|(name, _)| is_held(name));
    for (name, value) in exact.into_iter().chain(changed) {
        let spelled = name.to_ascii_lowercase().replace(['_', '.'], "-");
        let size = spelled.len() + value.len();
        let fits = is_held(&spelled)
            && kept.iter().all(|(other, _)| *other != spelled)
            && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
            && bytes + size <= USER_METADATA_BYTES_MAX;
        if fits {
            bytes += size;
            kept.push((spelled, value.clone()));
        } else {
            dropped.push(name.clone());
        }
    }
    (kept, dropped)
}

fn is_held(name: &str) -> bool {
    let held = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.bytes().all(held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Digests;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn names_are_mapped_to_what_oss_can_hold_and_the_rest_is_named() {
        let wanted = [
            pair("File_Name", "a"),
            pair("plain", "b"),
            pair("PLAIN", "c"),
            pair("umlaut-ü", "d"),
            pair("text", "grün"),
            pair("large", &"x".repeat(USER_METADATA_BYTES_MAX)),
        ];
        let (kept, dropped) = held(vec![pair("ossferry-source", "e")], &wanted);
        let expected = [pair("ossferry-source", "e"), pair("plain", "b"), pair("file-name", "a")];
        assert_eq!(kept, expected);
        assert_eq!(dropped, ["text", "large", "PLAIN", "umlaut-ü"]);
    }

    #[test]
    fn the_date_that_is_carried_is_that_of_the_content_where_it_is_another() {
        let mut job = Job::parse(Job::template()).unwrap();
        let info = |content_modified| ObjectInfo {
            size: 1,
            etag: None,
            last_modified: Some(Timestamp(5_000)),
            content_modified,
            digests: Digests::default(),
            headers: ObjectHeaders::default(),
            storage_class: None,
            mirrored: false,
        };
        let mtime =
            |job: &Job, info: &ObjectInfo| carry(job, info, None).options.headers.user_metadata;
        assert_eq!(mtime(&job, &info(Some(Timestamp(1_000)))), []);
        job.target.keep_last_modified = true;
        for (content_modified, text) in [(None, "5.000"), (Some(Timestamp(1_000)), "1.000")] {
            assert_eq!(mtime(&job, &info(content_modified)), [pair(MTIME_NAME, text)]);
        }
    }

    #[test]
    fn the_date_is_kept_as_seconds_with_a_fraction() {
        assert_eq!(mtime_text(Timestamp(1_702_743_657_048)), "1702743657.048");
        assert_eq!(mtime_text(Timestamp(-1)), "-0.001");
    }
}
