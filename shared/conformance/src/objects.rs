//! Bytes, bodies and keys that the cases of both ends use.

use bytes::Bytes;
use crc_fast::CrcAlgorithm::Crc64Xz;
use futures::{StreamExt, TryStreamExt, stream};
use md5::{Digest, Md5};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::object::Entry;
use ossferry_core::ports::{ListRequest, ListStart, ObjectBody, Page};

/// Frames are smaller than what any adapter writes at once.
const FRAME_BYTES: usize = 60_000;

/// The same bytes for the same seed.
pub(crate) fn some_bytes(seed: u64, length: usize) -> Bytes {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes.into()
}

pub(crate) fn crc64_ecma(bytes: &[u8]) -> u64 {
    crc_fast::checksum(Crc64Xz, bytes)
}

/// CRC-64/ECMA of two runs of bytes, one after the other.
pub(crate) fn crc64_ecma_of_both(first: u64, second: u64, second_bytes: u64) -> u64 {
    crc_fast::checksum_combine(Crc64Xz, first, second, second_bytes)
}

pub(crate) fn md5(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

/// The bytes in frames, to their end.
pub(crate) fn body(bytes: &Bytes) -> ObjectBody {
    let bytes = bytes.clone();
    let frames = (0..bytes.len()).step_by(FRAME_BYTES).map(move |start| {
        let end = (start + FRAME_BYTES).min(bytes.len());
        Ok(bytes.slice(start..end))
    });
    Box::pin(stream::iter(frames))
}

/// The bytes in frames, and then an error.
pub(crate) fn broken_body(bytes: &Bytes) -> ObjectBody {
    let error = PortError::new(ErrorKind::Connection, "get object: connection reset");
    Box::pin(body(bytes).chain(stream::iter([Err(error)])))
}

/// All bytes of a body, or its error.
pub(crate) async fn read(body: ObjectBody) -> Result<Bytes, PortError> {
    let bytes = body.try_fold(Vec::new(), |mut bytes, frame| async move {
        bytes.extend_from_slice(&frame);
        Ok(bytes)
    });
    bytes.await.map(Bytes::from)
}

/// A prefix that no other case has.
pub(crate) fn fresh_prefix() -> String {
    format!("{}/", crate::fresh("conformance"))
}

pub(crate) fn key(prefix: &str, rest: &str) -> Key {
    Key::from(format!("{prefix}{rest}"))
}

pub(crate) fn request(prefix: &str, start: ListStart, keys_max: u32) -> ListRequest {
    ListRequest { prefix: Key::from(prefix), start, keys_max }
}

/// Every entry of a listing, page by page through the tokens.
pub(crate) async fn list_all<F>(
    prefix: &str,
    keys_max: u32,
    list: impl Fn(ListRequest) -> F,
) -> Vec<Entry>
where
    F: Future<Output = Result<Page, PortError>>,
{
    let (mut entries, mut start) = (Vec::new(), ListStart::Beginning);
    for _ in 0..10_000 {
        let page = list(request(prefix, start, keys_max)).await.expect("list");
        assert!(page.entries.len() <= keys_max as usize, "a page of {}", page.entries.len());
        entries.extend(page.entries);
        match page.next {
            Some(token) => start = ListStart::Token(token),
            None => return entries,
        }
    }
    panic!("the listing does not end");
}

pub(crate) fn keys(entries: &[Entry]) -> Vec<Key> {
    entries.iter().map(|entry| entry.key.clone()).collect()
}

pub(crate) fn sorted(mut keys: Vec<Key>) -> Vec<Key> {
    keys.sort_unstable();
    keys
}
