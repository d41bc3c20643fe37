//! An emulator on a socket of loopback.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use oss_emulator::{RunningEmulator, serve};

use crate::faults::AnswerLost;

/// An answer.
pub(crate) type Answer = Response<Full<Bytes>>;

/// Serves a function of whole requests on a free port.
pub(crate) async fn served<F, R>(handle: F) -> RunningEmulator
where
    F: Fn(Parts, Bytes) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Result<Answer, AnswerLost>> + Send,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let handle = handle.clone();
        async move {
            let (parts, body) = request.into_parts();
            // One that breaks off gets no answer.
            let body = body.collect().await.map_err(|_| AnswerLost)?.to_bytes();
            handle(parts, body).await
        }
    });
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    serve(address, service).await.expect("loopback has a free port")
}
