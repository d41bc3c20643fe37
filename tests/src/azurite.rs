//! Microsoft's own emulator of Azure Blob Storage, and a container of it to write into.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use ossferry_azure::{AzureOptions, AzureSource};
use ossferry_core::job::Addressing;
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::ObjectHeaders;
use ossferry_http::percent::{encode_component, encode_key};
use ossferry_http::{
    Credentials, Endpoint, Lane, LaneBody, LaneOptions, LaneRequest, RetryPolicy, StaticCredentials,
};
use sha2::Sha256;

use crate::guarded::{Guarded, Prepared};
use crate::port::{free_ports, loopback};
use crate::{clock, fixtures};

/// The account that the emulator has by itself.
pub const ACCOUNT: &str = "devstoreaccount1";

/// A running emulator. Dropping it ends it.
pub struct Azurite {
    server: Guarded,
    key: String,
}

impl Azurite {
    /// The server of this test process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Azurite> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of its own, over an empty folder. Panics where it is not installed.
    pub fn start() -> Self {
        let program =
            fixtures::root().join("target/azurite/node_modules/azurite/dist/src/blob/main.js");
        assert!(program.exists(), "{} is missing: run tests/setup", program.display());
        let [port] = free_ports();
        // A key of this process alone, where the emulator's own stands in its documents.
        let key = BASE64.encode(std::array::from_fn::<u8, 64, _>(|_| fastrand::u8(..)));
        let prepared =
            Prepared::new("azurite").with("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{key}"));
        let location = prepared.folder().join("data");
        let port_text = port.to_string();
        let mut arguments = vec![program.display().to_string()];
        arguments.extend(["--blobHost", "127.0.0.1", "--blobPort", &port_text].map(str::to_owned));
        arguments.extend(["--location".to_owned(), location.display().to_string()]);
        arguments.extend(["--silent", "--disableTelemetry"].map(str::to_owned));
        Self { server: prepared.start(loopback(port), "node", arguments), key }
    }

    /// `http://` and where it listens.
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// The account's key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// A shared access signature for everything that the account holds.
    ///
    /// <https://learn.microsoft.com/en-us/rest/api/storageservices/create-account-sas>
    pub fn sas(&self) -> String {
        let fields = ["rwdlac", "b", "sco", "", "2099-01-01T00:00:00Z", "", "https,http", VERSION];
        let text = format!("{ACCOUNT}\n{}\n", fields.join("\n"));
        let key = BASE64.decode(&self.key).expect("the key is base64");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length");
        mac.update(text.as_bytes());
        let signature = BASE64.encode(mac.finalize().into_bytes());
        let [permissions, services, types, _, expiry, _, protocols, version] =
            fields.map(|field| encode_component(field.as_bytes()));
        format!(
            "sv={version}&ss={services}&srt={types}&sp={permissions}&se={expiry}&spr={protocols}\
             &sig={}",
            encode_component(signature.as_bytes())
        )
    }

    /// Makes a container that no other test has. Waits for a server that has just been started.
    pub async fn fresh_container(&self) -> AzureContainer {
        let container = AzureContainer {
            endpoint: self.endpoint(),
            sas: self.sas(),
            key: self.key.clone(),
            name: format!("tests-{:016x}", fastrand::u64(..)),
            lane: Lane::new(&LaneOptions::default()),
        };
        self.server
            .answer(async || {
                container.ask(Method::PUT, "", "restype=container", &[], Bytes::new()).await
            })
            .await;
        container
    }
}

/// Of the interface, as the fixtures speak it.
const VERSION: &str = "2019-12-12";

/// A container to write into.
pub struct AzureContainer {
    endpoint: String,
    sas: String,
    key: String,
    name: String,
    lane: Lane,
}

impl AzureContainer {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As the product reads it: signed with the account's key.
    pub fn source(&self) -> AzureSource {
        self.source_with(Credentials {
            access_key: String::new(),
            secret_key: self.key.clone(),
            token: None,
        })
    }

