//! The source against a Google that answers as told: what its emulator cannot show.

#[path = "../../http/tests/scripted/mod.rs"]
mod scripted;

mod bench;
mod made_key;

use std::time::Duration;

use bench::{Bench, object, refusal, said, token};
use made_key::EMAIL;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::object::{ByteRange, ETag, Pin};
use ossferry_core::ports::{ListRequest, ListStart, OpenObject};
use scripted::Reply::{self, Answer};
use scripted::answer;
use serde_json::json;

fn pin() -> Pin {
    Pin { etag: ETag::new("17") }
}

const RANGE: ByteRange = ByteRange { start: 2, bytes: 5 };

fn request() -> ListRequest {
    ListRequest { prefix: Key::default(), start: ListStart::Beginning, keys_max: 1_000 }
}

fn media(generation: &str, headers: &[(&str, &str)], status: &str, body: &[u8]) -> Reply {
    let mut all = vec![("x-goog-generation", generation)];
    all.extend_from_slice(headers);
    Answer(answer(status, &all, body))
}

fn part(generation: &str) -> Reply {
    let range = [("content-range", "bytes 2-6/10")];
    media(generation, &range, "206 Partial Content", b"23456")
}

async fn opened(
    replies: impl IntoIterator<Item = Reply>,
    range: Option<ByteRange>,
) -> (Bench, Result<OpenObject, PortError>) {
    let bench = Bench::of(replies, [token("T")]).await;
    let opened = bench.source.open(&Key::from("k"), &pin(), range).await;
    (bench, opened)
}

#[tokio::test]
async fn an_object_is_asked_for_by_its_generation_as_it_is_stored_and_with_its_metadata() {
    let bytes = media("17", &[], "200 OK", b"0123456789");
    let (bench, opened) = opened([said(&object()), bytes], None).await;
    let info = opened.unwrap().info;
    assert_eq!(info.headers.user_metadata, [("colour".to_owned(), "blue".to_owned())]);
    let received = bench.google.received();
    assert_eq!(received[0].target(), "/storage/v1/b/photos/o/k?");
    assert_eq!(
        received[1].target(),
        "/storage/v1/b/photos/o/k?alt=media&generation=17&ifGenerationMatch=17"
    );
    assert_eq!(received[1].header("accept-encoding"), Some("gzip"));
    assert_eq!(received[0].header("accept-encoding"), None, "JSON is not packed");
    assert!(received.iter().all(|asked| asked.header("authorization") == Some("Bearer T")));
    let asked = bench.meter.take();
    assert_eq!((asked["GetObjectMetadata"], asked["GetObject"]), (1, 1));
}

#[tokio::test]
async fn a_range_is_one_request_and_tells_the_whole_object_s_size_and_md5() {
    let headers = [
        ("content-range", "bytes 2-6/10"),
        ("x-goog-hash", "crc32c=AAAAAA==,md5=1B2M2Y8AsgTpgAmY7PhCfg=="),
    ];
    let bytes = media("17", &headers, "206 Partial Content", b"23456");
    let (bench, opened) = opened([bytes], Some(RANGE)).await;
    let info = opened.unwrap().info;
    assert_eq!((info.size, info.digests.md5.is_some()), (10, true));
    assert_eq!(bench.google.received()[0].header("range"), Some("bytes=2-6"));
}

