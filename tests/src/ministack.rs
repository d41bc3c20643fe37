//! Many of AWS's services in one process; here the queues.
//!
//! Laxer than AWS: it checks no signature, and any number of messages may be in flight.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::OnceLock;

use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::types::QueueAttributeName;

use crate::fixtures;
use crate::guarded::{Guarded, Prepared};
use crate::port::{free_ports, loopback};

/// A running server. Dropping it ends it.
pub struct Ministack {
    server: Guarded,
}

impl Ministack {
    /// The server of this test process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Ministack> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of its own. Panics where it is not installed.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// [`Ministack::start`] with these variables, which its functions see too.
    pub fn start_with(variables: &[(&str, String)]) -> Self {
        let [port] = free_ports();
        let prepared = Prepared::new("ministack");
        let prepared =
            variables.iter().fold(prepared, |prepared, (name, value)| prepared.with(name, value));
        let server = prepared
            .with("BIND_HOST", "127.0.0.1")
            .with("GATEWAY_PORT", port.to_string())
            // Its functions see its variables, and find it by this one.
            .with("AWS_ENDPOINT_URL", format!("http://{}", loopback(port)))
            // It would listen on a port that another server of another test may have.
            .with("IOT_MTLS_ENABLED", "0")
            .start(loopback(port), fixtures::installed("ministack"), [""; 0]);
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

    /// A client of its queues, with nothing set that is not needed.
    pub fn queues(&self) -> aws_sdk_sqs::Client {
        queues_at(&self.endpoint())
    }

    /// Makes a queue that no other test has and returns its URL. Waits for a server that has just been
    /// started.
    pub async fn fresh_queue(&self) -> String {
        self.queue_with(&HashMap::new()).await
    }

    /// [`Ministack::fresh_queue`] with these attributes.
    pub async fn queue_with(&self, attributes: &HashMap<QueueAttributeName, String>) -> String {
        let name = format!("tests-{:016x}", fastrand::u64(..));
        let client = self.queues();
        self.server
            .answer(async || {
                let call = client.create_queue().queue_name(&name);
                let made = call.set_attributes(Some(attributes.clone())).send().await;
                made.map_err(|error| format!("{error:?}"))
            })
            .await
            .queue_url
            .expect("a queue has a url")
    }
}

/// A client of queues at an endpoint.
pub fn queues_at(endpoint: &str) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::Config::builder()
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
    aws_sdk_sqs::Client::from_conf(config.build())
}
