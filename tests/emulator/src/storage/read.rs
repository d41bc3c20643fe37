//! An object's bytes as a stream.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use futures::stream::{self, Stream};

use super::bodies::{Extent, OpenExtent};

/// How much is read from disk at a time.
const READ_BYTES: u64 = 512 << 10;

/// The bytes from `first` on, `bytes` of them, over the extents of an object.
///
/// The stream holds one piece at a time, and its extents, so that an object overwritten meanwhile
/// is read to its end.
pub(crate) fn byte_stream(
    extents: &[Extent],
    first: u64,
    bytes: u64,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let reading = Reading { spans: spans(extents, first, bytes), open: None };
    stream::try_unfold(reading, |reading| async move {
        if reading.spans.is_empty() {
            return Ok(None);
        }
        tokio::task::spawn_blocking(move || reading.next()).await.map_err(io::Error::other)?
    })
}

/// Bytes of one extent that are still to be read.
struct Span {
    extent: Extent,
    offset: u64,
    bytes: u64,
}

fn spans(extents: &[Extent], mut skip: u64, mut bytes: u64) -> VecDeque<Span> {
    let mut spans = VecDeque::new();
    for extent in extents {
        if bytes == 0 {
            break;
        }
        if skip >= extent.bytes {
            skip -= extent.bytes;
            continue;
        }
        let taken = bytes.min(extent.bytes - skip);
        spans.push_back(Span { extent: extent.clone(), offset: skip, bytes: taken });
        skip = 0;
        bytes -= taken;
    }
    spans
}

struct Reading {
    spans: VecDeque<Span>,
    open: Option<OpenExtent>,
}

impl Reading {
    fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        let Some(span) = self.spans.front_mut() else { return Ok(None) };
        let open = match self.open.take() {
            Some(open) => open,
            None => span.extent.open()?,
        };
        let taken = span.bytes.min(READ_BYTES);
        let piece = open.read(span.offset, usize::try_from(taken).map_err(io::Error::other)?)?;
        span.offset += taken;
        span.bytes -= taken;
        if span.bytes == 0 {
            self.spans.pop_front();
        } else {
            self.open = Some(open);
        }
        Ok(Some((piece, self)))
    }
}
