use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::{ByteRange, ETag, ObjectHeaders, Pin};
use ossferry_core::ports::ListStart;
use ossferry_core::time::Timestamp;
use std::time::Duration;

use super::{SourceFixture, list, put};
use crate::objects::{fresh_prefix, key, read, request, some_bytes};

/// Clocks of one store differ by less.
const CLOCK_MARGIN: Duration = Duration::from_mins(10);

/// The bytes of an object opened under a pin.
pub(super) async fn read_pinned(
    fixture: &dyn SourceFixture,
    key: &Key,
    etag: Option<ETag>,
    range: Option<ByteRange>,
) -> Result<Bytes, PortError> {
    let pin = Pin { etag: etag.expect("an object without an ETag can't be pinned") };
    let open = fixture.source().open(key, &pin, range).await?;
    read(open.body).await
}

async fn etag(fixture: &dyn SourceFixture, key: &Key) -> Option<ETag> {
    fixture.source().head(key).await.expect("head").etag
}

pub async fn size_and_etag_agree_in_list_head_and_open(fixture: &dyn SourceFixture) {
    let prefix = fresh_prefix();
    for (name, length) in [("empty", 0), ("small", 5), ("large", 3_000_000)] {
        put(fixture, &prefix, name, some_bytes(1, length)).await;
    }
    let entries = list(fixture, &prefix, 10).await;
    assert_eq!(entries.len(), 3);
    for entry in entries {
        let info = fixture.source().head(&entry.key).await.expect("head");
        assert_eq!((info.size, &info.etag), (entry.size, &entry.etag), "{}", entry.key);
        let pin = Pin { etag: entry.etag.expect("a listed ETag") };
        let open = fixture.source().open(&entry.key, &pin, None).await.expect("open");
        assert_eq!((open.info.size, open.info.etag), (info.size, info.etag), "{}", entry.key);
        assert_eq!(read(open.body).await.expect("read").len() as u64, entry.size);
    }
}

pub async fn an_object_is_read_whole(fixture: &dyn SourceFixture) {
    let prefix = fresh_prefix();
    // Around the sizes that adapters read at once.
    for length in [1, 4_096, 262_143, 262_144, 262_145, 5_000_001] {
        let bytes = some_bytes(2, length);
        let key = put(fixture, &prefix, &format!("{length}"), bytes.clone()).await;
        let etag = etag(fixture, &key).await;
        let read = read_pinned(fixture, &key, etag, None).await.expect("read");
        assert!(read == bytes, "{length} bytes came back as others");
    }
}

pub async fn ranges_of_an_object_are_read(fixture: &dyn SourceFixture) {
    let bytes = some_bytes(3, 1_000_000);
    let key = put(fixture, &fresh_prefix(), "object", bytes.clone()).await;
    let etag = etag(fixture, &key).await;
    for (start, length) in
        [(0, 1), (0, 1_000_000), (1, 999_999), (999_999, 1), (262_144, 262_144), (300_000, 600_001)]
    {
        let range = ByteRange { start: start as u64, bytes: length as u64 };
        let read = read_pinned(fixture, &key, etag.clone(), Some(range)).await.expect("read");
        assert!(read == bytes[start..start + length], "{length} bytes from {start}");
    }
    let pin = Pin { etag: etag.expect("an ETag") };
    let range = Some(ByteRange { start: 10, bytes: 5 });
    let open = fixture.source().open(&key, &pin, range).await.expect("open");
    assert_eq!(open.info.size, 1_000_000, "the size is that of the whole object");
    let beyond = Some(ByteRange { start: 999_999, bytes: 2 });
    let read = match fixture.source().open(&key, &pin, beyond).await {
        Ok(open) => read(open.body).await,
        Err(error) => Err(error),
    };
    assert!(read.is_err(), "a range that ends after the object was read");
}

pub async fn an_empty_object_is_read(fixture: &dyn SourceFixture) {
    let key = put(fixture, &fresh_prefix(), "empty", Bytes::new()).await;
    let etag = etag(fixture, &key).await;
    assert_eq!(read_pinned(fixture, &key, etag, None).await.expect("read"), Bytes::new());
}

fn refused_as(result: Result<Bytes, PortError>, kind: ErrorKind) {
    assert_eq!(result.expect_err("it is to be refused").kind, kind);
}

pub async fn another_pin_is_refused(fixture: &dyn SourceFixture) {
    let key = put(fixture, &fresh_prefix(), "object", some_bytes(4, 1_000)).await;
    let other = Some(ETag::new("\"0123456789abcdef0123456789abcdef\""));
    let range = ByteRange { start: 1, bytes: 5 };
    for range in [None, Some(range)] {
        let read = read_pinned(fixture, &key, other.clone(), range).await;
        refused_as(read, ErrorKind::PreconditionFailed);
    }
}

