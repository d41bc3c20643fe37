//! Planner and copier as functions of Alibaba Cloud's Function Compute: an HTTP server in the custom
//! runtime of version 3.0.
//!
//! By default a function *pulls*: an invocation receives from its queue itself until its time is up. It
//! may also be *pushed*: `EventBridge` hands messages over, one an invocation. Who asks decides, not how
//! it is deployed.
//!
//! A host only translates. Binaries hand down clock and environment, and a closure that makes a planner
//! or a copier of a job's [`Parts`](ossferry_host::Parts): this crate knows neither.

mod answer;
mod bill;
mod event;
mod function;
mod host;
mod places;
mod ports;
mod ports_on_aws;
mod pull;
mod push;
mod role;
mod server;
mod settings;
mod starting;

pub use event::{Event, EventError, PushedMessage};
pub use host::{run_copier, run_copier_over, run_planner};
pub use ports::{OpenPorts, Ports};
pub use ports_on_aws::on_aws;
pub use settings::{Settings, SettingsError};
