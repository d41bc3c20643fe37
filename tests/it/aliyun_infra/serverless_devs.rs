//! `s.yaml` and `s-aws.yaml` as Serverless Devs would deploy them: the foundation by ROS, functions
//! by component fc3.

use serde_json::{Value, json};

use super::described::{Described, Made, capital};
use super::{ACCOUNT, infra, ros, yaml};

/// What the file's own variables say, from the environment of whoever deploys.
struct Reading<'a> {
    file: &'a Value,
    environment: &'a [(&'a str, &'a str)],
}

/// What is made of the file, by ROS's types, and the paths of the functions' code. Code is left
/// out: it lies elsewhere.
pub(super) fn deployed(file: &str, environment: &[(&str, &str)]) -> (Vec<Made>, Vec<String>) {
    let file = yaml(&infra(file));
    assert_eq!(file["edition"], "3.0.0");
    let reading = Reading { file: &file, environment };
    let (mut made, mut code) = (Vec::new(), Vec::new());
    for resource in file["resources"].as_object().expect("resources").values() {
        let props = reading.filled(&resource["props"]);
        match resource["component"].as_str().expect("a component") {
            "ros" => made.extend(foundation(&props)),
            "fc3" => {
                code.push(props["code"].as_str().expect("a path").to_owned());
                made.extend(function(props));
            }
            other => panic!("{other} is unknown here"),
        }
    }
    (made, code)
}

/// As one description.
pub(super) fn described(files: &[&str], environment: &[(&str, &str)]) -> Described {
    Described::new(files.iter().flat_map(|file| deployed(file, environment).0))
}

fn foundation(props: &Value) -> Vec<Made> {
    assert_eq!(props["template"], "./ros.yaml");
    let parameters = props["parameters"].as_object().expect("parameters");
    let chosen: Vec<(&str, &str)> = parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().expect("text")))
        .collect();
    let stack = ros::stack(&chosen);
    assert_eq!(stack.broken_rules, Vec::<String>::new());
    stack.resources.into_values().collect()
}

fn function(props: Value) -> Vec<Made> {
    let Value::Object(mut props) = props else { panic!("props are a map") };
    let function = props["functionName"].clone();
    let mut take =
        |key: &str| props.remove(key).unwrap_or_else(|| panic!("{function} has no {key}"));
    take("region");
    take("code");
    let mut made = Vec::new();
    for (kind, key) in
        [("ConcurrencyConfig", "concurrencyConfig"), ("AsyncInvokeConfig", "asyncInvokeConfig")]
    {
        made.push((format!("ALIYUN::FC3::{kind}"), take(key)));
    }
    for trigger in take("triggers").as_array().expect("a list") {
        made.push(("ALIYUN::FC3::Trigger".to_owned(), trigger.clone()));
    }
    for (_, other) in &mut made {
        other["functionName"] = function.clone();
    }
    made.push(("ALIYUN::FC3::Function".to_owned(), Value::Object(props)));
    let made = made.into_iter().map(|(kind, props)| match in_ros(props) {
        Value::Object(properties) => (kind, properties),
        other => panic!("{other} is no map"),
    });
    made.collect()
}

/// ROS spells the same names with capitals.
fn in_ros(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(map.into_iter().map(entry_in_ros).collect()),
        Value::Array(items) => items.into_iter().map(in_ros).collect(),
        other => other,
    }
}

fn entry_in_ros((key, value): (String, Value)) -> (String, Value) {
    let free = ["environmentVariables", "triggerConfig"].contains(&key.as_str());
    (capital(&key), if free { value } else { in_ros(value) })
}

impl Reading<'_> {
    fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => json!(self.text(text)),
            Value::Array(items) => items.iter().map(|item| self.filled(item)).collect(),
            Value::Object(map) => {
                Value::Object(map.iter().map(|(k, v)| (k.clone(), self.filled(v))).collect())
            }
            other => other.clone(),
        }
    }

    fn text(&self, text: &str) -> String {
        let mut pieces = text.split("${");
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (variable, rest) = piece.split_once('}').expect("a closing brace");
            filled.push_str(&self.variable(variable));
            filled.push_str(rest);
        }
        filled
    }

    fn variable(&self, variable: &str) -> String {
        if let Some(name) = variable.strip_prefix("vars.") {
            let value = self.file["vars"][name].as_str();
            return self.text(value.unwrap_or_else(|| panic!("{name} is no variable")));
        }
        let quoted: Vec<&str> = variable.split('\'').skip(1).step_by(2).collect();
        match (variable.split('(').next(), quoted.as_slice()) {
            (Some("config"), ["AccountID"]) => ACCOUNT.to_owned(),
            (Some("env"), [name, default @ ..]) => {
                let given = self.environment.iter().find(|(known, _)| known == name);
                let value = given.map(|(_, value)| *value).or(default.first().copied());
                value.unwrap_or_else(|| panic!("{name} is not set")).to_owned()
            }
            _ => panic!("{variable} is unknown here"),
        }
    }
}
