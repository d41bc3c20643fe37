//! What the headers of an answer say of an object, and whether it is the answer that was asked for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG,
    EXPIRES, LAST_MODIFIED,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use ossferry_core::error::PortError;
use ossferry_core::fidelity::{Properties, Property};
use ossferry_core::object::{ByteRange, Digests, ETag, ObjectHeaders, ObjectInfo, Pin};
use ossferry_http::parse_http_date;

use crate::error::{GET_OBJECT, HEAD_OBJECT, answered};
use crate::kind::S3Kind;

/// Reads headers as one store means them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader {
    /// Whose headers these are.
    pub(crate) kind: S3Kind,
    /// Whether an `ETag` of 32 hex digits is an MD5, unless the answer shows otherwise.
    pub(crate) etag_is_md5: bool,
}

impl Reader {
    /// What an answer to HEAD says.
    pub(crate) fn head(self, headers: &HeaderMap) -> Result<ObjectInfo, PortError> {
        let answered = answered(HEAD_OBJECT, headers);
        let size = answered.content_length().ok_or_else(|| answered.bad("no content-length"))?;
        Ok(self.info(headers, size, true))
    }

    /// What an answer to GET says, once it is known to be the answer to *this* GET.
    pub(crate) fn get(
        self,
        status: StatusCode,
        headers: &HeaderMap,
        pin: &Pin,
        range: Option<ByteRange>,
    ) -> Result<ObjectInfo, PortError> {
        let answered = answered(GET_OBJECT, headers);
        let served = header_text(headers, &ETAG).map(|etag| ETag::new(&etag));
        answered.of_pinned(pin, served.as_ref().map(ETag::as_str), "etag")?;
        let size = answered.object_bytes(status, range)?;
        Ok(self.info(headers, size, range.is_none()))
    }

    fn info(self, headers: &HeaderMap, size: u64, whole: bool) -> ObjectInfo {
        let etag = header_text(headers, &ETAG).map(|etag| ETag::new(&etag));
        let md5 = etag.as_ref().filter(|_| self.etag_may_be_md5(headers)).and_then(ETag::as_md5);
        ObjectInfo {
            size,
            last_modified: header_text(headers, &LAST_MODIFIED)
                .and_then(|date| parse_http_date(&date)),
            content_modified: None,
            digests: Digests {
                crc64_ecma: self.crc64_ecma(headers),
                // S3 answers a range that is exactly a part with the part's own checksum.
                crc64_nvme: if whole { crc64_nvme(headers) } else { None },
                md5: self.md5_of_google(headers).or(md5),
            },
            headers: self.object_headers(headers),
            storage_class: self.own_header(headers, "storage-class"),
            mirrored: false,
            beyond: self.beyond(headers),
            etag,
        }
    }

    /// With KMS or a customer's key, and of an object that was appended to, an `ETag` of 32 digits is
    /// no MD5. <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html>
    fn etag_may_be_md5(self, headers: &HeaderMap) -> bool {
        let encryption = self.own_header(headers, "server-side-encryption");
        self.etag_is_md5
            && encryption.is_none_or(|algorithm| algorithm == "AES256")
            && self.own_header(headers, "server-side-encryption-customer-algorithm").is_none()
            && self.own_header(headers, "object-type").is_none_or(|kind| kind == "normal")
            // Google's, for a key of KMS and for a customer's.
            && self.own_header(headers, "encryption-kms-key-name").is_none()
            && self.own_header(headers, "encryption-algorithm").is_none()
    }

