//! A web server that serves objects under URLs, as well or as badly behaved as a test wants it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::stream;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE,
    CONTENT_RANGE, CONTENT_TYPE, ETAG, EXPIRES, IF_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED,
    LOCATION, RANGE,
};
use http::{HeaderName, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ossferry_core::key::Key;
use ossferry_core::object::ObjectHeaders;
use ossferry_core::time::Timestamp;
use ossferry_http::format_http_date;
use ossferry_http::percent::encode_key;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::clock;

/// What a server tells its objects' states apart by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tag {
    /// A strong `ETag`.
    Strong,
    /// A weak one.
    Weak,
    /// None.
    Absent,
}

/// How a server behaves.
#[expect(clippy::struct_excessive_bools, reason = "each is a way of its own to be bad")]
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// Its `ETag`s.
    pub tag: Tag,
    /// Whether it gives `Last-Modified`.
    pub dates: bool,
    /// Whether it knows HEAD.
    pub heads: bool,
    /// Whether it knows ranges.
    pub ranges: bool,
    /// Whether it says how long a body is.
    pub lengths: bool,
}

impl Default for Manners {
    fn default() -> Self {
        Self { tag: Tag::Strong, dates: true, heads: true, ranges: true, lengths: true }
    }
}

#[derive(Clone, Debug)]
struct Served {
    bytes: Bytes,
    headers: ObjectHeaders,
    tag: String,
    date: Timestamp,
}

/// What stands under a path.
#[derive(Clone, Debug)]
enum Place {
    Object(Box<Served>),
    Moved(String),
}

/// A running server. Dropping it ends it.
pub struct WebServer {
    address: SocketAddr,
    site: Arc<Site>,
    _tasks: JoinSet<()>,
}

struct Site {
    manners: Manners,
    places: Mutex<BTreeMap<String, Place>>,
    asked: Mutex<Vec<String>>,
}

type Answer = Response<BoxBody<Bytes, Infallible>>;

