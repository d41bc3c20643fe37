//! The rules of `CompleteMultipartUpload`, which parts make the object.

use std::collections::BTreeMap;
use std::sync::Arc;

use crc_fast::{CrcAlgorithm, checksum_combine};
use md5::{Digest, Md5};

use crate::call::upper_hex;
use crate::errors::{
    ENTITY_TOO_SMALL, INVALID_PART, INVALID_PART_NUMBER, INVALID_PART_ORDER, MALFORMED_XML, Refusal,
};
use crate::storage::object::Part;
use crate::xml::elements;

/// Part numbers go from 1 to this (limits page of the OSS manual, 2026).
pub(crate) const PARTS_MAX: u32 = 10_000;

/// Every part but the last holds at least this (error page 0042-00000213).
pub(crate) const PART_BYTES_MIN: u64 = 100 << 10;

/// A part as the request names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NamedPart {
    pub(crate) number: u32,
    /// Without quotes.
    pub(crate) etag: String,
}

/// Reads the part list of the request's body, in the order in which it is given.
pub(crate) fn part_list(body: &[u8]) -> Result<Vec<NamedPart>, Refusal> {
    const PART: &str = "CompleteMultipartUpload/Part";
    let (mut parts, mut number, mut etag) = (Vec::new(), None, None);
    for element in elements(body)? {
        match element.path.strip_prefix(PART) {
            Some("/PartNumber") => {
                let parsed = element.text.trim().parse().ok();
                number = Some(parsed.filter(|n| (1..=PARTS_MAX).contains(n)).ok_or_else(|| {
                    INVALID_PART_NUMBER.with("ArgumentValue", element.text.clone())
                })?);
            }
            Some("/ETag") => etag = Some(element.text.trim().trim_matches('"').to_owned()),
            Some("") => {
                let (number, etag) = number.take().zip(etag.take()).ok_or(MALFORMED_XML)?;
                parts.push(NamedPart { number, etag });
            }
            _ => {}
        }
    }
    if parts.is_empty() { Err(MALFORMED_XML.into()) } else { Ok(parts) }
}

/// The parts of the object in order, checked as OSS checks them.
pub(crate) fn chosen_parts(
    uploaded: &BTreeMap<u32, Arc<Part>>,
    named: &[NamedPart],
) -> Result<Vec<(u32, Arc<Part>)>, Refusal> {
    if named.windows(2).any(|pair| pair[0].number >= pair[1].number) {
        return Err(INVALID_PART_ORDER.into());
    }
    let mut chosen = Vec::with_capacity(named.len());
    for NamedPart { number, etag } in named {
        let part = uploaded.get(number).filter(|part| part.etag.eq_ignore_ascii_case(etag));
        let part = part.ok_or_else(|| {
            INVALID_PART.with("PartNumber", number.to_string()).with("ETag", etag.clone())
        })?;
        chosen.push((*number, Arc::clone(part)));
    }
    require_sizes(&chosen)?;
    Ok(chosen)
}

/// All parts that were uploaded, as `x-oss-complete-all` asks.
pub(crate) fn all_parts(
    uploaded: &BTreeMap<u32, Arc<Part>>,
) -> Result<Vec<(u32, Arc<Part>)>, Refusal> {
    let chosen: Vec<_> =
        uploaded.iter().map(|(number, part)| (*number, Arc::clone(part))).collect();
    if chosen.is_empty() {
        return Err(INVALID_PART.because("no part was uploaded"));
    }
    require_sizes(&chosen)?;
    Ok(chosen)
}

fn require_sizes(chosen: &[(u32, Arc<Part>)]) -> Result<(), Refusal> {
    let but_last = chosen.split_last().map_or(&[][..], |(_, rest)| rest);
    match but_last.iter().find(|(_, part)| part.bytes < PART_BYTES_MIN) {
        None => Ok(()),
        Some((number, part)) => Err(ENTITY_TOO_SMALL
            .with("ProposedSize", part.bytes.to_string())
            .with("MinSizeAllowed", PART_BYTES_MIN.to_string())
            .with("PartNumber", number.to_string())),
    }
}

/// CRC-64/ECMA of the parts one after another, out of theirs.
pub(crate) fn folded_crc(parts: &[(u32, Arc<Part>)]) -> u64 {
    parts.iter().fold(0, |crc, (_, part)| {
        checksum_combine(CrcAlgorithm::Crc64Xz, crc, part.crc64_ecma, part.bytes)
    })
}

