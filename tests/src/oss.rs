//! An OSS endpoint for one test: the emulator behind a wire that faults can be put on.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use oss_emulator::{Emulator, EmulatorOptions, RunningEmulator, serve};
use ossferry_aliyun::oss::sign::{self, Scope, Signable, SigningKeys};
use ossferry_aliyun::oss::{OssClient, OssOptions};
use ossferry_aliyun::{OssSource, OssTarget};
use ossferry_core::along::{Along, CannedAcl, Tag};
use ossferry_core::job::Addressing;
use ossferry_core::key::Key;
use ossferry_core::object::{Entry, ObjectHeaders, ObjectInfo, Pin};
use ossferry_core::ports::{ListRequest, ListStart, PutAnswer, PutOptions, Source, Target};
use ossferry_core::time::Clock;
use ossferry_http::percent::{encode_component, encode_key};
use ossferry_http::{Credentials, Endpoint, Lane, LaneOptions, RetryPolicy, StaticCredentials};
use tempfile::TempDir;

use crate::fixtures;
use crate::request_head::request_head;
use crate::wire::Wire;

/// The emulator's region.
pub const REGION: &str = "cn-hangzhou";

/// The one access key.
pub const ACCESS_KEY: &str = "AKTARGETTESTS";

/// Its secret.
pub const SECRET_KEY: &str = "secret-of-the-target-of-the-tests";

/// The bucket that objects are moved into.
pub const TARGET_BUCKET: &str = "moved";

/// A bucket that objects are moved out of.
pub const SOURCE_BUCKET: &str = "origin";

/// Objects read at once.
const READS: usize = 16;

/// An emulator with two buckets behind a wire.
pub struct Oss {
    emulator: Emulator,
    wire: Wire,
    direct: Wire,
    clock: Clock,
    _root: TempDir,
}

impl Oss {
    /// Starts over an empty folder.
    pub async fn start(clock: Clock) -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        let options = EmulatorOptions {
            root: root.path().join("oss"),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            buckets: vec![TARGET_BUCKET.to_owned(), SOURCE_BUCKET.to_owned()],
            access_key: ACCESS_KEY.to_owned(),
            secret_key: SECRET_KEY.to_owned(),
            security_token: None,
            region: REGION.to_owned(),
            clock: clock.clone(),
        };
        let emulator = Emulator::open(options).expect("an empty folder is served");
        let wire = Wire::before_emulator(emulator.clone()).await;
        let direct = Wire::before_emulator(emulator.clone()).await;
        Self { emulator, wire, direct, clock, _root: root }
    }

    /// What lies between a client and the emulator.
    pub fn wire(&self) -> &Wire {
        &self.wire
    }

    /// `http://` and where it listens.
    pub fn endpoint(&self) -> String {
        self.wire.endpoint()
    }

    /// The bucket that objects are moved into.
    pub fn target(&self) -> OssBucket {
        self.bucket(TARGET_BUCKET)
    }

    /// The bucket that objects are moved out of.
    pub fn origin(&self) -> OssBucket {
        self.bucket(SOURCE_BUCKET)
    }

    /// A bucket past the wire, for fixtures and for looking: nothing of it is counted or broken.
    fn bucket(&self, name: &str) -> OssBucket {
        let endpoint = self.direct.endpoint();
        let retry = RetryPolicy::default();
        OssBucket {
            client: self.client_at(&endpoint, name, &LaneOptions::default(), retry),
            emulator: self.emulator.clone(),
            clock: self.clock.clone(),
            name: name.to_owned(),
        }
    }

    /// A client of a bucket as the product makes it, through the wire.
    pub fn client(&self, bucket: &str, lane: &LaneOptions, retry: RetryPolicy) -> OssClient {
        self.client_at(&self.endpoint(), bucket, lane, retry)
    }

    fn client_at(
        &self,
        endpoint: &str,
        bucket: &str,
        lane: &LaneOptions,
        retry: RetryPolicy,
    ) -> OssClient {
        let credentials = Credentials {
            access_key: ACCESS_KEY.to_owned(),
            secret_key: SECRET_KEY.to_owned(),
            token: None,
        };
        OssClient::new(OssOptions {
            lane: Lane::new(lane),
            endpoint: Endpoint::parse(endpoint).expect("an endpoint"),
            region: REGION.to_owned(),
            bucket: bucket.to_owned(),
            credentials: Some(Arc::new(StaticCredentials::new(credentials))),
            addressing: Addressing::Path,
            clock: self.clock.clone(),
            retry,
        })
        .expect("a bucket's name")
    }
}

