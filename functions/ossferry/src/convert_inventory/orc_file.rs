//! An ORC file as far as it can be trusted: what it says of itself is held against its bytes before its reader
//! allocates, or calls itself, by that. Neither would end in a panic that can be contained.
//!
//! Rows packed with ZLIB or ZSTD are unpacked by the reader alone: a block of them that was made to become
//! gigabytes is not found here. The digest in the inventory's manifest is what stands against it.

use std::io::{self, Read};
use std::ops::Range;

use bytes::{Buf as _, Bytes};
use flate2::read::DeflateDecoder;
use orc_rust::proto::{CompressionKind, Footer, PostScript};
use orc_rust::reader::ChunkReader;
use prost_of_orc::Message as _;

/// At the beginning of a file, and in front of its last byte.
const MAGIC: &[u8] = b"ORC";

/// Where a file does not say how large a block may become.
const BLOCK_BYTES: u64 = 256 << 10;

/// A block's length has 23 bits.
const BLOCK_BYTES_MAX: u64 = 1 << 23;

/// Of a file's columns, those inside others included. An inventory has some twenty.
const TYPES_MAX: usize = 1_000;

/// A file whose end holds together.
#[derive(Debug)]
pub(super) struct OrcFile {
    bytes: Bytes,
    packing: CompressionKind,
    block_bytes_max: u64,
    /// What is said of the stripes begins there.
    stripes_end: usize,
}

impl OrcFile {
    /// Fails where the file is cut, is none, or says of itself what cannot be.
    pub(super) fn of(bytes: Bytes) -> Result<Self, String> {
        let cut = || "want an ORC file, and all of it: \"ORC\" at its beginning and its end";
        let (&postscript_bytes, head) = bytes.split_last().ok_or_else(cut)?;
        let is_whole = head.starts_with(MAGIC) && head.ends_with(MAGIC);
        let postscript_at = head.len().checked_sub(postscript_bytes.into());
        let postscript_at = postscript_at.filter(|_| is_whole).ok_or_else(cut)?;
        let postscript = PostScript::decode(&head[postscript_at..])
            .map_err(|error| format!("its postscript: {error}"))?;
        let block_bytes_max = postscript.compression_block_size.unwrap_or(BLOCK_BYTES);
        if block_bytes_max > BLOCK_BYTES_MAX {
            return Err(format!("its blocks are of {block_bytes_max} bytes, want 8 MiB at most"));
        }
        let packing = match postscript.compression() {
            packing @ (CompressionKind::Lzo | CompressionKind::Lz4) => {
                let name = packing.as_str_name();
                return Err(format!("it is packed with {name}: want ZLIB, SNAPPY, ZSTD or NONE"));
            }
            packing => packing,
        };
        let before = |at: usize, length: Option<u64>| {
            let length = length.and_then(|length| usize::try_from(length).ok());
            length.and_then(|length| at.checked_sub(length))
        };
        let outside = || "its footer is longer than the file";
        let footer_at = before(postscript_at, postscript.footer_length).ok_or_else(outside)?;
        let metadata_at = before(footer_at, postscript.metadata_length).ok_or_else(outside)?;
        let file = Self { bytes, packing, block_bytes_max, stripes_end: metadata_at };
        file.blocks(&file.bytes[metadata_at..footer_at])?;
        let footer = file.unpacked(footer_at..postscript_at)?;
        let footer =
            Footer::decode(footer.as_slice()).map_err(|error| format!("its footer: {error}"))?;
        check_types(&footer)?;
        check_stripes(&footer, metadata_at)?;
        Ok(file)
    }

