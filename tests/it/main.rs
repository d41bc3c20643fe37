//! The integration tests: one binary, a module a subject.
//!
//! They start real servers on loopback (see `tests/setup`) and run the built command; `tests/run`
//! does both.

mod aliyun_infra;
mod command;
mod conformance;
mod faults;
mod finishing;
mod kills;
mod models;
mod old_data;
mod peers;
mod pipeline;
mod promises;
mod readme;
mod sdk_judges;
mod tidy;
