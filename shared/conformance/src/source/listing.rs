use bytes::Bytes;
use ossferry_core::key::Key;
use ossferry_core::object::ObjectHeaders;
use ossferry_core::ports::{ListStart, ListingOrder};

use super::{SourceFixture, list, put};
use crate::objects::{fresh_prefix, key, keys, request, sorted};

/// Keys around the places where orders differ: by segments, by UTF-16, without case.
const ORDERED: [&str; 18] = [
    "A",
    "B",
    "a",
    "a-b",
    "a.b",
    "a/b",
    "a/b-c",
    "a/b.c/d",
    "a0",
    "ab",
    "b/1",
    "b/10",
    "b/2",
    "z",
    "~",
    "\u{e9}",
    "\u{FFFD}",
    "\u{1F600}",
];

/// Those of [`ORDERED`] that can stand beside each other there.
async fn put_ordered(fixture: &dyn SourceFixture, prefix: &str) -> Vec<Key> {
    let mut held = Vec::new();
    for rest in ORDERED {
        // A file can't lie where a folder must: `a` beside `a/b`.
        let name = if rest.contains('/') { format!("x{rest}") } else { rest.to_owned() };
        if fixture.can_hold(&key(prefix, &name)) {
            held.push(put(fixture, prefix, &name, Bytes::from_static(b"1")).await);
        }
    }
    for rest in ["d/e", "d-e", "d.e", "d0"] {
        held.push(put(fixture, prefix, rest, Bytes::from_static(b"1")).await);
    }
    sorted(held)
}

fn trusts_ranges(fixture: &dyn SourceFixture) -> bool {
    fixture.source().profile().order == ListingOrder::Bytes
}

pub async fn every_key_is_listed_once_over_small_pages(fixture: &dyn SourceFixture) {
    let prefix = fresh_prefix();
    let put = put_ordered(fixture, &prefix).await;
    for keys_max in [1, 3, 7, 1_000] {
        assert_eq!(sorted(keys(&list(fixture, &prefix, keys_max).await)), put, "{keys_max} a page");
    }
}

pub async fn a_prefix_without_objects_lists_nothing(fixture: &dyn SourceFixture) {
    assert_eq!(list(fixture, &fresh_prefix(), 3).await, []);
}

pub async fn a_listing_holds_only_its_prefix(fixture: &dyn SourceFixture) {
    let prefix = fresh_prefix();
    let put = put_ordered(fixture, &prefix).await;
    for rest in ["", "a", "a-", "d", "d/", "d/e", "d/e/", "xb/1", "xb/10", "xa/b", "no", "\u{e9}"] {
        let prefix = format!("{prefix}{rest}");
        let begin_so = |key: &&Key| key.starts_with(prefix.as_bytes());
        let expected: Vec<_> = put.iter().filter(begin_so).cloned().collect();
        assert_eq!(sorted(keys(&list(fixture, &prefix, 2).await)), expected, "prefix {prefix}");
    }
}

pub async fn keys_come_in_the_order_of_their_bytes(fixture: &dyn SourceFixture) {
    let prefix = fresh_prefix();
    let put = put_ordered(fixture, &prefix).await;
    if trusts_ranges(fixture) {
        assert_eq!(keys(&list(fixture, &prefix, 5).await), put);
    }
}

pub async fn a_listing_begins_after_any_key(fixture: &dyn SourceFixture) {
    if !trusts_ranges(fixture) {
        return;
    }
    let prefix = fresh_prefix();
    let put = put_ordered(fixture, &prefix).await;
    let between = [
        "",
        "!",
        "a!",
        "d",
        "d-",
        "d/",
        "d/d",
        "d/e",
        "d/ez",
        "d/f",
        "d0",
        "x",
        "xa",
        "xa/",
        "xa/b",
        "xa/b.",
        "xa/b.c",
        "xa/b.c/",
        "xb",
        "xb/1",
        "xb/11",
        "xc",
        "\u{1F680}",
    ];
    let starts = between.iter().map(|rest| key(&prefix, rest)).chain(put.clone());
    let beyond = [Key::from(""), Key::from(prefix.trim_end_matches('/')), Key::from("~~~")];
    for start in starts.chain(beyond) {
        let expected: Vec<_> = put.iter().filter(|key| **key > start).take(4).cloned().collect();
        let request = request(&prefix, ListStart::After(start.clone()), 4);
        let page = fixture.source().list(&request).await.expect("list");
        assert_eq!(keys(&page.entries), expected, "after {start}");
    }
}

pub async fn pages_begin_after_the_last_key_as_they_do_by_token(fixture: &dyn SourceFixture) {
    if !trusts_ranges(fixture) {
        return;
    }
    let prefix = fresh_prefix();
    let put = put_ordered(fixture, &prefix).await;
    let (mut listed, mut start) = (Vec::new(), ListStart::Beginning);
    loop {
        let page = fixture.source().list(&request(&prefix, start, 3)).await.expect("list");
        listed.extend(keys(&page.entries));
        if page.next.is_none() {
            break;
        }
        let last = listed.last().expect("a page before the last holds keys").clone();
        start = ListStart::After(last);
    }
    assert_eq!(listed, put);
}

pub async fn special_keys_are_listed_and_read_byte_for_byte(fixture: &dyn SourceFixture) {
    let prefix = fresh_prefix();
    let mut keys_put = crate::special_keys(&prefix);
    keys_put.retain(|key| fixture.can_hold(key));
    for key in &keys_put {
        let bytes = Bytes::copy_from_slice(key.as_bytes());
        fixture.put(key, bytes, &ObjectHeaders::default()).await;
    }
    let keys_put = sorted(keys_put);
    // Each of them ends a page once.
    for keys_max in [1, 7, 1_000] {
        assert_eq!(sorted(keys(&list(fixture, &prefix, keys_max).await)), keys_put, "{keys_max}");
    }
    for entry in list(fixture, &prefix, 1_000).await {
        let info = fixture.source().head(&entry.key).await.expect("head");
        assert_eq!(info.size, entry.key.len() as u64, "{}", entry.key);
        // What it holds is its key: another's bytes would show.
        let bytes = super::reading::read_pinned(fixture, &entry.key, info.etag, None).await;
        assert_eq!(bytes.expect("read"), entry.key.as_bytes(), "{}", entry.key);
    }
}
