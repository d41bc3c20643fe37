//! What lies between a client and a server: it counts every request, and breaks some by script.

mod answers;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::{CONTENT_RANGE, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use oss_emulator::{Emulator, RunningEmulator, serve};
use ossferry_core::key::Key;
use ossferry_http::percent::{Plus, decode};
use tokio::time::Instant;

use self::answers::{
    Broken, corrupted, error, full, json_error, range_shortened, shortened, with_body,
};

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Body = UnsyncBoxBody<Bytes, Failure>;
type Answer = Response<Body>;

/// What happens to one request.
#[derive(Clone)]
pub enum Fault {
    /// Not executed: 503, `x-oss-qos-delay-time` and this code.
    Throttled {
        /// `DownloadTrafficRateLimitExceeded` and the like.
        code: &'static str,
        /// Milliseconds that the header asks for.
        delay_millis: u64,
    },
    /// Not executed: 403 and this code.
    Forbidden(&'static str),
    /// Not executed: 400, and this JSON as an error of `DynamoDB` or SQS.
    Json(&'static str),
    /// Not executed: the connection is closed.
    Refused,
    /// Executed, and once more: the second answer is given, as to a client that repeats by itself.
    Twice,
    /// Executed, and the connection is closed in place of an answer.
    AnswerLost,
    /// The answer's body ends after so many bytes, with the connection.
    BodyCut(usize),
    /// The answer's body ends after so many bytes, its length being what it then is.
    BodyShortened(usize),
    /// The answer's body stands still after so many bytes, for so long.
    BodyStalled(usize, Duration),
    /// A range is answered by 200 and these bytes, the whole object.
    RangeIgnored(Bytes),
    /// A range is answered by 206, but with only its first bytes, and a `Content-Range` that says so.
    RangeShortened(u64),
    /// `x-oss-hash-crc64ecma` is another.
    WrongCrc,
    /// Executed with one byte of the request's body changed.
    BodyCorrupted,
    /// Executed as it is, after this has run.
    After(Hook),
}

/// Something to do at a request.
pub type Hook = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// Which requests a fault is for.
#[derive(Clone)]
pub struct Rule {
    /// As the service names it.
    pub operation: &'static str,
    /// Of which key; of any where `None`.
    pub key: Option<Key>,
    /// The first of the matching requests that it is for, from 1.
    pub from: u64,
    /// How many.
    pub times: u64,
    /// Of those, each how manieth.
    pub every: u64,
    /// What happens.
    pub fault: Fault,
}

impl Rule {
    /// For the first request of an operation, whatever its key.
    pub fn first(operation: &'static str, fault: Fault) -> Self {
        Self { operation, key: None, from: 1, times: 1, every: 1, fault }
    }

    /// The same for one key only.
    #[must_use]
    pub fn of_key(mut self, key: &Key) -> Self {
        self.key = Some(key.clone());
        self
    }

    /// The same from another request on, and for so many.
    #[must_use]
    pub fn at(mut self, from: u64, times: u64) -> Self {
        (self.from, self.times) = (from, times);
        self
    }

    /// For every so manieth request, from the first on.
    #[must_use]
    pub fn every(mut self, every: u64) -> Self {
        (self.times, self.every) = (u64::MAX, every);
        self
    }
}

/// A request that came by.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// As the service names it.
    pub operation: &'static str,
    /// Of which bucket.
    pub bucket: String,
    /// Of which key; `None` for the bucket itself.
    pub key: Option<Key>,
}

#[derive(Default)]
struct Script {
    rules: Vec<(Rule, u64)>,
    seen: Vec<Seen>,
    in_flight: usize,
}

/// A request that is being executed.
struct InFlight(Arc<Mutex<Script>>);

impl InFlight {
    fn begin(script: &Arc<Mutex<Script>>) -> Self {
        locked(script).in_flight += 1;
        Self(Arc::clone(script))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        locked(&self.0).in_flight -= 1;
    }
}

#[derive(Clone)]
enum Upstream {
    Emulator(Emulator),
    Server(Box<Client<HttpConnector, Body>>, SocketAddr),
}

/// Stands before a server and passes on what comes.
pub struct Wire {
    script: Arc<Mutex<Script>>,
    running: RunningEmulator,
}

impl Wire {
    /// Before an emulator of this process.
    pub async fn before_emulator(emulator: Emulator) -> Self {
        Self::before(Upstream::Emulator(emulator)).await
    }

