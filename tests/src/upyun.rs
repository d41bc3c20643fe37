//! UPYUN as far as a source asks for it, as its documents describe the REST interface: files in folders, a
//! folder listed by pages whose markers mean nothing to others, signatures by an operator's password.
//!
//! Conditions are not among what the documents name, and are passed over here.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE as BASE64;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::header::{AUTHORIZATION, CONTENT_RANGE, DATE, ETAG, LAST_MODIFIED, RANGE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use md5::{Digest, Md5};
use oss_emulator::{RunningEmulator, serve};
use ossferry_core::key::Key;
use ossferry_core::object::ObjectHeaders;
use ossferry_http::percent::{Plus, decode};
use ossferry_http::{Credentials, LaneOptions, RetryPolicy, StaticCredentials, format_http_date};
use ossferry_upyun::{UpyunOptions, UpyunSource};
use serde_json::json;
use sha1::Sha1;

use crate::clock;
use crate::lambda::locked;

/// Who may read the bucket.
pub const OPERATOR: &str = "operator123";
/// By this password.
pub const PASSWORD: &str = "password123";

const BUCKET: &str = "photos";

/// After the last page of a folder.
const END: &str = "g2gCZAAEbmV4dGQAA2VvZg";

type Answer = Response<Full<Bytes>>;

/// A bucket of UPYUN.
pub struct Upyun {
    running: RunningEmulator,
    files: Arc<Files>,
}

#[derive(Default)]
struct Files(Mutex<BTreeMap<Vec<u8>, File>>);

#[derive(Clone)]
struct File {
    bytes: Bytes,
    seconds: i64,
    headers: HeaderMap,
}

impl Upyun {
    /// An empty one.
    pub async fn start() -> Self {
        let files = Arc::<Files>::default();
        let served = Arc::clone(&files);
        let service = service_fn(move |request: Request<Incoming>| {
            let files = Arc::clone(&served);
            async move { Ok::<_, Infallible>(files.answer(&request.into_parts().0)) }
        });
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let running = serve(address, service).await.expect("loopback has a free port");
        Self { running, files }
    }

    /// What a job file says of it.
    pub fn source_lines(&self) -> String {
        format!(
            "kind = \"upyun\"\nendpoint = \"{}\"\nbucket = \"{BUCKET}\"\n\
             credentials = {{ from = \"env\", access_key = \"OPERATOR\", secret_key = \"PASSWORD\" }}\n",
            self.running.endpoint()
        )
    }

    /// The bucket as a source, by this password.
    pub fn source(&self, password: &str) -> UpyunSource {
        let credentials = Credentials {
            access_key: OPERATOR.to_owned(),
            secret_key: password.to_owned(),
            token: None,
        };
        let options = UpyunOptions {
            lane: ossferry_http::Lane::new(&LaneOptions::default()),
            endpoint: self.running.endpoint(),
            bucket: BUCKET.to_owned(),
            credentials: Some(Arc::new(StaticCredentials::new(credentials))),
            clock: clock::system(),
            // Its answers on loopback are what they are: nothing gets better by waiting.
            retry: RetryPolicy { attempts_max: 2, ..RetryPolicy::default() },
        };
        UpyunSource::new(options).expect("an address")
    }

    /// Makes or overwrites a file.
    pub fn put(&self, key: &Key, bytes: Bytes, headers: &ObjectHeaders) {
        let mut kept = HeaderMap::new();
        let own = [
            ("content-type", &headers.content_type),
            ("cache-control", &headers.cache_control),
            ("content-disposition", &headers.content_disposition),
            ("content-encoding", &headers.content_encoding),
            ("content-language", &headers.content_language),
            ("expires", &headers.expires),
        ];
        for (name, value) in own {
            if let Some(value) = value {
                kept.insert(HeaderName::from_static(name), value.parse().expect("header text"));
            }
        }
        for (name, value) in &headers.user_metadata {
            let name: HeaderName = format!("x-upyun-meta-{name}").parse().expect("a name");
            kept.insert(name, value.parse().expect("header text"));
        }
        let file = File { bytes, seconds: clock::system()().0 / 1_000, headers: kept };
        locked(&self.files.0).insert(key.as_bytes().to_vec(), file);
    }

    /// Deletes a file.
    pub fn delete(&self, key: &Key) {
        locked(&self.files.0).remove(key.as_bytes());
    }
}

