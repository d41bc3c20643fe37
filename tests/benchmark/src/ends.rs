//! Where bytes come from and go to: one SeaweedFS, an OSS emulator a run, TLS before both.

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::{StreamExt, stream};
use ossferry_core::key::Key;
use ossferry_tests::oss::Oss;
use ossferry_tests::s3::S3Bucket;
use ossferry_tests::seaweedfs::SeaweedFs;
use ossferry_tests::{clock, fixtures};
use tempfile::TempDir;

use crate::tls_front::Certificate;

/// Objects written at once.
const WRITES: usize = 8;

/// Every end of a benchmark.
pub(crate) struct Ends {
    weed: SeaweedFs,
    certificate: Certificate,
    folder: TempDir,
}

/// Objects in a bucket of SeaweedFS.
pub(crate) struct Origin {
    /// The bucket.
    pub(crate) bucket: S3Bucket,
    /// Its keys.
    pub(crate) keys: Vec<Key>,
    /// Of each object.
    pub(crate) object_bytes: usize,
}

impl Origin {
    /// Of all objects.
    pub(crate) fn bytes(&self) -> usize {
        self.keys.len() * self.object_bytes
    }

    /// Of all objects.
    #[expect(clippy::cast_precision_loss, reason = "a figure of three digits")]
    pub(crate) fn gibibytes(&self) -> f64 {
        self.bytes() as f64 / f64::from(1 << 30)
    }
}

impl Ends {
    /// Starts the servers.
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let certificate = Certificate::new()?;
        certificate.write(&folder.path().join("certificate.pem"))?;
        Ok(Self { weed: SeaweedFs::start(), certificate, folder })
    }

    /// Where clients find the certificate of the TLS ends.
    pub(crate) fn certificate_file(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// Where contestants may write.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A bucket with so many objects of so many bytes, no two the same.
    pub(crate) async fn origin(&self, objects: usize, object_bytes: usize) -> Origin {
        let bucket = self.weed.fresh_bucket().await;
        let keys: Vec<Key> =
            (0..objects).map(|number| Key::from(format!("objects/{number:06}.bin"))).collect();
        let puts = stream::iter(&keys).map(|key| {
            let bucket = &bucket;
            async move { bucket.put(key, fixtures::bytes_of(key, 1, object_bytes)).await }
        });
        puts.buffer_unordered(WRITES).collect::<()>().await;
        Origin { bucket, keys, object_bytes }
    }

    /// A bucket with one object that is written in parts.
    pub(crate) async fn origin_of_one(&self, bytes: usize) -> Origin {
        let bucket = self.weed.fresh_bucket().await;
        let key = Key::from("objects/huge.bin");
        let part = fixtures::bytes_of(&key, 1, 32 << 20);
        // Parts may be alike: nothing here looks at the bytes but for their digest.
        let all = Bytes::from(part.repeat(bytes / part.len()));
        bucket.put_in_parts(&key, &all, part.len()).await;
        Origin { bucket, keys: vec![key], object_bytes: all.len() }
    }

    /// An empty bucket of the same server, for peers that do not speak OSS here.
    pub(crate) async fn empty_bucket(&self) -> S3Bucket {
        self.weed.fresh_bucket().await
    }

    /// An OSS endpoint over an empty folder.
    pub(crate) async fn oss(&self) -> Oss {
        Oss::start(clock::system()).await
    }

    /// TLS before a plain server.
    pub(crate) async fn with_tls(&self, endpoint: &str) -> Result<String, Box<dyn Error>> {
        let server: SocketAddr = endpoint.trim_start_matches("http://").parse()?;
        Ok(format!("https://{}", self.certificate.front(server).await?))
    }
}
