//! The endpoint on a socket.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::{Emulator, EmulatorError, EmulatorOptions};

/// How long a shutdown waits for requests that have begun.
const DRAIN: Duration = Duration::from_secs(5);

impl Emulator {
    /// Opens the emulator and serves it on `options.listen` in the current tokio runtime.
    pub async fn start(options: EmulatorOptions) -> Result<RunningEmulator, EmulatorError> {
        let address = options.listen;
        let emulator = Self::open(options)?;
        let service = service_fn(move |request: Request<Incoming>| {
            let emulator = emulator.clone();
            async move { Ok::<_, Infallible>(emulator.handle(request).await) }
        });
        serve(address, service).await
    }
}

/// Serves any service the way the emulator is served: so that tests can put their own in front of
/// [`Emulator::handle`]. A service that fails closes its connection without an answer.
pub async fn serve<S, B>(address: SocketAddr, service: S) -> Result<RunningEmulator, EmulatorError>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let refused = |error| EmulatorError::Listen { address, error };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let (stop, stopped) = watch::channel(());
    let task = tokio::spawn(accept(listener, service, stopped));
    Ok(RunningEmulator { address, stop, task })
}

/// An endpoint that is being served. Dropping it stops it without waiting.
#[derive(Debug)]
#[must_use = "dropping it stops the emulator"]
pub struct RunningEmulator {
    address: SocketAddr,
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl RunningEmulator {
    /// Where it listens, with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://` and the address.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops listening, lets requests that have begun end for up to five seconds, and frees the
    /// root for another emulator.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(());
        let _ = (&mut self.task).await;
    }
}

impl Drop for RunningEmulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept<S, B>(listener: TcpListener, service: S, mut stopped: watch::Receiver<()>)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, service.clone(), stopped.clone()));
                }
                Err(error) => {
                    // Most likely too many open files: others must end first.
                    tracing::warn!(%error, "accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            _ = stopped.changed() => break,
        }
    }
    drop(listener);
    let drained =
        tokio::time::timeout(DRAIN, async { while connections.join_next().await.is_some() {} });
    let _ = drained.await;
    connections.shutdown().await;
}

async fn connection<S, B>(stream: TcpStream, service: S, mut stopped: watch::Receiver<()>)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "set nodelay");
    }
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}
