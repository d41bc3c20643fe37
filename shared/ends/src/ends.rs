//! From a job to its source and its target, with the job's limits and credentials.

use std::sync::Arc;

use ossferry_aliyun::oss::{BucketInfo, OssClient, OssOptions, Versioning};
use ossferry_aliyun::{OssSource, OssTarget};
use ossferry_aws::{S3Kind, S3Options, S3Source};
use ossferry_azure::{AzureOptions, AzureSource};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::job::{
    Addressing, AzureSource as AzureSpec, BucketSource, Credentials, Encryption,
    GcsSource as GcsSpec, Job, Limits, SourceSpec, StateSpec, StoreKind, TargetSpec,
};
use ossferry_core::ports::Source;
use ossferry_core::rates::Rates;
use ossferry_gcs::{GcsOptions, GcsSource, ServiceAccountTokens};
use ossferry_http::{
    CredentialsProvider, Endpoint, Lane, LaneOptions, Pace, PaceOptions, RefreshedCredentials,
    RetryPolicy,
};
use ossferry_lists::{ListedBucket, UrlOptions, UrlSource};
use ossferry_local::FolderSource;
use ossferry_upyun::{UpyunOptions, UpyunSource};

use crate::credentials::{Regions, resolve};
use crate::{EndError, Surroundings};

const SOURCE: &str = "source";
const TARGET: &str = "target";

/// A source, and what its store offers beside the port.
pub enum SourceEnd {
    /// A folder of this around.
    Folder(FolderSource),
    /// A bucket of the S3 family.
    S3(Arc<S3Source>),
    /// A bucket of OSS.
    Oss(OssSource),
    /// A list of URLs.
    Urls(UrlSource),
    /// A container of Azure Blob Storage.
    Azure(AzureSource),
    /// A bucket of UPYUN.
    Upyun(UpyunSource),
    /// A bucket of Google Cloud Storage, by its JSON interface.
    Gcs(GcsSource),
    /// A bucket that is listed by something else; behind it the bucket.
    Listed(ListedBucket, Box<Self>),
}

impl SourceEnd {
    /// As a port.
    pub fn port(&self) -> Arc<dyn Source> {
        match self {
            Self::Folder(folder) => Arc::new(folder.clone()),
            Self::S3(bucket) => Arc::clone(bucket) as Arc<dyn Source>,
            Self::Oss(bucket) => Arc::new(bucket.clone()),
            Self::Urls(list) => Arc::new(list.clone()),
            Self::Azure(container) => Arc::new(container.clone()),
            Self::Upyun(bucket) => Arc::new(bucket.clone()),
            Self::Gcs(bucket) => Arc::new(bucket.clone()),
            Self::Listed(listed, _) => Arc::new(listed.clone()),
        }
    }

    /// How its store is asked, for requests alone: the hosts of a list together.
    pub(crate) fn requests_pace(&self) -> Option<&Pace> {
        match self {
            Self::Urls(list) => Some(list.requests_pace()),
            _ => self.pace(),
        }
    }

    /// How its store is asked. A folder is not, and each host of a list has a pace of its own.
    pub(crate) fn pace(&self) -> Option<&Pace> {
        match self {
            Self::Folder(_) | Self::Urls(_) => None,
            Self::Azure(container) => Some(container.pace()),
            Self::Upyun(bucket) => Some(bucket.pace()),
            Self::Gcs(bucket) => Some(bucket.pace()),
            Self::Listed(_, bucket) => bucket.pace(),
            Self::S3(bucket) => Some(bucket.pace()),
            Self::Oss(bucket) => Some(bucket.client().pace()),
        }
    }
}

