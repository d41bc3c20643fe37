use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use ossferry_core::error::ErrorKind;
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::ports::{ListStart, PutOptions, Target};

use super::{assert_headers, head, headers, list, put, put_with};
use crate::objects::{
    body, broken_body, crc64_ecma, fresh_prefix, key, keys, md5, request, some_bytes, sorted,
};
use crate::special_keys;

/// Clocks of one store differ by less.
const CLOCK_MARGIN: Duration = Duration::from_mins(10);

pub async fn an_object_put_is_found_by_head_and_list(target: &dyn Target) {
    let prefix = fresh_prefix();
    let (object, bytes) = (key(&prefix, "object"), some_bytes(1, 300_000));
    let answer = put(target, &object, &bytes).await;
    let info = head(target, &object).await.expect("the object is there");
    assert_eq!(info.size, 300_000);
    assert_eq!(info.etag, Some(answer.etag));
    assert_eq!(info.digests.crc64_ecma, Some(crc64_ecma(&bytes)));
    let entries = list(target, &prefix, 10).await;
    assert_eq!(keys(&entries), [object]);
    assert_eq!((entries[0].size, &entries[0].etag), (info.size, &info.etag));
    assert!(entries[0].last_modified.is_some() && info.last_modified.is_some());
    assert!(!entries[0].archived);
}

pub async fn put_answers_with_the_digests_of_the_bytes(target: &dyn Target) {
    let prefix = fresh_prefix();
    for length in [1, 1_000, 65_536, 2_500_001] {
        let (object, bytes) = (key(&prefix, &length.to_string()), some_bytes(2, length));
        let answer = put(target, &object, &bytes).await;
        assert_eq!(answer.crc64_ecma, Some(crc64_ecma(&bytes)), "{length} bytes");
        if target.profile().etag_is_md5 {
            assert_eq!(answer.etag.as_md5(), Some(md5(&bytes)), "{length} bytes");
            let digests = head(target, &object).await.expect("the object is there").digests;
            assert_eq!(digests.md5, Some(md5(&bytes)), "{length} bytes");
        }
    }
}

pub async fn an_empty_object_is_put(target: &dyn Target) {
    let object = key(&fresh_prefix(), "empty");
    let answer = put(target, &object, &Bytes::new()).await;
    assert_eq!(answer.crc64_ecma.unwrap_or(0), 0, "the CRC of no bytes");
    assert_eq!(head(target, &object).await.map(|info| info.size), Some(0));
}

pub async fn a_key_without_an_object_is_none(target: &dyn Target) {
    let prefix = fresh_prefix();
    put(target, &key(&prefix, "folder/object"), &Bytes::from_static(b"1")).await;
    for rest in ["absent", "folder", "folder/", "folder/object/"] {
        assert_eq!(head(target, &key(&prefix, rest)).await, None, "{rest}");
    }
    assert_eq!(list(target, &fresh_prefix(), 10).await, []);
}

pub async fn putting_again_replaces_the_object(target: &dyn Target) {
    let object = key(&fresh_prefix(), "object");
    for seed in [3, 4] {
        let bytes = some_bytes(seed, 10_000);
        put(target, &object, &bytes).await;
        let info = head(target, &object).await.expect("the object is there");
        assert_eq!(info.digests.crc64_ecma, Some(crc64_ecma(&bytes)));
    }
}

pub async fn a_wrong_content_md5_is_refused_and_nothing_is_published(target: &dyn Target) {
    let (object, bytes) = (key(&fresh_prefix(), "object"), some_bytes(5, 100_000));
    let wrong = PutOptions { content_md5: Some(md5(b"other bytes")), ..PutOptions::default() };
    let error = put_with(target, &object, &bytes, &wrong).await.expect_err("the MD5 is wrong");
    assert_eq!(error.kind, ErrorKind::DigestMismatch, "{error}");
    assert_eq!(head(target, &object).await, None);
    let right = PutOptions { content_md5: Some(md5(&bytes)), ..PutOptions::default() };
    put_with(target, &object, &bytes, &right).await.expect("the MD5 is right");
    assert!(head(target, &object).await.is_some());
}

