//! `convert-inventory`: an inventory in Parquet or ORC, written as the CSV that a job file's inventory names.
//!
//! Functions read an inventory from its beginning to its end and hold a page of it; a file of either format
//! begins at its end, and the reader of Parquet alone would take a quarter of a function's zip.

mod inventory_row;
mod orc_file;
mod orc_rows;
mod parquet_rows;
mod reader_panics;

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use ossferry_core::report::grouped;
use ossferry_http::percent::encode_component;
use ossferry_lists::{ListFile, Manifest};
use serde_json::json;

use self::inventory_row::InventoryRow;
use crate::cli::ConvertInventoryArguments;
use crate::command_error::CommandError;
use crate::init::write_new;

/// Of the files that are written. The last three may be empty.
const FILE_SCHEMA: &str = "Key, Size, LastModifiedDate, ETag, StorageClass";

/// The name of the manifest that is written, last.
const MANIFEST: &str = "manifest.json";

/// Why an inventory is not converted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConvertRefusal {
    /// The manifest, or a file that it names, is not what it should be.
    #[error("{0}")]
    Unusable(String),
    /// There is nothing to be done.
    #[error("its files are CSV already: name this manifest in the job file as it is")]
    IsCsv,
    /// Another format.
    #[error("its files are {0}, which is not read: have the inventory made as CSV, Parquet or ORC")]
    Foreign(String),
}

/// A format that is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Format {
    Parquet,
    Orc,
}

impl Format {
    fn of(manifest: &Manifest) -> Result<Self, ConvertRefusal> {
        match manifest.foreign_format() {
            None => Err(ConvertRefusal::IsCsv),
            Some(format) if format.eq_ignore_ascii_case("Parquet") => Ok(Self::Parquet),
            Some(format) if format.eq_ignore_ascii_case("ORC") => Ok(Self::Orc),
            Some(format) => Err(ConvertRefusal::Foreign(format.to_owned())),
        }
    }

    /// Gives each current object of a file to `take`, in the order of its rows.
    fn read_rows(
        self,
        file: Bytes,
        take: &mut dyn FnMut(InventoryRow) -> Result<(), csv::Error>,
    ) -> Result<(), String> {
        match self {
            Self::Parquet => parquet_rows::read_rows(file, take),
            Self::Orc => orc_rows::read_rows(file, take),
        }
    }
}

/// What was written.
#[derive(Debug)]
struct Converted {
    files: usize,
    objects: u64,
    manifest: PathBuf,
}

/// Converts it, and says what to write into the job file.
pub(crate) fn convert(arguments: &ConvertInventoryArguments) -> Result<(), CommandError> {
    let Converted { files, objects, manifest } = convert_files(arguments)?;
    println!(
        "wrote {} objects into {files} files; in the job file: inventory_file = {}",
        grouped(objects),
        toml::Value::from(manifest.to_string_lossy().into_owned())
    );
    println!(
        "or upload the folder into the source's bucket, and: inventory = {}",
        toml::Value::from(format!("{}{MANIFEST}", arguments.prefix))
    );
    Ok(())
}

fn convert_files(arguments: &ConvertInventoryArguments) -> Result<Converted, CommandError> {
    let ConvertInventoryArguments { manifest, files, output, prefix } = arguments;
    let text = std::fs::read(manifest).map_err(failed("read", manifest))?;
    let manifest = Manifest::read(&text).map_err(unusable)?;
    let format = Format::of(&manifest)?;
    let beside = arguments.manifest.parent().unwrap_or(Path::new("."));
    let folder = files.as_deref().unwrap_or(beside);
    std::fs::create_dir_all(output).map_err(failed("create", output))?;
    let (mut listed, mut objects) = (Vec::new(), 0);
    for (number, file) in manifest.files.iter().enumerate() {
        let path = folder.join(file.name());
        let bytes = std::fs::read(&path).map_err(failed("read", &path))?;
        file.check(&bytes).map_err(unusable)?;
        let name = format!("{number:05}.csv.gz");
        objects += write_rows(file, format, bytes.into(), &output.join(&name))?;
        let path = output.join(&name);
        let bytes = std::fs::read(&path).map_err(failed("read", &path))?;
        listed.push(ListFile::of(format!("{prefix}{name}"), &bytes));
    }
    let written = output.join(MANIFEST);
    let text = json!({
        "sourceBucket": manifest.source_bucket,
        "creationTimestamp": manifest.created().0.to_string(),
        "fileFormat": "CSV",
        "fileSchema": FILE_SCHEMA,
        "files": listed,
    });
    // Last: a folder without it is no inventory.
    write_new(&written, &format!("{text:#}\n"))?;
    Ok(Converted { files: listed.len(), objects, manifest: written })
}

/// Writes the objects of one file; answers how many those are.
fn write_rows(
    file: &ListFile,
    format: Format,
    bytes: Bytes,
    path: &Path,
) -> Result<u64, CommandError> {
    let out = File::create_new(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => CommandError::FileExists(path.to_owned()),
        _ => failed("write", path)(error),
    })?;
    let packed = GzEncoder::new(io::BufWriter::new(out), Compression::fast());
    let mut rows = csv::WriterBuilder::new().has_headers(false).from_writer(packed);
    let mut objects = 0;
    let mut write = |row: InventoryRow| {
        let InventoryRow { key, size, last_modified, etag, storage_class } = row;
        let size = size.to_string();
        let last_modified = last_modified.map(|at| at.to_string()).unwrap_or_default();
        let key = encode_component(&key);
        rows.write_record([&key, &size, &last_modified, &etag, &storage_class])?;
        objects += 1;
        Ok(())
    };
    format
        .read_rows(bytes, &mut write)
        .map_err(|what| ConvertRefusal::Unusable(format!("{}: {what}", file.key)))?;
    let packed = rows.into_inner().map_err(|error| failed("write", path)(error.into_error()))?;
    let finished = packed.finish().and_then(|mut out| out.flush().map(|()| out));
    let out = finished.map_err(failed("write", path))?;
    out.get_ref().sync_all().map_err(failed("write", path))?;
    Ok(objects)
}

fn unusable(error: impl std::fmt::Display) -> ConvertRefusal {
    ConvertRefusal::Unusable(error.to_string())
}

fn failed(what: &'static str, path: &Path) -> impl Fn(io::Error) -> CommandError {
    move |error| CommandError::File { what, path: path.to_owned(), error }
}

#[cfg(test)]
mod tests;
