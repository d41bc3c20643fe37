//! What a preflight asks of the bucket.

use std::sync::atomic::{AtomicU32, Ordering};

use http::Method;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_http::{retry, retry_while};

use crate::oss::client::{Call, OssClient};
use crate::xml::{unreadable, walk};

/// Attempts of the first question that may end without a connection.
const CONNECTIONS_MAX: u32 = 3;

/// Whether the bucket keeps the versions of an object. With anything but `Off` it ignores
/// `x-oss-forbid-overwrite`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Versioning {
    /// Never switched on.
    #[default]
    Off,
    /// On.
    Enabled,
    /// On once; older versions are still there.
    Suspended,
}

impl Versioning {
    fn read(text: &str) -> Option<Self> {
        match text {
            "" => Some(Self::Off),
            "Enabled" => Some(Self::Enabled),
            "Suspended" => Some(Self::Suspended),
            _ => None,
        }
    }
}

/// What GetBucketInfo says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BucketInfo {
    /// `oss-cn-hangzhou`.
    pub location: Option<String>,
    /// Of objects that name none.
    pub storage_class: Option<String>,
    /// Where the answer says it.
    pub versioning: Option<Versioning>,
    /// Default encryption: `AES256`, `KMS`, `SM4`. With `KMS` an `ETag` is no MD5.
    pub encryption: Option<String>,
}

impl OssClient {
    /// GetBucketInfo. It is the first question of a job: an address where nothing answers is given up
    /// after `CONNECTIONS_MAX` attempts, whatever the budget.
    pub async fn bucket_info(&self) -> Result<BucketInfo, PortError> {
        const OPERATION: &str = "GetBucketInfo";
        let unconnected = AtomicU32::new(0);
        let may_repeat = |error: &PortError| {
            let is_unconnected = error.kind == ErrorKind::Connection;
            let before = unconnected.fetch_add(u32::from(is_unconnected), Ordering::Relaxed);
            error.is_transient() && !(is_unconnected && before + 1 >= CONNECTIONS_MAX)
        };
        let document = retry_while(self.policy(), may_repeat, || {
            let query: &[(&[u8], &[u8])] = &[(b"bucketInfo", b"")];
            self.document(Call { query, ..Call::new(OPERATION, Method::GET, None) })
        })
        .await?;
        let mut info = BucketInfo::default();
        let mut is_bucket = false;
        let read = walk(&document, |path, text| {
            let Some(text) = text else {
                is_bucket |= path == "BucketInfo/Bucket";
                return Some(());
            };
            match path {
                "BucketInfo/Bucket/Location" => info.location = Some(text.to_owned()),
                "BucketInfo/Bucket/StorageClass" => info.storage_class = Some(text.to_owned()),
                "BucketInfo/Bucket/Versioning" => info.versioning = Some(Versioning::read(text)?),
                "BucketInfo/Bucket/ServerSideEncryptionRule/SSEAlgorithm" => {
                    info.encryption = Some(text.to_owned()).filter(|text| text != "None");
                }
                _ => {}
            }
            Some(())
        });
        read.filter(|()| is_bucket).ok_or_else(|| unreadable(OPERATION))?;
        Ok(info)
    }

    /// `GetBucketVersioning`.
    pub async fn bucket_versioning(&self) -> Result<Versioning, PortError> {
        const OPERATION: &str = "GetBucketVersioning";
        let document = retry(self.policy(), || {
            let query: &[(&[u8], &[u8])] = &[(b"versioning", b"")];
            self.document(Call { query, ..Call::new(OPERATION, Method::GET, None) })
        })
        .await?;
        let mut versioning = Versioning::Off;
        let read = walk(&document, |path, text| {
            if let ("VersioningConfiguration/Status", Some(text)) = (path, text) {
                versioning = Versioning::read(text)?;
            }
            path.starts_with("VersioningConfiguration").then_some(())
        });
        read.ok_or_else(|| unreadable(OPERATION))?;
        Ok(versioning)
    }
}
