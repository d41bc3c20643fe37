//! OSS signature V1 (HMAC-SHA1), in the stages of its specification. Only servers that still take it
//! need it: our own requests are signed with V4.

use crate::mac::sha1_base64;
use crate::oss::sign::Signable;

/// Query names that V1 signs: what the two official Python SDKs list (oss2 2.19, v2 1.4).
const SUB_RESOURCES: &[&str] = &[
    "accessPoint",
    "accessPointPolicy",
    "acl",
    "append",
    "asyncFetch",
    "bucketArchiveDirectRead",
    "bucketInfo",
    "callback",
    "callback-var",
    "cloudboxes",
    "cname",
    "comp",
    "continuation-token",
    "cors",
    "delete",
    "encryption",
    "endTime",
    "group",
    "httpsConfig",
    "inventory",
    "inventoryId",
    "lifecycle",
    "link",
    "live",
    "location",
    "logging",
    "metaQuery",
    "objectInfo",
    "objectMeta",
    "partNumber",
    "policy",
    "position",
    "publicAccessBlock",
    "qos",
    "qosInfo",
    "qosRequester",
    "redundancyTransition",
    "referer",
    "regionList",
    "replication",
    "replicationLocation",
    "replicationProgress",
    "requestPayment",
    "requesterQosInfo",
    "resourceGroup",
    "resourcePool",
    "resourcePoolBuckets",
    "resourcePoolInfo",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "security-token",
    "sequential",
    "startTime",
    "stat",
    "status",
    "style",
    "styleName",
    "symlink",
    "tagging",
    "transferAcceleration",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "vod",
    "website",
    "worm",
    "wormExtend",
    "wormId",
    "x-oss-ac-forward-allow",
    "x-oss-ac-source-ip",
    "x-oss-ac-subnet-mask",
    "x-oss-ac-vpc-id",
    "x-oss-access-point-name",
    "x-oss-async-process",
    "x-oss-process",
    "x-oss-redundancy-transition-taskid",
    "x-oss-request-payer",
    "x-oss-target-redundancy-type",
    "x-oss-traffic-limit",
    "x-oss-write-get-object-response",
];

/// The text that a signature in the `Authorization` header covers: dated by `x-oss-date`, else by
/// `date`.
pub fn string_to_sign(request: &Signable<'_>) -> Vec<u8> {
    let header = |name: &str| request.headers.get(name).map(|value| value.as_bytes().trim_ascii());
    let date = header("x-oss-date").or_else(|| header("date")).unwrap_or_default();
    string_to_sign_dated(request, date)
}

/// The text that the signature of a presigned request covers: `expires` is its `Expires`, in seconds
/// since 1970.
pub fn presigned_string_to_sign(request: &Signable<'_>, expires: &str) -> Vec<u8> {
    string_to_sign_dated(request, expires.as_bytes())
}

/// The signature: base64 of HMAC-SHA1.
pub fn signature(secret_key: &str, string_to_sign: &[u8]) -> String {
    sha1_base64(secret_key.as_bytes(), string_to_sign)
}

/// The `Authorization` header.
pub fn authorization(access_key: &str, signature: &str) -> String {
    format!("OSS {access_key}:{signature}")
}

fn string_to_sign_dated(request: &Signable<'_>, date: &[u8]) -> Vec<u8> {
    let header = |name: &str| {
        request.headers.get(name).map(|value| value.as_bytes().trim_ascii()).unwrap_or_default()
    };
    let mut text = Vec::with_capacity(256);
    for line in [request.method.as_bytes(), header("content-md5"), header("content-type"), date] {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    let mut signed: Vec<(&str, &[u8])> = request
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes().trim_ascii()))
        .filter(|(name, _)| name.starts_with("x-oss-"))
        .collect();
    signed.sort_unstable_by_key(|(name, _)| *name);
    for (name, value) in signed {
        for piece in [name.as_bytes(), b":", value, b"\n"] {
            text.extend_from_slice(piece);
        }
    }
    push_resource(&mut text, request);
    text
}

fn push_resource(text: &mut Vec<u8>, request: &Signable<'_>) {
    text.push(b'/');
    if let Some(bucket) = request.bucket {
        text.extend_from_slice(bucket.as_bytes());
        text.push(b'/');
    }
    text.extend_from_slice(request.key.unwrap_or_default());
    let is_signed =
        |name: &[u8]| SUB_RESOURCES.binary_search_by(|known| known.as_bytes().cmp(name)).is_ok();
    let mut pairs: Vec<_> = request.query.iter().filter(|(name, _)| is_signed(name)).collect();
    pairs.sort_unstable();
    for (index, (name, value)) in pairs.into_iter().enumerate() {
        text.push(if index == 0 { b'?' } else { b'&' });
        text.extend_from_slice(name);
        if !value.is_empty() {
            text.push(b'=');
            text.extend_from_slice(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_signed_request_is_as_the_sdks_have_it() {
        let headers = headers(&[
            ("content-md5", "eB5eJF1ptWaXm4bijSPyxw=="),
            ("content-type", "text/html"),
            ("x-oss-date", "Wed, 28 Dec 2022 10:27:41 GMT"),
            ("x-oss-meta-magic", "abracadabra"),
            ("x-oss-meta-author", "alice"),
            ("host", "not signed"),
        ]);
        let mut request = Signable {
            method: "PUT",
            bucket: Some("examplebucket"),
            key: Some(b"nelson"),
            query: &[(b"not-signed", b"1")],
            headers: &headers,
        };
        let text = string_to_sign(&request);
        assert_eq!(
            String::from_utf8(text.clone()).unwrap(),
            "PUT\neB5eJF1ptWaXm4bijSPyxw==\ntext/html\nWed, 28 Dec 2022 10:27:41 GMT\n\
             x-oss-date:Wed, 28 Dec 2022 10:27:41 GMT\nx-oss-meta-author:alice\n\
             x-oss-meta-magic:abracadabra\n/examplebucket/nelson"
        );
        assert_eq!(
            authorization("ak", &signature("sk", &text)),
            "OSS ak:kSHKmLxlyEAKtZPkJhG9bZb5k7M="
        );
        request.query = &[(b"acl", b"")];
        let text = string_to_sign(&request);
        assert_eq!(
            authorization("ak", &signature("sk", &text)),
            "OSS ak:/afkugFbmWDQ967j1vr6zygBLQk="
        );
    }

    #[test]
    fn a_presigned_request_is_dated_by_its_expiry() {
        let headers = HeaderMap::new();
        let request = Signable {
            method: "GET",
            bucket: Some("bucket"),
            key: Some(b"key"),
            query: &[(b"versionId", b"versionId"), (b"Expires", b"1699807420")],
            headers: &headers,
        };
        let text = presigned_string_to_sign(&request, "1699807420");
        assert_eq!(signature("sk", &text), "dcLTea+Yh9ApirQ8o8dOPqtvJXQ=");
    }

    #[test]
    fn the_signed_query_names_are_sorted_so_that_they_are_found() {
        assert!(SUB_RESOURCES.is_sorted());
    }
}
