//! The limit beside the planner: both listings fetched and parsed by the same lanes and readers, page
//! after page, and nothing done with them.

use std::error::Error;
use std::sync::Arc;
use std::time::SystemTime;

use clap::Args;
use ossferry_aliyun::OssSource;
use ossferry_aliyun::oss::{OssClient, OssOptions};
use ossferry_aws::{ListVersion, S3Kind, S3Options, S3Source};
use ossferry_core::error::PortError;
use ossferry_core::job::Addressing;
use ossferry_core::key::Key;
use ossferry_core::ports::{ListRequest, ListStart, ListingOrder, Source};
use ossferry_core::time::{Clock, Timestamp};
use ossferry_http::{
    Credentials, CredentialsProvider, Endpoint, Lane, LaneOptions, RetryPolicy, StaticCredentials,
};

use crate::listing_server::{SOURCE, TARGET};

/// Where to list.
#[derive(Args, Clone, Debug)]
pub(crate) struct AloneArguments {
    /// The server of both buckets.
    #[arg(long)]
    pub(crate) endpoint: String,
}

/// Reads both listings to their ends at once and prints how many keys each had.
pub(crate) fn list_alone(arguments: &AloneArguments) -> Result<(), Box<dyn Error>> {
    // As many threads as the product runs on.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (source, target) = (source(&arguments.endpoint)?, target(&arguments.endpoint)?);
    let (source, target) = runtime.block_on(async {
        let source = tokio::spawn(async move { keys_of(&source).await });
        let target = tokio::spawn(async move { keys_of(&target).await });
        Ok::<_, Box<dyn Error>>((source.await??, target.await??))
    })?;
    println!("{source} {target}");
    Ok(())
}

async fn keys_of(source: &impl Source) -> Result<usize, PortError> {
    let keys_max = source.profile().page_keys_max;
    let start = ListStart::Beginning;
    let mut request = ListRequest { prefix: Key::default(), start, keys_max };
    let mut keys = 0;
    loop {
        let page = source.list(&request).await?;
        keys += page.entries.len();
        let Some(next) = page.next else { return Ok(keys) };
        request.start = ListStart::Token(next);
    }
}

fn source(endpoint: &str) -> Result<S3Source, PortError> {
    S3Source::new(S3Options {
        kind: S3Kind::Compatible,
        lane: Lane::new(&LaneOptions::default()),
        endpoint: endpoint.to_owned(),
        region: "us-east-1".to_owned(),
        bucket: SOURCE.to_owned(),
        addressing: Addressing::Path,
        list_version: ListVersion::V2,
        order: ListingOrder::Bytes,
        etag_is_md5: true,
        credentials: Some(credentials()),
        clock: clock(),
        retry: RetryPolicy::default(),
    })
}

fn target(endpoint: &str) -> Result<OssSource, Box<dyn Error>> {
    Ok(OssSource::new(OssClient::new(OssOptions {
        lane: Lane::new(&LaneOptions::default()),
        endpoint: Endpoint::parse(endpoint).ok_or("the endpoint is no address")?,
        region: "cn-hangzhou".to_owned(),
        bucket: TARGET.to_owned(),
        credentials: Some(credentials()),
        addressing: Addressing::Path,
        clock: clock(),
        retry: RetryPolicy::default(),
    })?))
}

fn credentials() -> Arc<dyn CredentialsProvider> {
    let (access_key, secret_key) = ("benchmark".to_owned(), "benchmark".to_owned());
    Arc::new(StaticCredentials::new(Credentials { access_key, secret_key, token: None }))
}

fn clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    })
}
