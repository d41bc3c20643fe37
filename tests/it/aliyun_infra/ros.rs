//! `ros.yaml` as ROS would make a stack of it: conditions, functions and references resolved.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::described::Made;
use super::{ACCOUNT, REGION, infra, yaml};

pub(super) static TEMPLATE: LazyLock<Value> = LazyLock::new(|| yaml(&infra("ros.yaml")));

/// What is made of the template.
pub(super) struct Stack {
    /// By their names in the template: their types and properties.
    pub(super) resources: BTreeMap<String, Made>,
    pub(super) outputs: BTreeMap<String, Value>,
    /// The types and attributes that were asked for.
    pub(super) attributes: BTreeSet<(String, String)>,
    /// The assertions that do not hold.
    pub(super) broken_rules: Vec<String>,
}

pub(super) fn stack(chosen: &[(&str, &str)]) -> Stack {
    let reading = Reading { parameters: parameters(chosen), attributes: RefCell::default() };
    let mut resources = BTreeMap::new();
    for (name, resource) in object(&TEMPLATE["Resources"]) {
        if !reading.is_made(resource) {
            continue;
        }
        for wanted in resource["DependsOn"].as_array().into_iter().flatten() {
            let wanted = wanted.as_str().expect("a name");
            assert!(reading.is_made(resource_named(wanted)), "{name} waits for {wanted}");
        }
        let properties = reading.value(&resource["Properties"]).expect("properties");
        let kind = resource["Type"].as_str().expect("a type").to_owned();
        resources.insert(name.clone(), (kind, object(&properties).clone()));
    }
    let outputs = object(&TEMPLATE["Outputs"]).iter().map(|(name, output)| {
        (name.clone(), reading.value(&output["Value"]).expect("an output has a value"))
    });
    let outputs = outputs.collect();
    let broken_rules = reading.broken_rules();
    Stack { resources, outputs, attributes: reading.attributes.into_inner(), broken_rules }
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("{value} is no map"))
}

fn resource_named(name: &str) -> &'static Value {
    let found = TEMPLATE["Resources"].get(name);
    found.unwrap_or_else(|| panic!("{name} is no resource"))
}

/// The parameters as they were chosen, of their types.
fn parameters(chosen: &[(&str, &str)]) -> BTreeMap<String, Value> {
    let declared = object(&TEMPLATE["Parameters"]);
    for (name, _) in chosen {
        assert!(declared.contains_key(*name), "{name} is no parameter");
    }
    let typed = declared.iter().map(|(name, parameter)| {
        let chosen = chosen.iter().find(|(known, _)| known == name).map(|(_, text)| json!(text));
        let given = chosen.or_else(|| parameter.get("Default").cloned());
        let given = given.unwrap_or_else(|| panic!("{name} has no default"));
        (name.clone(), of_type(parameter["Type"].as_str().expect("a type"), &given))
    });
    typed.collect()
}

fn of_type(kind: &str, given: &Value) -> Value {
    let text = given.as_str();
    match (kind, text) {
        ("CommaDelimitedList", Some("")) => json!([]),
        ("CommaDelimitedList", Some(text)) => text.split(',').map(str::trim).collect(),
        ("Number" | "Boolean", Some(text)) => text.parse().expect("a number, true or false"),
        _ => given.clone(),
    }
}

struct Reading {
    parameters: BTreeMap<String, Value>,
    attributes: RefCell<BTreeSet<(String, String)>>,
}

impl Reading {
    fn is_made(&self, resource: &Value) -> bool {
        resource.get("Condition").is_none_or(|condition| self.holds(condition))
    }

    fn holds(&self, condition: &Value) -> bool {
        if let Some(name) = condition.as_str() {
            let named = TEMPLATE["Conditions"].get(name);
            return self.holds(named.unwrap_or_else(|| panic!("{name} is no condition")));
        }
        let (function, given) = object(condition).iter().next().expect("a function");
        match function.as_str() {
            "Fn::Equals" => self.value(&given[0]) == self.value(&given[1]),
            "Fn::Not" => !self.holds(given),
            "Fn::And" => given.as_array().expect("conditions").iter().all(|each| self.holds(each)),
            _ => panic!("{function} is no condition"),
        }
    }

