//! Planner and copier as functions of AWS Lambda: events in, answers out, within the time that is left.
//!
//! A host only translates. Binaries hand down clock and environment, and a closure that makes a planner
//! or a copier of a job's [`Parts`]: this crate knows neither.

mod answer;
mod call;
mod event;
mod host;
mod logs;
mod metrics;
mod passes;
mod records;
mod settings;
mod slots;
mod workshop;

pub use answer::{
    BatchAnswer, BatchItemFailure, SweepAnswer, SweptPass, TriggerAnswer, TriggerOutcome,
};
pub use call::Call;
pub use event::{Event, EventError, SqsRecord, TriggerEvent};
pub use host::{run_copier, run_planner};
pub use ossferry_ends::Surroundings;
pub use passes::{AskedPass, PassMaker};
pub use records::Desk;
pub use slots::Slots;
pub use workshop::{Found, Made, Make, Parts, Workshop, WorkshopError};
