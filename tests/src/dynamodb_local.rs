//! Amazon's own `DynamoDB`, in memory on this machine.
//!
//! It listens on every address of the machine, which cannot be switched off.

use std::net::SocketAddr;
use std::sync::OnceLock;

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};

use crate::fixtures;
use crate::guarded::{Guarded, Prepared};
use crate::port::{free_ports, loopback};

/// A running server. Dropping it ends it.
pub struct DynamoDbLocal {
    server: Guarded,
}

impl DynamoDbLocal {
    /// The server of this test process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<DynamoDbLocal> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of its own. Panics where it is not installed.
    pub fn start() -> Self {
        let installed = fixtures::root().join("target/node/dynamodb-local");
        assert!(installed.exists(), "{} is missing: run tests/setup", installed.display());
        let [port] = free_ports();
        let arguments = [
            // Two cores are shared with the tests.
            "-XX:+UseSerialGC".to_owned(),
            "-XX:TieredStopAtLevel=1".to_owned(),
            "-Xmx512m".to_owned(),
            format!("-Djava.library.path={}", installed.join("DynamoDBLocal_lib").display()),
            "-jar".to_owned(),
            installed.join("DynamoDBLocal.jar").display().to_string(),
            "-disableTelemetry".to_owned(),
            "-inMemory".to_owned(),
            "-sharedDb".to_owned(),
            "-port".to_owned(),
            port.to_string(),
        ];
        let server = Prepared::new("dynamodb-local").start(loopback(port), "java", arguments);
        Self { server }
    }

    /// `http://` and where it listens.
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// A client of its tables, with nothing set that is not needed.
    pub fn client(&self) -> aws_sdk_dynamodb::Client {
        client_at(&self.endpoint())
    }

    /// Makes a table of the ledger's keys that no other test has and returns its name. Waits for a server
    /// that has just been started.
    pub async fn fresh_table(&self) -> String {
        let name = format!("tests-{:016x}", fastrand::u64(..));
        self.make_table(&name).await;
        name
    }

    /// Makes a table of the ledger's keys under this name.
    pub async fn make_table(&self, name: &str) {
        let client = self.client();
        let column = |name: &str| {
            let column = AttributeDefinition::builder().attribute_name(name);
            column.attribute_type(ScalarAttributeType::S).build().expect("a whole definition")
        };
        let key = |name: &str, kind: KeyType| {
            let key = KeySchemaElement::builder().attribute_name(name).key_type(kind);
            key.build().expect("a whole key")
        };
        self.server
            .answer(async || {
                let call = client
                    .create_table()
                    .table_name(name)
                    .attribute_definitions(column("partition"))
                    .attribute_definitions(column("sort"))
                    .key_schema(key("partition", KeyType::Hash))
                    .key_schema(key("sort", KeyType::Range))
                    .billing_mode(BillingMode::PayPerRequest);
                call.send().await.map(drop).map_err(|error| format!("{error:?}"))
            })
            .await;
    }
}

/// A client of tables at an endpoint.
pub fn client_at(endpoint: &str) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .http_client(ossferry_aws::http_client())
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new(
            "AKIDTESTS",
            "secret-of-the-tests",
            None,
            None,
            "tests",
        ))
        .endpoint_url(endpoint);
    aws_sdk_dynamodb::Client::from_conf(config.build())
}
