//! What the headers of an answer say of a file.

use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG,
    EXPIRES, LAST_MODIFIED,
};
use http::{HeaderMap, HeaderName, StatusCode};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::fidelity::Properties;
use ossferry_core::object::{ByteRange, Digests, ETag, ObjectHeaders, ObjectInfo, Pin};
use ossferry_core::time::Timestamp;
use ossferry_http::parse_http_date;

use crate::error::{GET_FILE, HEAD_FILE, answered, text};

const METADATA_PREFIX: &str = "x-upyun-meta-";

/// What an answer to HEAD says. Of a folder it says that there is no such file.
pub(crate) fn head(headers: &HeaderMap) -> Result<ObjectInfo, PortError> {
    if text(headers, "x-upyun-file-type") == Some("folder") {
        return Err(is_folder(HEAD_FILE));
    }
    let size = text(headers, "x-upyun-file-size").and_then(|size| size.trim().parse().ok());
    let size = size.ok_or_else(|| answered(HEAD_FILE, headers).bad("no x-upyun-file-size"))?;
    Ok(info(headers, size))
}

/// What an answer to GET says, once it is known to be the answer to *this* GET.
pub(crate) fn get(
    status: StatusCode,
    headers: &HeaderMap,
    pin: &Pin,
    range: Option<ByteRange>,
) -> Result<ObjectInfo, PortError> {
    let answered = answered(GET_FILE, headers);
    if headers.contains_key("x-upyun-list-iter") {
        return Err(is_folder(GET_FILE));
    }
    answered.of_pinned(pin, etag(headers).as_ref().map(ETag::as_str), "etag")?;
    let size = answered.object_bytes(status, range)?;
    Ok(info(headers, size))
}

fn is_folder(operation: &str) -> PortError {
    PortError::new(ErrorKind::NoSuchKey, format!("{operation}: a folder, and no file"))
}

/// The file's MD5. A HEAD has it as `Content-MD5`, a GET as that or as its tag.
fn etag(headers: &HeaderMap) -> Option<ETag> {
    let of =
        |name: &str| text(headers, name).map(ETag::new).filter(|etag| !etag.as_str().is_empty());
    of("content-md5").or_else(|| of(ETAG.as_str()))
}

fn info(headers: &HeaderMap, size: u64) -> ObjectInfo {
    let carried = |name: HeaderName| text(headers, name.as_str()).map(str::to_owned);
    let metadata = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix(METADATA_PREFIX)?;
        // What is no header text of OSS's is left behind by name, not passed over.
        Some((name.to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
    });
    let seconds = text(headers, "x-upyun-file-date").and_then(|date| date.trim().parse().ok());
    let dated = text(headers, LAST_MODIFIED.as_str()).and_then(parse_http_date);
    ObjectInfo {
        size,
        etag: etag(headers),
        last_modified: seconds
            .map(|seconds: i64| Timestamp(seconds.saturating_mul(1_000)))
            .or(dated),
        content_modified: None,
        // No such bucket was asked whether its MD5s are those of the bytes: nothing is proved by them.
        digests: Digests::default(),
        headers: ObjectHeaders {
            content_type: carried(CONTENT_TYPE),
            cache_control: carried(CACHE_CONTROL),
            content_disposition: carried(CONTENT_DISPOSITION),
            content_encoding: carried(CONTENT_ENCODING),
            content_language: carried(CONTENT_LANGUAGE),
            expires: carried(EXPIRES),
            user_metadata: metadata.collect(),
        },
        storage_class: None,
        mirrored: false,
        beyond: Properties::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_file_is_told_by_its_md5_and_a_folder_is_none() {
        let file = [
            ("x-upyun-file-type", "file"),
            ("x-upyun-file-size", "7"),
            ("x-upyun-file-date", "1420365239"),
            ("content-md5", "7ac66c0f148de9519b8bd264312c4d64"),
            ("x-upyun-meta-team", "a"),
        ];
        let info = head(&headers(&file)).unwrap();
        assert_eq!((info.size, info.last_modified), (7, Some(Timestamp(1_420_365_239_000))));
        assert_eq!(info.headers.user_metadata, [("team".to_owned(), "a".to_owned())]);
        let pin = Pin { etag: info.etag.unwrap() };
        let got = [("content-length", "7"), ("etag", "\"7ac66c0f148de9519b8bd264312c4d64\"")];
        assert_eq!(get(StatusCode::OK, &headers(&got), &pin, None).unwrap().size, 7);
        let folder = headers(&[("x-upyun-file-type", "folder"), ("x-upyun-file-date", "1")]);
        assert_eq!(head(&folder).unwrap_err().kind, ErrorKind::NoSuchKey);
        let listed = headers(&[("x-upyun-list-iter", "i="), ("content-length", "7")]);
        let error = get(StatusCode::OK, &listed, &pin, None).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NoSuchKey);
    }

    #[test]
    fn what_does_not_say_whose_bytes_it_is_is_no_answer() {
        let pin = Pin { etag: ETag::new("e") };
        let range = Some(ByteRange { start: 1, bytes: 2 });
        let ranged = [("content-length", "2"), ("etag", "e"), ("content-range", "bytes 1-2/9")];
        assert_eq!(
            get(StatusCode::PARTIAL_CONTENT, &headers(&ranged), &pin, range).unwrap().size,
            9
        );
        for (status, pairs, range, kind) in [
            (200, &[("content-length", "2")][..], None, ErrorKind::BadAnswer),
            (200, &[("etag", "e")], None, ErrorKind::BadAnswer),
            (200, &[("content-length", "2"), ("etag", "f")], None, ErrorKind::PreconditionFailed),
            (206, &ranged, None, ErrorKind::BadAnswer),
            (200, &ranged, range, ErrorKind::BadAnswer),
            (206, &ranged[..2], range, ErrorKind::BadAnswer),
            (206, &ranged, Some(ByteRange { start: 0, bytes: 2 }), ErrorKind::BadAnswer),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let error = get(status, &headers(pairs), &pin, range).unwrap_err();
            assert_eq!(error.kind, kind, "{status} {pairs:?}");
        }
    }
}
