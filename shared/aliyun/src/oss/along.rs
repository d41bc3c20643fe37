//! `GetObjectTagging` and `GetObjectAcl`.

use http::Method;
use ossferry_core::along::{CannedAcl, SourceAcl, Tag};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_http::{read_tag_set, retry};

use crate::oss::client::{Call, OssClient};
use crate::xml::{unreadable, walk};

impl OssClient {
    /// `GetObjectTagging`.
    pub async fn object_tags(&self, key: &Key) -> Result<Vec<Tag>, PortError> {
        const OPERATION: &str = "GetObjectTagging";
        retry(self.policy(), || async {
            let document = self.document(beside(OPERATION, &[(b"tagging", b"")], key)).await?;
            read_tag_set(&document).map_err(|error| {
                PortError::new(ErrorKind::BadAnswer, format!("{OPERATION}: {error}"))
            })
        })
        .await
    }

    /// `GetObjectAcl`.
    pub async fn object_acl(&self, key: &Key) -> Result<SourceAcl, PortError> {
        const OPERATION: &str = "GetObjectAcl";
        retry(self.policy(), || async {
            let document = self.document(beside(OPERATION, &[(b"acl", b"")], key)).await?;
            let mut grant = None;
            walk(&document, |path, text| {
                if path == "AccessControlPolicy/AccessControlList/Grant" {
                    grant = text.map(str::to_owned);
                }
                Some(())
            })
            .ok_or_else(|| unreadable(OPERATION))?;
            let grant = grant.ok_or_else(|| unreadable(OPERATION))?;
            if grant == "default" {
                return Ok(SourceAcl::OfBucket);
            }
            let canned = CannedAcl::ALL.into_iter().find(|acl| acl.as_str() == grant);
            Ok(canned.map_or(SourceAcl::Other, SourceAcl::Canned))
        })
        .await
    }
}

fn beside<'a>(
    operation: &'static str,
    query: &'a [(&'a [u8], &'a [u8])],
    key: &'a Key,
) -> Call<'a> {
    Call { query, is_beside: true, ..Call::new(operation, Method::GET, Some(key)) }
}
