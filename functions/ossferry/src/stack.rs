//! A deployed stack: its table, its queues and its functions, on whichever cloud.

mod aliyun;
mod aws;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use ossferry_aliyun::SmqQueue;
use ossferry_aws::SqsQueue;
use ossferry_core::audit::Share;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::job::{Job, StateSpec};
use ossferry_core::ports::{Queue, Table};
use ossferry_core::time::Timestamp;
use ossferry_ledger::Ledger;
use ossferry_ledger::ids::{JobName, PassId};
use ossferry_ledger::rows::PassKind;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::command_error::CommandError;
use crate::job_ledger::JobLedger;
use crate::machine::Machine;

pub(crate) use aliyun::as_operator;

/// A queue whose messages can be counted.
#[async_trait]
pub(crate) trait CountedQueue: Queue {
    /// About how many messages wait to be received.
    async fn message_count(&self) -> Result<u64, PortError>;

    /// The same, with those that somebody holds and those that are delayed.
    async fn backlog(&self) -> Result<u64, PortError>;
}

#[async_trait]
impl CountedQueue for SqsQueue {
    async fn message_count(&self) -> Result<u64, PortError> {
        Self::message_count(self).await
    }

    async fn backlog(&self) -> Result<u64, PortError> {
        Self::backlog(self).await
    }
}

#[async_trait]
impl CountedQueue for SmqQueue {
    async fn message_count(&self) -> Result<u64, PortError> {
        Self::message_count(self).await
    }

    async fn backlog(&self) -> Result<u64, PortError> {
        Self::backlog(self).await
    }
}

/// A queue of the stack, by what it is for.
pub(crate) struct StackQueue {
    /// `planner` or `copier`.
    pub(crate) function: &'static str,
    /// What the function receives.
    pub(crate) live: Arc<dyn CountedQueue>,
    /// What it failed at too often.
    pub(crate) dead_letters: Arc<dyn CountedQueue>,
}

/// The planner function, called for its answer. What is asked bears repetition.
#[async_trait]
trait Planner: Send + Sync {
    /// The inner `Err` is what a function that failed says.
    async fn call(&self, function: &str, event: &Value)
    -> Result<Result<Value, String>, PortError>;
}

/// A stack that is deployed.
pub(crate) struct Stack {
    /// `UPDATE_COMPLETE` and the like.
    pub(crate) status: String,
    /// The planner's, then the copier's.
    pub(crate) queues: [StackQueue; 2],
    /// Its name, and where it is.
    pub(crate) place: String,
    table_name: String,
    /// The planner's, then the copier's.
    function_names: [String; 2],
    table: Arc<dyn Table>,
    planner: Box<dyn Planner>,
}

/// What a description says of a stack, by names that the templates give.
struct Outputs<'a> {
    stack: &'a str,
    status: &'a str,
    found: &'a BTreeMap<String, String>,
}

impl Outputs<'_> {
    /// Every one of these, or the names of all that are missing.
    fn all<const COUNT: usize>(
        &self,
        names: [&'static str; COUNT],
    ) -> Result<[String; COUNT], CommandError> {
        let value = |name| self.found.get(name).filter(|value| !value.is_empty());
        let missing: Vec<&str> =
            names.iter().copied().filter(|name| value(*name).is_none()).collect();
        if missing.is_empty() {
            return Ok(names.map(|name| value(name).cloned().unwrap_or_default()));
        }
        let (stack, status) = (self.stack.to_owned(), self.status.to_owned());
        Err(CommandError::StackIncomplete { stack, status, missing: missing.join(", ") })
    }
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

impl Stack {
    /// The stack that holds a job's ledger; `None` where that is a file.
    pub(crate) async fn of(
        state: &StateSpec,
        machine: &Machine,
    ) -> Result<Option<Self>, CommandError> {
        match state {
            StateSpec::Local { .. } => Ok(None),
            StateSpec::Aws { stack, region } => {
                aws::find(stack, region.as_deref(), machine).await.map(Some)
            }
            StateSpec::Aliyun { region, outputs } => {
                aliyun::find(region, outputs, machine).await.map(Some)
            }
        }
    }

    /// The ledger of a job in it.
    pub(crate) fn ledger(&self, job: &Job, machine: &Machine) -> JobLedger {
        let [planner_queue, copier_queue] =
            [0, 1].map(|index| Arc::clone(&self.queues[index].live) as Arc<dyn Queue>);
        // A function that was ended tells nobody: its leases run out.
        let known_dead = Arc::new(|_: &str| false);
        let table = Arc::clone(&self.table);
        let (planner, copier) = (Arc::clone(&planner_queue), Arc::clone(&copier_queue));
        let ledger = Ledger::new(table, planner, copier, machine.clock(), known_dead);
        JobLedger { job: JobName(job.name.clone()), ledger, planner_queue, copier_queue }
    }

    /// Whether its functions have anything to do: by what the queues count, which is rough and some
    /// seconds old.
    pub(crate) async fn has_messages(&self) -> Result<bool, CommandError> {
        for queue in &self.queues {
            if queue.live.backlog().await.map_err(CommandError::Cloud)? > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where it is, and what stands in it, in one line.
    pub(crate) fn describe(&self) -> String {
        let Self { place, status, table_name, function_names: [planner, copier], .. } = self;
        format!("{place}: {status}; table {table_name}, functions {planner} and {copier}")
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
        let [function, _] = &self.function_names;
        let answered = self.planner.call(function, event).await.map_err(CommandError::Cloud)?;
        let answer = answered
            .map_err(|error| CommandError::FunctionFailed { function: function.clone(), error })?;
        serde_json::from_value(answer).map_err(|_| {
            let message = format!(
                "function {function} answers what this version does not know: deploy the same \
                 version as this command's"
            );
            CommandError::Cloud(PortError::new(ErrorKind::BadAnswer, message))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_that_are_missing_are_named_together() {
        let found = BTreeMap::from([("TableName".to_owned(), "x".to_owned())]);
        let outputs = Outputs { stack: "mine", status: "CREATE_IN_PROGRESS", found: &found };
        let error = outputs.all(["TableName", "PlannerQueueUrl", "CopierFunctionName"]);
        let text = error.unwrap_err().to_string();
        assert!(text.contains("stack mine (CREATE_IN_PROGRESS)"), "{text}");
        assert!(text.contains("PlannerQueueUrl, CopierFunctionName"), "{text}");
        assert_eq!(outputs.all(["TableName"]).unwrap(), ["x"]);
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
