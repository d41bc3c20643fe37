//! CRC-64 of bytes in flight, and the folding of part CRCs into the object's.
//!
//! `crc64_ecma` is CRC-64/XZ, what OSS and COS report; `crc64_nvme` is CRC-64/NVME, what S3 reports.

use std::fmt;

use crate::proof::Streamed;

/// CRC-64/ECMA of some bytes.
pub fn crc64_ecma(bytes: &[u8]) -> u64 {
    let mut digest = crc64fast::Digest::new();
    digest.write(bytes);
    digest.sum64()
}

/// CRC-64/NVME of some bytes.
pub fn crc64_nvme(bytes: &[u8]) -> u64 {
    let mut digest = crc64fast_nvme::Digest::new();
    digest.write(bytes);
    digest.sum64()
}

/// Computes over bytes while they pass, whatever the sizes of the pieces.
///
/// By a crate for each of the two: one that knows every CRC would put a table for each of them into
/// every function, a tenth of its zip.
#[derive(Clone)]
pub struct Digester {
    bytes: u64,
    ecma: crc64fast::Digest,
    nvme: Option<crc64fast_nvme::Digest>,
}

impl fmt::Debug for Digester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Digester").field(&self.streamed()).finish()
    }
}

impl Digester {
    /// Nothing has passed yet. CRC-64/NVME is computed only where the source gave one to compare
    /// with: it costs as much again.
    pub fn new(with_nvme: bool) -> Self {
        Self {
            bytes: 0,
            ecma: crc64fast::Digest::new(),
            nvme: with_nvme.then(crc64fast_nvme::Digest::new),
        }
    }

    /// Takes the next bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.ecma.write(bytes);
        if let Some(nvme) = &mut self.nvme {
            nvme.write(bytes);
        }
    }

    /// What has passed so far.
    pub fn streamed(&self) -> Streamed {
        Streamed {
            bytes: self.bytes,
            crc64_ecma: self.ecma.sum64(),
            crc64_nvme: self.nvme.as_ref().map(crc64fast_nvme::Digest::sum64),
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
        crc64_ecma: ECMA.joined(whole.crc64_ecma, part.crc64_ecma, part.bytes),
        crc64_nvme: whole
            .crc64_nvme
            .zip(part.crc64_nvme)
            .map(|(whole, crc)| NVME.joined(whole, crc, part.bytes)),
    })
}

/// CRC-64/ECMA of a whole from (CRC-64/ECMA, bytes) of its parts in order.
pub fn fold_ecma(parts: impl IntoIterator<Item = (u64, u64)>) -> u64 {
    parts.into_iter().fold(0, |whole, (crc, bytes)| ECMA.joined(whole, crc, bytes))
}

/// A CRC-64 by its polynomial, the coefficient of `x^0` in the highest bit. Both begin with all ones
/// and end inverted, so that what the front adds to the whole is its CRC times a power of `x`.
///
/// <https://reveng.sourceforge.io/crc-catalogue/17plus.htm>
#[derive(Clone, Copy)]
struct Polynomial(u64);

const ECMA: Polynomial = Polynomial(0xC96C_5795_D787_0F42);
const NVME: Polynomial = Polynomial(0x9A6C_9329_AC4B_C9B5);

impl Polynomial {
    /// The CRC of two pieces in a row, the second of so many bytes.
    fn joined(self, front: u64, back: u64, back_bytes: u64) -> u64 {
        self.product(front, self.power(back_bytes)) ^ back
    }

    /// `x^(8 bytes)`, by squaring.
    fn power(self, bytes: u64) -> u64 {
        let (mut power, mut square, mut left) = (1 << 63, 1 << (63 - 8), bytes);
        while left != 0 {
            if left & 1 != 0 {
                power = self.product(power, square);
            }
            square = self.product(square, square);
            left >>= 1;
        }
        power
    }

    /// The remainder of the product of two remainders.
    fn product(self, a: u64, b: u64) -> u64 {
        let (mut sum, mut shifted) = (0, b);
        for bit in (0..64).rev() {
            if a >> bit & 1 != 0 {
                sum ^= shifted;
            }
            let carry = if shifted & 1 != 0 { self.0 } else { 0 };
            shifted = shifted >> 1 ^ carry;
        }
        sum
    }
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
        fn pieces_of_any_length_join_as_another_implementation_joins_them(
            front: u64, back: u64, back_bytes in 1_u64..1 << 48,
        ) {
            use crc_fast::CrcAlgorithm::{Crc64Nvme, Crc64Xz};
            for (ours, theirs) in [(ECMA, Crc64Xz), (NVME, Crc64Nvme)] {
                prop_assert_eq!(
                    ours.joined(front, back, back_bytes),
                    crc_fast::checksum_combine(theirs, front, back, back_bytes)
                );
            }
        }

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
