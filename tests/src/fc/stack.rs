//! Both functions with their queues and their table: SMQ and Tablestore, emulated.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ossferry_aliyun::SmqQueue;
use ossferry_aliyun::smq::BodyEncoding;
use ossferry_core::job::Job;
use ossferry_core::ports::Queue;
use ossferry_ledger::Ledger;
use ossferry_ledger::ids::{JobName, PassRef};
use ossferry_ledger::rows::PassRow;
use serde_json::{Value, json};
use smq_tablestore_emulator::smq::{DeadLetters, QueueAttributes};

use super::{FcDeployment, FcService, Function};
use crate::command::JobFile;
use crate::ending::until_end;
use crate::smq::Smq;
use crate::tablestore::{INSTANCE, TABLE, Tablestore};
use crate::{clock, oss, seaweedfs, smq};

/// Secrets as the job names them.
const SOURCE_SECRET: &str = "ossferry/source";
const TARGET_SECRET: &str = "ossferry/target";

const PLANNER_QUEUE: &str = "ferry-planner";
const COPIER_QUEUE: &str = "ferry-copier";
const PLANNER_DEAD: &str = "ferry-planner-dead";
const COPIER_DEAD: &str = "ferry-copier-dead";

/// The stack, as ROS knows it.
pub const STACK: &str = "ferry";

/// Where it is.
const REGION: &str = "cn-hangzhou";

/// How the functions are deployed.
#[derive(Clone, Debug)]
pub struct FcLimits {
    /// The planner's time limit.
    pub planner_timeout: Duration,
    /// The copier's time limit.
    pub copier_timeout: Duration,
    /// The copier's instances at once.
    pub copiers: usize,
    /// How long what is received stays hidden.
    pub visibility: Duration,
    /// After so many deliveries a message is given up.
    pub receive_count_max: u32,
    /// Whether messages are pushed: nobody is started to receive.
    pub is_push: bool,
    /// `OSSFERRY_LOG`.
    pub log: String,
}

impl Default for FcLimits {
    fn default() -> Self {
        Self {
            planner_timeout: Duration::from_mins(5),
            copier_timeout: Duration::from_mins(5),
            copiers: 3,
            visibility: Duration::from_mins(30),
            receive_count_max: 5,
            is_push: false,
            log: "info".to_owned(),
        }
    }
}

/// A stack and one deployed job.
pub struct FcStack {
    /// The job.
    pub job: Job,
    /// The file that says so.
    pub job_text: String,
    /// Read and written beside the functions.
    pub ledger: Ledger,
    /// Works on slices and uploads, is triggered and sweeps.
    pub planner: Arc<Function>,
    /// Works on tasks and ranges.
    pub copier: Arc<Function>,
    /// Starts them, and keeps secrets.
    pub service: FcService,
    /// Of the planners and of the copiers.
    pub queues: [Arc<dyn Queue>; 2],
    /// Behind the queues.
    pub smq: Smq,
    /// Behind the table.
    pub tablestore: Tablestore,
}

