//! What `template.yaml` must say, looked at as `CloudFormation` is given it.

mod policies;
mod watching;
mod wiring;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::LazyLock;

use ossferry_tests::fixtures::{deploying, root};
use serde_json::Value;

/// A resource of the expanded template.
type Resource = (&'static str, &'static Value);

/// The template, read and expanded by SAM's own translator.
static TEMPLATE: LazyLock<Value> = LazyLock::new(|| {
    let output = Command::new(deploying("python"))
        .arg(root().join("tests/sam/expand.py"))
        .arg(root().join("template.yaml"))
        .output()
        .expect("python runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).expect("JSON")
});

/// Resources of this type, with their names.
fn of_type(kind: &str) -> Vec<Resource> {
    let resources = TEMPLATE["Resources"].as_object().expect("a template has resources");
    let found = resources.iter().filter(|(_, resource)| resource["Type"] == kind);
    let found: Vec<Resource> = found.map(|(name, resource)| (name.as_str(), resource)).collect();
    assert!(!found.is_empty(), "the template has no {kind}");
    found
}

/// A property of a resource by its name.
fn property(name: &str, property: &str) -> &'static Value {
    &TEMPLATE["Resources"][name]["Properties"][property]
}

/// The resource that a value names, by `Ref` or by an attribute of it.
fn named(value: &'static Value) -> &'static str {
    let name = value["Ref"].as_str().or_else(|| value["Fn::GetAtt"][0].as_str());
    name.unwrap_or_else(|| panic!("{value} names no resource"))
}

/// Text in quotes that starts with `prefix`, in the code of these folders, without its tests.
pub(crate) fn quoted(folders: &[&str], prefix: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (path, text) in folders.iter().flat_map(|folder| crate::tidy::sources(folder)) {
        for line in crate::tidy::code(&text) {
            let pieces = line.split('"').skip(1).step_by(2);
            for piece in pieces.filter(|piece| piece.starts_with(prefix)) {
                found.insert(piece.to_owned(), path.display().to_string());
            }
        }
    }
    found
}
