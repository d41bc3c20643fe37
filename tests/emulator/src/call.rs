//! One request on its way to the operation that answers it.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use md5::{Digest, Md5};
use ossferry_core::key::Key;
use ossferry_core::time::{Clock, Timestamp};

use crate::errors::{BODY_INCOMPLETE, ENTITY_TOO_LARGE, INVALID_DIGEST, Refusal};
use crate::metadata::expected_md5;
use crate::request::Query;
use crate::storage::object::Object;
use crate::storage::{Bucket, Received, byte_stream, receive};
use crate::{BodyError, RequestBody};

/// Most bytes of a body in one PUT or one part: 5 GB (limits page of the OSS manual, 2026).
pub(crate) const PUT_BYTES_MAX: u64 = 5 << 30;

/// Most bytes of an XML body: ten thousand parts and some air.
const DOCUMENT_BYTES_MAX: usize = 4 << 20;

/// What an operation on a bucket sees of its request.
pub(crate) struct Call<'a> {
    /// The bucket.
    pub(crate) bucket: &'a Arc<Bucket>,
    /// The headers.
    pub(crate) headers: &'a HeaderMap,
    /// The decoded query.
    pub(crate) query: &'a Query,
    /// The `Host` header.
    pub(crate) host: &'a str,
    /// The emulator's clock.
    pub(crate) clock: &'a Clock,
}

impl Call<'_> {
    /// Now, to the second: OSS keeps no finer dates.
    pub(crate) fn now(&self) -> Timestamp {
        let now = (self.clock)();
        Timestamp(now.0 - now.0.rem_euclid(1_000))
    }

    /// Stores the request's body, and checks it against `Content-MD5`.
    pub(crate) async fn store(&self, body: &mut RequestBody) -> Result<Received, Refusal> {
        let expected = expected_md5(self.headers)?;
        let received = receive(&self.bucket.bodies, body, PUT_BYTES_MAX).await?;
        if expected.is_some_and(|md5| md5 != received.md5) {
            received.discard();
            return Err(INVALID_DIGEST
                .with("ExpectedDigest", self.headers["content-md5"].to_str().unwrap_or_default())
                .with("CalculatedDigest", BASE64.encode(received.md5)));
        }
        Ok(received)
    }

    /// Stores a copy of `bytes` bytes of another object, from `first` on.
    pub(crate) async fn store_copy(
        &self,
        source: &Object,
        first: u64,
        bytes: u64,
    ) -> Result<Received, Refusal> {
        let stream = byte_stream(&source.extents, first, bytes);
        let frames = stream.map_ok(Frame::data).map_err(|error| -> BodyError { Box::new(error) });
        let mut body = StreamBody::new(frames).boxed_unsync();
        Ok(receive(&self.bucket.bodies, &mut body, PUT_BYTES_MAX).await?)
    }

    /// The request's body in memory, checked against `Content-MD5`.
    pub(crate) async fn read_document(&self, body: &mut RequestBody) -> Result<Bytes, Refusal> {
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| BODY_INCOMPLETE.because(error.to_string()))?;
            if let Ok(data) = frame.into_data() {
                bytes.extend_from_slice(&data);
            }
            if bytes.len() > DOCUMENT_BYTES_MAX {
                return Err(ENTITY_TOO_LARGE.into());
            }
        }
        let bytes = bytes.freeze();
        if let Some(expected) = expected_md5(self.headers)?
            && expected != <[u8; 16]>::from(Md5::digest(&bytes))
        {
            return Err(INVALID_DIGEST.into());
        }
        Ok(bytes)
    }
}

/// An operation on an object.
pub(crate) struct ObjectCall<'a> {
    /// What every operation on the bucket sees.
    pub(crate) call: Call<'a>,
    /// The key, which OSS can hold.
    pub(crate) key: Key,
}

/// Upper-case hex, as an ETag is spelled.
pub(crate) fn upper_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        let _ = write!(hex, "{byte:02X}");
        hex
    })
}
