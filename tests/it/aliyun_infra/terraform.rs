//! The Terraform module as a plan of it would be, without the provider: expressions evaluated,
//! names not yet judged.

use std::collections::BTreeMap;

use hcl::eval::{Context, Evaluate};
use hcl::expr::Expression;
use hcl::structure::{Block, Body};
use hcl::{Map, Value};
use sha1::{Digest, Sha1};

use super::{ACCOUNT, REGION, infra};

mod functions;
mod in_ros;

/// What is not an argument of the resource.
const META_ARGUMENTS: [&str; 2] = ["for_each", "depends_on"];

/// One resource of a plan.
pub(super) struct Planned {
    pub(super) kind: String,
    pub(super) arguments: serde_json::Value,
}

pub(super) struct Plan {
    pub(super) resources: Vec<Planned>,
    pub(super) outputs: BTreeMap<String, serde_json::Value>,
    /// The messages of preconditions that do not hold.
    pub(super) broken: Vec<String>,
}

/// The blocks of every file of the module.
pub(super) fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for entry in std::fs::read_dir(infra("terraform")).expect("the module's folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "tf") {
            let text = std::fs::read_to_string(&path).expect("text");
            let body = hcl::parse(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            assert_eq!(body.attributes().count(), 0, "{}", path.display());
            blocks.extend(body.into_blocks());
        }
    }
    blocks
}

pub(super) fn of<'a>(blocks: &'a [Block], identifier: &str) -> impl Iterator<Item = &'a Block> {
    blocks.iter().filter(move |block| block.identifier() == identifier)
}

pub(super) fn label(block: &Block, index: usize) -> &str {
    block.labels()[index].as_str()
}

pub(super) fn attribute<'a>(body: &'a Body, key: &str) -> Option<&'a Expression> {
    body.attributes().find(|attribute| attribute.key() == key).map(hcl::Attribute::expr)
}

/// Evaluates the module for these variables. Locals and resources are taken as soon as what they
/// refer to is known.
pub(super) fn plan(chosen: &[(String, serde_json::Value)]) -> Plan {
    let blocks = blocks();
    let mut known = Known::new(&blocks, chosen);
    let locals = of(&blocks, "locals").flat_map(|block| block.body().attributes());
    let mut locals: Vec<_> = locals.collect();
    let mut resources: Vec<&Block> = of(&blocks, "resource").collect();
    let mut plan = Plan { resources: Vec::new(), outputs: BTreeMap::new(), broken: Vec::new() };
    while !locals.is_empty() || !resources.is_empty() {
        let before = locals.len() + resources.len();
        let mut errors = Vec::new();
        locals.retain(|local| match local.expr().evaluate(&known.context()) {
            Ok(value) => known.locals.insert(local.key().to_owned(), value).is_some(),
            Err(error) => {
                errors.push(format!("{}: {error}", local.key()));
                true
            }
        });
        resources.retain(|block| match known.resource(block, &mut plan) {
            Ok(()) => false,
            Err(error) => {
                errors.push(format!("{}.{}: {error}", label(block, 0), label(block, 1)));
                true
            }
        });
        assert!(locals.len() + resources.len() < before, "nothing more is known: {errors:#?}");
    }
    for output in of(&blocks, "output") {
        let value = attribute(output.body(), "value").expect("an output has a value");
        let value = value.evaluate(&known.context()).expect("an output is known");
        plan.outputs.insert(label(output, 0).to_owned(), in_json(&value));
    }
    plan
}

pub(super) fn in_json(value: &Value) -> serde_json::Value {
    serde_json::to_value(value).expect("JSON")
}

/// What has been evaluated so far.
struct Known {
    variables: Map<String, Value>,
    locals: Map<String, Value>,
    /// By type, then by name.
    resources: Map<String, Map<String, Value>>,
}

impl Known {
    fn new(blocks: &[Block], chosen: &[(String, serde_json::Value)]) -> Self {
        let mut variables = Map::new();
        for block in of(blocks, "variable") {
            let default = attribute(block.body(), "default");
            let default = default.map(|it| it.evaluate(&Context::new()).expect("a constant"));
            let given = chosen.iter().find(|(name, _)| name == label(block, 0));
            let given = given.map(|(_, value)| hcl::to_value(value).expect("a value"));
            let value = given.or(default);
            let name = label(block, 0).to_owned();
            variables.insert(name.clone(), value.unwrap_or_else(|| panic!("{name} is not set")));
        }
        for (name, _) in chosen {
            assert!(variables.contains_key(name), "{name} is no variable");
        }
        Self { variables, locals: Map::new(), resources: Map::new() }
    }