#[tokio::test]
async fn bytes_of_another_generation_are_not_taken() {
    let newer = json!({ "name": "k", "size": "10", "generation": "18" });
    let whole = || media("18", &[], "200 OK", b"0123456789");
    for (replies, range) in [
        (vec![said(&newer)], None),
        (vec![said(&object()), whole(), said(&newer)], None),
        (vec![part("18"), said(&newer)], Some(RANGE)),
        (vec![refusal("412 No", "conditionNotMet"), said(&newer)], Some(RANGE)),
        // A generation that is not kept is not found.
        (vec![refusal("404 No", "notFound"), said(&newer)], Some(RANGE)),
    ] {
        let (_, opened) = opened(replies, range).await;
        let error = opened.err().unwrap();
        assert_eq!(error.kind, ErrorKind::PreconditionFailed, "{error}");
    }
    let nobodys = Answer(answer("200 OK", &[], b"0123456789"));
    let again = || Answer(answer("200 OK", &[], b"0123456789"));
    let replies = [said(&object()), nobodys, again(), again(), again()];
    let error = opened(replies, None).await.1.err().unwrap();
    assert_eq!(error.kind, ErrorKind::BadAnswer, "{error}");
}

#[tokio::test]
async fn bytes_that_were_unpacked_on_the_way_are_not_taken() {
    let unpacked = || media("17", &[], "200 OK", b"unpacked to more than ten bytes");
    let replies = [said(&object()), unpacked(), unpacked(), unpacked(), unpacked()];
    let error = opened(replies, None).await.1.err().unwrap();
    assert_eq!(error.kind, ErrorKind::BadAnswer, "{error}");
}

#[tokio::test]
async fn a_key_and_a_bucket_that_are_not_there_are_told_apart_by_asking_the_bucket() {
    let missing = || refusal("404 No", "notFound");
    for (of_bucket, kind) in [
        (said(&json!({ "kind": "storage#objects" })), ErrorKind::NoSuchKey),
        (missing(), ErrorKind::NoSuchBucket),
        // Whoever may not list it cannot be told.
        (refusal("403 No", "forbidden"), ErrorKind::NoSuchKey),
    ] {
        let bench = Bench::of([missing(), of_bucket], [token("T")]).await;
        let error = bench.source.head(&Key::from("k")).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        let asked = bench.google.received()[1].target().to_owned();
        assert_eq!(asked, "/storage/v1/b/photos/o?fields=kind&maxResults=1");
    }
    let bench = Bench::of([missing()], [token("T")]).await;
    let error = bench.source.list(&request()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NoSuchBucket);
}

#[tokio::test]
async fn a_quota_is_waited_for() {
    let page = said(&json!({ "kind": "storage#objects" }));
    let replies = [
        refusal("429 No", "rateLimitExceeded"),
        refusal("503 No", "backendError"),
        refusal("403 No", "userRateLimitExceeded"),
        page,
    ];
    let bench = Bench::of(replies, [token("T")]).await;
    assert!(bench.source.list(&request()).await.unwrap().entries.is_empty());
    assert_eq!(bench.meter.take()["ListObjects"], 4);
    let throttled = || refusal("429 No", "rateLimitExceeded");
    let bench = Bench::of([throttled(), throttled(), throttled(), throttled()], [token("T")]).await;
    let error = bench.source.list(&request()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled);
}

