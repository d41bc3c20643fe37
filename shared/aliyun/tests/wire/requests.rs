//! What holds for every request, listings and the preflight.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ossferry_aliyun::OssTarget;
use ossferry_aliyun::oss::Versioning;
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::ports::{ListRequest, ListStart, PutOptions, Target};
use ossferry_http::{Credentials, CredentialsProvider, format_http_date};

use crate::scripted::{Reply, Scripted, answer};
use crate::{ETAG, NOW, body, client, client_of, ok, refusal};

#[tokio::test]
async fn a_request_is_signed_with_its_token_and_dated_by_the_clock() {
    let server = Scripted::start([ok(&[("content-length", "3"), ("etag", ETAG)], "")]).await;
    let key = Key::from("k");
    client(&server).object_meta(&key).await.unwrap();
    let request = &server.received()[0];
    assert_eq!(request.line(), "HEAD /bucket/k?objectMeta HTTP/1.1");
    assert_eq!(request.header("x-oss-security-token"), Some("sts"));
    assert_eq!(request.header("x-oss-content-sha256"), Some("UNSIGNED-PAYLOAD"));
    assert_eq!(request.header("x-oss-date"), Some("20260921T141320Z"));
    let authorization = request.header("authorization").unwrap();
    let start = "OSS4-HMAC-SHA256 Credential=ak/20260921/cn-hangzhou/oss/aliyun_v4_request,";
    assert!(authorization.starts_with(start), "{authorization}");
}

#[tokio::test]
async fn an_anonymous_request_is_not_signed() {
    let server = Scripted::start([ok(&[("content-length", "3"), ("etag", ETAG)], "")]).await;
    client_of(&server, None).head_object(&Key::from("k")).await.unwrap();
    let request = &server.received()[0];
    assert!(!request.head.contains("authorization") && !request.head.contains("x-oss-"));
}

/// Gives the next token, or the next key, once the last is refused.
struct Renewing {
    number: AtomicU64,
    is_temporary: bool,
}

impl Renewing {
    fn new(is_temporary: bool) -> Arc<Self> {
        Arc::new(Self { number: AtomicU64::new(1), is_temporary })
    }
}

#[async_trait::async_trait]
impl CredentialsProvider for Renewing {
    async fn credentials(&self) -> Result<Arc<Credentials>, PortError> {
        let number = self.number.load(Ordering::Relaxed);
        Ok(Arc::new(Credentials {
            access_key: if self.is_temporary { "ak".to_owned() } else { format!("ak-{number}") },
            secret_key: "sk".to_owned(),
            token: self.is_temporary.then(|| format!("token-{number}")),
        }))
    }

