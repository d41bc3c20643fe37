//! `oss-emulator`: serves an OSS endpoint out of a folder until it is interrupted.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use clap::Parser;
use oss_emulator::{Emulator, EmulatorOptions};
use ossferry_core::time::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// An OSS endpoint on loopback that checks signatures and keeps its objects on disk
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Folder of the buckets; made where it is not there
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// Address to listen on; port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Bucket to make at the start; may be repeated
    #[arg(long = "bucket", value_name = "B")]
    buckets: Vec<String>,
    /// Access key of the one account
    #[arg(long, value_name = "A", env = "OSS_EMULATOR_ACCESS_KEY")]
    access_key: String,
    /// Secret of the access key
    #[arg(long, value_name = "S", env = "OSS_EMULATOR_SECRET_KEY", hide_env_values = true)]
    secret_key: String,
    /// Token that every request must carry, as with temporary credentials
    #[arg(long, value_name = "T", env = "OSS_EMULATOR_SECURITY_TOKEN", hide_env_values = true)]
    security_token: Option<String>,
    /// Region that signatures must name
    #[arg(long, value_name = "R", default_value = "cn-hangzhou")]
    region: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let emulator = Emulator::start(EmulatorOptions {
        root: arguments.root,
        listen: arguments.listen,
        buckets: arguments.buckets,
        access_key: arguments.access_key,
        secret_key: arguments.secret_key,
        security_token: arguments.security_token,
        region: arguments.region,
        clock: Arc::new(now),
    })
    .await?;
    let mut terminate = signal(SignalKind::terminate())?;
    println!("listening on {}", emulator.endpoint());
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    emulator.shutdown().await;
    Ok(())
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
