//! Every finding, and what no answers may ever be called.

use proptest::prelude::*;

use super::*;
use crate::fidelity::Properties;
use crate::object::{Digests, ETag, ObjectHeaders};

const T2: Timestamp = Timestamp(50_000);

fn listed() -> Entry {
    Entry {
        key: Key::from("k"),
        size: 3,
        etag: Some(ETag::new("s")),
        last_modified: Some(Timestamp(7_400)),
        storage_class: None,
        archived: false,
    }
}

fn info(etag: &str, time: i64) -> ObjectInfo {
    ObjectInfo {
        size: 3,
        etag: Some(ETag::new(etag)),
        last_modified: Some(Timestamp(time)),
        content_modified: None,
        digests: Digests::default(),
        headers: ObjectHeaders::default(),
        storage_class: None,
        mirrored: false,
        beyond: Properties::default(),
    }
}

fn source() -> ObjectInfo {
    info("s", 7_000)
}

fn target() -> ObjectInfo {
    info("t", 9_000)
}

fn with_crc(info: ObjectInfo, crc: u64) -> ObjectInfo {
    ObjectInfo { digests: Digests { crc64_ecma: Some(crc), ..info.digests }, ..info }
}

fn marked(info: ObjectInfo, mark: &str) -> ObjectInfo {
    let user_metadata = vec![(PROVENANCE_NAME.to_owned(), mark.to_owned())];
    ObjectInfo { headers: ObjectHeaders { user_metadata, ..ObjectHeaders::default() }, ..info }
}

fn outcome(
    listed: Option<&Entry>,
    source: Option<&ObjectInfo>,
    target: Option<&ObjectInfo>,
    t2: Option<Timestamp>,
) -> Outcome {
    let pair = Pair { listed, source, target, target_has_changed: false, streamed: None };
    judge(&pair, t2).outcome
}

#[test]
fn each_pair_of_answers_is_one_finding() {
    let (entry, source, target) = (listed(), source(), target());
    let late = ObjectInfo { last_modified: Some(T2), ..target.clone() };
    let some = Some(&entry);
    for (listed, source, target, t2, want) in [
        (some, None, Some(&target), None, Outcome::Gone),
        (some, None, None, None, Outcome::Gone),
        (some, Some(&source), None, None, Outcome::Missing),
        (some, Some(&source), None, Some(T2), Outcome::Missing),
        (some, Some(&source), Some(&target), None, Outcome::Different),
        (some, Some(&source), Some(&target), Some(T2), Outcome::Different),
        (some, Some(&source), Some(&late), Some(T2), Outcome::NewerAtTarget),
        (some, Some(&source), Some(&late), None, Outcome::Different),
        (None, None, Some(&target), Some(T2), Outcome::ExtraAtTarget),
        (None, None, Some(&late), Some(T2), Outcome::NewerAtTarget),
        (None, None, Some(&late), None, Outcome::ExtraAtTarget),
        (None, None, None, None, Outcome::Changed),
        (None, Some(&source), Some(&target), None, Outcome::Changed),
    ] {
        let found = outcome(listed, source, target, t2);
        assert_eq!(found, want, "{listed:?} {source:?} {target:?} {t2:?}");
    }
}

#[test]
fn equal_is_what_a_digest_of_both_or_our_mark_shows() {
    let entry = listed();
    let md5 = |info: ObjectInfo, byte| ObjectInfo {
        digests: Digests { md5: Some([byte; 16]), ..info.digests },
        ..info
    };
    let mark = |text: &str| marked(target(), text);
    for (source, target, want) in [
        (with_crc(source(), 5), with_crc(target(), 5), Some(Grade::A)),
        (with_crc(source(), 5), with_crc(mark("s"), 6), None),
        (md5(source(), 1), md5(target(), 1), Some(Grade::A)),
        (md5(source(), 1), md5(mark("s"), 2), None),
        (md5(source(), 1), with_crc(mark("s"), 6), Some(Grade::D)),
        (source(), mark("s"), Some(Grade::D)),
        (source(), mark("other"), None),
        (info("served", 7_000), mark("served"), Some(Grade::D)),
        // What the mark names was overwritten since.
        (info("new", 8_000), mark("s"), None),
    ] {
        let pair = Pair {
            listed: Some(&entry),
            source: Some(&source),
            target: Some(&target),
            target_has_changed: false,
            streamed: None,
        };
        assert_eq!(judge(&pair, None).grade, want, "{source:?} {target:?}");
    }
}

#[test]
fn bytes_read_again_decide_where_the_servers_say_little() {
    let streamed = Streamed { bytes: 3, crc64_ecma: 5, crc64_nvme: None };
    let entry = listed();
    for (target, want) in [
        (with_crc(target(), 5), (Outcome::Equal, Some(Grade::C))),
        (with_crc(marked(target(), "s"), 6), (Outcome::Different, None)),
        (target(), (Outcome::Different, None)),
        (marked(target(), "s"), (Outcome::Equal, Some(Grade::D))),
    ] {
        let source = source();
        let pair = Pair {
            listed: Some(&entry),
            source: Some(&source),
            target: Some(&target),
            target_has_changed: false,
            streamed: Some(&streamed),
        };
        let found = judge(&pair, None);
        assert_eq!((found.outcome, found.grade), want, "{target:?}");
    }
}

