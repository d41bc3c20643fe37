//! A bucket as source, and what may stand in for its listing.

use serde::{Deserialize, Serialize};

use super::{Addressing, Credentials, RestoreSpec, StoreKind};
use crate::key::Key;
use crate::ports::ListingOrder;

/// A bucket to read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketSource {
    /// What speaks there.
    pub kind: StoreKind,
    /// The service's address: scheme, host and port, no bucket, no slash at the end.
    pub endpoint: String,
    /// As the signature needs it.
    pub region: String,
    /// The bucket's name; for COS with the APPID (`photos-1250000000`).
    pub bucket: String,
    /// Only keys that begin with these bytes. May be empty.
    pub prefix: Key,
    /// Where the bucket's name stands in a request.
    pub addressing: Addressing,
    /// Which listing operation the store understands: 1 (ListObjects) or 2 (ListObjectsV2).
    pub list_version: u8,
    /// Whether the job file vouches that a store lists by bytes of whose kind that is not known.
    pub lists_by_bytes: bool,
    /// Whether an `ETag` of 32 hex digits is the MD5 of the bytes, unless an answer shows otherwise.
    pub etag_is_md5: bool,
    /// Where the secret is found.
    pub credentials: Credentials,
    /// What is asked for of archived objects: the one request that is no reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<RestoreSpec>,
    /// The inventory that is read in place of a listing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<ListingPlace>,
    /// The list of the only keys that belong. Not beside an inventory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<ListingPlace>,
}

/// Where a file is that stands in for a listing: the manifest of an inventory, or a list of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListingPlace {
    /// In the bucket itself, under this key; the files of an inventory under theirs.
    Key(Key),
    /// On this machine, at this path; the files of an inventory beside it.
    File(String),
}

impl BucketSource {
    /// Whether key ranges of this source may be trusted.
    pub fn listing_order(&self) -> ListingOrder {
        if self.inventory.is_some() || self.keys.is_some() {
            // The files of an inventory come in an order of their own. A list of keys holds few of a
            // range, and says nothing of the others.
            ListingOrder::Serial
        } else if self.lists_by_bytes || self.kind.known().lists_by_bytes {
            ListingOrder::Bytes
        } else {
            ListingOrder::Serial
        }
    }
}
