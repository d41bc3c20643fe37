//! Both functions with their queues and their table: SQS of ministack, Amazon's own `DynamoDB`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ossferry_aws::{DynamoTable, SqsQueue};
use ossferry_core::job::Job;
use ossferry_core::ports::{Condition, Queue, Row, Table, Written};
use ossferry_ledger::Ledger;
use ossferry_ledger::ids::{JobName, PassRef, TaskRef, task_row};
use ossferry_ledger::rows::PassRow;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{Deployment, Function, Invoked, Mapping, Post};
use crate::dynamodb_local::DynamoDbLocal;
use crate::ending::{LOOK, until_end};
use crate::ministack::Ministack;
use crate::{clock, fixtures, oss, seaweedfs};

/// What a function is told of its memory.
const MEMORY_MIB: u32 = 512;

/// As they are called, and their binaries.
const PLANNER: &str = "planner-lambda";
const COPIER: &str = "copier-lambda";

/// A trigger that is not answered is delivered again so often.
const TRIGGERS_MAX: usize = 10;

/// How the functions are deployed.
#[derive(Clone, Debug)]
pub struct LambdaLimits {
    /// The planner's time limit.
    pub planner_timeout: Duration,
    /// The copier's time limit.
    pub copier_timeout: Duration,
    /// The planner's environments at once.
    pub planners: usize,
    /// The copier's environments at once.
    pub copiers: usize,
    /// How the queues treat messages.
    pub post: Post,
    /// Where the functions find the table; its own address where `None`.
    pub table_endpoint: Option<String>,
    /// `OSSFERRY_LOG`.
    pub log: String,
    /// The planner's binary and the copier's; those built with the profile of the tests where `None`.
    pub programs: Option<[PathBuf; 2]>,
    /// What the functions are told beside all that.
    pub variables: Vec<(String, String)>,
}

impl Default for LambdaLimits {
    fn default() -> Self {
        Self {
            planner_timeout: Duration::from_mins(1),
            copier_timeout: Duration::from_mins(1),
            planners: 2,
            copiers: 3,
            post: Post::default(),
            table_endpoint: None,
            log: "info".to_owned(),
            programs: None,
            variables: Vec::new(),
        }
    }
}

/// A stack and one deployed job.
pub struct Stack {
    /// The job.
    pub job: Job,
    /// Read and written beside the functions.
    pub ledger: Ledger,
    /// The same, row by row.
    pub table: Arc<dyn Table>,
    /// Works on slices and uploads, is triggered and sweeps.
    pub planner: Arc<Function>,
    /// Works on tasks and ranges.
    pub copier: Arc<Function>,
    /// Of the planners' queue and of the copiers'.
    pub mappings: [Arc<Mapping>; 2],
    /// The same queues.
    pub queues: [Arc<dyn Queue>; 2],
}

impl Stack {
    /// Makes table and queues, and deploys the job.
    pub async fn deploy(job_text: &str, limits: &LambdaLimits) -> Self {
        let job = Job::parse(job_text).unwrap_or_else(|errors| panic!("{errors}\n{job_text}"));
        let (ministack, dynamodb) = (Ministack::shared(), DynamoDbLocal::shared());
        let table = dynamodb.fresh_table().await;
        let urls = [ministack.fresh_queue().await, ministack.fresh_queue().await];
        let variables = variables(ministack, dynamodb, limits, &table, &urls);
        let queues = urls
            .map(|url| Arc::new(SqsQueue::new(ministack.queues(), url, None)) as Arc<dyn Queue>);
        let [planner_queue, copier_queue] = queues.clone();
        let table: Arc<dyn Table> = Arc::new(DynamoTable::new(dynamodb.client(), table));
        let ledger = Ledger::new(
            Arc::clone(&table),
            Arc::clone(&planner_queue),
            Arc::clone(&copier_queue),
            clock::system(),
            Arc::new(|_: &str| false),
        );
        ledger.deploy_job(&job).await.expect("the job is deployed");
        let function = |name, program: &PathBuf, timeout, environments_max| {
            let (memory_mib, program) = (MEMORY_MIB, program.clone());
            let variables = variables.clone();
            let deployed =
                Deployment { name, program, timeout, memory_mib, environments_max, variables };
            Arc::new(Function::new(deployed))
        };
        let built = || [PLANNER, COPIER].map(fixtures::built);
        let [planner, copier] = &limits.programs.clone().unwrap_or_else(built);
        let planner = function(PLANNER, planner, limits.planner_timeout, limits.planners + 1);
        let copier = function(COPIER, copier, limits.copier_timeout, limits.copiers);
        let mapping = |queue, function: &Arc<Function>, concurrency| {
            let post = limits.post.clone();
            Arc::new(Mapping::new(queue, Arc::clone(function), concurrency, post))
        };
        let mappings = [
            mapping(planner_queue, &planner, limits.planners),
            mapping(copier_queue, &copier, limits.copiers),
        ];
        Self { job, ledger, table, planner, copier, mappings, queues }
    }