    /// The blocks of a section, each with whether it is packed. All of a section where nothing is packed.
    fn blocks<'a>(&self, mut section: &'a [u8]) -> Result<Vec<(bool, &'a [u8])>, &'static str> {
        if self.packing == CompressionKind::None {
            return Ok(vec![(false, section)]);
        }
        let mut blocks = Vec::new();
        while !section.is_empty() {
            let Some((&[first, second, third], after)) = section.split_first_chunk() else {
                return Err("a block is cut");
            };
            let header = u32::from_le_bytes([first, second, third, 0]);
            let block =
                usize::try_from(header >> 1).ok().and_then(|bytes| after.split_at_checked(bytes));
            let (block, after) = block.ok_or("a block is longer than its section")?;
            let is_packed = header & 1 == 0;
            // The one codec whose decoder allocates what a block says that it will become.
            if is_packed && self.packing == CompressionKind::Snappy {
                let becomes = snap::raw::decompress_len(block).ok();
                if becomes.is_none_or(|becomes| becomes as u64 > self.block_bytes_max) {
                    return Err("a block says that it becomes larger than any of its file");
                }
            }
            blocks.push((is_packed, block));
            section = after;
        }
        Ok(blocks)
    }

    fn unpacked(&self, section: Range<usize>) -> Result<Vec<u8>, String> {
        let mut all = Vec::new();
        for (is_packed, block) in self.blocks(&self.bytes[section])? {
            let unpacked = match self.packing {
                _ if !is_packed => Ok(block.to_vec()),
                CompressionKind::Zlib => self.read_block(DeflateDecoder::new(block)),
                CompressionKind::Zstd => {
                    zstd::Decoder::new(block).and_then(|decoder| self.read_block(decoder))
                }
                _ => snap::raw::Decoder::new().decompress_vec(block).map_err(io::Error::other),
            };
            all.extend(unpacked.map_err(|error| format!("its footer: {error}"))?);
        }
        Ok(all)
    }

    fn read_block(&self, decoder: impl Read) -> io::Result<Vec<u8>> {
        let mut block = Vec::new();
        // One more than there may be: the reader would take it whole, whatever stands behind.
        decoder.take(self.block_bytes_max + 1).read_to_end(&mut block)?;
        if block.len() as u64 > self.block_bytes_max {
            return Err(io::Error::other("a block becomes larger than any of its file"));
        }
        Ok(block)
    }
}

/// The types of a file are a tree, each after the one that it is a part of: the reader walks down it.
fn check_types(footer: &Footer) -> Result<(), String> {
    let count = footer.types.len();
    let mut is_part = vec![false; count];
    let mut is_tree = (1..=TYPES_MAX).contains(&count);
    for (index, outer) in footer.types.iter().enumerate() {
        for &part in &outer.subtypes {
            let part = usize::try_from(part).ok().filter(|&part| part > index);
            let seen = part.and_then(|part| is_part.get_mut(part));
            is_tree &= seen.is_some_and(|seen| !std::mem::replace(seen, true));
        }
    }
    if is_tree { Ok(()) } else { Err(format!("its {count} types are no tree")) }
}

/// Its stripes stand in front of what is said of them, and hold the rows that it counts.
fn check_stripes(footer: &Footer, end: usize) -> Result<(), String> {
    let mut rows = Some(0_u64);
    for (number, stripe) in (1_u64..).zip(&footer.stripes) {
        let lengths = [stripe.index_length(), stripe.data_length(), stripe.footer_length()];
        let until = lengths.iter().try_fold(stripe.offset(), |at, length| at.checked_add(*length));
        if until.and_then(|until| usize::try_from(until).ok()).is_none_or(|until| until > end) {
            return Err(format!("its stripe {number} is longer than the file"));
        }
        rows = rows.and_then(|rows| rows.checked_add(stripe.number_of_rows()));
    }
    if rows == Some(footer.number_of_rows()) {
        Ok(())
    } else {
        Err("its stripes hold other rows than it counts".to_owned())
    }
}

impl ChunkReader for OrcFile {
    type T = bytes::buf::Reader<Bytes>;

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn get_read(&self, at: u64) -> io::Result<Self::T> {
        Ok(self.get_bytes(at, self.len().saturating_sub(at))?.reader())
    }

    /// A part of the file, as it is. One of a stripe is a section, and its blocks are looked at.
    fn get_bytes(&self, at: u64, length: u64) -> io::Result<Bytes> {
        let until = at.checked_add(length).filter(|&until| until <= self.len());
        let range = until.and_then(|until| Some(usize::try_from(at).ok()?..until.try_into().ok()?));
        let range = range.ok_or_else(|| io::Error::other("a section is outside of the file"))?;
        let bytes = self.bytes.slice(range.clone());
        if range.end <= self.stripes_end {
            self.blocks(&bytes).map_err(io::Error::other)?;
        }
        Ok(bytes)
    }
}
