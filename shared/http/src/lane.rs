//! Sends requests byte for byte as they were signed.

use std::fmt::Write as _;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::dns::GaiResolver;
use hyper_util::client::legacy::{Builder, Client, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::meter::Meter;
use ossferry_core::ports::ObjectBody;
use tokio::time::{Instant, sleep_until};

use crate::endpoint::Endpoint;
use crate::pace::{Pace, PaceOptions, Permit};
use crate::request_body::{Progress, RequestBody, SendGuard, StreamBody};
use crate::resolver::{PlainConnector, Resolver};
use crate::response::LaneResponse;
use crate::retry::asked_pause;
use crate::secure::LaneConnector;

/// What a connection reads at once, at most: its buffer grows to it while reads fill it. Fewer and larger
/// reads cost less: 5 to 8 % of the processor time of large objects between 400 KiB and 1 MiB, where four
/// objects in flight take more than 32 MiB of memory in all (`ossferry-benchmark copy`).
const BUFFER_BYTES_MAX: usize = 768 << 10;

/// How a lane behaves.
#[derive(Clone, Copy, Debug)]
pub struct LaneOptions {
    /// Until a TCP connection stands.
    pub connect_timeout: Duration,
    /// From the last byte of the request to the answer's headers.
    pub answer_timeout: Duration,
    /// How long a request's body may stand still. Longer than what a source's own body takes to
    /// say so, and shorter than the minute after which OSS gives an idle request up.
    pub send_stall_timeout: Duration,
    /// How long an answer's body may stand still.
    pub receive_stall_timeout: Duration,
    /// Idle connections are closed after this.
    pub idle_timeout: Duration,
    /// Caps of the endpoint.
    pub pace: PaceOptions,
}

impl Default for LaneOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_mins(1),
            send_stall_timeout: Duration::from_secs(45),
            receive_stall_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(50),
            pace: PaceOptions::default(),
        }
    }
}

/// What a request carries.
pub enum LaneBody {
    /// Nothing.
    Empty,
    /// A few bytes.
    Bytes(Bytes),
    /// Exactly `bytes` bytes as they arrive. The last of them go out only after the stream has
    /// ended well, so that a source's error at its very end still stops the request.
    Stream {
        /// Sent as `Content-Length`.
        bytes: u64,
        /// The bytes.
        body: ObjectBody,
    },
}

/// A request, signed and encoded.
pub struct LaneRequest<'a> {
    /// What the service calls it: counted on the meter, named in errors.
    pub operation: &'static str,
    /// The method.
    pub method: Method,
    /// Where it goes.
    pub endpoint: &'a Endpoint,
    /// Percent-encoded; sent as it is.
    pub path_and_query: String,
    /// As signed. `Host` and `Content-Length` are added where they are missing.
    pub headers: HeaderMap,
    /// The body.
    pub body: LaneBody,
}

/// Sends requests to one endpoint: connections kept in a pool, an adaptive [`Pace`] before them.
/// Clones share both.
#[derive(Clone)]
pub struct Lane(Arc<Inner>);

struct Inner {
    options: LaneOptions,
    pace: Pace,
    plain: Client<LaneConnector, RequestBody>,
    /// Where names lead.
    resolver: Resolver,
    /// Root certificates are read when the first request needs them.
    secure: OnceLock<Client<LaneConnector, RequestBody>>,
}

impl Lane {
    /// A lane with no connections yet.
    pub fn new(options: &LaneOptions) -> Self {
        Self::resolving(options, Resolver::System(GaiResolver::new()))
    }

