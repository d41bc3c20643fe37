//! The planner on AWS Lambda.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use ossferry_core::time::Timestamp;
use ossferry_ends::Surroundings;
use ossferry_host::Parts;
use ossferry_lambda::run_planner;
use ossferry_planner::{Planner, PlannerParts};

fn main() -> ExitCode {
    let around = Surroundings {
        clock: Arc::new(now),
        variables: Arc::new(|name: &str| std::env::var(name).ok()),
        function: None,
    };
    run_planner(&around, Box::new(planner))
}

fn planner(parts: Parts) -> Planner {
    let Parts { ledger, source, target, slots, .. } = parts;
    let appetite = Arc::new(move || slots.has_room());
    Planner::new(PlannerParts { ledger, source, target, appetite })
}

fn now() -> Timestamp {
    SystemTime::now().into()
}
