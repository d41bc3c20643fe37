//! What the stores of the family do differently.

use ossferry_core::job::StoreKind;

/// A store of the S3 family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum S3Kind {
    /// Amazon S3, general purpose buckets.
    S3,
    /// Tencent COS, by its S3 dialect.
    Cos,
    /// Any other store that speaks S3.
    Compatible,
}

impl S3Kind {
    /// The member of the family that a job names; `None` where it names another family.
    pub fn of(kind: StoreKind) -> Option<Self> {
        match kind {
            StoreKind::S3 => Some(Self::S3),
            StoreKind::Cos => Some(Self::Cos),
            StoreKind::S3Compatible => Some(Self::Compatible),
            StoreKind::Oss => None,
        }
    }

    /// As the job file spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S3 => StoreKind::S3.as_str(),
            Self::Cos => StoreKind::Cos.as_str(),
            Self::Compatible => StoreKind::S3Compatible.as_str(),
        }
    }

    /// Whether an object of this class must be restored before it can be read.
    ///
    /// `GLACIER_IR` is read at once. The classes of an unknown store mean what it pleases (a class
    /// of Ceph's may be called `GLACIER`): there a read tells.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html>
    /// <https://cloud.tencent.com/document/product/436/33417>
    pub fn is_archived(self, storage_class: &str) -> bool {
        match self {
            Self::S3 => matches!(storage_class, "GLACIER" | "DEEP_ARCHIVE"),
            Self::Cos => {
                let class = storage_class.strip_prefix("MAZ_").unwrap_or(storage_class);
                matches!(class, "ARCHIVE" | "DEEP_ARCHIVE")
            }
            Self::Compatible => false,
        }
    }

    /// What user metadata begins with in a header's name. COS answers with its own prefix, or with
    /// Amazon's where the request spoke S3.
    pub(crate) fn metadata_prefixes(self) -> &'static [&'static str] {
        match self {
            Self::S3 | Self::Compatible => &["x-amz-meta-"],
            Self::Cos => &["x-cos-meta-", "x-amz-meta-"],
        }
    }

    /// What the store's own headers begin with, its usual spelling first.
    pub(crate) fn header_prefixes(self) -> &'static [&'static str] {
        match self {
            Self::S3 | Self::Compatible => &["x-amz-"],
            Self::Cos => &["x-cos-", "x-amz-"],
        }
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
        ] {
            assert_eq!(kind.is_archived(class), archived, "{kind:?} {class}");
        }
    }
}
