//! Finding bodies again at the start.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::bodies::{Bodies, Extent, ExtentRow, Place, Segment, StoredFile};

/// Finds the files of the extents that a replayed log names, and removes every other.
pub(crate) struct Recovery {
    folder: PathBuf,
    segments: BTreeMap<u64, Arc<Segment>>,
    files: BTreeMap<u64, Arc<StoredFile>>,
}

impl Recovery {
    /// Of the bodies in `folder`.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, segments: BTreeMap::new(), files: BTreeMap::new() }
    }

    /// The extent that `row` names. Its file must be there, and long enough.
    pub(crate) fn extent(&mut self, row: ExtentRow) -> io::Result<Extent> {
        let place = if let Some(offset) = row.at {
            let segment = match self.segments.get(&row.file) {
                Some(segment) => Arc::clone(segment),
                None => self.open_segment(row.file)?,
            };
            segment.require_length(offset.saturating_add(row.bytes))?;
            segment.add_user();
            Place::Segment { segment, offset }
        } else {
            let stored = StoredFile::find(&self.folder, row.file, row.bytes)?;
            self.files.insert(row.file, Arc::clone(&stored));
            Place::File(stored)
        };
        Ok(Extent { place, bytes: row.bytes })
    }

    fn open_segment(&mut self, number: u64) -> io::Result<Arc<Segment>> {
        let segment = Segment::find(&self.folder, number)?;
        self.segments.insert(number, Arc::clone(&segment));
        Ok(segment)
    }

    /// Removes what nothing named, and gives the bodies to write on with.
    pub(crate) fn finish(self) -> io::Result<Bodies> {
        let mut next_number = 1;
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.split_once('.')?.0.parse().ok());
            let Some(number) = number else { continue };
            next_number = next_number.max(number + 1);
            if !self.segments.contains_key(&number) && !self.files.contains_key(&number) {
                fs::remove_file(entry.path())?;
            }
        }
        Bodies::open(self.folder, next_number)
    }
}
