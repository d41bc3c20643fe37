//! Starts functions of Function Compute, and does not wait for them.

use bytes::Bytes;
use ossferry_core::error::PortError;
use ossferry_http::percent::encode_component;
use ossferry_http::retry;

use super::client::{Call, OpenApiClient, OpenApiOptions};

/// Of Function Compute's interface.
const VERSION: &str = "2023-03-30";

/// Invokes functions of one account and region asynchronously.
pub struct FunctionStarter {
    client: OpenApiClient,
}

impl FunctionStarter {
    /// The endpoint is `https://ACCOUNT.REGION.fc.aliyuncs.com`.
    pub fn new(options: OpenApiOptions) -> Self {
        Self { client: OpenApiClient::new(options) }
    }

    /// Has a function invoked with this event, once or, after a lost answer, twice.
    pub async fn start(&self, function: &str, event: &str) -> Result<(), PortError> {
        let name = encode_component(function.as_bytes());
        let path = format!("/{VERSION}/functions/{name}/invocations");
        let call = Call {
            action: "InvokeFunction",
            version: VERSION,
            path: &path,
            query: "",
            headers: &[
                ("content-type", "application/octet-stream"),
                ("x-fc-invocation-type", "Async"),
            ],
            body: Bytes::copy_from_slice(event.as_bytes()),
        };
        retry(&self.client.options.retry, || self.client.send(&call)).await.map(drop)
    }
}
