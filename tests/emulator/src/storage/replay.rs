//! The state of a bucket out of its index log.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use ossferry_core::key::Key;
use ossferry_core::time::Timestamp;

use super::bodies::Bodies;
use super::object::{Object, Part, Upload};
use super::record::{IndexLog, ObjectRow, PartRow, Record, UploadRow, VERSION};
use super::recovery::Recovery;
use super::{State, UploadName};

/// Lines beyond twice what is live, after which a start writes the log anew.
const SLACK_LINES: usize = 1_000;

/// What the log says, before its files are looked for: a body that was overwritten later is gone.
#[derive(Default)]
struct Rows {
    created: Option<Timestamp>,
    objects: BTreeMap<Key, ObjectRow>,
    uploads: BTreeMap<UploadName, (UploadRow, BTreeMap<u32, PartRow>)>,
    website: Option<String>,
    lines: usize,
}

impl Rows {
    fn apply(&mut self, record: Record) -> io::Result<()> {
        self.lines += 1;
        match record {
            Record::Created { version, at } => {
                if version != VERSION {
                    let text = format!("the index log has version {version}, want {VERSION}");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, text));
                }
                self.created = Some(at);
            }
            Record::Put { key, object } => drop(self.objects.insert(key, object)),
            Record::Delete { key } => drop(self.objects.remove(&key)),
            Record::Tags { key, tags } => {
                if let Some(object) = self.objects.get_mut(&key) {
                    object.metadata.tags = tags;
                }
            }
            Record::Acl { key, acl } => {
                if let Some(object) = self.objects.get_mut(&key) {
                    object.metadata.acl = acl;
                }
            }
            Record::Initiate { key, upload_id, upload } => {
                self.uploads.insert(UploadName { key, upload_id }, (upload, BTreeMap::new()));
            }
            Record::Part { key, upload_id, number, part } => {
                if let Some((_, parts)) = self.uploads.get_mut(&UploadName { key, upload_id }) {
                    parts.insert(number, part);
                }
            }
            Record::Abort { key, upload_id } => {
                self.uploads.remove(&UploadName { key, upload_id });
            }
            Record::Complete { key, upload_id, object } => {
                self.uploads.remove(&UploadName { key: key.clone(), upload_id });
                self.objects.insert(key, object);
            }
            Record::Website { xml } => self.website = xml,
        }
        Ok(())
    }

    fn live(&self) -> usize {
        let parts: usize = self.uploads.values().map(|(_, parts)| parts.len() + 1).sum();
        self.objects.len() + parts
    }
}

/// Opens the bucket in `folder`, which is made where it is not there.
pub(super) fn open(folder: &Path, now: Timestamp) -> io::Result<(Timestamp, Bodies, State)> {
    let bodies_folder = folder.join("bodies");
    fs::create_dir_all(&bodies_folder)?;
    let log_path = folder.join("index.log");
    let mut rows = Rows::default();
    let mut log = IndexLog::replay(&log_path, |record| rows.apply(record))?;
    let created = rows.created.unwrap_or(now);
    if rows.created.is_none() {
        log.append(&Record::Created { version: VERSION, at: created })?;
    }
    let worn = rows.lines > 2 * rows.live() + SLACK_LINES;

    let mut recovery = Recovery::new(bodies_folder);
    let mut objects = BTreeMap::new();
    for (key, row) in rows.objects {
        objects.insert(key, Arc::new(Object::from_row(row, &mut recovery)?));
    }
    let mut uploads = BTreeMap::new();
    for (name, (row, part_rows)) in rows.uploads {
        let mut upload = Upload::from_row(row)?;
        for (number, part) in part_rows {
            upload.parts.insert(number, Arc::new(Part::from_row(part, &mut recovery)?));
        }
        uploads.insert(name, upload);
    }
    let mut state = State { objects, uploads, website: rows.website, log };
    if worn {
        state.log = IndexLog::rewrite(&log_path, snapshot(created, &state))?;
    }
    Ok((created, recovery.finish()?, state))
}

/// The least lines that give the state.
fn snapshot(created: Timestamp, state: &State) -> impl Iterator<Item = Record> {
    let objects = state
        .objects
        .iter()
        .map(|(key, object)| Record::Put { key: key.clone(), object: object.row() });
    let uploads = state.uploads.iter().flat_map(|(name, upload)| {
        let UploadName { key, upload_id } = name.clone();
        let begun = Record::Initiate { key, upload_id, upload: upload.row() };
        let parts = upload.parts.iter().map(move |(number, part)| {
            let UploadName { key, upload_id } = name.clone();
            Record::Part { key, upload_id, number: *number, part: part.row() }
        });
        std::iter::once(begun).chain(parts)
    });
    std::iter::once(Record::Created { version: VERSION, at: created })
        .chain(std::iter::once(Record::Website { xml: state.website.clone() }))
        .chain(objects)
        .chain(uploads)
}
