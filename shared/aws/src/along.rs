//! What is read of an object beside its bytes: tags and ACL, each by a request of its own.

use bytes::Bytes;
use http::Method;
use ossferry_core::along::{CannedAcl, SourceAcl, Tag};
use ossferry_core::error::PortError;
use ossferry_core::key::Key;
use ossferry_http::xml::{Visitor, XmlError, walk};
use ossferry_http::{TAG_SET_BYTES_MAX, read_tag_set, retry};

use crate::error::{GET_OBJECT_ACL, GET_OBJECT_TAGGING, bad_answer};
use crate::source::S3Source;
use crate::wire::{Ask, Mended};

/// More than a hundred grants take.
const ACL_BYTES_MAX: usize = 256 << 10;

impl S3Source {
    pub(crate) async fn read_tags(&self, key: &Key) -> Result<Vec<Tag>, PortError> {
        let ask = asked(GET_OBJECT_TAGGING, key, "tagging=");
        let mended = Mended::default();
        retry(&self.wire.retry, || async {
            let response = self.wire.send(&ask, &self.meter, &mended).await?;
            let headers = response.headers.clone();
            let body = response.collect(TAG_SET_BYTES_MAX).await?;
            read_tag_set(&body)
                .map_err(|error| bad_answer(GET_OBJECT_TAGGING, &headers, &error.to_string()))
                .map_err(|error| mended.weigh(error))
        })
        .await
    }

    pub(crate) async fn read_acl(&self, key: &Key) -> Result<SourceAcl, PortError> {
        let ask = asked(GET_OBJECT_ACL, key, "acl=");
        let mended = Mended::default();
        retry(&self.wire.retry, || async {
            let response = self.wire.send(&ask, &self.meter, &mended).await?;
            let headers = response.headers.clone();
            // COS says of an object that has none of its own.
            let told = ["x-cos-acl", "x-amz-acl"].into_iter().find_map(|name| headers.get(name));
            if told.is_some_and(|told| told == "default") {
                return Ok(SourceAcl::OfBucket);
            }
            let body = response.collect(ACL_BYTES_MAX).await?;
            read_grants(&body)
                .map_err(|error| bad_answer(GET_OBJECT_ACL, &headers, &error.to_string()))
                .map_err(|error| mended.weigh(error))
        })
        .await
    }
}

fn asked<'a>(operation: &'static str, key: &'a Key, query: &'a str) -> Ask<'a> {
    let (method, body) = (Method::GET, Bytes::new());
    Ask { operation, method, key: Some(key), query, headers: &[], body, is_beside: true }
}

/// Who may do what. The owner's own grants say nothing: whoever writes the copy owns it.
#[derive(Default)]
struct Grants {
    owner: String,
    grantee: String,
    public_read: bool,
    public_write: bool,
    others: bool,
}

fn read_grants(body: &[u8]) -> Result<SourceAcl, XmlError> {
    let document =
        std::str::from_utf8(body).map_err(|_| XmlError::Broken("it is not utf-8".to_owned()))?;
    let mut grants = Grants::default();
    walk(document, &mut grants)?;
    Ok(match grants {
        Grants { others: true, .. } => SourceAcl::Other,
        Grants { public_read: true, public_write: true, .. } => {
            SourceAcl::Canned(CannedAcl::PublicReadWrite)
        }
        Grants { public_read: true, .. } => SourceAcl::Canned(CannedAcl::PublicRead),
        Grants { public_write: true, .. } => SourceAcl::Other,
        _ => SourceAcl::Canned(CannedAcl::Private),
    })
}

impl Visitor for Grants {
    fn open(&mut self, depth: usize, name: &str) -> Result<(), XmlError> {
        match (depth, name) {
            (1, "AccessControlPolicy") => Ok(()),
            (1, _) => Err(XmlError::Unexpected(format!("not an acl: {name:?}"))),
            _ => Ok(()),
        }
    }

    fn close(&mut self, depth: usize, name: &str, text: &str) -> Result<(), XmlError> {
        match (depth, name) {
            (3, "ID") => text.clone_into(&mut self.owner),
            (5, "ID" | "URI") => text.clone_into(&mut self.grantee),
            (4, "Permission") => self.grant(text),
            _ => {}
        }
        Ok(())
    }
}

impl Grants {
    fn grant(&mut self, permission: &str) {
        let grantee = std::mem::take(&mut self.grantee);
        if !self.owner.is_empty() && grantee == self.owner {
            return;
        }
        // COS names everybody as a user as well.
        let is_everybody =
            grantee.ends_with("/groups/global/AllUsers") || grantee == "qcs::cam::anyone:anyone";
        match permission {
            "READ" if is_everybody => self.public_read = true,
            "WRITE" if is_everybody => self.public_write = true,
            _ => self.others = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_become_the_canned_acl_that_says_the_same() {
        let everybody = "<URI>http://acs.amazonaws.com/groups/global/AllUsers</URI>";
        let (owner, other) = ("<ID>o</ID><DisplayName>n</DisplayName>", "<ID>p</ID>");
        let signed_in = "<URI>http://acs.amazonaws.com/groups/global/AuthenticatedUsers</URI>";
        let read = |grants: &[(&str, &str)]| {
            let grant = |(who, what): &(&str, &str)| {
                format!(
                    "<Grant><Grantee xsi:type=\"x\">{who}</Grantee>\
                     <Permission>{what}</Permission></Grant>"
                )
            };
            let grants = grants.iter().map(grant).collect::<Vec<_>>().concat();
            let document = format!(
                "<AccessControlPolicy><Owner><ID>o</ID></Owner><AccessControlList>{grants}\
                 </AccessControlList></AccessControlPolicy>"
            );
            read_grants(document.as_bytes()).unwrap()
        };
        let full = (owner, "FULL_CONTROL");
        assert_eq!(read(&[full]), SourceAcl::Canned(CannedAcl::Private));
        assert_eq!(read(&[full, (everybody, "READ")]), SourceAcl::Canned(CannedAcl::PublicRead));
        let both = [full, (everybody, "READ"), (everybody, "WRITE")];
        assert_eq!(read(&both), SourceAcl::Canned(CannedAcl::PublicReadWrite));
        for others in [
            (other, "READ"),
            (signed_in, "READ"),
            (everybody, "READ_ACP"),
            (everybody, "WRITE"),
            (everybody, "FULL_CONTROL"),
        ] {
            assert_eq!(read(&[full, others]), SourceAcl::Other, "{others:?}");
        }
        assert!(read_grants(b"<Error/>").is_err());
    }
}
