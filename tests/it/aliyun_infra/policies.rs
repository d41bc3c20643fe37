//! Who may do what. Roles of the functions, and of whoever operates them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::described::{Described, text};
use super::ros::stack;
use super::{ACCOUNT, EVERYTHING, LEAST, REGION};

/// What each policy allows, and nothing else.
const ALLOWED: [(&str, &[&str]); 10] = [
    (
        "target",
        &[
            "oss:AbortMultipartUpload",
            "oss:GetBucketInfo",
            "oss:GetObject",
            "oss:ListMultipartUploads",
            "oss:ListObjects",
            "oss:ListParts",
            "oss:PutObject",
            "oss:PutObjectTagging",
        ],
    ),
    ("source", &["oss:GetObject", "oss:GetObjectTagging", "oss:ListObjects"]),
    ("secrets", &["kms:GetSecretValue"]),
    ("keys", &["kms:Decrypt"]),
    (
        "work",
        &["mns:BatchSendMessage", "mns:SendMessage", "ots:GetRange", "ots:GetRow", "ots:PutRow"],
    ),
    (
        "planner",
        &[
            "fc:InvokeFunction",
            "mns:BatchReceiveMessage",
            "mns:ChangeMessageVisibility",
            "mns:DeleteMessage",
            "mns:ReceiveMessage",
        ],
    ),
    (
        "copier",
        &[
            "mns:BatchReceiveMessage",
            "mns:ChangeMessageVisibility",
            "mns:DeleteMessage",
            "mns:ReceiveMessage",
        ],
    ),
    ("run", &["log:PostLogStoreLogs", "mns:SendMessage"]),
    ("copier-aws", &["kms:GetSecretValue"]),
    (
        "operator",
        &[
            "fc:InvokeFunction",
            "mns:BatchReceiveMessage",
            "mns:BatchSendMessage",
            "mns:ChangeMessageVisibility",
            "mns:DeleteMessage",
            "mns:GetQueueAttributes",
            "mns:ReceiveMessage",
            "mns:SendMessage",
            "ots:GetRange",
            "ots:GetRow",
            "ots:PutRow",
            "ros:GetStack",
            "ros:ListStacks",
        ],
    ),
];

/// Stacks are listed to be found by name.
const STACKS: &str = ":stack/*";

/// What an action ends or takes away: a message that was worked on, and an upload of our own that
/// was not finished.
const MAY_END: [&str; 2] = ["mns:DeleteMessage", "oss:AbortMultipartUpload"];

fn policy_statements(policy: &serde_json::Map<String, Value>) -> Vec<(Vec<String>, Vec<String>)> {
    let list = |value: &Value| value.as_array().expect("a list").iter().map(text).collect();
    let statements = policy["PolicyDocument"]["Statement"].as_array().expect("statements");
    let read = statements.iter().map(|statement| {
        assert_eq!(statement["Effect"], "Allow");
        (list(&statement["Action"]), list(&statement["Resource"]))
    });
    read.collect()
}

#[test]
fn every_policy_allows_what_the_list_says_and_deletes_nothing() {
    let described = Described::from_stack(&stack(EVERYTHING));
    let mut found = BTreeMap::new();
    for (name, policy) in described.of("ALIYUN::RAM::ManagedPolicy") {
        let actions: BTreeSet<String> =
            policy_statements(policy).into_iter().flat_map(|(actions, _)| actions).collect();
        for action in &actions {
            let ends = ["Delete", "Abort", "*"].iter().any(|word| action.contains(word));
            assert!(!ends || MAY_END.contains(&action.as_str()), "{name} allows {action}");
        }
        found.insert(name.trim_start_matches("moves-").to_owned(), actions);
    }
    let wanted = ALLOWED.into_iter().map(|(name, actions)| {
        (name.to_owned(), actions.iter().map(|action| (*action).to_owned()).collect())
    });
    assert_eq!(found, wanted.collect());
}

#[test]
fn no_policy_reaches_beyond_what_is_named() {
    let described = Described::from_stack(&stack(EVERYTHING));
    let buckets = ["target", "other-target", "source", "other-source"];
    for (name, policy) in described.of("ALIYUN::RAM::ManagedPolicy") {
        for resource in policy_statements(policy).into_iter().flat_map(|(_, resources)| resources) {
            if let Some(path) = resource.strip_prefix("acs:oss:*:*:") {
                let bucket = path.strip_suffix("/*").unwrap_or(path);
                assert!(buckets.contains(&bucket), "{name}: {resource}");
                continue;
            }
            let of_this_account = format!(":{REGION}:{ACCOUNT}:");
            assert!(resource.contains(&of_this_account), "{name}: {resource}");
            let is_listing = name.ends_with("-operator") && resource.ends_with(STACKS);
            assert!(is_listing || !resource.contains('*'), "{name}: {resource}");
        }
    }
}

#[test]
fn only_targets_are_written_to() {
    let described = Described::from_stack(&stack(EVERYTHING));
    for (name, policy) in described.of("ALIYUN::RAM::ManagedPolicy") {
        for (actions, resources) in policy_statements(policy) {
            if actions.iter().any(|action| action.starts_with("oss:Put")) {
                assert_eq!(
                    resources,
                    ["acs:oss:*:*:target/*", "acs:oss:*:*:other-target/*"],
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn each_function_has_the_policies_that_it_needs_and_the_operators_belongs_to_nobody() {
    let described = Described::from_stack(&stack(EVERYTHING));
    let mut held: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, policy) in described.of("ALIYUN::RAM::ManagedPolicy") {
        for role in policy.get("Roles").and_then(Value::as_array).into_iter().flatten() {
            let policies = held.entry(text(role)).or_default();
            policies.insert(name.trim_start_matches("moves-").to_owned());
        }
    }
    let wanted = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let shared = ["target", "source", "secrets", "keys", "run"];
    let planner: BTreeSet<String> = wanted(&[&shared[..], &["work", "planner"]].concat());
    let copier: BTreeSet<String> = wanted(&[&shared[..], &["work", "copier"]].concat());
    let for_aws: BTreeSet<String> = wanted(&[&shared[..], &["copier-aws"]].concat());
    assert_eq!(held["moves-planner"], planner);
    assert_eq!(held["moves-copier"], copier);
    assert_eq!(held["moves-copier-aws"], for_aws);
    assert_eq!(held.len(), 3);
}

#[test]
fn roles_are_taken_by_function_compute_alone() {
    let described = Described::from_stack(&stack(EVERYTHING));
    assert_eq!(described.of("ALIYUN::RAM::Role").count(), 3);
    for (name, role) in described.of("ALIYUN::RAM::Role") {
        let statements = role["AssumeRolePolicyDocument"]["Statement"].as_array().unwrap();
        assert_eq!(statements.len(), 1, "{name}");
        let service = &statements[0]["Principal"]["Service"];
        assert_eq!(service, &serde_json::json!(["fc.aliyuncs.com"]), "{name}");
    }
    let least = Described::from_stack(&stack(LEAST));
    assert_eq!(least.of("ALIYUN::RAM::Role").count(), 2);
}
