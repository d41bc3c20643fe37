//! `x-oss-copy-source`: which object is copied.

use std::sync::Arc;

use http::HeaderMap;
use ossferry_core::key::Key;
use percent_encoding::percent_decode;

use crate::errors::{INVALID_ARGUMENT, NO_SUCH_BUCKET, Refusal};
use crate::storage::Bucket;

/// The object that a request copies from.
pub(crate) struct CopySource {
    /// Its bucket.
    pub(crate) bucket: Arc<Bucket>,
    /// Its key.
    pub(crate) key: Key,
}

impl CopySource {
    /// Reads `/bucket/key`, the key percent-encoded. `None` where the request copies nothing.
    pub(crate) fn of(
        headers: &HeaderMap,
        bucket: impl FnOnce(&str) -> Option<Arc<Bucket>>,
    ) -> Result<Option<Self>, Refusal> {
        let Some(value) = headers.get("x-oss-copy-source") else { return Ok(None) };
        let decoded: Vec<u8> = percent_decode(value.as_bytes()).collect();
        let path = decoded.strip_prefix(b"/").unwrap_or(&decoded);
        let slash = path.iter().position(|byte| *byte == b'/');
        let (name, key) = path.split_at(slash.ok_or(INVALID_ARGUMENT)?);
        let bucket = std::str::from_utf8(name).ok().and_then(bucket).ok_or(NO_SUCH_BUCKET)?;
        Ok(Some(Self { bucket, key: Key::new(key[1..].to_vec()) }))
    }
}
