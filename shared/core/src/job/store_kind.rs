//! The stores that a source may be a bucket of, and what is known of each before it is asked.

use serde::{Deserialize, Serialize};

use super::Addressing;

/// What speaks at the source's endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreKind {
    /// Amazon S3.
    S3,
    /// Tencent COS, by its S3 dialect.
    Cos,
    /// Any other store that speaks S3.
    S3Compatible,
    /// Alibaba Cloud OSS, by its own protocol.
    Oss,
    /// Google Cloud Storage, by its XML API with HMAC keys.
    Gcs,
    /// Qiniu Kodo, by its S3 dialect.
    Kodo,
    /// Baidu BOS, by its S3 dialect.
    Bos,
    /// Kingsoft KS3, by its S3 dialect.
    Ks3,
    /// Huawei OBS, by its S3 dialect.
    Obs,
    /// UPYUN, by its own REST interface.
    Upyun,
}

/// What is known of a kind before one of its buckets is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// As the job file spells it.
    name: &'static str,
    /// 1 or 2: the listing operation that it is asked for where the job file does not say.
    pub(super) list_version: u8,
    /// Whether it lists by bytes, and begins after any key.
    pub(super) lists_by_bytes: bool,
    /// Whether an `ETag` of 32 hex digits is an MD5.
    pub(super) etag_is_md5: bool,
    /// Where the bucket's name stands where the job file does not say.
    pub(super) addressing: Addressing,
    /// What stands before and after the region in the host of its endpoint.
    pub(super) host: Option<(&'static str, &'static str)>,
    /// A region as its users write it.
    pub(super) region: &'static str,
    /// Whether what stands here was tried against a server: a real one, or one that the maker's own
    /// tools take for it. Of the others the job file may say better.
    is_verified: bool,
}

/// Of a store that was never asked nothing is believed but what its maker documents without a doubt.
const UNTRIED: Known = Known {
    name: "",
    list_version: 1,
    lists_by_bytes: false,
    etag_is_md5: false,
    addressing: Addressing::Virtual,
    host: None,
    region: "",
    is_verified: false,
};

impl StoreKind {
    /// Every kind, in the order in which they are offered.
    pub const ALL: [Self; 10] = [
        Self::S3,
        Self::Cos,
        Self::S3Compatible,
        Self::Oss,
        Self::Gcs,
        Self::Kodo,
        Self::Bos,
        Self::Ks3,
        Self::Obs,
        Self::Upyun,
    ];

    /// As the job file spells it.
    pub fn as_str(self) -> &'static str {
        self.known().name
    }

    /// Whether a server of this kind was ever asked by these tests: a real one, or one that the maker's
    /// own tools take for it.
    pub fn is_verified(self) -> bool {
        self.known().is_verified
    }

    /// Whether the job file may say how this kind lists, and what its `ETag`s are.
    pub(super) fn may_be_told(self) -> bool {
        // UPYUN's listing is of a folder, in no order, whatever the job file says.
        let is_fixed = self.is_verified() || matches!(self, Self::Cos | Self::Upyun);
        self == Self::S3Compatible || !is_fixed
    }

    pub(super) fn known(self) -> Known {
        use Addressing::{Path, Virtual};
        match self {
            Self::S3 => Known {
                name: "s3",
                list_version: 2,
                lists_by_bytes: true,
                etag_is_md5: true,
                addressing: Virtual,
                host: None,
                region: "eu-central-1",
                is_verified: true,
            },
            Self::S3Compatible => Known {
                name: "s3-compatible",
                list_version: 2,
                etag_is_md5: true,
                addressing: Path,
                region: "eu-central-1",
                is_verified: true,
                ..UNTRIED
            },
            Self::Oss => Known {
                name: "oss",
                list_version: 2,
                lists_by_bytes: true,
                etag_is_md5: true,
                host: Some(("oss-", ".aliyuncs.com")),
                region: "cn-hangzhou",
                is_verified: true,
                ..UNTRIED
            },
            // <https://cloud.tencent.com/document/product/436/7734>; version 1 as rclone asks it.
            Self::Cos => Known {
                name: "cos",
                lists_by_bytes: true,
                etag_is_md5: true,
                host: Some(("cos.", ".myqcloud.com")),
                region: "ap-guangzhou",
                ..UNTRIED
            },
            // <https://cloud.google.com/storage/docs/xml-api/get-bucket-list>
            Self::Gcs => Known {
                name: "gcs",
                list_version: 2,
                lists_by_bytes: true,
                etag_is_md5: true,
                addressing: Path,
                region: "auto",
                ..UNTRIED
            },
            // Its `ETag`s are hashes of its own; keys that begin with a slash cannot be read by S3.
            Self::Kodo => Known {
                name: "kodo",
                list_version: 2,
                addressing: Path,
                host: Some(("s3-", ".qiniucs.com")),
                region: "cn-east-1",
                ..UNTRIED
            },
            // <https://intl.cloud.baidu.com/en/doc/BOS/s/Hjwvyq84s-intl-en>
            Self::Bos => {
                Known { name: "bos", host: Some(("s3.", ".bcebos.com")), region: "bj", ..UNTRIED }
            }
            Self::Ks3 => Known {
                name: "ks3",
                host: Some(("ks3-", ".ksyuncs.com")),
                region: "cn-beijing",
                ..UNTRIED
            },
            // Its file systems know version 1 only.
            Self::Obs => Known {
                name: "obs",
                host: Some(("obs.", ".myhuaweicloud.com")),
                region: "cn-north-4",
                ..UNTRIED
            },
            // <https://help.upyun.com/knowledge-base/rest_api/>
            Self::Upyun => Known { name: "upyun", addressing: Path, region: "auto", ..UNTRIED },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_without_a_server_that_was_tried_are_not_called_verified() {
        // SeaweedFS for the first two, the emulator that OSS's own SDKs accept for the third. A kind
        // that joins them needs a server of its own in the conformance tests.
        let verified: Vec<&str> = StoreKind::ALL
            .into_iter()
            .filter(|kind| kind.is_verified())
            .map(StoreKind::as_str)
            .collect();
        assert_eq!(verified, ["s3", "s3-compatible", "oss"]);
    }

    #[test]
    fn a_kind_is_stored_by_the_word_of_the_job_file() {
        for kind in StoreKind::ALL {
            let stored = serde_json::to_string(&kind).unwrap();
            assert_eq!(stored, format!("\"{}\"", kind.as_str()));
            assert_eq!(serde_json::from_str::<StoreKind>(&stored).unwrap(), kind);
        }
    }
}
