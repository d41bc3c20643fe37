//! Tables of decisions, and what holds over all of them.

use super::Verdict::{
    Copy, NeedHead, NeedLedger, NeedSourceHead, Record, SkipDeleted, SkipEqual, SkipExists,
};
use super::*;
use crate::fidelity::Properties;
use crate::key::OSS_KEY_BYTES_MAX;
use crate::object::ObjectHeaders;

const MD5: &str = "d41d8cd98f00b204e9800998ecf8427e";
const OTHER_MD5: &str = "0cc175b9c0f1b6a831c399e269772661";
const MULTIPART: &str = "d41d8cd98f00b204e9800998ecf8427e-3";

fn entry(size: u64, etag: &str, time: i64) -> Entry {
    Entry {
        key: Key::from("k"),
        size,
        etag: (!etag.is_empty()).then(|| ETag::new(etag)),
        last_modified: Some(Timestamp(time)),
        storage_class: None,
        archived: false,
    }
}

fn info(of: &Entry) -> ObjectInfo {
    ObjectInfo {
        size: of.size,
        etag: of.etag.clone(),
        last_modified: of.last_modified,
        content_modified: None,
        digests: Digests::default(),
        headers: ObjectHeaders::default(),
        storage_class: None,
        mirrored: false,
        beyond: Properties::default(),
    }
}

fn replaces(etag: &str) -> Verdict {
    Copy { expected_target: Some(ETag::new(etag)), forbid_overwrite: false }
}

fn creates(forbid_overwrite: bool) -> Verdict {
    Copy { expected_target: None, forbid_overwrite }
}

fn comparable() -> Context {
    Context { comparable: true, ..Context::default() }
}

fn decided(context: Context, source: &Entry, target: Option<&Entry>) -> Verdict {
    decide(&context, Past::default(), source, &Key::from("k"), target)
}

#[test]
fn before_t2_the_source_wins_and_the_cheapest_test_decides() {
    let since = |time| Context { since: Some(Timestamp(time)), ..comparable() };
    let unlike = |time| Context { comparable: false, ..since(time) };
    for (context, source, target, verdict) in [
        (comparable(), (3, MD5), None, creates(false)),
        (comparable(), (3, MD5), Some((3, MD5)), SkipEqual),
        (comparable(), (3, MD5), Some((4, MD5)), replaces(MD5)),
        (comparable(), (3, MD5), Some((3, OTHER_MD5)), NeedHead),
        (comparable(), (3, MULTIPART), Some((3, MULTIPART)), NeedHead),
        (comparable(), (3, MULTIPART), Some((4, OTHER_MD5)), replaces(OTHER_MD5)),
        (comparable(), (3, ""), Some((3, MD5)), NeedHead),
        // A date helps where ETags are silent, and never against them.
        (since(11), (3, MULTIPART), Some((3, MD5)), SkipEqual),
        (since(10), (3, MULTIPART), Some((3, MD5)), NeedHead),
        (since(11), (3, MULTIPART), Some((4, MD5)), replaces(MD5)),
        (since(11), (3, MD5), Some((3, OTHER_MD5)), NeedHead),
        (unlike(11), (3, MD5), Some((3, OTHER_MD5)), SkipEqual),
        (unlike(10), (3, MD5), Some((3, MD5)), NeedHead),
    ] {
        let source = entry(source.0, source.1, 10);
        let target = target.map(|(size, etag)| entry(size, etag, 5));
        assert_eq!(decided(context, &source, target.as_ref()), verdict, "{context:?} {target:?}");
    }
    let upper = entry(3, &MD5.to_ascii_uppercase(), 5);
    assert_eq!(decided(comparable(), &entry(3, MD5, 10), Some(&upper)), SkipEqual);
}

#[test]
fn an_outstanding_key_trusts_no_date() {
    let context = Context { since: Some(Timestamp(99)), ..Context::default() };
    let past = Past { is_outstanding: true, ..Past::default() };
    let (source, target) = (entry(3, "", 10), entry(3, MD5, 50));
    let key = Key::from("k");
    assert_eq!(decide(&context, past, &source, &key, Some(&target)), NeedHead);
    let ossimport = Context { policy: Some(Overwrite::SizeAndTime), ..context };
    assert_eq!(decide(&ossimport, past, &source, &key, Some(&target)), NeedHead);
    assert_eq!(decided(ossimport, &source, Some(&target)), SkipEqual);
}

