//! A pass that is planned on AWS, beside its source, and copied from Function Compute, beside its target.

use std::sync::Arc;
use std::time::Duration;

use ossferry_tests::clock;
use ossferry_tests::command::JobFile;
use ossferry_tests::fc::{FcDeployment, FcService, Function};
use ossferry_tests::lambda::{LambdaLimits, Stack};
use ossferry_tests::oss::Oss;
use ossferry_tests::seaweedfs::SeaweedFs;
use serde_json::json;

use crate::lambda::passes::{PASS_MAX, fill, look};

const SECRET: &str = "ossferry/aws";

/// A copier over the ledger of a stack, without any key of AWS in its environment.
fn copier(stack: &Stack, service: &FcService) -> Function {
    let timeout = Duration::from_mins(2);
    let mut variables = stack.copier.deployment().variables.clone();
    let key = |name: &str| variables.iter().find(|(known, _)| known == name).unwrap().1.clone();
    service.keep(
        SECRET,
        &json!({
            "access_key": key("AWS_ACCESS_KEY_ID"),
            "secret_key": key("AWS_SECRET_ACCESS_KEY"),
            "token": key("AWS_SESSION_TOKEN"),
        }),
    );
    let is_key = |name: &str| name.starts_with("AWS_") && !name.starts_with("AWS_ENDPOINT_URL");
    variables.retain(|(name, _)| !is_key(name));
    let more = [
        ("AWS_REGION", "us-east-1".to_owned()),
        ("OSSFERRY_AWS_SECRET", SECRET.to_owned()),
        ("OSSFERRY_KMS_ENDPOINT", service.endpoint()),
        ("OSSFERRY_TIMEOUT_SECONDS", timeout.as_secs().to_string()),
        ("OSSFERRY_VCPU", "0.5".to_owned()),
    ];
    variables.extend(more.map(|(name, value)| (name.to_owned(), value)));
    let (name, program) = ("ferry-copier-aws", "copier-fc-aws");
    let (instances_max, retries_max) = (2, 0);
    Function::new(FcDeployment { name, program, timeout, instances_max, retries_max, variables })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copiers_on_function_compute_move_what_a_planner_on_aws_has_planned() {
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    let objects = fill(&bucket).await;
    let oss = Oss::start(clock::system()).await;
    let limits = "task_objects_max = 50\nsplit_bytes = 4194304\npart_bytes = 1048576";
    let job = JobFile::from_s3(&bucket, &oss).limits(limits).text();
    let stack = Stack::deploy(&job, &LambdaLimits::default()).await;
    let service = FcService::start().await;
    let copier = Arc::new(copier(&stack, &service));
    let answer = stack.trigger(json!({"pass": "full", "id": "first"})).await;
    assert_eq!(answer["outcome"], "running", "{answer}");
    let pass = stack.pass("first");
    let pull = json!({"pull": true});
    let [planners, _] = &stack.mappings;
    let work = async {
        let pulled = tokio::join!(copier.invoke(&pull), copier.invoke(&pull));
        planners.stop();
        pulled
    };
    let (pulled, ()) = tokio::time::timeout(PASS_MAX, async { tokio::join!(work, planners.run()) })
        .await
        .expect("both end when no pass runs any more");
    let ended = [pulled.0.answer(), pulled.1.answer()];
    assert!(ended.iter().all(|answer| answer["ended"] == "no-pass"), "{ended:?}");
    let report = look(&stack.ledger, &pass, &oss, &objects).await.report;
    assert_eq!((report.listed, report.copied), (301, 301));
    let of_functions = report.alibaba_cost.as_ref().and_then(|cost| cost.functions);
    assert!(of_functions.is_some_and(|price| price > 0.0), "by Alibaba Cloud: {report}");
    assert!(report.cost.as_ref().is_some_and(|cost| cost.table > 0.0), "by AWS: {report}");
    assert_eq!(stack.copier.figures().invocations, 0, "no copier on AWS");
}
