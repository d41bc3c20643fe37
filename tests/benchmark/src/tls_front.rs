//! TLS before a plain server of this process: decrypts, and passes bytes on.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Passed on at once: whole records of 16 KiB, as real servers send them.
const CARRY_BYTES: usize = 64 << 10;

/// A certificate for 127.0.0.1 that signs itself, and the configuration that shows it.
pub(crate) struct Certificate {
    pem: String,
    config: Arc<ServerConfig>,
}

impl Certificate {
    /// A new one, with a key that never leaves this process.
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?;
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)?;
        Ok(Self { pem: cert.pem(), config: Arc::new(config) })
    }

    /// Writes it where clients are told to look.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        std::fs::write(path, &self.pem)
    }

    /// Listens on loopback and passes every connection on to `server`, until this process ends.
    pub(crate) async fn front(&self, server: SocketAddr) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(Arc::clone(&self.config));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                // A connection that breaks off is the client's to report.
                tokio::spawn(async move { drop(pass_on(&acceptor, client, server).await) });
            }
        });
        Ok(address)
    }
}

async fn pass_on(
    acceptor: &TlsAcceptor,
    client: TcpStream,
    server: SocketAddr,
) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut client = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(server).await?;
    server.set_nodelay(true)?;
    copy_bidirectional_with_sizes(&mut client, &mut server, CARRY_BYTES, CARRY_BYTES).await?;
    Ok(())
}
