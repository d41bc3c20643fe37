//! The source: a list of URLs.

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use http::header::{ACCEPT_ENCODING, LOCATION, RANGE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::job::{UrlListFormat, UrlListSource};
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::{ByteRange, Entry, ObjectInfo, Pin};
use ossferry_core::ports::{
    ListRequest, ListStart, ListingOrder, OpenObject, Page, Source, SourceProfile,
};
use ossferry_core::time::{Clock, Timestamp};
use ossferry_http::{LaneBody, LaneOptions, LaneRequest, LaneResponse, Pace, RetryPolicy, retry};

use crate::answer::{check_range, object_info, refused, useless, whole_length};
use crate::fetched::read_list;
use crate::hosts::Hosts;
use crate::index::Index;
use crate::lines::read_lines;
use crate::pin::State;
use crate::url::Url;

/// Keys of one page. Each costs a HEAD, and a page is told only when all of them were answered.
const PAGE_KEYS_MAX: u32 = 250;

/// HEADs of one page in flight. Those of one host wait for its own lane.
const HEADS: usize = 64;

const HEAD: &str = "HeadUrl";
const GET: &str = "GetUrl";
const GET_LIST: &str = "GetList";

/// What a source of URLs is made of.
#[derive(Clone)]
pub struct UrlOptions {
    /// As the job has it.
    pub spec: UrlListSource,
    /// Of the lane to one host. Its requests a second are those of all hosts together.
    pub lane: LaneOptions,
    /// Our clock: the one that a pass over many servers has.
    pub clock: Clock,
    /// The budget of attempts of each call.
    pub retry: RetryPolicy,
}

/// Objects behind URLs.
///
/// - The list is read once, when the source is opened, and sorted by key.
/// - A list gives no sizes: a page asks each of its URLs by HEAD, or, where a server has none, by a GET
///   of its first byte. What cannot be asked stands in the page without size and tag, so that it ends in
///   the report by its name.
/// - An object is pinned by its `ETag`, else by its date and size, else by its size alone, and then only
///   in one answer: it is not taken in parts.
#[derive(Clone)]
pub struct UrlSource {
    asker: Asker,
    index: Arc<Index>,
    clock: Clock,
    profile: Arc<SourceProfile>,
}

/// Sends requests to whatever host a URL names.
#[derive(Clone)]
pub(crate) struct Asker {
    hosts: Arc<Hosts>,
    redirects_max: u32,
    retry: RetryPolicy,
    meter: Arc<Meter>,
}

impl Asker {
    fn new(options: &UrlOptions) -> Self {
        let mut lane = options.lane;
        let most = usize::try_from(options.spec.host_concurrency_max).unwrap_or(usize::MAX);
        lane.pace.max_concurrency = lane.pace.max_concurrency.min(most);
        lane.pace.initial_concurrency = lane.pace.initial_concurrency.min(most);
        Self {
            hosts: Arc::new(Hosts::new(lane, options.spec.allow.clone())),
            redirects_max: options.spec.redirects_max,
            retry: options.retry,
            meter: Arc::default(),
        }
    }

    /// Asks, again where that may help, and gives what `read` makes of the answer's headers.
    async fn ask<T: Send>(
        &self,
        operation: &'static str,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
        read: impl Fn(&LaneResponse) -> Result<T, PortError> + Sync,
    ) -> Result<(T, LaneResponse), PortError> {
        retry(&self.retry, || async {
            let response = self.send(operation, method, url, headers).await?;
            Ok((read(&response)?, response))
        })
        .await
    }

    /// Fetches a text of at most so many bytes, again where that may help.
    pub(crate) async fn fetch(&self, url: &Url, bytes_max: usize) -> Result<Vec<u8>, PortError> {
        retry(&self.retry, || async {
            let response = self.send(GET_LIST, &Method::GET, url, &plain()).await?;
            if response.status != StatusCode::OK {
                return Err(refused(GET_LIST, &response));
            }
            Ok(response.collect(bytes_max).await?.to_vec())
        })
        .await
    }

    /// Sends once, and once more to where each redirect leads, as far as they are followed.
    async fn send(
        &self,
        operation: &'static str,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
    ) -> Result<LaneResponse, PortError> {
        let mut url = url.clone();
        let mut redirects = 0;
        loop {
            let lane = self.hosts.lane(&url).await?;
            let request = LaneRequest {
                operation,
                method: method.clone(),
                endpoint: &url.endpoint,
                path_and_query: url.path_and_query.clone(),
                headers: headers.clone(),
                body: LaneBody::Empty,
            };
            let response = lane.send(request, &self.meter).await?;
            let location = response.header(LOCATION.as_str());
            let is_redirect = matches!(response.status.as_u16(), 301 | 302 | 303 | 307 | 308);
            let Some(location) = location.filter(|_| is_redirect) else { return Ok(response) };
            if redirects >= self.redirects_max {
                return Ok(response);
            }
            redirects += 1;
            url = url.join(location).map_err(|bad| {
                useless(operation, &format!("a redirect that leads nowhere: {bad}"))
            })?;
        }
    }
}

impl UrlSource {
    /// How the hosts of the list are asked, all together.
    pub fn requests_pace(&self) -> &Pace {
        self.asker.hosts.requests_pace()
    }

    /// Reads the list. Fails with `NoSuchBucket` where there is none, with `Unsupported` where it is not
    /// as the job file says.
    pub async fn open(options: UrlOptions) -> Result<Self, PortError> {
        let asker = Asker::new(&options);
        let index = read_list(&options.spec.list, options.spec.format, &asker).await?;
        Ok(Self::over(options, asker, index))
    }

    /// A source over a list that is at hand: any but one of several files.
    pub fn of_text(options: UrlOptions, text: &[u8]) -> Result<Self, PortError> {
        debug_assert_ne!(options.spec.format, UrlListFormat::Manifest, "a manifest has no lines");
        let index = read_lines(text, options.spec.format)?;
        let asker = Asker::new(&options);
        Ok(Self::over(options, asker, index))
    }

    fn over(options: UrlOptions, asker: Asker, index: Index) -> Self {
        let profile = SourceProfile {
            kind: "http",
            // The list is sorted here.
            order: ListingOrder::Bytes,
            etag_is_md5: false,
            page_keys_max: PAGE_KEYS_MAX,
            etag_is_comparable: false,
        };
        let (index, profile) = (Arc::new(index), Arc::new(profile));
        Self { asker, index, clock: options.clock, profile }
    }

    fn url(&self, key: &Key, operation: &str) -> Result<Url, PortError> {
        let listed = self.index.find(key.as_bytes()).ok_or_else(|| {
            PortError::new(ErrorKind::NoSuchKey, format!("{operation}: not in the list"))
        })?;
        Url::parse(listed).map_err(|bad| useless(operation, &bad.to_string()))
    }

    async fn look(&self, url: &Url) -> Result<ObjectInfo, PortError> {
        let read = |response: &LaneResponse| match response.status {
            StatusCode::OK => Ok(response
                .content_length()
                .map(|size| object_info(response, size, true, (self.clock)()))),
            // There are servers without HEAD, and URLs that are signed for GET alone.
            StatusCode::BAD_REQUEST
            | StatusCode::FORBIDDEN
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::NOT_IMPLEMENTED => Ok(None),
            _ => Err(refused(HEAD, response)),
        };
        let (asked, _) = self.asker.ask(HEAD, &Method::HEAD, url, &plain(), read).await?;
        match asked {
            Some(info) => Ok(info),
            None => self.look_at_first_byte(url).await,
        }
    }

    /// What a GET of one byte says. Whoever ignores the range is not read any further.
    async fn look_at_first_byte(&self, url: &Url) -> Result<ObjectInfo, PortError> {
        let mut headers = plain();
        headers.insert(RANGE, HeaderValue::from_static("bytes=0-0"));
        let read = |response: &LaneResponse| {
            let size = match response.status {
                StatusCode::OK => response.content_length(),
                StatusCode::PARTIAL_CONTENT => whole_length(&response.headers),
                StatusCode::RANGE_NOT_SATISFIABLE => {
                    whole_length(&response.headers).filter(|size| *size == 0)
                }
                _ => return Err(refused(GET, response)),
            };
            let whole = response.status == StatusCode::OK;
            let size = size.ok_or_else(|| useless(GET, NO_LENGTH))?;
            Ok(object_info(response, size, whole, (self.clock)()))
        };
        let (info, _) = self.asker.ask(GET, &Method::GET, url, &headers, read).await?;
        Ok(info)
    }

    async fn entry(&self, key: &[u8], url: &[u8]) -> Entry {
        let key = Key::new(key.to_vec());
        let looked = match Url::parse(url) {
            Ok(url) => self.look(&url).await,
            Err(bad) => Err(useless(HEAD, &bad.to_string())),
        };
        let info = looked.inspect_err(|error| {
            tracing::warn!(%key, %error, "this cannot be asked for, and is tried again when its turn comes");
        });
        let info = info.ok();
        Entry {
            key,
            size: info.as_ref().map_or(0, |info| info.size),
            last_modified: info.as_ref().and_then(|info| info.last_modified),
            etag: info.and_then(|info| info.etag),
            storage_class: None,
            archived: false,
        }
    }
}

const NO_LENGTH: &str = "the server does not say how long the object is";

/// What every request has: bytes are wanted as they are.
fn plain() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers
}

