//! An inventory in place of a listing: what a store wrote of its bucket some time ago, as CSV files that a
//! manifest names. Objects are asked of the bucket itself.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use ossferry_core::error::PortError;
use ossferry_core::job::ListingPlace;
use ossferry_core::key::Key;
use ossferry_core::object::{ETag, Entry};
use ossferry_core::ports::{ListRequest, ListStart, Page, Source};
use ossferry_core::time::Timestamp;
use ossferry_http::percent::{Plus, decode};
use tokio::sync::Mutex;

use crate::listed::{ListedBucket, Listing};
use crate::manifest::{ListFile, Manifest};
use crate::stored::{self, of_bucket, of_disk};

/// Keys of one page.
const PAGE_KEYS_MAX: u32 = 1_000;

/// Rows that are looked at for one page: a narrow prefix leaves most of them out.
const PAGE_ROWS_MAX: u64 = 200_000;

/// In front of every error.
const WHAT: &str = "inventory";

async fn manifest_at(place: &ListingPlace, bucket: &dyn Source) -> Result<Bytes, PortError> {
    match place {
        ListingPlace::File(path) => of_disk(WHAT, path.into()).await,
        ListingPlace::Key(key) => of_bucket(WHAT, bucket, key).await,
    }
}

/// A file that the manifest at `place` names: beside it on this machine, in the bucket under its own key.
async fn file_of(
    place: &ListingPlace,
    file: &ListFile,
    bucket: &dyn Source,
) -> Result<Bytes, PortError> {
    match place {
        ListingPlace::File(manifest) => {
            of_disk(WHAT, Path::new(manifest).with_file_name(file.name())).await
        }
        ListingPlace::Key(_) => of_bucket(WHAT, bucket, &Key::from(file.key.as_str())).await,
    }
}

fn unusable(problem: impl std::fmt::Display) -> PortError {
    stored::unusable(WHAT, problem)
}

/// Where the columns stand that are read. The manifest names them.
#[derive(Clone, Copy, Debug)]
struct Columns {
    key: usize,
    size: usize,
    last_modified: Option<usize>,
    etag: Option<usize>,
    storage_class: Option<usize>,
    is_latest: Option<usize>,
    is_delete_marker: Option<usize>,
}

impl Columns {
    fn of(manifest: &Manifest) -> Result<Self, PortError> {
        let required = |name: &str| {
            let missing = || unusable(format_args!("its fileSchema names no column {name}"));
            manifest.column(name).ok_or_else(missing)
        };
        Ok(Self {
            key: required("Key")?,
            size: required("Size")?,
            last_modified: manifest.column("LastModifiedDate"),
            etag: manifest.column("ETag"),
            storage_class: manifest.column("StorageClass"),
            is_latest: manifest.column("IsLatest"),
            is_delete_marker: manifest.column("IsDeleteMarker"),
        })
    }

    /// What a row says; `None` where it is of an older version, or of none.
    fn entry(self, row: &csv::ByteRecord, archived: &Archived) -> Result<Option<Entry>, String> {
        let field = |at: usize| row.get(at).unwrap_or_default();
        let text = |at: Option<usize>| {
            let text = std::str::from_utf8(field(at?)).ok()?.trim();
            (!text.is_empty()).then_some(text)
        };
        let is = |at: Option<usize>, word: &str| {
            text(at).is_some_and(|text| text.eq_ignore_ascii_case(word))
        };
        if is(self.is_latest, "false") || is(self.is_delete_marker, "true") {
            return Ok(None);
        }
        let key = decode(field(self.key), Plus::Space).filter(|key| !key.is_empty());
        let key = key.ok_or("want a key, percent-encoded")?;
        let size = text(Some(self.size)).and_then(|text| text.parse().ok());
        let storage_class = text(self.storage_class).map(str::to_owned);
        Ok(Some(Entry {
            key: Key::new(key),
            size: size.ok_or("want a size")?,
            etag: text(self.etag).map(ETag::new),
            last_modified: text(self.last_modified).and_then(Timestamp::from_rfc3339),
            archived: storage_class.as_deref().is_some_and(archived),
            storage_class,
        }))
    }
}

/// Whether a storage class must be restored before it can be read.
type Archived = dyn Fn(&str) -> bool + Send + Sync;

/// One file, read as far as the last page went.
struct Reading {
    file: usize,
    row: u64,
    rows: csv::Reader<Box<dyn std::io::Read + Send>>,
}

impl Reading {
    fn of(file: usize, bytes: Bytes) -> Self {
        let is_packed = bytes.starts_with(&[0x1f, 0x8b]);
        let bytes = Cursor::new(bytes);
        let unpacked: Box<dyn std::io::Read + Send> =
            if is_packed { Box::new(MultiGzDecoder::new(bytes)) } else { Box::new(bytes) };
        let rows =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(unpacked);
        Self { file, row: 0, rows }
    }