impl WebServer {
    /// Serves nothing yet.
    pub async fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await;
        let listener = listener.expect("a port of loopback");
        let address = listener.local_addr().expect("a listener's address");
        let site = Arc::new(Site { manners, places: Mutex::default(), asked: Mutex::default() });
        let served = Arc::clone(&site);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let site = Arc::clone(&served);
                let service = service_fn(move |request: Request<Incoming>| {
                    let answer = site.answer(&request);
                    async move { Ok::<_, Infallible>(answer) }
                });
                tokio::spawn(async move {
                    let served = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service);
                    drop(served.await);
                });
            }
        });
        Self { address, site, _tasks: tasks }
    }

    /// `http://` and where it listens.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where the object of a key is served.
    pub fn url(&self, key: &Key) -> String {
        format!("{}/{}", self.endpoint(), encode_key(key.as_bytes()))
    }

    /// Every URL, one a line.
    pub fn list(&self) -> String {
        let paths = self.site.places();
        let urls = paths.keys().map(|path| format!("{}{path}", self.endpoint()));
        urls.collect::<Vec<_>>().join("\n")
    }

    /// Serves an object, in place of what stood there.
    pub fn put(&self, key: &Key, bytes: Bytes, headers: &ObjectHeaders) {
        let date = clock::system_now();
        let path = format!("/{}", encode_key(key.as_bytes()));
        let mut places = self.site.places();
        // A date tells states a second apart, and tests are faster.
        let date = match places.get(&path) {
            Some(Place::Object(before)) if before.date.0 / 1_000 >= date.0 / 1_000 => {
                Timestamp(before.date.0 + 1_000)
            }
            _ => date,
        };
        let tag = format!("{:016x}", fastrand::u64(..));
        let served = Served { bytes, headers: headers.clone(), tag, date };
        places.insert(path, Place::Object(Box::new(served)));
    }

    /// Answers requests for a key by leading elsewhere.
    pub fn redirect(&self, key: &Key, to: &str) {
        let path = format!("/{}", encode_key(key.as_bytes()));
        self.site.places().insert(path, Place::Moved(to.to_owned()));
    }

    /// Serves a key no longer.
    pub fn delete(&self, key: &Key) {
        self.site.places().remove(&format!("/{}", encode_key(key.as_bytes())));
    }

    /// Method and path of every request since the last look.
    pub fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.site.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Site {
    fn places(&self) -> MutexGuard<'_, BTreeMap<String, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Request<Incoming>) -> Answer {
        let path = request.uri().path();
        let line = format!("{} {path}", request.method());
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        if request.method() == Method::HEAD && !self.manners.heads {
            return bare(StatusCode::METHOD_NOT_ALLOWED);
        }
        match self.places().get(path).cloned() {
            None => bare(StatusCode::NOT_FOUND),
            Some(Place::Moved(to)) => {
                let mut answer = bare(StatusCode::FOUND);
                answer.headers_mut().insert(LOCATION, to.parse().expect("a header"));
                answer
            }
            Some(Place::Object(object)) => self.serve(&object, request),
        }
    }

    fn serve(&self, object: &Served, request: &Request<Incoming>) -> Answer {
        let asked = |name: HeaderName| request.headers().get(name)?.to_str().ok();
        let tag = format!("\"{}\"", object.tag);
        let date = format_http_date(object.date);
        let is_other = |asked: Option<&str>, is: &str| asked.is_some_and(|asked| asked != is);
        if (self.manners.tag == Tag::Strong && is_other(asked(IF_MATCH), &tag))
            || (self.manners.dates && is_other(asked(IF_UNMODIFIED_SINCE), &date))
        {
            return bare(StatusCode::PRECONDITION_FAILED);
        }
        let size = object.bytes.len();
        let range = asked(RANGE).filter(|_| self.manners.ranges).map(|range| {
            let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
            let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
            (first < size).then(|| (first, last.min(size - 1)))
        });
        let (status, bytes, content_range) = match range {
            None => (StatusCode::OK, object.bytes.clone(), None),
            Some(None) => {
                let spelled = format!("bytes */{size}");
                (StatusCode::RANGE_NOT_SATISFIABLE, Bytes::new(), Some(spelled))
            }
            Some(Some((first, last))) => {
                let spelled = format!("bytes {first}-{last}/{size}");
                (StatusCode::PARTIAL_CONTENT, object.bytes.slice(first..=last), Some(spelled))
            }
        };
        let mut answer = Response::new(self.body(bytes));
        *answer.status_mut() = status;
        let headers = &object.headers;
        let tag = match self.manners.tag {
            Tag::Strong => Some(tag),
            Tag::Weak => Some(format!("W/{tag}")),
            Tag::Absent => None,
        };
        for (name, value) in [
            (ACCEPT_RANGES, self.manners.ranges.then(|| "bytes".to_owned())),
            (CONTENT_RANGE, content_range),
            (ETAG, tag),
            (LAST_MODIFIED, self.manners.dates.then_some(date)),
            (CONTENT_TYPE, headers.content_type.clone()),
            (CACHE_CONTROL, headers.cache_control.clone()),
            (CONTENT_DISPOSITION, headers.content_disposition.clone()),
            (CONTENT_ENCODING, headers.content_encoding.clone()),
            (CONTENT_LANGUAGE, headers.content_language.clone()),
            (EXPIRES, headers.expires.clone()),
        ] {
            let value = value.map(|value| (name, value.parse().expect("a header")));
            answer.headers_mut().extend(value);
        }
        answer
    }

    fn body(&self, bytes: Bytes) -> BoxBody<Bytes, Infallible> {
        if self.manners.lengths {
            return Full::new(bytes).boxed();
        }
        BoxBody::new(StreamBody::new(stream::iter([Ok(Frame::data(bytes))])))
    }
}

fn bare(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::new()).boxed());
    *answer.status_mut() = status;
    answer
}
