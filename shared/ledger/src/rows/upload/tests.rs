use super::*;
use ossferry_core::fidelity::Departures;
use std::sync::Arc;

fn claimant(owner: &str, now: i64) -> Claimant {
    Claimant {
        owner: owner.to_owned(),
        now: Timestamp(now),
        lease_until: Timestamp(now + 10),
        known_dead: Arc::new(|_| false),
    }
}

fn open() -> UploadRow {
    let row = UploadRow::opening(1, &claimant("p", 0), Timestamp(5));
    let opened = Opened {
        upload_id: "u".to_owned(),
        pinned_etag: ETag::new("e"),
        size: 10,
        part_bytes: 5,
        range_parts: 1,
        ranges: 2,
        headers: ObjectHeaders::default(),
        left_behind: None,
        departures: Departures::default(),
        acl: None,
        source_crc64_ecma: Some(u64::MAX),
        source_crc64_nvme: None,
        requests: Requests::default(),
    };
    let Ok(Change::Write(open, ())) = row.opened(&row.lease.hold().unwrap(), &opened) else {
        panic!()
    };
    assert_eq!(open.source_crc64_ecma(), Some(u64::MAX));
    assert_eq!(open.opened(&row.lease.hold().unwrap(), &opened), Ok(Change::Keep(())));
    open
}

#[test]
fn one_copier_completes_and_another_only_after_its_lease() {
    let Change::Write(first, Taken::Mine) =
        open().claim_completing(&claimant("a", 0), Timestamp(100))
    else {
        panic!()
    };
    assert_eq!(
        first.claim_completing(&claimant("b", 9), Timestamp(101)),
        Change::Keep(Taken::Leased(Timestamp(10)))
    );
    let Change::Write(second, Taken::Mine) =
        first.claim_completing(&claimant("b", 10), Timestamp(102))
    else {
        panic!()
    };
    assert_eq!(second.completing_at, Some(Timestamp(100)), "of the first who tried");
    let late = first.lease.hold().unwrap();
    assert!(second.completed(&late, 1, &ETag::new("t"), Grade::A).is_err());
    let hold = second.lease.hold().unwrap();
    let Ok(Change::Write(done, ())) = second.completed(&hold, 7, &ETag::new("t"), Grade::A) else {
        panic!()
    };
    let result = done.result().unwrap();
    assert_eq!((result.crc64_ecma, done.result_fence()), (Some(7), 1_000_003));
    let now = Timestamp(0);
    assert!(second.aborted(AbortReason::Changed, None, now).is_err());
}

#[test]
fn a_completed_upload_is_not_aborted_and_an_aborted_one_keeps_its_reason() {
    let now = Timestamp(0);
    let late = UploadRow::opening(1, &claimant("p", 0), now).lease.hold().unwrap();
    assert!(open().aborted(AbortReason::Ended, Some(&late), now).is_err(), "it lost it");
    let Ok(Change::Write(gone, Some(AbortReason::Changed))) =
        open().aborted(AbortReason::Changed, None, now)
    else {
        panic!()
    };
    assert_eq!(
        gone.aborted(AbortReason::Ended, None, now),
        Ok(Change::Keep(Some(AbortReason::Changed)))
    );
    let complete = UploadRow { state: UploadState::Complete, ..open() };
    assert_eq!(complete.aborted(AbortReason::Changed, None, now), Ok(Change::Keep(None)));
    let target_now = Timestamp(0);
    assert_eq!(complete.claim_completing(&claimant("a", 0), target_now), Change::Keep(Taken::Over));
}
