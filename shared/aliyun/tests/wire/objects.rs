//! Objects: what a PUT, GET or HEAD sends and believes.

use std::sync::Arc;

use bytes::Bytes;
use futures::{TryStreamExt, stream};
use ossferry_aliyun::{OssSource, OssTarget};
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::meter::{Meter, OperationCounts};
use ossferry_core::object::{ByteRange, ETag};
use ossferry_core::ports::{ObjectBody, PutOptions, Source, Target};
use ossferry_core::time::Timestamp;

use crate::scripted::{Reply, Scripted, answer};
use crate::{ETAG, body, client, ok, pin, refusal};

#[tokio::test]
async fn keys_arrive_byte_for_byte() {
    let keys: [(&[u8], &str); 7] = [
        (b"a//b", "/bucket/a//b"),
        (b"../x", "/bucket/../x"),
        (b".", "/bucket/."),
        (b"a/./b/..", "/bucket/a/./b/.."),
        (b"tail/", "/bucket/tail/"),
        (b"\x01 +%?", "/bucket/%01%20%2B%25%3F"),
        ("e\u{301} \u{e9} 🚢".as_bytes(), "/bucket/e%CC%81%20%C3%A9%20%F0%9F%9A%A2"),
    ];
    let server = Scripted::start(keys.map(|_| ok(&[("etag", ETAG)], ""))).await;
    let target = OssTarget::new(client(&server), true);
    for (key, _) in keys {
        let key = Key::new(key.to_vec());
        target.put(&key, &PutOptions::default(), 5, body("hello")).await.unwrap();
    }
    let received = server.received();
    for (request, (_, path)) in received.iter().zip(keys) {
        assert_eq!(request.target(), path);
        assert_eq!((request.body.as_slice(), request.complete), (&b"hello"[..], true));
    }
}

#[tokio::test]
async fn a_put_gives_what_the_target_computed_and_is_sent_once() {
    let answered = [
        ("etag", ETAG),
        ("x-oss-hash-crc64ecma", "11177612005948864433"),
        ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ];
    let server =
        Scripted::start([ok(&answered, ""), refusal("503 Busy", "ServiceUnavailable")]).await;
    let meter = Arc::new(Meter::default());
    let target = OssTarget::new(client(&server), true).metered(Arc::clone(&meter));
    let key = Key::from("k");
    let options = PutOptions {
        content_md5: Some([0; 16]),
        forbid_overwrite: true,
        storage_class: Some("IA".to_owned()),
        ..PutOptions::default()
    };
    let put = target.put(&key, &options, 5, body("hello")).await.unwrap();
    assert_eq!(put.etag, ETag::new(ETAG));
    assert_eq!(put.crc64_ecma, Some(11_177_612_005_948_864_433));
    assert_eq!(put.at, Some(Timestamp(784_111_777_000)));
    let request = &server.received()[0];
    assert_eq!(request.header("content-length"), Some("5"));
    assert_eq!(request.header("content-md5"), Some("AAAAAAAAAAAAAAAAAAAAAA=="));
    assert_eq!(request.header("x-oss-forbid-overwrite"), Some("true"));
    assert_eq!(request.header("x-oss-storage-class"), Some("IA"));

    let error = target.put(&key, &options, 5, body("hello")).await.unwrap_err();
    assert_eq!((error.kind, error.conclusion), (ErrorKind::Throttled, Conclusion::NotDone));
    assert_eq!(error.request_id.as_deref(), Some("req-1"));
    assert_eq!(meter.take(), OperationCounts::from([("PutObject".to_owned(), 2)]));
}

#[tokio::test]
async fn a_put_ends_with_the_error_of_its_source() {
    let server = Scripted::start([]).await;
    let target = OssTarget::new(client(&server), true);
    let changed = || PortError::new(ErrorKind::PreconditionFailed, "the source changed");
    let failing: ObjectBody =
        Box::pin(stream::iter([Ok(Bytes::from_static(b"hello")), Err(changed())]));
    let put = target.put(&Key::from("k"), &PutOptions::default(), 5, failing).await;
    assert_eq!(put.unwrap_err().message, "the source changed");

    // A source that stands still says so itself, before the target gives up.
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe".as_bytes().to_vec();
    let stalled = Scripted::start([Reply::Hang(head)]).await;
    let source = OssSource::new(client(&stalled));
    let open = source.open(&Key::from("k"), &pin(), None).await.unwrap();
    let put = target.put(&Key::from("k"), &PutOptions::default(), 5, open.body).await;
    let error = put.unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (ErrorKind::Timeout, "GetObject: the body stands still",)
    );
    assert!(server.received().iter().all(|request| !request.complete));
}

