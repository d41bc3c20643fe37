//! Files that stand in for a listing: on this machine, or in the bucket itself.

use std::fmt::Display;
use std::path::PathBuf;

use bytes::Bytes;
use futures::StreamExt as _;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::object::Pin;
use ossferry_core::ports::Source;

/// Of one file, as it is stored.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// A file that is not what it should be; `what` is what that is.
pub(crate) fn unusable(what: &str, problem: impl Display) -> PortError {
    PortError::new(ErrorKind::Unsupported, format!("{what}: {problem}"))
}

/// Of this machine.
pub(crate) async fn of_disk(what: &str, path: PathBuf) -> Result<Bytes, PortError> {
    let failed = |error: std::io::Error| {
        let message = format!("{what}: {}: {error}", path.display());
        PortError::new(ErrorKind::NoSuchBucket, message)
    };
    let bytes = tokio::fs::metadata(&path).await.map_err(failed)?.len();
    check_size(what, path.display(), bytes)?;
    tokio::fs::read(&path).await.map(Bytes::from).map_err(failed)
}

/// Of the bucket.
pub(crate) async fn of_bucket(
    what: &str,
    bucket: &dyn Source,
    key: &Key,
) -> Result<Bytes, PortError> {
    let named = |error: PortError| {
        // Without what lists it a source has no object at all.
        let kind = if error.is_transient() { error.kind } else { ErrorKind::NoSuchBucket };
        PortError { kind, message: format!("{what}: {key}: {}", error.message), ..error }
    };
    let info = bucket.head(key).await.map_err(named)?;
    check_size(what, key, info.size)?;
    let no_etag = || unusable(what, format_args!("{key} has no etag"));
    let etag = info.etag.ok_or_else(no_etag)?;
    let mut body = bucket.open(key, &Pin { etag }, None).await.map_err(named)?.body;
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk.map_err(named)?);
    }
    Ok(bytes.into())
}

fn check_size(what: &str, name: impl Display, bytes: u64) -> Result<(), PortError> {
    if bytes > FILE_BYTES_MAX {
        return Err(unusable(what, format_args!("{name} has more than 1 GiB")));
    }
    Ok(())
}
