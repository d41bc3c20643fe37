//! What an upload copies and how, once it is open.

use ossferry_core::along::CannedAcl;
use ossferry_core::fidelity::Departures;
use ossferry_core::meter::Requests;
use ossferry_core::object::{ETag, ObjectHeaders};

use super::{UploadRow, UploadState};
use crate::lease::{Change, Hold, LeaseLost};

/// What is fixed when an upload is open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// As the target gave it.
    pub upload_id: String,
    /// The source's object.
    pub pinned_etag: ETag,
    /// Its bytes.
    pub size: u64,
    /// Bytes of each part but the last.
    pub part_bytes: u64,
    /// Parts of each range but the last.
    pub range_parts: u64,
    /// Ranges.
    pub ranges: u64,
    /// Its headers.
    pub headers: ObjectHeaders,
    /// What of its metadata OSS cannot hold.
    pub left_behind: Option<String>,
    /// How the copy departs from its source.
    pub departures: Departures,
    /// To be sent with Complete.
    pub acl: Option<CannedAcl>,
    /// By the source's server.
    pub source_crc64_ecma: Option<u64>,
    /// By the source's server.
    pub source_crc64_nvme: Option<u64>,
    /// Requests made to open it.
    pub requests: Requests,
}

impl UploadRow {
    /// Fixes what the upload copies and how.
    pub fn opened(&self, hold: &Hold, opened: &Opened) -> Result<Change<Self, ()>, LeaseLost> {
        if self.state == UploadState::Open && self.upload_id.as_ref() == Some(&opened.upload_id) {
            return Ok(Change::Keep(()));
        }
        self.lease.check(hold)?;
        let row = Self {
            state: UploadState::Open,
            lease: self.lease.released(),
            upload_id: Some(opened.upload_id.clone()),
            pinned_etag: Some(opened.pinned_etag.clone()),
            size: opened.size,
            part_bytes: opened.part_bytes,
            range_parts: opened.range_parts,
            ranges: opened.ranges,
            headers: opened.headers.clone(),
            left_behind: opened.left_behind.clone(),
            departures: opened.departures,
            acl: opened.acl,
            source_crc64_ecma: opened.source_crc64_ecma.map(|crc| crc.to_string()),
            source_crc64_nvme: opened.source_crc64_nvme.map(|crc| crc.to_string()),
            requests: opened.requests.clone(),
            attempts: 0,
            ..self.clone()
        };
        Ok(Change::Write(row, ()))
    }
}
