//! What is compared with what: of one object in one PUT, of an upload before it is published, and of
//! something that is found under the key.

use std::collections::HashMap;

use ossferry_core::compare::PROVENANCE_NAME;
use ossferry_core::crc::{fold, fold_ecma};
use ossferry_core::layout::PartLayout;
use ossferry_core::object::{Digests, ETag, ObjectInfo};
use ossferry_core::ports::{ListedPart, UploadedPart};
use ossferry_core::proof::{Grade, Held, Mismatch, Streamed, Verified, check};
use ossferry_ledger::rows::PartResult;

/// The digests of an object that was stored by one PUT.
pub(crate) fn digests_of_put(crc64_ecma: Option<u64>, etag: &ETag, etag_is_md5: bool) -> Digests {
    let md5 = if etag_is_md5 { etag.as_md5() } else { None };
    Digests { crc64_ecma, crc64_nvme: None, md5 }
}

/// Whether what stands under the key has the bytes that passed. Equal sizes alone show nothing, unless
/// the object carries the mark of exactly this copy.
pub(crate) fn same_bytes(
    size: u64,
    source: &Digests,
    streamed: &Streamed,
    found: &ObjectInfo,
    provenance: &str,
) -> Option<Verified> {
    let held = Held { bytes: found.size, digests: found.digests };
    let verified = check(size, source, streamed, &held).ok()?;
    let is_marked = || {
        let metadata = &found.headers.user_metadata;
        metadata.iter().any(|(name, value)| name == PROVENANCE_NAME && value == provenance)
    };
    (verified.grade() != Grade::D || is_marked()).then_some(verified)
}

/// An upload that may be published: its parts as the target names them, and the proof of the whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ProvedParts {
    pub(crate) parts: Vec<UploadedPart>,
    pub(crate) proof: Verified,
}

/// Why an upload may not be published.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum PartsRefused {
    #[error("part {part_number} has no result")]
    NotRecorded { part_number: u32 },
    #[error("the target does not hold part {part_number}")]
    NotHeld { part_number: u32 },
    #[error("part {part_number}: sent {sent_bytes} bytes, the target holds {held_bytes}")]
    Size { part_number: u32, sent_bytes: u64, held_bytes: u64 },
    #[error("part {part_number}: the target's crc64_ecma differs from that of the bytes")]
    Crc { part_number: u32 },
    #[error(transparent)]
    Whole(#[from] Mismatch),
}

/// What passed of the whole object, from what passed of its parts.
pub(crate) fn streamed_of(
    layout: &PartLayout,
    ours: &[PartResult],
) -> Result<Streamed, PartsRefused> {
    let mut parts = Vec::with_capacity(ours.len());
    let by_number: HashMap<u32, &PartResult> =
        ours.iter().map(|part| (part.part_number, part)).collect();
    for part_number in 1..=layout.part_count() {
        let (Some(part), Some(range)) = (by_number.get(&part_number), layout.part(part_number))
        else {
            return Err(PartsRefused::NotRecorded { part_number });
        };
        let (bytes, crc64_ecma, crc64_nvme) = (range.bytes, part.crc64_ecma, part.crc64_nvme);
        parts.push(Streamed { bytes, crc64_ecma, crc64_nvme });
    }
    Ok(fold(parts))
}

/// Compares every part that the target holds with what was sent, and the whole that they would make
/// with what the source's server says of it.
pub(crate) fn prove_parts(
    layout: &PartLayout,
    ours: &[PartResult],
    held: &[ListedPart],
    source: &Digests,
) -> Result<ProvedParts, PartsRefused> {
    let streamed = streamed_of(layout, ours)?;
    let sent: HashMap<u32, u64> =
        ours.iter().map(|part| (part.part_number, part.crc64_ecma)).collect();
    let by_number: HashMap<u32, &ListedPart> =
        held.iter().map(|part| (part.part_number, part)).collect();
    let mut parts = Vec::with_capacity(ours.len());
    let mut crcs = Some(Vec::with_capacity(ours.len()));
    for part_number in 1..=layout.part_count() {
        let sent_bytes = layout.part(part_number).map_or(0, |range| range.bytes);
        let part = by_number.get(&part_number).ok_or(PartsRefused::NotHeld { part_number })?;
        if part.size != sent_bytes {
            let held_bytes = part.size;
            return Err(PartsRefused::Size { part_number, sent_bytes, held_bytes });
        }
        if part.crc64_ecma.is_some_and(|crc| sent.get(&part_number) != Some(&crc)) {
            return Err(PartsRefused::Crc { part_number });
        }
        parts.push(UploadedPart { part_number, etag: part.etag.clone() });
        crcs = crcs.zip(part.crc64_ecma).map(|(mut crcs, crc)| {
            crcs.push((crc, part.size));
            crcs
        });
    }
    let bytes = parts.iter().filter_map(|part| layout.part(part.part_number)).map(|r| r.bytes);
    let digests = Digests { crc64_ecma: crcs.map(fold_ecma), ..Digests::default() };
    let proof =
        check(layout.object_bytes(), source, &streamed, &Held { bytes: bytes.sum(), digests })?;
    Ok(ProvedParts { parts, proof })
}

