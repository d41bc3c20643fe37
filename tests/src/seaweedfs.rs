//! A real S3 server: SeaweedFS, which signs, lists in directory order, and keeps its promises otherwise.

use std::fs;
use std::net::SocketAddr;
use std::sync::OnceLock;

use ossferry_core::key::Key;

use crate::fixtures;
use crate::guarded::{Guarded, Prepared};
use crate::port::{free_ports, loopback};
use crate::s3::{S3Account, S3Bucket};

/// A running server. Dropping it ends it.
pub struct SeaweedFs {
    server: Guarded,
}

impl SeaweedFs {
    /// The server of this test process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<SeaweedFs> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of its own, over an empty folder. Panics where `weed` is not installed.
    pub fn start() -> Self {
        let weed = fixtures::installed("weed");
        let ports = free_ports::<8>();
        let prepared = Prepared::new("seaweedfs")
            .leaving(ports.map(|port| format!("/tmp/seaweedfs-*-{port}.sock")))
            // Every bucket has volumes of its own, and seven at once by default.
            .with("WEED_MASTER_VOLUME_GROWTH_COPY_1", "1");
        let folder = prepared.folder().to_owned();
        fs::create_dir(folder.join("data")).expect("a folder for its data");
        let account = account();
        let config = serde_json::json!({"identities": [{
            "name": "tests",
            "credentials": [{"accessKey": account.access_key, "secretKey": account.secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }]});
        fs::write(folder.join("s3.json"), config.to_string()).expect("write the configuration");
        let mut arguments: Vec<String> = [
            "server",
            "-master.telemetry=false",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-s3",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-master.volumeSizeLimitMB=256",
            "-volume.max=400",
            "-volume.minFreeSpace=1",
        ]
        .map(str::to_owned)
        .into();
        arguments.push(format!("-dir={}", folder.join("data").display()));
        arguments.push(format!("-s3.config={}", folder.join("s3.json").display()));
        for (name, port) in ["s3", "master", "volume", "filer"].iter().zip(ports.chunks_exact(2)) {
            arguments.push(format!("-{name}.port={}", port[0]));
            arguments.push(format!("-{name}.port.grpc={}", port[1]));
        }
        Self { server: prepared.start(loopback(ports[0]), weed, arguments) }
    }

    /// `http://` and where it listens.
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Makes a bucket that no other test has. Waits for a server that has just been started.
    pub async fn fresh_bucket(&self) -> S3Bucket {
        let name = format!("tests-{:016x}", fastrand::u64(..));
        let bucket = S3Bucket::new(&self.endpoint(), &name, account());
        // It listens before its filer can be asked, and writes fail before a volume is there.
        self.server
            .answer(async || {
                bucket.create().await?;
                bucket.try_put_probe().await
            })
            .await;
        bucket
    }
}

/// Who may do everything.
pub fn account() -> S3Account {
    S3Account {
        access_key: "AKSOURCETESTS".to_owned(),
        secret_key: "secret-of-the-source-of-the-tests".to_owned(),
    }
}

/// Whether the server keeps an object under exactly this key. Its objects are files of a file system
/// of its own: `a//b` becomes `a/b`, `\` becomes `/`, and dot segments are refused.
pub fn holds(key: &Key) -> bool {
    let segments: Vec<&[u8]> = key.as_bytes().split(|byte| *byte == b'/').collect();
    let Some((last, before)) = segments.split_last() else { return false };
    let is_name = |name: &[u8]| {
        !matches!(name, b"" | b"." | b"..") && name.len() <= 255 && !name.contains(&b'\\')
    };
    before.iter().all(|name| is_name(name))
        && (is_name(last) || last.is_empty() && !before.is_empty())
}
