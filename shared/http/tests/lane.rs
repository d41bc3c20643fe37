//! The lane against a server that answers as told.

mod scripted;

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use http::{HeaderMap, Method, StatusCode};
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::meter::Meter;
use ossferry_core::ports::ObjectBody;
use ossferry_http::{
    Endpoint, Lane, LaneBody, LaneOptions, LaneRequest, LaneResponse, PaceOptions,
};
use scripted::{Reply, Scripted, answer};

fn quick() -> LaneOptions {
    LaneOptions {
        answer_timeout: Duration::from_millis(300),
        send_stall_timeout: Duration::from_millis(250),
        receive_stall_timeout: Duration::from_millis(200),
        ..LaneOptions::default()
    }
}

async fn send(
    lane: &Lane,
    server: &Scripted,
    method: Method,
    target: &str,
    body: LaneBody,
) -> Result<LaneResponse, PortError> {
    let endpoint = Endpoint::parse(&server.url).unwrap();
    let request = LaneRequest {
        operation: "Test",
        method,
        endpoint: &endpoint,
        path_and_query: target.to_owned(),
        headers: HeaderMap::new(),
        body,
    };
    lane.send(request, &Meter::default()).await
}

fn body(chunks: Vec<Result<&'static str, PortError>>) -> ObjectBody {
    Box::pin(stream::iter(chunks).map_ok(|text| Bytes::from_static(text.as_bytes())))
}

fn streamed(bytes: u64, chunks: Vec<Result<&'static str, PortError>>) -> LaneBody {
    LaneBody::Stream { bytes, body: body(chunks) }
}

#[tokio::test]
async fn a_target_goes_out_byte_for_byte() {
    let targets = [
        "/bucket/a/../b/./c",
        "/..",
        "/.",
        "//a//b//",
        "/bucket/%2E%2E/x?list-type=2&prefix=a%2Fb&start-after=%01",
        "/bucket/a%2Bb%20c?uploads",
    ];
    let server = Scripted::start(targets.map(|_| Reply::Answer(answer("200 OK", &[], b"")))).await;
    let lane = Lane::new(&quick());
    for target in targets {
        send(&lane, &server, Method::GET, target, LaneBody::Empty).await.unwrap();
    }
    let received = server.received();
    assert_eq!(received.iter().map(scripted::Received::target).collect::<Vec<_>>(), targets);
    let host = server.url.strip_prefix("http://");
    assert!(received.iter().all(|request| request.header("host") == host));
}

#[tokio::test]
async fn a_stream_goes_out_with_its_length_and_an_empty_body_says_so() {
    let ok = || Reply::Answer(answer("200 OK", &[], b"stored"));
    let server = Scripted::start([ok(), ok(), ok()]).await;
    let lane = Lane::new(&quick());
    let parts = vec![Ok("ab"), Ok(""), Ok("cde")];
    let answer = send(&lane, &server, Method::PUT, "/k", streamed(5, parts)).await.unwrap();
    assert_eq!(answer.collect(100).await.unwrap(), "stored");
    send(&lane, &server, Method::PUT, "/k", streamed(0, vec![])).await.unwrap();
    send(&lane, &server, Method::POST, "/k?uploads", LaneBody::Empty).await.unwrap();
    let received = server.received();
    assert_eq!(received[0].body, b"abcde");
    let lengths: Vec<_> = received.iter().map(|r| r.header("content-length").unwrap()).collect();
    assert_eq!(lengths, ["5", "0", "0"]);
}

#[tokio::test]
async fn a_source_s_error_is_given_as_it_is_and_the_request_stays_incomplete() {
    let changed = || PortError::new(ErrorKind::PreconditionFailed, "the source changed");
    for (bytes, chunks) in [
        (5, vec![Ok("ab"), Err(changed())]),
        // Only known after all bytes were read.
        (5, vec![Ok("abcde"), Err(changed())]),
    ] {
        let server = Scripted::start([]).await;
        let lane = Lane::new(&quick());
        let sent = send(&lane, &server, Method::PUT, "/k", streamed(bytes, chunks)).await;
        assert_eq!(sent.err().unwrap().message, "the source changed");
        if let Some(request) = server.received().first() {
            assert!(!request.complete);
        }
    }
    let server = Scripted::start([]).await;
    let lane = Lane::new(&quick());
    let sent = send(&lane, &server, Method::PUT, "/k", streamed(0, vec![Err(changed())]));
    assert_eq!(sent.await.err().unwrap().message, "the source changed");
    assert!(server.received().is_empty(), "not even the headers went out");
}

