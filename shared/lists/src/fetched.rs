//! Brings a list here, from a file or from where it is served.

use std::path::{Path, PathBuf};

use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::job::UrlListFormat;

use crate::index::{Index, LIST_BYTES_MAX, bad_list};
use crate::lines::read_lines;
use crate::manifest::{Manifest, read_file};
use crate::source::Asker;
use crate::url::Url;

/// Where a list is.
enum Place {
    File(PathBuf),
    Served(Url),
}

impl Place {
    fn of(text: &str) -> Result<Self, PortError> {
        if text.starts_with("http://") || text.starts_with("https://") {
            return Url::parse(text.as_bytes()).map(Self::Served).map_err(bad_list);
        }
        Ok(Self::File(PathBuf::from(text)))
    }

    /// A file of the list, by the name that the manifest at this place gives it.
    fn beside(&self, key: &str) -> Result<Self, PortError> {
        let name = key.rsplit('/').next().unwrap_or(key);
        match self {
            Self::File(manifest) => {
                let folder = manifest.parent().unwrap_or(Path::new(""));
                // A manifest may lead anywhere: what it names is looked for beside it.
                Ok(Self::File(folder.join(name)))
            }
            Self::Served(manifest) => {
                let encoded = ossferry_http::percent::encode_key(name.as_bytes());
                manifest.join(&encoded).map(Self::Served).map_err(bad_list)
            }
        }
    }

    async fn read(&self, asker: &Asker) -> Result<Vec<u8>, PortError> {
        match self {
            Self::File(path) => {
                let failed = |error: std::io::Error| {
                    let message = format!("list: {}: {error}", path.display());
                    PortError::new(ErrorKind::NoSuchBucket, message)
                };
                let bytes = tokio::fs::metadata(path).await.map_err(failed)?.len();
                if bytes > LIST_BYTES_MAX as u64 {
                    return Err(bad_list("it has more than 1 GiB: cut it into several"));
                }
                tokio::fs::read(path).await.map_err(failed)
            }
            // Without its list a source has no object at all.
            Self::Served(url) => asker.fetch(url, LIST_BYTES_MAX).await.map_err(|error| {
                if error.is_transient() {
                    error
                } else {
                    PortError { kind: ErrorKind::NoSuchBucket, ..error }
                }
            }),
        }
    }
}

/// Reads a list wherever it is.
pub(crate) async fn read_list(
    list: &str,
    format: UrlListFormat,
    asker: &Asker,
) -> Result<Index, PortError> {
    let place = Place::of(list)?;
    let text = place.read(asker).await?;
    if format != UrlListFormat::Manifest {
        return read_lines(&text, format);
    }
    let manifest = Manifest::read(&text)?;
    let columns = manifest.columns()?;
    let mut index = Index::default();
    for file in &manifest.files {
        let bytes = place.beside(&file.key)?.read(asker).await?;
        read_file(&mut index, file, &bytes, columns)?;
    }
    index.sorted()
}
