//! Lists are read back, and what they may not be.

use super::*;
use proptest::prelude::*;

fn object(key: Vec<u8>, size: u64, action: Action) -> PlannedObject {
    PlannedObject {
        key: Key::new(key),
        size,
        etag: Some(ETag::new("e")),
        last_modified: Some(Timestamp(-1)),
        storage_class: Some("STANDARD".to_owned()),
        expected: Expected::Present(ETag::new("t")),
        action,
    }
}

proptest! {
    #[test]
    fn any_objects_are_read_back(keys: Vec<Vec<u8>>, size: u64, forbid_overwrite: bool) {
        let action = Action::Copy { forbid_overwrite };
        let objects: Vec<_> =
            keys.into_iter().map(|key| object(key, size, action.clone())).collect();
        prop_assert_eq!(decode_objects(&encode_objects(&objects)).unwrap(), objects);
    }
}

#[test]
fn every_shape_of_object_and_result_is_read_back() {
    let reason = "the key begins with /".to_owned();
    let record = Action::Record { outcome: Outcome::Unsupported, reason };
    let mut objects = vec![object(b"/x".to_vec(), 0, record)];
    for expected in [Expected::Unknown, Expected::Absent] {
        let copy = Action::Copy { forbid_overwrite: true };
        objects.push(PlannedObject {
            etag: None,
            last_modified: None,
            storage_class: None,
            expected,
            ..object(vec![0xff, b'%'], u64::MAX, copy)
        });
    }
    assert_eq!(decode_objects(&encode_objects(&objects)).unwrap(), objects);

    let results = vec![
        ObjectResult::plain(7, Outcome::Failed, "put: AccessDenied"),
        ObjectResult {
            index: 8,
            outcome: Some(Outcome::Copied),
            proof: Some(Grade::A),
            crc64_ecma: Some(u64::MAX),
            bytes: 9,
            source_etag: Some(ETag::new("s")),
            target_etag: Some(ETag::new("t")),
            reason: None,
            departures: Departures::default(),
        },
        ObjectResult {
            index: 9,
            outcome: Some(Outcome::Copied),
            departures: Departures::from(0x0004_0002),
            ..ObjectResult::default()
        },
    ];
    assert_eq!(decode_results(&encode_results(&results)).unwrap(), results);
    let keys = vec![Key::from("a"), Key::new(vec![0xff])];
    assert_eq!(decode_keys(&encode_keys(&keys)).unwrap(), keys);
}

#[test]
fn damage_and_newer_versions_are_named() {
    assert!(matches!(decode_objects(b"nonsense"), Err(ListError::Damaged(_))));
    let newer = compress(&(LIST_VERSION + 1, Vec::<u8>::new()));
    assert!(matches!(decode_results(&newer), Err(ListError::Version(5))));
}

#[test]
fn a_list_of_an_audit_or_with_departures_is_of_a_version_that_older_copiers_do_not_take() {
    let version = |blob: &[u8]| {
        let json = zstd::stream::decode_all(blob).unwrap();
        serde_json::from_slice::<(u32, serde_json::Value)>(&json).unwrap().0
    };
    let copied = object(b"a".to_vec(), 1, Action::Copy { forbid_overwrite: false });
    assert_eq!(version(&encode_objects(std::slice::from_ref(&copied))), 1);
    for audited in [Audited::Answers, Audited::Bytes, Audited::Extra] {
        let objects = [copied.clone(), object(b"b".to_vec(), 1, Action::Audit(audited))];
        let blob = encode_objects(&objects);
        assert_eq!((version(&blob), decode_objects(&blob).unwrap()), (2, objects.to_vec()));
    }
    let found = ObjectResult::plain(0, Outcome::Missing, "not at the target");
    assert_eq!(version(&encode_results(std::slice::from_ref(&found))), 2);
    let gone = ObjectResult::plain(0, Outcome::Gone, "");
    assert_eq!(version(&encode_results(std::slice::from_ref(&gone))), 1);
    assert_eq!(version(&encode_results(&[ObjectResult::default()])), 3, "it is left to do");
    // Nor do they take a task's rest of which results stand that they cannot read.
    let departing = ObjectResult { departures: Departures::from(1), ..gone.clone() };
    assert_eq!(version(&encode_results(&[gone, departing])), 4);
}

#[test]
fn any_failures_of_the_longest_task_fit_a_row() {
    // As many as a list of the shortest keys holds, each with a cause of its own.
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b' ' + u8::try_from((state >> 16) % 94).unwrap())
    };
    let results: Vec<_> = (0..5_000_u32)
        .map(|index| {
            let reason: String = (0..REASON_BYTES_MAX).map(|_| noise()).collect();
            // More than a failure says, so that it holds for copies as well.
            let departures = Departures::from(index.wrapping_mul(2_654_435_761));
            ObjectResult { departures, ..ObjectResult::plain(index, Outcome::Failed, reason) }
        })
        .collect();
    let bytes_max = 350_000;
    assert!(encode_results(&results).len() > bytes_max);
    let blob = encode_results_within(&results, bytes_max);
    assert!(blob.len() <= bytes_max);
    let read = decode_results(&blob).unwrap();
    assert_eq!(read.len(), results.len());
    assert!(read.iter().all(|result| result.outcome == Some(Outcome::Failed)));
    assert!(read[0].reason.as_ref().is_some_and(|reason| reason.len() > 40));
}

#[test]
fn a_long_reason_is_cut_at_a_character() {
    let result = ObjectResult::plain(0, Outcome::Failed, "é".repeat(200));
    assert_eq!(result.reason.unwrap().chars().count(), REASON_BYTES_MAX / 2 + 1);
}