impl FcStack {
    /// Makes table, queues and secrets, and deploys the job: its keys stand in the secrets.
    pub async fn deploy(file: &JobFile, limits: &FcLimits) -> Self {
        let job_text = deployed(&file.text());
        let job = Job::parse(&job_text).unwrap_or_else(|errors| panic!("{errors}\n{job_text}"));
        let (smq, tablestore) = (Smq::start(clock::system()).await, Tablestore::start().await);
        let service = FcService::start().await;
        let account = seaweedfs::account();
        let keys = |access: &str, secret: &str| json!({"access_key": access, "secret_key": secret});
        service.keep(SOURCE_SECRET, &keys(&account.access_key, &account.secret_key));
        service.keep(TARGET_SECRET, &keys(oss::ACCESS_KEY, oss::SECRET_KEY));
        let queues = [(PLANNER_QUEUE, PLANNER_DEAD), (COPIER_QUEUE, COPIER_DEAD)];
        let queues = queues.map(|(name, dead)| {
            smq.queue(dead, QueueAttributes::default(), BodyEncoding::Plain);
            let receive_count_max = limits.receive_count_max;
            let attributes = QueueAttributes {
                visibility_seconds: limits.visibility.as_secs(),
                dead_letters: Some(DeadLetters { queue: dead.to_owned(), receive_count_max }),
                ..QueueAttributes::default()
            };
            Arc::new(smq.queue(name, attributes, BodyEncoding::Plain)) as Arc<dyn Queue>
        });
        let [planner_queue, copier_queue] = queues.clone();
        let ledger = Ledger::new(
            Arc::new(tablestore.table()),
            planner_queue,
            copier_queue,
            clock::system(),
            Arc::new(|_: &str| false),
        );
        ledger.deploy_job(&job).await.expect("the job is deployed");
        let function = |name, program, timeout: Duration, instances_max, retries_max| {
            let mut variables = variables(&smq, &tablestore, &service, limits);
            let seconds = timeout.as_secs().to_string();
            variables.push(("OSSFERRY_TIMEOUT_SECONDS".to_owned(), seconds));
            variables.push(("OSSFERRY_VCPU".to_owned(), "0.5".to_owned()));
            let deployment =
                FcDeployment { name, program, timeout, instances_max, retries_max, variables };
            let function = Arc::new(Function::new(deployment));
            service.deploy(&function);
            function
        };
        // As the templates deploy them: a planner is tried again, a copier is not.
        let planner = function("ferry-planner", "planner-fc", limits.planner_timeout, 10, 2);
        let copier =
            function("ferry-copier", "copier-fc", limits.copier_timeout, limits.copiers, 0);
        service.describe(STACK, outputs(&smq, &tablestore, &service));
        Self { job, job_text, ledger, planner, copier, service, queues, smq, tablestore }
    }

    /// What ROS and Terraform tell of it.
    pub fn outputs(&self) -> BTreeMap<String, String> {
        outputs(&self.smq, &self.tablestore, &self.service)
    }

    /// What the operator's command finds in its environment: no key of the ends.
    pub fn operator_variables(&self) -> Vec<(&'static str, String)> {
        let endpoint = self.service.endpoint();
        vec![
            ("ALIBABA_CLOUD_ACCESS_KEY_ID", smq::ACCESS_KEY.to_owned()),
            ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", smq::SECRET_KEY.to_owned()),
            ("ALIBABA_CLOUD_SECURITY_TOKEN", smq::TOKEN.to_owned()),
            ("ALIBABA_CLOUD_ROS_ENDPOINT", endpoint.clone()),
            ("ALIBABA_CLOUD_KMS_ENDPOINT", endpoint),
        ]
    }

    /// Every secret that the functions are told or read.
    pub fn secrets(&self) -> Vec<String> {
        let source = seaweedfs::account().secret_key;
        let role = [crate::smq::SECRET_KEY.to_owned(), crate::smq::TOKEN.to_owned()];
        role.into_iter().chain([source, oss::SECRET_KEY.to_owned()]).collect()
    }

    /// Where the copiers' messages go that were given up.
    pub fn copier_dead_letters(&self) -> SmqQueue {
        let credentials = smq::signing(smq::credentials());
        self.smq.reach(COPIER_DEAD, BodyEncoding::Plain, credentials, clock::system())
    }

    /// Messages that were given up.
    pub fn dead_letters(&self) -> usize {
        [PLANNER_DEAD, COPIER_DEAD].map(|queue| self.smq.emulator().messages(queue)).iter().sum()
    }

    /// Triggers a pass of the job, as whoever calls the planner directly.
    pub async fn trigger(&self, fields: Value) -> Value {
        self.planner.invoke(&self.trigger_event(&fields)).await.answer()
    }

    /// What a trigger asks.
    pub fn trigger_event(&self, fields: &Value) -> Value {
        let mut event = json!({"job": self.job.name});
        for (name, value) in fields.as_object().cloned().unwrap_or_default() {
            event[name.as_str()] = value;
        }
        event
    }

