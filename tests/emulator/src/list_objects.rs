//! `ListObjects`, `ListObjectsV2`, `ListMultipartUploads` and `DeleteMultipleObjects`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::StatusCode;
use ossferry_core::key::Key;

use crate::RequestBody;
use crate::answer::{Answer, document};
use crate::bucket::OWNER;
use crate::call::Call;
use crate::clock_text::list_date;
use crate::errors::{INVALID_ARGUMENT, INVALID_DIGEST, MALFORMED_XML, Refusal};
use crate::listing::{Entry, Page, PageQuery, common_prefix, page};
use crate::multipart::{follows_markers, page_size};
use crate::storage::object::{Object, Upload};
use crate::storage::{State, UploadName};
use crate::xml::{XmlWriter, elements};

/// Entries of a page where the request does not say (manual page of `ListObjectsV2`, 2021).
const KEYS_DEFAULT: usize = 100;

/// Most objects one `DeleteMultipleObjects` takes.
const DELETES_MAX: usize = 1_000;

type ObjectPage = Page<std::sync::Arc<Object>>;

impl Call<'_> {
    fn bytes(&self, name: &str) -> Vec<u8> {
        self.query.bytes(name).unwrap_or_default().to_vec()
    }

    fn page_query(&self, after: Vec<u8>) -> Result<PageQuery, Refusal> {
        Ok(PageQuery {
            prefix: self.bytes("prefix"),
            delimiter: self.bytes("delimiter"),
            after,
            entries_max: page_size(self.query.text("max-keys"), "max-keys", KEYS_DEFAULT)?,
        })
    }

    /// `ListObjectsV2`.
    pub(crate) fn list_v2(&self) -> Result<Answer, Refusal> {
        let token = self.query.bytes("continuation-token").filter(|token| !token.is_empty());
        let after = match token {
            Some(token) => BASE64.decode(token).map_err(|_| {
                INVALID_ARGUMENT
                    .because("The continuation token provided is incorrect.")
                    .with("ArgumentName", "continuation-token")
            })?,
            None => self.bytes("start-after"),
        };
        let query = self.page_query(after)?;
        let page = page(&self.bucket.read().objects, &query);
        let owners = self.query.text("fetch-owner") == Some("true");
        let mut xml = XmlWriter::new(self.query.encodes_urls());
        xml.within("ListBucketResult", |xml| {
            self.list_head(xml, &query, &page);
            if let Some(start_after) = self.query.bytes("start-after") {
                xml.name("StartAfter", start_after);
            }
            if let Some(token) = token {
                xml.name("ContinuationToken", token);
            }
            if let Some(next) = &page.next_after {
                xml.name("NextContinuationToken", BASE64.encode(next).as_bytes());
            }
            xml.value("KeyCount", page.entries.len());
            list_entries(xml, &page, owners);
        });
        Ok(document(StatusCode::OK, xml.finish()))
    }

    /// `ListObjects`.
    pub(crate) fn list_v1(&self) -> Result<Answer, Refusal> {
        let query = self.page_query(self.bytes("marker"))?;
        let page = page(&self.bucket.read().objects, &query);
        let mut xml = XmlWriter::new(self.query.encodes_urls());
        xml.within("ListBucketResult", |xml| {
            self.list_head(xml, &query, &page);
            xml.name("Marker", &query.after);
            if let Some(next) = &page.next_after {
                xml.name("NextMarker", next);
            }
            list_entries(xml, &page, true);
        });
        Ok(document(StatusCode::OK, xml.finish()))
    }

    fn list_head(&self, xml: &mut XmlWriter, query: &PageQuery, page: &ObjectPage) {
        xml.text("Name", &self.bucket.name);
        xml.name("Prefix", &query.prefix);
        xml.value("MaxKeys", query.entries_max);
        xml.name("Delimiter", &query.delimiter);
        xml.value("IsTruncated", page.next_after.is_some());
        if self.query.encodes_urls() {
            xml.text("EncodingType", "url");
        }
    }

    /// `ListMultipartUploads`.
    pub(crate) fn list_uploads(&self) -> Result<Answer, Refusal> {
        let uploads_max = page_size(self.query.text("max-uploads"), "max-uploads", 1_000)?;
        let key_marker = Key::new(self.bytes("key-marker"));
        let id_marker = self.query.text("upload-id-marker").unwrap_or_default();
        let query = PageQuery {
            prefix: self.bytes("prefix"),
            delimiter: self.bytes("delimiter"),
            after: key_marker.as_bytes().to_vec(),
            entries_max: uploads_max,
        };
        let state = self.bucket.read();
        let (shown, truncated) = upload_page(&state, &query, &key_marker, id_marker);
        let mut xml = XmlWriter::new(self.query.encodes_urls());
        xml.within("ListMultipartUploadsResult", |xml| {
            if self.query.encodes_urls() {
                xml.text("EncodingType", "url");
            }
            xml.text("Bucket", &self.bucket.name);
            xml.name("KeyMarker", key_marker.as_bytes());
            xml.text("UploadIdMarker", id_marker);
            let (next_key, next_upload_id) = match shown.last().filter(|_| truncated) {
                Some(Shown::Upload(name, _)) => (name.key.as_bytes(), name.upload_id.as_str()),
                Some(Shown::CommonPrefix(prefix)) => (*prefix, ""),
                None => (&[][..], ""),
            };
            xml.name("NextKeyMarker", next_key);
            xml.text("NextUploadIdMarker", next_upload_id);
            xml.name("Delimiter", &query.delimiter);
            xml.name("Prefix", &query.prefix);
            xml.value("MaxUploads", uploads_max);
            xml.value("IsTruncated", truncated);
            for shown in &shown {
                list_upload(xml, shown);
            }
        });
        Ok(document(StatusCode::OK, xml.finish()))
    }

    /// `DeleteMultipleObjects`.
    pub(crate) async fn delete_many(&self, body: &mut RequestBody) -> Result<Answer, Refusal> {
        if !self.headers.contains_key("content-md5") {
            return Err(INVALID_DIGEST.because("Content-MD5 is missing."));
        }
        let body = self.read_document(body).await?;
        let (mut keys, mut quiet) = (Vec::new(), false);
        for element in elements(&body)? {
            match element.path.as_str() {
                "Delete/Quiet" => quiet = element.text.trim().eq_ignore_ascii_case("true"),
                "Delete/Object/Key" => keys.push(Key::from(element.text)),
                _ => {}
            }
        }
        if keys.is_empty() || keys.len() > DELETES_MAX {
            return Err(MALFORMED_XML.into());
        }
        for key in &keys {
            self.bucket.delete(key)?;
        }
        let mut xml = XmlWriter::new(self.query.encodes_urls());
        xml.within("DeleteResult", |xml| {
            if self.query.encodes_urls() {
                xml.text("EncodingType", "url");
            }
            for key in keys.iter().filter(|_| !quiet) {
                xml.within("Deleted", |xml| xml.name("Key", key.as_bytes()));
            }
        });
        Ok(document(StatusCode::OK, xml.finish()))
    }
}

