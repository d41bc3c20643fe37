//! The planner on AWS Lambda.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use ossferry_core::time::Timestamp;
use ossferry_ends::Surroundings;
use ossferry_lambda::run_planner;
use ossferry_planner::Planner;

fn main() -> ExitCode {
    let variables = Arc::new(|name: &str| std::env::var(name).ok());
    let around = Surroundings::of_function(Arc::new(now), variables);
    run_planner(&around, Box::new(Planner::from))
}

fn now() -> Timestamp {
    SystemTime::now().into()
}