    /// Every secret that the functions are told.
    pub fn secrets(&self) -> Vec<String> {
        let variables = self.copier.deployment().variables.iter();
        let is_secret = |name: &str| name.contains("SECRET") || name.contains("TOKEN");
        let secrets = variables.filter(|(name, _)| is_secret(name));
        secrets.map(|(_, value)| value.clone()).collect()
    }

    /// Writes a task's row anew, as nobody of the product does.
    pub async fn edit_task(&self, task: &TaskRef, edit: impl Fn(&mut Row)) {
        let id = task_row(task);
        loop {
            let read = self.table.get(&id.partition, &id.sort).await.expect("the table answers");
            let mut row = read.expect("the task is planned");
            edit(&mut row);
            let written = self.table.put(&row, Condition::Revision(row.revision)).await;
            if let Written::Done(_) = written.expect("the table answers") {
                return;
            }
        }
    }

    /// Triggers a pass of the job, and carries the planner's messages until everything is planned.
    pub async fn plan(&self, id: &str, limit: Duration) -> PassRef {
        let pass = self.pass(id);
        self.trigger(json!({"pass": "full", "id": id})).await;
        let [planners, _] = &self.mappings;
        let look = async {
            while self.ledger.status(&pass).await.expect("the pass is there").slices_unwalked > 0 {
                sleep(LOOK).await;
            }
            planners.stop();
        };
        let planned = async { tokio::join!(planners.run(), look) };
        timeout(limit, planned).await.expect("everything is planned in time");
        pass
    }

    /// Triggers a pass of the job, until that is answered.
    pub async fn trigger(&self, fields: Value) -> Value {
        let mut event = json!({"job": self.job.name});
        for (name, value) in fields.as_object().cloned().unwrap_or_default() {
            event[name.as_str()] = value;
        }
        // Lambda makes an asynchronous call that failed again, under the same id.
        let id = Function::new_request_id();
        for _ in 0..TRIGGERS_MAX {
            match self.planner.invoke_as(&id, &event).await {
                Invoked::Answered(answer) => return answer,
                Invoked::Failed(error) => panic!("the trigger failed: {error}"),
                Invoked::TimedOut | Invoked::Exited => {}
            }
        }
        panic!("the trigger is never answered: {}", self.planner.log());
    }

    /// A pass of the job by its id.
    pub fn pass(&self, id: &str) -> PassRef {
        PassRef { job: JobName(self.job.name.clone()), pass: id.into() }
    }

    /// Begins a pass and carries messages until it has ended.
    pub async fn run(&self, fields: Value, limit: Duration) -> (PassRef, PassRow) {
        let answer = self.trigger(fields).await;
        assert_eq!(answer["outcome"], "running", "{answer}");
        let pass = self.pass(answer["pass"].as_str().expect("the pass's id"));
        let row = self.until_end(&pass, limit).await;
        (pass, row)
    }

    /// Carries messages until a pass has ended, and what was begun too. Panics where it has not in so much time.
    pub async fn until_end(&self, pass: &PassRef, limit: Duration) -> PassRow {
        let logs = || [self.planner.log(), self.copier.log()].concat();
        let look = async {
            let row = until_end(&self.ledger, pass, limit, logs).await;
            self.mappings.iter().for_each(|mapping| mapping.stop());
            row
        };
        let [planners, copiers] = self.mappings.each_ref();
        let ((), (), row) = tokio::join!(planners.run(), copiers.run(), look);
        row
    }
}

fn variables(
    ministack: &Ministack,
    dynamodb: &DynamoDbLocal,
    limits: &LambdaLimits,
    table: &str,
    urls: &[String; 2],
) -> Vec<(String, String)> {
    let account = seaweedfs::account();
    let table_endpoint = limits.table_endpoint.clone().unwrap_or_else(|| dynamodb.endpoint());
    let variables = [
        ("OSSFERRY_TABLE", table),
        ("OSSFERRY_PLANNER_QUEUE", &urls[0]),
        ("OSSFERRY_COPIER_QUEUE", &urls[1]),
        ("OSSFERRY_LOG", &limits.log),
        ("AWS_ENDPOINT_URL_SQS", &ministack.endpoint()),
        ("AWS_ENDPOINT_URL_DYNAMODB", &table_endpoint),
        ("AWS_ACCESS_KEY_ID", "AKIDTESTS"),
        ("AWS_SECRET_ACCESS_KEY", "secret-of-the-functions-of-the-tests"),
        ("AWS_SESSION_TOKEN", "token-of-the-functions-of-the-tests"),
        ("SOURCE_ACCESS_KEY", &account.access_key),
        ("SOURCE_SECRET_KEY", &account.secret_key),
        ("OSS_ACCESS_KEY_ID", oss::ACCESS_KEY),
        ("OSS_ACCESS_KEY_SECRET", oss::SECRET_KEY),
    ];
    let own = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    own.into_iter().chain(limits.variables.iter().cloned()).collect()
}