    /// A pass of the job by its id.
    pub fn pass(&self, id: &str) -> PassRef {
        PassRef { job: JobName(self.job.name.clone()), pass: id.into() }
    }

    /// The pass that an answer says is running.
    pub fn begun(&self, answer: &Value) -> PassRef {
        assert_eq!(answer["outcome"], "running", "{answer}");
        self.pass(answer["pass"].as_str().expect("the pass's id"))
    }

    /// Waits until a pass has ended. Panics where it has not in so much time.
    pub async fn until_end(&self, pass: &PassRef, limit: Duration) -> PassRow {
        let logs = || [self.planner.log(), self.copier.log()].concat();
        until_end(&self.ledger, pass, limit, logs).await
    }
}

/// The job's text with its keys in secrets and its ledger in the stack.
fn deployed(text: &str) -> String {
    let mut text = text.to_owned();
    for (access_key, secret_key, name) in [
        ("SOURCE_ACCESS_KEY", "SOURCE_SECRET_KEY", SOURCE_SECRET),
        ("OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", TARGET_SECRET),
    ] {
        let from = format!(
            "{{ from = \"env\", access_key = \"{access_key}\", secret_key = \"{secret_key}\" }}"
        );
        text = text.replace(&from, &format!("{{ from = \"aliyun-secret\", name = \"{name}\" }}"));
    }
    let state = format!("kind = \"aliyun\"\nregion = \"{REGION}\"\nstack = \"{STACK}\"");
    text.replace("path = \"state.sqlite\"", &state)
}

fn outputs(smq: &Smq, tablestore: &Tablestore, service: &FcService) -> BTreeMap<String, String> {
    let outputs = [
        ("TableStoreEndpoint", tablestore.endpoint()),
        ("TableStoreInstance", INSTANCE.to_owned()),
        ("TableName", TABLE.to_owned()),
        ("SmqEndpoint", smq.endpoint()),
        ("PlannerQueueName", PLANNER_QUEUE.to_owned()),
        ("CopierQueueName", COPIER_QUEUE.to_owned()),
        ("PlannerDeadLetterQueueName", PLANNER_DEAD.to_owned()),
        ("CopierDeadLetterQueueName", COPIER_DEAD.to_owned()),
        ("PlannerFunctionName", "ferry-planner".to_owned()),
        ("CopierFunctionName", "ferry-copier".to_owned()),
        ("FcEndpoint", service.endpoint()),
    ];
    outputs.map(|(name, value)| (name.to_owned(), value)).into()
}

fn variables(
    smq: &Smq,
    tablestore: &Tablestore,
    service: &FcService,
    limits: &FcLimits,
) -> Vec<(String, String)> {
    let visibility = limits.visibility.as_secs().to_string();
    let variables = [
        ("OSSFERRY_TABLESTORE_ENDPOINT", tablestore.endpoint()),
        ("OSSFERRY_TABLESTORE_INSTANCE", INSTANCE.to_owned()),
        ("OSSFERRY_TABLE", TABLE.to_owned()),
        ("OSSFERRY_SMQ_ENDPOINT", smq.endpoint()),
        ("OSSFERRY_PLANNER_QUEUE", PLANNER_QUEUE.to_owned()),
        ("OSSFERRY_COPIER_QUEUE", COPIER_QUEUE.to_owned()),
        ("OSSFERRY_VISIBILITY_SECONDS", visibility),
        ("OSSFERRY_LOG", limits.log.clone()),
        ("OSSFERRY_FC_ENDPOINT", service.endpoint()),
        ("OSSFERRY_KMS_ENDPOINT", service.endpoint()),
        ("OSSFERRY_PLANNER_FUNCTION", "ferry-planner".to_owned()),
        ("OSSFERRY_COPIER_FUNCTION", "ferry-copier".to_owned()),
        ("OSSFERRY_MODE", if limits.is_push { "push" } else { "pull" }.to_owned()),
    ];
    variables.map(|(name, value)| (name.to_owned(), value)).to_vec()
}
