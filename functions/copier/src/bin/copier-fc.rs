//! The copier on Function Compute.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use ossferry_copier::Copier;
use ossferry_core::time::Timestamp;
use ossferry_ends::Surroundings;
use ossferry_fc::run_copier;

fn main() -> ExitCode {
    let variables = Arc::new(|name: &str| std::env::var(name).ok());
    let around = Surroundings::of_function(Arc::new(now), variables);
    run_copier(around, Box::new(Copier::from))
}

fn now() -> Timestamp {
    SystemTime::now().into()
}
