//! A `manifest.json`, which names the columns of CSV files and the files: of an inventory as stores write it, and
//! of a list of URLs as Data Online Migration has it.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html>
//! <https://www.alibabacloud.com/help/en/data-online-migration/user-guide/preparations-for-migration-from-an-http-or-https-server-to-oss>

use std::fmt::Write as _;
use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use md5::{Digest as _, Md5};
use ossferry_core::error::PortError;
use ossferry_core::time::Timestamp;
use ossferry_http::percent::{Plus, decode};
use serde::{Deserialize, Serialize};

use crate::index::{Index, LIST_BYTES_MAX, bad_list};
use crate::lines::{Refused, take};

/// What of a manifest is needed. More may stand in it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Names of the columns, with commas between.
    file_schema: String,
    /// `CSV` where it is absent.
    file_format: Option<String>,
    /// Of an inventory: the bucket that it is of.
    pub source_bucket: Option<String>,
    /// Of an inventory: when it was made, in milliseconds or seconds since 1970, as text or number.
    creation_timestamp: Option<serde_json::Value>,
    /// What it names, in its order.
    pub files: Vec<ListFile>,
}

/// One of the files.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListFile {
    /// Its key where it was put.
    pub key: String,
    /// Hex, of the file as it is.
    #[serde(rename = "MD5checksum", alias = "md5checksum", alias = "MD5Checksum")]
    md5: Option<String>,
}

impl ListFile {
    /// Of these bytes.
    pub fn of(key: String, bytes: &[u8]) -> Self {
        Self { key, md5: Some(md5_of(bytes)) }
    }

    /// Its name: what stands after the last slash of its key. A manifest may lead anywhere, so what it names is
    /// looked for by this alone.
    pub fn name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or(&self.key)
    }

    /// Fails where the manifest says of the file that it is another.
    pub fn check(&self, bytes: &[u8]) -> Result<(), PortError> {
        let Some(md5) = self.md5.as_deref().map(str::trim).filter(|md5| !md5.is_empty()) else {
            return Ok(());
        };
        let is = md5_of(bytes);
        if md5.eq_ignore_ascii_case(&is) {
            return Ok(());
        }
        Err(bad_list(format_args!("{}: its md5 is {is}, the manifest says {md5}", self.key)))
    }
}

fn md5_of(bytes: &[u8]) -> String {
    let mut md5 = String::with_capacity(32);
    for byte in Md5::digest(bytes) {
        write!(md5, "{byte:02x}").expect("a String takes every write");
    }
    md5
}

/// Where the two columns that matter stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Columns {
    key: usize,
    url: usize,
}

impl Manifest {
    /// Fails where the text is none.
    pub fn read(text: &[u8]) -> Result<Self, PortError> {
        serde_json::from_slice(text).map_err(|error| bad_list(format_args!("manifest: {error}")))
    }

    /// Where a column stands.
    pub(crate) fn column(&self, wanted: &str) -> Option<usize> {
        let mut names = self.file_schema.split(',');
        names.position(|name| name.trim().eq_ignore_ascii_case(wanted))
    }

    /// The format of the files where it is not CSV.
    pub fn foreign_format(&self) -> Option<&str> {
        self.file_format.as_deref().filter(|format| !format.eq_ignore_ascii_case("CSV"))
    }

    /// When an inventory was made; long ago where it does not say.
    pub fn created(&self) -> Timestamp {
        // The year 5138 in seconds, and 1973 in milliseconds.
        const SECONDS_MAX: i64 = 100_000_000_000;
        let said = self.creation_timestamp.as_ref();
        let said = said.and_then(|said| match said.as_str() {
            Some(text) => text.trim().parse().ok(),
            None => said.as_i64(),
        });
        let said: i64 = said.unwrap_or_default();
        Timestamp(if said < SECONDS_MAX { said.saturating_mul(1_000) } else { said })
    }

    /// The columns of a list of URLs.
    pub(crate) fn columns(&self) -> Result<Columns, PortError> {
        let column = |wanted: &str| {
            self.column(wanted).ok_or_else(|| {
                bad_list(format_args!("manifest: fileSchema names no column {wanted}"))
            })
        };
        Ok(Columns { key: column("Key")?, url: column("Url")? })
    }
}

