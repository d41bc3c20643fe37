//! The custom runtime's contract: an HTTP server with three paths.
//!
//! (Function Compute manual, "Custom runtimes: Event functions", "Lifecycle hooks" and "Logs", 2026.)

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ossferry_host::logs;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

/// The largest event of a synchronous invocation.
const EVENT_BYTES_MAX: usize = 32 << 20;

/// Function Compute takes an answer without this header for a success, whatever its status is.
const OUTCOME_HEADER: &str = "x-fc-status";

/// What is behind the server.
#[async_trait::async_trait]
pub(crate) trait Invoked: Send + Sync + 'static {
    /// Takes over what the headers of any request say.
    fn arrive(&self, headers: &HeaderMap);

    /// Does one invocation; `Err` is why it failed.
    async fn invoke(&self, request_id: &str, event: Bytes) -> Result<Value, String>;
}

/// Serves until the process is ended.
pub(crate) async fn serve<F: Invoked>(port: u16, function: Arc<F>) -> io::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).await?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(converse(stream, Arc::clone(&function)));
            }
            // One connection that broke off, or no descriptors for the moment.
            Err(error) => {
                tracing::warn!(%error, "accept");
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn converse<F: Invoked>(stream: TcpStream, function: Arc<F>) {
    let service = service_fn(|request| {
        let function = Arc::clone(&function);
        async move { Ok::<_, Infallible>(answer(&*function, request).await) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "connection");
    }
}

async fn answer<F: Invoked>(function: &F, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let id = parts.headers.get("x-fc-request-id").and_then(|id| id.to_str().ok());
    let id = id.unwrap_or("none");
    match (&parts.method, parts.uri.path()) {
        (&Method::POST, "/invoke") => {
            function.arrive(&parts.headers);
            logs::print(&[format!("FC Invoke Start RequestId: {id}")]);
            let answered = invoke(function, id, body).await;
            logs::print(&[format!("FC Invoke End RequestId: {id}")]);
            answered
        }
        (&Method::POST, "/initialize") => {
            function.arrive(&parts.headers);
            let lines =
                ["Start", "End"].map(|when| format!("FC Initialize {when} RequestId: {id}"));
            logs::print(&lines);
            response(StatusCode::OK, &Value::Null)
        }
        // Nothing is kept here that the ledger does not hold.
        (&Method::GET, "/pre-stop") => response(StatusCode::OK, &Value::Null),
        (method, path) => failed(&format!("no such path: {method} {path}")),
    }
}

async fn invoke<F: Invoked>(function: &F, id: &str, body: Incoming) -> Response<Full<Bytes>> {
    let event = match Limited::new(body, EVENT_BYTES_MAX).collect().await {
        Ok(event) => event.to_bytes(),
        Err(error) => return failed(&format!("read the event: {error}")),
    };
    let invoked = AssertUnwindSafe(function.invoke(id, event)).catch_unwind().await;
    match invoked.unwrap_or_else(|_| Err("panicked".to_owned())) {
        Ok(answer) => response(StatusCode::OK, &answer),
        Err(error) => {
            tracing::error!(request_id = id, error, "invocation failed");
            failed(&error)
        }
    }
}

/// Both the status and the header say it: one without the other counts as a success.
fn failed(error: &str) -> Response<Full<Bytes>> {
    response(StatusCode::NOT_FOUND, &json!({"errorMessage": error}))
}

fn response(status: StatusCode, answer: &Value) -> Response<Full<Bytes>> {
    let body = if answer.is_null() { Bytes::new() } else { answer.to_string().into() };
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .header(OUTCOME_HEADER, status.as_str())
        .body(Full::new(body));
    response.expect("a status and two headers that are text make an answer")
}