impl Files {
    fn answer(&self, parts: &Parts) -> Answer {
        if text(&parts.headers, AUTHORIZATION.as_str()) != signed(parts) {
            let mut refused = plain(StatusCode::UNAUTHORIZED);
            refused.headers_mut().insert("x-error-code", "40100005".parse().expect("text"));
            return refused;
        }
        let root = format!("/{BUCKET}/");
        let key = parts.uri.path().strip_prefix(&root);
        let key = key.and_then(|key| decode(key.as_bytes(), Plus::Plus));
        let Some(key) = key else { return plain(StatusCode::NOT_FOUND) };
        let is_folder = key.is_empty() || key.ends_with(b"/");
        let file = locked(&self.0).get(&key).cloned();
        match (&parts.method, file) {
            (&Method::GET, _) if parts.uri.query() == Some("usage") => {
                Response::new(Full::new(Bytes::from_static(b"61131")))
            }
            (&Method::GET, _) if is_folder => self.list(&key, &parts.headers),
            (&Method::GET, Some(file)) => file.get(text(&parts.headers, RANGE.as_str())),
            (&Method::HEAD, Some(file)) => file.head(),
            (&Method::GET, None) => self.list(&[&key[..], b"/"].concat(), &parts.headers),
            (&Method::HEAD, None) if !self.children(&[&key[..], b"/"].concat()).is_empty() => {
                let mut answer = plain(StatusCode::OK);
                answer.headers_mut().insert("x-upyun-file-type", "folder".parse().expect("text"));
                answer
            }
            _ => plain(StatusCode::NOT_FOUND),
        }
    }

    /// Names in a folder, each with the file that it is, or none.
    fn children(&self, folder: &[u8]) -> BTreeMap<Vec<u8>, Option<File>> {
        let files = locked(&self.0);
        let below = files.iter().filter_map(|(key, file)| Some((key.strip_prefix(folder)?, file)));
        below
            .map(|(rest, file)| match rest.iter().position(|byte| *byte == b'/') {
                Some(slash) => (rest[..slash].to_vec(), None),
                None => (rest.to_vec(), Some(file.clone())),
            })
            .collect()
    }

    fn list(&self, folder: &[u8], headers: &HeaderMap) -> Answer {
        let children = self.children(folder);
        if children.is_empty() && !folder.is_empty() {
            return plain(StatusCode::NOT_FOUND);
        }
        let limit: usize = text(headers, "x-list-limit").parse().unwrap_or(100);
        let after = BASE64.decode(text(headers, "x-list-iter")).expect("a marker of ours");
        let mut rest = children.iter().filter(|(name, _)| after.is_empty() || **name > after);
        let page: Vec<_> = rest.by_ref().take(limit).collect();
        let iter = match (page.last(), rest.next()) {
            (Some((last, _)), Some(_)) => BASE64.encode(last),
            _ => END.to_owned(),
        };
        let listed = page.into_iter().map(|(name, file)| {
            json!({
                "name": String::from_utf8_lossy(name),
                "type": if file.is_some() { "application/octet-stream" } else { "folder" },
                "length": file.as_ref().map_or(0, |file| file.bytes.len()),
                "last_modified": file.as_ref().map_or(0, |file| file.seconds),
            })
        });
        let files: Vec<_> = listed.collect();
        let body = json!({ "files": files, "iter": iter }).to_string();
        let mut answer = Response::new(Full::new(Bytes::from(body)));
        answer.headers_mut().insert("x-upyun-list-iter", iter.parse().expect("text"));
        answer
    }
}

impl File {
    fn md5(&self) -> String {
        hex(&Md5::digest(&self.bytes))
    }

    fn head(&self) -> Answer {
        let mut answer = plain(StatusCode::OK);
        let own = [
            ("x-upyun-file-type", "file".to_owned()),
            ("x-upyun-file-size", self.bytes.len().to_string()),
            ("x-upyun-file-date", self.seconds.to_string()),
            ("content-md5", self.md5()),
        ];
        *answer.headers_mut() = self.headers.clone();
        for (name, value) in own {
            answer.headers_mut().insert(name, value.parse().expect("text"));
        }
        answer
    }

    fn get(&self, range: &str) -> Answer {
        let whole = self.bytes.len();
        let asked = range.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
        let asked = asked.and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
        let (status, body) = match asked {
            Some((first, _)) if first >= whole => return plain(StatusCode::RANGE_NOT_SATISFIABLE),
            Some((first, last)) => {
                let end = usize::min(last + 1, whole);
                (StatusCode::PARTIAL_CONTENT, self.bytes.slice(first..end))
            }
            None => (StatusCode::OK, self.bytes.clone()),
        };
        let spelled = asked.map(|(first, _): (usize, usize)| {
            format!("bytes {first}-{}/{whole}", first + body.len() - 1)
        });
        let mut answer = Response::new(Full::new(body));
        *answer.status_mut() = status;
        *answer.headers_mut() = self.headers.clone();
        let date = format_http_date(ossferry_core::time::Timestamp(self.seconds * 1_000));
        for (name, value) in [(ETAG, format!("\"{}\"", self.md5())), (LAST_MODIFIED, date)] {
            answer.headers_mut().insert(name, value.parse().expect("text"));
        }
        if let Some(spelled) = spelled {
            answer.headers_mut().insert(CONTENT_RANGE, spelled.parse().expect("text"));
        }
        answer
    }
}

/// What the operator would have signed, computed from what was received.
fn signed(parts: &Parts) -> String {
    let uri = parts.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
    let signed = format!("{}&{uri}&{}", parts.method, text(&parts.headers, DATE.as_str()));
    let key = hex(&Md5::digest(PASSWORD.as_bytes()));
    let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).expect("a key of any length");
    mac.update(signed.as_bytes());
    let signature = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    format!("UPYUN {OPERATOR}:{signature}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes any text");
        text
    })
}

fn plain(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
