//! Which operation a request is.

use http::{HeaderMap, Method};

use crate::errors::{METHOD_NOT_ALLOWED, NOT_IMPLEMENTED, Refusal};
use crate::request::Target;

/// An operation by its name in the OSS manual.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    ListBuckets,
    PutBucket,
    DeleteBucket,
    HeadBucket,
    GetBucketInfo,
    GetBucketLocation,
    GetBucketVersioning,
    GetBucketAcl,
    GetBucketStat,
    PutBucketWebsite,
    GetBucketWebsite,
    DeleteBucketWebsite,
    ListObjects,
    ListObjectsV2,
    ListMultipartUploads,
    DeleteMultipleObjects,
    PutObject,
    CopyObject,
    GetObject,
    HeadObject,
    DeleteObject,
    PutObjectTagging,
    GetObjectTagging,
    DeleteObjectTagging,
    PutObjectAcl,
    GetObjectAcl,
    RestoreObject,
    InitiateMultipartUpload,
    UploadPart,
    UploadPartCopy,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListParts,
}

use Operation as Op;

/// Query names that choose an operation. One that is not served must never be taken for another.
const SUB_RESOURCES: &[&str] = &[
    "accessmonitor",
    "acl",
    "append",
    "asyncFetch",
    "bucketArchiveDirectRead",
    "bucketInfo",
    "callback",
    "cname",
    "comp",
    "cors",
    "delete",
    "encryption",
    "httpsConfig",
    "inventory",
    "lifecycle",
    "live",
    "location",
    "logging",
    "metaQuery",
    "objectMeta",
    "policy",
    "publicAccessBlock",
    "referer",
    "replication",
    "requestPayment",
    "resourceGroup",
    "restore",
    "stat",
    "style",
    "symlink",
    "tagging",
    "transferAcceleration",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
    "worm",
    "x-oss-async-process",
    "x-oss-process",
];

/// Headers that would change what an operation does, and are not served.
const UNSERVED_HEADERS: [&str; 2] = ["x-oss-callback", "x-oss-object-worm-mode"];

/// The operation that a request asks for.
pub(crate) fn operation(
    method: &Method,
    target: &Target,
    headers: &HeaderMap,
) -> Result<Operation, Refusal> {
    if let Some(name) = UNSERVED_HEADERS.into_iter().find(|name| headers.contains_key(*name)) {
        return Err(NOT_IMPLEMENTED.with("Header", name));
    }
    let query = &target.query;
    let named = SUB_RESOURCES.iter().copied().find(|name| query.has(name));
    let found = match (&target.bucket, &target.key) {
        (None, _) => (method == Method::GET).then_some(Op::ListBuckets),
        (Some(_), None) => bucket_operation(method, named, query.text("list-type")),
        (Some(_), Some(_)) => {
            let copies = headers.contains_key("x-oss-copy-source");
            object_operation(method, named, copies)
        }
    };
    found.ok_or_else(|| match named {
        Some(name) => NOT_IMPLEMENTED.with("Resource", name),
        None => METHOD_NOT_ALLOWED.with("Method", method.as_str()),
    })
}

fn bucket_operation(
    method: &Method,
    named: Option<&str>,
    list_type: Option<&str>,
) -> Option<Operation> {
    Some(match (method.as_str(), named) {
        ("PUT", None) => Op::PutBucket,
        ("DELETE", None) => Op::DeleteBucket,
        ("HEAD", None) => Op::HeadBucket,
        ("GET", None) if list_type == Some("2") => Op::ListObjectsV2,
        ("GET", None) => Op::ListObjects,
        ("GET", Some("bucketInfo")) => Op::GetBucketInfo,
        ("GET", Some("location")) => Op::GetBucketLocation,
        ("GET", Some("versioning")) => Op::GetBucketVersioning,
        ("GET", Some("acl")) => Op::GetBucketAcl,
        ("GET", Some("stat")) => Op::GetBucketStat,
        ("PUT", Some("website")) => Op::PutBucketWebsite,
        ("GET", Some("website")) => Op::GetBucketWebsite,
        ("DELETE", Some("website")) => Op::DeleteBucketWebsite,
        ("GET", Some("uploads")) => Op::ListMultipartUploads,
        ("POST", Some("delete")) => Op::DeleteMultipleObjects,
        _ => return None,
    })
}

