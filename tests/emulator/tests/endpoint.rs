//! The endpoint as its clients see it: signed requests in, answers out.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use oss_emulator::{Emulator, EmulatorError, EmulatorOptions, ResponseBody, serve};
use ossferry_aliyun::oss::sign::{
    Scope, Signable, authorization, canonical_request, date_time, signature, signing_key,
    string_to_sign,
};
use ossferry_core::time::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const NOW: i64 = 1_795_000_000_000;
const REGION: &str = "cn-hangzhou";

fn options(root: &Path, clock: &Arc<AtomicI64>) -> EmulatorOptions {
    let clock = Arc::clone(clock);
    EmulatorOptions {
        root: root.to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        buckets: vec!["photos".into()],
        access_key: "ak".into(),
        secret_key: "sk".into(),
        security_token: None,
        region: REGION.into(),
        clock: Arc::new(move || Timestamp(clock.load(Ordering::Relaxed))),
    }
}

fn open(root: &Path) -> Emulator {
    Emulator::open(options(root, &Arc::new(AtomicI64::new(NOW)))).unwrap()
}

/// A request on `photos`, signed with V4 at [`NOW`], in path style.
fn signed(
    method: &str,
    key: &str,
    query: &[(&str, &str)],
    headers: &[(&str, &str)],
) -> http::request::Builder {
    let date = date_time(Timestamp(NOW));
    let mut map = HeaderMap::new();
    let fixed = [("x-oss-date", date.as_str()), ("x-oss-content-sha256", "UNSIGNED-PAYLOAD")];
    for (name, value) in headers.iter().chain(&fixed) {
        let name = HeaderName::try_from(*name).unwrap();
        map.insert(name, HeaderValue::try_from(*value).unwrap());
    }
    let pairs: Vec<_> = query.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
    let request = Signable {
        method,
        bucket: Some("photos"),
        key: Some(key.as_bytes()),
        query: &pairs,
        headers: &map,
    };
    let scope = Scope { date: &date[..8], region: REGION };
    let text = string_to_sign(&date, &scope, &canonical_request(&request, &[]));
    let given = authorization("ak", &scope, &[], &signature(&signing_key("sk", &scope), &text));
    map.insert("authorization", HeaderValue::try_from(given).unwrap());
    let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let uri = format!("/photos/{key}?{}", query.join("&"));
    let mut builder = Request::builder().method(method).uri(uri).header("host", "127.0.0.1");
    builder.headers_mut().unwrap().extend(map);
    builder
}

async fn send(
    emulator: &Emulator,
    request: http::request::Builder,
    body: impl Into<Bytes>,
) -> (StatusCode, HeaderMap, Bytes) {
    read(emulator.handle(request.body(Full::new(body.into())).unwrap()).await).await
}

async fn read(answer: Response<ResponseBody>) -> (StatusCode, HeaderMap, Bytes) {
    let (parts, body) = answer.into_parts();
    (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
}

async fn put(emulator: &Emulator, key: &str, body: impl Into<Bytes>) {
    let (status, _, text) = send(emulator, signed("PUT", key, &[], &[]), body).await;
    assert_eq!(status, StatusCode::OK, "{text:?}");
}

async fn get(emulator: &Emulator, key: &str) -> (StatusCode, Bytes) {
    let (status, _, body) = send(emulator, signed("GET", key, &[], &[]), "").await;
    (status, body)
}

fn element<'a>(xml: &'a Bytes, tag: &str) -> &'a str {
    let text = std::str::from_utf8(xml).unwrap();
    let start = text.find(&format!("<{tag}>")).unwrap() + tag.len() + 2;
    &text[start..start + text[start..].find('<').unwrap()]
}

/// Bytes larger than what is kept in a segment.
fn large(seed: u8) -> Bytes {
    (0..3_000_000_u32).map(|at| at.to_le_bytes()[usize::from(seed % 3)] ^ seed).collect()
}

#[tokio::test]
async fn keys_are_taken_byte_for_byte_in_either_style() {
    let root = tempfile::tempdir().unwrap();
    let emulator = open(root.path());
    for key in ["../x", ".", "a//b", "a/../b/", "~"] {
        put(&emulator, key, key).await;
        assert_eq!(get(&emulator, key).await, (StatusCode::OK, key.into()), "{key}");
        let mut request = signed("GET", key, &[], &[]).body(Full::new(Bytes::new())).unwrap();
        *request.uri_mut() = format!("/{key}").parse().unwrap();
        let host = HeaderValue::from_static("photos.oss-cn-hangzhou.aliyuncs.com");
        request.headers_mut().insert("host", host);
        let (status, _, body) = read(emulator.handle(request).await).await;
        assert_eq!((status, body), (StatusCode::OK, key.into()), "{key}, by host");
    }
}