/// A bucket of the emulator.
#[derive(Clone)]
pub struct OssBucket {
    client: OssClient,
    emulator: Emulator,
    clock: Clock,
    name: String,
}

impl OssBucket {
    /// As a source.
    pub fn source(&self) -> OssSource {
        OssSource::new(self.client.clone())
    }

    /// As a target.
    pub fn target(&self) -> OssTarget {
        OssTarget::new(self.client.clone(), true)
    }

    /// Writes an object.
    pub async fn put(&self, key: &Key, bytes: &Bytes) -> PutAnswer {
        self.put_by(key, bytes, PutOptions::default()).await
    }

    /// Writes an object with headers.
    pub async fn put_with(&self, key: &Key, bytes: &Bytes, headers: &ObjectHeaders) {
        let options = PutOptions { headers: headers.clone(), ..PutOptions::default() };
        self.put_by(key, bytes, options).await;
    }

    /// Writes an object of this storage class.
    pub async fn put_of_class(&self, key: &Key, bytes: &Bytes, class: &str) {
        let storage_class = Some(class.to_owned());
        self.put_by(key, bytes, PutOptions { storage_class, ..PutOptions::default() }).await;
    }

    /// Writes an object with these tags and this ACL.
    pub async fn put_along(&self, key: &Key, bytes: &Bytes, tags: &[Tag], acl: Option<CannedAcl>) {
        let options = PutOptions { tags: tags.to_vec(), acl, ..PutOptions::default() };
        self.put_by(key, bytes, options).await;
    }

    /// The tags and the ACL of an object.
    pub async fn along(&self, key: &Key) -> Along {
        let tags = self.client.object_tags(key).await.expect("tags can be read");
        let acl = self.client.object_acl(key).await.expect("the acl can be read");
        Along { tags, acl: Some(acl) }
    }

    async fn put_by(&self, key: &Key, bytes: &Bytes, options: PutOptions) -> PutAnswer {
        let put = self.target().put(key, &options, bytes.len() as u64, fixtures::body(bytes)).await;
        put.unwrap_or_else(|error| panic!("put {key}: {error}"))
    }

    /// What it says of an object.
    pub async fn head(&self, key: &Key) -> Option<ObjectInfo> {
        self.target().head(key).await.unwrap_or_else(|error| panic!("head {key}: {error}"))
    }

    /// Everything listed, in the bucket's order.
    pub async fn entries(&self) -> Vec<Entry> {
        let (mut entries, mut start) = (Vec::new(), ListStart::Beginning);
        loop {
            let request = ListRequest { prefix: Key::default(), start, keys_max: 1_000 };
            let page = self.client.list(&request).await.expect("the bucket is listed");
            entries.extend(page.entries);
            match page.next {
                Some(token) => start = ListStart::Token(token),
                None => return entries,
            }
        }
    }

    /// Every object with its bytes.
    pub async fn objects(&self) -> BTreeMap<Key, Bytes> {
        let source = &self.source();
        let reads = stream::iter(self.entries().await).map(|entry| async move {
            let pin = Pin { etag: entry.etag.expect("OSS lists an ETag") };
            let open = source.open(&entry.key, &pin, None).await.expect("what is listed is there");
            let frames: Vec<Bytes> = open.body.try_collect().await.expect("it is read to its end");
            (entry.key, Bytes::from(frames.concat()))
        });
        reads.buffer_unordered(READS).collect().await
    }

    /// Deletes an object.
    pub async fn delete(&self, key: &Key) {
        let (status, text) = self.ask("DELETE", Some(key), &[]).await;
        assert!(status.is_success(), "delete {key}: {status} {text}");
    }

    /// A GET as an application makes it, which a mirror rule may answer.
    pub async fn get(&self, key: &Key) -> (StatusCode, String) {
        self.ask("GET", Some(key), &[]).await
    }