fn list_entries(xml: &mut XmlWriter, page: &ObjectPage, owners: bool) {
    for entry in &page.entries {
        match entry {
            Entry::CommonPrefix(prefix) => {
                xml.within("CommonPrefixes", |xml| xml.name("Prefix", prefix));
            }
            Entry::Object(key, object) => xml.within("Contents", |xml| {
                xml.name("Key", key.as_bytes());
                xml.value("LastModified", list_date(object.modified));
                xml.etag(&object.etag);
                xml.value("Type", if object.multipart { "Multipart" } else { "Normal" });
                xml.value("Size", object.bytes);
                xml.value("StorageClass", object.metadata.storage_class.as_str());
                if owners {
                    xml.within("Owner", |xml| {
                        xml.text("ID", OWNER);
                        xml.text("DisplayName", OWNER);
                    });
                }
            }),
        }
    }
}

/// A line of `ListMultipartUploads`.
enum Shown<'a> {
    Upload(&'a UploadName, &'a Upload),
    CommonPrefix(&'a [u8]),
}

fn upload_page<'a>(
    state: &'a State,
    query: &PageQuery,
    key_marker: &Key,
    id_marker: &str,
) -> (Vec<Shown<'a>>, bool) {
    let from = UploadName { key: key_marker.clone(), upload_id: String::new() };
    let mut shown: Vec<Shown<'a>> = Vec::new();
    for (name, upload) in state.uploads.range(from..) {
        let key = name.key.as_bytes();
        if !key.starts_with(&query.prefix) || !follows_markers(name, key_marker, id_marker) {
            continue;
        }
        let rolled = common_prefix(key, query);
        let is_repeated = matches!(
            (rolled, shown.last()),
            (Some(rolled), Some(Shown::CommonPrefix(last))) if rolled == *last
        );
        if is_repeated || rolled == Some(key_marker.as_bytes()) {
            continue;
        }
        if shown.len() >= query.entries_max {
            return (shown, true);
        }
        shown.push(match rolled {
            Some(prefix) => Shown::CommonPrefix(prefix),
            None => Shown::Upload(name, upload),
        });
    }
    (shown, false)
}

fn list_upload(xml: &mut XmlWriter, shown: &Shown<'_>) {
    match shown {
        Shown::CommonPrefix(prefix) => {
            xml.within("CommonPrefixes", |xml| xml.name("Prefix", prefix));
        }
        Shown::Upload(name, upload) => xml.within("Upload", |xml| {
            xml.name("Key", name.key.as_bytes());
            xml.text("UploadId", &name.upload_id);
            xml.value("StorageClass", upload.metadata.storage_class.as_str());
            xml.value("Initiated", list_date(upload.initiated));
        }),
    }
}