    /// What takes more than headers to carry over. Amazon counts tags only for who may read them, and tells
    /// of retention only who may see it.
    fn beyond(self, headers: &HeaderMap) -> Properties {
        let own = |name: &str| self.own_header(headers, name);
        let is_counted = |count: Option<String>| count.is_some_and(|count| count != "0");
        let is_customers = |kind: String| !matches!(kind.as_str(), "AES256" | "");
        let is_locked = own("object-lock-mode").is_some()
            || own("object-lock-legal-hold").is_some_and(|hold| hold == "ON");
        Properties::default()
            .with(Property::Tags, is_counted(own("tagging-count")))
            .with(
                Property::Encryption,
                own("server-side-encryption").is_some_and(is_customers)
                    || own("server-side-encryption-customer-algorithm").is_some()
                    // Google's, for a key of KMS and for a customer's.
                    || own("encryption-kms-key-name").is_some()
                    || own("encryption-algorithm").is_some(),
            )
            .with(Property::WebsiteRedirect, own("website-redirect-location").is_some())
            .with(Property::ObjectLock, is_locked)
            // Metadata that it holds and cannot put into headers.
            .with(Property::UserMetadata, is_counted(own("missing-meta")))
    }

    /// Google tells the MD5 of every object that was not composed, whatever its `ETag` is: also with a
    /// range, and always of the bytes as they are stored.
    fn md5_of_google(self, headers: &HeaderMap) -> Option<[u8; 16]> {
        if self.kind != S3Kind::Gcs {
            return None;
        }
        let spelled = headers.get_all("x-goog-hash").iter().filter_map(|value| value.to_str().ok());
        let md5 = spelled.flat_map(|value| value.split(',')).find_map(|hash| {
            let spelled = hash.trim().strip_prefix("md5=")?;
            BASE64.decode(spelled).ok()
        });
        md5?.try_into().ok()
    }

    /// COS gives the whole object's, even with a range; objects from before the feature have none.
    fn crc64_ecma(self, headers: &HeaderMap) -> Option<u64> {
        if self.kind != S3Kind::Cos {
            return None;
        }
        headers.get("x-cos-hash-crc64ecma")?.to_str().ok()?.trim().parse().ok()
    }

    fn own_header(self, headers: &HeaderMap, name: &str) -> Option<String> {
        self.kind
            .header_prefixes()
            .iter()
            .find_map(|prefix| headers.get(format!("{prefix}{name}")).map(text_of))
    }

    fn object_headers(self, headers: &HeaderMap) -> ObjectHeaders {
        let carried = |name: HeaderName| header_text(headers, &name);
        ObjectHeaders {
            content_type: carried(CONTENT_TYPE),
            cache_control: carried(CACHE_CONTROL),
            content_disposition: carried(CONTENT_DISPOSITION),
            content_encoding: carried(CONTENT_ENCODING),
            content_language: carried(CONTENT_LANGUAGE),
            expires: carried(EXPIRES),
            user_metadata: self.user_metadata(headers),
        }
    }

    /// Values as the server spelled them: the encoded words of RFC 2047, which S3 writes where a value
    /// is not ASCII, stay encoded, so that a reader of the copy sees what a reader of the source saw.
    fn user_metadata(self, headers: &HeaderMap) -> Vec<(String, String)> {
        let mut metadata: Vec<(String, String)> = Vec::new();
        for (name, value) in headers {
            let own = |prefix: &&str| name.as_str().strip_prefix(prefix);
            if let Some(name) = self.kind.metadata_prefixes().iter().find_map(own)
                && !metadata.iter().any(|(known, _)| known == name)
            {
                metadata.push((name.to_owned(), text_of(value)));
            }
        }
        metadata.sort();
        metadata
    }
}

/// CRC-64/NVME of the full object: base64 of eight bytes, the most significant first.
fn crc64_nvme(headers: &HeaderMap) -> Option<u64> {
    let full = headers
        .get("x-amz-checksum-type")
        .is_none_or(|kind| kind.as_bytes().eq_ignore_ascii_case(b"FULL_OBJECT"));
    let spelled = headers.get("x-amz-checksum-crc64nvme").filter(|_| full)?;
    let bytes = BASE64.decode(spelled.as_bytes()).ok()?;
    bytes.try_into().ok().map(u64::from_be_bytes)
}

fn header_text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(text_of)
}

