//! The job: one migration, as the user writes it in a TOML file and as the ledger keeps it in JSON.
//!
//! A job never holds a secret: credentials name where the secret is found.

mod azure;
mod bucket;
mod credentials;
mod endpoint;
mod filter;
mod gcs;
mod identity;
mod mistakes;
mod parse;
mod policy;
mod rates;
mod restoring;
mod secrets;
mod section;
mod state;
mod store_kind;
mod stores;
#[cfg(test)]
mod tests;
mod url_list;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::key::Key;
use crate::ports::ListingOrder;
use crate::rates::{Calendar, Rates, TimeZone, Window};
use crate::time::Timestamp;

pub use azure::AzureSource;
pub use bucket::{BucketSource, ListingPlace};
pub use credentials::Credentials;
pub use filter::{BadGlob, Filter};
pub use gcs::GcsSource;
pub use identity::{BadDefinition, DEFINITION_VERSION};
pub use mistakes::{JobError, JobErrors};
pub use policy::{Overwrite, PolicySpec};
pub use restoring::{RestoreSpec, RestoreTier};
pub use store_kind::StoreKind;
pub use url_list::{AllowedHost, UrlListFormat, UrlListSource};

/// One migration: source, target, filters, policy, limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Names the job in the ledger and in logs: letters, digits, `-` and `_`, at most 64.
    pub name: String,
    /// Where objects come from.
    pub source: SourceSpec,
    /// The OSS bucket they go to.
    pub target: TargetSpec,
    /// Which objects belong.
    pub filter: FilterSpec,
    /// Who wins where the target holds something else.
    pub policy: PolicySpec,
    /// How fast, how large, how many.
    pub limits: Limits,
    /// Where the ledger is kept.
    pub state: StateSpec,
}

impl Job {
    /// The commented file that `ossferry init` writes. It is a valid job as it stands, and stays one
    /// when lines that begin with `#` and no space are uncommented.
    pub fn template() -> &'static str {
        include_str!("job/template.toml")
    }

    /// The key at the target of an object at the source; `None` where the key does not begin with
    /// the source's prefix.
    pub fn target_key(&self, source_key: &Key) -> Option<Key> {
        source_key.moved(self.source.prefix().as_bytes(), self.target.prefix.as_bytes())
    }

    /// The way back of [`Job::target_key`].
    pub fn source_key(&self, target_key: &Key) -> Option<Key> {
        target_key.moved(self.target.prefix.as_bytes(), self.source.prefix().as_bytes())
    }
}

/// Where objects come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "kebab-case")]
pub enum SourceSpec {
    /// A bucket of an object store.
    Bucket(BucketSource),
    /// A folder of this machine.
    Folder(FolderSource),
    /// A list of URLs.
    UrlList(UrlListSource),
    /// A container of Azure Blob Storage.
    Azure(AzureSource),
    /// A bucket of Google Cloud Storage, by its JSON interface.
    Gcs(GcsSource),
}

impl SourceSpec {
    /// Only keys that begin with these bytes belong to the job. May be empty.
    pub fn prefix(&self) -> &Key {
        match self {
            Self::Bucket(bucket) => &bucket.prefix,
            Self::Folder(folder) => &folder.prefix,
            Self::UrlList(list) => &list.prefix,
            Self::Azure(container) => &container.prefix,
            Self::Gcs(bucket) => &bucket.prefix,
        }
    }

    /// What is asked for of archived objects; where `None` they are left to whoever restores them.
    pub fn restore(&self) -> Option<&RestoreSpec> {
        match self {
            Self::Bucket(bucket) => bucket.restore.as_ref(),
            Self::Folder(_) | Self::UrlList(_) | Self::Azure(_) | Self::Gcs(_) => None,
        }
    }

    /// The list of keys, where nothing but what it names belongs to the job.
    pub fn keys(&self) -> Option<&ListingPlace> {
        match self {
            Self::Bucket(bucket) => bucket.keys.as_ref(),
            Self::Folder(_) | Self::UrlList(_) | Self::Azure(_) | Self::Gcs(_) => None,
        }
    }