#[async_trait::async_trait]
impl Source for UrlSource {
    fn profile(&self) -> &SourceProfile {
        &self.profile
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Source> {
        let asker = Asker { meter, ..self.asker.clone() };
        Arc::new(Self { asker, ..self.clone() })
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        Ok((self.clock)())
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        let after = match &request.start {
            ListStart::Beginning => None,
            ListStart::After(key) => Some(key.clone()),
            ListStart::Token(token) => Some(Key::from_text(token)),
        };
        let keys_max = request.keys_max.clamp(1, PAGE_KEYS_MAX) as usize;
        let prefix = request.prefix.clone();
        let mut range = self.index.range(prefix.as_bytes(), after.as_ref().map(Key::as_bytes));
        let page: Vec<(&[u8], &[u8])> = range.by_ref().take(keys_max).collect();
        let more = range.next().is_some();
        let looks: Vec<_> = page.into_iter().map(|(key, url)| self.entry(key, url)).collect();
        let entries: Vec<Entry> = stream::iter(looks).buffered(HEADS).collect().await;
        let next = entries.last().filter(|_| more).map(|entry| entry.key.to_text().into_owned());
        Ok(Page { entries, next })
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo, PortError> {
        self.look(&self.url(key, HEAD)?).await
    }

    async fn open(
        &self,
        key: &Key,
        pin: &Pin,
        range: Option<ByteRange>,
    ) -> Result<OpenObject, PortError> {
        let url = self.url(key, GET)?;
        let state = State::of_etag(&pin.etag);
        if range.is_some() && pin.etag.is_size_alone() {
            let what = "the server gives neither etag nor date, so that nothing shows that parts are \
                        of one object; raise split_bytes above its size";
            return Err(useless(GET, what));
        }
        let mut headers = plain();
        let asked = range.map(|range| format!("bytes={}-{}", range.start, range.last()));
        let condition = state.condition().into_iter().chain(asked.map(|asked| (RANGE, asked)));
        for (name, value) in condition {
            let value = HeaderValue::from_str(&value)
                .map_err(|_| useless(GET, "the etag fits no header"))?;
            headers.insert(name, value);
        }
        let read = |response: &LaneResponse| {
            if !matches!(response.status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
                return Err(refused(GET, response));
            }
            let size = match range {
                Some(range) => check_range(GET, response, range)?,
                None if response.status != StatusCode::OK => {
                    return Err(useless(GET, "a part of the object, asked for the whole"));
                }
                // Without a length the body ends where it ends: only a size that is known tells whether
                // it is whole.
                None => response
                    .content_length()
                    .or(state.bytes())
                    .ok_or_else(|| useless(GET, NO_LENGTH))?,
            };
            if !state.is_of(&response.headers, size) {
                let message =
                    format!("{GET}: the object is not the one that was asked for any more");
                return Err(PortError::new(ErrorKind::PreconditionFailed, message));
            }
            let mut info = object_info(response, size, range.is_none(), (self.clock)());
            info.etag = Some(pin.etag.clone());
            Ok(info)
        };
        let (info, response) = self.asker.ask(GET, &Method::GET, &url, &headers, read).await?;
        let bytes = range.map_or(info.size, |range| range.bytes);
        Ok(OpenObject { info, body: response.into_object_body(bytes) })
    }
}
