//! The functions of Terraform that the module calls.

use hcl::eval::{Context, FuncDef, ParamType};
use hcl::{Map, Value};

use super::{in_json, sha1_digits};

/// A context in which they may be called.
pub(super) fn context() -> Context<'static> {
    let map = || ParamType::object_of(ParamType::Any);
    let list = ParamType::array_of;
    let mut context = Context::new();
    let mut declare = |name: &str, func: FuncDef| {
        context.declare_func(hcl::Identifier::sanitized(name), func);
    };
    // Terraform writes keys in order and no spaces, as serde_json does.
    declare(
        "jsonencode",
        FuncDef::new(|given| Ok(in_json(&given[0]).to_string().into()), [ParamType::Any]),
    );
    declare("keys", FuncDef::new(|given| Ok(keys(&given[0])), [map()]));
    declare("length", FuncDef::new(|given| Ok(length(&given[0])), [list(ParamType::Any)]));
    declare("merge", FuncDef::builder().variadic_param(map()).build(|given| Ok(merge(&given))));
    declare(
        "sha1",
        FuncDef::new(|given| Ok(sha1_digits(text(&given[0])).into()), [ParamType::String]),
    );
    declare(
        "substr",
        FuncDef::new(
            |given| substr(&given),
            [ParamType::String, ParamType::Number, ParamType::Number],
        ),
    );
    declare("toset", FuncDef::new(|given| Ok(given[0].clone()), [list(ParamType::String)]));
    declare("tostring", FuncDef::new(|given| Ok(given[0].to_string().into()), [ParamType::Number]));
    context
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn keys(map: &Value) -> Value {
    let mut keys: Vec<&String> = map.as_object().expect("a map").keys().collect();
    keys.sort_unstable();
    keys.into_iter().cloned().collect()
}

fn length(list: &Value) -> Value {
    Value::from(list.as_array().expect("a list").len())
}

fn merge(maps: &[Value]) -> Value {
    let entries = maps.iter().flat_map(|map| map.as_object().expect("a map").clone());
    Value::Object(entries.collect::<Map<String, Value>>())
}

fn substr(given: &[Value]) -> Result<Value, String> {
    let number = |value: &Value| {
        let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
        number.ok_or("want a whole number")
    };
    let (from, length) = (number(&given[1])?, number(&given[2])?);
    Ok(text(&given[0]).chars().skip(from).take(length).collect::<String>().into())
}
