//! What the stores of the family do differently: data, read where a request is made or an answer is.

use ossferry_core::job::StoreKind;

use crate::sigv4::UNSIGNED_PAYLOAD;

/// A store of the S3 family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum S3Kind {
    /// Amazon S3, general purpose buckets.
    S3,
    /// Tencent COS, by its S3 dialect.
    Cos,
    /// Any other store that speaks S3.
    Compatible,
    /// Google Cloud Storage, by its XML API.
    Gcs,
    /// Qiniu Kodo.
    Kodo,
    /// Baidu BOS.
    Bos,
    /// Kingsoft KS3.
    Ks3,
    /// Huawei OBS.
    Obs,
}

/// SHA-256 of no bytes, in hex.
const EMPTY_PAYLOAD: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

impl S3Kind {
    /// The member of the family that a job names; `None` where it names another family.
    pub fn of(kind: StoreKind) -> Option<Self> {
        Some(match kind {
            StoreKind::S3 => Self::S3,
            StoreKind::Cos => Self::Cos,
            StoreKind::S3Compatible => Self::Compatible,
            StoreKind::Gcs => Self::Gcs,
            StoreKind::Kodo => Self::Kodo,
            StoreKind::Bos => Self::Bos,
            StoreKind::Ks3 => Self::Ks3,
            StoreKind::Obs => Self::Obs,
            StoreKind::Oss | StoreKind::Upyun => return None,
        })
    }

    /// As the job names it.
    pub fn store(self) -> StoreKind {
        match self {
            Self::S3 => StoreKind::S3,
            Self::Cos => StoreKind::Cos,
            Self::Compatible => StoreKind::S3Compatible,
            Self::Gcs => StoreKind::Gcs,
            Self::Kodo => StoreKind::Kodo,
            Self::Bos => StoreKind::Bos,
            Self::Ks3 => StoreKind::Ks3,
            Self::Obs => StoreKind::Obs,
        }
    }