    fn next(&mut self, row: &mut csv::ByteRecord) -> Result<bool, csv::Error> {
        let is_there = self.rows.read_byte_record(row)?;
        self.row += u64::from(is_there);
        Ok(is_there)
    }
}

/// The inventory of a bucket.
struct Inventory {
    place: ListingPlace,
    listed: Vec<ListFile>,
    columns: Columns,
    created: Timestamp,
    archived: Box<Archived>,
    reading: Mutex<Option<Reading>>,
}

impl ListedBucket {
    /// A bucket that is listed by the inventory whose manifest is at this place. The manifest is read.
    /// `bucket_name` is checked against the one that it names; `archived` tells classes that must be
    /// restored.
    ///
    /// - Rows come in the order of the files, which stores do not promise to be that of the keys: pages are
    ///   walked one after another.
    /// - Its clock stands at the time when the inventory was made. What changed since is not in it, and the
    ///   next pass must not take it for seen.
    /// - What an inventory says of an object is only where a copy begins: the object is asked for under the
    ///   `ETag` that stands there, and asked again where it has another by now.
    pub async fn by_inventory(
        bucket: Arc<dyn Source>,
        bucket_name: &str,
        place: ListingPlace,
        archived: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Result<Self, PortError> {
        let manifest = Manifest::read(&manifest_at(&place, &*bucket).await?)?;
        if let Some(format) = manifest.foreign_format() {
            return Err(unusable(format_args!(
                "its files are {format}: have it made as CSV, or write one in Parquet or ORC as CSV with \
                 ossferry convert-inventory"
            )));
        }
        if let Some(named) = manifest.source_bucket.as_deref().filter(|named| !named.is_empty()) {
            // COS leaves the APPID out.
            let is_same = bucket_name == named || bucket_name.starts_with(&format!("{named}-"));
            if !is_same {
                return Err(unusable(format_args!("it is of the bucket {named}")));
            }
        }
        let columns = Columns::of(&manifest)?;
        let inventory = Inventory {
            place,
            created: manifest.created(),
            listed: manifest.files,
            columns,
            archived: Box::new(archived),
            reading: Mutex::new(None),
        };
        Ok(Self::new(bucket, inventory, PAGE_KEYS_MAX))
    }
}

impl Inventory {
    /// The file at a position, read up to it.
    async fn read_to(
        &self,
        file: usize,
        row: u64,
        bucket: &dyn Source,
    ) -> Result<Reading, PortError> {
        let listed = &self.listed[file];
        let bytes = file_of(&self.place, listed, bucket).await?;
        listed.check(&bytes)?;
        let mut reading = Reading::of(file, bytes);
        let mut record = csv::ByteRecord::new();
        while reading.row < row {
            if !reading.next(&mut record).map_err(|error| broken(listed, &error))? {
                return Err(unusable(format_args!("{} is shorter than it was", listed.key)));
            }
        }
        Ok(reading)
    }
}

fn broken(file: &ListFile, error: &dyn std::fmt::Display) -> PortError {
    unusable(format_args!("{}: {error}", file.key))
}

/// Index of a file, and rows of it that were read.
fn position(token: &str) -> Option<(usize, u64)> {
    let (file, row) = token.split_once(':')?;
    Some((file.parse().ok()?, row.parse().ok()?))
}

#[async_trait]
impl Listing for Inventory {
    fn holds_until(&self, now: Timestamp) -> Timestamp {
        now.min(self.created)
    }

    async fn list(&self, bucket: &dyn Source, request: &ListRequest) -> Result<Page, PortError> {
        let (mut file, mut row) = match &request.start {
            ListStart::Beginning => (0, 0),
            ListStart::Token(token) => {
                position(token).ok_or_else(|| unusable("no position of an inventory"))?
            }
            ListStart::After(_) => return Err(unusable("nothing begins after a key")),
        };
        let keys_max = request.keys_max.clamp(1, PAGE_KEYS_MAX) as usize;
        let (mut entries, mut looked_at) = (Vec::new(), 0);
        let mut kept = self.reading.lock().await;
        let mut record = csv::ByteRecord::new();
        while let Some(listed) = self.listed.get(file) {
            if entries.len() == keys_max || looked_at == PAGE_ROWS_MAX {
                return Ok(Page { entries, next: Some(format!("{file}:{row}")) });
            }
            let is_there = |reading: &Reading| (reading.file, reading.row) == (file, row);
            let mut reading = match kept.take().filter(is_there) {
                Some(reading) => reading,
                None => self.read_to(file, row, bucket).await?,
            };
            if !reading.next(&mut record).map_err(|error| broken(listed, &error))? {
                (file, row) = (file + 1, 0);
                continue;
            }
            row = reading.row;
            *kept = Some(reading);
            looked_at += 1;
            let entry = self.columns.entry(&record, &*self.archived);
            let entry = entry.map_err(|what| broken(listed, &format_args!("row {row}: {what}")))?;
            entries.extend(entry.filter(|entry| entry.key.starts_with(request.prefix.as_bytes())));
        }
        Ok(Page { entries, next: None })
    }
}
