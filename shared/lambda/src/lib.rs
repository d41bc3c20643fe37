//! Planner and copier as functions of AWS Lambda: events in, answers out, within the time that is left.
//!
//! A host only translates. Binaries hand down clock and environment, and a closure that makes a planner
//! or a copier of a job's [`Parts`](ossferry_host::Parts): this crate knows neither.

mod answer;
mod event;
mod host;
mod records;
mod settings;

pub use answer::{BatchAnswer, BatchItemFailure};
pub use event::{Event, EventError, SqsRecord};
pub use host::{run_copier, run_planner};
pub use records::Desk;
