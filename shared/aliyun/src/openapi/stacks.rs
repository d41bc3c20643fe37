//! Stacks of Resource Orchestration Service.
//!
//! (Alibaba Cloud manual, "Resource Orchestration Service: `ListStacks`, `GetStack`", 2026.)

use std::collections::BTreeMap;

use bytes::Bytes;
use ossferry_core::error::PortError;
use ossferry_http::percent::push_query;
use ossferry_http::retry;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::client::{Call, OpenApiClient, OpenApiOptions};

/// Of Resource Orchestration Service's interface.
const VERSION: &str = "2019-09-10";

/// Reads stacks.
pub struct RosStacks {
    client: OpenApiClient,
}

/// A stack that is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RosStack {
    /// `CREATE_COMPLETE`, `UPDATE_IN_PROGRESS`, …
    pub status: String,
    /// Its outputs by name, those that are texts or numbers.
    pub outputs: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StackList {
    stacks: Vec<ListedStack>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedStack {
    stack_id: String,
    stack_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StackDetail {
    status: String,
    /// Absent while the stack is being created.
    #[serde(default)]
    outputs: Option<Vec<Output>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    output_key: String,
    output_value: Value,
}

impl RosStacks {
    /// The endpoint is `https://ros.aliyuncs.com` for every region.
    pub fn new(options: OpenApiOptions) -> Self {
        Self { client: OpenApiClient::new(options) }
    }

    /// The stack of this name; `None` where there is none.
    pub async fn find(&self, region: &str, name: &str) -> Result<Option<RosStack>, PortError> {
        let list: StackList = self
            .ask("ListStacks", &[("PageSize", "50"), ("RegionId", region), ("StackName.1", name)])
            .await?;
        // A name may be a pattern there.
        let Some(listed) = list.stacks.into_iter().find(|stack| stack.stack_name == name) else {
            return Ok(None);
        };
        let detail: StackDetail =
            self.ask("GetStack", &[("RegionId", region), ("StackId", &listed.stack_id)]).await?;
        let outputs = detail.outputs.into_iter().flatten().filter_map(|output| {
            let text = match output.output_value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                _ => return None,
            };
            Some((output.output_key, text))
        });
        Ok(Some(RosStack { status: detail.status, outputs: outputs.collect() }))
    }

    /// `parameters` stand in the order of their names.
    async fn ask<A: DeserializeOwned>(
        &self,
        action: &'static str,
        parameters: &[(&str, &str)],
    ) -> Result<A, PortError> {
        let mut query = String::new();
        for (name, value) in parameters {
            push_query(&mut query, name, Some(value.as_bytes()));
        }
        let call = Call {
            action,
            version: VERSION,
            path: "/",
            query: &query,
            headers: &[("accept", "application/json")],
            body: Bytes::new(),
        };
        retry(&self.client.options.retry, || self.client.send(&call)).await?.read(action)
    }
}
