//! The source against a server that answers as told.

#[path = "../../http/tests/scripted/mod.rs"]
mod scripted;

mod bench;

use bench::{Bench, MD5, entry, get_headers, listing, xml};
use futures::TryStreamExt;
use ossferry_aws::{ListVersion, S3Kind};
use ossferry_core::error::{Conclusion, ErrorKind};
use ossferry_core::key::Key;
use ossferry_core::object::{ByteRange, ETag, Pin};
use ossferry_core::ports::{ListRequest, ListStart, ListingOrder, OpenObject, Source};
use scripted::Reply::{self, Answer, Close};
use scripted::answer;

fn pin() -> Pin {
    Pin { etag: ETag::new(MD5) }
}

fn from(start: ListStart) -> ListRequest {
    ListRequest { prefix: Key::default(), start, keys_max: 1_000 }
}

fn refusal(status: &str, code: &str) -> Reply {
    let body = format!("<Error><Code>{code}</Code><RequestId>R9</RequestId></Error>");
    Answer(answer(status, &[], body.as_bytes()))
}

async fn bytes_of(object: OpenObject) -> Result<Vec<u8>, ErrorKind> {
    let chunks: Vec<_> = object.body.try_collect().await.map_err(|error| error.kind)?;
    Ok(chunks.concat())
}

#[tokio::test]
async fn a_body_that_is_cut_is_an_error_after_the_bytes_that_came() {
    let mut reply = answer("200 OK", &get_headers(), b"0123456789");
    reply.truncate(reply.len() - 3);
    let bench = Bench::of(S3Kind::S3, [Close(reply)]).await;
    let object = bench.source.open(&Key::from("k"), &pin(), None).await.unwrap();
    assert_eq!(object.info.size, 10);
    assert_eq!(bytes_of(object).await, Err(ErrorKind::Connection));
}

#[tokio::test]
async fn a_range_that_is_ignored_or_answered_short_is_not_taken() {
    let range = Some(ByteRange { start: 2, bytes: 5 });
    let part = |content_range, body: &[u8]| {
        let headers = [("etag", MD5), ("content-range", content_range)];
        Answer(answer("206 Partial Content", &headers, body))
    };
    let whole = || Answer(answer("200 OK", &get_headers(), b"0123456789"));
    let bench = Bench::of(S3Kind::S3, [whole(), part("bytes 2-5/10", b"2345"), whole()]).await;
    let error = bench.source.open(&Key::from("k"), &pin(), range).await.err().unwrap();
    assert_eq!((error.kind, error.conclusion), (ErrorKind::BadAnswer, Conclusion::Refused));
    assert_eq!(bench.requests("GetObject"), 3, "a store that always does so is not asked for ever");

    let bench = Bench::of(S3Kind::S3, [whole(), part("bytes 2-6/10", b"23456")]).await;
    let object = bench.source.open(&Key::from("k"), &pin(), range).await.unwrap();
    assert_eq!(object.info.size, 10);
    assert_eq!(bytes_of(object).await.unwrap(), b"23456");
    let sent = &bench.server.received()[1];
    assert_eq!(sent.header("range"), Some("bytes=2-6"));
    assert_eq!(sent.header("if-match"), Some(MD5));
    assert_eq!(sent.header("x-amz-checksum-mode"), None, "a range has no checksum of its own");
}

#[tokio::test]
async fn an_object_that_changed_is_told_by_its_tag_and_by_the_store() {
    let other = answer("200 OK", &[("etag", "\"other\"")], b"xy");
    let refused = refusal("412 Precondition Failed", "PreconditionFailed");
    let bench = Bench::of(S3Kind::S3, [Answer(other), refused]).await;
    for requests in 1..=2 {
        let error = bench.source.open(&Key::from("k"), &pin(), None).await.err().unwrap();
        assert_eq!(error.kind, ErrorKind::PreconditionFailed);
        assert_eq!(bench.server.received().len(), requests, "it is not asked again");
    }
}