/// The source of a job. A folder must be there, and a list of URLs is read; a bucket is not asked yet.
pub async fn source_end(job: &Job, around: &Surroundings) -> Result<SourceEnd, EndError> {
    let refused = |error| EndError::End { end: SOURCE, error };
    let bucket = match &job.source {
        SourceSpec::Folder(folder) => {
            let source = FolderSource::open(&folder.path, Arc::clone(&around.clock));
            let source = source.map_err(refused)?;
            return Ok(SourceEnd::Folder(source));
        }
        SourceSpec::UrlList(list) => {
            let source = UrlSource::open(UrlOptions {
                spec: list.clone(),
                lane: lane_options(&job.limits, source_rates(job)),
                clock: Arc::clone(&around.clock),
                retry: RetryPolicy::default(),
            });
            return source.await.map(SourceEnd::Urls).map_err(refused);
        }
        SourceSpec::Azure(container) => return azure_source(container, job, around).await,
        SourceSpec::Gcs(bucket) => return gcs_source(bucket, job, around).await,
        SourceSpec::Bucket(bucket) => bucket,
    };
    let signer = signer(SOURCE, &bucket.credentials, &bucket.region, job, around).await?;
    let lane = lane(&job.limits, source_rates(job));
    let clock = Arc::clone(&around.clock);
    let end = match S3Options::of(bucket, lane.clone(), signer.clone(), clock) {
        Some(options) => {
            S3Source::new(options).map(|bucket| SourceEnd::S3(Arc::new(bucket))).map_err(refused)?
        }
        None if bucket.kind == StoreKind::Upyun => {
            upyun_source(bucket, lane, signer, around).map_err(refused)?
        }
        None => oss_source(bucket, lane, signer, around).map_err(refused)?,
    };
    listed(end, bucket).await.map_err(refused)
}

/// The bucket, listed by its inventory or a list of keys where the job names one.
async fn listed(end: SourceEnd, bucket: &BucketSource) -> Result<SourceEnd, PortError> {
    if let Some(place) = bucket.keys.clone() {
        let listed = ListedBucket::by_keys(end.port(), place, bucket.prefix.clone());
        return Ok(SourceEnd::Listed(listed, Box::new(end)));
    }
    let Some(place) = bucket.inventory.clone() else { return Ok(end) };
    let kind = S3Kind::of(bucket.kind);
    // Classes of OSS itself: the cold ones.
    let archived = move |class: &str| match kind {
        Some(kind) => kind.is_archived(class),
        None => matches!(class, "Archive" | "ColdArchive" | "DeepColdArchive"),
    };
    let listed = ListedBucket::by_inventory(end.port(), &bucket.bucket, place, archived).await?;
    Ok(SourceEnd::Listed(listed, Box::new(end)))
}

async fn azure_source(
    container: &AzureSpec,
    job: &Job,
    around: &Surroundings,
) -> Result<SourceEnd, EndError> {
    // Accounts are global: a secret's own region is the state's.
    let credentials = signer(SOURCE, &container.credentials, "", job, around).await?;
    let options = AzureOptions {
        lane: lane(&job.limits, source_rates(job)),
        endpoint: container.endpoint.clone(),
        account: container.account.clone(),
        container: container.container.clone(),
        addressing: container.addressing,
        credentials,
        clock: Arc::clone(&around.clock),
        retry: RetryPolicy::default(),
    };
    let source = AzureSource::new(options);
    source.map(SourceEnd::Azure).map_err(|error| EndError::End { end: SOURCE, error })
}

fn upyun_source(
    bucket: &BucketSource,
    lane: Lane,
    signer: Option<Arc<dyn CredentialsProvider>>,
    around: &Surroundings,
) -> Result<SourceEnd, PortError> {
    let source = UpyunSource::new(UpyunOptions {
        lane,
        endpoint: bucket.endpoint.clone(),
        bucket: bucket.bucket.clone(),
        credentials: signer,
        clock: Arc::clone(&around.clock),
        retry: RetryPolicy::default(),
    })?;
    Ok(SourceEnd::Upyun(source))
}

async fn gcs_source(
    bucket: &GcsSpec,
    job: &Job,
    around: &Surroundings,
) -> Result<SourceEnd, EndError> {
    // Google's buckets are found without a region: a secret's own is the state's.
    let key = signer(SOURCE, &bucket.credentials, "", job, around).await?;
    let credentials = key.map(|key| {
        let tokens = ServiceAccountTokens::new(key, Arc::clone(&around.clock));
        let kept = RefreshedCredentials::new(tokens, Arc::clone(&around.clock));
        Arc::new(kept) as Arc<dyn CredentialsProvider>
    });
    let options = GcsOptions {
        lane: lane(&job.limits, source_rates(job)),
        endpoint: bucket.endpoint.clone(),
        bucket: bucket.bucket.clone(),
        credentials,
        retry: RetryPolicy::default(),
    };
    let source = GcsSource::new(options);
    source.map(SourceEnd::Gcs).map_err(|error| EndError::End { end: SOURCE, error })
}