#[test]
fn policies_decide_as_they_are_named() {
    use Overwrite::{Always, Never, SizeAndTime, SourceWins};
    // Policy, target's size, ETag and date; the source has 3 bytes, MD5 and date 10.
    for (policy, target, verdict) in [
        (SourceWins, Some((4, OTHER_MD5, 99)), replaces(OTHER_MD5)),
        (Never, None, creates(true)),
        (Never, Some((3, MD5, 5)), SkipEqual),
        (Never, Some((3, OTHER_MD5, 5)), SkipExists),
        (Never, Some((4, MULTIPART, 5)), SkipExists),
        (SizeAndTime, None, creates(false)),
        (SizeAndTime, Some((3, OTHER_MD5, 10)), SkipEqual),
        (SizeAndTime, Some((3, OTHER_MD5, 9)), replaces(OTHER_MD5)),
        (SizeAndTime, Some((3, MD5, 9)), SkipEqual),
        (SizeAndTime, Some((4, OTHER_MD5, 99)), replaces(OTHER_MD5)),
        (Always, None, creates(false)),
        (Always, Some((3, MD5, 99)), replaces(MD5)),
    ] {
        let context = Context { policy: Some(policy), ..comparable() };
        let target = target.map(|(size, etag, time)| entry(size, etag, time));
        let verdict_found = decided(context, &entry(3, MD5, 10), target.as_ref());
        assert_eq!(verdict_found, verdict, "{policy:?} {target:?}");
    }
}

#[test]
fn after_t2_the_applications_objects_are_left_alone() {
    let context = Context { t2: Some(Timestamp(100)), ..comparable() };
    let source = entry(3, MD5, 500);
    let past = |copies| Past { copies, ..Past::default() };
    assert_eq!(decided(context, &source, None), NeedHead, "the listing is a moment old");
    let missing = |copies| decide_after_head(&context, past(copies), &source, None, None);
    assert_eq!(missing(Copies::NotAsked), NeedLedger);
    assert_eq!(missing(Copies::Never), creates(true));
    for copies in [Copies::Earlier, Copies::SinceT2] {
        assert_eq!(missing(copies), SkipDeleted, "{copies:?}");
        let before = decide(&comparable(), past(copies), &source, &Key::from("k"), None);
        assert_eq!(before, creates(false), "before t2 the target is ours");
    }

    let older = entry(4, OTHER_MD5, 99);
    assert_eq!(decided(context, &source, Some(&older)), replaces(OTHER_MD5));
    let newer = entry(4, OTHER_MD5, 100);
    for policy in [None, Some(Overwrite::Always), Some(Overwrite::SizeAndTime)] {
        let context = Context { policy, ..context };
        assert_eq!(decided(context, &source, Some(&newer)), NeedHead, "{policy:?}");
        let after = |info: &ObjectInfo, copies| {
            decide_after_head(&context, past(copies), &source, Some(info), None)
        };
        let theirs = info(&newer);
        let mirrored = ObjectInfo { mirrored: true, ..info(&newer) };
        let mut marked = info(&newer);
        marked.headers.user_metadata = vec![(PROVENANCE_NAME.to_owned(), "another".to_owned())];
        for copies in [Copies::NotAsked, Copies::Never, Copies::Earlier, Copies::SinceT2] {
            assert!(matches!(after(&theirs, copies), Record(Outcome::Kept, _)), "{policy:?}");
            assert_eq!(after(&mirrored, copies), replaces(OTHER_MD5), "{policy:?}");
            let of_marked = after(&marked, copies);
            match copies {
                Copies::NotAsked => assert_eq!(of_marked, NeedLedger),
                Copies::SinceT2 => assert_eq!(of_marked, replaces(OTHER_MD5)),
                // The application copied an object of ours under another name.
                _ => assert!(matches!(of_marked, Record(Outcome::Kept, _)), "{of_marked:?}"),
            }
        }
    }
    assert_eq!(decided(context, &source, Some(&entry(3, MD5, 100))), SkipEqual);
    let undated = Entry { last_modified: None, ..newer };
    assert_eq!(decided(context, &source, Some(&undated)), NeedHead);
}

