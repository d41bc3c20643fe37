//! What the functions are told, what starts them, and what holds their messages.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::described::{Described, text};
use super::ros::{TEMPLATE, stack};
use crate::template::quoted;

use super::{ACCOUNT, CHOICES, EVERYTHING, LEAST, PUSH, REGION, terraform};

/// What `planner-fc` and `copier-fc` read.
const OF_BOTH: [&str; 9] = [
    "OSSFERRY_TABLESTORE_ENDPOINT",
    "OSSFERRY_TABLESTORE_INSTANCE",
    "OSSFERRY_TABLE",
    "OSSFERRY_SMQ_ENDPOINT",
    "OSSFERRY_PLANNER_QUEUE",
    "OSSFERRY_COPIER_QUEUE",
    "OSSFERRY_TIMEOUT_SECONDS",
    "OSSFERRY_VCPU",
    "OSSFERRY_LOG",
];
/// What `planner-fc` reads besides.
const OF_THE_PLANNER: [&str; 4] = [
    "OSSFERRY_FC_ENDPOINT",
    "OSSFERRY_COPIER_FUNCTION",
    "OSSFERRY_PLANNER_FUNCTION",
    "OSSFERRY_MODE",
];
/// What the descriptions leave as it is.
const UNSAID: [&str; 2] = ["OSSFERRY_VISIBILITY_SECONDS", "OSSFERRY_KMS_ENDPOINT"];
/// What `copier-fc-aws` reads.
const FOR_AWS: [&str; 8] = [
    "AWS_REGION",
    "OSSFERRY_TABLE",
    "OSSFERRY_PLANNER_QUEUE",
    "OSSFERRY_COPIER_QUEUE",
    "OSSFERRY_AWS_SECRET",
    "OSSFERRY_TIMEOUT_SECONDS",
    "OSSFERRY_VCPU",
    "OSSFERRY_LOG",
];
/// What `ossferry` reads.
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

fn described(choice: &[(&str, &str)]) -> Described {
    Described::from_stack(&stack(choice))
}

