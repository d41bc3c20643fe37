//! Objects that an audit reads again: in ranges, in order, so that whoever goes on needs only to know how
//! many bytes have which CRC.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::{FutureExt, StreamExt, stream};
use ossferry_core::crc::fold;
use ossferry_core::key::Key;
use ossferry_core::object::{ByteRange, ETag, Pin};
use ossferry_core::proof::Streamed;
use ossferry_ledger::lists::ObjectResult;

use crate::reaction::Trouble;
use crate::session::{PassWork, Session};
use crate::tap::Tap;

/// Ranges of one object that are read at once.
const RANGES_AT_ONCE: usize = 4;

/// How far objects are read, by their places in the task's list.
#[derive(Debug, Default)]
pub(crate) struct Reading(Mutex<BTreeMap<u32, SoFar>>);

#[derive(Clone, Debug)]
struct SoFar {
    etag: ETag,
    streamed: Streamed,
    /// Bytes that earlier claims had read, of whatever state: to read as many of another is no progress.
    had: u64,
    /// Whether this invocation has read some of it.
    has_moved: bool,
}

impl Reading {
    /// Goes on where earlier claims were.
    pub(crate) fn go_on(&self, read_so_far: &[ObjectResult]) {
        let mut known = self.known();
        for result in read_so_far {
            let Some((etag, crc64_ecma)) = result.source_etag.clone().zip(result.crc64_ecma) else {
                continue;
            };
            let streamed = Streamed { bytes: result.bytes, crc64_ecma, crc64_nvme: None };
            let so_far = SoFar { etag, streamed, had: result.bytes, has_moved: false };
            known.insert(result.index, so_far);
        }
    }

    /// What is to be recorded of one that was cut off: that it is read so far. `None` where this
    /// invocation did not get any further.
    pub(crate) fn partial(&self, index: u32) -> Option<ObjectResult> {
        let SoFar { etag, streamed, .. } =
            self.known().get(&index).filter(|so_far| so_far.has_moved).cloned()?;
        Some(ObjectResult {
            index,
            bytes: streamed.bytes,
            crc64_ecma: Some(streamed.crc64_ecma),
            source_etag: Some(etag),
            ..ObjectResult::default()
        })
    }

    /// Whether more is read now than ever before. One that changes again and again begins anew as often.
    pub(crate) fn gets_on(&self, index: u32) -> bool {
        self.known()
            .get(&index)
            .is_some_and(|so_far| so_far.has_moved && so_far.streamed.bytes > so_far.had)
    }

    fn of(&self, index: u32, etag: &ETag) -> Streamed {
        let known = self.known().get(&index).filter(|so_far| so_far.etag == *etag).cloned();
        known.map_or_else(|| fold([]), |so_far| so_far.streamed)
    }

    fn note(&self, index: u32, etag: &ETag, streamed: Streamed) {
        let mut known = self.known();
        let had = known.get(&index).map_or(0, |so_far| so_far.had);
        known.insert(index, SoFar { etag: etag.clone(), streamed, had, has_moved: true });
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<u32, SoFar>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads what is left of a pinned object of that size. It may be dropped anywhere: what was read in order
/// until then is known to [`Session::reading`].
pub(crate) async fn read_on(
    session: &Session,
    work: &PassWork,
    (index, key): (u32, &Key),
    etag: &ETag,
    size: u64,
    with_nvme: bool,
) -> Result<Streamed, Trouble> {
    let mut streamed = session.reading.of(index, etag);
    let with_nvme = with_nvme && streamed.crc64_nvme.is_some();
    let range_bytes = work.job.limits.part_bytes.max(1);
    let mut start = streamed.bytes;
    let ranges = std::iter::from_fn(|| {
        let bytes = range_bytes.min(size.saturating_sub(start));
        let range = ByteRange { start, bytes };
        start += bytes;
        (bytes > 0).then_some(range)
    });
    let read = |range| read_range(session, key, etag, range, with_nvme).boxed();
    let mut reads = stream::iter(ranges.map(read)).buffered(RANGES_AT_ONCE);
    while let Some(part) = reads.next().await {
        streamed = fold([streamed, part?]);
        session.reading.note(index, etag, streamed);
    }
    Ok(streamed)
}

async fn read_range(
    session: &Session,
    key: &Key,
    etag: &ETag,
    range: ByteRange,
    with_nvme: bool,
) -> Result<Streamed, Trouble> {
    let pin = Pin { etag: etag.clone() };
    let opened = session.source.open(key, &pin, Some(range)).await.map_err(Trouble::source)?;
    let (mut body, tap) = Tap::on(opened.body, with_nvme, &session.passed_bytes);
    while let Some(frame) = body.next().await {
        frame.map_err(Trouble::source)?;
    }
    match tap.whole() {
        Some(streamed) if streamed.bytes == range.bytes => Ok(streamed),
        Some(streamed) => {
            let (got, want) = (streamed.bytes, range.bytes);
            Err(Trouble::bad_source(format!("read: {got} bytes of a range of {want}")))
        }
        None => Err(Trouble::bad_source("read: no end")),
    }
}
