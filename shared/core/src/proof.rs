//! How we know that the target holds the source's bytes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::object::Digests;

/// How strong a proof is. Numbers are stored: never reuse one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
#[repr(u8)]
pub enum Grade {
    /// A digest by the source's server equals one by the target's.
    A = 1,
    /// A digest by the source's server equals ours of the bytes streamed, and our CRC-64/ECMA of
    /// the same bytes equals the target's.
    B = 2,
    /// Our CRC-64/ECMA of the bytes streamed equals the target's.
    C = 3,
    /// The sizes are equal: nothing else was offered.
    D = 4,
}

impl Grade {
    /// Every grade, strongest first.
    pub const ALL: [Self; 4] = [Self::A, Self::B, Self::C, Self::D];

    /// The letter in rows, JSON, CSV and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
        }
    }

    /// Its place in [`Grade::ALL`].
    pub fn index(self) -> usize {
        self as usize - 1
    }
}

impl From<Grade> for u8 {
    fn from(grade: Grade) -> Self {
        grade as Self
    }
}

impl TryFrom<u8> for Grade {
    type Error = String;
    fn try_from(number: u8) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|grade| u8::from(*grade) == number)
            .ok_or_else(|| format!("no proof grade has the number {number}"))
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What we computed over the bytes while they passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Streamed {
    /// How many passed.
    pub bytes: u64,
    /// CRC-64/ECMA (XZ) of them.
    pub crc64_ecma: u64,
    /// CRC-64/NVME of them, where the source gave one to compare with.
    pub crc64_nvme: Option<u64>,
}

/// What the target says it holds, or will hold once the upload is completed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    /// Bytes.
    pub bytes: u64,
    /// Digests by the target's server. For an open upload its part CRCs, folded.
    pub digests: Digests,
}

/// The bytes at the target are the source's. Only [`check`] makes one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verified {
    grade: Grade,
    crc64_ecma: u64,
}

impl Verified {
    /// How strong the proof is.
    pub fn grade(self) -> Grade {
        self.grade
    }

    /// CRC-64/ECMA of the proved bytes.
    pub fn crc64_ecma(self) -> u64 {
        self.crc64_ecma
    }
}

/// The bytes are not the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Mismatch {
    /// Fewer or more bytes.
    #[error("size: source {source_bytes} bytes, target {target_bytes} bytes")]
    Size {
        /// At the source.
        source_bytes: u64,
        /// At the target.
        target_bytes: u64,
    },
    /// The source's server reported another digest than we computed, or than the target's reports.
    #[error("{digest}: the source's differs from that of the bytes")]
    Source {
        /// Which digest.
        digest: &'static str,
    },
    /// The target's server reported another digest than we computed.
    #[error("{digest}: the target's differs from that of the bytes")]
    Target {
        /// Which digest.
        digest: &'static str,
    },
}

/// Compares everything that is known of the bytes and grades what holds.
///
/// `source_bytes` is the size planned; `source` what the source's server reports of the object.
/// One digest that differs is a mismatch, however many others agree.
pub fn check(
    source_bytes: u64,
    source: &Digests,
    streamed: &Streamed,
    target: &Held,
) -> Result<Verified, Mismatch> {
    for target_bytes in [streamed.bytes, target.bytes] {
        if target_bytes != source_bytes {
            return Err(Mismatch::Size { source_bytes, target_bytes });
        }
    }
    if target.digests.crc64_ecma.is_some_and(|crc| crc != streamed.crc64_ecma) {
        return Err(Mismatch::Target { digest: "crc64_ecma" });
    }
    if source.crc64_ecma.is_some_and(|crc| crc != streamed.crc64_ecma) {
        return Err(Mismatch::Source { digest: "crc64_ecma" });
    }
    let nvme = source.crc64_nvme.zip(streamed.crc64_nvme);
    if nvme.is_some_and(|(theirs, ours)| theirs != ours) {
        return Err(Mismatch::Source { digest: "crc64_nvme" });
    }
    let md5 = source.md5.zip(target.digests.md5);
    if md5.is_some_and(|(source, target)| source != target) {
        return Err(Mismatch::Source { digest: "md5" });
    }
    let target_ecma = target.digests.crc64_ecma.is_some();
    let grade = if md5.is_some() || (source.crc64_ecma.is_some() && target_ecma) {
        Grade::A
    } else if nvme.is_some() && target_ecma {
        Grade::B
    } else if target_ecma {
        Grade::C
    } else {
        Grade::D
    };
    Ok(Verified { grade, crc64_ecma: streamed.crc64_ecma })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: [u8; 16] = [7; 16];

    fn digests(ecma: Option<u64>, nvme: Option<u64>, md5: Option<[u8; 16]>) -> Digests {
        Digests { crc64_ecma: ecma, crc64_nvme: nvme, md5 }
    }

    #[test]
    fn what_both_servers_offer_decides_the_grade() {
        let streamed = Streamed { bytes: 3, crc64_ecma: 11, crc64_nvme: Some(22) };
        for (source, target, grade) in [
            (digests(Some(11), None, None), digests(Some(11), None, None), Grade::A),
            (digests(None, None, Some(MD5)), digests(Some(11), None, Some(MD5)), Grade::A),
            (digests(None, Some(22), None), digests(Some(11), None, None), Grade::B),
            (digests(None, None, Some(MD5)), digests(Some(11), None, None), Grade::C),
            (digests(None, None, None), digests(Some(11), None, None), Grade::C),
            (digests(None, None, None), digests(None, None, None), Grade::D),
        ] {
            let held = Held { bytes: 3, digests: target };
            assert_eq!(check(3, &source, &streamed, &held).unwrap().grade(), grade);
        }
    }

    #[test]
    fn one_digest_that_differs_is_a_mismatch_however_many_agree() {
        let streamed = Streamed { bytes: 3, crc64_ecma: 11, crc64_nvme: Some(22) };
        let right = digests(Some(11), None, Some(MD5));
        for (source, bytes, target) in [
            (digests(Some(12), None, Some(MD5)), 3, right),
            (digests(Some(11), Some(23), Some(MD5)), 3, right),
            (digests(Some(11), None, Some([8; 16])), 3, right),
            (digests(Some(11), None, Some(MD5)), 3, digests(Some(12), None, Some(MD5))),
            (right, 4, right),
        ] {
            check(3, &source, &streamed, &Held { bytes, digests: target }).unwrap_err();
        }
        let short = Streamed { bytes: 2, ..streamed };
        check(3, &right, &short, &Held { bytes: 3, digests: right }).unwrap_err();
    }
}
