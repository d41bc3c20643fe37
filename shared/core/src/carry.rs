//! What an object takes along: headers, user metadata, storage class, and what OSS cannot hold.

use crate::along::{Along, SourceAcl, held_tags};
use crate::compare::PROVENANCE_NAME;
use crate::fidelity::{Departures, Fate, Properties, Property};
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
    /// Keys of tags that OSS cannot hold.
    pub dropped_tags: Vec<String>,
    /// How the copy departs from its source.
    pub departures: Departures,
}

impl Carried {
    /// What the report says of what is left behind by name; `None` where nothing is.
    pub fn left_behind(&self) -> Option<String> {
        let named = [("metadata", &self.dropped), ("tags", &self.dropped_tags)];
        let told = named.into_iter().filter(|(_, names)| !names.is_empty());
        let told: Vec<_> =
            told.map(|(what, names)| format!("{what} left behind: {}", names.join(", "))).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

/// Maps what the source's answer says of an object, and what was read along, to what is sent to OSS.
///
/// Names of user metadata become lower case; OSS holds `a-z`, `0-9` and `-` in them, so that `_` and
/// `.` become `-` unless another name has that spelling. Values must be visible ASCII. What exceeds
/// [`USER_METADATA_BYTES_MAX`] is left behind. `provenance` goes first: it is ours.
pub fn carry(job: &Job, info: &ObjectInfo, along: &Along, provenance: Option<String>) -> Carried {
    let mut own: Vec<(String, String)> = Vec::new();
    if let Some(provenance) = provenance.filter(|_| job.policy.provenance) {
        own.push((PROVENANCE_NAME.to_owned(), provenance));
    }
    let date = info.content_modified.or(info.last_modified);
    if let Some(time) = date.filter(|_| job.target.keep_last_modified) {
        own.push((MTIME_NAME.to_owned(), mtime_text(time)));
    }
    let Held { kept: user_metadata, dropped, has_renamed } = held(own, &info.headers.user_metadata);
    let headers = ObjectHeaders { user_metadata, ..info.headers.clone() };
    let storage_class =
        job.target.storage_class_for(info.storage_class.as_deref()).map(str::to_owned);
    let encryption = job.target.encryption.map(|kind| kind.as_str().to_owned());
    let (tags, dropped_tags) = held_tags(&along.tags);
    let acl = match along.acl {
        Some(SourceAcl::Canned(acl)) => Some(acl),
        Some(SourceAcl::OfBucket | SourceAcl::Other) | None => None,
    };
    let has = |property| info.beyond.has(property);
    let drops_tags = if job.policy.tags { !dropped_tags.is_empty() } else { has(Property::Tags) };
    let class = class_departure(info.storage_class.as_deref(), storage_class.as_deref());
    let is_encrypted = encryption.is_some();
    let departures = Departures {
        mapped: Properties::default()
            .with(Property::UserMetadata, has_renamed)
            .with(Property::StorageClass, class == Some(Fate::Mapped))
            .with(Property::Encryption, has(Property::Encryption) && is_encrypted),
        dropped: Properties::default()
            .with(Property::UserMetadata, !dropped.is_empty() || has(Property::UserMetadata))
            .with(Property::Tags, drops_tags)
            .with(Property::Acl, along.acl == Some(SourceAcl::Other))
            .with(Property::StorageClass, class == Some(Fate::Dropped))
            .with(Property::Encryption, has(Property::Encryption) && !is_encrypted)
            .with(Property::WebsiteRedirect, has(Property::WebsiteRedirect))
            .with(Property::ObjectLock, has(Property::ObjectLock)),
    };
    let options =
        PutOptions { headers, storage_class, encryption, tags, acl, ..PutOptions::default() };
    Carried { options, dropped, dropped_tags, departures }
}

/// How the class departs. The ordinary class departs from nothing: what the job names for it is the user's
/// choice for every object.
fn class_departure(source: Option<&str>, target: Option<&str>) -> Option<Fate> {
    let source = source?.to_ascii_uppercase();
    if matches!(source.as_str(), "STANDARD" | "MAZ_STANDARD" | "HOT") {
        return None;
    }
    match target {
        Some(target) if target.eq_ignore_ascii_case(&source) => None,
        Some(_) => Some(Fate::Mapped),
        None => Some(Fate::Dropped),
    }
}

/// Seconds since 1970 with milliseconds.
fn mtime_text(time: Timestamp) -> String {
    let (sign, millis) = (if time.0 < 0 { "-" } else { "" }, time.0.unsigned_abs());
    format!("{sign}{}.{:03}", millis / 1_000, millis % 1_000)
}

type Pairs = Vec<(String, String)>;

struct Held {
    kept: Pairs,
    dropped: Vec<String>,
    /// Whether some are kept under another spelling than the source's.
    has_renamed: bool,
}

fn held(mut kept: Pairs, wanted: &[(String, String)]) -> Held {
    let (mut dropped, mut has_renamed) = (Vec::new(), false);
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
            has_renamed |= spelled != *name;
            kept.push((spelled, value.clone()));
        } else {
            dropped.push(name.clone());
        }
    }
    Held { kept, dropped, has_renamed }
}

