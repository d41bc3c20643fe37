//! The three descriptions make the same.

use std::collections::{BTreeMap, BTreeSet};

use hcl::eval::{Context, Evaluate};
use serde_json::{Map, Value, json};

use super::described::Described;
use super::ros::{TEMPLATE, stack};
use super::terraform::{self, attribute, in_json, label};
use super::{CHOICES, Choice, EVERYTHING, LEAST, PUSH, serverless_devs};

/// `VSwitchIds` is `v_switch_ids`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// The same choice as variables of the Terraform module.
pub(super) fn variables(choice: &[(&str, &str)]) -> Vec<(String, Value)> {
    let typed = choice.iter().map(|(name, text)| {
        let value = match TEMPLATE["Parameters"][name]["Type"].as_str() {
            Some("CommaDelimitedList") => text.split(',').filter(|it| !it.is_empty()).collect(),
            Some("Number" | "Boolean") => text.parse().expect("a number, true or false"),
            _ => json!(text),
        };
        (snake(name), value)
    });
    typed.collect()
}

fn assert_same(one: &Described, other: &Described, but_for: &[&str]) {
    let names = |it: &Described| it.resources.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(one), names(other));
    let without = |properties: &Map<String, Value>| -> BTreeMap<String, Value> {
        let kept = properties.iter().filter(|(name, _)| !but_for.contains(&name.as_str()));
        kept.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    for (name, properties) in &one.resources {
        assert_eq!(without(properties), without(&other.resources[name]), "{name:?}");
    }
}

/// A choice that names the instance: the two make a name up in their own ways.
fn with_instance(choice: Choice) -> Vec<(&'static str, &'static str)> {
    let mut choice = choice.to_vec();
    if !choice.iter().any(|(name, _)| *name == "TableStoreInstance") {
        choice.push(("TableStoreInstance", "of-0123456789ab"));
    }
    choice
}

#[test]
fn terraform_makes_what_the_ros_template_makes() {
    for choice in CHOICES {
        let choice = with_instance(choice);
        let stack = stack(&choice);
        let plan = terraform::plan(&variables(&choice));
        assert_eq!(stack.broken_rules, Vec::<String>::new());
        assert_eq!(plan.broken, Vec::<String>::new());
        assert_same(&Described::from_stack(&stack), &plan.in_ros(), &[]);
        assert_eq!(stack.outputs, plan.outputs);
    }
}

#[test]
fn serverless_devs_makes_what_the_ros_template_makes() {
    let environment = [("TABLESTORE_INSTANCE", "of-0123456789ab"), ("TARGET_BUCKETS", "target")];
    let stack = stack(&with_instance(LEAST));
    let deployed = serverless_devs::described(&["s.yaml"], &environment);
    assert_same(&Described::from_stack(&stack), &deployed, &["Code"]);
}

#[test]
fn serverless_devs_makes_copiers_for_aws_as_the_ros_template_does() {
    let queues = ["https://sqs/planner", "https://sqs/copier"];
    let environment = [
        ("TABLESTORE_INSTANCE", "of-0123456789ab"),
        ("TARGET_BUCKETS", "target"),
        ("AWS_TABLE", "table"),
        ("AWS_SECRET", "aws"),
        ("AWS_PLANNER_QUEUE_URL", queues[0]),
        ("AWS_COPIER_QUEUE_URL", queues[1]),
    ];
    let mut choice = with_instance(LEAST);
    choice.extend([
        ("AwsTable", "table"),
        ("AwsSecret", "aws"),
        ("AwsPlannerQueueUrl", queues[0]),
        ("AwsCopierQueueUrl", queues[1]),
    ]);
    let deployed = serverless_devs::described(&["s.yaml", "s-aws.yaml"], &environment);
    assert_same(&Described::from_stack(&stack(&choice)), &deployed, &["Code"]);
}

#[test]
fn all_three_run_the_same_zips() {
    let stack = stack(EVERYTHING);
    let functions = stack.resources.values().filter(|(kind, _)| kind == "ALIYUN::FC3::Function");
    let object = |it: &Map<String, Value>| it["Code"]["OssObjectName"].as_str().unwrap().to_owned();
    let in_ros: BTreeSet<String> = functions.map(|(_, it)| object(it)).collect();
    let zips = ["planner-fc.zip", "copier-fc.zip", "copier-fc-aws.zip"];
    let wanted = |folder: &str| zips.iter().map(|zip| format!("{folder}/{zip}")).collect();
    let wanted_in_ros: BTreeSet<String> = wanted("ossferry/0123456789ab");
    assert_eq!(in_ros, wanted_in_ros);
    let environment = EVERYTHING_OF_AWS;
    let paths =
        ["s.yaml", "s-aws.yaml"].map(|file| serverless_devs::deployed(file, &environment).1);
    let paths: BTreeSet<String> = paths.into_iter().flatten().collect();
    let wanted_local: BTreeSet<String> = wanted("../../target/fc");
    assert_eq!(paths, wanted_local);
}

