//! A stack of `CloudFormation`: `DynamoDB`, SQS and Lambda.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client as TableClient;
use aws_sdk_sqs::Client as QueueClient;
use ossferry_aws::api::AwsApi;
use ossferry_aws::{DynamoTable, SqsQueue};
use ossferry_core::error::PortError;
use serde_json::Value;

use super::{CountedQueue, Outputs, Planner, Stack, StackQueue};
use crate::command_error::CommandError;
use crate::machine::Machine;

/// What the commands need of a stack. The template names the same outputs.
const OUTPUTS: [&str; 7] = [
    "TableName",
    "PlannerQueueUrl",
    "CopierQueueUrl",
    "PlannerDeadLetterQueueUrl",
    "CopierDeadLetterQueueUrl",
    "PlannerFunctionName",
    "CopierFunctionName",
];

/// Asks `CloudFormation` for the stack.
pub(super) async fn find(
    name: &str,
    region: Option<&str>,
    machine: &Machine,
) -> Result<Stack, CommandError> {
    let around = &machine.around;
    let api = AwsApi::connect(region, &*around.aws, &*around.variables, machine.clock())
        .await
        .map_err(CommandError::Cloud)?;
    let stack = api.describe_stack(name).await.map_err(|error| no_stack(name, &api, error))?;
    let outputs = Outputs { stack: name, status: &stack.status, found: &stack.outputs };
    let [table_name, planner, copier, planner_dead, copier_dead, planner_name, copier_name] =
        outputs.all(OUTPUTS)?;
    let config = around.aws.sdk_config(Some(api.region())).await;
    let client = QueueClient::new(&config);
    let queue = |url: String| -> Arc<dyn CountedQueue> {
        Arc::new(SqsQueue::new(client.clone(), url, None))
    };
    Ok(Stack {
        queues: [
            StackQueue {
                function: "planner",
                live: queue(planner),
                dead_letters: queue(planner_dead),
            },
            StackQueue {
                function: "copier",
                live: queue(copier),
                dead_letters: queue(copier_dead),
            },
        ],
        place: format!("{name} in {}", api.region()),
        table: Arc::new(DynamoTable::new(TableClient::new(&config), table_name.clone())),
        table_name,
        function_names: [planner_name, copier_name],
        planner: Box::new(api),
        status: stack.status,
    })
}

#[async_trait]
impl Planner for AwsApi {
    async fn call(
        &self,
        function: &str,
        event: &Value,
    ) -> Result<Result<Value, String>, PortError> {
        let answered = self.invoke(function, event).await?;
        Ok(answered.map_err(|failed| failed.to_string()))
    }
}

/// `CloudFormation` calls a stack that is not there a mistake of the question.
fn no_stack(name: &str, api: &AwsApi, error: PortError) -> CommandError {
    if error.message.contains("ValidationError") {
        let (stack, region) = (name.to_owned(), api.region().to_owned());
        let remedy = format!("deploy it with: sam deploy --stack-name {name}");
        return CommandError::NoStack { stack, region, remedy };
    }
    CommandError::Cloud(error)
}
