//! Storage classes by the names OSS gives them.

/// Where an object is billed. Archived classes must be restored before they can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum StorageClass {
    /// Read at once.
    #[default]
    Standard,
    /// Infrequent access, read at once.
    Ia,
    /// Archived.
    Archive,
    /// Archived.
    ColdArchive,
    /// Archived.
    DeepColdArchive,
}

impl StorageClass {
    const ALL: [Self; 5] =
        [Self::Standard, Self::Ia, Self::Archive, Self::ColdArchive, Self::DeepColdArchive];

    /// The name in `x-oss-storage-class` and in listings.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "Standard",
            Self::Ia => "IA",
            Self::Archive => "Archive",
            Self::ColdArchive => "ColdArchive",
            Self::DeepColdArchive => "DeepColdArchive",
        }
    }

    /// Reads a name, in any case.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str().eq_ignore_ascii_case(name))
    }

    /// Whether a GET is refused until the object is restored.
    pub(crate) fn is_archived(self) -> bool {
        !matches!(self, Self::Standard | Self::Ia)
    }
}
