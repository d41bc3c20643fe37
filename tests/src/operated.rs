//! A job on a stack of AWS, and the command of whoever operates it: the functions are played by the test
//! with the product's planner and copier.

use std::sync::Arc;

use ossferry_core::ports::{Source, Target};
use serde_json::{Value, json};

use crate::command::{JobFile, Ossferry};
use crate::oss;
use crate::played::PlayedFunctions;
use crate::stack::DeployedStack;

/// How a job file names a key of its environment.
const FROM_ENVIRONMENT: &str = "credentials = { from = \"env\"";

/// A stack, its functions, and the command beside its job file.
pub struct OperatedStack {
    /// What is deployed.
    pub stack: DeployedStack,
    /// What works.
    pub functions: PlayedFunctions,
    /// The operator's.
    pub ossferry: Ossferry,
    /// The job file.
    pub text: String,
}

impl OperatedStack {
    /// Deploys a stack for a job whose source's key stands in a parameter and its target's in a secret.
    /// Functions that are idle wait until the test delivers.
    pub async fn deploy(
        file: &JobFile,
        source_keys: &Value,
        ends: (Arc<dyn Source>, Arc<dyn Target>),
        is_idle: bool,
    ) -> Self {
        let stack = DeployedStack::deploy().await;
        let parameter = stack.parameter(&source_keys.to_string()).await;
        let secret = stack.secret(&keys(oss::ACCESS_KEY, oss::SECRET_KEY).to_string()).await;
        let (source, target) = ends;
        let functions = if is_idle {
            PlayedFunctions::start_idle(&stack, source, target).await
        } else {
            PlayedFunctions::start(&stack, source, target).await
        };
        let mut kept = [
            format!("credentials = {{ from = \"aws-parameter\", name = \"{parameter}\" }}"),
            format!("credentials = {{ from = \"aws-secret\", id = \"{secret}\" }}"),
        ]
        .into_iter();
        let state = format!("kind = \"aws\"\nstack = \"{}\"", stack.name);
        let deployed = |line: &str| match line {
            "path = \"state.sqlite\"" => state.clone(),
            line if line.starts_with(FROM_ENVIRONMENT) => kept.next().expect("two ends"),
            line => line.to_owned(),
        };
        let text = file.text().lines().map(deployed).collect::<Vec<_>>().join("\n");
        let mut ossferry = Ossferry::new(file);
        for (name, value) in stack.variables(functions.endpoint()) {
            ossferry.set(name, Some(&value));
        }
        ossferry.write_job(&text);
        Self { stack, functions, ossferry, text }
    }
}

/// A key as secrets and parameters spell it.
pub fn keys(access_key: &str, secret_key: &str) -> Value {
    json!({ "access_key": access_key, "secret_key": secret_key })
}