#[cfg(test)]
mod tests {
    use ossferry_core::crc::{crc64_ecma, crc64_nvme};
    use ossferry_core::fidelity::Properties;
    use ossferry_core::layout::PART_BYTES_MIN;
    use ossferry_core::object::ObjectHeaders;

    use super::*;

    const BYTES: u64 = PART_BYTES_MIN + 3;

    fn whole() -> Vec<u8> {
        (0..BYTES).map(|n| u8::try_from(n % 251).unwrap()).collect()
    }

    fn parts() -> (PartLayout, Vec<PartResult>, Vec<ListedPart>) {
        let layout = PartLayout::new(BYTES, PART_BYTES_MIN).unwrap();
        let whole = whole();
        let (first, second) = whole.split_at(usize::try_from(PART_BYTES_MIN).unwrap());
        let mut ours = Vec::new();
        let mut held = Vec::new();
        for (part_number, bytes) in [(1, first), (2, second)] {
            let etag = ETag::new(&format!("E{part_number}"));
            let crc64_ecma = crc64_ecma(bytes);
            let crc64_nvme = Some(crc64_nvme(bytes));
            ours.push(PartResult { part_number, etag: etag.clone(), crc64_ecma, crc64_nvme });
            let (size, crc64_ecma) = (bytes.len() as u64, Some(crc64_ecma));
            held.push(ListedPart { part_number, size, etag, crc64_ecma });
        }
        (layout, ours, held)
    }

    fn nvme_of_whole() -> Digests {
        Digests { crc64_nvme: Some(crc64_nvme(&whole())), ..Digests::default() }
    }

    #[test]
    fn parts_fold_to_the_proof_of_the_whole() {
        let (layout, ours, held) = parts();
        let ecma = crc64_ecma(&whole());
        for (source, grade) in [
            (Digests { crc64_ecma: Some(ecma), ..Digests::default() }, Grade::A),
            (nvme_of_whole(), Grade::B),
            (Digests::default(), Grade::C),
        ] {
            let proved = prove_parts(&layout, &ours, &held, &source).unwrap();
            assert_eq!((proved.proof.grade(), proved.proof.crc64_ecma()), (grade, ecma));
            let numbers: Vec<u32> = proved.parts.iter().map(|part| part.part_number).collect();
            assert_eq!(numbers, [1, 2]);
        }
        let silent: Vec<_> =
            held.iter().map(|part| ListedPart { crc64_ecma: None, ..part.clone() }).collect();
        let proved = prove_parts(&layout, &ours, &silent, &Digests::default()).unwrap();
        assert_eq!(proved.proof.grade(), Grade::D);
    }

    #[test]
    fn a_part_that_is_missing_short_or_wrong_is_named() {
        let (layout, ours, held) = parts();
        let source = nvme_of_whole();
        let prove = |ours: &[PartResult], held: &[ListedPart]| {
            prove_parts(&layout, ours, held, &source).unwrap_err()
        };
        assert_eq!(prove(&ours[..1], &held), PartsRefused::NotRecorded { part_number: 2 });
        assert_eq!(prove(&ours, &held[1..]), PartsRefused::NotHeld { part_number: 1 });
        let mut wrong = held.clone();
        wrong[1].size = 2;
        let size = PartsRefused::Size { part_number: 2, sent_bytes: 3, held_bytes: 2 };
        assert_eq!(prove(&ours, &wrong), size);
        let mut wrong = held.clone();
        wrong[0].crc64_ecma = Some(1);
        assert_eq!(prove(&ours, &wrong), PartsRefused::Crc { part_number: 1 });
        let other = Digests { crc64_nvme: Some(1), ..Digests::default() };
        let refused = prove_parts(&layout, &ours, &held, &other).unwrap_err();
        assert_eq!(refused, PartsRefused::Whole(Mismatch::Source { digest: "crc64_nvme" }));
    }

    #[test]
    fn an_equal_size_is_no_equal_object_without_a_digest_or_our_mark() {
        let streamed = Streamed { bytes: 3, crc64_ecma: 7, crc64_nvme: None };
        let found = |crc64_ecma: Option<u64>, mark: &str| ObjectInfo {
            size: 3,
            etag: None,
            last_modified: None,
            content_modified: None,
            digests: Digests { crc64_ecma, ..Digests::default() },
            headers: ObjectHeaders {
                user_metadata: vec![(PROVENANCE_NAME.to_owned(), mark.to_owned())],
                ..ObjectHeaders::default()
            },
            storage_class: None,
            mirrored: false,
            beyond: Properties::default(),
        };
        for (crc, mark, same) in
            [(Some(7), "", true), (Some(8), "mine", false), (None, "", false), (None, "mine", true)]
        {
            let judged = same_bytes(3, &Digests::default(), &streamed, &found(crc, mark), "mine");
            assert_eq!(judged.is_some(), same, "{crc:?} {mark}");
        }
    }
}
