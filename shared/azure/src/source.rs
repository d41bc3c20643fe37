//! The source: a container of Azure Blob Storage.

use std::sync::Arc;

use http::Method;
use http::header::{IF_MATCH, RANGE};
use ossferry_core::along::Tag;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::job::Addressing;
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::{ByteRange, ObjectInfo, Pin};
use ossferry_core::ports::{
    ListRequest, ListStart, ListingOrder, OpenObject, Page, Source, SourceProfile,
};
use ossferry_core::time::{Clock, Timestamp};
use ossferry_http::{
    CredentialsProvider, Lane, Pace, RetryPolicy, TAG_SET_BYTES_MAX, named, read_tag_set, retry,
};

use crate::answer;
use crate::error::{
    GET_BLOB, GET_BLOB_PROPERTIES, GET_BLOB_TAGS, GET_CONTAINER_PROPERTIES, LIST_BLOBS, bad_answer,
};
use crate::list::read_page;
use crate::wire::{Ask, Wire};

/// Blobs that one answer lists at most.
const PAGE_KEYS_MAX: u32 = 5_000;

/// More than a page of as many names of 1,024 characters takes.
const PAGE_BYTES_MAX: usize = 64 << 20;

/// What a container as source is made of.
pub struct AzureOptions {
    /// Connections and pace towards it. Never shared with a target.
    pub lane: Lane,
    /// The account's address: scheme, host and port.
    pub endpoint: String,
    /// The storage account's name.
    pub account: String,
    /// The container's name.
    pub container: String,
    /// [`Addressing::Path`] where the account's name stands in the path and not in the host.
    pub addressing: Addressing,
    /// Who signs: the secret is the account's key, or the token a shared access signature. `None`:
    /// nobody, the container is public.
    pub credentials: Option<Arc<dyn CredentialsProvider>>,
    /// Our clock.
    pub clock: Clock,
    /// The budget of attempts of each call.
    pub retry: RetryPolicy,
}

/// The blobs of a container: the current ones, whatever their type. Listed by markers that only the
/// service can make, so that its pages are walked one after another.
#[derive(Clone)]
pub struct AzureSource {
    wire: Arc<Wire>,
    profile: Arc<SourceProfile>,
    meter: Arc<Meter>,
}

impl AzureSource {
    /// How its store is asked.
    pub fn pace(&self) -> &Pace {
        self.wire.lane.pace()
    }

    /// A source that has asked nothing yet. Fails with `Unsupported` where the address is none.
    pub fn new(options: AzureOptions) -> Result<Self, PortError> {
        let profile = SourceProfile {
            kind: "azure",
            order: ListingOrder::Serial,
            etag_is_md5: false,
            page_keys_max: PAGE_KEYS_MAX,
            etag_is_comparable: false,
        };
        let wire = Arc::new(Wire::new(options)?);
        Ok(Self { wire, profile: Arc::new(profile), meter: Arc::default() })
    }
}

#[async_trait::async_trait]
impl Source for AzureSource {
    fn profile(&self) -> &SourceProfile {
        &self.profile
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Source> {
        Arc::new(Self { meter, ..self.clone() })
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        let ask = Ask {
            operation: GET_CONTAINER_PROPERTIES,
            method: Method::HEAD,
            key: None,
            query: vec![("restype", b"container".to_vec())],
            headers: Vec::new(),
            is_beside: false,
        };
        retry(&self.wire.retry, || self.wire.time(&ask, &self.meter)).await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        let keys_max = request.keys_max.clamp(1, PAGE_KEYS_MAX).to_string();
        let mut query = vec![
            ("comp", b"list".to_vec()),
            ("maxresults", keys_max.into_bytes()),
            ("prefix", request.prefix.as_bytes().to_vec()),
            ("restype", b"container".to_vec()),
        ];
        let marker = match &request.start {
            ListStart::Beginning => None,
            ListStart::Token(marker) => Some(marker),
            ListStart::After(_) => {
                let message = format!("{LIST_BLOBS}: nothing begins after a key");
                return Err(PortError::new(ErrorKind::Unsupported, message));
            }
        };
        query.extend(marker.map(|marker| ("marker", marker.as_bytes().to_vec())));
        let ask = Ask {
            operation: LIST_BLOBS,
            method: Method::GET,
            key: None,
            query,
            headers: Vec::new(),
            is_beside: false,
        };
        let page = retry(&self.wire.retry, || async {
            let response = self.wire.send(&ask, &self.meter).await?;
            let headers = response.headers.clone();
            let body = response.collect(PAGE_BYTES_MAX).await?;
            read_page(&body).map_err(|error| bad_answer(LIST_BLOBS, &headers, &error.to_string()))
        })
        .await?;
        if page.next.is_some() && page.next.as_ref() == marker {
            let message = format!("{LIST_BLOBS}: the next page is the one just asked for");
            return Err(PortError::new(ErrorKind::PageRepeated, message));
        }
        let misplaced = |key: &Key| !key.starts_with(request.prefix.as_bytes());
        if let Some(entry) = page.entries.iter().find(|entry| misplaced(&entry.key)) {
            let message = format!("{LIST_BLOBS}: {} is not under {}", entry.key, request.prefix);
            return Err(PortError::new(ErrorKind::BadAnswer, message));
        }
        Ok(page)
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo, PortError> {
        let ask = Ask {
            operation: GET_BLOB_PROPERTIES,
            method: Method::HEAD,
            key: Some(named(key, GET_BLOB_PROPERTIES)?),
            query: Vec::new(),
            headers: Vec::new(),
            is_beside: false,
        };
        retry(&self.wire.retry, || async {
            let response = self.wire.send(&ask, &self.meter).await?;
            answer::head(&response.headers)
        })
        .await
    }

    async fn open(
        &self,
        key: &Key,
        pin: &Pin,
        range: Option<ByteRange>,
    ) -> Result<OpenObject, PortError> {
        let mut headers = vec![(IF_MATCH, pin.etag.quoted())];
        headers
            .extend(range.map(|range| (RANGE, format!("bytes={}-{}", range.start, range.last()))));
        let ask = Ask {
            operation: GET_BLOB,
            method: Method::GET,
            key: Some(named(key, GET_BLOB)?),
            query: Vec::new(),
            headers,
            is_beside: false,
        };
        let opened = retry(&self.wire.retry, || async {
            let response = self.wire.send(&ask, &self.meter).await?;
            let info = answer::get(response.status, &response.headers, pin, range)?;
            let bytes = range.map_or(info.size, |range| range.bytes);
            Ok(OpenObject { info, body: response.into_object_body(bytes) })
        })
        .await;
        // A blob that is gone does not match either, and may be told as one that changed.
        if let Err(error) = &opened
            && error.kind == ErrorKind::PreconditionFailed
        {
            self.head(key).await?;
        }
        opened
    }

    async fn tags(&self, key: &Key) -> Result<Vec<Tag>, PortError> {
        let ask = Ask {
            operation: GET_BLOB_TAGS,
            method: Method::GET,
            key: Some(named(key, GET_BLOB_TAGS)?),
            query: vec![("comp", b"tags".to_vec())],
            headers: Vec::new(),
            is_beside: true,
        };
        retry(&self.wire.retry, || async {
            let response = self.wire.send(&ask, &self.meter).await?;
            let headers = response.headers.clone();
            let body = response.collect(TAG_SET_BYTES_MAX).await?;
            read_tag_set(&body)
                .map_err(|error| bad_answer(GET_BLOB_TAGS, &headers, &error.to_string()))
        })
        .await
    }
}
