//! `PutObject`, `GetObject`, `HeadObject`, `GetObjectMeta`, `DeleteObject` and `CopyObject`.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures::TryStreamExt;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED,
};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use md5::{Digest, Md5};

use crate::RequestBody;
use crate::answer::{Answer, document, empty, insert_crc, insert_etag, insert_text};
use crate::call::{Call, ObjectCall, PUT_BYTES_MAX, upper_hex};
use crate::clock_text::{http_date, list_date};
use crate::conditions::{COPY_SOURCE, ConditionNames, READ, Verdict};
use crate::copy_source::CopySource;
use crate::errors::{
    ARCHIVED, ENTITY_TOO_LARGE, FILE_ALREADY_EXISTS, INVALID_RANGE, NO_SUCH_KEY,
    PRECONDITION_FAILED, Refusal,
};
use crate::metadata::{forbids_overwrite, text};
use crate::mirror::MIRROR_TAG;
use crate::range::Selection;
use crate::storage::object::{Metadata, Object};
use crate::storage::{Received, byte_stream};
use crate::tagging::parse_tag_header;
use crate::xml::XmlWriter;

/// Reads up to this size are answered in one piece.
const ONE_PIECE_BYTES: u64 = 1 << 20;

/// Query names that change a header of the answer to `GetObject`.
const RESPONSE_OVERRIDES: [(&str, HeaderName); 6] = [
    ("response-content-type", http::header::CONTENT_TYPE),
    ("response-content-language", http::header::CONTENT_LANGUAGE),
    ("response-expires", http::header::EXPIRES),
    ("response-cache-control", http::header::CACHE_CONTROL),
    ("response-content-disposition", http::header::CONTENT_DISPOSITION),
    ("response-content-encoding", http::header::CONTENT_ENCODING),
];

impl ObjectCall<'_> {
    /// `PutObject`.
    pub(crate) async fn put(self, body: &mut RequestBody) -> Result<Answer, Refusal> {
        let Self { call, key } = self;
        let metadata = Metadata::from_headers(call.headers)?;
        let forbids = forbids_overwrite(call.headers);
        if forbids && call.bucket.object(&key).is_some() {
            return Err(FILE_ALREADY_EXISTS.into());
        }
        let received = call.store(body).await?;
        let md5 = received.md5;
        let object = whole_object(received, metadata, &call);
        let object = call.bucket.put(key, object, forbids)?;
        let mut answer = empty(StatusCode::OK);
        let headers = answer.headers_mut();
        insert_etag(headers, &object.etag);
        insert_crc(headers, object.crc64_ecma);
        insert_text(headers, HeaderName::from_static("content-md5"), &BASE64.encode(md5));
        object.metadata.insert_encryption(headers);
        Ok(answer)
    }

    /// `GetObject`.
    pub(crate) fn get(&self) -> Result<Answer, Refusal> {
        let Self { call, key } = self;
        let object = call.bucket.object(key).ok_or(NO_SUCH_KEY)?;
        if !call.bucket.restorations.admit(key, &object, call.now()) {
            return Err(ARCHIVED.into());
        }
        if let Some(answer) = judge(&READ, call.headers, &object)? {
            return Ok(answer);
        }
        let standard = text(call.headers, "x-oss-range-behavior") == Some("standard");
        let selection = Selection::of(text(call.headers, "range"), object.bytes, standard);
        let (first, bytes) = match selection {
            Selection::Whole => (0, object.bytes),
            Selection::Part { first, last } => (first, last - first + 1),
            Selection::Unsatisfiable => {
                return Err(INVALID_RANGE.with("ActualObjectSize", object.bytes.to_string()));
            }
        };
        let mut answer = read_answer(&object, first, bytes)?;
        let headers = answer.headers_mut();
        insert_all(headers, &object);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes));
        for (name, header) in RESPONSE_OVERRIDES {
            if let Some(value) = call.query.bytes(name).map(HeaderValue::from_bytes) {
                headers.insert(header, value.map_err(|_| crate::errors::INVALID_ARGUMENT)?);
            }
        }
        if let Selection::Part { first, last } = selection {
            let range = format!("bytes {first}-{last}/{}", object.bytes);
            insert_text(headers, CONTENT_RANGE, &range);
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        Ok(answer)
    }

    /// `HeadObject`, and `GetObjectMeta` where the query says `objectMeta`.
    pub(crate) fn head(&self) -> Result<Answer, Refusal> {
        let Self { call, key } = self;
        let object = call.bucket.object(key).ok_or(NO_SUCH_KEY)?;
        if let Some(answer) = judge(&READ, call.headers, &object)? {
            return Ok(answer);
        }
        let mut answer = empty(StatusCode::OK);
        let headers = answer.headers_mut();
        if call.query.has("objectMeta") {
            insert_identity(headers, &object);
        } else {
            insert_all(headers, &object);
        }
        headers.insert(CONTENT_LENGTH, HeaderValue::from(object.bytes));
        Ok(answer)
    }

    /// `DeleteObject`, which succeeds where there is none.
    pub(crate) fn delete(&self) -> Result<Answer, Refusal> {
        self.call.bucket.delete(&self.key)?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    /// `CopyObject`.
    pub(crate) async fn copy(self, source: CopySource) -> Result<Answer, Refusal> {
        let Self { call, key } = self;
        let object = source.bucket.object(&source.key).ok_or(NO_SUCH_KEY)?;
        if let Some(answer) = judge(&COPY_SOURCE, call.headers, &object)? {
            return Ok(answer);
        }
        if object.bytes > PUT_BYTES_MAX {
            return Err(ENTITY_TOO_LARGE.into());
        }
        let metadata = copied_metadata(call.headers, &object)?;
        let received = call.store_copy(&object, 0, object.bytes).await?;
        let copy = whole_object(received, metadata, &call);
        let copy = call.bucket.put(key, copy, forbids_overwrite(call.headers))?;
        let mut xml = XmlWriter::new(false);
        xml.within("CopyObjectResult", |xml| {
            xml.etag(&copy.etag);
            xml.value("LastModified", list_date(copy.modified));
        });
        let mut answer = document(StatusCode::OK, xml.finish());
        insert_crc(answer.headers_mut(), copy.crc64_ecma);
        insert_etag(answer.headers_mut(), &copy.etag);
        Ok(answer)
    }
}