fn object_operation(method: &Method, named: Option<&str>, copies: bool) -> Option<Operation> {
    Some(match (method.as_str(), named) {
        ("PUT", None) if copies => Op::CopyObject,
        ("PUT", None) => Op::PutObject,
        ("GET", None) => Op::GetObject,
        ("HEAD", None | Some("objectMeta")) => Op::HeadObject,
        ("DELETE", None) => Op::DeleteObject,
        ("PUT", Some("tagging")) => Op::PutObjectTagging,
        ("GET", Some("tagging")) => Op::GetObjectTagging,
        ("DELETE", Some("tagging")) => Op::DeleteObjectTagging,
        ("PUT", Some("acl")) => Op::PutObjectAcl,
        ("GET", Some("acl")) => Op::GetObjectAcl,
        ("POST", Some("restore")) => Op::RestoreObject,
        ("POST", Some("uploads")) => Op::InitiateMultipartUpload,
        ("PUT", Some("uploadId")) if copies => Op::UploadPartCopy,
        ("PUT", Some("uploadId")) => Op::UploadPart,
        ("POST", Some("uploadId")) => Op::CompleteMultipartUpload,
        ("DELETE", Some("uploadId")) => Op::AbortMultipartUpload,
        ("GET", Some("uploadId")) => Op::ListParts,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_told_apart_and_unknown_ones_refused() {
        let cases: [(&str, &str, Result<Operation, &str>); 21] = [
            ("GET", "/", Ok(Op::ListBuckets)),
            ("PUT", "/", Err("MethodNotAllowed")),
            ("PUT", "/bucket/", Ok(Op::PutBucket)),
            ("GET", "/bucket/?list-type=2&prefix=uploads", Ok(Op::ListObjectsV2)),
            ("GET", "/bucket?marker=a", Ok(Op::ListObjects)),
            ("GET", "/bucket/?versioning", Ok(Op::GetBucketVersioning)),
            ("PUT", "/bucket/?versioning", Err("NotImplemented")),
            ("PUT", "/bucket/?acl", Err("NotImplemented")),
            ("GET", "/bucket/?uploads", Ok(Op::ListMultipartUploads)),
            ("PUT", "/bucket/k", Ok(Op::PutObject)),
            ("PUT", "/bucket/k?acl", Ok(Op::PutObjectAcl)),
            ("PUT", "/bucket/k?symlink", Err("NotImplemented")),
            ("POST", "/bucket/k?append&position=0", Err("NotImplemented")),
            ("POST", "/bucket/k?restore", Ok(Op::RestoreObject)),
            ("POST", "/bucket/k?uploads=", Ok(Op::InitiateMultipartUpload)),
            ("PUT", "/bucket/k?partNumber=1&uploadId=A", Ok(Op::UploadPart)),
            ("POST", "/bucket/k?uploadId=A", Ok(Op::CompleteMultipartUpload)),
            ("HEAD", "/bucket/k?objectMeta", Ok(Op::HeadObject)),
            ("GET", "/bucket/k?versionId=1", Err("NotImplemented")),
            ("POST", "/bucket/k", Err("MethodNotAllowed")),
            ("GET", "/bucket/k?x-oss-process=image", Err("NotImplemented")),
        ];
        for (method, uri, expected) in cases {
            let request =
                http::Request::builder().method(method).uri(uri).body(()).unwrap().into_parts().0;
            let target = Target::of(&request, |_| false);
            let found = operation(&request.method, &target, &request.headers);
            assert_eq!(found.as_ref().map(|op| *op).map_err(Refusal::code), expected, "{uri}");
        }
    }
}
