//! Where a bucket is spoken to.

use http::HeaderValue;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::job::Addressing;
use ossferry_core::key::Key;
use ossferry_http::Endpoint;
use ossferry_http::percent::{Slash, push_encoded};

use crate::kind::S3Kind;

/// The address of one bucket: which host is asked, under which name, and what its paths begin with.
#[derive(Clone, Debug)]
pub(crate) struct BucketPlace {
    /// Where connections go.
    pub(crate) endpoint: Endpoint,
    /// What the `Host` header says.
    pub(crate) host: HeaderValue,
    /// `/`, or `/bucket/` in path style.
    root: String,
}

impl BucketPlace {
    /// `endpoint` is the service's, as the job holds it: scheme, host and port.
    ///
    /// COS refuses the path style for buckets made since 2024, so there it is never used. S3's
    /// certificates cover one label in front of the host, so a bucket with a dot in its name is
    /// addressed by path.
    pub(crate) fn new(
        kind: S3Kind,
        endpoint: &str,
        bucket: &str,
        addressing: Addressing,
    ) -> Result<Self, PortError> {
        let bad = |what: &str| PortError::new(ErrorKind::Unsupported, format!("endpoint: {what}"));
        let service = Endpoint::parse(endpoint).ok_or_else(|| bad("want scheme, host and port"))?;
        if kind == S3Kind::S3 && bucket.ends_with("--x-s3") {
            return Err(bad("directory buckets neither list in order nor give md5 or crc64"));
        }
        let by_path = match kind {
            S3Kind::S3 => {
                addressing == Addressing::Path || bucket.contains('.') || service.is_address()
            }
            S3Kind::Cos => false,
            _ => addressing == Addressing::Path,
        };
        if bucket.is_empty() {
            return Err(bad("the bucket has no name"));
        }
        let (endpoint, host, root) = if by_path {
            let mut root = String::from("/");
            push_encoded(&mut root, bucket.as_bytes(), Slash::Encoded);
            root.push('/');
            let host = service.authority().to_owned();
            (service, host, root)
        } else if service.is_address() {
            // Nothing resolves under a bare address: it is asked, by the bucket's name.
            let host = format!("{bucket}.{}", service.authority());
            (service, host, "/".to_owned())
        } else {
            let named = service.under(bucket).ok_or_else(|| bad("the bucket is no host name"))?;
            let host = named.authority().to_owned();
            (named, host, "/".to_owned())
        };
        let host = HeaderValue::from_str(&host).map_err(|_| bad("not a host name"))?;
        Ok(Self { endpoint, host, root })
    }

    /// Whether the bucket's name stands in the path.
    pub(crate) fn is_path_style(&self) -> bool {
        self.root != "/"
    }

    /// The path of a key, or of the bucket itself: percent-encoded and otherwise byte for byte.
    pub(crate) fn path(&self, key: Option<&Key>) -> String {
        let key = key.map_or(&[][..], Key::as_bytes);
        let mut path = String::with_capacity(self.root.len() + key.len() + 64);
        path.push_str(&self.root);
        push_encoded(&mut path, key, Slash::Kept);
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_stands_where_its_store_wants_it() {
        use Addressing::{Path, Virtual};
        use S3Kind::{Compatible, Cos, S3};
        let aws = "https://s3.eu-west-1.amazonaws.com";
        let cos = "https://cos.ap-guangzhou.myqcloud.com";
        for (kind, endpoint, bucket, addressing, host, root) in [
            (S3, aws, "b", Virtual, "b.s3.eu-west-1.amazonaws.com", "/"),
            (S3, aws, "a.b", Virtual, "s3.eu-west-1.amazonaws.com", "/a.b/"),
            (S3, aws, "b", Path, "s3.eu-west-1.amazonaws.com", "/b/"),
            (S3, "http://127.0.0.1:9000", "b", Virtual, "127.0.0.1:9000", "/b/"),
            (S3, "http://localhost:9000", "b", Virtual, "localhost:9000", "/b/"),
            (Cos, cos, "p-125", Path, "p-125.cos.ap-guangzhou.myqcloud.com", "/"),
            (Cos, "http://127.0.0.1:9000", "p-125", Path, "p-125.127.0.0.1:9000", "/"),
            (Compatible, "https://minio.example", "b", Path, "minio.example", "/b/"),
            (Compatible, "https://minio.example", "b", Virtual, "b.minio.example", "/"),
        ] {
            let place = BucketPlace::new(kind, endpoint, bucket, addressing).unwrap();
            assert_eq!((place.host.to_str().unwrap(), place.root.as_str()), (host, root));
        }
    }

    #[test]
    fn a_key_stands_in_the_path_byte_for_byte() {
        let place =
            BucketPlace::new(S3Kind::Compatible, "http://h", "b", Addressing::Path).unwrap();
        let key = Key::new(&b"/a//./../b \x01\xff+%"[..]);
        assert_eq!(place.path(Some(&key)), "/b//a//./../b%20%01%FF%2B%25");
        assert_eq!(place.path(None), "/b/");
    }

    #[test]
    fn what_cannot_be_spoken_to_is_refused() {
        for (endpoint, bucket) in
            [("ftp://h", "b"), ("https://h/x", "b"), ("https://h", ""), ("https://h", "b--x-s3")]
        {
            let place = BucketPlace::new(S3Kind::S3, endpoint, bucket, Addressing::Virtual);
            assert_eq!(place.unwrap_err().kind, ErrorKind::Unsupported, "{endpoint} {bucket}");
        }
    }
}
