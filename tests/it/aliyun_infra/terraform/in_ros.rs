//! What the provider's resources are called in ROS.

use serde_json::{Map, Value, json};

use super::super::described::{Described, Made, capital, text};
use super::{Plan, Planned};

/// A resource of the provider and its type in ROS.
const TYPES: [(&str, &str); 12] = [
    ("alicloud_ots_instance", "ALIYUN::OTS::InstanceV2"),
    ("alicloud_ots_table", "ALIYUN::OTS::Table"),
    ("alicloud_message_service_queue", "ALIYUN::MNS::Queue"),
    ("alicloud_log_project", "ALIYUN::SLS::Project"),
    ("alicloud_log_store", "ALIYUN::SLS::Logstore"),
    ("alicloud_log_store_index", "ALIYUN::SLS::Index"),
    ("alicloud_ram_role", "ALIYUN::RAM::Role"),
    ("alicloud_ram_policy", "ALIYUN::RAM::ManagedPolicy"),
    ("alicloud_ram_role_policy_attachment", "ALIYUN::RAM::AttachPolicyToRole"),
    ("alicloud_fcv3_function", "ALIYUN::FC3::Function"),
    ("alicloud_fcv3_concurrency_config", "ALIYUN::FC3::ConcurrencyConfig"),
    ("alicloud_fcv3_async_invoke_config", "ALIYUN::FC3::AsyncInvokeConfig"),
];

/// Where ROS does not say the same with capitals.
const NAMES: [(&str, &str, &str); 14] = [
    ("alicloud_ots_instance", "name", "InstanceName"),
    ("alicloud_ots_instance", "description", "InstanceDescription"),
    ("alicloud_ots_instance", "instance_type", "ClusterType"),
    ("alicloud_ots_instance", "network_type_acl", "NetworkTypeACL"),
    ("alicloud_ots_instance", "network_source_acl", "NetworkSourceACL"),
    ("alicloud_ots_table", "max_version", "MaxVersions"),
    ("alicloud_log_project", "project_name", "Name"),
    ("alicloud_log_store", "retention_period", "TTL"),
    ("alicloud_log_store", "max_split_shard_count", "MaxSplitShard"),
    ("alicloud_log_store_index", "project", "ProjectName"),
    ("alicloud_log_store_index", "logstore", "LogstoreName"),
    ("alicloud_log_store_index", "full_text", "FullTextIndex"),
    ("alicloud_log_store_index", "token", "Delimiter"),
    ("alicloud_fcv3_function", "vswitch_ids", "VSwitchIds"),
];

/// Blocks that ROS takes as lists.
const LISTS: [&str; 1] = ["primary_key"];

/// Arguments that hold JSON, which ROS takes as it is.
const DOCUMENTS: [&str; 3] = ["assume_role_policy_document", "policy_document", "trigger_config"];

impl Plan {
    pub(in super::super) fn in_ros(&self) -> Described {
        Described::new(self.resources.iter().map(in_ros))
    }
}

fn in_ros(planned: &Planned) -> Made {
    let kind = planned.kind.as_str();
    let in_ros = TYPES.iter().find(|(known, _)| *known == kind).map(|(_, in_ros)| *in_ros);
    let in_ros = match kind {
        "alicloud_fcv3_trigger" => "ALIYUN::FC3::Trigger",
        _ => in_ros.unwrap_or_else(|| panic!("{kind} is unknown here")),
    };
    let mut properties = properties(kind, &planned.arguments);
    let property = |name: &str| properties.get(name).map(text).unwrap_or_default();
    match kind {
        "alicloud_ots_instance" => {
            assert_eq!(property("ClusterType"), "HighPerformance");
            properties.insert("ClusterType".into(), json!("SSD"));
        }
        "alicloud_ots_table" => {
            for key in properties["PrimaryKey"].as_array_mut().expect("a list") {
                key["Type"] = json!(text(&key["Type"]).to_uppercase());
            }
        }
        // An index of the full text is made by the block alone.
        "alicloud_log_store_index" => properties["FullTextIndex"]["Enable"] = json!(true),
        "alicloud_fcv3_async_invoke_config" => {
            assert_eq!(property("Qualifier"), "LATEST");
            properties.remove("Qualifier");
        }
        _ => {}
    }
    (in_ros.to_owned(), properties)
}

fn properties(kind: &str, arguments: &Value) -> Map<String, Value> {
    let arguments = arguments.as_object().expect("arguments");
    let named =
        arguments.iter().map(|(key, value)| (property_name(kind, key), property(kind, key, value)));
    named.collect()
}

fn property_name(kind: &str, argument: &str) -> String {
    let known = NAMES.iter().find(|(of, name, _)| *of == kind && *name == argument);
    if let Some((_, _, in_ros)) = known {
        return (*in_ros).to_owned();
    }
    argument.split('_').fold(String::new(), |name, word| name + &capital(word))
}

fn property(kind: &str, key: &str, value: &Value) -> Value {
    if DOCUMENTS.contains(&key) {
        return serde_json::from_str(value.as_str().expect("text")).expect("JSON");
    }
    match value.as_array().map(Vec::as_slice) {
        Some(blocks) if blocks.iter().any(Value::is_object) => {
            let mut inner = blocks.iter().map(|block| json!(properties(kind, block)));
            if LISTS.contains(&key) {
                return inner.collect();
            }
            assert_eq!(blocks.len(), 1, "{kind} has one {key}");
            inner.next().expect("one")
        }
        _ => value.clone(),
    }
}
