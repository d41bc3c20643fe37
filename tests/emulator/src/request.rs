//! What a request asks about: bucket, key and query, decoded from the raw target byte for byte.

use std::net::IpAddr;

use http::HeaderMap;
use http::request::Parts;
use ossferry_core::key::Key;
use percent_encoding::percent_decode;

/// Decoded pairs of a query, in the order in which they were sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, Vec<u8>)>);

impl Query {
    /// Decodes a raw query. `+` is a space, as OSS reads it.
    pub(crate) fn parse(raw: &str) -> Self {
        let decode = |text: &str| -> Vec<u8> {
            let spaced: Vec<u8> =
                text.bytes().map(|byte| if byte == b'+' { b' ' } else { byte }).collect();
            percent_decode(&spaced).collect()
        };
        let pairs = raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (String::from_utf8_lossy(&decode(name)).into_owned(), decode(value))
        });
        Self(pairs.collect())
    }

    /// Every pair.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// Whether `name` is there, with a value or without.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(given, _)| given == name)
    }

    /// The value of `name`.
    pub(crate) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_slice())
    }

    /// The value of `name`, where it is UTF-8.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.bytes(name)?).ok()
    }

    /// Whether the answer's names are to be percent-encoded.
    pub(crate) fn encodes_urls(&self) -> bool {
        self.text("encoding-type") == Some("url")
    }
}

/// A request's target.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Absent: the request is about the account.
    pub(crate) bucket: Option<String>,
    /// Absent: the request is about the bucket.
    pub(crate) key: Option<Key>,
    /// The query.
    pub(crate) query: Query,
}

impl Target {
    /// Reads the target of a request. `is_bucket` says which names exist, for hosts whose first
    /// label may be a bucket.
    pub(crate) fn of(parts: &Parts, is_bucket: impl Fn(&str) -> bool) -> Self {
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        let path = parts.uri.path();
        let path = path.strip_prefix('/').unwrap_or(path);
        let by_host = virtual_host(host(&parts.headers), is_bucket);
        let (bucket, raw_key) = if let Some(bucket) = by_host {
            (bucket.to_owned(), path)
        } else {
            let (bucket, raw_key) = path.split_once('/').unwrap_or((path, ""));
            (String::from_utf8_lossy(&decoded(bucket)).into_owned(), raw_key)
        };
        let key = (!raw_key.is_empty()).then(|| Key::new(decoded(raw_key)));
        Self { bucket: (!bucket.is_empty()).then_some(bucket), key, query }
    }
}

fn decoded(raw: &str) -> Vec<u8> {
    percent_decode(raw.as_bytes()).collect()
}

/// The `Host` header, or nothing.
pub(crate) fn host(headers: &HeaderMap) -> &str {
    headers.get(http::header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The bucket that a host names in its first label.
///
/// Below `aliyuncs.com` and `localhost` the first label is always a bucket, unless it is the
/// endpoint itself; elsewhere only where such a bucket exists.
fn virtual_host(host: &str, is_bucket: impl Fn(&str) -> bool) -> Option<&str> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if host.starts_with('[') || name.parse::<IpAddr>().is_ok() {
        return None;
    }
    let (label, domain) = name.split_once('.')?;
    let certain =
        domain == "localhost" || (domain.ends_with(".aliyuncs.com") && domain.starts_with("oss-"));
    (certain || is_bucket(label)).then_some(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str, uri: &str) -> (Option<String>, Option<Vec<u8>>) {
        let request = http::Request::get(uri).header("host", host).body(()).unwrap();
        let target = Target::of(&request.into_parts().0, |name| name == "photos");
        (target.bucket, target.key.map(|key| key.as_bytes().to_vec()))
    }

    #[test]
    fn keys_are_the_raw_path_decoded_and_never_normalised() {
        for (uri, key) in [
            ("/photos/a", &b"a"[..]),
            ("/photos/../x", b"../x"),
            ("/photos/.", b"."),
            ("/photos/a//b/", b"a//b/"),
            ("/photos//a", b"/a"),
            ("/photos/a%2Fb", b"a/b"),
            ("/photos/%2e%2E/x", b"../x"),
            ("/photos/a+b%2B%20", b"a+b+ "),
            ("/photos/%00%01%ff", b"\x00\x01\xff"),
            ("/photos/100%", b"100%"),
        ] {
            assert_eq!(
                target("127.0.0.1:80", uri),
                (Some("photos".into()), Some(key.to_vec())),
                "{uri}"
            );
        }
    }

    #[test]
    fn the_bucket_is_in_the_path_or_in_the_host() {
        let photos = || Some("photos".to_owned());
        for (host, uri, bucket, key) in [
            ("127.0.0.1:8080", "/", None, None),
            ("127.0.0.1:8080", "/photos", photos(), None),
            ("127.0.0.1:8080", "/photos/", photos(), None),
            ("[::1]:8080", "/photos/a", photos(), Some("a")),
            ("localhost:8080", "/photos/a", photos(), Some("a")),
            ("emulator.test:80", "/photos/a", photos(), Some("a")),
            ("photos.emulator.test", "/photos/a", photos(), Some("photos/a")),
            ("photos.oss-cn-hangzhou.aliyuncs.com", "/a", photos(), Some("a")),
            ("other.oss-cn-hangzhou.aliyuncs.com", "/a", Some("other".into()), Some("a")),
            ("oss-cn-hangzhou.aliyuncs.com", "/", None, None),
            ("new.localhost:80", "/", Some("new".into()), None),
        ] {
            let key = key.map(|key| key.as_bytes().to_vec());
            assert_eq!(target(host, uri), (bucket, key), "{host} {uri}");
        }
    }

    #[test]
    fn a_query_keeps_names_without_values() {
        let query = Query::parse("uploads&prefix=a+b%2B&x=&encoding-type=url");
        assert!(query.has("uploads") && query.has("x") && !query.has("y"));
        assert_eq!(query.bytes("prefix"), Some(&b"a b+"[..]));
        assert!(query.encodes_urls());
    }
}
