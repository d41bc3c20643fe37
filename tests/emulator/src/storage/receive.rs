//! A request's body onto disk, hashed on the way.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest as Crc};
use http_body_util::BodyExt;
use md5::{Digest, Md5};
use tokio::task::JoinHandle;

use super::bodies::{Bodies, Extent, StoredFile};
use crate::RequestBody;

/// Bodies up to this size stand in memory once and go into a segment; larger ones go to files of
/// their own, this much at a time.
const PIECE_BYTES: u64 = 1 << 20;

/// A body that is on disk, and not yet referred to by the bucket.
#[derive(Debug)]
pub(crate) struct Received {
    /// Length.
    pub(crate) bytes: u64,
    /// MD5 of the bytes.
    pub(crate) md5: [u8; 16],
    /// CRC-64/ECMA of the bytes.
    pub(crate) crc64_ecma: u64,
    /// Where they lie. Released, or given to the bucket.
    pub(crate) extents: Vec<Extent>,
}

impl Received {
    /// Gives the bytes up.
    pub(crate) fn discard(&self) {
        self.extents.iter().for_each(Extent::release);
    }
}

/// Why a body was not stored. Nothing of it stays.
#[derive(Debug)]
pub(crate) enum ReceiveError {
    /// It ended early, or its connection broke.
    Incomplete(String),
    /// It is larger than the operation takes.
    TooLarge,
    /// The disk.
    Io(io::Error),
}

impl From<io::Error> for ReceiveError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Stores all of `body`, at most `bytes_max` bytes.
pub(crate) async fn receive(
    bodies: &Bodies,
    body: &mut RequestBody,
    bytes_max: u64,
) -> Result<Received, ReceiveError> {
    let (first, first_bytes, ended) = gather(body).await?;
    if !ended {
        return receive_large(bodies, body, first, bytes_max).await;
    }
    if first_bytes > bytes_max {
        return Err(ReceiveError::TooLarge);
    }
    let mut hashes = Hashes::new();
    for piece in &first {
        hashes.update(piece);
    }
    let extents =
        if first_bytes == 0 { Vec::new() } else { vec![bodies.append(&first, first_bytes)?] };
    Ok(hashes.received(first_bytes, extents))
}

async fn receive_large(
    bodies: &Bodies,
    body: &mut RequestBody,
    first: Vec<Bytes>,
    bytes_max: u64,
) -> Result<Received, ReceiveError> {
    let (file, stored) = bodies.create()?;
    let writing = Writing { file, _stored: Arc::clone(&stored), hashes: Hashes::new() };
    // One piece is hashed and written while the next one arrives.
    let mut job = writing.spawn(first);
    loop {
        let gathered = gather(body).await;
        let writing = joined(job).await?;
        let (pieces, _, ended) = gathered?;
        if writing.hashes.bytes > bytes_max {
            return Err(ReceiveError::TooLarge);
        }
        job = writing.spawn(pieces);
        if ended {
            break;
        }
    }
    let hashes = joined(job).await?.hashes;
    let bytes = hashes.bytes;
    if bytes > bytes_max {
        return Err(ReceiveError::TooLarge);
    }
    Ok(hashes.received(bytes, vec![Bodies::whole(stored, bytes)]))
}

/// The next megabyte of a body, or what is left; and whether that was the end.
async fn gather(body: &mut RequestBody) -> Result<(Vec<Bytes>, u64, bool), ReceiveError> {
    let (mut pieces, mut bytes) = (Vec::new(), 0);
    while bytes <= PIECE_BYTES {
        let Some(frame) = body.frame().await else { return Ok((pieces, bytes, true)) };
        let frame = frame.map_err(|error| ReceiveError::Incomplete(error.to_string()))?;
        if let Ok(data) = frame.into_data() {
            bytes += data.len() as u64;
            pieces.push(data);
        }
    }
    Ok((pieces, bytes, false))
}

/// A large body on its way to its file. The file vanishes if this is dropped half-way.
struct Writing {
    file: File,
    _stored: Arc<StoredFile>,
    hashes: Hashes,
}

impl Writing {
    fn spawn(mut self, pieces: Vec<Bytes>) -> JoinHandle<io::Result<Self>> {
        tokio::task::spawn_blocking(move || {
            for piece in &pieces {
                self.hashes.update(piece);
                self.file.write_all(piece)?;
            }
            Ok(self)
        })
    }
}

async fn joined(job: JoinHandle<io::Result<Writing>>) -> io::Result<Writing> {
    job.await.map_err(io::Error::other)?
}

struct Hashes {
    md5: Md5,
    crc: Crc,
    bytes: u64,
}

impl Hashes {
    fn new() -> Self {
        Self { md5: Md5::new(), crc: Crc::new(CrcAlgorithm::Crc64Xz), bytes: 0 }
    }

    fn update(&mut self, piece: &[u8]) {
        self.md5.update(piece);
        self.crc.update(piece);
        self.bytes += piece.len() as u64;
    }

    fn received(self, bytes: u64, extents: Vec<Extent>) -> Received {
        Received {
            bytes,
            md5: self.md5.finalize().into(),
            crc64_ecma: self.crc.finalize(),
            extents,
        }
    }
}
