//! The source: S3 and what speaks like it.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{IF_MATCH, RANGE};
use http::{HeaderName, Method, StatusCode};
use ossferry_core::along::{SourceAcl, Tag};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::job::{Addressing, BucketSource, RestoreSpec};
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::{ByteRange, ObjectInfo, Pin};
use ossferry_core::ports::{
    ListRequest, ListingOrder, OpenObject, Page, Restoration, Source, SourceProfile,
};
use ossferry_core::time::{Clock, Timestamp};
use ossferry_http::{CredentialsProvider, Lane, Pace, RetryPolicy, named, retry};

use crate::answer::Reader;
use crate::error::{
    GET_OBJECT, GET_OBJECT_ACL, GET_OBJECT_TAGGING, HEAD_BUCKET, HEAD_OBJECT, RESTORE_OBJECT,
    bad_answer,
};
use crate::kind::S3Kind;
use crate::list::{ListVersion, Listing, PAGE_BYTES_MAX, PAGE_KEYS_MAX};
use crate::list_xml::read_list_answer;
use crate::place::BucketPlace;
use crate::wire::{Ask, Mended, Wire};

/// With it S3 answers a whole object with the checksum it keeps of it.
const CHECKSUM_MODE: HeaderName = HeaderName::from_static("x-amz-checksum-mode");

/// With it S3 lists whether an archived object can be read for now.
const OPTIONAL_ATTRIBUTES: HeaderName = HeaderName::from_static("x-amz-optional-object-attributes");

/// What a source of the S3 family is made of.
#[derive(Clone)]
pub struct S3Options {
    /// Which store.
    pub kind: S3Kind,
    /// Connections and pace towards it. Never shared with a target.
    pub lane: Lane,
    /// The service's address: scheme, host and port, no bucket.
    pub endpoint: String,
    /// As the signature needs it.
    pub region: String,
    /// The bucket's name; for COS with the APPID.
    pub bucket: String,
    /// Where the bucket's name stands in a request, as far as the store leaves a choice.
    pub addressing: Addressing,
    /// Which listing operation the store understands.
    pub list_version: ListVersion,
    /// Whether key ranges of its listing may be trusted.
    pub order: ListingOrder,
    /// Whether an `ETag` of 32 hex digits is an MD5, unless an answer shows otherwise.
    pub etag_is_md5: bool,
    /// Who signs; `None`: nobody, the bucket is public.
    pub credentials: Option<Arc<dyn CredentialsProvider>>,
    /// Our clock. Corrected by the service's where it is wrong.
    pub clock: Clock,
    /// The budget of attempts of each call.
    pub retry: RetryPolicy,
}

impl S3Options {
    /// What a job says of its source, with the usual budget of attempts. `None` where the job's
    /// source is not of this family.
    pub fn of(
        source: &BucketSource,
        lane: Lane,
        credentials: Option<Arc<dyn CredentialsProvider>>,
        clock: Clock,
    ) -> Option<Self> {
        Some(Self {
            kind: S3Kind::of(source.kind)?,
            lane,
            endpoint: source.endpoint.clone(),
            region: source.region.clone(),
            bucket: source.bucket.clone(),
            addressing: source.addressing,
            list_version: if source.list_version == 1 { ListVersion::V1 } else { ListVersion::V2 },
            order: source.listing_order(),
            etag_is_md5: source.etag_is_md5,
            credentials,
            clock,
            retry: RetryPolicy::default(),
        })
    }
}

/// A bucket of the S3 family, read by requests that are signed here.
pub struct S3Source {
    pub(crate) wire: Arc<Wire>,
    pub(crate) options: Arc<S3Options>,
    profile: Arc<SourceProfile>,
    pub(crate) meter: Arc<Meter>,
}

impl S3Source {
    /// A source that has asked nothing yet, with a meter of its own.
    ///
    /// Fails with `Unsupported` where the endpoint or the bucket can't be addressed.
    pub fn new(options: S3Options) -> Result<Self, PortError> {
        let place =
            BucketPlace::new(options.kind, &options.endpoint, &options.bucket, options.addressing)?;
        let profile = SourceProfile {
            kind: options.kind.as_str(),
            order: options.order,
            etag_is_md5: options.etag_is_md5,
            page_keys_max: PAGE_KEYS_MAX,
            etag_is_comparable: true,
        };
        let wire = Wire::new(
            options.lane.clone(),
            place,
            options.kind,
            &options.region,
            options.retry,
            options.credentials.clone(),
            Arc::clone(&options.clock),
        );
        Ok(Self {
            wire: Arc::new(wire),
            options: Arc::new(options),
            profile: Arc::new(profile),
            meter: Arc::default(),
        })
    }

    /// The same source, counting its requests on `meter`: [`Source::metered`] before it is a port.
    #[must_use]
    pub fn counting(&self, meter: Arc<Meter>) -> Self {
        Self {
            wire: Arc::clone(&self.wire),
            options: Arc::clone(&self.options),
            profile: Arc::clone(&self.profile),
            meter,
        }
    }

    /// How its store is asked.
    pub fn pace(&self) -> &Pace {
        self.options.lane.pace()
    }

    fn reader(&self) -> Reader {
        Reader { kind: self.options.kind, etag_is_md5: self.options.etag_is_md5 }
    }