/// Each directive takes over what the source has, or what the request says.
fn copied_metadata(headers: &HeaderMap, source: &Object) -> Result<Metadata, Refusal> {
    let replaces = |directive: &str| {
        text(headers, directive).is_some_and(|value| value.eq_ignore_ascii_case("replace"))
    };
    let given = Metadata::from_headers(headers)?;
    let mut metadata = source.metadata.clone();
    // Whoever copies it has written it.
    metadata.headers.retain(|(name, _)| *name != MIRROR_TAG);
    metadata.storage_class = given.storage_class;
    // No directive keeps it.
    metadata.acl = given.acl;
    if replaces("x-oss-metadata-directive") {
        metadata.headers = given.headers;
    }
    if replaces("x-oss-tagging-directive") {
        metadata.tags = match headers.get("x-oss-tagging") {
            Some(value) => parse_tag_header(value.as_bytes())?,
            None => Vec::new(),
        };
    }
    Ok(metadata)
}

/// An object that came in one piece: its ETag is its MD5, save under KMS.
pub(crate) fn whole_object(received: Received, metadata: Metadata, call: &Call<'_>) -> Object {
    let etag = if metadata.hides_md5() {
        upper_hex(&Md5::digest(Md5::digest(received.md5)))
    } else {
        upper_hex(&received.md5)
    };
    Object {
        etag,
        crc64_ecma: received.crc64_ecma,
        bytes: received.bytes,
        modified: call.now(),
        multipart: false,
        metadata,
        extents: received.extents,
    }
}

/// Answers 304 or refuses with 412 where the conditions say so.
pub(crate) fn judge(
    names: &ConditionNames,
    headers: &HeaderMap,
    object: &Object,
) -> Result<Option<Answer>, Refusal> {
    match names.verdict(headers, &object.etag, object.modified) {
        Verdict::Met => Ok(None),
        Verdict::NotModified => {
            let mut answer = empty(StatusCode::NOT_MODIFIED);
            insert_etag(answer.headers_mut(), &object.etag);
            insert_text(answer.headers_mut(), LAST_MODIFIED, &http_date(object.modified));
            Ok(Some(answer))
        }
        Verdict::Failed(condition) => Err(PRECONDITION_FAILED.with("Condition", condition)),
    }
}

fn insert_identity(headers: &mut HeaderMap, object: &Object) {
    insert_etag(headers, &object.etag);
    insert_crc(headers, object.crc64_ecma);
    insert_text(headers, LAST_MODIFIED, &http_date(object.modified));
}

fn insert_all(headers: &mut HeaderMap, object: &Object) {
    insert_identity(headers, object);
    for (name, value) in &object.metadata.headers {
        headers.append(name.clone(), value.clone());
    }
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let kind = if object.multipart { "Multipart" } else { "Normal" };
    headers.insert("x-oss-object-type", HeaderValue::from_static(kind));
    let class = object.metadata.storage_class.as_str();
    headers.insert("x-oss-storage-class", HeaderValue::from_static(class));
    if !object.metadata.tags.is_empty() {
        headers.insert("x-oss-tagging-count", HeaderValue::from(object.metadata.tags.len()));
    }
}

/// An answer with the object's bytes: small ones at once, large ones as they are read.
fn read_answer(object: &Object, first: u64, bytes: u64) -> io::Result<Answer> {
    let body = match object.extents.as_slice() {
        _ if bytes == 0 => Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync(),
        [extent] if bytes <= ONE_PIECE_BYTES => {
            let piece = extent.open()?.read(first, usize::try_from(bytes).unwrap_or(0))?;
            Full::new(piece).map_err(|never| match never {}).boxed_unsync()
        }
        extents => {
            StreamBody::new(byte_stream(extents, first, bytes).map_ok(Frame::data)).boxed_unsync()
        }
    };
    Ok(Response::new(body))
}