#[tokio::test]
async fn a_stream_of_another_length_never_looks_complete() {
    for chunks in [vec![Ok("abc")], vec![Ok("abcde"), Ok("f")], vec![Ok("abcdef")], vec![]] {
        let server = Scripted::start([]).await;
        let lane = Lane::new(&quick());
        let sent = send(&lane, &server, Method::PUT, "/k", streamed(5, chunks)).await;
        let error = sent.err().unwrap();
        assert_eq!((error.kind, error.conclusion), (ErrorKind::BadAnswer, Conclusion::NotDone));
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(server.received().iter().all(|request| !request.complete));
        assert_eq!(lane.pace().in_flight(), 0);
    }
}

#[tokio::test]
async fn an_early_answer_is_given_and_stops_the_body() {
    let server =
        Scripted::start([Reply::Early(answer("503 Slow", &[("retry-after", "1")], b"wait"))]).await;
    let lane = Lane::new(&quick());
    let endless = stream::repeat(()).then(|()| async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(Bytes::from_static(b"abc"))
    });
    let body = LaneBody::Stream { bytes: 1 << 30, body: Box::pin(endless) };
    let answer = send(&lane, &server, Method::PUT, "/k", body).await.unwrap();
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.collect(100).await.unwrap(), "wait");
    assert!(!server.wait_for(1).await[0].complete);
}

#[tokio::test]
async fn a_success_before_the_whole_body_is_no_success() {
    let server = Scripted::start([Reply::Early(answer("200 OK", &[], b""))]).await;
    let body: ObjectBody = Box::pin(stream::pending());
    let body = LaneBody::Stream { bytes: 3, body };
    let sent = send(&Lane::new(&quick()), &server, Method::PUT, "/k", body).await;
    assert_eq!(sent.err().unwrap().kind, ErrorKind::BadAnswer);
}

#[tokio::test]
async fn what_stands_still_is_cut_off_by_name() {
    let stalled = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab".as_bytes().to_vec();
    let server = Scripted::start([Reply::Hang(Vec::new()), Reply::Hang(stalled)]).await;
    let lane = Lane::new(&quick());
    let no_answer = send(&lane, &server, Method::GET, "/a", LaneBody::Empty).await.err().unwrap();
    assert_eq!((no_answer.kind, no_answer.conclusion), (ErrorKind::Timeout, Conclusion::Unknown));
    let answer = send(&lane, &server, Method::GET, "/c", LaneBody::Empty).await.unwrap();
    let mut body = answer.into_object_body(9);
    assert_eq!(body.next().await.unwrap().unwrap(), "ab");
    assert_eq!(body.next().await.unwrap().unwrap_err().kind, ErrorKind::Timeout);
    assert!(body.next().await.is_none());
    let body = LaneBody::Stream { bytes: 3, body: Box::pin(stream::pending()) };
    let no_body = send(&lane, &server, Method::PUT, "/b", body).await.err().unwrap();
    assert_eq!((no_body.kind, no_body.conclusion), (ErrorKind::Timeout, Conclusion::NotDone));
    assert_eq!(lane.pace().in_flight(), 0);
}

