//! An endpoint that lists so many numbered keys, as S3 and OSS do. Nothing is stored: a page is
//! written when it is asked for.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use oss_emulator::{RunningEmulator, serve};
use ossferry_http::percent::{Plus, decode};

/// Keys of one page.
const PAGE_KEYS: u64 = 1_000;

/// Bytes of a key: whoever keeps them all has to keep this much of each.
pub const KEY_BYTES: usize = 300;

/// Serves until it is dropped.
pub struct NumberedKeys {
    running: RunningEmulator,
}

impl NumberedKeys {
    /// A bucket of so many keys, whatever its name.
    pub async fn start(keys: u64) -> Self {
        let service = service_fn(move |request: Request<Incoming>| async move {
            Ok::<_, Infallible>(answer(&request, keys))
        });
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let running = serve(address, service).await.expect("loopback has a free port");
        Self { running }
    }

    /// `http://` and where it listens.
    pub fn endpoint(&self) -> String {
        self.running.endpoint()
    }
}

fn answer(request: &Request<Incoming>, keys: u64) -> Response<Full<Bytes>> {
    let query = request.uri().query().unwrap_or_default();
    let parameter =
        |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let text = if query.contains("list-type=2") {
        let count = parameter("max-keys").and_then(|text| text.parse().ok());
        let after = parameter("continuation-token").or(parameter("start-after"));
        let after = after.and_then(|text| decode(text.as_bytes(), Plus::Space));
        let first = after.map_or(0, |after| first_after(&after, keys));
        page(first, count.unwrap_or(PAGE_KEYS).min(PAGE_KEYS), keys)
    } else {
        String::new()
    };
    let mut answer = Response::new(Full::from(text));
    *answer.status_mut() = StatusCode::OK;
    answer
}

fn key(number: u64) -> String {
    format!("{number:09}/{:x<1$}", "", KEY_BYTES - 10)
}

/// The number of the first of so many keys that sorts after this one.
fn first_after(after: &[u8], keys: u64) -> u64 {
    let (mut least, mut most) = (0, keys);
    while least < most {
        let middle = u64::midpoint(least, most);
        if key(middle).as_bytes() <= after { least = middle + 1 } else { most = middle }
    }
    least
}

fn page(first: u64, count: u64, keys: u64) -> String {
    let last = first.saturating_add(count).min(keys);
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult>");
    for number in first..last {
        let _ = write!(
            text,
            "<Contents><Key>{}</Key><LastModified>2026-01-02T03:04:05.000Z\
             </LastModified><ETag>&quot;{number:032x}&quot;</ETag><Size>{number}</Size>\
             <StorageClass>STANDARD</StorageClass></Contents>",
            key(number)
        );
    }
    if last < keys {
        let _ = write!(
            text,
            "<IsTruncated>true</IsTruncated><NextContinuationToken>{}</NextContinuationToken>",
            key(last.saturating_sub(1))
        );
    } else {
        text.push_str("<IsTruncated>false</IsTruncated>");
    }
    text.push_str("</ListBucketResult>");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_begins_at_the_first_key_after_the_text() {
        for (after, first) in [
            ("", 0),
            (&*key(12), 13),
            ("000000012", 12),
            ("000000012/y", 13),
            ("00000002z", 30),
            ("z", 40),
        ] {
            assert_eq!(first_after(after.as_bytes(), 40), first, "{after}");
        }
    }
}
