//! Functions of Function Compute: started without waiting, or called for their answer.

use bytes::Bytes;
use ossferry_core::error::PortError;
use ossferry_http::percent::encode_component;
use ossferry_http::retry;
use serde_json::Value;

use super::client::{Call, OpenApiClient, OpenApiOptions, Reply};

/// Of Function Compute's interface.
const VERSION: &str = "2023-03-30";

/// Says that a function ran and failed; the answer's status is a success all the same.
const ERROR_HEADER: &str = "x-fc-error-type";

/// Invokes functions of one account and region.
pub struct Functions {
    client: OpenApiClient,
}

impl Functions {
    /// The endpoint is `https://ACCOUNT.REGION.fc.aliyuncs.com`.
    pub fn new(options: OpenApiOptions) -> Self {
        Self { client: OpenApiClient::new(options) }
    }

    /// Has a function invoked with this event, once or, after a lost answer, twice.
    pub async fn start(&self, function: &str, event: &str) -> Result<(), PortError> {
        self.invoke(function, event, "Async").await.map(drop)
    }

    /// Invokes a function and waits for its answer; the inner `Err` is what a function that failed says.
    /// What is asked for must bear repetition: a call whose answer was lost is sent again.
    pub async fn call(
        &self,
        function: &str,
        event: &str,
    ) -> Result<Result<Value, String>, PortError> {
        let reply = self.invoke(function, event, "Sync").await?;
        if !reply.headers.contains_key(ERROR_HEADER) {
            return reply.read("InvokeFunction").map(Ok);
        }
        let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let said = said.get("errorMessage").and_then(Value::as_str).unwrap_or("it says no more");
        Ok(Err(said.chars().take(1_000).collect()))
    }

    async fn invoke(
        &self,
        function: &str,
        event: &str,
        invocation_type: &'static str,
    ) -> Result<Reply, PortError> {
        let name = encode_component(function.as_bytes());
        let path = format!("/{VERSION}/functions/{name}/invocations");
        let call = Call {
            action: "InvokeFunction",
            version: VERSION,
            path: &path,
            query: "",
            headers: &[
                ("content-type", "application/octet-stream"),
                ("x-fc-invocation-type", invocation_type),
            ],
            body: Bytes::copy_from_slice(event.as_bytes()),
        };
        retry(&self.client.options.retry, || self.client.send(&call)).await
    }
}
