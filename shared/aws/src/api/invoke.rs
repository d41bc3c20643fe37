//! A function's answer.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue};
use ossferry_core::error::PortError;
use serde_json::Value;

use super::{Ask, AwsApi, Service};

/// The function ran and failed: its own words.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct FunctionFailed {
    /// `errorType`, or what Lambda says of it (`Unhandled`).
    pub kind: String,
    /// `errorMessage`, cut to a few lines.
    pub message: String,
}

impl AwsApi {
    /// Invokes a function and waits for its answer. What is asked for must bear repetition: a call
    /// whose answer was lost is sent again.
    pub async fn invoke(
        &self,
        function: &str,
        payload: &Value,
    ) -> Result<Result<Value, FunctionFailed>, PortError> {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        let headers = vec![
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (
                HeaderName::from_static("x-amz-invocation-type"),
                HeaderValue::from_static("RequestResponse"),
            ),
        ];
        let body = Bytes::from(payload.to_string());
        let ask = Ask { operation: "Invoke", service: Service::Lambda, path: &path, headers, body };
        let answer = self.call(&ask).await?;
        let failed = answer.headers.get("x-amz-function-error");
        let Some(failed) = failed.and_then(|value| value.to_str().ok()) else {
            return Ok(Ok(answer.json()?));
        };
        let said = answer.json().unwrap_or(Value::Null);
        let text = |name: &str| said.get(name).and_then(Value::as_str);
        Ok(Err(FunctionFailed {
            kind: text("errorType").unwrap_or(failed).chars().take(128).collect(),
            message: text("errorMessage")
                .unwrap_or("it says no more")
                .chars()
                .take(1_000)
                .collect(),
        }))
    }
}