#[tokio::test]
async fn a_whole_object_comes_with_the_checksum_that_s3_keeps() {
    let mut headers = get_headers();
    headers.push(("x-amz-checksum-crc64nvme", "AAAAAAAAAAE="));
    let bench = Bench::of(S3Kind::S3, [Answer(answer("200 OK", &headers, b"abc"))]).await;
    let object = bench.source.open(&Key::from("k"), &pin(), None).await.unwrap();
    assert_eq!(object.info.digests.crc64_nvme, Some(1));
    assert_eq!(bytes_of(object).await.unwrap(), b"abc");
    let received = bench.server.received();
    assert_eq!(received[0].header("x-amz-checksum-mode"), Some("ENABLED"));
    let signed = received[0].header("authorization").unwrap();
    assert!(signed.contains("host;if-match;x-amz-checksum-mode;x-amz-content-sha256;x-amz-date"));
}

#[tokio::test]
async fn a_throttled_request_is_sent_again_and_both_are_counted() {
    let page = xml(&listing(&entry("k"), None));
    let bench = Bench::of(S3Kind::S3, [refusal("503 Slow Down", "SlowDown"), page]).await;
    let page = bench.source.list(&from(ListStart::Beginning)).await.unwrap();
    assert_eq!(page.entries.len(), 1);
    assert_eq!(bench.requests("ListObjectsV2"), 2);
}

#[tokio::test]
async fn refusals_that_do_not_change_are_told_at_once_with_their_request() {
    for (status, code, kind) in [
        ("403 Forbidden", "InvalidObjectState", ErrorKind::Archived),
        ("403 Forbidden", "SignatureDoesNotMatch", ErrorKind::AccountRefused),
        ("404 Not Found", "NoSuchKey", ErrorKind::NoSuchKey),
        ("404 Not Found", "NoSuchBucket", ErrorKind::NoSuchBucket),
    ] {
        let bench = Bench::of(S3Kind::S3, [refusal(status, code)]).await;
        let error = bench.source.open(&Key::from("k"), &pin(), None).await.err().unwrap();
        assert_eq!((error.kind, error.conclusion), (kind, Conclusion::Refused));
        assert_eq!(error.request_id.as_deref(), Some("R9"));
        assert_eq!(bench.server.received().len(), 1);
    }
}