const EVERYTHING_OF_AWS: [(&str, &str); 6] = [
    ("TABLESTORE_INSTANCE", "of-0123456789ab"),
    ("TARGET_BUCKETS", "target"),
    ("AWS_TABLE", "table"),
    ("AWS_SECRET", "aws"),
    ("AWS_PLANNER_QUEUE_URL", "https://sqs/planner"),
    ("AWS_COPIER_QUEUE_URL", "https://sqs/copier"),
];

#[test]
fn both_templates_have_the_same_parameters_and_defaults() {
    let blocks = terraform::blocks();
    let defaults = |block| {
        let default = attribute(block, "default");
        default.map(|it| in_json(&it.evaluate(&Context::new()).expect("a constant")))
    };
    let in_terraform: BTreeMap<String, Option<Value>> = terraform::of(&blocks, "variable")
        .map(|block| (label(block, 0).to_owned(), defaults(block.body())))
        .collect();
    let in_ros: BTreeMap<String, Option<Value>> = TEMPLATE["Parameters"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, parameter)| {
            let default = parameter.get("Default").cloned();
            let is_list = parameter["Type"] == "CommaDelimitedList";
            let default = default.map(|it| if is_list && it == "" { json!([]) } else { it });
            (snake(name), default)
        })
        .collect();
    assert_eq!(in_ros, in_terraform);
}

#[test]
fn both_templates_say_the_same_of_their_parameters() {
    for block in terraform::blocks().iter().filter(|block| block.identifier() == "variable") {
        let parameters = TEMPLATE["Parameters"].as_object().unwrap();
        let (name, parameter) =
            parameters.iter().find(|(name, _)| snake(name) == label(block, 0)).unwrap();
        let words = attribute(block.body(), "description").expect("a description");
        let words = in_json(&words.evaluate(&Context::new()).expect("a constant"));
        let names =
            parameters.keys().fold(words.as_str().expect("text").to_owned(), |text, name| {
                if snake(name).contains('_') { text.replace(&snake(name), name) } else { text }
            });
        assert_eq!(parameter["Description"], json!(names), "{name}");
    }
}

#[test]
fn what_does_not_fit_together_is_refused_by_both() {
    let cases: [(&str, &str, usize); 3] =
        [("PassSchedule", "@every 6h", 1), ("CodeBucket", "", 1), ("AwsTable", "table", 1)];
    for (name, text, broken) in cases {
        let mut choice: Vec<(&str, &str)> = LEAST.to_vec();
        choice.retain(|(known, _)| *known != name);
        choice.push((name, text));
        assert_eq!(stack(&choice).broken_rules.len(), broken, "{name}");
        assert!(!terraform::plan(&variables(&choice)).broken.is_empty(), "{name}");
    }
}

#[test]
fn every_parameter_and_condition_of_the_ros_template_is_used() {
    let template = TEMPLATE.to_string();
    let groups = TEMPLATE["Metadata"]["ALIYUN::ROS::Interface"]["ParameterGroups"].as_array();
    let grouped = groups.unwrap().iter().flat_map(|it| it["Parameters"].as_array().unwrap());
    let grouped: Vec<&str> = grouped.map(|name| name.as_str().unwrap()).collect();
    for name in TEMPLATE["Parameters"].as_object().unwrap().keys() {
        assert_eq!(grouped.iter().filter(|it| *it == name).count(), 1, "{name} stands in a group");
        let asked = [format!("{{\"Ref\":\"{name}\"}}"), format!("${{{name}}}")];
        assert!(asked.iter().any(|it| template.contains(it)), "{name} is asked for");
    }
    for name in TEMPLATE["Conditions"].as_object().unwrap().keys() {
        assert!(template.matches(&format!("\"{name}\"")).count() > 1, "{name} is asked for");
    }
}

#[test]
fn pushing_differs_from_pulling_only_in_time_limits_and_triggers() {
    let (pull, push) = (stack(LEAST), stack(PUSH));
    let (pull, push) = (Described::from_stack(&pull), Described::from_stack(&push));
    let names = |it: &Described| it.resources.keys().cloned().collect::<BTreeSet<_>>();
    let only = |one: &BTreeSet<(String, String)>, other: &BTreeSet<(String, String)>| {
        one.difference(other).map(|(_, name)| name.clone()).collect::<Vec<_>>()
    };
    let (pulling, pushing) = (names(&pull), names(&push));
    assert_eq!(only(&pulling, &pushing), ["ossferry-copier/pull", "ossferry-planner/pull"]);
    assert_eq!(only(&pushing, &pulling), ["ossferry-copier/push", "ossferry-planner/push"]);
}