fn oss_source(
    bucket: &BucketSource,
    lane: Lane,
    signer: Option<Arc<dyn CredentialsProvider>>,
    around: &Surroundings,
) -> Result<SourceEnd, PortError> {
    debug_assert_eq!(bucket.kind, StoreKind::Oss, "every other kind is of the s3 family");
    let client = oss_client(
        &Bucket {
            endpoint: &bucket.endpoint,
            region: &bucket.region,
            name: &bucket.bucket,
            addressing: bucket.addressing,
        },
        lane,
        signer,
        around,
    )?;
    Ok(SourceEnd::Oss(OssSource::new(client)))
}

/// The key that the source is read by now; `None` where it is read without one. For whoever has to
/// hand it on: it is a secret.
pub async fn source_key(
    job: &Job,
    around: &Surroundings,
) -> Result<Option<Arc<ossferry_http::Credentials>>, EndError> {
    let SourceSpec::Bucket(bucket) = &job.source else { return Ok(None) };
    let signer = signer(SOURCE, &bucket.credentials, &bucket.region, job, around).await?;
    let Some(signer) = signer else { return Ok(None) };
    let key = signer.credentials().await;
    key.map(Some).map_err(|error| EndError::End { end: SOURCE, error })
}

/// The target's client. Asks nothing yet.
pub async fn target_client(job: &Job, around: &Surroundings) -> Result<OssClient, EndError> {
    let target = &job.target;
    let refused = |error| EndError::End { end: TARGET, error };
    let signer = signer(TARGET, &target.credentials, &target.region, job, around).await?;
    let bucket = Bucket {
        endpoint: &target.endpoint,
        region: &target.region,
        name: &target.bucket,
        addressing: target.addressing,
    };
    oss_client(&bucket, lane(&job.limits, job.limits.calendar().target), signer, around)
        .map_err(refused)
}

/// The target of a job. Asks the bucket once whether its default encryption leaves an `ETag` an MD5,
/// and whether it is versioned.
///
/// Fails where that question shows that going on is pointless: nothing answers at the address, no such
/// bucket, keys refused. A bucket that does not say is taken for a versioned one, which costs a HEAD
/// before each write that must not overwrite.
pub async fn target_end(job: &Job, around: &Surroundings) -> Result<OssTarget, EndError> {
    let client = target_client(job, around).await?;
    let (encryption, is_versioned) = match client.bucket_info().await {
        Ok(BucketInfo { encryption, versioning, .. }) => {
            (encryption, !matches!(versioning, Some(Versioning::Off) | None))
        }
        Err(error) if ends_the_start(error.kind) => {
            return Err(EndError::End { end: TARGET, error });
        }
        Err(error) => {
            tracing::warn!(
                %error,
                "the bucket does not say whether it is versioned or encrypts by KMS: it is taken for \
                 versioned, and its etags for md5s"
            );
            (None, true)
        }
    };
    let target = OssTarget::new(client, etag_is_md5(&job.target, encryption.as_deref()));
    Ok(if is_versioned { target.versioned() } else { target })
}

/// Whether an error of the first question says that no later one will fare better.
fn ends_the_start(kind: ErrorKind) -> bool {
    kind == ErrorKind::Connection || kind.concerns_every_object()
}

/// Not where KMS encrypts, by the job's wish or the bucket's default.
fn etag_is_md5(target: &TargetSpec, bucket_encryption: Option<&str>) -> bool {
    match target.encryption {
        Some(Encryption::Kms) => false,
        Some(Encryption::Aes256) => true,
        None => bucket_encryption != Some("KMS"),
    }
}

async fn signer(
    end: &'static str,
    place: &Credentials,
    region: &str,
    job: &Job,
    around: &Surroundings,
) -> Result<Option<Arc<dyn CredentialsProvider>>, EndError> {
    let state = match &job.state {
        StateSpec::Aws { region, .. } => region.as_deref(),
        StateSpec::Local { .. } | StateSpec::Aliyun { .. } => None,
    };
    resolve(end, place, Regions { bucket: region, state }, around).await
}

struct Bucket<'a> {
    endpoint: &'a str,
    region: &'a str,
    name: &'a str,
    addressing: Addressing,
}

