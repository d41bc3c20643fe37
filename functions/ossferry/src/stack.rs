//! A stack on AWS: its table, its queues and its functions.

use std::sync::Arc;

use aws_sdk_dynamodb::Client as TableClient;
use aws_sdk_sqs::Client as QueueClient;
use ossferry_aws::api::{AwsApi, Stack};
use ossferry_aws::{DynamoTable, SqsQueue, sdk_config};
use ossferry_core::audit::Share;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::job::Job;
use ossferry_core::time::Timestamp;
use ossferry_ledger::Ledger;
use ossferry_ledger::ids::{JobName, PassId};
use ossferry_ledger::rows::PassKind;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::command_error::CommandError;
use crate::job_ledger::JobLedger;
use crate::machine::Machine;

/// What the commands need of a stack. The template names the same outputs.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Outputs {
    table: String,
    planner_queue: String,
    copier_queue: String,
    planner_dead_letters: String,
    copier_dead_letters: String,
    planner_function: String,
    copier_function: String,
}

impl Outputs {
    fn of(name: &str, stack: &Stack) -> Result<Self, CommandError> {
        let mut missing = Vec::new();
        let mut output = |name: &'static str| {
            let value = stack.outputs.get(name).filter(|value| !value.is_empty());
            if value.is_none() {
                missing.push(name);
            }
            value.cloned().unwrap_or_default()
        };
        let found = Self {
            table: output("TableName"),
            planner_queue: output("PlannerQueueUrl"),
            copier_queue: output("CopierQueueUrl"),
            planner_dead_letters: output("PlannerDeadLetterQueueUrl"),
            copier_dead_letters: output("CopierDeadLetterQueueUrl"),
            planner_function: output("PlannerFunctionName"),
            copier_function: output("CopierFunctionName"),
        };
        if missing.is_empty() {
            return Ok(found);
        }
        let (stack, status) = (name.to_owned(), stack.status.clone());
        Err(CommandError::StackIncomplete { stack, status, missing: missing.join(", ") })
    }
}

/// A queue of the stack, by what it is for.
pub(crate) struct StackQueue {
    /// `planner` or `copier`.
    pub(crate) function: &'static str,
    /// What the function receives.
    pub(crate) live: Arc<SqsQueue>,
    /// What it failed at too often.
    pub(crate) dead_letters: Arc<SqsQueue>,
}

/// A stack that is deployed.
pub(crate) struct AwsStack {
    /// As the job file names it.
    pub(crate) name: String,
    /// `UPDATE_COMPLETE` and the like.
    pub(crate) status: String,
    /// The planner's, then the copier's.
    pub(crate) queues: [StackQueue; 2],
    api: AwsApi,
    outputs: Outputs,
    table: Arc<DynamoTable>,
}

/// A pass to begin.
pub(crate) struct Trigger<'a> {
    pub(crate) job: &'a JobName,
    pub(crate) pass: &'a PassId,
    pub(crate) kind: Option<PassKind>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) reread: Option<Share>,
}

/// What the planner made of a trigger.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(crate) struct TriggerAnswer {
    pub(crate) pass: PassId,
    pub(crate) outcome: TriggerOutcome,
    #[serde(default)]
    pub(crate) running: Option<PassId>,
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

/// In a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TriggerOutcome {
    Running,
    Skipped,
    Ended,
    Refused,
}

/// What a sweep sent again.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(crate) struct SweptPass {
    pub(crate) job: JobName,
    pub(crate) pass: PassId,
    pub(crate) slices: u64,
    pub(crate) tasks: u64,
}

#[derive(Deserialize)]
struct SweepAnswer {
    swept: Vec<SweptPass>,
}

impl AwsStack {
    /// Asks `CloudFormation` for the stack.
    pub(crate) async fn find(
        name: &str,
        region: Option<&str>,
        machine: &Machine,
    ) -> Result<Self, CommandError> {
        let api = AwsApi::connect(region, &*machine.around.variables, machine.clock())
            .await
            .map_err(CommandError::Aws)?;
        let stack = api.describe_stack(name).await.map_err(|error| no_stack(name, &api, error))?;
        let outputs = Outputs::of(name, &stack)?;
        let config = sdk_config(Some(api.region())).await;
        let queues = QueueClient::new(&config);
        let queue = |url: &String| Arc::new(SqsQueue::new(queues.clone(), url.clone(), None));
        let table = DynamoTable::new(TableClient::new(&config), outputs.table.clone());
        let queues = [
            StackQueue {
                function: "planner",
                live: queue(&outputs.planner_queue),
                dead_letters: queue(&outputs.planner_dead_letters),
            },
            StackQueue {
                function: "copier",
                live: queue(&outputs.copier_queue),
                dead_letters: queue(&outputs.copier_dead_letters),
            },
        ];
        let (name, status) = (name.to_owned(), stack.status);
        Ok(Self { name, status, queues, api, outputs, table: Arc::new(table) })
    }