    /// A lane to one host, whose addresses are these and are not looked up again: a name that comes to
    /// lead elsewhere is not followed.
    pub fn to_addresses(
        options: &LaneOptions,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Self {
        Self::resolving(options, Resolver::Known(addresses.into_iter().collect()))
    }

    fn resolving(options: &LaneOptions, resolver: Resolver) -> Self {
        Self(Arc::new(Inner {
            options: *options,
            pace: Pace::new(&options.pace),
            plain: pool(options).build(LaneConnector::plain(connector(
                options,
                resolver.clone(),
                true,
            ))),
            resolver,
            secure: OnceLock::new(),
        }))
    }

    /// How many requests the endpoint takes at once.
    pub fn pace(&self) -> &Pace {
        &self.0.pace
    }

    /// Waits until a request may be sent. Signing after that keeps a signature from growing old in
    /// the queue.
    pub async fn admit(&self) -> Permit {
        self.0.pace.acquire().await
    }

    /// [`Lane::admit`] for whoever holds the body of another answer open meanwhile: see
    /// [`Pace::acquire_beside`].
    pub async fn admit_beside(&self) -> Permit {
        self.0.pace.acquire_beside().await
    }

    /// [`Lane::admit`], then [`Lane::send_admitted`].
    pub async fn send(
        &self,
        request: LaneRequest<'_>,
        meter: &Meter,
    ) -> Result<LaneResponse, PortError> {
        let permit = self.admit().await;
        self.send_admitted(permit, request, meter).await
    }

    /// Sends one request, once, and counts it. The answer is given as soon as its headers are
    /// there, whatever its status, and also when it comes before the request's body was sent.
    ///
    /// An error of a streaming body is given as it is. `Connection` and `Timeout` conclude `NotDone`
    /// where the service can't have seen the whole request.
    pub async fn send_admitted(
        &self,
        permit: Permit,
        request: LaneRequest<'_>,
        meter: &Meter,
    ) -> Result<LaneResponse, PortError> {
        let LaneRequest { operation, method, endpoint, path_and_query, headers, body } = request;
        let (body, sending) = self.outgoing(operation, body).await?;
        let uri = endpoint.uri(path_and_query).map_err(|error| {
            PortError::new(ErrorKind::Unsupported, format!("{operation}: {error}"))
        })?;
        let bodiless = matches!(body, RequestBody::Empty);
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        if bodiless && matches!(*request.method(), Method::PUT | Method::POST) {
            // OSS wants a length with these; hyper leaves that of an empty body out.
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        request
            .headers_mut()
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static(concat!("ossferry/", env!("CARGO_PKG_VERSION"))));
        let future = if endpoint.is_secure() {
            self.secure(operation)?.request(request)
        } else {
            self.0.plain.request(request)
        };
        meter.count(operation);
        let answer = self.answer(operation, future, sending.as_ref(), &permit).await;
        let response = answer?;
        learn(&permit, &response);
        let stall_timeout = self.0.options.receive_stall_timeout;
        Ok(LaneResponse::new(operation, response, permit, sending, stall_timeout))
    }

    async fn outgoing(
        &self,
        operation: &'static str,
        body: LaneBody,
    ) -> Result<(RequestBody, Option<SendGuard>), PortError> {
        match body {
            LaneBody::Empty => Ok((RequestBody::Empty, None)),
            LaneBody::Bytes(bytes) => Ok((RequestBody::Bytes(Some(bytes)), None)),
            LaneBody::Stream { bytes, body } => {
                let (mut stream, guard) =
                    StreamBody::new(operation, bytes, body, self.0.pace.clone());
                if bytes > 0 {
                    return Ok((RequestBody::Stream(Box::new(stream)), Some(guard)));
                }
                // Headers alone make such a request complete: the stream must have ended before.
                let ended = poll_fn(|cx| stream.poll_bytes(cx));
                match tokio::time::timeout(self.0.options.send_stall_timeout, ended).await {
                    Ok(ended) => ended.map(|_| (RequestBody::Empty, None)),
                    Err(_) => Err(stood_still(operation)),
                }
            }
        }
    }

    async fn answer(
        &self,
        operation: &'static str,
        future: ResponseFuture,
        sending: Option<&SendGuard>,
        permit: &Permit,
    ) -> Result<http::Response<Incoming>, PortError> {
        let options = &self.0.options;
        let began = Instant::now();
        let due = || match sending {
            None => began + options.answer_timeout,
            Some(SendGuard(progress)) if progress.is_handed_over() => {
                progress.moved_at() + options.answer_timeout
            }
            Some(SendGuard(progress)) => progress.moved_at() + options.send_stall_timeout,
        };
        let progress: Option<&Progress> = sending.map(|guard| &*guard.0);
        let incomplete = || progress.is_some_and(|progress| !progress.is_handed_over());
        tokio::pin!(future);
        let mut next_look = due();
        loop {
            tokio::select! {
                biased;
                answer = &mut future => {
                    let error = match answer {
                        Ok(response) if response.status().is_success() && incomplete() => {
                            return Err(PortError::new(
                                ErrorKind::BadAnswer,
                                format!("{operation}: success before the whole body was sent"),
                            ));
                        }
                        Ok(response) => return Ok(response),
                        Err(error) => error,
                    };
                    if let Some(error) = progress.and_then(Progress::take_error) {
                        // The source's: it says nothing of this endpoint.
                        return Err(error);
                    }
                    // An endpoint that is gone, or closes, is asked by fewer at once.
                    permit.throttled(None);
                    let mut failed = PortError::new(
                        ErrorKind::Connection,
                        format!("{operation}: {}", error_chain(&error)),
                    );
                    if error.is_connect() || incomplete() {
                        failed = failed.concluding(Conclusion::NotDone);
                    }
                    return Err(failed);
                }
                () = sleep_until(next_look) => {
                    next_look = due();
                    if next_look > Instant::now() {
                        continue;
                    }
                    permit.throttled(None);
                    if incomplete() {
                        return Err(stood_still(operation));
                    }
                    return Err(PortError::new(
                        ErrorKind::Timeout,
                        format!("{operation}: no answer in time"),
                    ));
                }
            }
        }
    }

    fn secure(
        &self,
        operation: &'static str,
    ) -> Result<&Client<LaneConnector, RequestBody>, PortError> {
        if let Some(client) = self.0.secure.get() {
            return Ok(client);
        }
        let failed = |error: io::Error| {
            PortError::new(ErrorKind::Other, format!("{operation}: root certificates: {error}"))
        };
        let tcp = connector(&self.0.options, self.0.resolver.clone(), false);
        let connector = LaneConnector::secure(tcp).map_err(failed)?;
        Ok(self.0.secure.get_or_init(|| pool(&self.0.options).build(connector)))
    }
}

fn stood_still(operation: &'static str) -> PortError {
    PortError::new(ErrorKind::Timeout, format!("{operation}: the request's body stands still"))
        .concluding(Conclusion::NotDone)
}

/// Tells the pace what the answer says of the endpoint.
fn learn(permit: &Permit, response: &http::Response<Incoming>) {
    match response.status() {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            permit.asked_for_less(asked_pause(response.headers()));
        }
        // An answer that was delayed on purpose (OSS, flow control) asks for less, not for a pause.
        _ if response.headers().contains_key("x-oss-qos-delay-time") => {
            permit.asked_for_less(None);
        }
        status if status.is_server_error() => {}
        _ => permit.succeeded(),
    }
}

fn connector(options: &LaneOptions, resolver: Resolver, enforce_http: bool) -> PlainConnector {
    let mut connector = PlainConnector::new_with_resolver(resolver);
    connector.set_connect_timeout(Some(options.connect_timeout));
    connector.set_nodelay(true);
    connector.enforce_http(enforce_http);
    connector
}

fn pool(options: &LaneOptions) -> Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(options.idle_timeout)
        .pool_max_idle_per_host(options.pace.max_concurrency)
        .http1_max_buf_size(BUFFER_BYTES_MAX);
    builder
}

/// An error and its causes in one line.
pub(crate) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(text, ": {error}").expect("a String takes every write");
        cause = error.source();
    }
    text
}