pub async fn an_overwritten_object_is_refused_under_its_old_pin(fixture: &dyn SourceFixture) {
    let prefix = fresh_prefix();
    let key = put(fixture, &prefix, "object", some_bytes(5, 1_000)).await;
    let old = etag(fixture, &key).await;
    // As many bytes: the size alone must not do.
    let bytes = some_bytes(6, 1_000);
    put(fixture, &prefix, "object", bytes.clone()).await;
    let new = etag(fixture, &key).await;
    assert_ne!(old, new);
    refused_as(read_pinned(fixture, &key, old, None).await, ErrorKind::PreconditionFailed);
    assert_eq!(read_pinned(fixture, &key, new, None).await.expect("read"), bytes);
}

pub async fn what_is_not_there_is_no_such_key(fixture: &dyn SourceFixture) {
    let prefix = fresh_prefix();
    let key_put = put(fixture, &prefix, "folder/object", some_bytes(7, 10)).await;
    let pin = etag(fixture, &key_put).await;
    fixture.delete(&key_put).await;
    put(fixture, &prefix, "file", some_bytes(7, 10)).await;
    for rest in ["folder/object", "folder", "folder/", "other", "file/x", "file/", "./file", "a//b"]
    {
        if fixture.folds_keys() && !["folder/object", "other", "file/x"].contains(&rest) {
            continue;
        }
        let missing = key(&prefix, rest);
        let error = fixture.source().head(&missing).await.expect_err("nothing is there");
        assert_eq!(error.kind, ErrorKind::NoSuchKey, "{missing}: {error}");
        refused_as(read_pinned(fixture, &missing, pin.clone(), None).await, ErrorKind::NoSuchKey);
    }
    assert_eq!(list(fixture, &format!("{prefix}folder"), 10).await, []);
}

pub async fn headers_are_carried(fixture: &dyn SourceFixture) {
    let key = key(&fresh_prefix(), "object.txt");
    let headers = ObjectHeaders {
        content_type: Some("text/plain".to_owned()),
        cache_control: Some("max-age=60, public".to_owned()),
        content_disposition: Some("attachment; filename=\"a b.txt\"".to_owned()),
        content_encoding: Some("identity".to_owned()),
        content_language: Some("de, en".to_owned()),
        expires: Some("Thu, 01 Dec 2033 16:00:00 GMT".to_owned()),
        user_metadata: vec![
            ("colour".to_owned(), "blue + green %41".to_owned()),
            ("two-words".to_owned(), "a  b".to_owned()),
        ],
    };
    fixture.put(&key, Bytes::from_static(b"text"), &headers).await;
    let expected = fixture.carried(&key, &headers);
    let mut info = fixture.source().head(&key).await.expect("head");
    info.headers.user_metadata.sort_unstable();
    assert_eq!(info.headers, expected, "by head");
    let pin = Pin { etag: info.etag.expect("an ETag") };
    let mut open = fixture.source().open(&key, &pin, None).await.expect("open");
    open.info.headers.user_metadata.sort_unstable();
    assert_eq!(open.info.headers, expected, "by open");
}

pub async fn objects_are_read_side_by_side(fixture: &dyn SourceFixture) {
    let prefix = fresh_prefix();
    let mut objects = Vec::new();
    for seed in 0..8 {
        let bytes = some_bytes(seed, 700_000);
        objects.push((put(fixture, &prefix, &format!("{seed}"), bytes.clone()).await, bytes));
    }
    join_all(objects.iter().map(|(key, bytes)| async move {
        let etag = etag(fixture, key).await;
        let read = read_pinned(fixture, key, etag, None).await.expect("read");
        assert!(read == *bytes, "{key}: another's bytes");
    }))
    .await;
}

pub async fn the_clock_agrees_with_the_dates_of_new_objects(fixture: &dyn SourceFixture) {
    let prefix = fresh_prefix();
    let key = put(fixture, &prefix, "new", Bytes::from_static(b"1")).await;
    let now = fixture.source().now().await.expect("now");
    if fixture.is_undated() {
        assert_eq!(now, Timestamp(0), "no object is older than that");
        return;
    }
    let listed = list(fixture, &prefix, 1).await[0].last_modified;
    let head = fixture.source().head(&key).await.expect("head").last_modified;
    for date in [listed, head].into_iter().flatten() {
        assert!(date < now.plus(CLOCK_MARGIN) && now < date.plus(CLOCK_MARGIN), "{date}, {now}");
    }
    assert!(listed.or(head).is_some(), "an object without a date");
}

pub async fn requests_are_counted(fixture: &dyn SourceFixture) {
    let prefix = fresh_prefix();
    let key = put(fixture, &prefix, "object", Bytes::from_static(b"1")).await;
    let meter = Arc::new(Meter::default());
    let source = fixture.source().metered(meter.clone());
    source.list(&request(&prefix, ListStart::Beginning, 10)).await.expect("list");
    assert_eq!(meter.take().values().sum::<u64>(), fixture.page_requests(), "of one page");
    let etag = source.head(&key).await.expect("head").etag.expect("an ETag");
    assert_eq!(meter.take().values().sum::<u64>(), 1, "one head is one request");
    let open = source.open(&key, &Pin { etag }, None).await.expect("open");
    read(open.body).await.expect("read");
    assert_eq!(meter.take().values().sum::<u64>(), fixture.object_requests(), "of one object");
    fixture.source().head(&key).await.expect("head");
    assert!(meter.take().is_empty(), "another's request was counted");
}