#[test]
fn what_stands_since_t2_is_written_over_only_where_nobody_but_us_wrote_it() {
    let listed = info(&entry(3, MD5, 500));
    let mut marked = listed.clone();
    marked.headers.user_metadata = vec![(PROVENANCE_NAME.to_owned(), MULTIPART.to_owned())];
    let (same, other) = (ETag::new(MD5), ETag::new(OTHER_MD5));
    assert!(is_ours_since_t2(&marked, Some(&same)));
    assert!(!is_ours_since_t2(&marked, Some(&other)), "another was written since");
    assert!(!is_ours_since_t2(&marked, None));
    assert!(!is_ours_since_t2(&listed, Some(&same)), "the application wrote the same bytes");
    assert!(is_ours_since_t2(&ObjectInfo { mirrored: true, ..listed }, None));
}

#[test]
fn a_head_shows_provenance_or_equal_digests() {
    let source = entry(3, MULTIPART, 10);
    let listed = entry(3, OTHER_MD5, 5);
    let context = Context { source_reports_crc64_ecma: true, ..comparable() };
    let after = |context: &Context, info: Option<&ObjectInfo>, digests: Option<&Digests>| {
        decide_after_head(context, Past::default(), &source, info, digests)
    };
    let ecma = |crc| Digests { crc64_ecma: Some(crc), ..Digests::default() };

    let mut marked = info(&listed);
    marked.headers.user_metadata = vec![(PROVENANCE_NAME.to_owned(), MULTIPART.to_owned())];
    assert_eq!(after(&context, Some(&marked), None), SkipEqual);
    marked.headers.user_metadata[0].1 = OTHER_MD5.to_owned();
    assert_eq!(after(&context, Some(&marked), None), replaces(OTHER_MD5));
    let longer = ObjectInfo { size: 4, ..marked.clone() };
    assert_eq!(after(&context, Some(&longer), None), replaces(OTHER_MD5));

    let with_crc = ObjectInfo { digests: ecma(7), ..info(&listed) };
    assert_eq!(after(&context, Some(&with_crc), None), NeedSourceHead);
    assert_eq!(after(&comparable(), Some(&with_crc), None), replaces(OTHER_MD5));
    for (digests, verdict) in [
        (ecma(7), SkipEqual),
        (ecma(8), replaces(OTHER_MD5)),
        (Digests::default(), replaces(OTHER_MD5)),
    ] {
        assert_eq!(after(&context, Some(&with_crc), Some(&digests)), verdict);
    }
    assert_eq!(after(&context, None, None), creates(false));
}

#[test]
fn what_oss_cannot_hold_and_what_cannot_be_read_is_recorded() {
    let unsupported = |key: &[u8], size| {
        let verdict = decide(
            &Context::default(),
            Past::default(),
            &entry(size, "", 0),
            &Key::new(key.to_vec()),
            None,
        );
        matches!(verdict, Record(Outcome::Unsupported, _))
    };
    assert!(unsupported(b"/a", 1) && unsupported(&[b'a'; OSS_KEY_BYTES_MAX + 1], 1));
    assert!(unsupported(b"a", OBJECT_BYTES_MAX + 1) && !unsupported(b"a", OBJECT_BYTES_MAX));

    let sunk = Entry { archived: true, ..entry(3, MD5, 10) };
    assert!(matches!(decided(comparable(), &sunk, None), Record(Outcome::Archived, _)));
    let same = entry(3, MD5, 5);
    assert_eq!(decided(comparable(), &sunk, Some(&same)), SkipEqual);
}

