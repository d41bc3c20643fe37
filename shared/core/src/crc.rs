//! CRC-64 of bytes in flight, and the folding of part CRCs into the object's.
//!
//! `crc64_ecma` is CRC-64/XZ, what OSS and COS report; `crc64_nvme` is CRC-64/NVME, what S3 reports.

use crc_fast::CrcAlgorithm::{Crc64Nvme, Crc64Xz};

use crate::proof::Streamed;

/// CRC-64/ECMA of some bytes.
pub fn crc64_ecma(bytes: &[u8]) -> u64 {
    crc_fast::checksum(Crc64Xz, bytes)
}

/// CRC-64/NVME of some bytes.
pub fn crc64_nvme(bytes: &[u8]) -> u64 {
    crc_fast::checksum(Crc64Nvme, bytes)
}

/// Computes over bytes while they pass, whatever the sizes of the pieces.
#[derive(Clone, Debug)]
pub struct Digester {
    bytes: u64,
    ecma: crc_fast::Digest,
    nvme: Option<crc_fast::Digest>,
}

impl Digester {
    /// Nothing has passed yet. CRC-64/NVME is computed only where the source gave one to compare
    /// with: it costs as much again.
    pub fn new(with_nvme: bool) -> Self {
        Self {
            bytes: 0,
            ecma: crc_fast::Digest::new(Crc64Xz),
            nvme: with_nvme.then(|| crc_fast::Digest::new(Crc64Nvme)),
        }
    }

    /// Takes the next bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.ecma.update(bytes);
        if let Some(nvme) = &mut self.nvme {
            nvme.update(bytes);
        }
    }

    /// What has passed so far.
    pub fn streamed(&self) -> Streamed {
        Streamed {
            bytes: self.bytes,
            crc64_ecma: self.ecma.finalize(),
            crc64_nvme: self.nvme.as_ref().map(crc_fast::Digest::finalize),
        }
    }
}

/// What passed of an object as a whole, from what passed of its parts in order, without the bytes.
///
/// CRC-64/NVME is known of the whole only where it is known of every part.
pub fn fold(parts: impl IntoIterator<Item = Streamed>) -> Streamed {
    let nothing = Streamed { bytes: 0, crc64_ecma: 0, crc64_nvme: Some(0) };
    parts.into_iter().fold(nothing, |whole, part| Streamed {
        bytes: whole.bytes + part.bytes,
        crc64_ecma: joined(Crc64Xz, whole.crc64_ecma, part.crc64_ecma, part.bytes),
        crc64_nvme: whole
            .crc64_nvme
            .zip(part.crc64_nvme)
            .map(|(whole, crc)| joined(Crc64Nvme, whole, crc, part.bytes)),
    })
}

/// CRC-64/ECMA of a whole from (CRC-64/ECMA, bytes) of its parts in order.
pub fn fold_ecma(parts: impl IntoIterator<Item = (u64, u64)>) -> u64 {
    parts.into_iter().fold(0, |whole, (crc, bytes)| joined(Crc64Xz, whole, crc, bytes))
}

fn joined(algorithm: crc_fast::CrcAlgorithm, front: u64, back: u64, back_bytes: u64) -> u64 {
    if back_bytes == 0 {
        return front;
    }
    crc_fast::checksum_combine(algorithm, front, back, back_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// From Alibaba's Python SDK 2 (`crc.py`), run: unsigned decimal as in `x-oss-hash-crc64ecma`.
    #[test]
    fn ecma_is_what_oss_reports() {
        assert_eq!(crc64_ecma(b"123456789"), 0x995D_C9BB_DF19_39FA);
        assert_eq!(crc64_ecma(b""), 0);
        assert_eq!(crc64_ecma(b"hello"), 11_177_612_005_948_864_433);
        let halves = [(14_865_968_487_149_912_872, 4), (7_598_038_797_645_275_211, 5)];
        assert_eq!(fold_ecma(halves), 11_051_210_869_376_104_954);
    }

    /// The check value of CRC-64/NVME in the catalogue of parametrised CRCs.
    #[test]
    fn nvme_is_what_s3_reports() {
        assert_eq!(crc64_nvme(b"123456789"), 0xAE8B_1486_0A79_9888);
    }

    proptest! {
        #[test]
        fn any_partition_folds_to_the_whole(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..12),
        ) {
            let whole = pieces.concat();
            let mut digester = Digester::new(true);
            let parts: Vec<Streamed> = pieces.iter().map(|piece| {
                digester.update(piece);
                let mut part = Digester::new(true);
                part.update(piece);
                part.streamed()
            }).collect();
            let folded = fold(parts.iter().copied());
            prop_assert_eq!(folded, digester.streamed());
            prop_assert_eq!(folded.crc64_ecma, crc64_ecma(&whole));
            prop_assert_eq!(folded.crc64_nvme, Some(crc64_nvme(&whole)));
            let pairs = parts.iter().map(|part| (part.crc64_ecma, part.bytes));
            prop_assert_eq!(fold_ecma(pairs), crc64_ecma(&whole));
        }
    }

    #[test]
    fn one_part_without_nvme_leaves_the_whole_without() {
        let parts = [true, false].map(|with_nvme| {
            let mut part = Digester::new(with_nvme);
            part.update(b"x");
            part.streamed()
        });
        assert_eq!(fold(parts).crc64_nvme, None);
        assert_eq!(fold(parts).crc64_ecma, crc64_ecma(b"xx"));
    }
}