#[tokio::test]
async fn keys_arrive_in_the_request_line_byte_for_byte() {
    for (key, target) in [
        (&b"a/../b"[..], "/bucket/a/../b"),
        (b"../x", "/bucket/../x"),
        (b".", "/bucket/."),
        (b"/a//b/", "/bucket//a//b/"),
        (b"a b+%\x01\xc3\xa9", "/bucket/a%20b%2B%25%01%C3%A9"),
        (b"q?x#y", "/bucket/q%3Fx%23y"),
    ] {
        let bench = Bench::of(S3Kind::S3, [Answer(answer("200 OK", &get_headers(), b""))]).await;
        bench.source.head(&Key::new(key)).await.unwrap();
        assert_eq!(bench.server.received()[0].target(), target);
    }
    let bench = Bench::of(S3Kind::S3, []).await;
    let error = bench.source.head(&Key::default()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(bench.server.received().is_empty(), "without a key the bucket itself is meant");
}

#[tokio::test]
async fn a_listing_is_walked_page_by_page_and_its_keys_are_decoded() {
    let url = "<EncodingType>url</EncodingType>";
    let first = listing(&format!("{url}{}{}", entry("a+b"), entry("a%2Bb%01")), Some("t/1+="));
    let bench = Bench::of(S3Kind::S3, [xml(&first), xml(&listing(&entry("c\u{2}"), None))]).await;
    let page = bench.source.list(&from(ListStart::Beginning)).await.unwrap();
    let keys: Vec<_> = page.entries.iter().map(|entry| entry.key.as_bytes().to_vec()).collect();
    assert_eq!(keys, [&b"a b"[..], b"a+b\x01"]);
    let page = bench.source.list(&from(ListStart::Token(page.next.unwrap()))).await.unwrap();
    assert_eq!(page.entries[0].key, Key::from("c\u{2}"));
    assert_eq!(page.next, None);
    let received = bench.server.received();
    assert_eq!(
        received[1].target(),
        "/bucket/?continuation-token=t%2F1%2B%3D&encoding-type=url&list-type=2&max-keys=1000&prefix="
    );
}

#[tokio::test]
async fn s3_is_asked_what_was_restored_and_no_other_store_is() {
    for (kind, version, asked) in [
        (S3Kind::S3, ListVersion::V2, Some("RestoreStatus")),
        (S3Kind::S3, ListVersion::V1, None),
        (S3Kind::Cos, ListVersion::V1, None),
        (S3Kind::Compatible, ListVersion::V2, None),
    ] {
        let archived = entry("k").replace(
            "</Contents>",
            "<StorageClass>GLACIER</StorageClass><RestoreStatus>\
             <IsRestoreInProgress>false</IsRestoreInProgress>\
             <RestoreExpiryDate>2026-12-01T00:00:00.000Z</RestoreExpiryDate></RestoreStatus>\
             </Contents>",
        );
        let bench = Bench::with(kind, [xml(&listing(&archived, None))], |options| {
            options.list_version = version;
        })
        .await;
        let page = bench.source.list(&from(ListStart::Beginning)).await.unwrap();
        assert!(!page.entries[0].archived);
        let sent = &bench.server.received()[0];
        assert_eq!(sent.header("x-amz-optional-object-attributes"), asked, "{kind:?}");
        let signed = sent.header("authorization").unwrap();
        assert_eq!(signed.contains("x-amz-optional-object-attributes"), asked.is_some());
    }
}

#[tokio::test]
async fn a_page_that_comes_again_ends_the_listing_by_name() {
    for order in [ListingOrder::Bytes, ListingOrder::Serial] {
        let page = || xml(&listing(&entry("k"), Some("t")));
        let bench = Bench::with(S3Kind::Compatible, [page(), page()], |options| {
            options.order = order;
        })
        .await;
        let first = bench.source.list(&from(ListStart::Beginning)).await.unwrap();
        let again = bench.source.list(&from(ListStart::Token(first.next.unwrap()))).await;
        assert_eq!(again.unwrap_err().kind, ErrorKind::PageRepeated);
        assert_eq!(bench.server.received().len(), 2);
    }
}

#[tokio::test]
async fn the_order_of_directories_is_taken_serially_and_refused_by_bytes() {
    let page = || xml(&listing(&(entry("o/a/b") + &entry("o/a-b")), None));
    let bench = Bench::of(S3Kind::Compatible, [page()]).await;
    let listed = bench.source.list(&from(ListStart::Beginning)).await.unwrap();
    assert_eq!(listed.entries[1].key, Key::from("o/a-b"), "in the store's own order");
    let after = bench.source.list(&from(ListStart::After(Key::from("k")))).await;
    assert_eq!(after.unwrap_err().kind, ErrorKind::Unsupported);

    let bench = Bench::with(S3Kind::Compatible, [page()], |options| {
        options.order = ListingOrder::Bytes;
    })
    .await;
    let refused = bench.source.list(&from(ListStart::Beginning)).await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::OutOfOrder);
}

#[tokio::test]
async fn cos_is_asked_by_the_bucket_s_own_name_and_goes_on_from_the_last_key() {
    let first = listing(&entry("a b"), None).replace("false", "true");
    let mut headers = get_headers();
    headers.push(("x-cos-hash-crc64ecma", "42"));
    let object = Answer(answer("200 OK", &headers, b"abc"));
    let bench = Bench::with(
        S3Kind::Cos,
        [xml(&first), xml(&listing(&entry("b"), None)), object],
        |options| options.list_version = ListVersion::V1,
    )
    .await;
    let page = bench.source.list(&from(ListStart::Beginning)).await.unwrap();
    bench.source.list(&from(ListStart::Token(page.next.unwrap()))).await.unwrap();
    let object = bench.source.open(&Key::from("b"), &pin(), None).await.unwrap();
    assert_eq!(object.info.digests.crc64_ecma, Some(42));
    let received = bench.server.received();
    assert_eq!(received[0].target(), "/?encoding-type=url&max-keys=1000&prefix=");
    assert_eq!(received[1].target(), "/?encoding-type=url&marker=a%20b&max-keys=1000&prefix=");
    assert!(received[0].header("host").unwrap().starts_with("bucket.127.0.0.1:"));
    assert_eq!(received[2].header("x-amz-checksum-mode"), None);
}