#[test]
fn an_archived_object_that_an_earlier_pass_left_undone_is_read_to_see_whether_it_was_restored() {
    let undone = Past { is_outstanding: true, ..Past::default() };
    let other = entry(4, OTHER_MD5, 5);
    let is_archived = |verdict: &Verdict| matches!(verdict, Record(Outcome::Archived, _));
    for (archived, past, target, wanted) in [
        (true, Past::default(), None, None),
        (true, Past::default(), Some(&other), None),
        (true, undone, None, Some(creates(false))),
        (true, undone, Some(&other), Some(replaces(OTHER_MD5))),
        (false, Past::default(), None, Some(creates(false))),
    ] {
        let source = Entry { archived, ..entry(3, MD5, 10) };
        let key = Key::from("k");
        let verdict = decide(&comparable(), past, &source, &key, target);
        match wanted {
            Some(wanted) => assert_eq!(verdict, wanted, "{past:?} {target:?}"),
            None => assert!(is_archived(&verdict), "{past:?} {target:?}"),
        }
    }
}

#[test]
fn the_provenance_is_a_header_and_written_where_etags_are_silent() {
    assert_eq!(provenance_of(&entry(3, MULTIPART, 10)), MULTIPART);
    assert_eq!(provenance_of(&entry(3, "", 10)), "10-3");
    assert_eq!(provenance_of(&entry(3, "é %\n", 10)), "%E9;%20;%25;");
    let plain = ETag::new(MD5);
    assert!(!needs_provenance(true, Some(&plain), false));
    assert!(needs_provenance(false, Some(&plain), false));
    assert!(needs_provenance(true, Some(&plain), true));
    assert!(needs_provenance(true, Some(&ETag::new(MULTIPART)), false));
    assert!(needs_provenance(true, None, false));
}

/// Every combination of what the decision depends on, and the promises that hold over all of them.
#[test]
fn promises_hold_for_every_combination() {
    let policies = [
        None,
        Some(Overwrite::SourceWins),
        Some(Overwrite::Never),
        Some(Overwrite::SizeAndTime),
        Some(Overwrite::Always),
    ];
    let mut seen = 0;
    for bits in 0..1_u32 << 10 {
        let bit = |index: u32| bits >> index & 1 == 1;
        for policy in policies {
            let context = Context {
                policy,
                since: bit(0).then_some(Timestamp(50)),
                comparable: bit(1),
                source_reports_crc64_ecma: false,
                t2: bit(2).then_some(Timestamp(100)),
                restores: false,
            };
            let copies = if bit(4) { Copies::Earlier } else { Copies::Never };
            let past = Past { is_outstanding: bit(3), copies };
            let source =
                Entry { archived: bit(5), ..entry(3, if bit(6) { MD5 } else { MULTIPART }, 40) };
            let target_entry =
                entry(3 + u64::from(bit(7)), if bit(8) { MD5 } else { OTHER_MD5 }, 150);
            let target = bit(9).then_some(&target_entry);
            let mut verdict = decide(&context, past, &source, &Key::from("k"), target);
            if verdict == NeedHead {
                let answer = info(target.expect("nothing is asked where nothing is"));
                verdict = decide_after_head(&context, past, &source, Some(&answer), None);
            }
            let shown = format!("{context:?} {past:?} {source:?} {target:?} -> {verdict:?}");
            seen += 1;
            match &verdict {
                Copy { expected_target, forbid_overwrite } => {
                    assert!(!source.archived || past.is_outstanding, "{shown}");
                    assert_eq!(expected_target.is_some(), target.is_some(), "{shown}");
                    assert!(!forbid_overwrite || target.is_none(), "{shown}");
                    assert!(target.is_none() || policy != Some(Overwrite::Never), "{shown}");
                    // The target's object is dated after T2: only a key it lacks may be written.
                    assert!(context.t2.is_none() || target.is_none(), "{shown}");
                }
                SkipEqual => assert_eq!(target.map(|target| target.size), Some(3), "{shown}"),
                SkipExists => assert_eq!(policy, Some(Overwrite::Never), "{shown}"),
                SkipDeleted => {
                    assert!(context.t2.is_some() && bit(4) && target.is_none(), "{shown}");
                }
                Record(Outcome::Kept, _) => assert!(context.t2.is_some(), "{shown}"),
                Record(outcome, _) => assert_eq!(*outcome, Outcome::Archived, "{shown}"),
                NeedHead | NeedSourceHead | NeedLedger => panic!("undecided: {shown}"),
            }
        }
    }
    assert_eq!(seen, 1_024 * policies.len());
}