    fn broken_rules(&self) -> Vec<String> {
        let rules = object(&TEMPLATE["Rules"]).values();
        let asked = rules.filter(|rule| self.holds(&rule["RuleCondition"]));
        let assertions = asked.flat_map(|rule| rule["Assertions"].as_array().expect("assertions"));
        let broken = assertions.filter(|assertion| !self.holds(&assertion["Assert"]));
        broken.map(|it| it["AssertDescription"].as_str().expect("text").to_owned()).collect()
    }

    /// What a property becomes; nothing where it is left out.
    fn value(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Object(map) => self.map(map),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            _ => Some(value.clone()),
        }
    }

    fn map(&self, map: &Map<String, Value>) -> Option<Value> {
        let mut entries = map.iter();
        if let (Some((function, given)), None) = (entries.next(), entries.next())
            && (function == "Ref" || function.starts_with("Fn::"))
        {
            return self.function(function, given);
        }
        let kept = map.iter().filter_map(|(key, value)| Some((key.clone(), self.value(value)?)));
        Some(Value::Object(kept.collect()))
    }

    fn function(&self, function: &str, given: &Value) -> Option<Value> {
        let text = |value: &Value| self.text(value);
        match function {
            "Ref" => return self.reference(given.as_str().expect("a name")),
            "Fn::If" => return self.value(&given[if self.holds(&given[0]) { 1 } else { 2 }]),
            _ => {}
        }
        Some(match function {
            "Fn::GetAtt" => self.attribute(&text(&given[0]), &text(&given[1])),
            "Fn::Sub" => json!(self.substituted(given)),
            "Fn::Join" => {
                let parts = self.value(&given[1]).expect("a list");
                let parts: Vec<String> =
                    parts.as_array().expect("a list").iter().map(text).collect();
                json!(parts.join(&text(&given[0])))
            }
            "Fn::Split" => text(&given[1]).split(&text(&given[0])).collect(),
            "Fn::Select" => {
                let list = self.value(&given[1]).expect("a list");
                list[text(&given[0]).parse::<usize>().expect("an index")].clone()
            }
            _ => panic!("{function} is unknown here"),
        })
    }

    fn text(&self, value: &Value) -> String {
        match self.value(value).expect("a value") {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    fn reference(&self, name: &str) -> Option<Value> {
        Some(match name {
            "ALIYUN::NoValue" => return None,
            "ALIYUN::Region" => json!(REGION),
            "ALIYUN::TenantId" => json!(ACCOUNT),
            "ALIYUN::StackId" => json!("3c71be88-e483-47da-b1d1-671dee2eead8"),
            _ => {
                let found = self.parameters.get(name);
                found.unwrap_or_else(|| panic!("{name} is no parameter")).clone()
            }
        })
    }

    /// An attribute of a resource, which has the name of one of its properties, or is its ARN.
    fn attribute(&self, name: &str, attribute: &str) -> Value {
        let resource = resource_named(name);
        assert!(self.is_made(resource), "{name} is asked for, and is not made");
        let kind = resource["Type"].as_str().expect("a type");
        self.attributes.borrow_mut().insert((kind.to_owned(), attribute.to_owned()));
        let properties = &resource["Properties"];
        if (kind, attribute) == ("ALIYUN::RAM::Role", "Arn") {
            return json!(format!(
                "acs:ram::{ACCOUNT}:role/{}",
                self.text(&properties["RoleName"])
            ));
        }
        let value = self.value(&properties[attribute]).filter(|value| !value.is_null());
        value.unwrap_or_else(|| panic!("{name} has no {attribute}"))
    }

    fn substituted(&self, given: &Value) -> String {
        let (template, own) = match given.as_array() {
            Some(both) => (both[0].as_str().expect("text"), both[1].clone()),
            None => (given.as_str().expect("text"), json!({})),
        };
        let mut pieces = template.split("${");
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (name, rest) = piece.split_once('}').expect("a closing brace");
            let value = match (own.get(name), name.split_once('.')) {
                (Some(own), _) => self.text(own),
                (None, Some((resource, attribute))) => {
                    self.text(&self.attribute(resource, attribute))
                }
                (None, None) => self.text(&self.reference(name).expect("a value")),
            };
            filled.push_str(&value);
            filled.push_str(rest);
        }
        filled
    }
}
