//! The source: the files of a bucket, folder by folder.

use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use http::header::{ACCEPT, IF_MATCH, RANGE};
use http::{HeaderName, Method};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::{ByteRange, Entry, ObjectInfo, Pin};
use ossferry_core::ports::{
    ListRequest, ListStart, ListingOrder, OpenObject, Page, Source, SourceProfile,
};
use ossferry_core::time::{Clock, Timestamp};
use ossferry_http::{CredentialsProvider, Lane, Pace, RetryPolicy, retry};

use crate::answer;
use crate::error::{GET_FILE, GET_USAGE, HEAD_FILE, LIST_FOLDER, answered};
use crate::folder::Folder;
use crate::position::{Position, Rest};
use crate::wire::{Ask, Wire, file_named};

/// Files and folders of one page. A listing gives no MD5, so that each file costs a HEAD, and a page
/// must fit well into an invocation.
const PAGE_KEYS_MAX: u32 = 100;

/// HEAD requests of one page in flight at once.
const HEADS: usize = 32;

/// More than a page of as many names takes.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// An answer to a question for the bucket's size is a number.
const USAGE_BYTES_MAX: usize = 4 << 10;

const LIST_LIMIT: HeaderName = HeaderName::from_static("x-list-limit");
const LIST_ITER: HeaderName = HeaderName::from_static("x-list-iter");

/// What a bucket as source is made of.
pub struct UpyunOptions {
    /// Connections and pace towards it. Never shared with a target.
    pub lane: Lane,
    /// The service's address: scheme, host and port.
    pub endpoint: String,
    /// The bucket's name, which UPYUN calls a service.
    pub bucket: String,
    /// Who signs: access key and secret are an operator's name and password.
    pub credentials: Option<Arc<dyn CredentialsProvider>>,
    /// Our clock.
    pub clock: Clock,
    /// The budget of attempts of each call.
    pub retry: RetryPolicy,
}

/// The files of a bucket. A listing is of one folder, in no order that its keys would have, and by markers
/// that only the service can make: folders are walked one after another, the deepest first.
///
/// What is no file is left out: a folder without any is no object, as it was none for ossimport.
#[derive(Clone)]
pub struct UpyunSource {
    wire: Arc<Wire>,
    profile: Arc<SourceProfile>,
    meter: Arc<Meter>,
}

impl UpyunSource {
    /// A source that has asked nothing yet. Fails with `Unsupported` where the address is none.
    pub fn new(options: UpyunOptions) -> Result<Self, PortError> {
        let profile = SourceProfile {
            kind: "upyun",
            order: ListingOrder::Serial,
            etag_is_md5: false,
            page_keys_max: PAGE_KEYS_MAX,
            etag_is_comparable: false,
        };
        let wire = Arc::new(Wire::new(options)?);
        Ok(Self { wire, profile: Arc::new(profile), meter: Arc::default() })
    }

    /// How its store is asked.
    pub fn pace(&self) -> &Pace {
        self.wire.lane.pace()
    }

    /// A page of a folder. One that is not there holds nothing: it was deleted since its own folder was
    /// listed, or never made.
    async fn folder(&self, rest: &Rest, limit: u32) -> Result<Folder, PortError> {
        let mut headers =
            vec![(ACCEPT, "application/json".to_owned()), (LIST_LIMIT, limit.to_string())];
        headers.extend(rest.iter.clone().map(|iter| (LIST_ITER, iter)));
        let ask = Ask {
            operation: LIST_FOLDER,
            method: Method::GET,
            key: rest.folder.as_bytes(),
            query: "",
            headers,
        };
        let listed = retry(&self.wire.retry, || async {
            let response = self.wire.send(&ask, &self.meter).await?;
            let headers = response.headers.clone();
            let body = response.collect(PAGE_BYTES_MAX).await?;
            Folder::read(&rest.folder, &body)
                .map_err(|what| answered(LIST_FOLDER, &headers).bad(&what))
        })
        .await;
        match listed {
            Ok(folder) if folder.next.is_some() && folder.next == rest.iter => {
                let message = format!("{LIST_FOLDER}: the next page is the one just asked for");
                Err(PortError::new(ErrorKind::PageRepeated, message))
            }
            Err(error) if error.kind == ErrorKind::NoSuchKey => {
                Ok(Folder { files: Vec::new(), folders: Vec::new(), next: None })
            }
            listed => listed,
        }
    }

    /// What stands under a key that was listed; `None` where it is gone since. What is refused of one key
    /// alone is asked again by a copier, and recorded.
    async fn entry(&self, key: Key) -> Result<Option<Entry>, PortError> {
        match self.head(&key).await {
            Ok(info) => Ok(Some(Entry::of_head(key, &info))),
            Err(error) if error.kind == ErrorKind::NoSuchKey => Ok(None),
            Err(error) if error.concerns_one_object() => {
                tracing::debug!(%key, %error, "the source tells nothing of a listed file");
                Ok(Some(Entry::unknown(key)))
            }
            Err(error) => Err(error),
        }
    }
}

#[async_trait::async_trait]
impl Source for UpyunSource {
    fn profile(&self) -> &SourceProfile {
        &self.profile
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Source> {
        Arc::new(Self { meter, ..self.clone() })
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        let ask = Ask {
            operation: GET_USAGE,
            method: Method::GET,
            key: b"",
            query: "usage",
            headers: Vec::new(),
        };
        retry(&self.wire.retry, || async {
            let response = self.wire.send(&ask, &self.meter).await?;
            let (date, headers) = (response.date(), response.headers.clone());
            response.collect(USAGE_BYTES_MAX).await?;
            date.ok_or_else(|| answered(GET_USAGE, &headers).bad("no date"))
        })
        .await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        let prefix = &request.prefix;
        let mut position = match &request.start {
            ListStart::Beginning => Position::beginning(prefix),
            ListStart::Token(token) => Position::read(token)?,
            ListStart::After(_) => {
                let message = format!("{LIST_FOLDER}: nothing begins after a key");
                return Err(PortError::new(ErrorKind::Unsupported, message));
            }
        };
        let Some(rest) = position.take() else { return Ok(Page::default()) };
        let folder = self.folder(&rest, request.keys_max.clamp(1, PAGE_KEYS_MAX)).await?;
        position.go_on(&rest, &folder, prefix);
        let belongs = |key: &Key| key.starts_with(prefix.as_bytes());
        // Boxed one by one: of a closure's futures the compiler does not see that they are `Send`.
        let questions: Vec<_> =
            folder.files.into_iter().filter(belongs).map(|key| self.entry(key).boxed()).collect();
        let entries: Vec<Option<Entry>> =
            stream::iter(questions).buffered(HEADS).try_collect().await?;
        Ok(Page { entries: entries.into_iter().flatten().collect(), next: position.token()? })
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo, PortError> {
        let ask = Ask {
            operation: HEAD_FILE,
            method: Method::HEAD,
            key: file_named(key, HEAD_FILE)?,
            query: "",
            headers: Vec::new(),
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
            operation: GET_FILE,
            method: Method::GET,
            key: file_named(key, GET_FILE)?,
            query: "",
            headers,
        };
        retry(&self.wire.retry, || async {
            let response = self.wire.send(&ask, &self.meter).await?;
            let info = answer::get(response.status, &response.headers, pin, range)?;
            let bytes = range.map_or(info.size, |range| range.bytes);
            Ok(OpenObject { info, body: response.into_object_body(bytes) })
        })
        .await
    }
}
