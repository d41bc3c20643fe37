//! A source before a scripted server.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::sync::Arc;
use std::time::Duration;

use ossferry_aws::{ListVersion, S3Kind, S3Options, S3Source};
use ossferry_core::job::Addressing;
use ossferry_core::meter::Meter;
use ossferry_core::ports::ListingOrder;
use ossferry_core::time::Timestamp;
use ossferry_http::{Credentials, Lane, LaneOptions, RetryPolicy, StaticCredentials};

use crate::scripted::{Reply, Scripted, answer};

pub(crate) const MD5: &str = "\"d41d8cd98f00b204e9800998ecf8427e\"";

pub(crate) struct Bench {
    pub(crate) source: S3Source,
    pub(crate) server: Scripted,
    meter: Arc<Meter>,
}

impl Bench {
    pub(crate) async fn of(kind: S3Kind, replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::with(kind, replies, |_| {}).await
    }

    /// Four attempts a call, hardly any waiting between them, and a clock that stands still.
    pub(crate) async fn with(
        kind: S3Kind,
        replies: impl IntoIterator<Item = Reply>,
        change: impl FnOnce(&mut S3Options),
    ) -> Self {
        let server = Scripted::start(replies).await;
        let mut options = S3Options {
            kind,
            lane: Lane::new(&LaneOptions::default()),
            endpoint: server.url.clone(),
            region: "us-east-1".to_owned(),
            bucket: "bucket".to_owned(),
            addressing: Addressing::Path,
            list_version: ListVersion::V2,
            order: match kind {
                S3Kind::S3 | S3Kind::Cos | S3Kind::Gcs => ListingOrder::Bytes,
                _ => ListingOrder::Serial,
            },
            etag_is_md5: true,
            credentials: Some(Arc::new(StaticCredentials::new(Credentials {
                access_key: "AK".to_owned(),
                secret_key: "SK".to_owned(),
                token: None,
            }))),
            clock: Arc::new(|| Timestamp::from_rfc3339("2013-05-24T00:00:00Z").unwrap()),
            retry: RetryPolicy {
                attempts_max: 4,
                base_wait: Duration::from_millis(1),
                ..RetryPolicy::default()
            },
        };
        change(&mut options);
        let source = S3Source::new(options).unwrap();
        let meter = Arc::new(Meter::default());
        let source = source.counting(Arc::clone(&meter));
        Self { source, server, meter }
    }

    /// How many requests of an operation were counted since the last look.
    pub(crate) fn requests(&self, operation: &str) -> u64 {
        self.meter.take().get(operation).copied().unwrap_or_default()
    }
}

/// The headers of a GET of [`MD5`].
pub(crate) fn get_headers() -> Vec<(&'static str, &'static str)> {
    vec![("etag", MD5), ("content-type", "text/plain")]
}

/// One entry of a listing.
pub(crate) fn entry(key: &str) -> String {
    format!("<Contents><Key>{key}</Key><Size>3</Size></Contents>")
}

/// A listing that ends, or goes on at a token.
pub(crate) fn listing(entries: &str, token: Option<&str>) -> String {
    let next = token.map_or(String::new(), |token| {
        format!("<NextContinuationToken>{token}</NextContinuationToken>")
    });
    let truncated = token.is_some();
    format!(
        "<?xml version=\"1.0\"?><ListBucketResult>{entries}<IsTruncated>{truncated}</IsTruncated>\
         {next}</ListBucketResult>"
    )
}

pub(crate) fn xml(document: &str) -> Reply {
    Reply::Answer(answer("200 OK", &[("content-type", "application/xml")], document.as_bytes()))
}