    fn expired(&self, _refused: &Credentials) {
        self.number.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn an_expired_token_is_renewed_and_does_not_condemn_the_account() {
    let expired = || refusal("403 Forbidden", "SecurityTokenExpired");
    let off = || ok(&[], "<VersioningConfiguration/>");
    let server = Scripted::start([expired(), off(), expired()]).await;
    let client = client_of(&server, Some(Renewing::new(true)));
    let key = Key::from("k");
    client.bucket_versioning().await.unwrap();
    let tokens: Vec<_> = server
        .received()
        .iter()
        .map(|request| request.header("x-oss-security-token").unwrap().to_owned())
        .collect();
    assert_eq!(tokens, ["token-1", "token-2"]);
    let target = OssTarget::new(client, true);
    let put = target.put(&key, &PutOptions::default(), 5, body("hello")).await.unwrap_err();
    assert_eq!((put.kind, put.conclusion), (ErrorKind::Other, Conclusion::NotDone));

    let server = Scripted::start([expired()]).await;
    let fixed = self::client(&server).bucket_info().await.unwrap_err();
    assert_eq!(fixed.kind, ErrorKind::AccountRefused, "there is no other token to be had");
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn a_key_that_was_exchanged_where_it_is_kept_does_not_condemn_the_account() {
    let unknown = refusal("403 Forbidden", "InvalidAccessKeyId");
    let server = Scripted::start([unknown, ok(&[], "<VersioningConfiguration/>")]).await;
    let client = client_of(&server, Some(Renewing::new(false)));
    client.bucket_versioning().await.unwrap();
    let received = server.received();
    assert!(received[0].header("authorization").unwrap().contains("ak-1"));
    assert!(received[1].header("authorization").unwrap().contains("ak-2"));
}

#[tokio::test]
async fn a_throttled_request_waits_as_long_as_it_was_asked_to() {
    let page = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
    let busy = answer("503 Busy", &[("x-oss-qos-delay-time", "150")], b"");
    let server = Scripted::start([Reply::Answer(busy), ok(&[], page)]).await;
    let start = tokio::time::Instant::now();
    let request =
        ListRequest { prefix: Key::from("p/"), start: ListStart::Beginning, keys_max: 5_000 };
    let listed = client(&server).list(&request).await.unwrap();
    assert!(listed.entries.is_empty() && listed.next.is_none());
    assert!(start.elapsed() >= Duration::from_millis(150));
    assert_eq!(
        server.received()[1].target(),
        "/bucket/?list-type=2&encoding-type=url&max-keys=1000&prefix=p%2F"
    );
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_from_the_answer_and_the_request_repeated() {
    let theirs = NOW.plus(Duration::from_hours(2));
    let date = format_http_date(theirs);
    let skewed = || {
        let body = b"<Error><Code>RequestTimeTooSkewed</Code></Error>";
        Reply::Answer(answer("403 Forbidden", &[("date", &date)], body))
    };
    let page = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
    let server =
        Scripted::start([skewed(), ok(&[("date", &date)], page), skewed(), skewed(), skewed()])
            .await;
    let target = OssTarget::new(client(&server), true);
    assert_eq!(target.now().await.unwrap(), theirs);
    assert_eq!(server.received()[1].header("x-oss-date"), Some("20260921T161320Z"));
    // A service that complains of its own time is believed once.
    let error = target.list_parts(&Key::from("k"), "id").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ClockSkew);
}

#[tokio::test]
async fn a_listing_that_repeats_or_is_out_of_order_stops_by_name() {
    let page = |keys: [&str; 2]| {
        let contents =
            keys.map(|key| format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>")).concat();
        ok(
            &[],
            &format!(
                "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>\
             <NextContinuationToken>t%2B1</NextContinuationToken>{contents}</ListBucketResult>"
            ),
        )
    };
    let server = Scripted::start([
        page(["a%2Fb", "a%2Fb%20c"]),
        page(["a%2Fb", "a%2Fb%20c"]),
        page(["b", "a"]),
    ])
    .await;
    let client = client(&server);
    let request = |start| ListRequest { prefix: Key::default(), start, keys_max: 2 };
    let first = client.list(&request(ListStart::After(Key::from("a")))).await.unwrap();
    assert_eq!(first.entries[1].key, Key::from("a/b c"));
    assert_eq!(first.next.as_deref(), Some("t+1"));
    let again = client.list(&request(ListStart::Token("t+1".to_owned()))).await.unwrap_err();
    assert_eq!(again.kind, ErrorKind::PageRepeated);
    let turned = client.list(&request(ListStart::Beginning)).await.unwrap_err();
    assert_eq!(turned.kind, ErrorKind::OutOfOrder);
    let received = server.received();
    assert!(received[0].target().ends_with("&start-after=a"));
    assert!(received[1].target().ends_with("&continuation-token=t%2B1"));
}

#[tokio::test]
async fn a_preflight_learns_of_versions_and_encryption() {
    let info = "<BucketInfo><Bucket><Location>oss-cn-hangzhou</Location>\
        <StorageClass>Standard</StorageClass><Versioning>Suspended</Versioning>\
        <ServerSideEncryptionRule><SSEAlgorithm>KMS</SSEAlgorithm></ServerSideEncryptionRule>\
        </Bucket></BucketInfo>";
    let server = Scripted::start([
        ok(&[], info),
        ok(&[], "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"),
        ok(&[], "<VersioningConfiguration/>"),
        refusal("403 Forbidden", "InvalidAccessKeyId"),
    ])
    .await;
    let client = client(&server);
    let info = client.bucket_info().await.unwrap();
    assert_eq!(info.versioning, Some(Versioning::Suspended));
    assert_eq!(info.encryption.as_deref(), Some("KMS"));
    assert_eq!(client.bucket_versioning().await.unwrap(), Versioning::Enabled);
    assert_eq!(client.bucket_versioning().await.unwrap(), Versioning::Off);
    let refused = client.bucket_info().await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::AccountRefused);
    assert_eq!(server.received()[0].target(), "/bucket/?bucketInfo");
}
