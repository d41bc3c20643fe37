//! What a `CloudFormation` stack says of itself.

use std::collections::BTreeMap;

use ossferry_core::error::PortError;

use super::{AwsApi, Service};

/// A stack that is there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stack {
    /// `CREATE_COMPLETE`, `UPDATE_IN_PROGRESS`, …
    pub status: String,
    /// Its outputs by name.
    pub outputs: BTreeMap<String, String>,
}

impl AwsApi {
    /// `DescribeStacks` of one stack.
    pub async fn describe_stack(&self, name: &str) -> Result<Stack, PortError> {
        const VERSION: &str = "2010-05-15";
        let parameters = [("StackName", name)];
        let answer =
            self.query("DescribeStacks", Service::CloudFormation, VERSION, &parameters).await?;
        let (mut stack, mut key) = (Stack::default(), None);
        for (element, text) in answer.leaves()? {
            match element.as_str() {
                "StackStatus" => stack.status = text,
                "OutputKey" => key = Some(text),
                "OutputValue" => {
                    if let Some(key) = key.take() {
                        stack.outputs.insert(key, text);
                    }
                }
                _ => {}
            }
        }
        if stack.status.is_empty() {
            return Err(answer.bad("no stack is in it"));
        }
        Ok(stack)
    }
}