/// Takes one file of the list into the index.
pub(crate) fn read_file(
    index: &mut Index,
    file: &ListFile,
    bytes: &[u8],
    columns: Columns,
) -> Result<(), PortError> {
    let refused = |what: &dyn std::fmt::Display| bad_list(format_args!("{}: {what}", file.key));
    file.check(bytes)?;
    let unpacked = unpacked(bytes).map_err(|error| refused(&error))?;
    // Every row ends with a line feed: one that does not was cut.
    if unpacked.last().is_some_and(|last| *last != b'\n') {
        return Err(refused(&"the last row does not end with a line feed: the file was cut"));
    }
    let mut rows =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&*unpacked);
    let mut row = csv::ByteRecord::new();
    let mut number = 0_u64;
    while rows.read_byte_record(&mut row).map_err(|error| refused(&error))? {
        number += 1;
        let field = |at: usize| decode(row.get(at)?, Plus::Space);
        let (key, url) = field(columns.key).zip(field(columns.url)).ok_or_else(|| {
            refused(&format_args!("row {number}: want a key and a url, percent-encoded"))
        })?;
        take(index, &key, &url).map_err(|what| match what {
            Refused::Line(what) => refused(&format_args!("row {number}: {what}")),
            Refused::List(error) => error,
        })?;
    }
    Ok(())
}

/// The bytes of a file, gzipped or not.
fn unpacked(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let limit = LIST_BYTES_MAX as u64 + 1;
    let mut unpacked = Vec::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        MultiGzDecoder::new(bytes).take(limit).read_to_end(&mut unpacked)?;
    } else {
        bytes.take(limit).read_to_end(&mut unpacked)?;
    }
    if unpacked.len() > LIST_BYTES_MAX {
        return Err(std::io::Error::other("it unpacks to more than 1 GiB"));
    }
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn manifest(schema: &str, md5: &str) -> Manifest {
        let text = format!(
            r#"{{"version":"1","fileFormat":"CSV","fileSchema":"{schema}",
                "files":[{{"key":"lists/a.csv.gz","size":1,"MD5checksum":"{md5}"}}]}}"#
        );
        Manifest::read(text.as_bytes()).unwrap()
    }

    fn gzipped(text: &str) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    }

    fn read(manifest: &Manifest, bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
        let columns = manifest.columns().map_err(|error| error.to_string())?;
        let mut index = Index::default();
        read_file(&mut index, &manifest.files[0], bytes, columns)
            .map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let index = index.sorted().unwrap();
        Ok(index.range(b"", None).map(|(key, url)| (text(key), text(url))).collect())
    }

    #[test]
    fn keys_and_urls_are_decoded_once_from_the_columns_that_the_manifest_names() {
        let rows = "http%3A%2F%2Fh%2Fa%2520b%2Cc,7,a%2Bb%25c%2Cd.file\n";
        let found = read(&manifest("Url, Size, Key", ""), &gzipped(rows)).unwrap();
        assert_eq!(found, [("a+b%c,d.file".to_owned(), "http://h/a%20b,c".to_owned())]);
        let quoted = "\"k\",\"http%3A//h/x\"\n";
        let found = read(&manifest("key,URL", ""), quoted.as_bytes()).unwrap();
        assert_eq!(found, [("k".to_owned(), "http://h/x".to_owned())]);
    }

    #[test]
    fn a_list_that_was_cut_or_changed_is_refused() {
        let rows = "k,http%3A//h/x\n";
        let cut = &gzipped(rows)[..20];
        for (schema, md5, bytes, said) in [
            ("Key,Size", "", rows.as_bytes(), "no column Url"),
            ("Key,Url", "00", rows.as_bytes(), "its md5 is"),
            ("Key,Url", "", rows.trim_end().as_bytes(), "was cut"),
            ("Key,Url", "", cut, "lists/a.csv.gz"),
            ("Key,Url", "", b"k\n", "row 1: want a key and a url"),
            ("Key,Url", "", b"k,%zz\n", "row 1: want a key and a url"),
            ("Key,Url", "", b"k,ftp%3A//h\n", "row 1: the url: want http"),
        ] {
            let error = read(&manifest(schema, md5), bytes).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        assert!(Manifest::read(b"{}").unwrap_err().to_string().contains("fileSchema"));
    }

    #[test]
    fn the_time_of_an_inventory_is_read_in_seconds_and_in_milliseconds() {
        for (said, made) in [
            ("\"1760000000000\"", 1_760_000_000_000),
            ("1760000000000", 1_760_000_000_000),
            ("\"1760000000\"", 1_760_000_000_000),
            ("\"soon\"", 0),
            ("null", 0),
        ] {
            let text =
                format!("{{\"fileSchema\":\"Key\",\"creationTimestamp\":{said},\"files\":[]}}");
            assert_eq!(
                Manifest::read(text.as_bytes()).unwrap().created(),
                Timestamp(made),
                "{said}"
            );
        }
    }
}
