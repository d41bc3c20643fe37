//! Connections, those of TLS so that they take many records at once.
//!
//! A record holds 16 KiB at most. TLS reads its socket 4 KiB at a time and gives one record a read,
//! so that object bytes would travel, and be written on, in pieces that small: each costs system
//! calls and wakes the other end. Reading ahead below TLS, and reading on above it while records are
//! there, make the pieces as large as those of a plain connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{CipherSuite, ClientConfig, ProtocolVersion, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use crate::resolver::PlainConnector;

/// Read from a socket at once: four records.
const READ_AHEAD_BYTES: usize = 64 << 10;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Connects by TCP, and then by TLS where it is to. One type for both: the pool and the protocol above it
/// are built once, which is a quarter of a megabyte of every function.
#[derive(Clone)]
pub(crate) struct LaneConnector {
    tcp: PlainConnector,
    tls: Option<TlsConnector>,
}

impl LaneConnector {
    /// Speaks in the clear.
    pub(crate) fn plain(tcp: PlainConnector) -> Self {
        Self { tcp, tls: None }
    }

    /// Trusts the roots of this machine: those that `SSL_CERT_FILE` names, else the system's.
    pub(crate) fn secure(tcp: PlainConnector) -> io::Result<Self> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (usable, _) = roots.add_parsable_certificates(found.certs);
        if usable == 0 {
            let causes: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
            let message = format!("no root certificate was found ({})", causes.join("; "));
            return Err(io::Error::new(io::ErrorKind::NotFound, message));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tcp, tls: Some(TlsConnector::from(Arc::new(config))) })
    }
}

/// AES with keys of 128 bits first: ten rounds a block and not fourteen. The server has the last word.
fn provider() -> CryptoProvider {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| {
        let is_aes_128 = matches!(
            suite.suite(),
            CipherSuite::TLS13_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        );
        (suite.version().version != ProtocolVersion::TLSv1_3, !is_aes_128)
    });
    provider
}

impl Service<Uri> for LaneConnector {
    type Response = TokioIo<LaneStream>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let (connecting, tls) = (self.tcp.call(uri), self.tls.clone());
        async move {
            let socket = connecting.await?.into_inner();
            let Some(tls) = tls else { return Ok(TokioIo::new(LaneStream::Plain(socket))) };
            let socket = BufReader::with_capacity(READ_AHEAD_BYTES, socket);
            let stream = tls.connect(ServerName::try_from(host)?, socket).await?;
            Ok(TokioIo::new(LaneStream::Secure(Box::new(WholeReads::new(stream)))))
        }
        .boxed()
    }
}

/// A connection, as the pool keeps it.
pub(crate) enum LaneStream {
    /// As it comes.
    Plain(TcpStream),
    /// Within TLS.
    Secure(Box<WholeReads<TlsStream<BufReader<TcpStream>>>>),
}

impl Connection for LaneStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for LaneStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Secure(reads) => Pin::new(&mut **reads).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for LaneStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Secure(reads) => Pin::new(&mut reads.stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Secure(reads) => Pin::new(&mut reads.stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Secure(reads) => reads.stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Secure(reads) => Pin::new(&mut reads.stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Secure(reads) => Pin::new(&mut reads.stream).poll_shutdown(cx),
        }
    }
}

/// Reads until the buffer is full or the stream has nothing more for now.
pub(crate) struct WholeReads<S> {
    stream: S,
    /// What was met after bytes that had to be given first.
    met: Option<io::Error>,
}

impl<S: AsyncRead + Unpin> WholeReads<S> {
    fn new(stream: S) -> Self {
        Self { stream, met: None }
    }

    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(error) = self.met.take() {
            return Poll::Ready(Err(error));
        }
        // The first read may wait; the others take what is there.
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let mut filled = 0;
        while buf.filled().len() > filled && buf.remaining() > 0 {
            filled = buf.filled().len();
            match Pin::new(&mut self.stream).poll_read(cx, buf) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    self.met = Some(error);
                    break;
                }
                Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::future::poll_fn;

    use super::*;

    /// Gives one piece a read, as TLS gives one record.
    struct Pieces(VecDeque<Poll<io::Result<&'static [u8]>>>);

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let piece = ready!(self.0.pop_front().unwrap_or(Poll::Ready(Ok(b""))))?;
            buf.put_slice(piece);
            Poll::Ready(Ok(()))
        }
    }

    async fn read(reads: &mut WholeReads<Pieces>) -> io::Result<Vec<u8>> {
        let mut space = [0; 8];
        let mut buf = ReadBuf::new(&mut space);
        poll_fn(|cx| Pin::new(&mut *reads).poll_read(cx, &mut buf)).await?;
        Ok(buf.filled().to_vec())
    }

    #[test]
    fn every_cipher_suite_is_offered_and_the_cheap_ones_first() {
        let all = rustls::crypto::aws_lc_rs::default_provider().cipher_suites;
        let offered = provider().cipher_suites;
        assert_eq!(offered.len(), all.len());
        assert_eq!(offered[0].suite(), CipherSuite::TLS13_AES_128_GCM_SHA256);
    }

    #[tokio::test]
    async fn pieces_that_are_there_are_read_at_once_and_an_error_comes_after_the_bytes_before_it() {
        let broken = io::Error::from(io::ErrorKind::UnexpectedEof);
        let pieces = [
            Poll::Ready(Ok(&b"ab"[..])),
            Poll::Ready(Ok(&b"cd"[..])),
            Poll::Pending,
            Poll::Ready(Ok(&b"ef"[..])),
            Poll::Ready(Err(broken)),
        ];
        let mut reads = WholeReads::new(Pieces(VecDeque::from(pieces)));
        assert_eq!(read(&mut reads).await.unwrap(), b"abcd");
        assert_eq!(read(&mut reads).await.unwrap(), b"ef");
        assert_eq!(read(&mut reads).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(read(&mut reads).await.unwrap(), b"", "the end");
    }

    #[tokio::test]
    async fn no_more_is_read_than_there_is_room_for() {
        let pieces = [b"abcd", b"efgh", b"ijkl"].map(|piece| Poll::Ready(Ok(&piece[..])));
        let mut reads = WholeReads::new(Pieces(VecDeque::from(pieces)));
        assert_eq!(read(&mut reads).await.unwrap(), b"abcdefgh");
        assert_eq!(read(&mut reads).await.unwrap(), b"ijkl");
    }
}