fn is_held(name: &str) -> bool {
    let held = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.bytes().all(held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::along::CannedAcl;
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
        let held = held(vec![pair("ossferry-source", "e")], &wanted);
        let expected = [pair("ossferry-source", "e"), pair("plain", "b"), pair("file-name", "a")];
        assert_eq!(held.kept, expected);
        assert_eq!(held.dropped, ["text", "large", "PLAIN", "umlaut-ü"]);
        assert!(held.has_renamed);
    }

    fn info(beyond: Properties) -> ObjectInfo {
        ObjectInfo {
            size: 1,
            etag: None,
            last_modified: Some(Timestamp(5_000)),
            content_modified: None,
            digests: Digests::default(),
            headers: ObjectHeaders::default(),
            storage_class: None,
            mirrored: false,
            beyond,
        }
    }

    #[test]
    fn the_date_that_is_carried_is_that_of_the_content_where_it_is_another() {
        let mut job = Job::parse(Job::template()).unwrap();
        let dated =
            |content_modified| ObjectInfo { content_modified, ..info(Properties::default()) };
        let mtime = |job: &Job, info: &ObjectInfo| {
            carry(job, info, &Along::default(), None).options.headers.user_metadata
        };
        assert_eq!(mtime(&job, &dated(Some(Timestamp(1_000)))), []);
        job.target.keep_last_modified = true;
        for (content_modified, text) in [(None, "5.000"), (Some(Timestamp(1_000)), "1.000")] {
            assert_eq!(mtime(&job, &dated(content_modified)), [pair(MTIME_NAME, text)]);
        }
    }

    #[test]
    fn each_departure_is_told_by_what_the_job_asks_for() {
        use Property::{Acl, Encryption, ObjectLock, StorageClass, Tags, UserMetadata};
        let mut job = Job::parse(Job::template()).unwrap();
        let departed = |job: &Job, info: &ObjectInfo, along: &Along| {
            let Departures { mapped, dropped } = carry(job, info, along, None).departures;
            (mapped.iter().collect::<Vec<_>>(), dropped.iter().collect::<Vec<_>>())
        };
        let beyond = Properties::default()
            .with(Property::Tags, true)
            .with(Property::Encryption, true)
            .with(Property::WebsiteRedirect, true)
            .with(Property::ObjectLock, true);
        let mut has_all = info(beyond);
        has_all.storage_class = Some("STANDARD_IA".to_owned());
        has_all.headers.user_metadata = vec![pair("a_b", "1"), pair("c", "ü")];
        let (mapped, dropped) = departed(&job, &has_all, &Along::default());
        assert_eq!(mapped, [Property::UserMetadata]);
        let redirect = Property::WebsiteRedirect;
        let all = [UserMetadata, Tags, StorageClass, Encryption, redirect, ObjectLock];
        assert_eq!(dropped, all);

        job.policy.tags = true;
        job.policy.acl = true;
        job.target.encryption = Some(crate::job::Encryption::Aes256);
        job.target.storage_classes.insert("STANDARD_IA".to_owned(), "IA".to_owned());
        let along = Along { tags: vec![pair("team", "a")], acl: Some(SourceAcl::Other) };
        let (mapped, dropped) = departed(&job, &has_all, &along);
        assert_eq!(mapped, [UserMetadata, StorageClass, Encryption]);
        assert_eq!(dropped, [UserMetadata, Acl, redirect, ObjectLock]);

        let plain = ObjectInfo { storage_class: Some("STANDARD".into()), ..info(beyond) };
        let plain = ObjectInfo { beyond: Properties::default().with(Tags, true), ..plain };
        let along = Along {
            tags: vec![pair("team", "a@b")],
            acl: Some(SourceAcl::Canned(CannedAcl::PublicRead)),
        };
        assert_eq!(departed(&job, &plain, &along), (vec![], vec![Tags]));
        let carried = carry(&job, &plain, &along, None);
        assert_eq!(carried.options.acl, Some(CannedAcl::PublicRead));
        assert_eq!(carried.left_behind().unwrap(), "tags left behind: team");
    }

    #[test]
    fn the_date_is_kept_as_seconds_with_a_fraction() {
        assert_eq!(mtime_text(Timestamp(1_702_743_657_048)), "1702743657.048");
        assert_eq!(mtime_text(Timestamp(-1)), "-0.001");
    }
}
