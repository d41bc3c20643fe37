//! Two buckets of generated objects behind one endpoint, in a process of their own so that what they
//! cost is nobody else's: S3's ListObjectsV2 for the source, OSS's for the target, and what else is
//! asked before a walk. Signatures are not looked at.

use std::convert::Infallible;
use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use ossferry_http::percent::{Plus, decode};
use serde::{Deserialize, Serialize};

use crate::generated::{Bucket, Layout};
use crate::listing_xml::{Dialect, Span, page};

/// Names of the two buckets.
pub(crate) const SOURCE: &str = "generated-source";
pub(crate) const TARGET: &str = "generated-target";

const BUCKET_INFO: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><BucketInfo><Bucket>\
                           <Location>oss-cn-hangzhou</Location><StorageClass>Standard</StorageClass>\
                           <Versioning></Versioning><ServerSideEncryptionRule><SSEAlgorithm>None\
                           </SSEAlgorithm></ServerSideEncryptionRule></Bucket></BucketInfo>";

/// What the server holds and how it answers.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct ServerArguments {
    /// Objects of the source.
    #[arg(long)]
    pub(crate) keys: u64,
    /// The target holds every so many-th object of the source.
    #[arg(long, default_value_t = 2)]
    pub(crate) every: u64,
    /// Keys with a folder for each thousand, in place of one flat folder.
    #[arg(long)]
    pub(crate) folders: bool,
    /// Milliseconds that every LIST is kept waiting.
    #[arg(long, default_value_t = 0)]
    pub(crate) delay_millis: u64,
}

/// What was asked, said at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) source_lists: u64,
    pub(crate) target_lists: u64,
    pub(crate) heads: u64,
    /// Of the two buckets themselves.
    pub(crate) bucket_questions: u64,
    /// What the server does not know: a benchmark that asks such measures nothing.
    pub(crate) unknown: u64,
    /// From the first LIST to the last answer of one.
    pub(crate) listing_seconds: f64,
}

struct Server {
    source: Bucket,
    target: Bucket,
    delay: Duration,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    source_lists: AtomicU64,
    target_lists: AtomicU64,
    heads: AtomicU64,
    bucket_questions: AtomicU64,
    unknown: AtomicU64,
    listed_between: Mutex<Option<(Instant, Instant)>>,
}

impl Counts {
    fn asked(&self) -> Asked {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let between = *self.listed_between.lock().unwrap_or_else(PoisonError::into_inner);
        Asked {
            source_lists: count(&self.source_lists),
            target_lists: count(&self.target_lists),
            heads: count(&self.heads),
            bucket_questions: count(&self.bucket_questions),
            unknown: count(&self.unknown),
            listing_seconds: between.map_or(0.0, |(first, last)| (last - first).as_secs_f64()),
        }
    }

    fn note_list(&self, began: Instant) {
        let mut between = self.listed_between.lock().unwrap_or_else(PoisonError::into_inner);
        let first = between.map_or(began, |(first, _)| first);
        *between = Some((first, Instant::now()));
    }
}

/// Serves until standard input ends, then prints what was asked. The first line says the address.
pub(crate) fn serve(arguments: &ServerArguments) -> Result<(), Box<dyn Error>> {
    // One thread: the other processors are left to what is measured.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let layout = if arguments.folders { Layout::Folders } else { Layout::Flat };
        let (numbers, every) = (arguments.keys, arguments.every.max(1));
        let server = Arc::new(Server {
            source: Bucket { layout, numbers, every: 1 },
            target: Bucket { layout, numbers, every },
            delay: Duration::from_millis(arguments.delay_millis),
            counts: Counts::default(),
        });
        let this = Arc::clone(&server);
        let service = service_fn(move |request: Request<Incoming>| {
            let server = Arc::clone(&this);
            async move { Ok::<_, Infallible>(server.answer(&request).await) }
        });
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let running = oss_emulator::serve(address, service).await?;
        println!("{}", running.endpoint());
        std::io::stdout().flush()?;
        let until_closed = || std::io::stdin().read_to_end(&mut Vec::new());
        tokio::task::spawn_blocking(until_closed).await??;
        running.shutdown().await;
        println!("{}", serde_json::to_string(&server.counts.asked())?);
        Ok(())
    })
}

