//! Reads the sections of the source and of the target.

use super::mistakes::Mistakes;
use super::section::{Found, Section};
use super::state::Host;
use super::{
    Addressing, BucketSource, Encryption, FolderSource, ListingPlace, SourceSpec, StoreKind,
    TargetSpec, azure, credentials, endpoint, gcs, restoring, url_list,
};
use crate::key::Key;

const ADDRESSINGS: [(&str, Addressing); 2] =
    [("path", Addressing::Path), ("virtual", Addressing::Virtual)];

/// What only a source that is a bucket has, and what has it.
pub(super) const BUCKET_ONLY: [&str; 12] = [
    "endpoint",
    "region",
    "bucket",
    "addressing",
    "list_version",
    "listing_order",
    "etag_is_md5",
    "inventory",
    "inventory_file",
    "keys",
    "keys_file",
    "credentials",
];
pub(super) const BUCKETS: &str = "the kinds that are buckets";

/// What only a list of URLs has.
pub(super) const URL_LIST_ONLY: [&str; 7] = [
    "list",
    "format",
    "url_column",
    "key_column",
    "allow",
    "redirects_max",
    "host_concurrency_max",
];
pub(super) const URL_LISTS: &str = "kind = \"http\"";

/// What a source is.
#[derive(Clone, Copy)]
enum Kind {
    Bucket(StoreKind),
    Azure,
    Gcs,
    Folder,
    UrlList,
}

/// Storage classes of OSS (`x-oss-storage-class`).
const OSS_CLASSES: [&str; 5] = ["Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive"];

pub(super) fn source(
    mut section: Section<'_, '_>,
    host: Host,
    mistakes: &mut Mistakes<'_>,
) -> Option<SourceSpec> {
    if section.is_absent() {
        mistakes.add(0, "source", "is required", "write [source] and its kind");
        return None;
    }
    section.required("kind", "s3", mistakes)?;
    let mut kinds: Vec<(&str, Kind)> =
        StoreKind::ALL.map(|kind| (kind.as_str(), Kind::Bucket(kind))).to_vec();
    kinds.extend([
        ("azure", Kind::Azure),
        ("gcs-json", Kind::Gcs),
        ("folder", Kind::Folder),
        ("http", Kind::UrlList),
    ]);
    let Found { value: kind, at } = section.word("kind", &kinds, mistakes)?;
    match kind {
        Kind::Bucket(kind) => {
            return bucket(section, kind, host, mistakes).map(SourceSpec::Bucket);
        }
        Kind::Azure => {
            let prefix = prefix(&mut section, mistakes);
            return azure::read(section, prefix, host, mistakes).map(SourceSpec::Azure);
        }
        Kind::Gcs => {
            let prefix = prefix(&mut section, mistakes);
            return gcs::read(section, prefix, host, mistakes).map(SourceSpec::Gcs);
        }
        Kind::UrlList => {
            let prefix = prefix(&mut section, mistakes);
            return url_list::read(section, prefix, host, mistakes).map(SourceSpec::UrlList);
        }
        Kind::Folder => {}
    }
    if host != Host::Machine {
        let problem = "\"folder\" is on this machine's disk, which a function does not have";
        let remedy = "name a bucket, or write kind = \"local\" below [state]";
        mistakes.add(at, section.full("kind"), problem, remedy);
    }
    folder(section, mistakes).map(SourceSpec::Folder)
}