    fn context(&self) -> Context<'static> {
        let mut context = functions::context();
        context.declare_var("var", Value::Object(self.variables.clone()));
        context.declare_var("local", Value::Object(self.locals.clone()));
        context.declare_var(
            "data",
            hcl::value!({
                alicloud_account = { current = { id = ACCOUNT } }
                alicloud_regions = { current = { regions = [{ id = REGION }] } }
            }),
        );
        for (kind, named) in &self.resources {
            context.declare_var(hcl::Identifier::sanitized(kind), Value::Object(named.clone()));
        }
        context
    }

    /// Plans a resource, or each of its instances.
    fn resource(&mut self, block: &Block, plan: &mut Plan) -> Result<(), hcl::eval::Error> {
        let context = self.context();
        let kind = label(block, 0).to_owned();
        let mut planned = Vec::new();
        let mut broken = Vec::new();
        let state = match attribute(block.body(), "for_each") {
            None => {
                let arguments = arguments(block.body(), &context)?;
                broken.extend(broken_preconditions(block.body(), &context)?);
                planned.push(arguments.clone());
                Value::Object(with_computed(&kind, arguments))
            }
            Some(for_each) => {
                let mut instances = Map::new();
                for (key, value) in entries(for_each.evaluate(&context)?) {
                    let mut context = context.clone();
                    context
                        .declare_var("each", hcl::value!({ key = (key.clone()), value = value }));
                    let arguments = arguments(block.body(), &context)?;
                    broken.extend(broken_preconditions(block.body(), &context)?);
                    planned.push(arguments.clone());
                    instances.insert(key, Value::Object(with_computed(&kind, arguments)));
                }
                Value::Object(instances)
            }
        };
        let named = self.resources.entry(kind.clone()).or_default();
        named.insert(label(block, 1).to_owned(), state);
        plan.broken.extend(broken);
        plan.resources.extend(planned.into_iter().map(|arguments| Planned {
            kind: kind.clone(),
            arguments: in_json(&Value::Object(arguments)),
        }));
        Ok(())
    }
}

/// Keys and values of a map, or those of a set, which are the same.
fn entries(value: Value) -> Vec<(String, Value)> {
    match value {
        Value::Object(map) => map.into_iter().collect(),
        Value::Array(items) => {
            let key = |item: &Value| item.as_str().expect("a set of strings").to_owned();
            items.into_iter().map(|item| (key(&item), item)).collect()
        }
        other => panic!("for_each over {other}"),
    }
}

/// Attributes, and nested blocks as lists.
fn arguments(body: &Body, context: &Context<'_>) -> Result<Map<String, Value>, hcl::eval::Error> {
    let mut found = Map::new();
    for attribute in body.attributes().filter(|it| !META_ARGUMENTS.contains(&it.key())) {
        found.insert(attribute.key().to_owned(), attribute.expr().evaluate(context)?);
    }
    let mut nested = |name: &str, value| {
        let list = found.entry(name.to_owned()).or_insert_with(|| Value::Array(Vec::new()));
        list.as_array_mut().expect("blocks come as a list").push(Value::Object(value));
    };
    for block in body.blocks().filter(|block| block.identifier() != "lifecycle") {
        if block.identifier() != "dynamic" {
            nested(block.identifier(), arguments(block.body(), context)?);
            continue;
        }
        let for_each = attribute(block.body(), "for_each").expect("dynamic has for_each");
        let inner = block.body().blocks().find(|inner| inner.identifier() == "content");
        for (key, value) in entries(for_each.evaluate(context)?) {
            let mut context = context.clone();
            let iterator = hcl::value!({ key = key, value = value });
            context.declare_var(hcl::Identifier::sanitized(label(block, 0)), iterator);
            nested(label(block, 0), arguments(inner.expect("content").body(), &context)?);
        }
    }
    Ok(found)
}

fn broken_preconditions(
    body: &Body,
    context: &Context<'_>,
) -> Result<Vec<String>, hcl::eval::Error> {
    let lifecycle = body.blocks().filter(|block| block.identifier() == "lifecycle");
    let conditions = lifecycle.flat_map(|block| block.body().blocks());
    let mut broken = Vec::new();
    for condition in conditions {
        assert_eq!(condition.identifier(), "precondition");
        let holds = attribute(condition.body(), "condition").expect("a condition");
        if holds.evaluate(context)? != Value::Bool(true) {
            let message = attribute(condition.body(), "error_message").expect("a message");
            broken.push(message.evaluate(context)?.as_str().expect("text").to_owned());
        }
    }
    Ok(broken)
}

/// With what the provider adds and the module reads.
fn with_computed(kind: &str, mut arguments: Map<String, Value>) -> Map<String, Value> {
    if kind == "alicloud_ram_role" {
        let name = arguments["role_name"].as_str().expect("text");
        let arn = format!("acs:ram::{ACCOUNT}:role/{name}");
        arguments.insert("arn".to_owned(), Value::String(arn));
    }
    arguments
}

/// Lower-case hexadecimal digits.
fn sha1_digits(text: &str) -> String {
    use std::fmt::Write;
    let mut digits = String::new();
    for byte in Sha1::digest(text.as_bytes()) {
        write!(digits, "{byte:02x}").expect("text grows");
    }
    digits
}
