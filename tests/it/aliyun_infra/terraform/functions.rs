//! The functions of Terraform that the module calls.

use hcl::eval::{Context, FuncArgs, FuncDef, ParamType};
use hcl::{Map, Value};

use super::{in_json, sha1_digits};

type Answer = Result<Value, String>;

/// A context in which they may be called.
pub(super) fn context() -> Context<'static> {
    let map = || ParamType::object_of(ParamType::Any);
    let mut context = Context::new();
    let mut declare = |name: &str, func: FuncDef| {
        context.declare_func(hcl::Identifier::sanitized(name), func);
    };
    declare("jsonencode", FuncDef::new(jsonencode, [ParamType::Any]));
    declare("keys", FuncDef::new(keys, [map()]));
    declare("length", FuncDef::new(length, [ParamType::array_of(ParamType::Any)]));
    declare("merge", FuncDef::builder().variadic_param(map()).build(merge));
    declare("sha1", FuncDef::new(sha1, [ParamType::String]));
    declare(
        "substr",
        FuncDef::new(substr, [ParamType::String, ParamType::Number, ParamType::Number]),
    );
    declare("toset", FuncDef::new(toset, [ParamType::array_of(ParamType::String)]));
    declare("tostring", FuncDef::new(tostring, [ParamType::Number]));
    context
}

/// Terraform writes keys in order and no spaces, as `serde_json` does.
fn jsonencode(given: FuncArgs) -> Answer {
    Ok(Value::String(in_json(&given[0]).to_string()))
}

fn keys(given: FuncArgs) -> Answer {
    let mut keys: Vec<&String> = given[0].as_object().expect("a map").keys().collect();
    keys.sort_unstable();
    Ok(keys.into_iter().cloned().collect())
}

fn length(given: FuncArgs) -> Answer {
    Ok(Value::from(given[0].as_array().expect("a list").len()))
}

fn merge(given: FuncArgs) -> Answer {
    let maps = given.variadic_args().flat_map(|map| map.as_object().expect("a map").clone());
    Ok(Value::Object(maps.collect::<Map<String, Value>>()))
}

fn sha1(given: FuncArgs) -> Answer {
    Ok(Value::String(sha1_digits(given[0].as_str().expect("text"))))
}

fn substr(given: FuncArgs) -> Answer {
    let number = |index: usize| {
        let number = given[index].as_u64().and_then(|number| usize::try_from(number).ok());
        number.ok_or("want a whole number")
    };
    let (from, length) = (number(1)?, number(2)?);
    Ok(given[0].as_str().expect("text").chars().skip(from).take(length).collect::<String>().into())
}

fn toset(given: FuncArgs) -> Answer {
    Ok(given[0].clone())
}

fn tostring(given: FuncArgs) -> Answer {
    Ok(Value::String(given[0].as_number().expect("a number").to_string()))
}