fn folder(mut section: Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Option<FolderSource> {
    let path = section.required("path", "/data/photos", mistakes);
    let prefix = prefix(&mut section, mistakes);
    let mut elsewhere = BUCKET_ONLY.map(|name| (name, BUCKETS)).to_vec();
    elsewhere.extend(URL_LIST_ONLY.map(|name| (name, URL_LISTS)));
    section.finish(&elsewhere, mistakes);
    Some(FolderSource { path: path?.value, prefix })
}

fn bucket(
    mut section: Section<'_, '_>,
    kind: StoreKind,
    host: Host,
    mistakes: &mut Mistakes<'_>,
) -> Option<BucketSource> {
    let addressing_key = section.full("addressing");
    let bucket = bucket_name(&mut section, mistakes);
    let prefix = prefix(&mut section, mistakes);
    let place = place(&mut section, kind, mistakes);
    let addressing = section.word("addressing", &ADDRESSINGS, mistakes);
    let mut elsewhere = vec![("path", "kind = \"folder\"")];
    elsewhere.extend(URL_LIST_ONLY.map(|name| (name, URL_LISTS)));
    let known = kind.known();
    let mut list_version = known.list_version;
    let (mut lists_by_bytes, mut etag_is_md5) = (false, known.etag_is_md5);
    if kind == StoreKind::S3 || kind.may_be_told() {
        if let Some(version) = section.whole("list_version", 1, 2, mistakes) {
            list_version = if version.value == 1 { 1 } else { 2 };
        }
    } else {
        elsewhere.push(("list_version", "kinds that may list otherwise than is known of this one"));
    }
    if kind.may_be_told() {
        lists_by_bytes = section.word("listing_order", &[("bytes", ())], mistakes).is_some();
        etag_is_md5 = section.flag("etag_is_md5", mistakes).unwrap_or(etag_is_md5);
    } else {
        elsewhere.push(("etag_is_md5", "kind = \"s3-compatible\": of this kind it is known"));
        elsewhere.push((
            "listing_order",
            if known.lists_by_bytes {
                "kind = \"s3-compatible\": this kind lists by bytes"
            } else {
                "kind = \"s3-compatible\": this kind lists folder by folder"
            },
        ));
    }
    let restoring = section.section("restore", mistakes);
    let restoring_at = restoring.at();
    let restore = restoring::read(restoring, mistakes);
    let may_restore =
        matches!(kind, StoreKind::S3 | StoreKind::S3Compatible | StoreKind::Cos | StoreKind::Oss);
    if restore.is_some() && !may_restore {
        let problem = "is not known of this kind";
        let remedy = "restore its archived objects by its own tools, and remove the line";
        mistakes.add(restoring_at, section.full("restore"), problem, remedy);
    }
    let (inventory, keys) = listed_by(&mut section, host, mistakes);
    let below = section.section("credentials", mistakes);
    let credentials = credentials::read(below, Some(kind), host, mistakes);
    section.finish(&elsewhere, mistakes);
    let (endpoint, region) = place?;
    if let Some(found) = &addressing {
        heed(found, kind, &endpoint, bucket.as_deref(), addressing_key, mistakes);
    }
    Some(BucketSource {
        kind,
        addressing: addressing.map_or(endpoint::addressing(kind, &endpoint), |found| found.value),
        endpoint,
        region,
        bucket: bucket?,
        prefix,
        list_version,
        lists_by_bytes,
        etag_is_md5,
        credentials: credentials?,
        restore,
        inventory,
        keys,
    })
}

/// What stands in for the listing: the inventory, and the list of keys. One of them at most.
fn listed_by(
    section: &mut Section<'_, '_>,
    host: Host,
    mistakes: &mut Mistakes<'_>,
) -> (Option<ListingPlace>, Option<ListingPlace>) {
    let inventory = listing(section, ["inventory", "inventory_file"], host, mistakes);
    let keys = listing(section, ["keys", "keys_file"], host, mistakes);
    if let Some((found, name)) = &inventory
        && found.value.rsplit('.').next() != Some("json")
    {
        let remedy = format!("write {name} = \"…/manifest.json\"");
        mistakes.add(found.at, section.full(name), "is no manifest", remedy);
    }
    if let (Some(_), Some((found, name))) = (&inventory, &keys) {
        let problem = "is a second list of what is moved, beside the inventory";
        mistakes.add(found.at, section.full(name), problem, "remove one of the two lines");
    }
    let place = |(found, name): (Found<String>, &str)| {
        if name.ends_with("_file") {
            ListingPlace::File(found.value)
        } else {
            ListingPlace::Key(Key::from(found.value))
        }
    };
    (inventory.map(place), keys.map(place))
}

/// A file that is a key of the bucket by the first of these names, or of this machine by the second.
fn listing(
    section: &mut Section<'_, '_>,
    [key, file]: [&'static str; 2],
    host: Host,
    mistakes: &mut Mistakes<'_>,
) -> Option<(Found<String>, &'static str)> {
    let in_bucket = section.text(key, mistakes);
    let on_machine = section.text(file, mistakes);
    if let (Some(_), Some(found)) = (&in_bucket, &on_machine) {
        let problem = format!("is a second one, beside {key}");
        mistakes.add(found.at, section.full(file), problem, "remove one of the two lines");
    } else if let Some(found) = &on_machine
        && host != Host::Machine
    {
        let problem = "is on this machine's disk, which a function does not have";
        let remedy = format!("put it into the bucket, and write its key as {key}");
        mistakes.add(found.at, section.full(file), problem, remedy);
    }
    in_bucket.map(|found| (found, key)).or_else(|| on_machine.map(|found| (found, file)))
}

pub(super) fn target(
    mut section: Section<'_, '_>,
    host: Host,
    mistakes: &mut Mistakes<'_>,
) -> Option<TargetSpec> {
    if section.is_absent() {
        mistakes.add(0, "target", "is required", "write [target], its bucket and its region");
        return None;
    }
    section.word("kind", &[("oss", ())], mistakes);
    let addressing_key = section.full("addressing");
    let bucket = bucket_name(&mut section, mistakes);
    let prefix = prefix(&mut section, mistakes);
    if let Some(b'/' | b'\\') = prefix.as_bytes().first() {
        let problem = "OSS refuses keys that begin with / or \\";
        mistakes.add(section.at(), section.full("prefix"), problem, "remove the first character");
    }
    let place = place(&mut section, StoreKind::Oss, mistakes);
    let addressing = section.word("addressing", &ADDRESSINGS, mistakes);
    let storage_class = section.text("storage_class", mistakes);
    let storage_classes = section.map("storage_classes", mistakes);
    for class in storage_class.iter().chain(storage_classes.values()) {
        if !OSS_CLASSES.contains(&class.value.as_str()) {
            let remedy = format!("write one of {}", OSS_CLASSES.join(", "));
            mistakes.add(class.at, section.full("storage_class"), "is no class of OSS", remedy);
        }
    }
    let keep_last_modified = section.flag("keep_last_modified", mistakes).unwrap_or(false);
    let words = [("AES256", Encryption::Aes256), ("KMS", Encryption::Kms)];
    let encryption = section.word("encryption", &words, mistakes);
    let below = section.section("credentials", mistakes);
    let credentials = credentials::read(below, None, host, mistakes);
    section.finish(&[], mistakes);
    let (endpoint, region) = place?;
    if let Some(found) = &addressing {
        heed(found, StoreKind::Oss, &endpoint, bucket.as_deref(), addressing_key, mistakes);
    }
    Some(TargetSpec {
        addressing: addressing
            .map_or(endpoint::addressing(StoreKind::Oss, &endpoint), |found| found.value),
        endpoint,
        region,
        bucket: bucket?,
        prefix,
        credentials: credentials?,
        storage_class: storage_class.map(|class| class.value),
        storage_classes: storage_classes
            .into_iter()
            .map(|(source, class)| (source, class.value))
            .collect(),
        keep_last_modified,
        encryption: encryption.map(|found| found.value),
    })
}

/// Notes an addressing that the store, the bucket or the address leaves no room for: it would not be
/// used.
fn heed(
    written: &Found<Addressing>,
    kind: StoreKind,
    endpoint: &str,
    bucket: Option<&str>,
    key: String,
    mistakes: &mut Mistakes<'_>,
) {
    let problem = match (written.value, kind) {
        (Addressing::Path, StoreKind::Cos) => {
            "COS takes a bucket's name in the host only, so \"path\" cannot be used"
        }
        (Addressing::Virtual, StoreKind::Upyun) => {
            "UPYUN takes a bucket's name in the path only, so \"virtual\" cannot be used"
        }
        (Addressing::Virtual, StoreKind::S3 | StoreKind::Oss) if endpoint::is_bare(endpoint) => {
            "a bare address has no room for the bucket's name in front, so \"virtual\" cannot be used"
        }
        (Addressing::Virtual, StoreKind::S3) if bucket.is_some_and(|name| name.contains('.')) => {
            "the certificates of S3 do not cover a bucket with a dot in its name, so \"virtual\" \
             cannot be used"
        }
        _ => return,
    };
    let other = match written.value {
        Addressing::Path => "virtual",
        Addressing::Virtual => "path",
    };
    let remedy = format!("remove the line, or write addressing = \"{other}\"");
    mistakes.add(written.at, key, problem, remedy);
}

fn prefix(section: &mut Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Key {
    section.text("prefix", mistakes).map_or_else(Key::default, |found| Key::from(found.value))
}

pub(super) fn bucket_name(
    section: &mut Section<'_, '_>,
    mistakes: &mut Mistakes<'_>,
) -> Option<String> {
    let Found { value, at } = section.required("bucket", "photos", mistakes)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if !value.bytes().all(allowed) {
        let remedy = "write the bucket's name alone, and keys to begin with as prefix";
        mistakes.add(at, section.full("bucket"), "is no name of a bucket", remedy);
        return None;
    }
    Some(value)
}

/// Endpoint and region, each from the other where that is possible.
fn place(
    section: &mut Section<'_, '_>,
    kind: StoreKind,
    mistakes: &mut Mistakes<'_>,
) -> Option<(String, String)> {
    let written = section.text("endpoint", mistakes);
    let region = section.text("region", mistakes).filter(|region| !region.value.is_empty());
    let endpoint = match &written {
        None => None,
        Some(Found { value, at }) => match endpoint::normalised(value) {
            Ok(endpoint) => Some(endpoint),
            Err(problem) => {
                let remedy = "write endpoint = \"https://host\" or \"http://127.0.0.1:9000\"";
                if !mistakes.know(&section.full("endpoint")) {
                    mistakes.add(*at, section.full("endpoint"), problem, remedy);
                }
                return None;
            }
        },
    };
    // Consoles of OSS show the region with the prefix of its endpoint.
    let region = region.map(|found| match kind {
        StoreKind::Oss => found.value.strip_prefix("oss-").unwrap_or(&found.value).to_owned(),
        _ => found.value,
    });
    let region = region.or_else(|| endpoint::region(kind, endpoint.as_deref()));
    let endpoint = endpoint.or_else(|| endpoint::usual(kind, region.as_ref()?));
    if endpoint.is_none() && kind == StoreKind::S3Compatible {
        let remedy = "write endpoint = \"https://host\"";
        mistakes.add(section.at(), section.full("endpoint"), "is required", remedy);
    } else if region.is_none() {
        let example = kind.known().region;
        let remedy = format!("write region = \"{example}\"");
        mistakes.add(section.at(), section.full("region"), "is required", remedy);
    }
    endpoint.zip(region)
}