    /// As the product reads it with these credentials.
    pub fn source_with(&self, credentials: Credentials) -> AzureSource {
        AzureSource::new(AzureOptions {
            lane: Lane::new(&LaneOptions::default()),
            endpoint: self.endpoint.clone(),
            account: ACCOUNT.to_owned(),
            container: self.name.clone(),
            addressing: Addressing::Path,
            credentials: Some(Arc::new(StaticCredentials::new(credentials))),
            clock: clock::system(),
            retry: RetryPolicy::default(),
        })
        .expect("the emulator's address is one")
    }

    /// Puts a block blob, whose names of metadata have `_` for every `-`, which Azure does not take.
    pub async fn put(&self, key: &Key, bytes: Bytes, headers: &ObjectHeaders) {
        let mut sent = vec![("x-ms-blob-type".to_owned(), "BlockBlob".to_owned())];
        for (name, value) in [
            ("type", &headers.content_type),
            ("cache-control", &headers.cache_control),
            ("disposition", &headers.content_disposition),
            ("encoding", &headers.content_encoding),
            ("language", &headers.content_language),
        ] {
            let name = if name == "cache-control" {
                "x-ms-blob-cache-control".to_owned()
            } else {
                format!("x-ms-blob-content-{name}")
            };
            sent.extend(value.clone().map(|value| (name, value)));
        }
        sent.extend(
            headers.user_metadata.iter().map(|(name, value)| {
                (format!("x-ms-meta-{}", name.replace('-', "_")), value.clone())
            }),
        );
        self.expect(Method::PUT, key, "", &sent, bytes).await;
    }

    /// Puts an append blob of these blocks.
    pub async fn append(&self, key: &Key, blocks: &[Bytes]) {
        let kind = [("x-ms-blob-type".to_owned(), "AppendBlob".to_owned())];
        self.expect(Method::PUT, key, "", &kind, Bytes::new()).await;
        for block in blocks {
            self.expect(Method::PUT, key, "comp=appendblock", &[], block.clone()).await;
        }
    }

    /// Puts a block blob with tags, spelled as the header wants them.
    pub async fn put_tagged(&self, key: &Key, bytes: Bytes, tags: &str) {
        let sent = [("x-ms-blob-type", "BlockBlob"), ("x-ms-tags", tags)];
        let sent = sent.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.expect(Method::PUT, key, "", &sent, bytes).await;
    }

    /// Moves a blob to another tier.
    pub async fn set_tier(&self, key: &Key, tier: &str) {
        let tier = [("x-ms-access-tier".to_owned(), tier.to_owned())];
        self.expect(Method::PUT, key, "comp=tier", &tier, Bytes::new()).await;
    }

    /// Deletes a blob.
    pub async fn delete(&self, key: &Key) {
        self.expect(Method::DELETE, key, "", &[], Bytes::new()).await;
    }

    async fn expect(
        &self,
        method: Method,
        key: &Key,
        query: &str,
        headers: &[(String, String)],
        body: Bytes,
    ) {
        let path = format!("/{}", encode_key(key.as_bytes()));
        let asked = self.ask(method, &path, query, headers, body).await;
        asked.unwrap_or_else(|error| panic!("{key}: {error}"));
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        query: &str,
        headers: &[(String, String)],
        body: Bytes,
    ) -> Result<(), String> {
        let mut sent = HeaderMap::new();
        sent.insert("x-ms-version", HeaderValue::from_static(VERSION));
        for (name, value) in headers {
            let name: HeaderName = name.parse().expect("a header's name");
            sent.insert(name, value.parse().expect("a header's value"));
        }
        let and = if query.is_empty() { "" } else { "&" };
        let request = LaneRequest {
            operation: "fixture",
            method,
            endpoint: &Endpoint::parse(&self.endpoint).expect("an address"),
            path_and_query: format!("/{ACCOUNT}/{}{path}?{query}{and}{}", self.name, self.sas),
            headers: sent,
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
