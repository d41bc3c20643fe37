//! What official packages say: the types of ROS, and the models of Function Compute's SDK.

use serde_json::{Value, json};

use super::described::Described;
use super::ros::{Stack, stack};
use super::{CHOICES, LEAST, PUSH, judge, serverless_devs};

/// A stack as the judge takes it.
fn judged(stack: &Stack) -> Value {
    let resources = stack.resources.iter().map(|(name, (kind, properties))| {
        (name.clone(), json!({ "Type": kind, "Properties": properties }))
    });
    let resources: serde_json::Map<String, Value> = resources.collect();
    json!({ "resources": resources, "attributes": stack.attributes })
}

/// A stack in which one thing is wrong.
fn spoiled(pointer: &str, value: Value) -> Value {
    let mut template = judged(&stack(LEAST));
    if let Some(there) = template.pointer_mut(pointer) {
        *there = value;
    } else {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        template.pointer_mut(parent).expect("there is a parent")[key] = value;
    }
    template
}

#[test]
fn the_ros_template_is_of_the_official_types() {
    let resources = "/resources";
    let wrong = [
        (
            format!("{resources}/PlannerQueue/Properties/VisibilityTimeout"),
            json!(99_999),
            "visibilityTimeout",
        ),
        (format!("{resources}/PlannerQueue/Properties/DelayMinutes"), json!(1), "DelayMinutes"),
        (format!("{resources}/PlannerFunction/Properties/LogConfig/Store"), json!("logs"), "Store"),
        (format!("{resources}/PlannerFunction/Properties/Cpu"), json!("much"), "cpu"),
        (format!("{resources}/Table/Properties/PrimaryKey/0"), json!({ "Name": "a" }), "type"),
        ("/attributes/0".to_owned(), json!(["ALIYUN::MNS::Queue", "Arn"]), "no attribute Arn"),
    ];
    let right = CHOICES.map(|choice| judged(&stack(choice)));
    let spoiled = wrong.iter().map(|(pointer, value, _)| spoiled(pointer, value.clone()));
    let asked: Vec<Value> = right.iter().cloned().chain(spoiled).collect();
    let verdicts = judge("judge_ros.py", &json!(asked));
    let verdicts = verdicts.as_array().expect("verdicts");
    assert_eq!(verdicts.len(), right.len() + wrong.len());
    for (choice, verdict) in CHOICES.iter().zip(verdicts) {
        assert_eq!(verdict, &json!([]), "{choice:?}");
    }
    for ((pointer, _, name), verdict) in wrong.iter().zip(&verdicts[right.len()..]) {
        let found = verdict[0].as_str().unwrap_or_else(|| panic!("{pointer} was not missed"));
        assert!(found.contains(name), "{pointer}: {found}");
    }
}

/// First letters small, as the API has them; what is not the API's own stays.
fn in_api(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(in_api).collect(),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| {
                let free = ["EnvironmentVariables", "TriggerConfig"].contains(&key.as_str());
                let small = format!("{}{}", key[..1].to_lowercase(), &key[1..]);
                (small, if free { value.clone() } else { in_api(value) })
            });
            Value::Object(entries.collect())
        }
        other => other.clone(),
    }
}

/// Each request that a description comes to, with its model in the SDK.
fn requests(described: &Described) -> Vec<(&'static str, Value)> {
    let mut requests = Vec::new();
    for (kind, model) in [
        ("ALIYUN::FC3::Function", "CreateFunctionInput"),
        ("ALIYUN::FC3::Trigger", "CreateTriggerInput"),
        ("ALIYUN::FC3::AsyncInvokeConfig", "PutAsyncInvokeConfigInput"),
        ("ALIYUN::FC3::ConcurrencyConfig", "PutConcurrencyInput"),
    ] {
        for (_, properties) in described.of(kind) {
            let mut request = in_api(&json!(properties));
            let request_map = request.as_object_mut().expect("a map");
            if kind != "ALIYUN::FC3::Function" {
                request_map.remove("functionName");
            }
            if let Some(config) = request_map.remove("triggerConfig") {
                let timer = request_map["triggerType"] == "timer";
                let model = if timer { "TimerTriggerConfig" } else { "EventBridgeTriggerConfig" };
                requests.push((model, config));
            }
            requests.push((model, request));
        }
    }
    requests
}

#[test]
fn function_compute_knows_every_word_of_its_configuration() {
    let described = CHOICES.iter().map(|choice| Described::from_stack(&stack(choice)));
    let environment = [("TABLESTORE_INSTANCE", "instance"), ("TARGET_BUCKETS", "target")];
    let described = described.chain([serverless_devs::described(&["s.yaml"], &environment)]);
    let requests: Vec<(&str, Value)> = described.flat_map(|it| requests(&it)).collect();
    for model in ["CreateFunctionInput", "EventBridgeTriggerConfig", "TimerTriggerConfig"] {
        assert!(requests.iter().any(|(known, _)| *known == model), "{model} is judged");
    }
    let pushed = Described::from_stack(&stack(PUSH));
    let push = &pushed.get("ALIYUN::FC3::Trigger", "ossferry-copier/push")["TriggerConfig"];
    let mut spoiled = push.clone();
    spoiled["runOptions"]["errorTolerance"] = json!("ALL");
    let asked: Vec<(&str, Value)> =
        requests.iter().cloned().chain([("EventBridgeTriggerConfig", spoiled)]).collect();
    let answers = judge("judge_fc.py", &json!(asked));
    let answers = answers.as_array().expect("answers");
    assert_eq!(answers.len(), requests.len() + 1);
    for ((model, request), answer) in requests.iter().zip(answers) {
        assert_eq!(answer, request, "{model}");
    }
    assert_eq!(answers.last(), Some(push), "a word that it does not know is gone");
}
