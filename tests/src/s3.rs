//! A bucket of an S3 server: what writes fixtures into it, and the source over it.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use http::header::{AUTHORIZATION, ETAG, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use ossferry_aws::sigv4::{self, CanonicalParts, Scope, SigningKey, UNSIGNED_PAYLOAD};
use ossferry_aws::{S3Options, S3Source};
use ossferry_core::job::{Addressing, BucketSource, Credentials as Place, StoreKind};
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::ObjectHeaders;
use ossferry_http::percent::{Slash, encode_key, push_encoded};
use ossferry_http::{
    Credentials, Endpoint, Lane, LaneBody, LaneOptions, LaneRequest, RetryPolicy, StaticCredentials,
};

use crate::clock;
use crate::request_head::request_head;

/// As signatures name it; the server takes any.
pub const REGION: &str = "us-east-1";

/// Objects written at once.
const WRITES: usize = 16;

/// Bytes of an object that is passed on.
const OBJECT_BYTES_MAX: usize = 64 << 20;

/// Bytes of an answer to a write.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Who signs.
#[derive(Clone, Debug)]
pub struct S3Account {
    /// Public half.
    pub access_key: String,
    /// Private half.
    pub secret_key: String,
}

/// A bucket that fixtures are written into.
#[derive(Clone)]
pub struct S3Bucket {
    lane: Lane,
    endpoint: Endpoint,
    name: String,
    account: S3Account,
}

/// An upload that is not put together yet.
pub struct Upload {
    key: Key,
    query: String,
    list: Bytes,
}

impl S3Bucket {
    /// A bucket at this endpoint (`http://host:port`), which need not be there yet.
    pub fn new(endpoint: &str, name: &str, account: S3Account) -> Self {
        let endpoint = Endpoint::parse(endpoint).expect("an endpoint");
        let lane = Lane::new(&LaneOptions::default());
        Self { lane, endpoint, name: name.to_owned(), account }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who may read and write it.
    pub fn account(&self) -> &S3Account {
        &self.account
    }

    /// The service's address.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.endpoint.authority())
    }

    /// The same bucket at another address.
    #[must_use]
    pub fn at(&self, endpoint: &str) -> Self {
        Self::new(endpoint, &self.name, self.account.clone())
    }

    /// Makes the bucket.
    pub async fn create(&self) -> Result<(), String> {
        self.ask(Method::PUT, None, "", HeaderMap::new(), Bytes::new()).await.map(drop)
    }

    /// Removes the bucket with everything in it, as far as the server allows that.
    pub async fn remove(&self) -> Result<(), String> {
        self.ask(Method::DELETE, None, "", HeaderMap::new(), Bytes::new()).await.map(drop)
    }

    /// Writes and deletes one object, which a server that is just starting refuses.
    pub(crate) async fn try_put_probe(&self) -> Result<(), String> {
        let key = Key::from("probe");
        let bytes = Bytes::from_static(b"probe");
        self.ask(Method::PUT, Some(&key), "", HeaderMap::new(), bytes).await?;
        self.ask(Method::DELETE, Some(&key), "", HeaderMap::new(), Bytes::new()).await.map(drop)
    }

    /// Writes an object.
    pub async fn put(&self, key: &Key, bytes: Bytes) {
        self.put_with(key, bytes, &ObjectHeaders::default()).await;
    }

    /// Writes an object, or says why the server refuses it.
    pub async fn try_put(&self, key: &Key, bytes: Bytes) -> Result<(), String> {
        self.ask(Method::PUT, Some(key), "", HeaderMap::new(), bytes).await.map(drop)
    }

    /// Writes an object with headers.
    pub async fn put_with(&self, key: &Key, bytes: Bytes, headers: &ObjectHeaders) {
        let written = self.ask(Method::PUT, Some(key), "", header_map(headers), bytes).await;
        written.unwrap_or_else(|error| panic!("put {key}: {error}"));
    }

    /// Writes an object of a storage class.
    pub async fn put_of_class(&self, key: &Key, bytes: Bytes, class: Option<&str>) {
        let value = |class| HeaderValue::from_str(class).expect("a header's value");
        let headers = class.map(|class| ("x-amz-storage-class", value(class)));
        let headers = headers.map(|(name, value)| (HeaderName::from_static(name), value));
        let written = self.ask(Method::PUT, Some(key), "", headers.into_iter().collect(), bytes);
        written.await.unwrap_or_else(|error| panic!("put {key}: {error}"));
    }

    /// Writes an object with tags, spelled as the header wants them, and a canned ACL.
    pub async fn put_along(&self, key: &Key, bytes: Bytes, tags: &'static str, acl: &'static str) {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-tagging", HeaderValue::from_static(tags));
        headers.insert("x-amz-acl", HeaderValue::from_static(acl));
        let written = self.ask(Method::PUT, Some(key), "", headers, bytes).await;
        written.unwrap_or_else(|error| panic!("put {key}: {error}"));
    }