    /// Before any HTTP server. Requests are passed on byte for byte, so that signatures hold.
    pub async fn before_server(address: SocketAddr) -> Self {
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self::before(Upstream::Server(Box::new(client), address)).await
    }

    async fn before(upstream: Upstream) -> Self {
        let script = Arc::<Mutex<Script>>::default();
        let passing = Arc::clone(&script);
        let service = service_fn(move |request: Request<Incoming>| {
            let (upstream, script) = (upstream.clone(), Arc::clone(&passing));
            async move {
                let _in_flight = InFlight::begin(&script);
                pass(&upstream, &script, request).await
            }
        });
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let running = serve(address, service).await.expect("loopback has a free port");
        Self { script, running }
    }

    /// `http://` and where it listens.
    pub fn endpoint(&self) -> String {
        self.running.endpoint()
    }

    /// Adds a rule. Its requests are counted from here on.
    pub fn rule(&self, rule: Rule) {
        locked(&self.script).rules.push((rule, 0));
    }

    /// Takes every rule away.
    pub fn clear_rules(&self) {
        locked(&self.script).rules.clear();
    }

    /// Every request that came by since the last call.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut locked(&self.script).seen)
    }

    /// How many requests of an operation came by since [`Wire::take_seen`] was last called.
    pub fn count(&self, operation: &str) -> u64 {
        let script = locked(&self.script);
        script.seen.iter().filter(|seen| seen.operation == operation).count() as u64
    }

    /// Waits until what was sent before has been executed, and what was broken off has ended.
    pub async fn quiet(&self) {
        loop {
            tokio::time::sleep(Duration::from_millis(3)).await;
            if locked(&self.script).in_flight == 0 {
                return;
            }
        }
    }