pub async fn an_object_is_not_overwritten_where_that_is_forbidden(target: &dyn Target) {
    let (object, first) = (key(&fresh_prefix(), "object"), some_bytes(6, 1_000));
    let forbid = PutOptions { forbid_overwrite: true, ..PutOptions::default() };
    put_with(target, &object, &first, &forbid).await.expect("nothing was there");
    let second = some_bytes(7, 1_000);
    let error = put_with(target, &object, &second, &forbid).await.expect_err("it is there");
    assert_eq!(error.kind, ErrorKind::AlreadyExists, "{error}");
    let info = head(target, &object).await.expect("the object is there");
    assert_eq!(info.digests.crc64_ecma, Some(crc64_ecma(&first)));
}

pub async fn headers_and_user_metadata_are_kept(target: &dyn Target) {
    let object = key(&fresh_prefix(), "object");
    let options = PutOptions { headers: headers(), ..PutOptions::default() };
    let bytes = Bytes::from_static(b"<p>text</p>");
    put_with(target, &object, &bytes, &options).await.expect("put object");
    assert_headers(head(target, &object).await.expect("the object is there"));
}

pub async fn special_keys_are_put_and_listed_byte_for_byte(target: &dyn Target) {
    let prefix = fresh_prefix();
    let specials = sorted(special_keys(&prefix));
    for key in &specials {
        put(target, key, &Bytes::copy_from_slice(key.as_bytes())).await;
    }
    for keys_max in [7, 1_000] {
        assert_eq!(keys(&list(target, &prefix, keys_max).await), specials);
    }
    for key in &specials {
        // What it holds is its key: another's bytes would show.
        let info = head(target, key).await.unwrap_or_else(|| panic!("{key} is not there"));
        assert_eq!(info.digests.crc64_ecma, Some(crc64_ecma(key.as_bytes())), "{key}");
    }
}

pub async fn a_body_that_breaks_publishes_nothing(target: &dyn Target) {
    let prefix = fresh_prefix();
    // All bytes may have come before the error: the request must not end well even then.
    for sent in [0, 150_000, 299_999] {
        let object = key(&prefix, &sent.to_string());
        let bytes = some_bytes(8, sent);
        let options = PutOptions::default();
        let put = target.put(&object, &options, 300_000, broken_body(&bytes)).await;
        put.expect_err("the body breaks");
        assert_eq!(head(target, &object).await, None, "after {sent} bytes");
    }
}

pub async fn a_body_that_ends_early_publishes_nothing(target: &dyn Target) {
    let prefix = fresh_prefix();
    for sent in [0, 150_000, 299_999] {
        let object = key(&prefix, &sent.to_string());
        let bytes = some_bytes(9, sent);
        let put = target.put(&object, &PutOptions::default(), 300_000, body(&bytes)).await;
        put.expect_err("the body ends early");
        assert_eq!(head(target, &object).await, None, "after {sent} bytes");
    }
}

pub async fn a_broken_body_leaves_the_object_that_was_there(target: &dyn Target) {
    let (object, first) = (key(&fresh_prefix(), "object"), some_bytes(10, 200_000));
    put(target, &object, &first).await;
    let second = some_bytes(11, 100_000);
    let put = target.put(&object, &PutOptions::default(), 200_000, broken_body(&second)).await;
    put.expect_err("the body breaks");
    let info = head(target, &object).await.expect("the object is there");
    assert_eq!((info.size, info.digests.crc64_ecma), (200_000, Some(crc64_ecma(&first))));
}

