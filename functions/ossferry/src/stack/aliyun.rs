//! A deployment on Alibaba Cloud: Tablestore, Simple Message Queue and Function Compute.
//!
//! The planner is asked over Function Compute's own interface rather than by a message on its queue: the
//! answer says at once whether the pass began, was skipped or was refused, and why.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ossferry_aliyun::openapi::{Functions, KmsSecrets, OpenApiOptions, RosStacks};
use ossferry_aliyun::smq::{BodyEncoding, SmqOptions};
use ossferry_aliyun::tablestore::TablestoreOptions;
use ossferry_aliyun::{SmqQueue, TablestoreTable};
use ossferry_core::error::PortError;
use ossferry_core::job::{DeploymentOutputs, Job, StateSpec};
use ossferry_ends::{FunctionRole, Surroundings};
use ossferry_http::{
    Credentials, CredentialsProvider, Endpoint, Lane, LaneOptions, RetryPolicy, StaticCredentials,
};
use serde_json::Value;

use super::{CountedQueue, Outputs, Planner, Stack, StackQueue};
use crate::command_error::CommandError;
use crate::machine::Machine;

/// What the commands need. ROS and Terraform give the same outputs.
const OUTPUTS: [&str; 11] = [
    "TableStoreEndpoint",
    "TableStoreInstance",
    "TableName",
    "SmqEndpoint",
    "PlannerQueueName",
    "CopierQueueName",
    "PlannerDeadLetterQueueName",
    "CopierDeadLetterQueueName",
    "PlannerFunctionName",
    "CopierFunctionName",
    "FcEndpoint",
];

/// Variables of Alibaba Cloud's own tools.
const ACCESS_KEY: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
const SECRET_KEY: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
const TOKEN: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";

/// Name other addresses of Resource Orchestration Service and Key Management Service.
const ROS_ENDPOINT: &str = "ALIBABA_CLOUD_ROS_ENDPOINT";
const KMS_ENDPOINT: &str = "ALIBABA_CLOUD_KMS_ENDPOINT";

/// A planner answers once it has begun a pass or swept; a function's time is 300 s.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(310);

/// Whoever runs the command, and this machine's clock.
struct Operator<'a> {
    around: &'a Surroundings,
    credentials: Arc<dyn CredentialsProvider>,
}

impl<'a> Operator<'a> {
    fn of(around: &'a Surroundings) -> Result<Self, CommandError> {
        let value = |name: &'static str| (around.variables)(name).filter(|value| !value.is_empty());
        let needed = |name: &'static str| value(name).ok_or(CommandError::OperatorKey(name));
        let credentials = Credentials {
            access_key: needed(ACCESS_KEY)?,
            secret_key: needed(SECRET_KEY)?,
            token: value(TOKEN),
        };
        Ok(Self { around, credentials: Arc::new(StaticCredentials::new(credentials)) })
    }

    fn open_api(&self, endpoint: Endpoint) -> OpenApiOptions {
        OpenApiOptions {
            lane: Lane::new(&LaneOptions {
                answer_timeout: ANSWER_TIMEOUT,
                ..LaneOptions::default()
            }),
            endpoint,
            credentials: Arc::clone(&self.credentials),
            clock: Arc::clone(&self.around.clock),
            retry: RetryPolicy::default(),
        }
    }

    /// The address that a variable names, or the usual one.
    fn endpoint(&self, variable: &'static str, usual: &str) -> Result<Endpoint, CommandError> {
        let named = (self.around.variables)(variable).filter(|value| !value.is_empty());
        address(variable, named.as_deref().unwrap_or(usual))
    }
}

/// Outputs leave the scheme out where a tool does.
fn address(what: &str, text: &str) -> Result<Endpoint, CommandError> {
    let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    Endpoint::parse(&whole).ok_or_else(|| CommandError::NoAddress { what: what.to_owned() })
}