#[tokio::test]
async fn everything_answered_stands_again_after_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let emulator = open(root.path());
    put(&emulator, "small", "old").await;
    put(&emulator, "small", "new").await;
    put(&emulator, "gone", large(1)).await;
    put(&emulator, "large", large(1)).await;
    put(&emulator, "large", large(2)).await;
    send(&emulator, signed("DELETE", "gone", &[], &[]), "").await;
    let tags = "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>";
    send(&emulator, signed("PUT", "small", &[("tagging", "")], &[]), tags).await;
    let begun = signed("POST", "multi", &[("uploads", "")], &[("x-oss-meta-a", "\u{e9}")]);
    let (_, _, begun) = send(&emulator, begun, "").await;
    let upload_id = element(&begun, "UploadId");
    let part =
        |number| signed("PUT", "multi", &[("partNumber", number), ("uploadId", upload_id)], &[]);
    send(&emulator, part("1"), large(3)).await;
    drop(emulator);

    // What a kill leaves: a torn line, and bytes that nothing names.
    let bucket = root.path().join("photos");
    let log = bucket.join("index.log");
    let torn = format!("{}{{\"op\":\"del", std::fs::read_to_string(&log).unwrap());
    std::fs::write(&log, torn).unwrap();
    let orphan = bucket.join("bodies/0000000999.body");
    std::fs::write(&orphan, "orphan").unwrap();

    let emulator = open(root.path());
    assert!(!orphan.exists());
    assert_eq!(get(&emulator, "small").await, (StatusCode::OK, "new".into()));
    assert_eq!(get(&emulator, "large").await, (StatusCode::OK, large(2)));
    assert_eq!(get(&emulator, "gone").await.0, StatusCode::NOT_FOUND);
    let (_, head, _) = send(&emulator, signed("HEAD", "small", &[], &[]), "").await;
    assert_eq!(head["x-oss-tagging-count"], "1");
    send(&emulator, part("2"), "end").await;
    let all = [("x-oss-complete-all", "yes")];
    let complete = signed("POST", "multi", &[("uploadId", upload_id)], &all);
    assert_eq!(send(&emulator, complete, "").await.0, StatusCode::OK);
    drop(emulator);

    let emulator = open(root.path());
    let whole = [large(3), "end".into()].concat();
    assert_eq!(get(&emulator, "multi").await, (StatusCode::OK, whole.into()));
    let (_, head, _) = send(&emulator, signed("HEAD", "multi", &[], &[]), "").await;
    assert_eq!(head["x-oss-meta-a"].as_bytes(), "\u{e9}".as_bytes());
    let bodies = std::fs::read_dir(bucket.join("bodies")).unwrap();
    let names = bodies.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files = names.filter(|name| Path::new(name).extension().is_some_and(|e| e == "body"));
    assert_eq!(files.count(), 2, "one for the large object, one for the large part");
}

#[tokio::test]
async fn an_object_that_is_overwritten_while_it_is_read_is_read_to_its_end() {
    let root = tempfile::tempdir().unwrap();
    let emulator = open(root.path());
    put(&emulator, "k", large(1)).await;
    let request = signed("GET", "k", &[], &[]).body(Full::new(Bytes::new())).unwrap();
    let answer = emulator.handle(request).await;
    put(&emulator, "k", large(2)).await;
    assert_eq!(read(answer).await.2, large(1));
    assert_eq!(get(&emulator, "k").await.1, large(2));
}

#[tokio::test]
async fn of_many_puts_that_forbid_overwriting_one_wins() {
    let root = tempfile::tempdir().unwrap();
    let emulator = open(root.path());
    let puts = (0..20).map(|number| {
        let request = signed("PUT", "once", &[], &[("x-oss-forbid-overwrite", "true")]);
        send(&emulator, request, format!("put {number}"))
    });
    let statuses = futures::future::join_all(puts).await;
    let stored = statuses.iter().filter(|(status, ..)| *status == StatusCode::OK).count();
    let refused = statuses.iter().filter(|(status, ..)| *status == StatusCode::CONFLICT).count();
    assert_eq!((stored, refused), (1, 19));
}

#[tokio::test]
async fn a_clock_more_than_fifteen_minutes_off_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let clock = Arc::new(AtomicI64::new(NOW));
    let emulator = Emulator::open(options(root.path(), &clock)).unwrap();
    for (seconds, code) in [
        (0, "NoSuchKey"),
        (900, "NoSuchKey"),
        (-900, "NoSuchKey"),
        (901, "RequestTimeTooSkewed"),
        (-901, "RequestTimeTooSkewed"),
    ] {
        clock.store(NOW + 1_000 * seconds, Ordering::Relaxed);
        let (_, _, body) = send(&emulator, signed("GET", "k", &[], &[]), "").await;
        assert_eq!(element(&body, "Code"), code, "{seconds} seconds");
    }
}

