//! Object tags: the header, the document, and the three operations.

use std::sync::Arc;

use http::StatusCode;
use ossferry_core::key::Key;

use crate::answer::{Answer, document, empty};
use crate::errors::{INVALID_TAG, MALFORMED_XML, NO_SUCH_KEY, Refusal};
use crate::request::Query;
use crate::storage::Bucket;
use crate::xml::{XmlWriter, elements};

/// Limits of the OSS manual, "Object tagging" (2021): bytes of a key and of a value.
const TAGS_MAX: usize = 10;
const TAG_KEY_BYTES_MAX: usize = 128;
const TAG_VALUE_BYTES_MAX: usize = 256;

/// Reads `x-oss-tagging`: `k=v&k2=v2`, percent-encoded.
pub(crate) fn parse_tag_header(value: &[u8]) -> Result<Vec<(String, String)>, Refusal> {
    let raw = std::str::from_utf8(value).map_err(|_| INVALID_TAG)?;
    let mut tags = Vec::new();
    for (key, value) in Query::parse(raw).pairs() {
        let value = std::str::from_utf8(value).map_err(|_| INVALID_TAG)?;
        tags.push((key.to_owned(), value.to_owned()));
    }
    checked(tags)
}

/// Reads the body of `PutObjectTagging`.
fn parse_tag_document(body: &[u8]) -> Result<Vec<(String, String)>, Refusal> {
    let (mut tags, mut key, mut value) = (Vec::new(), None, None);
    let mut root = String::new();
    for element in elements(body)? {
        match element.path.as_str() {
            "Tagging/TagSet/Tag/Key" => key = Some(element.text),
            "Tagging/TagSet/Tag/Value" => value = Some(element.text),
            "Tagging/TagSet/Tag" => {
                let key = key.take().ok_or(MALFORMED_XML)?;
                tags.push((key, value.take().unwrap_or_default()));
            }
            _ => root = element.path,
        }
    }
    if root == "Tagging" { checked(tags) } else { Err(MALFORMED_XML.into()) }
}

fn checked(tags: Vec<(String, String)>) -> Result<Vec<(String, String)>, Refusal> {
    let fits = |(key, value): &(String, String)| {
        (1..=TAG_KEY_BYTES_MAX).contains(&key.len()) && value.len() <= TAG_VALUE_BYTES_MAX
    };
    let repeated =
        tags.iter().enumerate().any(|(at, (key, _))| tags[..at].iter().any(|(k, _)| k == key));
    if tags.len() > TAGS_MAX || repeated || !tags.iter().all(fits) {
        return Err(INVALID_TAG.into());
    }
    Ok(tags)
}

/// `PutObjectTagging`.
pub(crate) fn put(bucket: &Arc<Bucket>, key: &Key, body: &[u8]) -> Result<Answer, Refusal> {
    bucket.tag(key, parse_tag_document(body)?)?;
    Ok(empty(StatusCode::OK))
}

/// `GetObjectTagging`.
pub(crate) fn get(bucket: &Arc<Bucket>, key: &Key) -> Result<Answer, Refusal> {
    let object = bucket.object(key).ok_or(NO_SUCH_KEY)?;
    let mut xml = XmlWriter::new(false);
    xml.within("Tagging", |xml| {
        xml.within("TagSet", |xml| {
            for (key, value) in &object.metadata.tags {
                xml.within("Tag", |xml| {
                    xml.text("Key", key);
                    xml.text("Value", value);
                });
            }
        });
    });
    Ok(document(StatusCode::OK, xml.finish()))
}

/// `DeleteObjectTagging`.
pub(crate) fn delete(bucket: &Arc<Bucket>, key: &Key) -> Result<Answer, Refusal> {
    bucket.tag(key, Vec::new())?;
    Ok(empty(StatusCode::NO_CONTENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_from_header_and_document_within_their_limits() {
        let tags = parse_tag_header(b"a=1&b%26=%E4%BD%A0&c").unwrap();
        let seen: Vec<_> = tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(seen, [("a", "1"), ("b&", "你"), ("c", "")]);
        let body = b"<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>";
        assert_eq!(parse_tag_document(body).unwrap(), [("a".to_owned(), "1".to_owned())]);
        assert!(parse_tag_document(b"<Tagging><TagSet/></Tagging>").unwrap().is_empty());
        assert!(parse_tag_document(b"<Other/>").is_err());
        let many: Vec<_> = (0..11).map(|n| format!("k{n}=v")).collect();
        let long = format!("{}=v", "k".repeat(129));
        for wrong in [many.join("&"), long, "a=1&a=2".into(), "=v".into()] {
            assert!(parse_tag_header(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