#[tokio::test]
async fn an_object_under_the_customer_s_own_key_is_named_as_one() {
    let encrypted = json!({
        "name": "k", "size": "10", "generation": "17",
        "customerEncryption": { "encryptionAlgorithm": "AES256", "keySha256": "x" },
    });
    let (bench, whole) = opened([said(&encrypted)], None).await;
    assert_eq!(bench.google.received().len(), 1, "its bytes are not asked for");
    let reason = "resourceIsEncryptedWithCustomerEncryptionKey";
    let (_, part) = opened([refusal("400 No", reason)], Some(RANGE)).await;
    for error in [whole.err().unwrap(), part.err().unwrap()] {
        assert_eq!(error.kind, ErrorKind::Unsupported);
        assert!(
            error.to_string().contains("encrypted by a key that its owner supplies"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_token_is_asked_for_once_signed_and_renewed_before_its_end() {
    let page = || said(&json!({ "kind": "storage#objects" }));
    let replies = [page(), page(), page()];
    let bench = Bench::of(replies, [token("T1"), token("T2")]).await;
    for minutes in [0, 54, 2] {
        bench.pass(Duration::from_mins(minutes));
        bench.source.list(&request()).await.unwrap();
    }
    let used: Vec<_> = bench
        .google
        .received()
        .iter()
        .map(|asked| asked.header("authorization").unwrap().to_owned())
        .collect();
    assert_eq!(used, ["Bearer T1", "Bearer T1", "Bearer T2"]);
    let exchanged = bench.tokens.received();
    assert_eq!(exchanged[0].line(), "POST /token?a=b HTTP/1.1");
    let claims = Bench::claims(&exchanged[0]);
    assert_eq!((&claims["iss"], &claims["iat"]), (&json!(EMAIL), &json!(1_795_748_400)));
    assert_eq!(claims["exp"], json!(1_795_752_000));
    assert_eq!(claims["scope"], json!("https://www.googleapis.com/auth/devstorage.read_only"));
    assert_eq!(claims["aud"], json!(format!("{}/token?a=b", bench.tokens.url)));
    assert_eq!(Bench::claims(&exchanged[1])["iat"], json!(1_795_748_400 + 56 * 60));
}

#[tokio::test]
async fn a_token_that_ended_early_is_exchanged_and_one_that_is_refused_again_is_an_error() {
    let page = said(&json!({ "kind": "storage#objects" }));
    let ended = || refusal("401 No", "authError");
    let bench = Bench::of([ended(), page], [token("T1"), token("T2")]).await;
    bench.source.list(&request()).await.unwrap();
    assert_eq!(bench.google.received()[1].header("authorization"), Some("Bearer T2"));
    let bench = Bench::of([ended(), ended()], [token("T1"), token("T1")]).await;
    let error = bench.source.list(&request()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AccountRefused, "{error}");
}

#[tokio::test]
async fn a_key_that_was_exchanged_where_it_is_kept_is_taken_up() {
    let invalid = Answer(answer("400 Bad Request", &[], br#"{"error":"invalid_grant"}"#));
    let page = said(&json!({ "kind": "storage#objects" }));
    let bench = Bench::of_exchanged_key([page], [invalid, token("T")]).await;
    bench.source.list(&request()).await.unwrap();
    let exchanged = bench.tokens.received();
    assert_eq!(exchanged.len(), 2);
    assert_eq!(Bench::claims(&exchanged[1])["iss"], json!(EMAIL));
}

#[tokio::test]
async fn a_refused_signature_a_wrong_clock_and_a_text_that_is_no_key_are_errors_of_their_own() {
    let invalid = |date| {
        let body =
            br#"{"error":"invalid_grant","error_description":"Invalid JWT Signature canary"}"#;
        Answer(answer("400 Bad Request", &[("date", date)], body))
    };
    for (date, kind, what) in [
        ("Fri, 27 Nov 2026 03:00:00 GMT", ErrorKind::AccountRefused, "its key is another's"),
        ("Fri, 27 Nov 2026 03:09:00 GMT", ErrorKind::ClockSkew, "the clock of this machine"),
        ("Fri, 27 Nov 2026 02:51:00 GMT", ErrorKind::ClockSkew, "the clock of this machine"),
    ] {
        let bench = Bench::of([], [invalid(date)]).await;
        let error = bench.source.list(&request()).await.unwrap_err();
        assert_eq!(error.kind, kind);
        let text = error.to_string();
        assert!(text.contains("invalid_grant (400)") && text.contains(EMAIL), "{text}");
        assert!(text.contains(what) && !text.contains("canary"), "{text}");
    }
    let bench = Bench::of_text("{\"private_key\":\"canary\"}").await;
    let error = bench.source.list(&request()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AccountRefused);
    let text = format!("{error} {error:?}");
    assert!(text.contains("service account") && !text.contains("canary"), "{text}");
    assert!(bench.tokens.received().is_empty() && bench.google.received().is_empty());
}
