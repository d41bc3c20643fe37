//! What the stores of the family are asked differently, on the wire.

mod bench;
#[path = "../../http/tests/scripted/mod.rs"]
mod scripted;

use bench::{Bench, MD5};
use ossferry_aws::{ListVersion, S3Kind};
use ossferry_core::key::Key;
use ossferry_core::ports::{ListRequest, ListStart, ListingOrder, Source};
use scripted::{Reply, answer};

fn page(keys: &[&str], truncated: bool) -> Reply {
    let entries: Vec<String> = keys
        .iter()
        .map(|key| {
            format!(
                "<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.678+08:00</LastModified>\
                 <ETag>{MD5}</ETag><Size>1</Size></Contents>"
            )
        })
        .collect();
    let text = format!(
        "<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{}</ListBucketResult>",
        entries.concat()
    );
    Reply::Answer(answer("200 OK", &[], text.as_bytes()))
}

fn request(start: ListStart) -> ListRequest {
    ListRequest { prefix: Key::default(), start, keys_max: 2 }
}

#[tokio::test]
async fn stores_whose_markers_do_not_advance_when_keys_are_encoded_are_not_asked_to_encode_them() {
    for kind in [S3Kind::Obs, S3Kind::Kodo] {
        let replies = [page(&["a b", "a%20b"], true), page(&["c"], false)];
        let bench = Bench::with(kind, replies, |options| {
            options.list_version = ListVersion::V1;
            options.order = ListingOrder::Serial;
        })
        .await;
        let first = bench.source.list(&request(ListStart::Beginning)).await.unwrap();
        let keys: Vec<_> = first.entries.iter().map(|entry| entry.key.clone()).collect();
        assert_eq!(keys, [Key::from("a b"), Key::from("a%20b")], "keys are as they stand there");
        let date = first.entries[0].last_modified.unwrap();
        assert_eq!(date.to_string(), "2026-01-01T19:04:05.678Z", "a date has its own offset");
        let token = ListStart::Token(first.next.unwrap());
        bench.source.list(&request(token)).await.unwrap();
        let sent = bench.server.received();
        assert!(!sent[0].target().contains("encoding-type"), "{}", sent[0].target());
        assert!(sent[1].target().contains("marker=a%2520b"), "{}", sent[1].target());
    }
}

#[tokio::test]
async fn each_store_is_signed_for_as_it_wants_it() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for (kind, region, payload, scope) in [
        (S3Kind::Bos, "bj", empty, "/bj/s3/aws4_request"),
        (S3Kind::Ks3, "cn-beijing", "UNSIGNED-PAYLOAD", "/BEIJING/s3/aws4_request"),
        (S3Kind::Obs, "cn-north-4", "UNSIGNED-PAYLOAD", "/cn-north-4/s3/aws4_request"),
        (S3Kind::Gcs, "auto", "UNSIGNED-PAYLOAD", "/auto/s3/aws4_request"),
    ] {
        let bench = Bench::with(kind, [page(&["a"], false)], |options| {
            options.region = region.to_owned();
        })
        .await;
        bench.source.list(&request(ListStart::Beginning)).await.unwrap();
        let sent = &bench.server.received()[0];
        assert_eq!(sent.header("x-amz-content-sha256"), Some(payload), "{kind:?}");
        let authorization = sent.header("authorization").unwrap();
        assert!(authorization.contains(scope), "{kind:?}: {authorization}");
        let takes_gzip = (kind == S3Kind::Gcs).then_some("gzip");
        assert_eq!(sent.header("accept-encoding"), takes_gzip, "{kind:?}");
        assert!(!authorization.contains("accept-encoding"), "{authorization}");
    }
}

#[tokio::test]
async fn google_s_own_digest_and_metadata_are_read() {
    let headers = [
        ("etag", "\"-CJjH4bWz3oADEAE=\""),
        ("x-goog-hash", "crc32c=AAAAAA==,md5=1B2M2Y8AsgTpgAmY7PhCfg=="),
        ("x-goog-meta-colour", "blue"),
        ("x-goog-storage-class", "NEARLINE"),
    ];
    let bench = Bench::of(S3Kind::Gcs, [Reply::Answer(answer("200 OK", &headers, b""))]).await;
    let info = bench.source.head(&Key::from("k")).await.unwrap();
    assert_eq!(info.digests.md5.unwrap()[..2], [0xd4, 0x1d]);
    assert_eq!(info.headers.user_metadata, [("colour".to_owned(), "blue".to_owned())]);
    assert_eq!(info.storage_class.as_deref(), Some("NEARLINE"));
}