#[tokio::test]
async fn a_short_or_long_answer_is_never_a_clean_end() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc".as_bytes().to_vec();
    for (reply, bytes, kind) in [
        (Reply::Close(cut), 9, ErrorKind::Connection),
        (Reply::Answer(answer("200 OK", &[], b"abc")), 9, ErrorKind::Connection),
        (Reply::Answer(answer("200 OK", &[], b"abcd")), 3, ErrorKind::BadAnswer),
    ] {
        let server = Scripted::start([reply]).await;
        let lane = Lane::new(&quick());
        let answer = send(&lane, &server, Method::GET, "/k", LaneBody::Empty).await.unwrap();
        assert_eq!(lane.pace().in_flight(), 1, "a permit is held while the body is read");
        let read = answer.into_object_body(bytes).try_collect::<Vec<_>>().await;
        assert_eq!(read.unwrap_err().kind, kind);
        assert_eq!(lane.pace().in_flight(), 0);
    }
    let server = Scripted::start([Reply::Answer(answer("200 OK", &[], b"abcd"))]).await;
    let lane = Lane::new(&quick());
    let answer = send(&lane, &server, Method::GET, "/k", LaneBody::Empty).await.unwrap();
    assert_eq!(answer.collect(3).await.unwrap_err().kind, ErrorKind::BadAnswer);
}

#[tokio::test]
async fn a_refused_connection_did_nothing() {
    let mut gone = Scripted::start([]).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    gone.url = format!("http://{free}");
    let lane = Lane::new(&quick());
    let sent = send(&lane, &gone, Method::PUT, "/k", streamed(3, vec![Ok("abc")]));
    let error = sent.await.err().unwrap();
    assert_eq!((error.kind, error.conclusion), (ErrorKind::Connection, Conclusion::NotDone));
}

#[tokio::test]
async fn an_endpoint_that_is_gone_narrows_the_lane_and_a_broken_source_does_not() {
    let pace = PaceOptions { initial_concurrency: 8, ..PaceOptions::default() };
    let mut gone = Scripted::start([]).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    gone.url = format!("http://{free}");
    let lane = Lane::new(&LaneOptions { pace, ..quick() });
    for concurrency in [4, 2, 1, 1] {
        send(&lane, &gone, Method::GET, "/k", LaneBody::Empty).await.err().unwrap();
        assert_eq!(lane.pace().concurrency(), concurrency);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let server = Scripted::start([]).await;
    let lane = Lane::new(&LaneOptions { pace, ..quick() });
    let broken = vec![Ok("ab"), Err(PortError::new(ErrorKind::Connection, "the source is gone"))];
    let sent = send(&lane, &server, Method::PUT, "/k", streamed(5, broken)).await;
    assert_eq!(sent.err().unwrap().message, "the source is gone");
    assert_eq!(lane.pace().concurrency(), 8);
}

#[tokio::test]
async fn a_throttled_answer_halves_the_pace_and_pauses_it() {
    let server = Scripted::start([
        Reply::Answer(answer("503 Busy", &[("x-oss-qos-delay-time", "120")], b"")),
        Reply::Answer(answer("200 OK", &[], b"")),
    ])
    .await;
    let pace = PaceOptions { initial_concurrency: 8, ..PaceOptions::default() };
    let lane = Lane::new(&LaneOptions { pace, ..quick() });
    let start = tokio::time::Instant::now();
    send(&lane, &server, Method::GET, "/k", LaneBody::Empty).await.unwrap();
    assert_eq!(lane.pace().concurrency(), 4);
    send(&lane, &server, Method::GET, "/k", LaneBody::Empty).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(115));
}

#[test]
fn an_endpoint_is_a_host_and_nothing_more() {
    let plain = Endpoint::parse("http://127.0.0.1:9000/").unwrap();
    assert!(plain.is_address() && !plain.is_secure());
    assert_eq!(plain.authority(), "127.0.0.1:9000");
    let named = Endpoint::parse("oss-cn-hangzhou.aliyuncs.com").unwrap();
    assert!(named.is_secure() && !named.is_address());
    assert_eq!(named.under("bucket").unwrap().host(), "bucket.oss-cn-hangzhou.aliyuncs.com");
    assert!(Endpoint::parse("http://[::1]:80").unwrap().is_address());
    for wrong in ["ftp://host", "https://host/path", "https://user@host", "https://host?q", ""] {
        assert!(Endpoint::parse(wrong).is_none(), "{wrong}");
    }
}