    /// The list that stands in for the source's own listing, and shows nothing of what is written there later.
    pub fn fixed_list(&self) -> Option<&'static str> {
        match self {
            Self::Bucket(BucketSource { inventory: Some(_), .. }) => Some("an inventory"),
            Self::Bucket(BucketSource { keys: Some(_), .. }) => Some("a list of keys"),
            Self::UrlList(_) => Some("a list of URLs"),
            Self::Bucket(_) | Self::Folder(_) | Self::Azure(_) | Self::Gcs(_) => None,
        }
    }

    /// As the job file and the profile of the source spell it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Bucket(bucket) => bucket.kind.as_str(),
            Self::Folder(_) => "folder",
            Self::UrlList(_) => "http",
            Self::Azure(_) => "azure",
            Self::Gcs(_) => "gcs-json",
        }
    }

    /// Whether key ranges of this source may be trusted.
    pub fn listing_order(&self) -> ListingOrder {
        match self {
            Self::Bucket(bucket) => bucket.listing_order(),
            // The first two are sorted here.
            Self::Folder(_) | Self::UrlList(_) | Self::Gcs(_) => ListingOrder::Bytes,
            // Its markers are the service's own.
            Self::Azure(_) => ListingOrder::Serial,
        }
    }
}

/// A folder to read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderSource {
    /// The root; a relative one begins where the command was started.
    pub path: String,
    /// Only keys (paths below the root, with `/`) that begin with these bytes. May be empty.
    pub prefix: Key,
}

/// The OSS bucket to write to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSpec {
    /// The service's address: scheme, host and port, no bucket, no slash at the end.
    pub endpoint: String,
    /// Without `oss-`: `cn-hangzhou`.
    pub region: String,
    /// The bucket's name.
    pub bucket: String,
    /// Put in front in place of the source's prefix. May be empty.
    pub prefix: Key,
    /// Where the bucket's name stands in a request.
    pub addressing: Addressing,
    /// Where the secret is found.
    pub credentials: Credentials,
    /// OSS storage class of every object that `storage_classes` does not name; the bucket's own where
    /// `None`.
    pub storage_class: Option<String>,
    /// From a storage class as the source lists it to the OSS class.
    pub storage_classes: BTreeMap<String, String>,
    /// Whether the source's last-modified is kept as `x-oss-meta-mtime`.
    pub keep_last_modified: bool,
    /// Server-side encryption asked for with each object; the bucket's own where `None`.
    pub encryption: Option<Encryption>,
}

impl TargetSpec {
    /// The OSS class for an object of this class at the source; `None` leaves it to the bucket.
    pub fn storage_class_for(&self, source_class: Option<&str>) -> Option<&str> {
        source_class
            .and_then(|class| self.storage_classes.get(class))
            .or(self.storage_class.as_ref())
            .map(String::as_str)
    }
}

/// `x-oss-server-side-encryption`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encryption {
    /// Keys managed by OSS.
    #[serde(rename = "AES256")]
    Aes256,
    /// Keys managed by KMS: the target's `ETag` is then no MD5.
    #[serde(rename = "KMS")]
    Kms,
}

impl Encryption {
    /// The header's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aes256 => "AES256",
            Self::Kms => "KMS",
        }
    }
}

/// Where the bucket's name stands in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Addressing {
    /// In front of the path.
    Path,
    /// In front of the host.
    Virtual,
}

/// Which objects belong to the job. All conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterSpec {
    /// Globs over the whole source key, of which one must match; everything where empty.
    pub include: Vec<String>,
    /// Globs of which none may match.
    pub exclude: Vec<String>,
    /// Last modified at this time or later, by the source's clock.
    pub modified_since: Option<Timestamp>,
    /// Last modified before this time, by the source's clock.
    pub modified_until: Option<Timestamp>,
    /// At least so many bytes.
    pub size_min: Option<u64>,
    /// At most so many bytes.
    pub size_max: Option<u64>,
}

