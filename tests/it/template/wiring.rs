//! Functions, queues, table and schedules, and what the programs know of them.

use std::collections::BTreeSet;

use ossferry_host::Asked;
use ossferry_lambda::Event;
use ossferry_tests::fixtures::root;
use serde_json::{Value, json};

use super::{TEMPLATE, named, of_type, property, quoted};

/// Two weeks, the longest that SQS keeps a message.
const RETENTION_SECONDS: u64 = 14 * 86_400;

/// Outputs that people read.
const FOR_PEOPLE: [&str; 2] = ["DashboardUrl", "OperatorPolicyArn"];

#[test]
fn a_message_that_failed_is_delivered_again_and_its_neighbours_are_not() {
    let mappings = of_type("AWS::Lambda::EventSourceMapping");
    assert_eq!(mappings.len(), 2);
    for (name, mapping) in mappings {
        let mapping = &mapping["Properties"];
        // Without it Lambda deletes what the function says it failed at.
        assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]), "{name}");
        assert_eq!(mapping["BatchSize"], 1, "{name}");
        assert!(mapping["ScalingConfig"]["MaximumConcurrency"]["Ref"].is_string(), "{name}");
        assert_ne!(mapping["Enabled"], false, "{name}");
    }
}

#[test]
fn a_message_is_hidden_for_six_times_the_time_limit_of_whoever_takes_it() {
    for (name, mapping) in of_type("AWS::Lambda::EventSourceMapping") {
        let function = named(&mapping["Properties"]["FunctionName"]);
        let queue = named(&mapping["Properties"]["EventSourceArn"]);
        let limit = property(function, "Timeout").as_u64().expect("a time limit");
        let hidden = property(queue, "VisibilityTimeout").as_u64().expect("a visibility timeout");
        assert_eq!((limit, hidden), (300, 1_800), "{name}");
        assert!(hidden >= 6 * limit, "{name}");
    }
}

#[test]
fn no_function_is_stopped_for_sending_messages_to_itself() {
    for (name, function) in of_type("AWS::Lambda::Function") {
        assert_eq!(function["Properties"]["RecursiveLoop"], "Allow", "{name}");
    }
}

#[test]
fn whatever_can_fail_for_good_ends_in_a_dead_letter_queue_that_somebody_watches() {
    let mut dead = BTreeSet::new();
    for (name, queue) in of_type("AWS::SQS::Queue") {
        let redrive = &queue["Properties"]["RedrivePolicy"];
        if redrive.is_object() {
            // Lambda's own hiccups count as deliveries too.
            assert_eq!(redrive["maxReceiveCount"], 5, "{name}");
            dead.insert(named(&redrive["deadLetterTargetArn"]));
        } else {
            assert!(name.ends_with("DeadLetterQueue"), "{name} has no dead-letter queue");
        }
        let retention = &queue["Properties"]["MessageRetentionPeriod"];
        assert_eq!(*retention, RETENTION_SECONDS, "{name}");
        assert_eq!(queue["Properties"]["SqsManagedSseEnabled"], true, "{name}");
    }
    for (name, schedule) in of_type("AWS::Scheduler::Schedule") {
        let target = &schedule["Properties"]["Target"];
        dead.insert(named(&target["DeadLetterConfig"]["Arn"]));
        // A schedule only hands its event over. What becomes of it is another matter.
        let function = named(&target["Arn"]);
        let configs = of_type("AWS::Lambda::EventInvokeConfig").into_iter();
        let mut configs = configs.map(|(_, config)| &config["Properties"]);
        let config = configs.find(|config| named(&config["FunctionName"]) == function);
        let config =
            config.unwrap_or_else(|| panic!("{name}: nothing catches what {function} fails at"));
        dead.insert(named(&config["DestinationConfig"]["OnFailure"]["Destination"]));
    }
    assert_eq!(dead.len(), 3);
    for queue in dead {
        assert!(!property(queue, "RedrivePolicy").is_object(), "{queue} would feed another");
        let watched = of_type("AWS::CloudWatch::Alarm").into_iter().any(|(_, alarm)| {
            let alarm = &alarm["Properties"];
            alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
                && alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0] == queue
        });
        assert!(watched, "nobody watches {queue}");
    }
}