    /// As the job file spells it.
    pub fn as_str(self) -> &'static str {
        self.store().as_str()
    }

    /// Whether an object of this class must be restored before it can be read.
    ///
    /// `GLACIER_IR` is read at once. The classes of an unknown store mean what it pleases (a class
    /// of Ceph's may be called `GLACIER`): there a read tells. Google's are all read at once.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html>
    /// <https://cloud.tencent.com/document/product/436/33417>
    pub fn is_archived(self, storage_class: &str) -> bool {
        match self {
            Self::S3 | Self::Kodo => matches!(storage_class, "GLACIER" | "DEEP_ARCHIVE"),
            Self::Cos => {
                let class = storage_class.strip_prefix("MAZ_").unwrap_or(storage_class);
                matches!(class, "ARCHIVE" | "DEEP_ARCHIVE")
            }
            Self::Bos | Self::Ks3 => storage_class == "ARCHIVE",
            // `COLD` is what OBS itself calls S3's `GLACIER`.
            Self::Obs => matches!(storage_class, "COLD" | "GLACIER" | "DEEP_ARCHIVE"),
            Self::Compatible | Self::Gcs => false,
        }
    }

    /// What user metadata begins with in a header's name. A store answers with its own prefix, or with
    /// Amazon's where the request spoke S3.
    pub(crate) fn metadata_prefixes(self) -> &'static [&'static str] {
        match self {
            Self::S3 | Self::Compatible | Self::Kodo => &["x-amz-meta-"],
            Self::Cos => &["x-cos-meta-", "x-amz-meta-"],
            Self::Gcs => &["x-goog-meta-", "x-amz-meta-"],
            Self::Bos => &["x-bce-meta-", "x-amz-meta-"],
            Self::Ks3 => &["x-kss-meta-", "x-amz-meta-"],
            Self::Obs => &["x-obs-meta-", "x-amz-meta-"],
        }
    }

    /// What the store's own headers begin with, its usual spelling first.
    pub(crate) fn header_prefixes(self) -> &'static [&'static str] {
        match self {
            Self::S3 | Self::Compatible | Self::Kodo => &["x-amz-"],
            Self::Cos => &["x-cos-", "x-amz-"],
            Self::Gcs => &["x-goog-", "x-amz-"],
            Self::Bos => &["x-bce-", "x-amz-"],
            Self::Ks3 => &["x-kss-", "x-amz-"],
            Self::Obs => &["x-obs-", "x-amz-"],
        }
    }

    /// Whether a listing is asked to encode its keys. OBS then wants its marker encoded as well, or
    /// lists the same page for ever; Kodo does not know it (both as rclone's tables have it).
    pub(crate) fn encodes_keys(self) -> bool {
        !matches!(self, Self::Kodo | Self::Obs)
    }

    /// What stands in a signature for the body of a request without one. BOS takes a digest only.
    /// <https://intl.cloud.baidu.com/en/doc/BOS/s/Hjwvyq84s-intl-en>
    pub(crate) fn payload(self) -> &'static str {
        if self == Self::Bos { EMPTY_PAYLOAD } else { UNSIGNED_PAYLOAD }
    }

    /// `Accept-Encoding`, where it matters. Google unpacks what is stored gzipped for whoever does not
    /// say that it takes gzip; it is not signed, because Google's own front changes it on the way.
    /// <https://cloud.google.com/storage/docs/transcoding>
    pub(crate) fn accept_encoding(self) -> Option<&'static str> {
        (self == Self::Gcs).then_some("gzip")
    }

    /// The region as a signature names it. KS3 has names of its own there.
    pub(crate) fn signed_region(self, region: &str) -> String {
        if self != Self::Ks3 {
            return region.to_owned();
        }
        let region = region.strip_suffix("-internal").unwrap_or(region);
        let named = match region {
            "cn-hk-1" => "HONGKONG",
            "rus" => "RUSSIA",
            "sgp" => "SINGAPORE",
            other => other.strip_prefix("cn-").unwrap_or(other),
        };
        named.replace('-', "_").to_ascii_uppercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archived_classes_are_told_from_readable_ones() {
        for (kind, class, archived) in [
            (S3Kind::S3, "GLACIER", true),
            (S3Kind::S3, "DEEP_ARCHIVE", true),
            (S3Kind::S3, "GLACIER_IR", false),
            (S3Kind::S3, "INTELLIGENT_TIERING", false),
            (S3Kind::Cos, "ARCHIVE", true),
            (S3Kind::Cos, "MAZ_ARCHIVE", true),
            (S3Kind::Cos, "MAZ_DEEP_ARCHIVE", true),
            (S3Kind::Cos, "MAZ_STANDARD_IA", false),
            (S3Kind::Compatible, "GLACIER", false),
            (S3Kind::Gcs, "ARCHIVE", false),
            (S3Kind::Kodo, "LINE", false),
            (S3Kind::Kodo, "DEEP_ARCHIVE", true),
            (S3Kind::Bos, "COLD", false),
            (S3Kind::Bos, "ARCHIVE", true),
            (S3Kind::Ks3, "ARCHIVE", true),
            (S3Kind::Obs, "COLD", true),
            (S3Kind::Obs, "WARM", false),
        ] {
            assert_eq!(kind.is_archived(class), archived, "{kind:?} {class}");
        }
    }

    #[test]
    fn every_kind_of_the_family_is_that_of_the_job() {
        for kind in StoreKind::ALL {
            let is_other = matches!(kind, StoreKind::Oss | StoreKind::Upyun);
            assert_eq!(S3Kind::of(kind).is_none(), is_other);
            assert!(S3Kind::of(kind).is_none_or(|ours| ours.store() == kind), "{kind:?}");
        }
    }

    #[test]
    fn ks3_signs_for_regions_of_its_own() {
        for (region, signed) in
            [("cn-beijing", "BEIJING"), ("jr-beijing", "JR_BEIJING"), ("cn-hk-1", "HONGKONG")]
        {
            assert_eq!(S3Kind::Ks3.signed_region(region), signed);
        }
        assert_eq!(S3Kind::Bos.signed_region("bj"), "bj");
    }
}