    /// How many requests came by since [`Wire::take_seen`] was last called.
    pub fn total(&self) -> usize {
        locked(&self.script).seen.len()
    }
}

fn locked(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What `x-amz-target` names, of `DynamoDB` and of SQS.
fn target_operation(parts: &Parts) -> Option<&'static str> {
    const OPERATIONS: [&str; 7] = [
        "ChangeMessageVisibility",
        "DeleteMessage",
        "GetItem",
        "PutItem",
        "Query",
        "ReceiveMessage",
        "SendMessageBatch",
    ];
    let target = parts.headers.get("x-amz-target")?.to_str().ok()?;
    let (_, name) = target.split_once('.')?;
    Some(OPERATIONS.into_iter().find(|known| *known == name).unwrap_or("OtherOfTarget"))
}

/// The operation and the key of a request, which are in path style where they name a bucket.
fn seen(parts: &Parts) -> Seen {
    if let Some(operation) = target_operation(parts) {
        return Seen { at: Instant::now(), operation, bucket: String::new(), key: None };
    }
    let path = parts.uri.path().trim_start_matches('/');
    let (bucket, rest) = path.split_once('/').unwrap_or((path, ""));
    let bucket = bucket.to_owned();
    let key = (!rest.is_empty())
        .then(|| Key::new(decode(rest.as_bytes(), Plus::Plus).unwrap_or_default()));
    let query = parts.uri.query().unwrap_or_default();
    let has = |name: &str| {
        query.split('&').any(|pair| pair.split_once('=').map_or(pair, |(name, _)| name) == name)
    };
    let operation = match (&parts.method, &key) {
        (&Method::GET, None) if has("uploads") => "ListMultipartUploads",
        (&Method::GET, None) if has("list-type") => "ListObjectsV2",
        (&Method::GET, None) if query.is_empty() || has("prefix") => "ListObjects",
        (&Method::HEAD, None) => "HeadBucket",
        (&Method::GET, None) if has("bucketInfo") => "GetBucketInfo",
        (&Method::GET, None) if has("versioning") => "GetBucketVersioning",
        (_, None) => "OtherOfBucket",
        (&Method::PUT, Some(_)) if has("partNumber") => "UploadPart",
        (&Method::PUT, Some(_)) => "PutObject",
        (&Method::POST, Some(_)) if has("restore") => "RestoreObject",
        (&Method::POST, Some(_)) if has("uploads") => "InitiateMultipartUpload",
        (&Method::POST, Some(_)) if has("uploadId") => "CompleteMultipartUpload",
        (&Method::DELETE, Some(_)) if has("uploadId") => "AbortMultipartUpload",
        (&Method::GET, Some(_)) if has("uploadId") => "ListParts",
        (&Method::GET, Some(_)) if has("tagging") => "GetObjectTagging",
        (&Method::GET, Some(_)) if has("acl") => "GetObjectAcl",
        (&Method::GET, Some(_)) => "GetObject",
        (&Method::HEAD, Some(_)) => "HeadObject",
        (_, Some(_)) => "OtherOfObject",
    };
    Seen { at: Instant::now(), operation, bucket, key }
}

/// Notes the request, and finds the fault that is its turn.
fn fault_of(script: &Mutex<Script>, parts: &Parts) -> Option<Fault> {
    let seen = seen(parts);
    let mut script = locked(script);
    let mut found = None;
    for (rule, matched) in &mut script.rules {
        let of_key = rule.key.is_none() || rule.key == seen.key;
        if rule.operation != seen.operation || !of_key {
            continue;
        }
        *matched += 1;
        let place = matched.checked_sub(rule.from).filter(|place| *place < rule.times);
        if found.is_none() && place.is_some_and(|place| place % rule.every == 0) {
            found = Some(rule.fault.clone());
        }
    }
    script.seen.push(seen);
    found
}

async fn pass(
    upstream: &Upstream,
    script: &Arc<Mutex<Script>>,
    request: Request<Incoming>,
) -> Result<Answer, Failure> {
    let (parts, body) = request.into_parts();
    let fault = fault_of(script, &parts);
    let closed = || Failure::from("the script closes the connection");
    match &fault {
        Some(Fault::Refused) => return Err(closed()),
        Some(Fault::Throttled { code, delay_millis }) => {
            // Read, so that the client sees the answer and not a broken pipe.
            drop(body.collect().await);
            let mut answer = error(StatusCode::SERVICE_UNAVAILABLE, code);
            answer.headers_mut().insert("x-oss-qos-delay-time", HeaderValue::from(*delay_millis));
            return Ok(answer);
        }
        Some(Fault::Forbidden(code)) => {
            drop(body.collect().await);
            return Ok(error(StatusCode::FORBIDDEN, code));
        }
        Some(Fault::Json(text)) => {
            drop(body.collect().await);
            return Ok(json_error(text));
        }
        Some(Fault::After(hook)) => {
            // Done to its end whatever becomes of the request.
            let (in_flight, hook) = (InFlight::begin(script), Arc::clone(hook));
            let done = tokio::spawn(async move {
                hook().await;
                drop(in_flight);
            });
            done.await?;
        }
        _ => {}
    }
    let body = match fault {
        Some(Fault::Twice) => {
            let bytes = body.collect().await?.to_bytes();
            let first = Request::from_parts(parts.clone(), full(bytes.clone()));
            drop(execute(upstream, first).await?.into_body().collect().await);
            full(bytes)
        }
        Some(Fault::BodyCorrupted) => corrupted(body).await?,
        _ => body.map_err(Into::into).boxed_unsync(),
    };
    let answer = execute(upstream, Request::from_parts(parts, body)).await?;
    Ok(match fault {
        Some(Fault::AnswerLost) => {
            drop(answer.into_body().collect().await);
            return Err(closed());
        }
        Some(Fault::BodyCut(after)) => answer.map(|body| Broken::of(body, after, Duration::ZERO)),
        Some(Fault::BodyStalled(after, pause)) => answer.map(|body| Broken::of(body, after, pause)),
        Some(Fault::BodyShortened(bytes)) => shortened(answer, bytes).await?,
        Some(Fault::RangeShortened(bytes)) => range_shortened(answer, bytes).await?,
        Some(Fault::RangeIgnored(whole)) => {
            let (mut parts, _) = answer.into_parts();
            parts.status = StatusCode::OK;
            parts.headers.remove(CONTENT_RANGE);
            with_body(parts, whole)
        }
        Some(Fault::WrongCrc) => {
            let mut answer = answer;
            answer.headers_mut().insert("x-oss-hash-crc64ecma", HeaderValue::from(1_u64));
            answer
        }
        _ => answer,
    })
}

async fn execute(upstream: &Upstream, request: Request<Body>) -> Result<Answer, Failure> {
    match upstream {
        Upstream::Emulator(emulator) => {
            let answer = emulator.handle(request).await;
            Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()))
        }
        Upstream::Server(client, address) => {
            let mut request = request;
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            *request.uri_mut() = format!("http://{address}{path}").parse()?;
            let answer = client.request(request).await?;
            Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()))
        }
    }
}