/// Workers that a job may have at most.
pub const WORKERS_MAX: u64 = 1_024;

/// How fast, how large, how many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes of objects a second at each end, over the whole fleet. No limit where `None`.
    pub bytes_per_second: Option<u64>,
    /// Requests a second at each end, over the whole fleet. No limit where `None`.
    pub requests_per_second: Option<u64>,
    /// At the source alone; what it does not name is as at each end.
    #[serde(skip_serializing_if = "Rates::is_unlimited")]
    pub source: Rates,
    /// At the target alone; what it does not name is as at each end.
    #[serde(skip_serializing_if = "Rates::is_unlimited")]
    pub target: Rates,
    /// By whose clock `windows` are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<TimeZone>,
    /// Spans of each week in which other rates hold, or nothing is copied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// Tasks copied at once in one process; on Function Compute, copiers that pull at once. Default 4.
    pub workers: u32,
    /// Objects and parts in flight at once in one process, at most; it adapts below. Default 64.
    pub concurrency_max: u32,
    /// How long a task is planned to take, and the deadline of one invocation's work. Default 60.
    pub task_seconds: u32,
    /// Objects in one batch. Default 1,000: about a page of a listing.
    pub task_objects_max: u32,
    /// Bytes in one batch. Default 4 GiB.
    pub task_bytes_max: u64,
    /// An object of more bytes is moved in parts. Default 64 MiB; at most 5 GB, the largest PUT.
    pub split_bytes: u64,
    /// Bytes of a part, where the object does not need larger ones. Default 32 MiB.
    pub part_bytes: u64,
    /// Messages a slice may have out that are not settled. Default 64.
    pub window_tasks: u32,
    /// Key ranges walked at once in one process. Default 8.
    pub slices_max: u32,
    /// More failed objects than this stop the pass. Default 1,000.
    pub failures_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes_per_second: None,
            requests_per_second: None,
            source: Rates::default(),
            target: Rates::default(),
            time_zone: None,
            windows: Vec::new(),
            workers: 4,
            concurrency_max: 64,
            task_seconds: 60,
            task_objects_max: 1_000,
            task_bytes_max: 4 << 30,
            split_bytes: 64 << 20,
            part_bytes: 32 << 20,
            window_tasks: 64,
            slices_max: 8,
            failures_max: 1_000,
        }
    }
}

impl Limits {
    /// The fleet's rates, by the hour.
    pub fn calendar(&self) -> Calendar {
        let each = Rates {
            bytes_per_second: self.bytes_per_second,
            requests_per_second: self.requests_per_second,
        };
        Calendar {
            source: self.source.or(each),
            target: self.target.or(each),
            time_zone: self.time_zone.clone(),
            windows: self.windows.clone(),
        }
    }
}

/// Where the ledger is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum StateSpec {
    /// In a SQLite file of this machine.
    Local {
        /// A relative one begins where the command was started.
        path: String,
    },
    /// In `DynamoDB`, beside the functions that a `CloudFormation` stack holds.
    Aws {
        /// The stack's name.
        stack: String,
        /// Where it was deployed; as AWS's own tools choose it where `None`.
        region: Option<String>,
    },
    /// In Tablestore, beside the functions of a deployment on Alibaba Cloud.
    Aliyun {
        /// `cn-hangzhou`.
        region: String,
        /// Where the deployment's outputs are found.
        outputs: DeploymentOutputs,
    },
}

impl StateSpec {
    /// Whether functions of a cloud do the work.
    pub fn is_stack(&self) -> bool {
        !matches!(self, Self::Local { .. })
    }
}

/// Where a deployment says what it consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeploymentOutputs {
    /// In a stack of Resource Orchestration Service, by its name.
    Stack(String),
    /// In a file, as `terraform output -json` writes it. A relative path begins where the command was started.
    File(String),
}