/// A header's value: UTF-8 where it is, else each byte as the Latin-1 character that HTTP once meant.
fn text_of(value: &HeaderValue) -> String {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_owned(),
        Err(_) => value.as_bytes().iter().copied().map(char::from).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ossferry_core::error::ErrorKind;
    use ossferry_core::time::Timestamp;

    const MD5: &str = "\"d41d8cd98f00b204e9800998ecf8427e\"";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                (HeaderName::from_static(name), value)
            })
            .collect()
    }

    fn reader(kind: S3Kind) -> Reader {
        Reader { kind, etag_is_md5: true }
    }

    fn head(kind: S3Kind, pairs: &[(&'static str, &str)]) -> ObjectInfo {
        let mut all = vec![("content-length", "7"), ("etag", MD5)];
        all.extend_from_slice(pairs);
        reader(kind).head(&headers(&all)).unwrap()
    }

    #[test]
    fn what_is_carried_over_is_read_from_the_headers() {
        let info = head(
            S3Kind::S3,
            &[
                ("content-type", "text/plain"),
                ("cache-control", "no-store"),
                ("content-disposition", "inline"),
                ("content-encoding", "gzip"),
                ("content-language", "de"),
                ("expires", "next week"),
                ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
                ("x-amz-storage-class", "STANDARD_IA"),
                ("x-amz-meta-colour", "=?UTF-8?B?5L2g?="),
                ("x-amz-meta-author", "你"),
                ("x-amz-checksum-crc64nvme", "AQIDBAUGBwg="),
                ("x-amz-checksum-type", "FULL_OBJECT"),
            ],
        );
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            info.headers,
            ObjectHeaders {
                content_type: text("text/plain"),
                cache_control: text("no-store"),
                content_disposition: text("inline"),
                content_encoding: text("gzip"),
                content_language: text("de"),
                expires: text("next week"),
                user_metadata: vec![
                    ("author".to_owned(), "你".to_owned()),
                    ("colour".to_owned(), "=?UTF-8?B?5L2g?=".to_owned()),
                ],
            }
        );
        assert_eq!(info.size, 7);
        assert_eq!(info.last_modified, Some(Timestamp(784_111_777_000)));
        assert_eq!(info.storage_class.as_deref(), Some("STANDARD_IA"));
        assert_eq!(info.digests.crc64_nvme, Some(0x0102_0304_0506_0708));
        assert!(info.digests.md5.is_some());
    }

    #[test]
    fn an_etag_is_no_md5_where_the_answer_shows_another_key() {
        for (kind, name, value, is_md5) in [
            (S3Kind::S3, "x-amz-server-side-encryption", "AES256", true),
            (S3Kind::S3, "x-amz-server-side-encryption", "aws:kms", false),
            (S3Kind::S3, "x-amz-server-side-encryption", "aws:kms:dsse", false),
            (S3Kind::S3, "x-amz-server-side-encryption-customer-algorithm", "AES256", false),
            (S3Kind::Cos, "x-cos-server-side-encryption", "cos/kms", false),
            (S3Kind::Cos, "x-cos-server-side-encryption", "AES256", true),
            (S3Kind::Cos, "x-cos-object-type", "appendable", false),
            (S3Kind::Cos, "x-cos-object-type", "normal", true),
        ] {
            let md5 = head(kind, &[(name, value)]).digests.md5;
            assert_eq!(md5.is_some(), is_md5, "{name}: {value}");
        }
        let distrusting = Reader { kind: S3Kind::Compatible, etag_is_md5: false };
        let info = distrusting.head(&headers(&[("content-length", "7"), ("etag", MD5)])).unwrap();
        assert_eq!(info.digests.md5, None);
        assert_eq!(info.etag, Some(ETag::new(MD5)));
    }

    #[test]
    fn what_no_header_carries_over_is_seen_in_the_headers() {
        use Property::{Encryption, ObjectLock, Tags, UserMetadata, WebsiteRedirect};
        for (kind, name, value, expected) in [
            (S3Kind::S3, "x-amz-tagging-count", "2", Some(Tags)),
            (S3Kind::S3, "x-amz-tagging-count", "0", None),
            (S3Kind::Cos, "x-cos-tagging-count", "1", Some(Tags)),
            (S3Kind::S3, "x-amz-server-side-encryption", "AES256", None),
            (S3Kind::S3, "x-amz-server-side-encryption", "aws:kms", Some(Encryption)),
            (S3Kind::Cos, "x-cos-server-side-encryption", "cos/kms", Some(Encryption)),
            (
                S3Kind::S3,
                "x-amz-server-side-encryption-customer-algorithm",
                "AES256",
                Some(Encryption),
            ),
            (S3Kind::Gcs, "x-goog-encryption-kms-key-name", "k", Some(Encryption)),
            (S3Kind::S3, "x-amz-website-redirect-location", "/b", Some(WebsiteRedirect)),
            (S3Kind::S3, "x-amz-object-lock-mode", "GOVERNANCE", Some(ObjectLock)),
            (S3Kind::S3, "x-amz-object-lock-legal-hold", "OFF", None),
            (S3Kind::S3, "x-amz-object-lock-legal-hold", "ON", Some(ObjectLock)),
            (S3Kind::S3, "x-amz-missing-meta", "1", Some(UserMetadata)),
        ] {
            let beyond: Vec<_> = head(kind, &[(name, value)]).beyond.iter().collect();
            assert_eq!(beyond, expected.into_iter().collect::<Vec<_>>(), "{name}: {value}");
        }
    }

    #[test]
    fn cos_gives_its_crc_and_its_metadata_under_either_prefix() {
        let info = head(
            S3Kind::Cos,
            &[
                ("x-cos-hash-crc64ecma", "11051210869376104954"),
                ("x-cos-meta-a", "1"),
                ("x-amz-meta-b", "2"),
                ("x-cos-storage-class", "MAZ_STANDARD"),
            ],
        );
        assert_eq!(info.digests.crc64_ecma, Some(11_051_210_869_376_104_954));
        assert_eq!(info.storage_class.as_deref(), Some("MAZ_STANDARD"));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(info.headers.user_metadata, [pair("a", "1"), pair("b", "2")]);
        assert_eq!(head(S3Kind::S3, &[("x-cos-hash-crc64ecma", "5")]).digests.crc64_ecma, None);
    }

    #[test]
    fn a_composite_checksum_is_not_taken_for_the_object_s() {
        let composite =
            [("x-amz-checksum-crc64nvme", "AQIDBAUGBwg="), ("x-amz-checksum-type", "COMPOSITE")];
        assert_eq!(head(S3Kind::S3, &composite).digests.crc64_nvme, None);
        let broken = [("x-amz-checksum-crc64nvme", "AQID")];
        assert_eq!(head(S3Kind::S3, &broken).digests.crc64_nvme, None);
    }

    #[test]
    fn an_answer_is_taken_under_its_own_etag_and_range_only() {
        let pin = Pin { etag: ETag::new(MD5) };
        let get = |pairs: &[(&'static str, &str)], range| {
            let status = if pairs.len() > 2 { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
            let answer = reader(S3Kind::S3).get(status, &headers(pairs), &pin, range);
            answer.map(|info| info.size).map_err(|error| error.kind)
        };
        let range = Some(ByteRange { start: 10, bytes: 5 });
        let part = [("etag", MD5), ("content-range", "bytes 10-14/99"), ("content-length", "5")];
        assert_eq!(get(&part, range), Ok(99));
        assert_eq!(get(&[("etag", MD5), ("content-length", "99")], None), Ok(99));
        assert_eq!(
            get(&[("etag", MD5), ("content-length", "99")], range),
            Err(ErrorKind::BadAnswer)
        );
        assert_eq!(get(&[("content-length", "99")], None), Err(ErrorKind::BadAnswer), "no etag");
        let other = get(&[("etag", "\"other\""), ("content-length", "9")], None);
        assert_eq!(other, Err(ErrorKind::PreconditionFailed));
    }
}