#[tokio::test]
async fn a_get_is_pinned_and_its_range_is_checked() {
    let range = ByteRange { start: 2, bytes: 3 };
    let part = |status: &str, range: &str, text: &str| {
        Reply::Answer(answer(status, &[("etag", ETAG), ("content-range", range)], text.as_bytes()))
    };
    let right = "bytes 2-4/9";
    let server = Scripted::start([part("206 Partial", right, "llo")]).await;
    let source = OssSource::new(client(&server));
    let open = source.open(&Key::from("k"), &pin(), Some(range)).await.unwrap();
    assert_eq!(open.info.size, 9);
    assert_eq!(open.body.try_collect::<Vec<_>>().await.unwrap(), ["llo"]);
    let request = &server.received()[0];
    assert_eq!(request.header("if-match"), Some(ETAG));
    assert_eq!(request.header("range"), Some("bytes=2-4"));
    assert_eq!(request.header("x-oss-range-behavior"), Some("standard"));

    let wrong: [fn() -> Reply; 5] = [
        || ok(&[("etag", ETAG)], "hello you"),
        || ok(&[("etag", ETAG), ("content-range", "bytes 2-4/9")], "llo"),
        || Reply::Answer(answer("206 P", &[("content-range", "bytes 0-2/9")], b"hel")),
        || Reply::Answer(answer("206 P", &[("content-range", "bytes 2-4/9")], b"ll")),
        || {
            let headers = [("content-range", "bytes 2-4/9"), ("etag", "\"other\"")];
            Reply::Answer(answer("206 P", &headers, b"llo"))
        },
    ];
    for wrong in wrong {
        let server = Scripted::start([wrong(), wrong(), wrong()]).await;
        let source = OssSource::new(client(&server));
        let open = source.open(&Key::from("k"), &pin(), Some(range)).await;
        assert_eq!(open.err().unwrap().kind, ErrorKind::BadAnswer);
        assert_eq!(server.received().len(), 3, "a wrong answer is asked for again");
    }
}

#[tokio::test]
async fn a_get_without_range_is_whole_or_an_error() {
    let cut = format!("HTTP/1.1 200 OK\r\ncontent-length: 5\r\netag: {ETAG}\r\n\r\nhel");
    let server = Scripted::start([
        Reply::Close(cut.into_bytes()),
        refusal("412 Failed", "PreconditionFailed"),
        refusal("403 Forbidden", "InvalidObjectState"),
        refusal("404 Not Found", "NoSuchKey"),
    ])
    .await;
    let source = OssSource::new(client(&server));
    let key = Key::from("k");
    let open = source.open(&key, &pin(), None).await.unwrap();
    let read = open.body.try_collect::<Vec<_>>().await;
    assert_eq!(read.unwrap_err().kind, ErrorKind::Connection);
    for kind in [ErrorKind::PreconditionFailed, ErrorKind::Archived, ErrorKind::NoSuchKey] {
        assert_eq!(source.open(&key, &pin(), None).await.err().unwrap().kind, kind);
    }
    assert_eq!(server.received().len(), 4, "a refusal is not asked again");
}

#[tokio::test]
async fn a_head_reads_its_error_from_a_header() {
    let head = |status: &str, headers: &str| {
        Reply::Answer(format!("HTTP/1.1 {status}\r\n{headers}\r\n").into_bytes())
    };
    // <Error><Code>NoSuchKey</Code></Error> and <Error><Code>NoSuchBucket</Code></Error>
    let no_key = "x-oss-err: PEVycm9yPjxDb2RlPk5vU3VjaEtleTwvQ29kZT48L0Vycm9yPg==\r\n";
    let no_bucket = "x-oss-err: PEVycm9yPjxDb2RlPk5vU3VjaEJ1Y2tldDwvQ29kZT48L0Vycm9yPg==\r\n\
                     x-oss-ec: 0015-00000101\r\nx-oss-request-id: req-2\r\n";
    let found = format!(
        "content-length: 5\r\netag: {ETAG}\r\nx-oss-object-type: Normal\r\n\
         x-oss-hash-crc64ecma: 7\r\nlast-modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    );
    let server = Scripted::start([
        head("404 Not Found", no_key),
        head("404 Not Found", no_bucket),
        head("200 OK", &found),
    ])
    .await;
    let target = OssTarget::new(client(&server), true);
    let key = Key::from("k");
    assert_eq!(target.head(&key).await.unwrap(), None);
    let error = target.head(&key).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NoSuchBucket);
    assert_eq!(error.to_string(), "HeadObject: NoSuchBucket (ec 0015-00000101) (request id req-2)");
    let info = target.head(&key).await.unwrap().unwrap();
    assert_eq!((info.size, info.digests.crc64_ecma), (5, Some(7)));
    assert_eq!(info.digests.md5, ETag::new(ETAG).as_md5());
    assert_eq!(info.last_modified, Some(Timestamp(784_111_777_000)));
}

#[tokio::test]
async fn a_key_that_oss_cannot_hold_is_refused_without_a_request() {
    let server = Scripted::start([]).await;
    let target = OssTarget::new(client(&server), true);
    for key in [&b"/a"[..], b"\\a", b"\xff", &[b'k'; 1_024]] {
        let key = Key::new(key.to_vec());
        let put = target.put(&key, &PutOptions::default(), 5, body("hello")).await;
        assert_eq!(put.unwrap_err().kind, ErrorKind::Unsupported);
        let begun = target.initiate_upload(&key, &PutOptions::default()).await;
        assert_eq!(begun.unwrap_err().kind, ErrorKind::Unsupported);
    }
    assert!(server.received().is_empty());
}