fn oss_client(
    bucket: &Bucket<'_>,
    lane: Lane,
    credentials: Option<Arc<dyn CredentialsProvider>>,
    around: &Surroundings,
) -> Result<OssClient, PortError> {
    let unusable = || {
        let message = "the endpoint is no address: write endpoint = \"https://host\"";
        PortError::new(ErrorKind::Unsupported, message)
    };
    OssClient::new(OssOptions {
        lane,
        endpoint: Endpoint::parse(bucket.endpoint).ok_or_else(unusable)?,
        region: bucket.region.to_owned(),
        bucket: bucket.name.to_owned(),
        credentials,
        addressing: bucket.addressing,
        clock: Arc::clone(&around.clock),
        retry: RetryPolicy::default(),
    })
}

/// What the source is asked at most until shares of it are kept.
fn source_rates(job: &Job) -> Rates {
    job.limits.calendar().source
}

/// A lane under the job's limits: never shared between the two ends, because a copy holds a place
/// in each.
fn lane(limits: &Limits, rates: Rates) -> Lane {
    Lane::new(&lane_options(limits, rates))
}

fn lane_options(limits: &Limits, rates: Rates) -> LaneOptions {
    let places = limits.concurrency_max.saturating_add(limits.slices_max);
    let max_concurrency = usize::try_from(places).unwrap_or(usize::MAX);
    let usual = PaceOptions::default();
    LaneOptions {
        pace: PaceOptions {
            initial_concurrency: usual.initial_concurrency.min(max_concurrency),
            max_concurrency,
            requests_per_second: rates.requests_per_second,
            bytes_per_second: rates.bytes_per_second,
        },
        ..LaneOptions::default()
    }
}

#[cfg(test)]
mod tests {
    use ossferry_core::ports::Target;
    use ossferry_core::time::Timestamp;

    use super::*;

    #[tokio::test]
    async fn a_bucket_that_does_not_say_is_versioned_and_an_address_without_a_service_is_an_error()
    {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let job = || {
            let mut job = Job::parse(Job::template()).unwrap();
            job.target.endpoint = format!("http://{address}");
            job.target.addressing = Addressing::Path;
            job
        };
        let refuses = std::thread::spawn(move || {
            use std::io::{Read, Write};
            let (mut stream, _) = listener.accept().unwrap();
            assert!(stream.read(&mut [0; 4_096]).unwrap() > 0);
            let body = "<Error><Code>AccessDenied</Code></Error>";
            let length = body.len();
            write!(stream, "HTTP/1.1 403 No\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
        });
        let variables = |_: &str| Some("K".to_owned());
        let around = Surroundings::of_function(Arc::new(|| Timestamp(0)), Arc::new(variables));
        let target = target_end(&job(), &around).await.unwrap();
        refuses.join().unwrap();
        let profile = target.profile();
        assert!(profile.ignores_forbid_overwrite && profile.etag_is_md5);
        let begun = std::time::Instant::now();
        let error = target_end(&job(), &around).await.err().unwrap();
        let EndError::End { end, error } = error else { panic!("{error}") };
        assert_eq!((end, error.kind), (TARGET, ErrorKind::Connection));
        assert!(begun.elapsed() < std::time::Duration::from_secs(5), "nobody waits for the budget");
    }

    #[test]
    fn an_etag_is_taken_for_an_md5_unless_kms_encrypts() {
        let target = |encryption| {
            let job = Job::parse(Job::template()).unwrap();
            TargetSpec { encryption, ..job.target }
        };
        for (job, bucket, is_md5) in [
            (None, None, true),
            (None, Some("AES256"), true),
            (None, Some("KMS"), false),
            (Some(Encryption::Kms), None, false),
            (Some(Encryption::Aes256), Some("KMS"), true),
        ] {
            assert_eq!(etag_is_md5(&target(job), bucket), is_md5, "{job:?} {bucket:?}");
        }
    }

    #[test]
    fn the_lane_leaves_room_for_listings_beside_every_object_in_flight() {
        let limits = Limits { concurrency_max: 3, slices_max: 2, ..Limits::default() };
        assert_eq!(lane(&limits, Rates::default()).pace().concurrency(), 5);
        assert_eq!(lane(&Limits::default(), Rates::default()).pace().concurrency(), 16);
    }
}
