//! The built functions, deployed to ministack by the real SAM CLI as `template.yaml` says.
//!
//! Where ministack is not AWS: it holds no role to its policies, wants numbers where `CloudFormation` hands
//! down text, does not tell a schedule's event its planned time, and its table loses no update but is not
//! Amazon's: functions and commands are sent to Amazon's own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ossferry_aws::{DynamoTable, SqsQueue};
use ossferry_core::ports::Queue;
use ossferry_ledger::Ledger;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use crate::clock;
use crate::dynamodb_local::DynamoDbLocal;
use crate::fixtures::{deploying, root};
use crate::ministack::Ministack;

/// Where it is deployed.
pub const REGION: &str = "us-east-1";

/// What `sam deploy` is given; less than a minute is usual.
const DEPLOY_MAX: Duration = Duration::from_mins(5);

/// The zip that a function is deployed as is no larger: it is loaded at every cold start. The copier's was
/// 4.95 MB when this was written, the planner's 5.56 MB.
pub const ZIP_BYTES_MAX: u64 = 5_600_000;

/// A stack of its own, on a server of its own.
pub struct DeployedStack {
    /// As it is called.
    pub name: String,
    outputs: BTreeMap<String, String>,
    ministack: Ministack,
    folder: TempDir,
}

impl DeployedStack {
    /// Deploys what `sam build` has built. Panics where it has not.
    pub async fn deploy(parameters: &[(&str, &str)]) -> Self {
        let tables = DynamoDbLocal::shared();
        // The functions are processes of ministack's own, and see its variables.
        let variables = [("AWS_ENDPOINT_URL_DYNAMODB", tables.endpoint())];
        let ministack = Ministack::start_with(&variables);
        ministack.fresh_queue().await;
        let folder = tempfile::tempdir().expect("a folder");
        let name = format!("tests-{:08x}", fastrand::u32(..));
        let mut stack = Self { name, outputs: BTreeMap::new(), ministack, folder };
        stack.sam_deploy(parameters).await;
        let described = json!({"StackName": stack.name});
        let described = stack.call("cloudformation", "describe_stacks", &described).await;
        let outputs = described["Stacks"][0]["Outputs"].as_array().expect("outputs");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let pair = |output: &Value| (text(&output["OutputKey"]), text(&output["OutputValue"]));
        stack.outputs = outputs.iter().map(pair).collect();
        tables.make_table(stack.output("TableName")).await;
        stack.count_by_numbers().await;
        stack
    }

    async fn sam_deploy(&self, parameters: &[(&str, &str)]) {
        let mut command = self.command("sam");
        command
            .args(["deploy", "--template-file"])
            .arg(built_template())
            .args(["--stack-name", &self.name, "--resolve-s3", "--no-confirm-changeset"])
            .args(["--capabilities", "CAPABILITY_IAM", "--no-progressbar"])
            .arg("--config-file")
            .arg(root().join("samconfig.toml"))
            .arg("--parameter-overrides")
            .args(parameters.iter().map(|(name, value)| format!("{name}=\"{value}\"")));
        said(command).await;
    }

    /// What the stack says of itself.
    pub fn output(&self, name: &str) -> &str {
        self.outputs.get(name).unwrap_or_else(|| panic!("no output {name}: {:?}", self.outputs))
    }

    /// Calls an operation of AWS.
    pub async fn call(&self, service: &str, operation: &str, arguments: &Value) -> Value {
        let mut command = self.command("python");
        command.arg(root().join("tests/sam/call.py")).args([service, operation]);
        command.arg(arguments.to_string());
        serde_json::from_str(&said(command).await).expect("JSON")
    }

