//! The runtime API of one execution environment.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use oss_emulator::{RunningEmulator, serve};
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};

use crate::clock::system_now;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The longest answer of an invocation.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const ANSWER_BYTES_MAX: usize = 6 * 1_024 * 1_024;

/// An invocation that a process is to take.
pub(super) struct Next {
    pub(super) request_id: String,
    pub(super) function: &'static str,
    pub(super) limit: Duration,
    pub(super) payload: Bytes,
}

/// What a process says.
#[derive(Debug)]
pub(super) enum Said {
    /// It asks for work.
    Ready,
    /// The answer of its invocation.
    Answered(Value),
    /// The error of its invocation, or of its start.
    Failed(Value),
}

/// What a process talks to.
pub(super) struct RuntimeApi {
    running: RunningEmulator,
    calls: mpsc::UnboundedSender<Next>,
    said: mpsc::UnboundedReceiver<Said>,
}

struct Desk {
    calls: Mutex<mpsc::UnboundedReceiver<Next>>,
    said: mpsc::UnboundedSender<Said>,
}

impl RuntimeApi {
    pub(super) async fn start() -> Self {
        let (calls, calls_out) = mpsc::unbounded_channel();
        let (said_in, said) = mpsc::unbounded_channel();
        let desk = Arc::new(Desk { calls: Mutex::new(calls_out), said: said_in });
        let service = service_fn(move |request| {
            let desk = Arc::clone(&desk);
            async move { desk.answer(request).await }
        });
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let running = serve(address, service).await.expect("loopback has a free port");
        Self { running, calls, said }
    }

    /// What `AWS_LAMBDA_RUNTIME_API` names.
    pub(super) fn authority(&self) -> String {
        self.running.address().to_string()
    }

    pub(super) fn call(&self, next: Next) {
        // A process that is gone is noticed by whoever waits for its answer.
        drop(self.calls.send(next));
    }

    pub(super) async fn said(&mut self) -> Said {
        self.said.recv().await.expect("the service holds the other end")
    }
}

impl Desk {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Failure> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        let rest = path.strip_prefix("/2018-06-01/runtime/").unwrap_or_default();
        let words: Vec<&str> = rest.split('/').collect();
        if parts.method == Method::GET && words == ["invocation", "next"] {
            return self.next().await;
        }
        let body = body.collect().await?.to_bytes();
        let (status, said) = match words.as_slice() {
            ["invocation", _, "response"] if body.len() > ANSWER_BYTES_MAX => {
                let error = json!({"errorType": "Function.ResponseSizeTooLarge"});
                (StatusCode::PAYLOAD_TOO_LARGE, Said::Failed(error))
            }
            ["invocation", _, "response"] => {
                (StatusCode::ACCEPTED, Said::Answered(serde_json::from_slice(&body)?))
            }
            ["invocation", _, "error"] | ["init", "error"] => {
                (StatusCode::ACCEPTED, Said::Failed(serde_json::from_slice(&body)?))
            }
            _ => return Err(format!("no such call: {} {path}", parts.method).into()),
        };
        drop(self.said.send(said));
        Ok(Response::builder().status(status).body(Full::default())?)
    }

    async fn next(&self) -> Result<Response<Full<Bytes>>, Failure> {
        let mut calls = self.calls.lock().await;
        drop(self.said.send(Said::Ready));
        let next = calls.recv().await.ok_or("the environment ends")?;
        let deadline = system_now().plus(next.limit).0;
        let function = next.function;
        let answer = Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", &next.request_id)
            .header("lambda-runtime-deadline-ms", deadline)
            .header(
                "lambda-runtime-invoked-function-arn",
                format!("arn:aws:lambda:us-east-1:123456789012:function:{function}"),
            )
            .header(
                "lambda-runtime-trace-id",
                "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0",
            );
        Ok(answer.body(Full::new(next.payload))?)
    }
}
