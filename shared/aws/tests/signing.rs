//! Who signs, by which clock, and what happens when the service objects.

#[path = "../../http/tests/scripted/mod.rs"]
mod scripted;

mod bench;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bench::{Bench, entry, get_headers, listing, xml};
use ossferry_aws::{S3Kind, Versioning};
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::ports::{ListRequest, ListStart, Source};
use ossferry_core::time::Timestamp;
use ossferry_http::{Credentials, CredentialsProvider};
use scripted::Reply::{self, Answer};
use scripted::answer;

const DATE: (&str, &str) = ("date", "Sun, 22 Nov 2026 10:00:00 GMT");

fn refusal(status: &str, code: &str) -> Reply {
    let body = format!("<Error><Code>{code}</Code></Error>");
    Answer(answer(status, &[DATE], body.as_bytes()))
}

fn beginning() -> ListRequest {
    ListRequest { prefix: Key::default(), start: ListStart::Beginning, keys_max: 1 }
}

/// Gives temporary credentials, others each time they are said to be expired.
#[derive(Default)]
struct Rotating(AtomicUsize);

#[async_trait::async_trait]
impl CredentialsProvider for Rotating {
    async fn credentials(&self) -> Result<Arc<Credentials>, PortError> {
        let count = self.0.load(Ordering::Relaxed);
        Ok(Arc::new(Credentials {
            access_key: format!("AK{count}"),
            secret_key: "S".to_owned(),
            token: Some(format!("T{count}")),
        }))
    }

    fn expired(&self, _refused: &Credentials) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_wrong_clock_is_set_right_once_by_the_service_s_own() {
    let skewed = || refusal("403 Forbidden", "RequestTimeTooSkewed");
    let page = xml(&listing(&entry("k"), None));
    let bench = Bench::of(S3Kind::S3, [skewed(), page, skewed(), skewed()]).await;
    bench.source.list(&beginning()).await.unwrap();
    let error = bench.source.list(&beginning()).await.unwrap_err();
    assert_eq!((error.kind, error.conclusion), (ErrorKind::ClockSkew, Conclusion::Refused));
    let dates: Vec<String> = bench
        .server
        .received()
        .iter()
        .map(|request| request.header("x-amz-date").unwrap().to_owned())
        .collect();
    let corrected = "20261122T100000Z";
    assert_eq!(dates, ["20130524T000000Z", corrected, corrected, corrected]);
}

#[tokio::test]
async fn a_head_that_is_refused_without_a_word_is_understood_by_its_date() {
    let forbidden =
        Answer(b"HTTP/1.1 403 Forbidden\r\ndate: Sun, 22 Nov 2026 10:00:00 GMT\r\n\r\n".to_vec());
    let object = Answer(answer("200 OK", &get_headers(), b""));
    let bench = Bench::of(S3Kind::S3, [forbidden, object]).await;
    bench.source.head(&Key::from("k")).await.unwrap();
    assert_eq!(bench.requests("HeadObject"), 2);
}

#[tokio::test]
async fn expired_credentials_are_fetched_again_once() {
    let expired = || refusal("400 Bad Request", "ExpiredToken");
    let page = xml(&listing(&entry("k"), None));
    let bench = Bench::with(S3Kind::S3, [expired(), page, expired(), expired()], |options| {
        options.credentials = Some(Arc::new(Rotating::default()));
    })
    .await;
    bench.source.list(&beginning()).await.unwrap();
    let error = bench.source.list(&beginning()).await.unwrap_err();
    assert_eq!((error.kind, error.conclusion), (ErrorKind::AccountRefused, Conclusion::Refused));
    let tokens: Vec<String> = bench
        .server
        .received()
        .iter()
        .map(|request| request.header("x-amz-security-token").unwrap().to_owned())
        .collect();
    assert_eq!(tokens, ["T0", "T1", "T1", "T2"]);
    assert!(!format!("{error:?}").contains("T2"), "an error never holds a token");
}

#[tokio::test]
async fn a_key_that_was_exchanged_where_it_is_kept_does_not_condemn_the_account() {
    let unknown = || refusal("403 Forbidden", "InvalidAccessKeyId");
    let page = xml(&listing(&entry("k"), None));
    let bench = Bench::with(S3Kind::S3, [unknown(), page], |options| {
        options.credentials = Some(Arc::new(Rotating::default()));
    })
    .await;
    bench.source.list(&beginning()).await.unwrap();
    // One that nobody exchanges is refused at once.
    let bench = Bench::of(S3Kind::S3, [unknown()]).await;
    let error = bench.source.list(&beginning()).await.unwrap_err();
    assert_eq!((error.kind, error.conclusion), (ErrorKind::AccountRefused, Conclusion::Refused));
    assert_eq!(bench.server.received().len(), 1);
}

#[tokio::test]
async fn requests_to_a_public_bucket_are_not_signed() {
    let bench = Bench::with(S3Kind::S3, [xml(&listing("", None))], |options| {
        options.credentials = None;
    })
    .await;
    bench.source.list(&beginning()).await.unwrap();
    let received = bench.server.received();
    for name in ["authorization", "x-amz-date", "x-amz-content-sha256"] {
        assert_eq!(received[0].header(name), None, "{name}");
    }
}

#[tokio::test]
async fn the_source_s_clock_is_read_even_where_the_bucket_itself_is_not_ours_to_ask() {
    let dated = |status: &str| {
        Answer(format!("HTTP/1.1 {status}\r\n{}: {}\r\n\r\n", DATE.0, DATE.1).into_bytes())
    };
    let bench = Bench::of(S3Kind::S3, [dated("200 OK"), dated("403 Forbidden")]).await;
    let ten = Timestamp::from_rfc3339("2026-11-22T10:00:00Z").unwrap();
    for _ in 0..2 {
        assert_eq!(bench.source.now().await.unwrap(), ten);
    }
    assert_eq!(bench.requests("HeadBucket"), 2);
}

#[tokio::test]
async fn preflight_tells_region_and_versioning() {
    let region = [("x-amz-bucket-region", "eu-west-1")];
    let versioning =
        b"<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    let bench = Bench::of(
        S3Kind::S3,
        [Answer(answer("200 OK", &region, b"")), Answer(answer("200 OK", &[], versioning))],
    )
    .await;
    let told = bench.source.preflight().await.unwrap();
    assert_eq!(told.region.as_deref(), Some("eu-west-1"));
    assert_eq!(told.versioning, Versioning::Suspended);
    let received = bench.server.received();
    assert!(received[0].line().starts_with("HEAD /bucket"), "{}", received[0].line());
    assert!(received[1].target().contains("versioning"), "{}", received[1].target());
}

#[tokio::test]
async fn preflight_ends_at_a_wrong_key_and_goes_on_without_a_right() {
    let forbidden = || Answer(b"HTTP/1.1 403 Forbidden\r\n\r\n".to_vec());
    let denied = || refusal("403 Forbidden", "AccessDenied");
    let bench = Bench::of(S3Kind::Compatible, [forbidden(), denied()]).await;
    let told = bench.source.preflight().await.unwrap();
    assert_eq!(told.region, None);
    assert!(matches!(told.versioning, Versioning::Unknown(why) if why.contains("AccessDenied")));

    let wrong = refusal("403 Forbidden", "InvalidAccessKeyId");
    let bench = Bench::of(S3Kind::Compatible, [forbidden(), wrong]).await;
    let error = bench.source.preflight().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AccountRefused);
}