    /// Where services are and as whom they are asked: for the tools, and for `ossferry`.
    pub fn variables(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL", self.ministack.endpoint()),
            ("AWS_ENDPOINT_URL_DYNAMODB", DynamoDbLocal::shared().endpoint()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIDTESTS".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests".to_owned()),
        ]
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(deploying(program));
        command.envs(self.variables()).env("AWS_DEFAULT_REGION", REGION);
        command.env("SAM_CLI_TELEMETRY", "0").env("HOME", self.folder.path());
        command.current_dir(self.folder.path()).kill_on_drop(true);
        command
    }

    /// Says again by a number what `CloudFormation` hands down as text.
    async fn count_by_numbers(&self) {
        let mappings = self.call("lambda", "list_event_source_mappings", &json!({})).await;
        for mapping in mappings["EventSourceMappings"].as_array().expect("mappings") {
            let wanted = &mapping["ScalingConfig"]["MaximumConcurrency"];
            let wanted = wanted.as_u64().or_else(|| wanted.as_str()?.parse().ok());
            let wanted = json!({"MaximumConcurrency": wanted.expect("a number")});
            let update = json!({"UUID": mapping["UUID"], "ScalingConfig": wanted});
            self.call("lambda", "update_event_source_mapping", &update).await;
        }
    }

    /// Does what `EventBridge` does when the time of a schedule has come: hands its event to the function
    /// and waits for nothing.
    pub async fn fire(&self, schedule: &str, planned: &str) {
        let schedules = self.call("scheduler", "list_schedules", &json!({})).await;
        let mut schedules = schedules["Schedules"].as_array().expect("schedules").iter();
        let is_it =
            |found: &&Value| found["Name"].as_str().is_some_and(|name| name.contains(schedule));
        let found = schedules.find(is_it).unwrap_or_else(|| panic!("no schedule {schedule}"));
        let asked = json!({"Name": found["Name"], "GroupName": found["GroupName"]});
        let target = self.call("scheduler", "get_schedule", &asked).await["Target"].take();
        let input = target["Input"].as_str().expect("an event");
        let event = input.replace("<aws.scheduler.scheduled-time>", planned);
        let invoked = json!({
            "FunctionName": target["Arn"], "InvocationType": "Event", "Payload": event,
        });
        self.call("lambda", "invoke", &invoked).await;
    }

    /// Messages in a queue of the stack, those that somebody holds too.
    pub async fn messages(&self, output: &str) -> u64 {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let asked = json!({"QueueUrl": self.output(output), "AttributeNames": names});
        let answer = self.call("sqs", "get_queue_attributes", &asked).await;
        let count =
            |name: &str| answer["Attributes"][name].as_str().and_then(|text| text.parse().ok());
        names.into_iter().map(|name| count(name).unwrap_or(0_u64)).sum()
    }

    /// The ledger of the stack.
    pub fn ledger(&self) -> Ledger {
        let table = self.output("TableName").to_owned();
        let queue = |output: &str| {
            let url = self.output(output).to_owned();
            Arc::new(SqsQueue::new(self.ministack.queues(), url, None)) as Arc<dyn Queue>
        };
        Ledger::new(
            Arc::new(DynamoTable::new(DynamoDbLocal::shared().client(), table)),
            queue("PlannerQueueUrl"),
            queue("CopierQueueUrl"),
            clock::system(),
            Arc::new(|_: &str| false),
        )
    }
}

/// What `sam build` has written.
fn built_template() -> PathBuf {
    built("template.yaml")
}

/// The binary of a function as it goes into the zip.
pub fn bootstrap(function: &str) -> PathBuf {
    built(&format!("{function}/bootstrap"))
}

fn built(file: &str) -> PathBuf {
    let path = root().join(".aws-sam/build").join(file);
    assert!(path.exists(), "{} is missing: run tests/sam/tool sam build", path.display());
    path
}

/// The output of a tool. Panics with all it said where it fails.
async fn said(mut command: Command) -> String {
    let output = timeout(DEPLOY_MAX, command.output()).await;
    let output = output.expect("the tool ends in time").expect("the tool starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}\n{error}");
    text
}