    /// An address at which anybody reads the bucket: a GET there is passed on with a signature. Keys that
    /// a URL spells as they are, no others.
    pub async fn public_front(&self) -> RunningEmulator {
        let bucket = self.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let bucket = bucket.clone();
            async move {
                let key = Key::from(request.uri().path().trim_start_matches('/'));
                let request = bucket.request("GET", Some(&key), &[]);
                Ok::<_, Infallible>(bucket.emulator.handle(request).await)
            }
        });
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        serve(address, service).await.expect("a port of loopback is free")
    }

    /// The website configuration, as the bucket shows it.
    pub async fn website(&self) -> Option<String> {
        self.client.bucket_website().await.expect("the bucket answers")
    }

    /// Puts a website configuration, or takes it away.
    pub async fn set_website(&self, document: Option<&str>) {
        let set = match document {
            Some(document) => self.client.put_bucket_website(document).await,
            None => self.client.delete_bucket_website().await,
        };
        set.expect("the bucket takes it");
    }

    /// Keys of uploads that were begun and neither completed nor aborted, as XML spells them.
    pub async fn open_uploads(&self) -> Vec<String> {
        let (status, text) = self.ask("GET", None, &[(b"uploads", b"")]).await;
        assert!(status.is_success(), "list uploads: {status} {text}");
        text.split("<Upload>")
            .skip(1)
            .filter_map(|upload| Some(upload.split_once("<Key>")?.1.split_once("</Key>")?.0.into()))
            .collect()
    }

    /// Makes one signed request that the port has no call for.
    async fn ask(
        &self,
        method: &str,
        key: Option<&Key>,
        query: &[(&[u8], &[u8])],
    ) -> (StatusCode, String) {
        let answer = self.emulator.handle(self.request(method, key, query)).await;
        let status = answer.status();
        let body = answer.into_body().collect().await.expect("the emulator's answer").to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    fn request(
        &self,
        method: &str,
        key: Option<&Key>,
        query: &[(&[u8], &[u8])],
    ) -> Request<Empty<Bytes>> {
        let (target, headers) = self.signed(method, key, query);
        let mut request = Request::builder().method(method).uri(target).header("host", "127.0.0.1");
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        request.body(Empty::new()).expect("a request")
    }

    /// The head of a PUT as it goes over a socket, for a writer without any client.
    pub fn signed_put(&self, key: &Key, bytes: u64) -> String {
        let (target, mut headers) = self.signed("PUT", Some(key), &[]);
        headers.insert(HOST, HeaderValue::from_static("127.0.0.1"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes));
        request_head("PUT", &target, &headers)
    }

    /// The request's target, and its headers with the signature.
    fn signed(
        &self,
        method: &str,
        key: Option<&Key>,
        query: &[(&[u8], &[u8])],
    ) -> (String, HeaderMap) {
        let date = sign::date_time((self.clock)());
        let scope = Scope { date: &date[..8], region: REGION };
        let value = |text: &str| HeaderValue::from_str(text).expect("plain text");
        let mut headers = HeaderMap::new();
        headers.insert("x-oss-content-sha256", HeaderValue::from_static(sign::UNSIGNED_PAYLOAD));
        headers.insert("x-oss-date", value(&date));
        let bucket = Some(self.name.as_str());
        let signed_key = key.map(Key::as_bytes);
        let signable = Signable { method, bucket, key: signed_key, query, headers: &headers };
        let text = sign::string_to_sign(&date, &scope, &sign::canonical_request(&signable, &[]));
        let signing_key = SigningKeys::default().get(SECRET_KEY, &scope);
        let signature = sign::signature(&signing_key, &text);
        let line = sign::authorization(ACCESS_KEY, &scope, &[], &signature);
        headers.insert("authorization", value(&line));
        let mut target = format!("/{}/{}", self.name, encode_key(signed_key.unwrap_or_default()));
        for (index, (name, _)) in query.iter().enumerate() {
            target.push(if index == 0 { '?' } else { '&' });
            target.push_str(&encode_component(name));
        }
        (target, headers)
    }
}