#[test]
fn what_changed_since_it_was_listed_is_no_difference() {
    fn changed(
        target_has_changed: bool,
        source: Option<&ObjectInfo>,
        target: Option<&ObjectInfo>,
    ) -> Finding {
        let entry = listed();
        let listed = Some(&entry);
        judge(&Pair { listed, source, target, target_has_changed, streamed: None }, None)
    }
    let (later, target) = (info("s2", 8_000), target());
    assert_eq!(changed(false, Some(&later), Some(&target)).outcome, Outcome::Changed);
    assert_eq!(changed(false, Some(&later), None).outcome, Outcome::Changed);
    assert_eq!(changed(true, Some(&source()), None).outcome, Outcome::Changed);
    let found = changed(true, Some(&source()), Some(&target));
    assert!(found.reason.unwrap().starts_with("changed at the target"), "it is said which");
    // Equal is equal, whenever it became so.
    let (later, target) = (with_crc(later, 5), with_crc(target, 5));
    assert_eq!(changed(true, Some(&later), Some(&target)).outcome, Outcome::Equal);
}

#[test]
fn a_share_is_written_and_read_as_per_cent() {
    for (text, want) in [
        ("5%", Some("5%")),
        ("100%", Some("100%")),
        ("0.25%", Some("0.25%")),
        ("0.0001%", Some("0.0001%")),
        ("12.50%", Some("12.5%")),
        ("0%", None),
        ("0.0%", None),
        ("101%", None),
        ("100.0001%", None),
        ("5", None),
        ("%", None),
        (".5%", None),
        ("5.%", None),
        ("-5%", None),
        ("+5%", None),
        ("1.00001%", None),
    ] {
        let read = Share::from_text(text).map(|share| share.to_string());
        assert_eq!(read.as_deref(), want, "{text}");
    }
}

#[test]
fn a_share_is_about_as_many_keys_of_any_kind() {
    let share = Share::from_text("10%").unwrap();
    let spellings: [fn(u32) -> String; 3] =
        [|n| format!("{n:08}"), |n| format!("a/{n}/photo.jpg"), |n| format!("{:x}", n * 7_919)];
    for spelled in spellings {
        let held = (0..20_000).filter(|n| share.holds(&Key::from(spelled(*n)))).count();
        assert!((1_800..2_200).contains(&held), "{held} of 20000 like {}", spelled(1));
    }
}

fn infos() -> impl Strategy<Value = ObjectInfo> {
    let digest = || prop::option::of(0_u64..3);
    let md5 = prop::option::of((0_u8..2).prop_map(|byte| [byte; 16]));
    (0_u64..3, 0_i64..4, digest(), md5, prop::option::of("[st]")).prop_map(
        |(size, time, crc64_ecma, md5, mark)| {
            let digests = Digests { crc64_ecma, md5, crc64_nvme: None };
            let info = ObjectInfo { size, digests, ..info("s", time * 30_000) };
            mark.map_or(info.clone(), |mark| marked(info, &mark))
        },
    )
}

proptest! {
    #[test]
    fn of_two_shares_the_less_is_in_the_more(key: Vec<u8>, one in 1..=MILLION, other in 1..=MILLION) {
        let (key, less, more) = (Key::new(key), one.min(other), one.max(other));
        prop_assert!(!Share(less).holds(&key) || Share(more).holds(&key));
        prop_assert!(Share(MILLION).holds(&key));
    }

    #[test]
    fn no_answers_are_called_equal_that_contradict_each_other(
        source in prop::option::of(infos()),
        target in prop::option::of(infos()),
        is_listed: bool,
        target_has_changed: bool,
        read in prop::option::of(0_u64..3),
        t2 in prop::option::of(Just(T2)),
    ) {
        let entry = listed();
        let streamed = read.zip(source.as_ref()).map(|(crc64_ecma, source)| {
            Streamed { bytes: source.size, crc64_ecma, crc64_nvme: None }
        });
        let pair = Pair {
            listed: is_listed.then_some(&entry),
            source: source.as_ref(),
            target: target.as_ref(),
            target_has_changed,
            streamed: streamed.as_ref(),
        };
        let found = judge(&pair, t2);
        prop_assert!(found.outcome.is_finding() || found.outcome == Outcome::Gone);
        prop_assert_eq!(found.outcome == Outcome::Equal, found.grade.is_some());
        prop_assert!(found.outcome == Outcome::Equal || found.reason.is_some());
        if let (Outcome::Equal, Some(source), Some(target)) = (found.outcome, &source, &target) {
            prop_assert_eq!(source.size, target.size);
            let crcs = source.digests.crc64_ecma.zip(target.digests.crc64_ecma);
            prop_assert!(crcs.is_none_or(|(one, other)| one == other));
            let read = read.zip(target.digests.crc64_ecma);
            prop_assert!(read.is_none_or(|(one, other)| one == other));
        }
        if found.outcome == Outcome::NewerAtTarget {
            prop_assert!(t2.is_some(), "dates of two clocks are not compared");
        }
    }
}
