//! Multipart uploads: initiate, parts, complete, abort, and the two listings.

use std::collections::BTreeMap;

use http::StatusCode;
use md5::{Digest, Md5};
use ossferry_core::key::Key;

use crate::RequestBody;
use crate::acl::ObjectAcl;
use crate::answer::{Answer, document, empty, insert_crc, insert_etag};
use crate::call::{ObjectCall, upper_hex};
use crate::clock_text::list_date;
use crate::complete::{PARTS_MAX, all_parts, chosen_parts, folded_crc, multipart_etag, part_list};
use crate::conditions::COPY_SOURCE;
use crate::copy_source::CopySource;
use crate::errors::{
    COMPLETE_ALL_BODY, FILE_ALREADY_EXISTS, INVALID_ARGUMENT, INVALID_PART_NUMBER, INVALID_RANGE,
    NO_SUCH_KEY, NO_SUCH_UPLOAD, Refusal,
};
use crate::metadata::{forbids_overwrite, text};
use crate::objects::judge;
use crate::range::copy_range;
use crate::storage::object::{Metadata, Object, Part, Upload};
use crate::storage::{Received, UploadName};
use crate::xml::XmlWriter;

impl ObjectCall<'_> {
    fn upload_name(&self) -> UploadName {
        let upload_id = self.call.query.text("uploadId").unwrap_or_default().to_owned();
        UploadName { key: self.key.clone(), upload_id }
    }

    fn part_number(&self) -> Result<u32, Refusal> {
        let given = self.call.query.text("partNumber").unwrap_or_default();
        let number = given.parse().ok().filter(|number| (1..=PARTS_MAX).contains(number));
        number.ok_or_else(|| INVALID_PART_NUMBER.with("ArgumentValue", given))
    }

    /// `InitiateMultipartUpload`. The request's id makes the upload's.
    pub(crate) fn initiate(&self, request_id: &str) -> Result<Answer, Refusal> {
        let Self { call, key } = self;
        let metadata = Metadata::from_headers(call.headers)?;
        if forbids_overwrite(call.headers) && call.bucket.object(key).is_some() {
            return Err(FILE_ALREADY_EXISTS.into());
        }
        let mut md5 = Md5::new();
        md5.update(request_id);
        md5.update(key.as_bytes());
        let upload_id = upper_hex(&md5.finalize());
        let initiated = call.now();
        let upload = Upload { initiated, metadata, parts: BTreeMap::new() };
        let mut xml = XmlWriter::new(call.query.encodes_urls());
        xml.within("InitiateMultipartUploadResult", |xml| {
            if call.query.encodes_urls() {
                xml.text("EncodingType", "url");
            }
            xml.text("Bucket", &call.bucket.name);
            xml.name("Key", key.as_bytes());
            xml.text("UploadId", &upload_id);
        });
        let mut answer = document(StatusCode::OK, xml.finish());
        upload.metadata.insert_encryption(answer.headers_mut());
        call.bucket.initiate(UploadName { key: key.clone(), upload_id }, upload)?;
        Ok(answer)
    }

    /// `UploadPart`.
    pub(crate) async fn put_part(self, body: &mut RequestBody) -> Result<Answer, Refusal> {
        let (name, number) = (self.upload_name(), self.part_number()?);
        if !self.call.bucket.has_upload(&name) {
            return Err(NO_SUCH_UPLOAD.with("UploadId", name.upload_id));
        }
        let part = self.part(self.call.store(body).await?);
        let mut answer = empty(StatusCode::OK);
        insert_etag(answer.headers_mut(), &part.etag);
        insert_crc(answer.headers_mut(), part.crc64_ecma);
        self.call.bucket.put_part(&name, number, part)?;
        Ok(answer)
    }

    /// `UploadPartCopy`.
    pub(crate) async fn copy_part(self, source: CopySource) -> Result<Answer, Refusal> {
        let (name, number) = (self.upload_name(), self.part_number()?);
        if !self.call.bucket.has_upload(&name) {
            return Err(NO_SUCH_UPLOAD.with("UploadId", name.upload_id));
        }
        let object = source.bucket.object(&source.key).ok_or(NO_SUCH_KEY)?;
        if let Some(answer) = judge(&COPY_SOURCE, self.call.headers, &object)? {
            return Ok(answer);
        }
        let (first, bytes) = match text(self.call.headers, "x-oss-copy-source-range") {
            None => (0, object.bytes),
            Some(range) => {
                let (first, last) = copy_range(range, object.bytes).ok_or(INVALID_RANGE)?;
                (first, last - first + 1)
            }
        };
        let part = self.part(self.call.store_copy(&object, first, bytes).await?);
        let mut xml = XmlWriter::new(false);
        xml.within("CopyPartResult", |xml| {
            xml.etag(&part.etag);
            xml.value("LastModified", list_date(part.modified));
        });
        let mut answer = document(StatusCode::OK, xml.finish());
        insert_etag(answer.headers_mut(), &part.etag);
        insert_crc(answer.headers_mut(), part.crc64_ecma);
        self.call.bucket.put_part(&name, number, part)?;
        Ok(answer)
    }

    fn part(&self, received: Received) -> Part {
        Part {
            etag: upper_hex(&received.md5),
            crc64_ecma: received.crc64_ecma,
            bytes: received.bytes,
            modified: self.call.now(),
            extents: received.extents,
        }
    }

    /// `CompleteMultipartUpload`: with a part list, or with all parts that are there.
    pub(crate) async fn complete(self, body: &mut RequestBody) -> Result<Answer, Refusal> {
        let name = self.upload_name();
        let takes_all = text(self.call.headers, "x-oss-complete-all")
            .is_some_and(|value| value.eq_ignore_ascii_case("yes"));
        let body = self.call.read_document(body).await?;
        if takes_all && !body.is_empty() {
            return Err(COMPLETE_ALL_BODY.into());
        }
        if !self.call.bucket.has_upload(&name) {
            return Err(NO_SUCH_UPLOAD.with("UploadId", name.upload_id));
        }
        let named = if takes_all { Vec::new() } else { part_list(&body)? };
        let forbids = forbids_overwrite(self.call.headers);
        let acl = ObjectAcl::of(self.call.headers)?;
        let modified = self.call.now();
        let object = self.call.bucket.complete(&name, forbids, |upload| {
            let parts = if takes_all {
                all_parts(&upload.parts)?
            } else {
                chosen_parts(&upload.parts, &named)?
            };
            let object = Object {
                etag: multipart_etag(&name.upload_id, &parts),
                crc64_ecma: folded_crc(&parts),
                bytes: parts.iter().map(|(_, part)| part.bytes).sum(),
                modified,
                multipart: true,
                // Initiate takes none.
                metadata: Metadata { acl, ..upload.metadata.clone() },
                extents: parts.iter().flat_map(|(_, part)| part.extents.clone()).collect(),
            };
            Ok::<_, Refusal>((object, parts.iter().map(|(number, _)| *number).collect()))
        })?;
        Ok(self.completed(&object))
    }

    fn completed(&self, object: &Object) -> Answer {
        let Self { call, key } = self;
        let mut xml = XmlWriter::new(call.query.encodes_urls());
        xml.within("CompleteMultipartUploadResult", |xml| {
            if call.query.encodes_urls() {
                xml.text("EncodingType", "url");
            }
            let encoded = crate::xml::url_encoded(key.as_bytes());
            xml.text("Location", &format!("http://{}/{}/{encoded}", call.host, call.bucket.name));
            xml.text("Bucket", &call.bucket.name);
            xml.name("Key", key.as_bytes());
            xml.etag(&object.etag);
        });
        let mut answer = document(StatusCode::OK, xml.finish());
        insert_etag(answer.headers_mut(), &object.etag);
        insert_crc(answer.headers_mut(), object.crc64_ecma);
        object.metadata.insert_encryption(answer.headers_mut());
        answer
    }

    /// `AbortMultipartUpload`.
    pub(crate) fn abort(&self) -> Result<Answer, Refusal> {
        self.call.bucket.abort(&self.upload_name())?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    /// `ListParts`.
    pub(crate) fn list_parts(&self) -> Result<Answer, Refusal> {
        let Self { call, key } = self;
        let name = self.upload_name();
        let upload = call.bucket.upload(&name).ok_or(NO_SUCH_UPLOAD)?;
        let parts_max = page_size(call.query.text("max-parts"), "max-parts", 1_000)?;
        let marker: u32 = match call.query.text("part-number-marker") {
            None | Some("") => 0,
            Some(text) => text.parse().map_err(|_| INVALID_ARGUMENT)?,
        };
        let after: Vec<_> = upload.parts.range(marker.saturating_add(1)..).collect();
        let shown = &after[..after.len().min(parts_max)];
        let mut xml = XmlWriter::new(call.query.encodes_urls());
        xml.within("ListPartsResult", |xml| {
            if call.query.encodes_urls() {
                xml.text("EncodingType", "url");
            }
            xml.text("Bucket", &call.bucket.name);
            xml.name("Key", key.as_bytes());
            xml.text("UploadId", &name.upload_id);
            xml.value("StorageClass", upload.metadata.storage_class.as_str());
            xml.value("PartNumberMarker", marker);
            xml.value("NextPartNumberMarker", shown.last().map_or(marker, |(number, _)| **number));
            xml.value("MaxParts", parts_max);
            xml.value("IsTruncated", shown.len() < after.len());
            for (number, part) in shown {
                xml.within("Part", |xml| {
                    xml.value("PartNumber", number);
                    xml.value("LastModified", list_date(part.modified));
                    xml.etag(&part.etag);
                    xml.value("HashCrc64ecma", part.crc64_ecma);
                    xml.value("Size", part.bytes);
                });
            }
        });
        Ok(document(StatusCode::OK, xml.finish()))
    }
}

/// A page size of a listing: 1 to 1,000 (manual pages of the listings, 2021).
pub(crate) fn page_size(
    given: Option<&str>,
    name: &'static str,
    default: usize,
) -> Result<usize, Refusal> {
    match given {
        None | Some("") => Ok(default),
        Some(text) => {
            text.parse().ok().filter(|size| (1..=1_000).contains(size)).ok_or_else(|| {
                INVALID_ARGUMENT
                    .because("the page size must be between 1 and 1000")
                    .with("ArgumentName", name)
                    .with("ArgumentValue", text)
            })
        }
    }
}

/// Where `ListMultipartUploads` goes on: after all uploads of the key, or after one of them.
pub(crate) fn follows_markers(name: &UploadName, key_marker: &Key, id_marker: &str) -> bool {
    match name.key.cmp(key_marker) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => !id_marker.is_empty() && name.upload_id.as_str() > id_marker,
        std::cmp::Ordering::Less => false,
    }
}