/// Keys around the places where orders differ: by segments, by UTF-16, without case.
async fn put_ordered(target: &dyn Target, prefix: &str) -> Vec<Key> {
    let rests = [
        "A",
        "B",
        "a",
        "a-b",
        "a.b",
        "a/",
        "a/b",
        "a/b-c",
        "a/b/c",
        "a0",
        "ab",
        "b/1",
        "b/10",
        "b/2",
        "~",
        "\u{e9}",
        "\u{FFFD}",
        "\u{1F600}",
    ];
    let keys: Vec<_> = rests.iter().map(|rest| key(prefix, rest)).collect();
    for key in &keys {
        put(target, key, &Bytes::from_static(b"1")).await;
    }
    sorted(keys)
}

pub async fn every_key_is_listed_once_in_the_order_of_its_bytes(target: &dyn Target) {
    let prefix = fresh_prefix();
    let put = put_ordered(target, &prefix).await;
    for keys_max in [1, 3, 7, 1_000] {
        assert_eq!(keys(&list(target, &prefix, keys_max).await), put, "{keys_max} a page");
    }
    for rest in ["a", "a/", "a/b", "b/1", "no"] {
        let prefix = format!("{prefix}{rest}");
        let begin_so = |key: &&Key| key.starts_with(prefix.as_bytes());
        let expected: Vec<_> = put.iter().filter(begin_so).cloned().collect();
        assert_eq!(keys(&list(target, &prefix, 2).await), expected, "prefix {prefix}");
    }
}

pub async fn a_listing_begins_after_any_key(target: &dyn Target) {
    let prefix = fresh_prefix();
    let put = put_ordered(target, &prefix).await;
    let between = ["", "!", "a!", "a/a", "a/b/", "a1", "b", "b/11", "c", "\u{F0000}"];
    let starts = between.iter().map(|rest| key(&prefix, rest)).chain(put.clone());
    for start in starts {
        let expected: Vec<_> = put.iter().filter(|key| **key > start).take(4).cloned().collect();
        let request = request(&prefix, ListStart::After(start.clone()), 4);
        let page = target.list(&request).await.expect("list");
        assert_eq!(keys(&page.entries), expected, "after {start}");
    }
}

pub async fn objects_are_put_side_by_side(target: &dyn Target) {
    let prefix = fresh_prefix();
    let objects: Vec<_> =
        (0..16).map(|seed| (key(&prefix, &seed.to_string()), some_bytes(seed, 200_000))).collect();
    join_all(objects.iter().map(|(key, bytes)| put(target, key, bytes))).await;
    for (key, bytes) in &objects {
        let info = head(target, key).await.expect("the object is there");
        assert_eq!(info.digests.crc64_ecma, Some(crc64_ecma(bytes)), "{key}");
    }
}

pub async fn the_clock_agrees_with_the_dates_of_new_objects(target: &dyn Target) {
    let object = key(&fresh_prefix(), "new");
    let answer = put(target, &object, &Bytes::from_static(b"1")).await;
    let now = target.now().await.expect("now");
    let date = head(target, &object).await.and_then(|info| info.last_modified);
    let date = date.expect("an object has a date");
    for date in [Some(date), answer.at].into_iter().flatten() {
        assert!(date < now.plus(CLOCK_MARGIN) && now < date.plus(CLOCK_MARGIN), "{date}, {now}");
    }
}

pub async fn requests_are_counted(target: &dyn Target) {
    let (prefix, meter) = (fresh_prefix(), Arc::new(Meter::default()));
    let object = key(&prefix, "object");
    let metered = target.metered(meter.clone());
    put(metered.as_ref(), &object, &Bytes::from_static(b"1")).await;
    assert_eq!(meter.take().values().sum::<u64>(), 1, "one object is one request");
    head(metered.as_ref(), &object).await;
    assert_eq!(meter.take().values().sum::<u64>(), 1, "one head is one request");
    metered.list(&request(&prefix, ListStart::Beginning, 10)).await.expect("list");
    assert_eq!(meter.take().values().sum::<u64>(), 1, "one page is one request");
    head(target, &object).await;
    assert!(meter.take().is_empty(), "another's request was counted");
}