/// Asks Resource Orchestration Service for the outputs, or reads them from their file.
pub(super) async fn find(
    region: &str,
    outputs: &DeploymentOutputs,
    machine: &Machine,
) -> Result<Stack, CommandError> {
    let operator = Operator::of(&machine.around)?;
    let (name, status, found) = match outputs {
        DeploymentOutputs::Stack(stack) => {
            let ros = operator.endpoint(ROS_ENDPOINT, "https://ros.aliyuncs.com")?;
            let stacks = RosStacks::new(operator.open_api(ros));
            let found = stacks.find(region, stack).await.map_err(CommandError::Cloud)?;
            let found = found.ok_or_else(|| CommandError::NoStack {
                stack: stack.clone(),
                region: region.to_owned(),
                remedy: "create it from infra/aliyun/ros.yaml".to_owned(),
            })?;
            (stack.clone(), found.status, found.outputs)
        }
        DeploymentOutputs::File(path) => {
            (path.clone(), "as the file says".to_owned(), from_file(Path::new(path))?)
        }
    };
    let outputs = Outputs { stack: &name, status: &status, found: &found }.all(OUTPUTS)?;
    let [
        table_endpoint,
        instance,
        table_name,
        smq,
        planner,
        copier,
        planner_dead,
        copier_dead,
        planner_name,
        copier_name,
        functions,
    ] = outputs;
    let smq = address("SmqEndpoint", &smq)?;
    let queue = |name: String| -> Result<Arc<dyn CountedQueue>, CommandError> {
        let queue = SmqQueue::new(SmqOptions {
            lane: Lane::new(&LaneOptions::default()),
            endpoint: smq.clone(),
            queue: name,
            credentials: Arc::clone(&operator.credentials),
            clock: machine.clock(),
            retry: RetryPolicy::default(),
            body: BodyEncoding::Plain,
        });
        Ok(Arc::new(queue.map_err(CommandError::Cloud)?))
    };
    let table = TablestoreTable::new(TablestoreOptions {
        lane: Lane::new(&LaneOptions::default()),
        region: region.to_owned(),
        endpoint: address("TableStoreEndpoint", &table_endpoint)?,
        instance,
        table: table_name.clone(),
        credentials: Arc::clone(&operator.credentials),
        clock: machine.clock(),
        retry: RetryPolicy::default(),
    });
    let functions = Functions::new(operator.open_api(address("FcEndpoint", &functions)?));
    Ok(Stack {
        queues: [
            StackQueue {
                function: "planner",
                live: queue(planner)?,
                dead_letters: queue(planner_dead)?,
            },
            StackQueue {
                function: "copier",
                live: queue(copier)?,
                dead_letters: queue(copier_dead)?,
            },
        ],
        place: format!("{name} in {region}"),
        status,
        table_name,
        function_names: [planner_name, copier_name],
        table: Arc::new(table),
        planner: Box::new(functions),
    })
}

#[async_trait]
impl Planner for Functions {
    async fn call(
        &self,
        function: &str,
        event: &Value,
    ) -> Result<Result<Value, String>, PortError> {
        Self::call(self, function, &event.to_string()).await
    }
}

/// This machine as the ends of a job are asked from it: whoever operates a deployment on Alibaba Cloud
/// stands in for the role of its functions.
pub(crate) fn as_operator(job: &Job, machine: &Machine) -> Result<Machine, CommandError> {
    let StateSpec::Aliyun { region, .. } = &job.state else { return Ok(machine.clone()) };
    let around = &machine.around;
    let operator = Operator::of(around)?;
    let kms = operator.endpoint(KMS_ENDPOINT, &format!("https://kms.{region}.aliyuncs.com"))?;
    let secrets = Arc::new(KmsSecrets::new(operator.open_api(kms)));
    let role = FunctionRole { credentials: operator.credentials, secrets };
    let around = Surroundings { function: Some(role), ..around.clone() };
    Ok(Machine { around, ..machine.clone() })
}

fn from_file(path: &Path) -> Result<BTreeMap<String, String>, CommandError> {
    let wrong =
        |problem: String| CommandError::OutputsUnreadable { path: path.to_owned(), problem };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let outputs = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let mut found = BTreeMap::new();
    collect(&outputs, &mut found);
    Ok(found)
}

/// Outputs stand below their names as `{"value": …}`; those of a module in an object that its caller
/// gave a name.
fn collect(outputs: &Value, found: &mut BTreeMap<String, String>) {
    for (name, output) in outputs.as_object().into_iter().flatten() {
        let value = output.get("value").unwrap_or(output);
        match value {
            Value::String(text) => {
                found.insert(name.clone(), text.clone());
            }
            Value::Object(_) => collect(value, found),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn outputs_are_found_as_terraform_writes_them_and_inside_of_a_module() {
        let own =
            json!({ "TableName": { "sensitive": false, "type": "string", "value": "ledger" } });
        let module = json!({ "ferry": { "value": { "TableName": "ledger", "count": 1 } } });
        for outputs in [own, module, json!({ "TableName": "ledger" })] {
            let mut found = BTreeMap::new();
            collect(&outputs, &mut found);
            assert_eq!(found, BTreeMap::from([("TableName".to_owned(), "ledger".to_owned())]));
        }
    }

    #[test]
    fn an_address_may_lack_its_scheme() {
        let endpoint = address("FcEndpoint", "1.cn-hangzhou.fc.aliyuncs.com").unwrap();
        assert_eq!(endpoint.host(), "1.cn-hangzhou.fc.aliyuncs.com");
        assert!(address("FcEndpoint", "http://127.0.0.1:1").is_ok());
        assert!(
            address("FcEndpoint", "no address").unwrap_err().to_string().contains("FcEndpoint")
        );
    }
}
