//! From a host's name to its addresses: the system's answer, or addresses that are known already.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

/// Connects by TCP.
pub(crate) type PlainConnector = HttpConnector<Resolver>;

/// Answers for names. A bare address is asked of nobody.
#[derive(Clone)]
pub(crate) enum Resolver {
    /// As the system resolves them, each time anew.
    System(GaiResolver),
    /// Every name is these: the lane has one host, and somebody looked at its addresses.
    Known(Arc<[IpAddr]>),
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::System(system) => system.poll_ready(cx),
            Self::Known(_) => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, name: Name) -> Self::Future {
        match self {
            Self::System(system) => {
                let answer = system.call(name);
                async move { Ok(answer.await?.collect::<Vec<_>>().into_iter()) }.boxed()
            }
            Self::Known(known) => {
                // The port is the connector's to set.
                let known: Vec<_> = known.iter().map(|ip| SocketAddr::new(*ip, 0)).collect();
                async move { Ok(known.into_iter()) }.boxed()
            }
        }
    }
}