    /// The ledger of a job in it.
    pub(crate) fn ledger(&self, job: &Job, machine: &Machine) -> JobLedger {
        let [planner, copier] = &self.queues;
        let (planner_queue, copier_queue) = (Arc::clone(&planner.live), Arc::clone(&copier.live));
        // A function that was ended tells nobody: its leases run out.
        let known_dead = Arc::new(|_: &str| false);
        let table = Arc::clone(&self.table);
        let (planner, copier) = (planner_queue.clone(), copier_queue.clone());
        let ledger = Ledger::new(table, planner, copier, machine.clock(), known_dead);
        JobLedger { job: JobName(job.name.clone()), ledger, planner_queue, copier_queue }
    }

    /// Where it is, and what stands in it, in one line.
    pub(crate) fn describe(&self) -> String {
        let Outputs { table, planner_function, copier_function, .. } = &self.outputs;
        let (name, status, region) = (&self.name, &self.status, self.api.region());
        format!(
            "{name} in {region}: {status}; table {table}, functions {planner_function} and \
             {copier_function}"
        )
    }

    /// Asks the planner to begin a pass. May be repeated: the same pass id is the same pass.
    pub(crate) async fn trigger(
        &self,
        trigger: &Trigger<'_>,
    ) -> Result<TriggerAnswer, CommandError> {
        let mut event = json!({ "job": trigger.job, "id": trigger.pass });
        if let Some(kind) = trigger.kind {
            event["pass"] = json!(kind);
        }
        if let Some(reread) = trigger.reread {
            event["reread"] = json!(reread.to_string());
        }
        if let Some(since) = trigger.since {
            event["since"] = json!(since.to_string());
        }
        self.ask_planner(&event).await
    }

    /// Asks the planner to send again what is due of a job and has no worker.
    pub(crate) async fn sweep(&self, job: &JobName) -> Result<Vec<SweptPass>, CommandError> {
        let answer: SweepAnswer = self.ask_planner(&json!({ "sweep": true, "job": job })).await?;
        Ok(answer.swept)
    }

    async fn ask_planner<A: serde::de::DeserializeOwned>(
        &self,
        event: &Value,
    ) -> Result<A, CommandError> {
        let function = &self.outputs.planner_function;
        let answered = self.api.invoke(function, event).await.map_err(CommandError::Aws)?;
        let answer = answered
            .map_err(|error| CommandError::FunctionFailed { function: function.clone(), error })?;
        serde_json::from_value(answer).map_err(|_| {
            let message = format!(
                "function {function} answers what this version does not know: deploy the same \
                 version as this command's"
            );
            CommandError::Aws(PortError::new(ErrorKind::BadAnswer, message))
        })
    }
}

/// `CloudFormation` calls a stack that is not there a mistake of the question.
fn no_stack(name: &str, api: &AwsApi, error: PortError) -> CommandError {
    if error.message.contains("ValidationError") {
        let (stack, region) = (name.to_owned(), api.region().to_owned());
        return CommandError::NoStack { stack, region };
    }
    CommandError::Aws(error)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn outputs_that_are_missing_are_named_together() {
        let outputs = ["TableName", "PlannerQueueUrl", "CopierQueueUrl", "PlannerFunctionName"];
        let outputs: BTreeMap<String, String> =
            outputs.into_iter().map(|name| (name.to_owned(), "x".to_owned())).collect();
        let stack = Stack { status: "CREATE_IN_PROGRESS".to_owned(), outputs };
        let text = Outputs::of("mine", &stack).unwrap_err().to_string();
        assert!(text.contains("stack mine (CREATE_IN_PROGRESS)"), "{text}");
        assert!(
            text.contains(
                "PlannerDeadLetterQueueUrl, CopierDeadLetterQueueUrl, CopierFunctionName"
            ),
            "{text}"
        );
    }

    #[test]
    fn the_planners_answers_are_understood() {
        let text = r#"{"pass":"p","outcome":"skipped","running":"q"}"#;
        let answer: TriggerAnswer = serde_json::from_str(text).unwrap();
        assert_eq!(answer.outcome, TriggerOutcome::Skipped);
        assert_eq!(answer.running, Some("q".into()));
        let text = r#"{"swept":[{"job":"j","pass":"p","slices":1,"tasks":2}]}"#;
        let answer: SweepAnswer = serde_json::from_str(text).unwrap();
        assert_eq!(answer.swept[0].tasks, 2);
    }
}
