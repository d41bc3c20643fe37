//! What makes two jobs the same: the hash of the scope, the hash of the definition, and the
//! definition as the ledger keeps it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{BucketSource, Job, ListingPlace, SourceSpec, StoreKind, TargetSpec, endpoint};
use crate::crc;

/// Version of the definition that the ledger keeps. Version 1 kept `source.etag_is_md5` beside the
/// source, as `source_etag_is_md5`, or was silent of it, which meant true. Version 3 asks for tags or ACLs,
/// and version 4 names a list of keys; where a job does neither, version 2 is still written.
pub const DEFINITION_VERSION: u32 = 4;

/// The version that knows of no list of keys. A program of that time must not copy the whole bucket.
const BEFORE_KEYS: u32 = 3;

/// The version that knows of no tags or ACLs. A program of that time must not copy without them.
const BEFORE_TAGS: u32 = 2;

/// A definition that cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum BadDefinition {
    /// Not the JSON that [`Job::to_json`] writes.
    #[error("job definition: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Written by a later version of this program.
    #[error("job definition: version {0} is not known here")]
    Version(u32),
}

#[derive(Serialize, Deserialize)]
struct Versioned<J> {
    version: u32,
    job: J,
}

/// A definition of version 1 as version 2 has it.
fn raise_from_1(job: &mut Value) {
    let etag_is_md5 = job.get("source_etag_is_md5").and_then(Value::as_bool).unwrap_or(true);
    if let Some(source) = job.get_mut("source").and_then(Value::as_object_mut) {
        source.insert("etag_is_md5".to_owned(), Value::Bool(etag_is_md5));
    }
}

impl Job {
    /// The normalised definition, for the ledger.
    pub fn to_json(&self) -> String {
        let version = match self.source.keys() {
            Some(_) => DEFINITION_VERSION,
            None if self.policy.asks_for_more() => BEFORE_KEYS,
            None => BEFORE_TAGS,
        };
        let definition = Versioned { version, job: self };
        serde_json::to_string(&definition).expect("a job is plain data with text keys")
    }

    /// Reads what [`Job::to_json`] wrote, of this version or an earlier one.
    pub fn from_json(text: &str) -> Result<Self, BadDefinition> {
        let mut definition: Versioned<Value> = serde_json::from_str(text)?;
        match definition.version {
            1 => raise_from_1(&mut definition.job),
            BEFORE_TAGS..=DEFINITION_VERSION => {}
            version => return Err(BadDefinition::Version(version)),
        }
        Ok(serde_json::from_value(definition.job)?)
    }

    /// 32 hex digits over what decides which objects belong and where they go: source, list of keys,
    /// target, prefixes, filter. Credentials, policy, limits and another address of the same bucket do not
    /// change it.
    pub fn scope_hash(&self) -> String {
        let (kind, store) = match &self.source {
            SourceSpec::Bucket(bucket) => ("bucket", store_of_source(bucket)),
            SourceSpec::Folder(folder) => ("folder", folder.path.clone()),
            SourceSpec::UrlList(list) => ("url-list", list.list.clone()),
            // Names of accounts are unique in one cloud of Azure, and its clouds have addresses of their own.
            SourceSpec::Azure(container) => (
                "azure",
                format!("{}/{}/{}", container.endpoint, container.account, container.container),
            ),
            // The same bucket, by whichever of the two interfaces it is read.
            SourceSpec::Gcs(bucket) => {
                ("bucket", format!("{}/{}", endpoint::authority(&bucket.endpoint), bucket.bucket))
            }
        };
        let filter = &self.filter;
        let mut digest = Text::default();
        digest.add("scope 1");
        digest.add(kind);
        digest.add(&store);
        digest.add(&self.source.prefix().to_text());
        digest.add(&store_of_target(&self.target));
        digest.add(&self.target.prefix.to_text());
        for globs in [&filter.include, &filter.exclude] {
            digest.add(&globs.len().to_string());
            // The order of globs changes nothing.
            let mut globs: Vec<&String> = globs.iter().collect();
            globs.sort();
            for glob in globs {
                digest.add(glob);
            }
        }
        for time in [filter.modified_since, filter.modified_until] {
            digest.add(&time.map_or_else(String::new, |time| time.0.to_string()));
        }
        for size in [filter.size_min, filter.size_max] {
            digest.add(&size.map_or_else(String::new, |size| size.to_string()));
        }
        // Added only where there is one: other jobs keep the hash that stands in their ledgers.
        match self.source.keys() {
            Some(ListingPlace::Key(key)) => digest.add(&format!("keys {key}")),
            Some(ListingPlace::File(path)) => digest.add(&format!("keys_file {path}")),
            None => {}
        }
        hex(&digest.0)
    }

    /// 32 hex digits over the whole normalised definition.
    pub fn definition_hash(&self) -> String {
        hex(self.to_json().as_bytes())
    }
}

/// Texts one after another, each behind its length, so that no two lists run together.
#[derive(Default)]
struct Text(Vec<u8>);

impl Text {
    fn add(&mut self, text: &str) {
        self.0.extend_from_slice(text.len().to_string().as_bytes());
        self.0.push(b':');
        self.0.extend_from_slice(text.as_bytes());
    }
}

// Two CRCs of different polynomials: enough against chance, which is all that is to be kept apart.
fn hex(bytes: &[u8]) -> String {
    format!("{:016x}{:016x}", crc::crc64_ecma(bytes), crc::crc64_nvme(bytes))
}

/// Names a bucket the same at each of its addresses.
pub(super) fn store_of_source(source: &BucketSource) -> String {
    // Names of buckets are unique in UPYUN, which has an address of each carrier.
    if source.kind == StoreKind::Upyun && endpoint::host(&source.endpoint).ends_with(".upyun.com") {
        return format!("upyun.com/{}", source.bucket);
    }
    store(&source.endpoint, &source.region, &source.bucket)
}

/// Names a bucket the same at each of its addresses.
pub(super) fn store_of_target(target: &TargetSpec) -> String {
    store(&target.endpoint, &target.region, &target.bucket)
}

// Names of buckets are unique over all regions in OSS and S3, within a region in COS (with the
// APPID), and at one address elsewhere.
fn store(address: &str, region: &str, bucket: &str) -> String {
    let host = endpoint::host(address);
    let of = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    if of("aliyuncs.com") {
        format!("aliyuncs.com/{bucket}")
    } else if of("amazonaws.com") {
        format!("amazonaws.com/{bucket}")
    } else if of("myqcloud.com") {
        format!("myqcloud.com/{region}/{bucket}")
    } else {
        format!("{}/{bucket}", endpoint::authority(address))
    }
}
