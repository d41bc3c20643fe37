//! The OSS bucket that objects go to.

use std::sync::Arc;

use crate::along::CannedAcl;
use crate::error::PortError;
use crate::key::Key;
use crate::meter::Meter;
use crate::object::{ETag, ObjectHeaders, ObjectInfo};
use crate::ports::{ListRequest, ObjectBody, Page};
use crate::proof::Verified;
use crate::time::Timestamp;
use crate::timely::TimeLimit;

/// What is known of the target bucket.
#[derive(Clone, Copy, Debug)]
pub struct TargetProfile {
    /// Whether the `ETag` of a single PUT is the MD5 of the bytes (not with KMS encryption).
    pub etag_is_md5: bool,
    /// Whether the bucket is versioned, so that OSS ignores [`PutOptions::forbid_overwrite`].
    pub ignores_forbid_overwrite: bool,
    /// Entries that one [`Target::list`] returns at most.
    pub page_keys_max: u32,
}

/// How an object is to be written.
#[derive(Clone, Debug, Default)]
pub struct PutOptions {
    /// Headers of the object.
    pub headers: ObjectHeaders,
    /// OSS storage class; the bucket's own where `None`.
    pub storage_class: Option<String>,
    /// `x-oss-server-side-encryption`: `AES256` or `KMS`.
    pub encryption: Option<String>,
    /// `x-oss-tagging`: at most 10 tags, names of up to 128 bytes, values of up to 256.
    pub tags: Vec<(String, String)>,
    /// `x-oss-object-acl`, of a PUT and of Complete: Initiate does not take it. As the bucket where `None`.
    pub acl: Option<CannedAcl>,
    /// MD5 of the bytes, so that OSS itself refuses wrong ones. Not used by an upload.
    pub content_md5: Option<[u8; 16]>,
    /// Refuse with `AlreadyExists` where the key exists. OSS ignores it on a versioned bucket.
    pub forbid_overwrite: bool,
}

/// What the target says of an object it has just stored.
#[derive(Clone, Debug)]
pub struct PutAnswer {
    /// Of the object, or of the part.
    pub etag: ETag,
    /// CRC-64/ECMA of the object, or of the part, computed by the target.
    pub crc64_ecma: Option<u64>,
    /// The answer's `Date`: the target's own clock.
    pub at: Option<Timestamp>,
}

/// A part that Complete is to put together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UploadedPart {
    /// From 1.
    pub part_number: u32,
    /// As UploadPart or ListParts gave it.
    pub etag: ETag,
}

/// A part that the target holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedPart {
    /// From 1.
    pub part_number: u32,
    /// Bytes.
    pub size: u64,
    /// As the target spells it.
    pub etag: ETag,
    /// CRC-64/ECMA by the target.
    pub crc64_ecma: Option<u64>,
}

/// An upload that was begun and neither completed nor aborted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedUpload {
    /// Of exactly the key asked for.
    pub key: Key,
    /// Its id.
    pub upload_id: String,
    /// The target's clock.
    pub initiated: Timestamp,
}

/// The OSS bucket that objects go to. Nothing here deletes, save an unfinished upload of ours.
///
/// After an error whose conclusion is `Unknown` the request may have taken effect; [`Target::head`],
/// [`Target::list_parts`] and [`Target::list_uploads`] tell. Requests that carry an object's bytes
/// are sent once: the caller opens the source again for another attempt. All others are retried
/// within the adapter's budget, except [`Target::initiate_upload`] and [`Target::complete_upload`]
/// after an unknown answer.
#[async_trait::async_trait]
pub trait Target: Send + Sync {
    /// What is known of the bucket.
    fn profile(&self) -> &TargetProfile;

    /// The same target, counting its requests on `meter`.
    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Target>;

    /// The same target, which sends no change from the limit on: where it waits, for a place or for a
    /// rate, it looks again after that and right before the request.
    fn until(&self, limit: TimeLimit) -> Arc<dyn Target>;

    /// The target's own clock (an answer's `Date`).
    async fn now(&self) -> Result<Timestamp, PortError>;

    /// One page of keys in the order of their bytes.
    async fn list(&self, request: &ListRequest) -> Result<Page, PortError>;

    /// What the target holds under the key; `None` where nothing is.
    async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, PortError>;

    /// Writes a whole object of exactly `bytes` bytes. An error of the body ends the request before
    /// the object is published.
    async fn put(
        &self,
        key: &Key,
        options: &PutOptions,
        bytes: u64,
        body: ObjectBody,
    ) -> Result<PutAnswer, PortError>;

    /// Begins an upload and returns its id.
    async fn initiate_upload(&self, key: &Key, options: &PutOptions) -> Result<String, PortError>;

    /// Writes one part of exactly `bytes` bytes. Writing the same number again replaces it.
    async fn upload_part(
        &self,
        key: &Key,
        upload_id: &str,
        part_number: u32,
        bytes: u64,
        body: ObjectBody,
    ) -> Result<PutAnswer, PortError>;

    /// The parts that the target holds of an upload, by number.
    async fn list_parts(&self, key: &Key, upload_id: &str) -> Result<Vec<ListedPart>, PortError>;

    /// Publishes an upload whose parts were proved. `parts` ascend. `options` says whether
    /// overwriting is forbidden, and the ACL; the rest of it was fixed when the upload was begun.
    async fn complete_upload(
        &self,
        key: &Key,
        upload_id: &str,
        parts: &[UploadedPart],
        options: &PutOptions,
        proof: &Verified,
    ) -> Result<PutAnswer, PortError>;

    /// Throws away an unfinished upload. An upload that is not there is no error.
    async fn abort_upload(&self, key: &Key, upload_id: &str) -> Result<(), PortError>;

    /// The unfinished uploads of exactly this key.
    async fn list_uploads(&self, key: &Key) -> Result<Vec<ListedUpload>, PortError>;
}
