//! The ACL of an object: the header, and the two operations.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use ossferry_core::key::Key;
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, document, empty};
use crate::bucket::owner;
use crate::errors::{INVALID_ARGUMENT, NO_SUCH_KEY, Refusal};
use crate::metadata::text;
use crate::storage::Bucket;
use crate::xml::XmlWriter;

/// Sent with PutObject, CompleteMultipartUpload, `CopyObject` and `PutObjectAcl`.
const HEADER: &str = "x-oss-object-acl";

/// Who may use an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ObjectAcl {
    /// Whoever may use its bucket.
    #[default]
    Default,
    Private,
    PublicRead,
    PublicReadWrite,
}

impl ObjectAcl {
    const ALL: [Self; 4] = [Self::Default, Self::Private, Self::PublicRead, Self::PublicReadWrite];

    fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Private => "private",
            Self::PublicRead => "public-read",
            Self::PublicReadWrite => "public-read-write",
        }
    }

    /// Whether it needs no line of its own in the log.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::Default
    }

    /// What the request says; the default where it is silent.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let Some(name) = text(headers, HEADER) else { return Ok(Self::Default) };
        let known = Self::ALL.into_iter().find(|acl| acl.as_str() == name);
        known.ok_or_else(|| INVALID_ARGUMENT.because("no such acl").with("ArgumentName", HEADER))
    }
}

/// `GetObjectAcl`.
pub(crate) fn get(bucket: &Arc<Bucket>, key: &Key) -> Result<Answer, Refusal> {
    let object = bucket.object(key).ok_or(NO_SUCH_KEY)?;
    let mut xml = XmlWriter::new(false);
    xml.within("AccessControlPolicy", |xml| {
        xml.within("Owner", owner);
        xml.within("AccessControlList", |xml| xml.text("Grant", object.metadata.acl.as_str()));
    });
    Ok(document(StatusCode::OK, xml.finish()))
}

/// `PutObjectAcl`.
pub(crate) fn put(bucket: &Arc<Bucket>, key: &Key, headers: &HeaderMap) -> Result<Answer, Refusal> {
    bucket.set_acl(key, ObjectAcl::of(headers)?)?;
    Ok(empty(StatusCode::OK))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn an_acl_is_one_of_four_words() {
        let of = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, HeaderValue::from_static(value));
            ObjectAcl::of(&headers).ok()
        };
        for acl in ObjectAcl::ALL {
            assert_eq!(of(acl.as_str()), Some(acl));
        }
        assert_eq!(of("authenticated-read"), None);
        assert_eq!(ObjectAcl::of(&HeaderMap::new()).ok(), Some(ObjectAcl::Default));
    }
}
