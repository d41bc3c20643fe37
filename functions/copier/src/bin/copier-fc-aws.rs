//! The copier on Function Compute beside its target, for a ledger on AWS.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use ossferry_copier::Copier;
use ossferry_core::time::Timestamp;
use ossferry_ends::Surroundings;
use ossferry_fc::{on_aws, run_copier_over};

fn main() -> ExitCode {
    let variables = Arc::new(|name: &str| std::env::var(name).ok());
    let around = Surroundings::of_function(Arc::new(now), variables);
    run_copier_over(on_aws, around, Box::new(Copier::from))
}

fn now() -> Timestamp {
    SystemTime::now().into()
}