/// The ETag of an object made of parts: `<32 hex digits>-<count>`, and not the one S3 would give.
pub(crate) fn multipart_etag(upload_id: &str, parts: &[(u32, Arc<Part>)]) -> String {
    let mut md5 = Md5::new();
    md5.update(upload_id);
    for (_, part) in parts {
        md5.update(&part.etag);
    }
    format!("{}-{}", upper_hex(&md5.finalize()), parts.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ossferry_core::time::Timestamp;

    fn uploaded(sizes: &[(u32, u64)]) -> BTreeMap<u32, Arc<Part>> {
        let part = |number: u32, bytes| Part {
            etag: format!("E{number}"),
            crc64_ecma: 0,
            bytes,
            modified: Timestamp(0),
            extents: Vec::new(),
        };
        sizes.iter().map(|(number, bytes)| (*number, Arc::new(part(*number, *bytes)))).collect()
    }

    fn named(numbers: &[u32]) -> Vec<NamedPart> {
        numbers.iter().map(|n| NamedPart { number: *n, etag: format!("e{n}") }).collect()
    }

    #[test]
    fn parts_must_ascend_exist_and_be_large_enough() {
        const MIN: u64 = PART_BYTES_MIN;
        for (sizes, numbers, expected) in [
            (vec![(1, MIN), (2, 1)], vec![1, 2], Ok(2)),
            (vec![(1, MIN), (5, MIN), (9, 0)], vec![1, 5, 9], Ok(3)),
            (vec![(1, 1), (2, 1)], vec![2], Ok(1)),
            (vec![(1, MIN), (2, 1)], vec![2, 1], Err("InvalidPartOrder")),
            (vec![(1, MIN)], vec![1, 1], Err("InvalidPartOrder")),
            (vec![(1, MIN)], vec![1, 2], Err("InvalidPart")),
            (vec![(1, MIN - 1), (2, MIN)], vec![1, 2], Err("EntityTooSmall")),
            (vec![], vec![1], Err("InvalidPart")),
        ] {
            let chosen = chosen_parts(&uploaded(&sizes), &named(&numbers));
            let seen = chosen.as_ref().map(Vec::len).map_err(Refusal::code);
            assert_eq!(seen, expected, "{sizes:?} {numbers:?}");
        }
        let wrong_etag = [NamedPart { number: 1, etag: "x".into() }];
        let refusal = chosen_parts(&uploaded(&[(1, MIN)]), &wrong_etag).unwrap_err();
        assert_eq!(refusal.code(), "InvalidPart");
    }

    #[test]
    fn complete_all_takes_what_is_there_and_does_not_notice_gaps() {
        let parts = uploaded(&[(1, PART_BYTES_MIN), (3, PART_BYTES_MIN), (4, 7)]);
        let numbers: Vec<_> = all_parts(&parts).unwrap().into_iter().map(|(n, _)| n).collect();
        assert_eq!(numbers, [1, 3, 4]);
        assert_eq!(all_parts(&uploaded(&[])).unwrap_err().code(), "InvalidPart");
    }

    #[test]
    fn the_part_list_is_read_in_its_own_order() {
        let body = b"<CompleteMultipartUpload><Part><ETag>\"AB\"</ETag><PartNumber>2</PartNumber>\
            </Part><Part><PartNumber>1</PartNumber><ETag>CD</ETag></Part></CompleteMultipartUpload>";
        let parts = part_list(body).unwrap();
        assert_eq!(parts[0], NamedPart { number: 2, etag: "AB".into() });
        assert_eq!(parts[1], NamedPart { number: 1, etag: "CD".into() });
        for (wrong, code) in [
            (&b"<CompleteMultipartUpload/>"[..], "MalformedXML"),
            (b"", "MalformedXML"),
            (
                b"<CompleteMultipartUpload><Part><PartNumber>10001</PartNumber><ETag>A</ETag></Part>\
                  </CompleteMultipartUpload>",
                "InvalidArgument",
            ),
            (
                b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part>\
                  </CompleteMultipartUpload>",
                "MalformedXML",
            ),
        ] {
            assert_eq!(part_list(wrong).unwrap_err().code(), code);
        }
    }

    #[test]
    fn crcs_of_parts_fold_into_the_crc_of_the_whole() {
        let part = |text: &str| {
            let crc64_ecma = crc_fast::checksum(CrcAlgorithm::Crc64Xz, text.as_bytes());
            let bytes = text.len() as u64;
            let etag = String::new();
            let extents = Vec::new();
            Arc::new(Part { etag, crc64_ecma, bytes, modified: Timestamp(0), extents })
        };
        let parts = [(1, part("1234")), (2, part("")), (3, part("56789"))];
        assert_eq!(folded_crc(&parts), 11_051_210_869_376_104_954);
        assert!(multipart_etag("id", &parts).ends_with("-3"));
    }
}
