//! COS as far as a source asks for it, in front of a bucket of an S3 server: the bucket's name in the
//! host, `ListObjects` in its first version, and the CRC-64 of every object.
//!
//! (Tencent Cloud manual, "COS: Using the AWS S3 SDK to access COS" and "CRC64 check", 2026: signatures of
//! AWS are taken, `x-cos-hash-crc64ecma` is the whole object's, and user metadata has COS's prefix.)

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::{AUTHORIZATION, ETAG, HOST, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use oss_emulator::{RunningEmulator, serve};
use ossferry_aws::sigv4::{self, CanonicalParts, Scope, SigningKey};
use ossferry_core::crc::crc64_ecma;

use crate::lambda::locked;
use crate::s3::{S3Bucket, folded};

/// As buckets of COS are named, with the account's number.
const APPID: &str = "1250000000";

const CRC_HEADER: &str = "x-cos-hash-crc64ecma";

/// A bucket of COS.
pub struct Cos {
    running: RunningEmulator,
    bucket: String,
    front: Arc<Front>,
}

struct Front {
    behind: S3Bucket,
    bucket: String,
    /// By path and `ETag`.
    crcs: Mutex<BTreeMap<(String, String), u64>>,
    refused: Mutex<Vec<String>>,
}

impl Cos {
    /// In front of this bucket, with its key.
    pub async fn start(behind: &S3Bucket) -> Self {
        let bucket = format!("{}-{APPID}", behind.name());
        let front = Arc::new(Front {
            behind: behind.clone(),
            bucket: bucket.clone(),
            crcs: Mutex::default(),
            refused: Mutex::default(),
        });
        let served = Arc::clone(&front);
        let service = service_fn(move |request: Request<Incoming>| {
            let front = Arc::clone(&served);
            async move {
                let (parts, _) = request.into_parts();
                Ok::<_, Infallible>(front.answer(&parts).await)
            }
        });
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let running = serve(address, service).await.expect("loopback has a free port");
        Self { running, bucket, front }
    }

    /// What a job file says of it, without its credentials.
    pub fn source(&self) -> String {
        format!(
            "kind = \"cos\"\nendpoint = \"{}\"\nregion = \"ap-guangzhou\"\nbucket = \"{}\"\n",
            self.running.endpoint(),
            self.bucket
        )
    }

    /// What COS would have refused, and why.
    pub fn refused(&self) -> Vec<String> {
        locked(&self.front.refused).clone()
    }
}

impl Front {
    async fn answer(&self, parts: &Parts) -> Response<Full<Bytes>> {
        match self.allowed(parts) {
            Ok(path) => self.pass_on(parts, &path).await,
            Err((status, code)) => {
                let (method, uri) = (&parts.method, &parts.uri);
                locked(&self.refused).push(format!("{code}: {method} {uri}"));
                let document = format!("<Error><Code>{code}</Code></Error>");
                let mut response = Response::new(Full::new(Bytes::from(document)));
                *response.status_mut() = status;
                response
            }
        }
    }

    /// The path behind; or what COS answers in its place.
    fn allowed(&self, parts: &Parts) -> Result<String, (StatusCode, &'static str)> {
        let host = header(&parts.headers, HOST.as_str());
        if !host.starts_with(&format!("{}.", self.bucket)) {
            return Err((StatusCode::BAD_REQUEST, "PathStyleDomainForbidden"));
        }
        if parts.method != Method::GET && parts.method != Method::HEAD {
            return Err((StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"));
        }
        let query = parts.uri.query().unwrap_or_default();
        if query.contains("list-type") {
            return Err((StatusCode::BAD_REQUEST, "InvalidArgument"));
        }
        self.check(parts, query)?;
        let path = parts.uri.path();
        Ok(format!("/{}{}", self.behind.name(), if path == "/" { "" } else { path }))
    }

    /// The signature, computed from what was received.
    fn check(&self, parts: &Parts, query: &str) -> Result<(), (StatusCode, &'static str)> {
        let refused = (StatusCode::FORBIDDEN, "SignatureDoesNotMatch");
        let line = header(&parts.headers, AUTHORIZATION.as_str());
        let field = |name: &str| {
            let found = line.split([' ', ',']).find_map(|word| word.trim().strip_prefix(name));
            found.unwrap_or_default()
        };
        let date = header(&parts.headers, "x-amz-date");
        let scope: Vec<&str> = field("Credential=").split('/').collect();
        let [_, day, region, service, _] = scope.as_slice() else { return Err(refused) };
        let scope = Scope { date: day, region, service };
        let names = field("SignedHeaders=");
        let values: Vec<(&str, String)> =
            names.split(';').map(|name| (name, folded(header(&parts.headers, name)))).collect();
        let signed: Vec<(&str, &str)> =
            values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let canonical = CanonicalParts {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query,
            headers: &signed,
            payload: header(&parts.headers, "x-amz-content-sha256"),
        };
        let text = sigv4::canonical_request(&canonical, names);
        let text = sigv4::string_to_sign(date, scope, &text);
        let account = self.behind.account();
        let signature = SigningKey::derive(&account.secret_key, scope).signature(&text);
        let expected = sigv4::authorization(&account.access_key, scope, names, &signature);
        let signs_host = names.split(';').any(|name| name == "host");
        if signs_host && line == expected { Ok(()) } else { Err(refused) }
    }

    async fn pass_on(&self, parts: &Parts, path: &str) -> Response<Full<Bytes>> {
        let mut asked = HeaderMap::new();
        for name in ["range", "if-match"] {
            if let Some(value) = parts.headers.get(name) {
                asked.insert(HeaderName::from_static(name), value.clone());
            }
        }
        let query = parts.uri.query().unwrap_or_default();
        let (status, headers, body) =
            self.behind.exchange(parts.method.clone(), path, query, asked).await;
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        for (name, value) in &headers {
            let theirs = name.as_str().strip_prefix("x-amz-meta-");
            let name = match theirs {
                Some(meta) => format!("x-cos-meta-{meta}").parse().expect("a header's name"),
                None if name.as_str().starts_with("x-amz-") || name == "transfer-encoding" => {
                    continue;
                }
                None => name.clone(),
            };
            response.headers_mut().append(name, value.clone());
        }
        let is_object = parts.uri.path() != "/";
        if is_object && status.is_success() {
            let crc = self.crc(path, header(&headers, ETAG.as_str())).await;
            response.headers_mut().insert(CRC_HEADER, HeaderValue::from(crc));
        }
        response
    }

    async fn crc(&self, path: &str, etag: &str) -> u64 {
        let known = (path.to_owned(), etag.to_owned());
        if let Some(crc) = locked(&self.crcs).get(&known) {
            return *crc;
        }
        let (_, _, body) = self.behind.exchange(Method::GET, path, "", HeaderMap::new()).await;
        let crc = crc64_ecma(&body);
        locked(&self.crcs).insert(known, crc);
        crc
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