    fn listing(&self) -> Listing {
        Listing {
            version: self.options.list_version,
            order: self.options.order,
            encodes_keys: self.options.kind.encodes_keys(),
        }
    }
}

#[async_trait::async_trait]
impl Source for S3Source {
    fn profile(&self) -> &SourceProfile {
        &self.profile
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Source> {
        Arc::new(self.counting(meter))
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        let ask = Ask {
            operation: HEAD_BUCKET,
            method: Method::HEAD,
            key: None,
            query: "",
            headers: &[],
            body: Bytes::new(),
            is_beside: false,
        };
        let mended = Mended::default();
        retry(&self.wire.retry, || self.wire.time(&ask, &self.meter, &mended)).await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        let listing = self.listing();
        let operation = listing.version.operation();
        let position = listing.position(&request.start)?;
        let query = listing.query(request, &position);
        let headers = match (self.options.kind, listing.version) {
            (S3Kind::S3, ListVersion::V2) => {
                &[(OPTIONAL_ATTRIBUTES, "RestoreStatus".to_owned())][..]
            }
            _ => &[],
        };
        let (method, body) = (Method::GET, Bytes::new());
        let is_beside = false;
        let ask = Ask { operation, method, key: None, query: &query, headers, body, is_beside };
        let mended = Mended::default();
        let answer = retry(&self.wire.retry, || async {
            let response = self.wire.send(&ask, &self.meter, &mended).await?;
            let headers = response.headers.clone();
            let body = response.collect(PAGE_BYTES_MAX).await?;
            read_list_answer(self.options.kind, &body)
                .map_err(|error| mended.weigh(bad_answer(operation, &headers, &error.to_string())))
        })
        .await?;
        listing.page(&request.prefix, &position, answer)
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo, PortError> {
        let key = named(key, HEAD_OBJECT)?;
        let headers = match self.options.kind {
            S3Kind::S3 => &[(CHECKSUM_MODE, "ENABLED".to_owned())][..],
            _ => &[],
        };
        let ask = Ask {
            operation: HEAD_OBJECT,
            method: Method::HEAD,
            key: Some(key),
            query: "",
            headers,
            body: Bytes::new(),
            is_beside: false,
        };
        let mended = Mended::default();
        retry(&self.wire.retry, || async {
            let response = self.wire.send(&ask, &self.meter, &mended).await?;
            self.reader().head(&response.headers).map_err(|error| mended.weigh(error))
        })
        .await
    }

    async fn open(
        &self,
        key: &Key,
        pin: &Pin,
        range: Option<ByteRange>,
    ) -> Result<OpenObject, PortError> {
        let key = named(key, GET_OBJECT)?;
        let mut headers = vec![(IF_MATCH, pin.etag.quoted())];
        match range {
            Some(range) => headers.push((RANGE, format!("bytes={}-{}", range.start, range.last()))),
            None if self.options.kind == S3Kind::S3 => {
                headers.push((CHECKSUM_MODE, "ENABLED".to_owned()));
            }
            None => {}
        }
        let ask = Ask {
            operation: GET_OBJECT,
            method: Method::GET,
            key: Some(key),
            query: "",
            headers: &headers,
            body: Bytes::new(),
            is_beside: false,
        };
        let mended = Mended::default();
        retry(&self.wire.retry, || async {
            let response = self.wire.send(&ask, &self.meter, &mended).await?;
            let info = self
                .reader()
                .get(response.status, &response.headers, pin, range)
                .map_err(|error| mended.weigh(error))?;
            let bytes = range.map_or(info.size, |range| range.bytes);
            Ok(OpenObject { info, body: response.into_object_body(bytes) })
        })
        .await
    }

    async fn restore(
        &self,
        key: &Key,
        wanted: &RestoreSpec,
        storage_class: Option<&str>,
    ) -> Result<Restoration, PortError> {
        let key = named(key, RESTORE_OBJECT)?;
        let parameters = match self.options.kind {
            S3Kind::Cos => "CASJobParameters",
            // A job file asks for it of S3 and of what says that it speaks as S3 does.
            _ => "GlacierJobParameters",
        };
        // Every archived class of these stores knows tiers.
        let _ = storage_class;
        let ask = Ask {
            operation: RESTORE_OBJECT,
            method: Method::POST,
            key: Some(key),
            query: "restore=",
            headers: &[],
            body: Bytes::from(wanted.document(Some(parameters))),
            is_beside: false,
        };
        let mended = Mended::default();
        match retry(&self.wire.retry, || self.wire.send(&ask, &self.meter, &mended)).await {
            Ok(response) if response.status == StatusCode::OK => Ok(Restoration::Readable),
            Ok(_) => Ok(Restoration::Asked),
            Err(error) if error.kind == ErrorKind::Restoring => Ok(Restoration::Ongoing),
            Err(error) => Err(error),
        }
    }

    async fn tags(&self, key: &Key) -> Result<Vec<Tag>, PortError> {
        self.read_tags(named(key, GET_OBJECT_TAGGING)?).await
    }

    async fn acl(&self, key: &Key) -> Result<SourceAcl, PortError> {
        self.read_acl(named(key, GET_OBJECT_ACL)?).await
    }
}
