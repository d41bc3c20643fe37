//! The planner on Function Compute.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use ossferry_core::time::Timestamp;
use ossferry_ends::Surroundings;
use ossferry_fc::run_planner;
use ossferry_planner::Planner;

fn main() -> ExitCode {
    let around = Surroundings {
        clock: Arc::new(now),
        variables: Arc::new(|name: &str| std::env::var(name).ok()),
        function: None,
    };
    run_planner(around, Box::new(Planner::from))
}

fn now() -> Timestamp {
    SystemTime::now().into()
}
