//! The index log: one line of JSON for each change of a bucket, replayed at the start.
//!
//! A line is written after the bytes that it names, so a process killed at any instant leaves
//! either the old state or the new one. Nothing is synced: a machine that loses power may lose
//! the last seconds.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use ossferry_core::key::Key;
use ossferry_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::bodies::ExtentRow;
use crate::acl::ObjectAcl;

/// A change.
#[derive(Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Record {
    /// The first line: when the bucket was made, and the version of these lines.
    Created { version: u32, at: Timestamp },
    /// An object was put in place of whatever the key held.
    Put { key: Key, object: ObjectRow },
    /// The key holds nothing now.
    Delete { key: Key },
    /// The object's tags are these now.
    Tags { key: Key, tags: Vec<(String, String)> },
    /// The object's ACL is this now.
    Acl { key: Key, acl: ObjectAcl },
    /// An upload was begun.
    Initiate { key: Key, upload_id: String, upload: UploadRow },
    /// A part was put in place of whatever that number held.
    Part { key: Key, upload_id: String, number: u32, part: PartRow },
    /// The upload and its parts are gone.
    Abort { key: Key, upload_id: String },
    /// The upload became an object.
    Complete { key: Key, upload_id: String, object: ObjectRow },
    /// The website configuration is this document now.
    Website { xml: Option<String> },
}

/// The version of the lines written by this build.
pub(crate) const VERSION: u32 = 1;

/// An object's line.
#[derive(Serialize, Deserialize)]
pub(crate) struct ObjectRow {
    pub(crate) etag: String,
    pub(crate) crc64_ecma: u64,
    pub(crate) modified: Timestamp,
    pub(crate) multipart: bool,
    pub(crate) metadata: MetadataRow,
    pub(crate) extents: Vec<ExtentRow>,
}

/// What came with an object beside its bytes.
#[derive(Serialize, Deserialize)]
pub(crate) struct MetadataRow {
    pub(crate) storage_class: String,
    /// Header values with one character for each byte.
    pub(crate) headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "ObjectAcl::is_default")]
    pub(crate) acl: ObjectAcl,
}

/// An upload's line.
#[derive(Serialize, Deserialize)]
pub(crate) struct UploadRow {
    pub(crate) initiated: Timestamp,
    pub(crate) metadata: MetadataRow,
}

/// A part's line.
#[derive(Serialize, Deserialize)]
pub(crate) struct PartRow {
    pub(crate) etag: String,
    pub(crate) crc64_ecma: u64,
    pub(crate) modified: Timestamp,
    pub(crate) extents: Vec<ExtentRow>,
}

/// The log of one bucket, open for appending.
#[derive(Debug)]
pub(crate) struct IndexLog {
    file: File,
    bytes: u64,
    line: Vec<u8>,
}

impl IndexLog {
    /// Reads every whole line of the log, cuts off a torn last one, and opens it for more.
    pub(crate) fn replay(
        path: &Path,
        mut apply: impl FnMut(Record) -> io::Result<()>,
    ) -> io::Result<Self> {
        let mut whole_bytes = 0;
        if path.exists() {
            let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line)? > 0 && line.last() == Some(&b'\n') {
                apply(serde_json::from_slice(&line)?)?;
                whole_bytes += line.len() as u64;
                line.clear();
            }
        }
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        file.set_len(whole_bytes)?;
        Ok(Self { file, bytes: whole_bytes, line: Vec::new() })
    }

    /// Writes a whole log in place of the one at `path`, and opens it for more.
    pub(crate) fn rewrite(
        path: &Path,
        records: impl IntoIterator<Item = Record>,
    ) -> io::Result<Self> {
        let new_path = path.with_extension("new");
        let mut writer = BufWriter::with_capacity(1 << 20, File::create(&new_path)?);
        for record in records {
            serde_json::to_writer(&mut writer, &record)?;
            writer.write_all(b"\n")?;
        }
        writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        fs::rename(&new_path, path)?;
        let file = OpenOptions::new().append(true).open(path)?;
        Ok(Self { bytes: file.metadata()?.len(), file, line: Vec::new() })
    }

    /// Appends one line, wholly or, for the next start, not at all.
    pub(crate) fn append(&mut self, record: &Record) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, record)?;
        self.line.push(b'\n');
        let written = self.file.write_all(&self.line);
        match written {
            Ok(()) => self.bytes += self.line.len() as u64,
            // A torn line in the middle would end the next replay.
            Err(_) => self.file.set_len(self.bytes)?,
        }
        written
    }
}