    /// Writes many objects side by side.
    pub async fn put_all(&self, objects: impl IntoIterator<Item = (Key, Bytes)>) {
        let puts = stream::iter(objects).map(|(key, bytes)| async move {
            self.put(&key, bytes).await;
        });
        puts.buffer_unordered(WRITES).collect::<()>().await;
    }

    /// Writes an object in parts, so that its `ETag` is no MD5.
    pub async fn put_in_parts(&self, key: &Key, bytes: &Bytes, part_bytes: usize) {
        let upload = self.upload_parts(key, bytes, part_bytes).await;
        self.complete(&upload).await;
    }

    /// Begins an upload and writes every part of it. The object is not there before
    /// [`Self::complete`].
    pub async fn upload_parts(&self, key: &Key, bytes: &Bytes, part_bytes: usize) -> Upload {
        let write = async {
            let begun = self
                .ask(Method::POST, Some(key), "uploads=", HeaderMap::new(), Bytes::new())
                .await?;
            let id = between(&begun.1, "<UploadId>", "</UploadId>").ok_or("no upload id")?;
            let starts = (0..bytes.len()).step_by(part_bytes).enumerate();
            let parts = stream::iter(starts).map(|(index, start)| {
                let part = bytes.slice(start..(start + part_bytes).min(bytes.len()));
                let query = format!("partNumber={}&uploadId={id}", index + 1);
                async move {
                    let answer = self.ask(Method::PUT, Some(key), &query, HeaderMap::new(), part);
                    let etag = answer.await?.0.get(ETAG).cloned().ok_or("a part without etag")?;
                    let etag = etag.to_str().map_err(|error| error.to_string())?.to_owned();
                    Ok::<_, String>(format!(
                        "<Part><PartNumber>{}</PartNumber><ETag>{etag}</ETag></Part>",
                        index + 1
                    ))
                }
            });
            let parts: Vec<String> = parts.buffered(4).try_collect().await?;
            let list =
                format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts.concat());
            let query = format!("uploadId={id}");
            Ok(Upload { key: key.clone(), query, list: list.into() })
        };
        write.await.unwrap_or_else(|error: String| panic!("put {key} in parts: {error}"))
    }

    /// Makes an object of an upload.
    pub async fn complete(&self, upload: &Upload) {
        let Upload { key, query, list } = upload;
        let done = self.ask(Method::POST, Some(key), query, HeaderMap::new(), list.clone()).await;
        let refused = match done {
            Ok((_, text)) => text.contains("<Error>").then_some(text),
            Err(error) => Some(error),
        };
        assert_eq!(refused, None, "complete {key}");
    }

    /// Deletes an object.
    pub async fn delete(&self, key: &Key) {
        let deleted = self.ask(Method::DELETE, Some(key), "", HeaderMap::new(), Bytes::new()).await;
        deleted.unwrap_or_else(|error| panic!("delete {key}: {error}"));
    }

    /// What a job says of the bucket as its source. Credentials are named, not given.
    pub fn spec(&self) -> BucketSource {
        BucketSource {
            kind: StoreKind::S3Compatible,
            endpoint: self.endpoint(),
            region: REGION.to_owned(),
            bucket: self.name.clone(),
            prefix: Key::default(),
            addressing: Addressing::Path,
            list_version: 2,
            lists_by_bytes: false,
            etag_is_md5: true,
            credentials: Place::Anonymous,
            restore: None,
            inventory: None,
            keys: None,
        }
    }

    /// The source of this bucket, walked serially.
    pub fn source(&self) -> S3Source {
        self.source_of(&self.spec())
    }

    /// The source that a job describes, with this bucket's credentials.
    pub fn source_of(&self, spec: &BucketSource) -> S3Source {
        self.source_with(spec, &LaneOptions::default(), RetryPolicy::default())
    }

    /// The same over a lane of this kind and with this budget.
    pub fn source_with(
        &self,
        spec: &BucketSource,
        lane: &LaneOptions,
        retry: RetryPolicy,
    ) -> S3Source {
        let credentials = StaticCredentials::new(Credentials {
            access_key: self.account.access_key.clone(),
            secret_key: self.account.secret_key.clone(),
            token: None,
        });
        let lane = Lane::new(lane);
        let options = S3Options::of(spec, lane, Some(Arc::new(credentials)), clock::system());
        let options = options.expect("a source of the family");
        S3Source::new(S3Options { retry, ..options }).expect("an address of a bucket")
    }

    /// The head of a GET as it goes over a socket, for a reader without any client.
    pub fn signed_get(&self, key: &Key) -> String {
        let (path, mut headers) = (self.path(Some(key)), HeaderMap::new());
        self.sign(&Method::GET, &path, "", &mut headers).expect("a signed request");
        request_head("GET", &path, &headers)
    }

    /// Asks what somebody else has asked, and gives the whole answer.
    pub(crate) async fn exchange(
        &self,
        method: Method,
        path: &str,
        query: &str,
        mut headers: HeaderMap,
    ) -> (StatusCode, HeaderMap, Bytes) {
        self.sign(&method, path, query, &mut headers).expect("a signed request");
        let path_and_query =
            if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let (operation, endpoint, body) = ("fixture", &self.endpoint, LaneBody::Empty);
        let request = LaneRequest { operation, method, endpoint, path_and_query, headers, body };
        let answer = self.lane.send(request, &Meter::default()).await.expect("the server answers");
        let (status, headers) = (answer.status, answer.headers.clone());
        (status, headers, answer.collect(OBJECT_BYTES_MAX).await.expect("a whole answer"))
    }

    fn path(&self, key: Option<&Key>) -> String {
        let mut path = String::from("/");
        push_encoded(&mut path, self.name.as_bytes(), Slash::Encoded);
        if let Some(key) = key {
            path.push('/');
            path.push_str(&encode_key(key.as_bytes()));
        }
        path
    }

    async fn ask(
        &self,
        method: Method,
        key: Option<&Key>,
        query: &str,
        mut headers: HeaderMap,
        bytes: Bytes,
    ) -> Result<(HeaderMap, String), String> {
        let path = self.path(key);
        self.sign(&method, &path, query, &mut headers)?;
        let path_and_query = if query.is_empty() { path } else { format!("{path}?{query}") };
        let body = if bytes.is_empty() { LaneBody::Empty } else { LaneBody::Bytes(bytes) };
        let endpoint = &self.endpoint;
        let operation = "fixture";
        let request = LaneRequest { operation, method, endpoint, path_and_query, headers, body };
        let answer = self.lane.send(request, &Meter::default()).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let (status, headers) = (answer.status, answer.headers.clone());
        let text = answer.collect(ANSWER_BYTES_MAX).await.map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&text).into_owned();
        if status.is_success() { Ok((headers, text)) } else { Err(format!("{status}: {text}")) }
    }

    fn sign(
        &self,
        method: &Method,
        path: &str,
        query: &str,
        headers: &mut HeaderMap,
    ) -> Result<(), String> {
        let value = |text: &str| HeaderValue::from_str(text).map_err(|error| error.to_string());
        let date = sigv4::amz_date(clock::system_now());
        let scope = Scope { date: &date[..8], region: REGION, service: "s3" };
        headers.insert(HOST, value(self.endpoint.authority())?);
        headers.insert("x-amz-content-sha256", HeaderValue::from_static(UNSIGNED_PAYLOAD));
        headers.insert("x-amz-date", value(&date)?);
        // Runs of spaces are signed as one.
        let values: Vec<(&str, String)> = headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), folded(value.to_str().ok()?))))
            .collect();
        let mut signed: Vec<(&str, &str)> =
            values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        signed.sort_unstable();
        let (method, payload) = (method.as_str(), UNSIGNED_PAYLOAD);
        let parts = CanonicalParts { method, path, query, headers: &signed, payload };
        let names = parts.signed_headers();
        let text = sigv4::string_to_sign(&date, scope, &sigv4::canonical_request(&parts, &names));
        let signature = SigningKey::derive(&self.account.secret_key, scope).signature(&text);
        let line = sigv4::authorization(&self.account.access_key, scope, &names, &signature);
        headers.insert(AUTHORIZATION, value(&line)?);
        Ok(())
    }
}

fn header_map(headers: &ObjectHeaders) -> HeaderMap {
    let mut map = HeaderMap::new();
    let mut put = |name: &str, value: &str| {
        let name: HeaderName = name.parse().expect("a header's name");
        map.insert(name, HeaderValue::from_str(value).expect("a header's value"));
    };
    for (name, value) in [
        ("content-type", &headers.content_type),
        ("cache-control", &headers.cache_control),
        ("content-disposition", &headers.content_disposition),
        ("content-encoding", &headers.content_encoding),
        ("content-language", &headers.content_language),
        ("expires", &headers.expires),
    ] {
        if let Some(value) = value {
            put(name, value);
        }
    }
    for (name, value) in &headers.user_metadata {
        put(&format!("x-amz-meta-{name}"), value);
    }
    map
}

/// Runs of spaces as one.
pub(crate) fn folded(value: &str) -> String {
    value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}