#[tokio::test]
async fn a_security_token_is_asked_for_where_one_is_configured() {
    let root = tempfile::tempdir().unwrap();
    let mut options = options(root.path(), &Arc::new(AtomicI64::new(NOW)));
    options.security_token = Some("token".into());
    let emulator = Emulator::open(options).unwrap();
    for (headers, code) in [
        (&[][..], "InvalidSecurityToken"),
        (&[("x-oss-security-token", "other")], "InvalidSecurityToken"),
        (&[("x-oss-security-token", "token")], "NoSuchKey"),
    ] {
        let (_, _, body) = send(&emulator, signed("GET", "k", &[], headers), "").await;
        assert_eq!(element(&body, "Code"), code, "{headers:?}");
    }
}

#[tokio::test]
async fn a_head_that_is_refused_carries_its_error_in_a_header() {
    let root = tempfile::tempdir().unwrap();
    let emulator = open(root.path());
    let (status, headers, body) = send(&emulator, signed("HEAD", "k", &[], &[]), "").await;
    assert_eq!((status, body.len()), (StatusCode::NOT_FOUND, 0));
    assert_eq!(headers["x-oss-ec"], "0026-00000001");
    let error = headers["x-oss-err"].as_bytes();
    let xml = base64::engine::general_purpose::STANDARD.decode(error).unwrap().into();
    assert_eq!(element(&xml, "Code"), "NoSuchKey");
    assert_eq!(element(&xml, "RequestId"), headers["x-oss-request-id"]);
}

#[tokio::test]
async fn two_emulators_do_not_share_a_root() {
    let root = tempfile::tempdir().unwrap();
    let clock = Arc::new(AtomicI64::new(NOW));
    let running = Emulator::start(options(root.path(), &clock)).await.unwrap();
    let second = Emulator::open(options(root.path(), &clock)).unwrap_err();
    assert!(matches!(second, EmulatorError::RootInUse(_)), "{second}");
    running.shutdown().await;
    Emulator::open(options(root.path(), &clock)).unwrap();
}

/// Sends bytes as they are, closes its side, and reads to the end.
async fn raw(address: std::net::SocketAddr, bytes: &[u8]) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is as good as an end.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn head(request: http::request::Builder, more: &str) -> String {
    let request = request.body(()).unwrap();
    let mut text = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        write!(text, "{name}: {}\r\n", value.to_str().unwrap()).unwrap();
    }
    text + more + "\r\n"
}

#[tokio::test]
async fn a_body_that_ends_early_stores_nothing() {
    let root = tempfile::tempdir().unwrap();
    let clock = Arc::new(AtomicI64::new(NOW));
    let running = Emulator::start(options(root.path(), &clock)).await.unwrap();
    for (sent, promised) in [(5, 10), (3_000_000, 3_000_001)] {
        let mut bytes =
            head(signed("PUT", "cut", &[], &[]), &format!("content-length: {promised}\r\n"))
                .into_bytes();
        bytes.resize(bytes.len() + sent, b'x');
        let answer = raw(running.address(), &bytes).await;
        assert!(!answer.contains("200 OK"), "{answer}");
        let look = head(signed("GET", "cut", &[], &[]), "connection: close\r\n");
        let answer = raw(running.address(), look.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    }
    running.shutdown().await;
    let bodies = root.path().join("photos/bodies");
    let left = || std::fs::read_dir(&bodies).unwrap().count();
    // The last write of a cancelled request may still be on its way.
    for _ in 0..500 {
        if left() == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{} files left behind", left());
}

#[tokio::test]
async fn a_service_of_a_test_stands_in_front() {
    let root = tempfile::tempdir().unwrap();
    let emulator = open(root.path());
    put(&emulator, "k", "through").await;
    let front = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        let emulator = emulator.clone();
        async move {
            let answer = emulator.handle(request).await;
            let lost = answer.status() == StatusCode::NOT_FOUND;
            if lost { Err(std::io::Error::other("the answer is lost")) } else { Ok(answer) }
        }
    });
    let running = serve("127.0.0.1:0".parse().unwrap(), front).await.unwrap();
    for (key, answered) in [("k", "through"), ("absent", "")] {
        let request = head(signed("GET", key, &[], &[]), "connection: close\r\n");
        let answer = raw(running.address(), request.as_bytes()).await;
        assert!(answer.ends_with(answered) && answer.is_empty() == answered.is_empty(), "{answer}");
    }
    running.shutdown().await;
}