fn environment(function: &Map<String, Value>) -> BTreeMap<String, String> {
    let variables = function["EnvironmentVariables"].as_object().expect("variables");
    variables.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

#[test]
fn each_function_is_told_exactly_what_it_reads() {
    let described = described(EVERYTHING);
    let of_the_planner: Vec<&str> = [&OF_BOTH[..], &OF_THE_PLANNER].concat();
    for (name, wanted) in [
        ("moves-planner", of_the_planner.as_slice()),
        ("moves-copier", &OF_BOTH),
        ("moves-copier-aws", &FOR_AWS),
    ] {
        let told = environment(described.get("ALIYUN::FC3::Function", name));
        let told: BTreeSet<&str> = told.keys().map(String::as_str).collect();
        assert_eq!(told, wanted.iter().copied().collect(), "{name}");
    }
}

#[test]
fn every_variable_that_the_code_reads_is_one_of_these() {
    let read = quoted(&["shared/fc/src", "shared/host/src"], "OSSFERRY_");
    let known: BTreeSet<&str> =
        [&OF_BOTH[..], &OF_THE_PLANNER, &FOR_AWS, &UNSAID].concat().into_iter().collect();
    let known = known.into_iter().filter(|name| name.starts_with("OSSFERRY_"));
    assert_eq!(read.keys().map(String::as_str).collect::<Vec<_>>(), known.collect::<Vec<_>>());
}

#[test]
fn what_the_functions_are_told_stands_in_the_same_description() {
    for choice in CHOICES {
        let described = described(choice);
        for (name, function) in described.of("ALIYUN::FC3::Function") {
            let told = environment(function);
            assert_eq!(told["OSSFERRY_TIMEOUT_SECONDS"], function["Timeout"].to_string(), "{name}");
            assert_eq!(told["OSSFERRY_VCPU"], function["Cpu"].to_string(), "{name}");
            assert_eq!(function["DiskSize"], json!(512), "as it is counted");
            if name.ends_with("-aws") {
                continue;
            }
            let instance = &told["OSSFERRY_TABLESTORE_INSTANCE"];
            described.get("ALIYUN::OTS::InstanceV2", instance);
            let table = described.get("ALIYUN::OTS::Table", &told["OSSFERRY_TABLE"]);
            assert_eq!(table["InstanceName"], json!(instance));
            described.get("ALIYUN::MNS::Queue", &told["OSSFERRY_PLANNER_QUEUE"]);
            described.get("ALIYUN::MNS::Queue", &told["OSSFERRY_COPIER_QUEUE"]);
            let endpoint = format!("https://{instance}.{REGION}.vpc.tablestore.aliyuncs.com");
            assert_eq!(told["OSSFERRY_TABLESTORE_ENDPOINT"], endpoint);
            let endpoint = format!("http://{ACCOUNT}.mns.{REGION}-internal.aliyuncs.com");
            assert_eq!(told["OSSFERRY_SMQ_ENDPOINT"], endpoint);
            if name.ends_with("-planner") {
                let endpoint = format!("{ACCOUNT}.{REGION}-internal.fc.aliyuncs.com");
                assert_eq!(told["OSSFERRY_FC_ENDPOINT"], endpoint);
                described.get("ALIYUN::FC3::Function", &told["OSSFERRY_PLANNER_FUNCTION"]);
                described.get("ALIYUN::FC3::Function", &told["OSSFERRY_COPIER_FUNCTION"]);
            }
        }
    }
}

#[test]
fn the_outputs_are_what_ossferry_reads() {
    let outputs = stack(LEAST).outputs;
    let names: BTreeSet<&str> = outputs.keys().map(String::as_str).collect();
    let wanted: BTreeSet<&str> = OUTPUTS.into_iter().chain(["OperatorPolicyName"]).collect();
    assert_eq!(names, wanted);
    let instance = outputs["TableStoreInstance"].as_str().unwrap();
    let public = format!("https://{instance}.{REGION}.ots.aliyuncs.com");
    assert_eq!(outputs["TableStoreEndpoint"], json!(public));
    let private = &stack(EVERYTHING).outputs["TableStoreEndpoint"];
    assert_eq!(private, "https://moves-ledger.cn-hangzhou.vpc.tablestore.aliyuncs.com");
}

#[test]
fn an_instance_name_that_is_made_up_is_one_that_tablestore_takes() {
    let by_terraform = terraform::plan(&super::same::variables(LEAST)).outputs;
    for outputs in [stack(LEAST).outputs, by_terraform] {
        let name = text(&outputs["TableStoreInstance"]);
        assert!((3..=16).contains(&name.len()), "{name}");
        assert!(name.starts_with("of-"), "{name}");
        assert!(name[3..].chars().all(|digit| digit.is_ascii_hexdigit()), "{name}");
    }
}

#[test]
fn functions_fit_the_limits_of_function_compute() {
    for choice in CHOICES {
        let described = described(choice);
        for (name, function) in described.of("ALIYUN::FC3::Function") {
            let number = |property: &str| function[property].as_f64().expect("a number");
            let gigabytes = number("MemorySize") / 1024.0;
            let ratio = gigabytes / number("Cpu");
            assert!((1.0..=4.0).contains(&ratio), "{name}: 1 to {ratio}");
            assert!(number("MemorySize") % 64.0 == 0.0, "{name}");
            assert_eq!(function["InstanceConcurrency"], 1, "{name}");
            assert_eq!(function["CustomRuntimeConfig"]["Port"], 9000, "{name}");
            assert_eq!(function["CustomRuntimeConfig"]["Command"], json!(["/code/bootstrap"]));
            assert!(text(&function["Runtime"]).starts_with("custom.debian"), "{name}");
            let role = text(&function["Role"]);
            let role = role.rsplit('/').next().unwrap();
            described.get("ALIYUN::RAM::Role", role);
            described.get("ALIYUN::FC3::ConcurrencyConfig", name);
        }
    }
    let pushed = described(PUSH);
    let limit = |name| pushed.get("ALIYUN::FC3::Function", name)["Timeout"].as_u64().unwrap();
    assert_eq!(limit("ossferry-copier"), 300, "EventBridge waits for five minutes");
}

#[test]
fn every_queue_keeps_what_failed_and_outlasts_the_work() {
    let described = described(EVERYTHING);
    let queues: Vec<_> = described.of("ALIYUN::MNS::Queue").collect();
    assert_eq!(queues.len(), 5);
    for (name, queue) in queues {
        assert_eq!(queue["VisibilityTimeout"], 1800, "{name}");
        assert_eq!(queue["MessageRetentionPeriod"], 604_800, "{name}: the longest that SMQ keeps");
        if name.ends_with("-dead") {
            continue;
        }
        let dead = &queue["DlqPolicy"];
        assert_eq!((&dead["Enabled"], &dead["MaxReceiveCount"]), (&json!(true), &json!(5)));
        assert_eq!(dead["DeadLetterTargetQueue"], json!(format!("{name}-dead")));
    }
    for (name, starts) in described.of("ALIYUN::FC3::AsyncInvokeConfig") {
        let destination = text(&starts["DestinationConfig"]["OnFailure"]["Destination"]);
        let queue = format!("acs:mns:{REGION}:{ACCOUNT}:/queues/moves-trigger-dead/messages");
        assert_eq!(destination, queue, "{name}");
    }
}

#[test]
fn the_ledger_outlives_the_stack_and_forgets_nothing() {
    for name in ["Instance", "Table"] {
        assert_eq!(TEMPLATE["Resources"][name]["DeletionPolicy"], "Retain", "{name}");
    }
    let described = described(LEAST);
    let table = described.get("ALIYUN::OTS::Table", "ledger");
    assert_eq!((&table["TimeToLive"], &table["MaxVersions"]), (&json!(-1), &json!(1)));
    let key = json!([
        { "Name": "partition", "Type": "STRING" },
        { "Name": "sort", "Type": "STRING" },
    ]);
    assert_eq!(table["PrimaryKey"], key);
    let blocks = terraform::blocks();
    let kept = terraform::of(&blocks, "resource").filter(|block| {
        let lifecycle = block.body().blocks().find(|it| it.identifier() == "lifecycle");
        lifecycle.is_some_and(|it| terraform::attribute(it.body(), "prevent_destroy").is_some())
    });
    let kept: Vec<&str> = kept.map(|block| terraform::label(block, 0)).collect();
    assert_eq!(kept, ["alicloud_ots_instance", "alicloud_ots_table"]);
}

#[test]
fn a_message_that_cannot_be_pushed_is_set_aside_and_holds_nothing_up() {
    let described = described(PUSH);
    for function in ["planner", "copier"] {
        let name = format!("ossferry-{function}/push");
        let config = &described.get("ALIYUN::FC3::Trigger", &name)["TriggerConfig"];
        let options = &config["runOptions"];
        assert_eq!(options["errorsTolerance"], "ALL");
        assert_eq!(options["retryStrategy"]["PushRetryStrategy"], "EXPONENTIAL_DECAY_RETRY");
        assert_eq!(options["batchWindow"]["CountBasedWindow"], 1);
        let dead = format!("acs:mns:{REGION}:{ACCOUNT}:/queues/ossferry-{function}-dead");
        assert_eq!(options["deadLetterQueue"]["Arn"], json!(dead));
        let source = &config["eventSourceConfig"]["eventSourceParameters"]["sourceMNSParameters"];
        assert_eq!(source["QueueName"], json!(format!("ossferry-{function}")));
        assert_eq!(source["IsBase64Decode"], true, "SMQ is given base64");
        assert_eq!(config["asyncInvocationType"], false, "a failure is seen only by who waits");
    }
}

#[test]
fn timers_leave_room_for_planners_that_are_asked_for() {
    let default = |name: &str| &TEMPLATE["Parameters"][name]["Default"];
    let every = |name: &str| {
        let minutes = default(name).as_str().and_then(|it| it.strip_prefix("@every "));
        let minutes = minutes.and_then(|it| it.strip_suffix('m')).expect("minutes");
        minutes.parse::<u64>().expect("a number")
    };
    let by_timers = 50 / every("PullSchedule");
    assert!(default("PlannerConcurrency").as_u64().expect("a number") >= by_timers + 5);
    let for_aws = 50 / every("AwsPullSchedule");
    assert!(default("CopierConcurrency").as_u64().expect("a number") >= for_aws);
}

#[test]
fn timers_ask_for_what_the_functions_understand() {
    let described = described(EVERYTHING);
    let payload = |name: &str| -> Value {
        let trigger = described.get("ALIYUN::FC3::Trigger", name);
        assert_eq!(trigger["TriggerType"], "timer");
        assert_eq!(trigger["TriggerConfig"]["enable"], true);
        serde_json::from_str(&text(&trigger["TriggerConfig"]["payload"])).expect("JSON")
    };
    let incremental = json!({ "job": "photos", "pass": "incremental" });
    assert_eq!(payload("moves-planner/passes"), incremental);
    assert_eq!(payload("moves-planner/sweep"), json!({ "sweep": true }));
    for function in ["planner", "copier", "copier-aws"] {
        assert_eq!(payload(&format!("moves-{function}/pull")), json!({ "pull": true }));
    }
}
