//! A stack on AWS for one test: queues and outputs made by `CloudFormation` in [`Ministack`], the table in
//! Amazon's own [`DynamoDbLocal`], keys in Secrets Manager and Systems Manager.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use ossferry_aws::{DynamoTable, SqsQueue};
use ossferry_core::ports::Queue;
use ossferry_ledger::Ledger;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::clock;
use crate::dynamodb_local::DynamoDbLocal;
use crate::ministack::Ministack;

/// Where all of it is.
pub const REGION: &str = "us-east-1";

/// The name that the template gives the planner.
pub const PLANNER_FUNCTION: &str = "tests-planner";

/// A stack that is there.
pub struct DeployedStack {
    /// Its name.
    pub name: String,
    /// What its planner receives.
    pub planner_queue: String,
    /// What its copier receives.
    pub copier_queue: String,
    /// What its planner failed at.
    pub planner_dead_letters: String,
    /// What its copier failed at.
    pub copier_dead_letters: String,
    table: String,
}

impl DeployedStack {
    /// Makes it, of a name and queues that no other test has.
    pub async fn deploy() -> Self {
        let ministack = Ministack::shared();
        let table = DynamoDbLocal::shared().fresh_table().await;
        // It answers from here on.
        ministack.fresh_queue().await;
        let name = format!("stack-{:016x}", fastrand::u64(..));
        let template = template(&table).to_string();
        let form = [
            ("Action", "CreateStack"),
            ("Version", "2010-05-15"),
            ("StackName", name.as_str()),
            ("TemplateBody", template.as_str()),
        ];
        let answer = query("cloudformation", &form).await;
        assert!(answer.contains("<StackId>"), "{answer}");
        let outputs = outputs(&name).await;
        let output = |name: &str| outputs[name].clone();
        Self {
            planner_queue: output("PlannerQueueUrl"),
            copier_queue: output("CopierQueueUrl"),
            planner_dead_letters: output("PlannerDeadLetterQueueUrl"),
            copier_dead_letters: output("CopierDeadLetterQueueUrl"),
            name,
            table,
        }
    }

    /// What AWS's own tools would find in the environment, and where the planner answers.
    pub fn variables(&self, lambda: &str) -> Vec<(&'static str, String)> {
        let (ministack, table) = (Ministack::shared(), DynamoDbLocal::shared());
        vec![
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIDTESTS".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests".to_owned()),
            ("AWS_ENDPOINT_URL", ministack.endpoint()),
            ("AWS_ENDPOINT_URL_DYNAMODB", table.endpoint()),
            ("AWS_ENDPOINT_URL_LAMBDA", lambda.to_owned()),
        ]
    }

    /// A queue of it.
    pub fn queue(url: &str) -> SqsQueue {
        SqsQueue::new(Ministack::shared().queues(), url.to_owned(), None)
    }

    /// How many messages a queue holds that nobody has received.
    pub async fn waiting(url: &str) -> usize {
        let client = Ministack::shared().queues();
        let count = QueueAttributeName::ApproximateNumberOfMessages;
        let call = client.get_queue_attributes().queue_url(url).attribute_names(count.clone());
        let answer = call.send().await.expect("a queue's attributes");
        let attributes = answer.attributes.unwrap_or_default();
        attributes.get(&count).and_then(|text| text.parse().ok()).expect("a count")
    }

    /// The ledger in it, past everything that is tested.
    pub fn ledger(&self) -> Ledger {
        let client = DynamoDbLocal::shared().client();
        let queue = |url: &str| -> Arc<dyn Queue> { Arc::new(Self::queue(url)) };
        Ledger::new(
            Arc::new(DynamoTable::new(client, self.table.clone())),
            queue(&self.planner_queue),
            queue(&self.copier_queue),
            clock::system(),
            Arc::new(|_: &str| false),
        )
    }

    /// Puts a text into Secrets Manager, and answers its name.
    pub async fn secret(&self, text: &str) -> String {
        let name = format!("tests/{:016x}", fastrand::u64(..));
        let request = json!({ "Name": name, "SecretString": text });
        json_call("secretsmanager", "secretsmanager.CreateSecret", &request).await;
        name
    }

    /// Puts a text into a parameter, encrypted, and answers its name.
    pub async fn parameter(&self, text: &str) -> String {
        let name = format!("/tests/{:016x}", fastrand::u64(..));
        let request = json!({ "Name": name, "Value": text, "Type": "SecureString" });
        json_call("ssm", "AmazonSSM.PutParameter", &request).await;
        name
    }
}

/// The outputs of the real template, and the queues of them that a test needs.
fn template(table: &str) -> Value {
    let queue = json!({ "Type": "AWS::SQS::Queue" });
    let reference = |name: &str| json!({ "Value": { "Ref": name } });
    json!({
        "Resources": {
            "PlannerQueue": queue,
            "CopierQueue": queue,
            "PlannerDeadLetters": queue,
            "CopierDeadLetters": queue,
        },
        "Outputs": {
            "TableName": { "Value": table },
            "PlannerQueueUrl": reference("PlannerQueue"),
            "CopierQueueUrl": reference("CopierQueue"),
            "PlannerDeadLetterQueueUrl": reference("PlannerDeadLetters"),
            "CopierDeadLetterQueueUrl": reference("CopierDeadLetters"),
            "PlannerFunctionName": { "Value": PLANNER_FUNCTION },
            "CopierFunctionName": { "Value": "tests-copier" },
        },
    })
}

async fn outputs(stack: &str) -> HashMap<String, String> {
    let form = [("Action", "DescribeStacks"), ("Version", "2010-05-15"), ("StackName", stack)];
    for _ in 0..100 {
        let answer = query("cloudformation", &form).await;
        if answer.contains("CREATE_COMPLETE") {
            let outputs = answer.split("<OutputKey>").skip(1).filter_map(|rest| {
                let (key, rest) = rest.split_once("</OutputKey>")?;
                let value = rest.split_once("<OutputValue>")?.1.split_once("</OutputValue>")?.0;
                Some((key.to_owned(), value.to_owned()))
            });
            return outputs.collect();
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("stack {stack} is never complete");
}

async fn query(service: &str, form: &[(&str, &str)]) -> String {
    let mut body = String::new();
    for (name, value) in form {
        ossferry_http::percent::push_query(&mut body, name, Some(value.as_bytes()));
    }
    post(service, "content-type: application/x-www-form-urlencoded", &body).await
}

async fn json_call(service: &str, target: &str, request: &Value) {
    let headers = format!("content-type: application/x-amz-json-1.1\r\nx-amz-target: {target}");
    let answer = post(service, &headers, &request.to_string()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Asks ministack, which takes any signature.
async fn post(service: &str, headers: &str, body: &str) -> String {
    let address = Ministack::shared().address();
    let mut stream = TcpStream::connect(address).await.expect("ministack listens");
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=AKIDTESTS/20261122/{REGION}/{service}/\
         aws4_request,SignedHeaders=host,Signature=0\r\n{headers}\r\n\r\n{body}",
        length = body.len(),
    );
    stream.write_all(request.as_bytes()).await.expect("it is sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("it is answered");
    String::from_utf8(answer).expect("an answer of text")
}
