//! What stands under `infra/aliyun`, looked at without the cloud: by official packages where they
//! judge it, and as what each of the three descriptions would make.

mod arguments;
mod described;
mod documents;
mod judged;
mod policies;
mod ros;
mod same;
mod serverless_devs;
mod terraform;
mod wiring;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ossferry_tests::fixtures::{judging_alibaba, root};
use serde_json::Value;

/// Whose resources the tests look at, and where.
const ACCOUNT: &str = "1234567890123456";
const REGION: &str = "cn-hangzhou";

/// A choice of parameters, by the names of the ROS template.
type Choice = &'static [(&'static str, &'static str)];

/// What has no default.
const LEAST: Choice = &[("CodeBucket", "code"), ("TargetBuckets", "target")];

const PUSH: Choice = &[("CodeBucket", "code"), ("TargetBuckets", "target"), ("Mode", "push")];

/// Everything that may be left out, and no other default.
const EVERYTHING: Choice = &[
    ("Name", "moves"),
    ("CodeBucket", "code"),
    ("CodePath", "ossferry/0123456789ab"),
    ("Runtime", "custom.debian10"),
    ("TargetBuckets", "target,other-target"),
    ("SourceBuckets", "source,other-source"),
    ("SecretNames", "cos,s3"),
    ("KeyIds", "key-1,key-2"),
    ("PullSchedule", "@every 10m"),
    ("SweepSchedule", "@every 3m"),
    ("PassSchedule", "CRON_TZ=Asia/Shanghai 0 0 3 * * *"),
    ("JobName", "photos"),
    ("PlannerCpu", "1"),
    ("PlannerMemory", "1024"),
    ("PlannerConcurrency", "30"),
    ("CopierCpu", "0.35"),
    ("CopierMemory", "640"),
    ("CopierConcurrency", "150"),
    ("PublicAccess", "false"),
    ("VpcId", "vpc-1"),
    ("VSwitchIds", "vsw-1,vsw-2"),
    ("SecurityGroupId", "sg-1"),
    ("TableStoreInstance", "moves-ledger"),
    ("LogLevel", "debug"),
    ("LogRetentionDays", "7"),
    ("AwsRegion", "eu-central-1"),
    ("AwsTable", "moves-Table-1"),
    ("AwsPlannerQueueUrl", "https://sqs.eu-central-1.amazonaws.com/1/planner"),
    ("AwsCopierQueueUrl", "https://sqs.eu-central-1.amazonaws.com/1/copier"),
    ("AwsSecret", "aws"),
    ("AwsPullSchedule", "@every 2m"),
];

const NOTHING_SCHEDULED: Choice = &[
    ("CodeBucket", "code"),
    ("TargetBuckets", "target"),
    ("PullSchedule", ""),
    ("SweepSchedule", ""),
    ("TableStoreInstance", "moves-ledger"),
];

/// What the tests look at the descriptions with.
const CHOICES: [Choice; 4] = [LEAST, PUSH, EVERYTHING, NOTHING_SCHEDULED];

fn infra(path: &str) -> PathBuf {
    root().join("infra/aliyun").join(path)
}

/// What a judge under `tests/alibaba` says of `asked`.
fn judge(script: &str, asked: &Value) -> Value {
    let path = root().join("tests/alibaba").join(script);
    let mut judge = Command::new(judging_alibaba("python"))
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python runs");
    let mut stdin = judge.stdin.take().expect("its input is a pipe");
    stdin.write_all(asked.to_string().as_bytes()).expect("it reads");
    drop(stdin);
    answer(&judge.wait_with_output().expect("it ends"))
}

/// A YAML file of these descriptions.
fn yaml(path: &Path) -> Value {
    let reader = root().join("tests/alibaba/read_yaml.py");
    let output = Command::new(judging_alibaba("python")).arg(reader).arg(path).output();
    answer(&output.expect("python runs"))
}

fn answer(output: &std::process::Output) -> Value {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}
