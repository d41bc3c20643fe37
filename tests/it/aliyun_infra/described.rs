//! What a description makes, in the terms of ROS, so that three of them can be compared.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::ros::Stack;

/// A type of ROS and the name of the resource.
pub(super) type Named = (String, String);

/// A type of ROS and properties.
pub(super) type Made = (String, Map<String, Value>);

#[derive(Debug)]
pub(super) struct Described {
    pub(super) resources: BTreeMap<Named, Map<String, Value>>,
}

impl Described {
    pub(super) fn from_stack(stack: &Stack) -> Self {
        let resources = stack.resources.values();
        Self::new(resources.map(|(kind, properties)| (kind.clone(), properties.clone())))
    }

    /// The policies' roles come together from wherever they are attached.
    pub(super) fn new(made: impl Iterator<Item = Made>) -> Self {
        let mut resources = BTreeMap::new();
        let mut attached = Vec::new();
        for (kind, properties) in made {
            if kind == "ALIYUN::RAM::AttachPolicyToRole" {
                assert_eq!(properties["PolicyType"], "Custom");
                attached.push((text(&properties["PolicyName"]), properties["RoleName"].clone()));
            } else {
                let name = name(&kind, &properties);
                let before = resources.insert((kind.clone(), name.clone()), properties);
                assert!(before.is_none(), "there are two of {kind} {name}");
            }
        }
        for (policy, role) in attached {
            let policy = ("ALIYUN::RAM::ManagedPolicy".to_owned(), policy);
            let policy = resources.get_mut(&policy).expect("what is attached is made");
            let roles = policy.entry("Roles").or_insert_with(|| json!([]));
            roles.as_array_mut().expect("a list").push(role);
        }
        for properties in resources.values_mut() {
            if let Some(roles) = properties.get_mut("Roles") {
                roles.as_array_mut().expect("a list").sort_by_key(Value::to_string);
            }
        }
        Self { resources }
    }

    /// Resources of a type, by name.
    pub(super) fn of<'a>(
        &'a self,
        kind: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Map<String, Value>)> {
        let found = self.resources.iter().filter(move |((known, _), _)| known == kind);
        found.map(|((_, name), properties)| (name.as_str(), properties))
    }

    pub(super) fn get(&self, kind: &str, name: &str) -> &Map<String, Value> {
        let found = self.resources.get(&(kind.to_owned(), name.to_owned()));
        found.unwrap_or_else(|| panic!("there is no {kind} {name}"))
    }
}

/// With its first letter large, as ROS spells names.
pub(super) fn capital(word: &str) -> String {
    format!("{}{}", word[..1].to_uppercase(), &word[1..])
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// What a resource is called in its service.
fn name(kind: &str, properties: &Map<String, Value>) -> String {
    let property = match kind.trim_start_matches("ALIYUN::") {
        "OTS::InstanceV2" => "InstanceName",
        "OTS::Table" => "TableName",
        "MNS::Queue" => "QueueName",
        "SLS::Project" => "Name",
        "SLS::Logstore" | "SLS::Index" => "LogstoreName",
        "RAM::Role" => "RoleName",
        "RAM::ManagedPolicy" => "PolicyName",
        "FC3::Trigger" => {
            let trigger = text(&properties["TriggerName"]);
            return format!("{}/{trigger}", text(&properties["FunctionName"]));
        }
        "FC3::Function" | "FC3::ConcurrencyConfig" | "FC3::AsyncInvokeConfig" => "FunctionName",
        _ => panic!("{kind} is unknown here"),
    };
    text(&properties[property])
}