impl Server {
    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let uri = request.uri();
        let mut parts = uri.path().trim_start_matches('/').splitn(2, '/');
        let (bucket, key) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let query = Query::read(uri.query().unwrap_or(""));
        let counts = &self.counts;
        let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        let is_list = request.method() == Method::GET && query.lists && key.is_empty();
        match (bucket, is_list) {
            (SOURCE, true) => {
                count(&counts.source_lists);
                self.list(&self.source, Dialect::S3, &query).await
            }
            (TARGET, true) => {
                count(&counts.target_lists);
                self.list(&self.target, Dialect::Oss, &query).await
            }
            (SOURCE | TARGET, false) if key.is_empty() => {
                count(&counts.bucket_questions);
                Response::new(Full::from(BUCKET_INFO))
            }
            _ => {
                let is_head = request.method() == Method::HEAD;
                count(if is_head { &counts.heads } else { &counts.unknown });
                let mut answer = Response::default();
                *answer.status_mut() = StatusCode::NOT_FOUND;
                answer
            }
        }
    }

    async fn list(&self, bucket: &Bucket, of: Dialect, query: &Query) -> Response<Full<Bytes>> {
        let began = Instant::now();
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        let document = page(bucket, of, &query.span(bucket), query.encodes);
        self.counts.note_list(began);
        Response::new(Full::from(document))
    }
}

/// What of a query matters here.
#[derive(Debug, Default)]
struct Query {
    lists: bool,
    encodes: bool,
    prefix: Vec<u8>,
    start_after: Vec<u8>,
    /// A place: the tokens of this server are numbers.
    continues_at: Option<u64>,
    keys_max: Option<u64>,
}

impl Query {
    fn read(text: &str) -> Self {
        let mut query = Self::default();
        for pair in text.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value.as_bytes(), Plus::Plus).unwrap_or_default();
            let number = || std::str::from_utf8(&value).ok()?.parse().ok();
            match name {
                "list-type" => query.lists = true,
                "encoding-type" => query.encodes = value == b"url",
                "max-keys" => query.keys_max = number(),
                "continuation-token" => query.continues_at = number(),
                "prefix" => query.prefix = value,
                "start-after" => query.start_after = value,
                _ => {}
            }
        }
        query
    }

    /// The page asked for.
    fn span(&self, bucket: &Bucket) -> Span {
        const KEYS_MAX: u64 = 1_000;
        let under = bucket.under(&self.prefix);
        let start = match self.continues_at {
            Some(place) => place,
            None if self.start_after.is_empty() => 0,
            None => bucket.first_after(&self.start_after),
        };
        let start = start.max(under.start).min(under.end);
        let keys_max = self.keys_max.unwrap_or(KEYS_MAX).min(KEYS_MAX);
        let end = under.end.min(start + keys_max);
        Span { places: start..end, more: end < under.end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUCKET: Bucket = Bucket { layout: Layout::Flat, numbers: 2_500, every: 1 };

    fn span(query: &str) -> (u64, u64, bool) {
        let Span { places, more } = Query::read(query).span(&BUCKET);
        (places.start, places.end, more)
    }

    #[test]
    fn pages_follow_one_another_without_a_gap_and_the_last_says_so() {
        assert_eq!(span("list-type=2"), (0, 1_000, true));
        assert_eq!(span("list-type=2&continuation-token=1000"), (1_000, 2_000, true));
        assert_eq!(span("list-type=2&continuation-token=2000"), (2_000, 2_500, false));
        assert_eq!(span("list-type=2&continuation-token=2500"), (2_500, 2_500, false));
    }

    #[test]
    fn a_page_begins_after_a_key_ends_with_its_prefix_and_is_as_long_as_asked() {
        assert_eq!(span("start-after=photos%2F0000000999-~&max-keys=1"), (1_000, 1_001, true));
        assert_eq!(span("prefix=photos%2F000000012"), (120, 130, false));
        assert_eq!(span("prefix=photos%2F000000012&max-keys=3"), (120, 123, true));
        assert_eq!(span("prefix=photos%2F000000012&start-after=photos%2F0000000127-~").0, 128);
        assert_eq!(span("prefix=z"), (2_500, 2_500, false));
        assert_eq!(span("start-after=z&max-keys=5000"), (2_500, 2_500, false));
    }
}