#[test]
fn the_table_is_that_of_the_ledger_and_outlives_the_stack() {
    let [(_, table)] = of_type("AWS::DynamoDB::Table")[..] else { panic!("one table") };
    assert_eq!(
        (&table["DeletionPolicy"], &table["UpdateReplacePolicy"]),
        (&json!("Retain"), &json!("Retain"))
    );
    let table = &table["Properties"];
    let keys = json!([
        {"AttributeName": "partition", "KeyType": "HASH"},
        {"AttributeName": "sort", "KeyType": "RANGE"},
    ]);
    assert_eq!(table["KeySchema"], keys);
    let is_text = |attribute: &Value| attribute["AttributeType"] == "S";
    assert!(table["AttributeDefinitions"].as_array().unwrap().iter().all(is_text));
    assert_eq!(table["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    for absent in ["TimeToLiveSpecification", "GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
        assert!(table[absent].is_null(), "{absent}");
    }
}

#[test]
fn each_variable_that_the_functions_read_is_set_and_no_other() {
    let folders = ["shared/lambda/src", "functions/planner/src/bin", "functions/copier/src/bin"];
    let read: BTreeSet<String> = quoted(&folders, "OSSFERRY_").into_keys().collect();
    for (name, function) in of_type("AWS::Lambda::Function") {
        let set = function["Properties"]["Environment"]["Variables"].as_object().unwrap();
        let set: BTreeSet<String> = set.keys().cloned().collect();
        assert_eq!(set, read, "{name}");
    }
}

#[test]
fn a_schedule_says_what_the_planner_understands() {
    for (name, schedule) in of_type("AWS::Scheduler::Schedule") {
        let target = &schedule["Properties"]["Target"];
        assert_eq!(named(&target["Arn"]), "PlannerFunction", "{name}");
        let input = target["Input"].as_str().or_else(|| target["Input"]["Fn::Sub"].as_str());
        let input = input.unwrap().replace("${JobName}", "photos");
        // What EventBridge puts in its place.
        let event = input.replace("<aws.scheduler.scheduled-time>", "2026-11-22T10:00:00Z");
        let event = serde_json::from_str(&event).unwrap_or_else(|error| panic!("{name}: {error}"));
        match Event::read(event).unwrap_or_else(|error| panic!("{name}: {error}")) {
            Event::Asked(Asked::Trigger(trigger)) => {
                // The planned time names the pass: delivered twice, it is one pass.
                assert!(trigger.time.is_some() && trigger.id.is_none(), "{name}");
                assert!(input.contains("<aws.scheduler.scheduled-time>"), "{name}");
            }
            Event::Asked(Asked::Sweep(job)) => assert_eq!(job, None, "{name}"),
            Event::Messages(_) => panic!("{name} plays a queue"),
        }
    }
}

#[test]
fn outputs_are_those_that_the_command_reads() {
    let outputs = TEMPLATE["Outputs"].as_object().unwrap();
    let read = quoted(&["functions/ossferry/src", "shared/aws/src", "shared/ends/src"], "");
    for output in outputs.keys() {
        let is_for_people = FOR_PEOPLE.contains(&output.as_str());
        assert!(is_for_people || read.contains_key(output), "nothing reads {output}");
    }
    // What the command asks a stack for is spelt like this and in no other way.
    let asked = read.keys().filter(|text| is_output_name(text));
    for asked in asked {
        assert!(outputs.contains_key(asked), "the stack does not say {asked}");
    }
}

fn is_output_name(text: &str) -> bool {
    let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_word && ["QueueUrl", "FunctionName", "TableName"].iter().any(|end| text.ends_with(end))
}

#[test]
fn the_profile_that_is_deployed_unwinds_and_waits_for_no_jitter() {
    let read = |path: &str| -> toml::Table {
        std::fs::read_to_string(root().join(path)).unwrap().parse().unwrap()
    };
    let manifest = read("Cargo.toml");
    let release = manifest["profile"]["release"].as_table().unwrap();
    assert_eq!(release["panic"].as_str(), Some("unwind"));
    // cargo-lambda sets each that is absent.
    for key in ["lto", "codegen-units", "strip"] {
        assert!(release.contains_key(key), "cargo-lambda would decide {key}");
    }
    let config = read(".cargo/config.toml");
    assert_eq!(config["env"]["AWS_LC_SYS_NO_JITTER_ENTROPY"].as_str(), Some("1"));
}
